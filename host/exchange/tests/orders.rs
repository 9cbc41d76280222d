//! Order entry and the portfolio over REST.

mod common;

use std::collections::BTreeSet;

use common::{LAL, SEA, World, bid, frozen, order, quiet};
use hotpit_exchange::server::Settings;
use hotpit_exchange::server::credentials::KeyKind;
use hotpit_exchange::server::faults::{Fault, Kind};
use hotpit_exchange::server::limits::Tier;
use hotpit_units::Side::{Ask, Bid};
use reqwest::Method;
use serde_json::{Value, json};

const CREATE: &str = "POST /trade-api/v2/portfolio/events/orders";

#[tokio::test]
async fn an_order_rests_is_read_and_is_canceled() {
    let world = World::start().await;
    let (status, created) = world.place(bid("one", "0.5000", "10.00")).await;
    assert_eq!(status, 201, "{created}");
    assert_eq!(created["client_order_id"], "one");
    assert_eq!(created["fill_count"], "0.00");
    assert_eq!(created["remaining_count"], "10.00");
    assert!(created["ts_ms"].is_u64());
    assert!(created.get("average_fill_price").is_none());
    let id = created["order_id"].as_str().unwrap();

    let order = world.get(&format!("/portfolio/orders/{id}")).await["order"].clone();
    assert_eq!(
        (&order["status"], &order["yes_price_dollars"]),
        (&json!("resting"), &json!("0.5000"))
    );
    let balance = world.get("/portfolio/balance?exchange_index=0").await;
    // $5 and at most 0.07 × 10 × 0.5 × 0.5 of fees are reserved.
    assert_eq!(balance["balance_dollars"], "9994.825000");
    let book = world.get(&format!("/markets/{SEA}/orderbook")).await;
    assert_eq!(
        book["orderbook_fp"],
        json!({ "yes_dollars": [["0.5000", "10.00"]], "no_dollars": [] })
    );

    let (status, canceled) =
        world.delete(&format!("/portfolio/events/orders/{id}?exchange_index=0")).await;
    assert_eq!((status, &canceled["reduced_by"]), (200, &json!("10.00")), "{canceled}");
    let (status, gone) =
        world.delete(&format!("/portfolio/events/orders/{id}?exchange_index=0")).await;
    assert_eq!((status, &gone["error"]["code"]), (404, &json!("not_found")), "{gone}");
}

#[tokio::test]
async fn a_client_order_id_is_used_once() {
    let world = World::start().await;
    assert_eq!(world.place(bid("same", "0.5000", "1.00")).await.0, 201);
    let (status, refused) = world.place(bid("same", "0.4000", "1.00")).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("order_already_exists")));
    assert_eq!(world.audit().await["orders_count"], 1);
}

