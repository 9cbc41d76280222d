//! The WebSocket: sids, sequences, snapshots and deltas, errors, pings.

mod common;

use std::time::Duration;

use common::{LAL, NE, SEA, World, bid, frozen, outline, quiet};
use hotpit_exchange::server::Settings;
use hotpit_exchange::server::credentials::KeyKind;
use hotpit_exchange::server::faults::{Fault, Kind};
use hotpit_units::Side::{Ask, Bid};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn a_snapshot_comes_before_the_deltas_and_an_empty_side_has_no_key() {
    let world = World::start().await;
    world.background(SEA, Bid, 64, 10).await;
    world.background(SEA, Bid, 65, 20).await;
    let mut client = world.connect().await;
    let id = client.subscribe("orderbook_delta", &[SEA]).await;

    let subscribed = client.frame().await;
    assert_eq!(subscribed["id"], id);
    assert_eq!(subscribed["msg"], json!({ "channel": "orderbook_delta", "sid": 1 }));
    assert!(subscribed.get("seq").is_none());

    let snapshot = client.frame().await;
    assert_eq!((&snapshot["sid"], &snapshot["seq"]), (&json!(1), &json!(1)));
    assert!(snapshot["sending_ts_ms"].is_u64());
    let book = &snapshot["msg"];
    assert_eq!(book["yes_dollars_fp"], json!([["0.6400", "10.00"], ["0.6500", "20.00"]]));
    assert!(book.get("no_dollars_fp").is_none(), "{book}");

    world.background(SEA, Ask, 67, 5).await;
    let delta = client.frame().await;
    assert_eq!((&delta["type"], &delta["seq"]), (&json!("orderbook_delta"), &json!(2)));
    let msg = &delta["msg"];
    assert_eq!(msg["side"], "no");
    assert_eq!((&msg["price_dollars"], &msg["delta_fp"]), (&json!("0.3300"), &json!("5.00")));
    assert_eq!(msg["market_id"], book["market_id"]);
}

#[tokio::test]
async fn no_levels_are_on_the_scale_that_was_asked_for() {
    for (use_yes_price, prices) in [(false, ["0.3000", "0.3300"]), (true, ["0.6700", "0.7000"])] {
        let world = World::start().await;
        world.background(SEA, Ask, 67, 5).await;
        world.background(SEA, Ask, 70, 5).await;
        let mut client = world.connect().await;
        let params = json!({
            "channels": ["orderbook_delta"], "market_ticker": SEA, "use_yes_price": use_yes_price,
        });
        client.send("subscribe", params).await;
        let frames = client.frames(2).await;
        let levels = json!([[prices[0], "5.00"], [prices[1], "5.00"]]);
        assert_eq!(frames[1]["msg"]["no_dollars_fp"], levels, "ascending, {use_yes_price}");
        world.background(SEA, Ask, 67, 1).await;
        let best = if use_yes_price { "0.6700" } else { "0.3300" };
        assert_eq!(client.frame().await["msg"]["price_dollars"], best);
    }
}

#[tokio::test]
async fn one_sequence_counts_every_frame_of_all_markets_of_a_channel() {
    let world = World::start().await;
    world.background(NE, Bid, 30, 1).await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &[SEA]).await;
    let first = client.frames(2).await;
    let sid = first[0]["msg"]["sid"].clone();
    world.background(SEA, Bid, 50, 1).await;
    let add = json!({ "sids": [sid], "market_tickers": [NE], "action": "add_markets" });
    client.send("update_subscription", add).await;
    world.background(NE, Bid, 31, 1).await;
    client.subscribe("orderbook_delta", &[SEA, NE]).await;
    let get = json!({ "sids": [sid], "market_tickers": [NE, SEA], "action": "get_snapshot" });
    let get = client.send("update_subscription", get).await;
    let delete = json!({ "sid": sid, "market_tickers": [SEA], "action": "delete_markets" });
    client.send("update_subscription", delete).await;
    let last = client.send("unsubscribe", json!({ "sids": [sid] })).await;

    let mut frames = first[1..].to_vec();
    while frames.last().is_none_or(|frame| frame["id"] != last) {
        frames.push(client.frame().await);
    }
    let seqs: Vec<u64> = frames.iter().map(|frame| frame["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{frames:#?}");
    assert!(frames.iter().all(|frame| frame["sid"] == sid));

    let types: Vec<String> = outline(&frames).into_iter().map(|(kind, _)| kind).collect();
    let ok = types.iter().position(|kind| kind == "ok").unwrap();
    assert_eq!(types[ok - 1], "orderbook_snapshot", "an added market's snapshot precedes its ok");
    assert_eq!(frames[ok]["msg"]["market_tickers"], json!([SEA, NE]));
    let again = types.iter().rposition(|kind| kind == "orderbook_snapshot").unwrap();
    assert_eq!(frames[again]["id"], get, "a snapshot that was asked for has the id");
    assert_eq!(types.iter().filter(|kind| *kind == "orderbook_snapshot").count(), 4);
    assert_eq!(frames[types.len() - 2]["msg"]["market_tickers"], json!([NE]));
    assert_eq!(types.last().unwrap(), "unsubscribed");

    client.subscribe("orderbook_delta", &[SEA]).await;
    assert_eq!(client.frame().await["msg"]["sid"], 2, "a new subscription has a new sid");
    assert_eq!(client.frame().await["seq"], 1);
}

