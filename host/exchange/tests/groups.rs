//! Order groups over REST, and what the WebSocket tells of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{LAL, SEA, World, bid, frozen, order, quiet};
use futures_util::future::join_all;
use hotpit_exchange::server::Settings;
use hotpit_exchange::server::credentials::KeyKind;
use hotpit_exchange::server::limits::Tier;
use hotpit_units::Side::{Ask, Bid};
use reqwest::Method;
use serde_json::{Value, json};

const GROUPS: &str = "/portfolio/order_groups";

/// Makes a group on shard 0; its id.
async fn group(world: &World, limit: &str) -> String {
    let body = json!({ "contracts_limit_fp": limit, "exchange_index": 0 });
    let (status, created) = world.post(&format!("{GROUPS}/create"), body).await;
    assert_eq!(status, 201, "{created}");
    created["order_group_id"].as_str().unwrap().to_owned()
}

/// `PUT` of a group, as a host sends it.
async fn put(world: &World, group: &str, what: &str, body: Value) -> (u16, Value) {
    let path = format!("{GROUPS}/{group}/{what}?exchange_index=0");
    world.call(Method::PUT, &path, Some(body)).await
}

fn grouped(mut order: Value, group: &str) -> Value {
    order["order_group_id"] = json!(group);
    order
}

#[tokio::test]
async fn a_group_is_made_listed_and_read_with_its_orders() {
    let world = World::start().await;
    let body = json!({ "contracts_limit": 150, "contracts_limit_fp": "150.00", "subaccount": 0 });
    let (status, created) = world.post(&format!("{GROUPS}/create"), body).await;
    let id = created["order_group_id"].as_str().unwrap();
    let expected = json!({ "order_group_id": id, "subaccount": 0, "exchange_index": 0 });
    assert_eq!((status, &created), (201, &expected));
    let listed = json!({ "order_groups": [{
        "id": id,
        "contracts_limit_fp": "150.00",
        "is_auto_cancel_enabled": false,
        "exchange_index": 0,
    }] });
    assert_eq!(world.get(GROUPS).await, listed);

    let (_, first) = world.place(grouped(bid("first", "0.5000", "1.00"), id)).await;
    let (_, second) = world.place(grouped(bid("second", "0.4000", "1.00"), id)).await;
    let path = format!("/portfolio/events/orders/{}", second["order_id"].as_str().unwrap());
    assert_eq!(world.delete(&path).await.0, 200);
    let read = json!({
        "is_auto_cancel_enabled": false,
        "contracts_limit_fp": "150.00",
        "orders": [first["order_id"]],
        "exchange_index": 0,
    });
    assert_eq!(world.get(&format!("{GROUPS}/{id}")).await, read);
    let orders = world.get("/portfolio/orders").await["orders"].clone();
    assert!(orders.as_array().unwrap().iter().all(|order| order["order_group_id"] == id));
}