#[tokio::test]
async fn fill_or_kill_is_all_or_nothing_and_immediate_or_cancel_takes_what_there_is() {
    let world = World::start().await;
    world.background(SEA, Ask, 60, 5).await;
    let (status, killed) = world.place(order("fok", "bid", "0.6000", "6.00", "fill_or_kill")).await;
    assert_eq!(status, 409, "{killed}");
    assert_eq!(world.audit().await["fills_count"], 0);
    let (status, taken) =
        world.place(order("ioc", "bid", "0.6000", "6.00", "immediate_or_cancel")).await;
    assert_eq!(status, 201, "{taken}");
    assert_eq!((&taken["fill_count"], &taken["remaining_count"]), (&json!("5.00"), &json!("0.00")));
    assert_eq!(taken["average_fill_price"], "0.6000");
    // 0.07 × 0.60 × 0.40 = 0.0168 for a contract.
    assert_eq!(taken["average_fee_paid"], "0.0168");
    let fills = world.get("/portfolio/fills").await["fills"].clone();
    assert_eq!((fills.as_array().unwrap().len(), &fills[0]["count_fp"]), (1, &json!("5.00")));
    let position = world.get("/portfolio/positions").await["market_positions"][0].clone();
    assert_eq!((&position["ticker"], &position["position_fp"]), (&json!(SEA), &json!("5.00")));
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_in_the_shape_of_its_kind() {
    let world = World::start().await;
    let with = |key: &str, value: Value| {
        let mut order = bid("x", "0.5000", "1.00");
        order[key] = value;
        order
    };
    let cases = [
        (with("ticker", json!("KXNOSUCH")), 404, "market_not_found"),
        (with("price", json!("0.5050")), 400, "invalid_price"),
        (with("price", json!("0.50001")), 400, "invalid_parameters"),
        (with("price", json!(0.5)), 400, "invalid_parameters"),
        (with("count", json!("0.00")), 400, "invalid_order_size"),
        (with("count", json!("1000000.00")), 400, "insufficient_balance"),
        (with("side", json!("yes")), 400, "invalid_parameters"),
        (with("time_in_force", json!("GTT")), 400, "invalid_parameters"),
        (with("expiration_time", json!(1)), 400, "expired"),
        (with("client_order_id", json!("x".repeat(65))), 400, "invalid_parameters"),
        (json!([]), 400, "invalid_parameters"),
    ];
    for (order, status, code) in cases {
        let answer = world.place(order.clone()).await;
        assert_eq!(
            (answer.0, &answer.1["error"]["code"]),
            (status, &json!(code)),
            "{order} {answer:?}"
        );
    }
    let (status, legacy) = world.post("/portfolio/orders", bid("v1", "0.5000", "1.00")).await;
    assert_eq!((status, &legacy["error"]["code"]), (410, &json!("deprecated_v1_order_endpoint")));
    let (status, missing) = world.call(Method::GET, "/milestones", None).await;
    let text = "Query argument limit is required, but not found";
    assert_eq!((status, missing), (400, json!({ "msg": text })));
    let (status, nothing) = world.call(Method::GET, "/markets/KXNOSUCH", None).await;
    assert_eq!((status, &nothing["code"]), (404, &json!("not_found")));
    let (status, word) = world.call(Method::GET, "/markets?status=active", None).await;
    assert_eq!((status, &word["code"]), (400, &json!("invalid_parameters")));
    assert_eq!(world.audit().await["orders_count"], 0);
}

#[tokio::test]
async fn an_order_id_without_its_shard_is_looked_for_on_shard_0() {
    let world = World::start().await;
    let mut other = bid("other shard", "0.5000", "1.00");
    other["ticker"] = json!(LAL);
    other["exchange_index"] = json!(3);
    let (_, created) = world.place(other).await;
    let path = format!("/portfolio/events/orders/{}", created["order_id"].as_str().unwrap());
    assert_eq!(world.delete(&path).await.0, 404);
    assert_eq!(world.delete(&format!("{path}?exchange_index=-1")).await.0, 400);
    assert_eq!(world.delete(&format!("{path}?market_ticker={LAL}")).await.0, 200);
}

#[tokio::test]
async fn orders_are_amended_and_decreased() {
    let world = World::start().await;
    let (_, created) = world.place(bid("a", "0.5000", "10.00")).await;
    let path = format!("/portfolio/events/orders/{}", created["order_id"].as_str().unwrap());
    let (status, decreased) =
        world.post(&format!("{path}/decrease"), json!({ "reduce_by": "4.00" })).await;
    assert_eq!((status, &decreased["remaining_count"]), (200, &json!("6.00")), "{decreased}");
    assert_eq!(world.post(&format!("{path}/decrease"), json!({})).await.0, 400);
    let amend = json!({
        "ticker": SEA, "side": "bid", "price": "0.5500", "count": "8.00",
        "client_order_id": "a", "updated_client_order_id": "b", "exchange_index": 0,
    });
    let (status, amended) = world.post(&format!("{path}/amend"), amend).await;
    assert_eq!(status, 200, "{amended}");
    assert_eq!(
        (&amended["client_order_id"], &amended["remaining_count"]),
        (&json!("b"), &json!("8.00"))
    );
    assert_eq!(amended["average_fill_price"], Value::Null);
    let order = world.get("/portfolio/orders").await["orders"][0].clone();
    assert_eq!(order["yes_price_dollars"], "0.5500");
}

#[tokio::test]
async fn batches_answer_for_each_item_and_everything_is_canceled_at_once() {
    let world = World::start().await;
    let orders = [bid("1", "0.5000", "1.00"), bid("2", "0.5050", "1.00"), json!({ "ticker": 7 })];
    let (status, answer) =
        world.post("/portfolio/events/orders/batched", json!({ "orders": orders })).await;
    assert_eq!(status, 201);
    let items = answer["orders"].as_array().unwrap();
    assert_eq!((&items[0]["error"], &items[0]["remaining_count"]), (&Value::Null, &json!("1.00")));
    assert_eq!(items[1]["error"]["code"], "invalid_price");
    assert_eq!(items[1]["client_order_id"], "2");
    assert_eq!(items[2]["error"]["code"], "invalid_parameters");

    let orders =
        json!({ "orders": [{ "order_id": items[0]["order_id"] }, { "order_id": "nope" }] });
    let (status, answer) =
        world.call(Method::DELETE, "/portfolio/events/orders/batched", Some(orders)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["orders"][0]["reduced_by"], "1.00");
    assert_eq!(answer["orders"][1]["error"]["code"], "not_found");

    world.place(bid("3", "0.4000", "1.00")).await;
    world.place(bid("4", "0.4100", "1.00")).await;
    let (status, answer) = world.delete("/portfolio/events/orders").await;
    assert_eq!((status, answer["orders"].as_array().unwrap().len()), (200, 2));
    assert_eq!(world.audit().await["open_orders"], json!([]));
}

#[tokio::test]
async fn the_basic_tier_is_stopped_after_ten_orders() {
    let settings = Settings { tier: Tier::Basic, ..quiet() };
    let world = World::start_with(settings, KeyKind::Ed25519).await;
    let mut accepted = 0;
    for number in 0..30 {
        let (status, answer) = world.place(bid(&number.to_string(), "0.1000", "1.00")).await;
        if status == 429 {
            assert_eq!(answer, json!({ "error": "too many requests" }));
            break;
        }
        accepted += 1;
    }
    assert!((10..20).contains(&accepted), "{accepted}");
    let limits = world.get("/account/limits").await;
    assert_eq!(limits["write"], json!({ "refill_rate": 100, "bucket_capacity": 100 }));
}

#[tokio::test]
async fn a_failure_after_the_order_was_accepted_leaves_it_in_the_book() {
    let world = World::start().await;
    let faults = [
        ("error", Kind::Status { code: 503, applied: true }),
        ("lost", Kind::LoseAnswer),
        ("garbage", Kind::GarbageAnswer),
    ];
    for (name, kind) in faults {
        world.exchange.post_fault(Fault::new(kind).on_route(CREATE).times(1)).await;
        let body = Some(bid(name, "0.1000", "1.00"));
        let answer = world.try_call(Method::POST, "/portfolio/events/orders", body).await;
        match (kind, answer) {
            (Kind::Status { .. }, Ok((503, _))) | (Kind::LoseAnswer, Err(_)) => {}
            (Kind::GarbageAnswer, Ok((201, Value::Null))) => {}
            (_, answer) => panic!("{kind:?}: {answer:?}"),
        }
        let orders = world.audit().await["orders_by_client_order_id"].clone();
        assert_eq!(orders[name]["status"], "resting", "{kind:?}");
        let (status, _) = world.place(bid(name, "0.1000", "1.00")).await;
        assert_eq!(status, 409, "a retry with the same name is no second order");
    }
}

#[tokio::test]
async fn a_refused_request_is_not_carried_out() {
    let world = World::start().await;
    for (status, kind) in
        [(429, Kind::TooManyRequests), (500, Kind::Status { code: 500, applied: false })]
    {
        let fault = Fault::new(kind).on_route(CREATE).times(2);
        let fault = world.exchange.post_fault(fault).await;
        assert_eq!(world.place(bid("a", "0.1000", "1.00")).await.0, status);
        assert_eq!(world.place(bid("a", "0.1000", "1.00")).await.0, status);
        assert_eq!(world.exchange.hits(fault), 2);
        assert_eq!(world.audit().await["orders_count"], 0);
    }
    assert_eq!(world.place(bid("a", "0.1000", "1.00")).await.0, 201);
}

#[tokio::test]
async fn faults_come_and_go_over_http_too() {
    let world = World::start().await;
    let url = world.exchange.control_url();
    let http = reqwest::Client::new();
    let fault = json!({ "fault": { "kind": "delay_answer", "ms": 150 }, "times": 1 });
    let posted = http.post(format!("{url}/faults")).body(fault.to_string()).send().await.unwrap();
    assert_eq!(posted.status().as_u16(), 201);
    let before = tokio::time::Instant::now();
    world.get("/exchange/status").await;
    assert!(before.elapsed() >= std::time::Duration::from_millis(150));
    let listed = world.plain("/control/faults", &[]).await.text().await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["faults"][0]["hits"], 1);
    let cleared = http.delete(format!("{url}/faults")).send().await.unwrap();
    assert_eq!(cleared.status().as_u16(), 204);
    assert!(world.exchange.faults().is_empty());
    let bad = http.post(format!("{url}/faults")).body("{}").send().await.unwrap();
    assert_eq!(bad.status().as_u16(), 400);
    let audit = format!("/control/audit?key={}", world.signer.key_id());
    let audit = world.plain(&audit, &[]).await.text().await.unwrap();
    let audit: Value = serde_json::from_str(&audit).unwrap();
    assert_eq!(audit["cash_total"], "40000.000000");
}