#[tokio::test]
async fn tickers_and_private_frames_have_no_sequence() {
    let world = World::start().await;
    world.background(SEA, Ask, 60, 5).await;
    let mut client = world.connect().await;
    let params = json!({
        "channels": ["ticker"], "market_tickers": [SEA], "send_initial_snapshot": true,
    });
    client.send("subscribe", params).await;
    let first = client.frames(2).await;
    assert_eq!(first[1]["type"], "ticker");
    assert_eq!(first[1]["msg"]["yes_ask_dollars"], "0.6000");
    assert_eq!(first[1]["msg"]["yes_bid_dollars"], "0.0000");
    let channels = json!({ "channels": ["fill", "user_orders", "market_positions"] });
    client.send("subscribe", channels).await;
    client.frames(3).await;

    let (status, _) = world.place(bid("mine", "0.6000", "2.00")).await;
    assert_eq!(status, 201);
    let mut frames = Vec::new();
    while frames.len() < 4 {
        frames.push(client.frame().await);
    }
    assert!(frames.iter().all(|frame| frame.get("seq").is_none()), "{frames:#?}");
    let one =
        |kind: &str| frames.iter().find(|frame| frame["type"] == kind).unwrap()["msg"].clone();
    let fill = one("fill");
    assert_eq!(fill["client_order_id"], "mine");
    assert_eq!((&fill["is_taker"], &fill["count_fp"]), (&json!(true), &json!("2.00")));
    // 0.07 × 2 × 0.60 × 0.40 = 0.0336
    assert_eq!(fill["fee_cost"], "0.033600");
    assert_eq!(fill["post_position_fp"], "2.00");
    let order = one("user_order");
    assert_eq!((&order["status"], &order["ticker"]), (&json!("executed"), &json!(SEA)));
    assert_eq!(one("market_position")["position_fp"], "2.00");
    assert_eq!(one("ticker")["price_dollars"], "0.6000");
}

#[tokio::test]
async fn a_delta_names_the_order_that_caused_it_to_its_owner_alone() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &[SEA]).await;
    client.frames(2).await;
    world.background(SEA, Bid, 20, 1).await;
    world.place(bid("mine \"1\"", "0.3000", "2.00")).await;
    let frames = client.frames(2).await;
    assert!(frames[0]["msg"].get("client_order_id").is_none());
    assert_eq!(frames[1]["msg"]["client_order_id"], "mine \"1\"");
}

#[tokio::test]
async fn trades_and_lifecycle_are_told_to_everyone() {
    let world = World::start().await;
    let mut client = world.connect().await;
    let params = json!({ "channels": ["trade", "market_lifecycle_v2"] });
    client.send("subscribe", params).await;
    client.frames(2).await;
    world.background(SEA, Bid, 40, 3).await;
    world.place(common::order("a", "ask", "0.4000", "1.00", "immediate_or_cancel")).await;
    let trade = client.frame().await;
    assert_eq!((&trade["type"], &trade["seq"]), (&json!("trade"), &json!(1)));
    assert_eq!(trade["msg"]["taker_outcome_side"], "no");
    assert_eq!(trade["msg"]["no_price_dollars"], "0.6000");

    let determine = |floor: &mut hotpit_exchange::server::Floor| {
        let now = floor.now();
        let market = floor.exchange.find(SEA).unwrap();
        floor.exchange.determine(now, market, hotpit_exchange::core::Outcome::Yes).unwrap();
    };
    world.exchange.with_floor(determine).await.unwrap();
    let frame = client.frame().await;
    assert_eq!((&frame["type"], &frame["seq"]), (&json!("market_lifecycle_v2"), &json!(1)));
    assert_eq!(frame["msg"]["event_type"], "determined");
    assert_eq!(frame["msg"]["settlement_value"], "1.0000");
}