#[tokio::test]
async fn a_group_that_passes_its_limit_is_stopped_until_it_is_reset() {
    let world = World::start_with(frozen(), KeyKind::Ed25519).await;
    let id = group(&world, "3.00").await;
    world.place(grouped(bid("maker", "0.5000", "2.00"), &id)).await;
    world.place(grouped(bid("rests", "0.3000", "1.00"), &id)).await;
    world.background(SEA, Ask, 50, 2).await;
    world.background(SEA, Ask, 60, 5).await;
    let take = order("taker", "bid", "0.6000", "2.00", "immediate_or_cancel");
    let (status, taken) = world.place(grouped(take, &id)).await;
    assert_eq!((status, &taken["fill_count"]), (201, &json!("2.00")), "{taken}");

    let state = world.get(&format!("{GROUPS}/{id}")).await;
    assert_eq!((&state["is_auto_cancel_enabled"], &state["orders"]), (&json!(true), &json!([])));
    let (status, refused) = world.place(grouped(bid("late", "0.3000", "1.00"), &id)).await;
    let code = json!("exceeded_order_group_risk_limit");
    assert_eq!((status, &refused["error"]["code"]), (400, &code), "{refused}");
    assert_eq!(put(&world, &id, "reset", Value::Null).await, (200, json!({})));
    let (status, _) = world.place(grouped(bid("late", "0.3000", "1.00"), &id)).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn everything_that_happens_to_a_group_is_told_in_a_sequence() {
    let world = World::start_with(frozen(), KeyKind::Ed25519).await;
    let mut client = world.connect().await;
    // A market says nothing here.
    client.subscribe("order_group_updates", &[LAL]).await;
    client.frame().await;
    let id = group(&world, "5.00").await;
    world.place(grouped(bid("a", "0.5000", "9.00"), &id)).await;
    world.background(SEA, Ask, 50, 4).await;
    for (what, body) in [
        ("limit", json!({ "contracts_limit": 3 })),
        ("reset", json!({})),
        ("limit", json!({ "contracts_limit_fp": "3.5" })),
        ("trigger", Value::Null),
    ] {
        assert_eq!(put(&world, &id, what, body).await, (200, json!({})), "{what}");
    }
    let deleted = world.delete(&format!("{GROUPS}/{id}?exchange_index=0")).await;
    assert_eq!(deleted, (200, json!({})));

    let expected = [
        ("created", Some("5.00")),
        ("limit_updated", Some("3.00")),
        ("triggered", None),
        ("reset", None),
        ("limit_updated", Some("3.50")),
        ("triggered", None),
        ("deleted", None),
    ];
    for (seq, (event, limit)) in (1..).zip(expected) {
        let frame = client.frame().await;
        assert_eq!(frame["type"], "order_group_updates");
        assert_eq!((&frame["sid"], &frame["seq"]), (&json!(1), &json!(seq)), "{frame}");
        let mut msg = json!({
            "event_type": event,
            "order_group_id": id,
            "ts_ms": 1_795_000_000_000_u64,
        });
        if let Some(limit) = limit {
            msg["contracts_limit_fp"] = json!(limit);
        }
        assert_eq!(frame["msg"], msg);
    }
    client.assert_silent().await;
}

#[tokio::test]
async fn the_orders_of_a_triggered_group_are_told_as_canceled() {
    let world = World::start().await;
    let id = group(&world, "5.00").await;
    world.place(grouped(bid("in it", "0.5000", "1.00"), &id)).await;
    world.place(bid("outside", "0.5000", "1.00")).await;
    let mut client = world.connect().await;
    client.send("subscribe", json!({ "channels": ["user_orders"] })).await;
    client.frame().await;
    put(&world, &id, "trigger", Value::Null).await;
    let told = client.frame().await["msg"].clone();
    assert_eq!((&told["client_order_id"], &told["status"]), (&json!("in it"), &json!("canceled")));
    assert_eq!(told["order_group_id"], json!(id));
    client.assert_silent().await;
    let book = world.get(&format!("/markets/{SEA}/orderbook")).await;
    assert_eq!(book["orderbook_fp"]["yes_dollars"], json!([["0.5000", "1.00"]]));
}

#[tokio::test]
async fn a_group_that_cannot_be_is_refused() {
    let world = World::start().await;
    for body in [
        json!({}),
        json!({ "contracts_limit": 0 }),
        json!({ "contracts_limit": i64::MAX }),
        json!({ "contracts_limit_fp": "0.99" }),
        json!({ "contracts_limit_fp": 5 }),
        json!({ "contracts_limit": 5, "contracts_limit_fp": "5.01" }),
        json!({ "contracts_limit": 5, "exchange_index": 9 }),
        json!({ "contracts_limit": 5, "exchange_index": -1 }),
    ] {
        let (status, refused) = world.post(&format!("{GROUPS}/create"), body.clone()).await;
        let code = &refused["error"]["code"];
        assert_eq!((status, code), (400, &json!("invalid_parameters")), "{body}: {refused}");
    }
    assert_eq!(world.get(GROUPS).await, json!({ "order_groups": [] }));
}

#[tokio::test]
async fn a_group_is_found_on_its_shard_alone() {
    let world = World::start().await;
    let body = json!({ "contracts_limit": 5, "exchange_index": 3 });
    let (_, created) = world.post(&format!("{GROUPS}/create"), body).await;
    let id = created["order_group_id"].as_str().unwrap();
    let not_found = json!("order_group_not_found");
    let (status, refused) = world.place(grouped(bid("a", "0.5000", "1.00"), id)).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &not_found), "{refused}");
    let (status, refused) = put(&world, id, "trigger", Value::Null).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &not_found), "{refused}");
    let (status, refused) = put(&world, "no-uuid", "reset", Value::Null).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &not_found), "{refused}");

    let mut there = grouped(bid("there", "0.5000", "1.00"), id);
    there["ticker"] = json!(LAL);
    there["exchange_index"] = json!(3);
    assert_eq!(world.place(there).await.0, 201);
    world.background(LAL, Bid, 40, 1).await;
    let path = format!("{GROUPS}/{id}");
    assert_eq!(world.delete(&format!("{path}?exchange_index=3")).await, (200, json!({})));
    let (status, gone) = world.call(Method::GET, &path, None).await;
    assert_eq!((status, &gone["code"]), (404, &json!("not_found")));
    let book = world.get(&format!("/markets/{LAL}/orderbook")).await;
    assert_eq!(book["orderbook_fp"]["yes_dollars"], json!([["0.4000", "1.00"]]));
}

#[tokio::test]
async fn a_group_is_billed_as_an_order_on_its_shard() {
    let settings = Settings { tier: Tier::Basic, ..quiet() };
    let world = World::start_with(settings, KeyKind::Ed25519).await;
    let body = json!({ "contracts_limit": 5, "exchange_index": 3 });
    let path = format!("{GROUPS}/create");
    let answers = join_all((0..30).map(|_| world.post(&path, body.clone()))).await;
    let made = answers.iter().filter(|(status, _)| *status == 201).count();
    assert!((10..30).contains(&made), "{made}");
    assert!(answers.iter().all(|(status, _)| [201, 429].contains(status)), "{answers:?}");
    assert_eq!(world.place(bid("other shard", "0.1000", "1.00")).await.0, 201);
}