#[tokio::test]
async fn pages_show_every_order_fill_and_trade_once() {
    let world = World::start_with(frozen(), KeyKind::Ed25519).await;
    world.background(SEA, Ask, 60, 50).await;
    for number in 0..7 {
        let order = order(&number.to_string(), "bid", "0.6000", "1.00", "immediate_or_cancel");
        assert_eq!(world.place(order).await.0, 201);
    }
    for (path, list, id) in [
        ("/portfolio/orders?limit=3", "orders", "order_id"),
        ("/portfolio/fills?limit=3", "fills", "fill_id"),
        ("/markets/trades?limit=3", "trades", "trade_id"),
        ("/markets?limit=1", "markets", "ticker"),
        ("/events?limit=1", "events", "event_ticker"),
    ] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = world.get(&format!("{path}&cursor={cursor}")).await;
            let items = page[list].as_array().unwrap();
            seen.extend(items.iter().map(|item| item[id].as_str().unwrap().to_owned()));
            cursor = page["cursor"].as_str().unwrap().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        let expected = match list {
            "markets" => 3,
            "events" => 2,
            _ => 7,
        };
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), unique.len()), (expected, expected), "{path}");
    }
}

#[tokio::test]
async fn a_maker_is_told_of_its_fill() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.send("subscribe", json!({ "channels": ["fill", "user_orders"] })).await;
    client.frames(2).await;
    world.place(bid("maker", "0.4500", "4.00")).await;
    let resting = client.frame().await;
    assert_eq!(
        (&resting["type"], &resting["msg"]["status"]),
        (&json!("user_order"), &json!("resting"))
    );
    world.background(SEA, Ask, 45, 3).await;
    let frames = client.frames(2).await;
    let fill = frames.iter().find(|frame| frame["type"] == "fill").unwrap();
    assert_eq!(
        (&fill["msg"]["is_taker"], &fill["msg"]["count_fp"]),
        (&json!(false), &json!("3.00"))
    );
    let order = frames.iter().find(|frame| frame["type"] == "user_order").unwrap();
    assert_eq!(order["msg"]["remaining_count_fp"], "1.00");
    assert_eq!(order["msg"]["order_id"], fill["msg"]["order_id"]);
    world.background(LAL, Bid, 45, 3).await;
    client.assert_silent().await;
}