#[tokio::test]
async fn commands_that_make_no_sense_are_answered_with_their_code() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.subscribe("ticker", &[SEA]).await;
    client.frame().await;
    let cases = [
        ("not json", 1),
        (r#"{"id":9,"cmd":"subscribe"}"#, 2),
        (r#"{"id":9,"cmd":"subscribe","params":{}}"#, 3),
        (r#"{"id":9,"cmd":"subscribe","params":{"channels":[]}}"#, 3),
        (r#"{"id":9,"cmd":"unsubscribe","params":{}}"#, 4),
        (r#"{"id":9,"cmd":"dance","params":{}}"#, 5),
        (r#"{"id":9,"cmd":"unsubscribe","params":{"sids":[77]}}"#, 7),
        (r#"{"id":9,"cmd":"subscribe","params":{"channels":["ticker_v2"]}}"#, 8),
        (r#"{"id":9,"cmd":"subscribe","params":{"channels":["trade"],"market_ids":["X"]}}"#, 11),
        (
            r#"{"id":9,"cmd":"update_subscription","params":{"sids":[1,2],"action":"add_markets"}}"#,
            12,
        ),
        (r#"{"id":9,"cmd":"update_subscription","params":{"sid":1,"action":"get_snapshot"}}"#, 13),
        (r#"{"id":9,"cmd":"subscribe","params":{"channels":["orderbook_delta"]}}"#, 14),
        (r#"{"id":9,"cmd":"update_subscription","params":{"sid":1}}"#, 15),
    ];
    for (command, code) in cases {
        client.text(command).await;
        let frame = client.frame().await;
        assert_eq!(frame["type"], "error", "{command}");
        assert_eq!(frame["msg"]["code"], code, "{command}: {frame}");
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn an_unknown_market_is_told_and_left_out() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &["KXNOSUCH", SEA]).await;
    let frames = client.frames(3).await;
    assert_eq!(frames[0]["msg"]["market_ticker"], "KXNOSUCH");
    assert_eq!(frames[1]["type"], "subscribed");
    assert_eq!(frames[2]["msg"]["market_ticker"], SEA);
    client.assert_silent().await;
}

#[tokio::test]
async fn subscriptions_are_listed_until_they_are_ended() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.send("subscribe", json!({ "channels": ["ticker", "trade"] })).await;
    client.frames(2).await;
    client.send("list_subscriptions", json!({})).await;
    let listed = client.frame().await;
    let all = json!([{ "channel": "ticker", "sid": 1 }, { "channel": "trade", "sid": 2 }]);
    assert_eq!(listed["msg"], all);
    client.send("unsubscribe", json!({ "sids": [1, 2] })).await;
    let ended = client.frames(2).await;
    assert_eq!(outline(&ended)[1], ("unsubscribed".to_owned(), Some(1)));
    client.send("list_subscriptions", json!({})).await;
    assert_eq!(client.frame().await["msg"], json!([]));
}

#[tokio::test]
async fn the_server_pings_with_heartbeat_and_drops_who_does_not_answer() {
    let settings = Settings {
        ping_interval: Duration::from_millis(50),
        pong_timeout: Duration::from_millis(200),
        ..quiet()
    };
    let world = World::start_with(settings, KeyKind::Ed25519).await;
    let mut client = world.connect().await;
    let Some(Ok(Message::Ping(body))) = client.message().await else { panic!("no ping") };
    assert_eq!(&body[..], b"heartbeat");
    // Reading answers: six pings are more than the timeout.
    for _ in 0..6 {
        assert!(matches!(client.message().await, Some(Ok(Message::Ping(_)))));
    }
    // Not reading does not.
    let mut silent = world.connect().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(silent.is_closed().await);
}

#[tokio::test]
async fn a_slow_reader_loses_its_subscription_and_is_told() {
    let settings = Settings { frames_queued_max: 8, ..frozen() };
    let world = World::start_with(settings, KeyKind::Ed25519).await;
    let mut client = world.connect().await;
    let id = client.subscribe("orderbook_delta", &[SEA]).await;
    assert_eq!(client.frames(2).await[0]["id"], id);
    // All in one job: the writer has no chance to keep up with it.
    let flood = |floor: &mut hotpit_exchange::server::Floor| {
        let account = floor.exchange.accounts()[0].id;
        let market = floor.exchange.find(SEA).unwrap();
        let now = floor.now();
        for cents in 1..=40 {
            let price = hotpit_units::Price::from_cents(cents);
            let count = hotpit_units::Quantity::from_contracts(1);
            let order = hotpit_exchange::core::NewOrder::limit(market, Bid, price, count);
            floor.exchange.create_order(now, account, order).unwrap();
        }
    };
    world.exchange.with_floor(flood).await.unwrap();
    let mut last = client.frame().await;
    let mut deltas = 0;
    while last["type"] == "orderbook_delta" {
        deltas += 1;
        last = client.frame().await;
    }
    assert!(deltas < 40, "{deltas}");
    assert_eq!((&last["type"], &last["sid"]), (&json!("error"), &json!(1)));
    assert_eq!(last["msg"]["code"], 25);
    client.subscribe("orderbook_delta", &[SEA]).await;
    let again = client.frames(2).await;
    assert_eq!(again[0]["msg"]["sid"], 2);
    assert_eq!(again[1]["msg"]["yes_dollars_fp"].as_array().unwrap().len(), 40);
}

#[tokio::test]
async fn frame_faults_are_seen_by_the_client() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &[SEA, LAL]).await;
    client.frames(3).await;
    let post = async |kind| {
        let fault = Fault::new(kind).on_channel("orderbook_delta").on_market(SEA).times(1);
        world.exchange.post_fault(fault).await
    };

    let dropped = post(Kind::DropFrames).await;
    world.background(SEA, Bid, 10, 1).await;
    world.background(SEA, Bid, 11, 1).await;
    assert_eq!(client.frame().await["seq"], 4, "3 is missing");
    assert_eq!(world.exchange.hits(dropped), 1);

    post(Kind::DuplicateFrames).await;
    world.background(SEA, Bid, 12, 1).await;
    let twice = client.frames(2).await;
    assert_eq!((&twice[0]["seq"], &twice[1]["seq"]), (&json!(5), &json!(5)));

    post(Kind::MalformedFrames).await;
    world.background(SEA, Bid, 13, 1).await;
    assert!(serde_json::from_str::<Value>(&client.raw().await).is_err());

    post(Kind::UnknownType).await;
    world.background(SEA, Bid, 14, 1).await;
    let strange = client.frame().await;
    assert_eq!(
        (&strange["type"], &strange["seq"]),
        (&json!("practice_exchange_mystery"), &json!(7))
    );

    post(Kind::NumbersForStrings).await;
    world.background(SEA, Bid, 15, 1).await;
    let numbers = client.frame().await;
    assert_eq!(numbers["msg"]["price_dollars"].as_f64(), Some(0.15), "{numbers}");

    let stall = Fault::new(Kind::Stall { ms: None });
    let stall = world.exchange.post_fault(stall).await;
    world.background(SEA, Bid, 16, 1).await;
    client.send("list_subscriptions", json!({})).await;
    // Commands are carried out in order: once another client is answered, the question is over.
    world.get("/markets").await;
    while world.exchange.hits(stall) < 2 {
        tokio::task::yield_now().await;
    }
    world.exchange.clear_fault(stall);
    world.background(LAL, Bid, 17, 1).await;
    assert_eq!(client.frame().await["seq"], 10, "9 was not sent, nor the answer");

    post(Kind::DelayFrames { ms: 300 }).await;
    let before = tokio::time::Instant::now();
    world.background(SEA, Bid, 18, 1).await;
    client.frame().await;
    assert!(before.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn frames_that_are_all_late_are_late_together() {
    let world = World::start().await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &[SEA]).await;
    client.frames(2).await;
    world.exchange.post_fault(Fault::new(Kind::DelayFrames { ms: 300 })).await;
    let before = tokio::time::Instant::now();
    for _ in 0..20 {
        world.background(SEA, Bid, 17, 1).await;
    }
    for _ in 0..20 {
        assert_eq!(client.frame().await["type"], "orderbook_delta");
    }
    let late = before.elapsed();
    let one_by_one = Duration::from_millis(20 * 300);
    assert!(late >= Duration::from_millis(300) && late < one_by_one / 2, "{late:?}");
}

#[tokio::test]
async fn connections_are_closed_refused_and_taken_again() {
    let world = World::start().await;
    let mut client = world.connect().await;
    world.exchange.post_fault(Fault::new(Kind::CloseConnections)).await;
    assert!(client.is_closed().await);
    let mut client = world.connect().await;
    client.assert_silent().await;

    world.place(bid("kept", "0.1000", "1.00")).await;
    world.exchange.go_down().await;
    assert!(client.is_closed().await);
    let refused = world.try_call(reqwest::Method::GET, "/exchange/status", None).await;
    assert!(refused.unwrap_err().is_connect());
    world.exchange.come_back().await;
    let orders = world.get("/portfolio/orders?status=resting").await;
    assert_eq!(orders["orders"][0]["client_order_id"], "kept");

    world.exchange.post_fault(Fault::new(Kind::Restart { ms: 200 })).await;
    assert!(world.try_call(reqwest::Method::GET, "/exchange/status", None).await.is_err());
    while world.try_call(reqwest::Method::GET, "/exchange/status", None).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.connect().await.assert_silent().await;
}