#[tokio::test]
async fn settled_markets_pay_and_are_listed() {
    let world = World::start().await;
    world.background(SEA, Ask, 60, 5).await;
    world.place(bid("a", "0.6000", "5.00")).await;
    let settle = |floor: &mut hotpit_exchange::server::Floor| {
        let now = floor.now();
        let market = floor.exchange.find(SEA).unwrap();
        floor.exchange.determine(now, market, hotpit_exchange::core::Outcome::Yes).unwrap();
        floor.exchange.settle(now, market).unwrap();
    };
    world.exchange.with_floor(settle).await.unwrap();
    let settlement = world.get("/portfolio/settlements").await["settlements"][0].clone();
    assert_eq!(
        (&settlement["revenue"], &settlement["market_result"]),
        (&json!(500), &json!("yes"))
    );
    assert_eq!(world.get("/portfolio/positions").await["market_positions"], json!([]));
    let settled = world.get("/portfolio/positions?settlement_status=settled").await;
    assert_eq!(settled["market_positions"][0]["realized_pnl_dollars"], "2.000000");
    let markets = world.get("/markets?status=settled").await;
    assert_eq!(markets["markets"][0]["settlement_value_dollars"], "1.0000");
    // $10,000 - $3.00 - $0.084 + $5.00
    let balance = world.get("/portfolio/balance?exchange_index=0").await;
    assert_eq!(balance["balance_dollars"], "10001.916000");
}
