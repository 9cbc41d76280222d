//! Subaccounts over REST, and what the WebSocket tells of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{SEA, World, bid, order};
use hotpit_units::Side::Ask;
use reqwest::Method;
use serde_json::{Value, json};

const ORDERS: &str = "/portfolio/events/orders";

impl World {
    /// With subaccounts 1 and 2, and $100 of shard 0 moved to each.
    async fn with_subaccounts() -> Self {
        let world = Self::start().await;
        for number in 1..=2 {
            let (status, opened) = world.post("/portfolio/subaccounts", json!({})).await;
            assert_eq!((status, opened), (201, json!({ "subaccount_number": number })));
            let (status, moved) = world.move_cash(0, number, 10_000).await;
            assert_eq!((status, moved), (200, json!({})));
        }
        world
    }

    async fn move_cash(&self, from: u8, to: u8, cents: i64) -> (u16, Value) {
        let body = json!({
            "client_transfer_id": "3b23c1c7-f4ef-4f0d-8b9a-9e53c61f1a0d",
            "from_subaccount": from,
            "to_subaccount": to,
            "amount_cents": cents,
        });
        self.post("/portfolio/subaccounts/transfer", body).await
    }

    async fn count(&self, path: &str, list: &str) -> usize {
        self.get(path).await[list].as_array().unwrap().len()
    }
}

fn of(mut body: Value, subaccount: u8) -> Value {
    body["subaccount"] = json!(subaccount);
    body
}

fn id(created: &Value) -> &str {
    created["order_id"].as_str().unwrap()
}

#[tokio::test]
async fn cash_is_where_it_was_moved_to() {
    let world = World::with_subaccounts().await;
    let balance = async |query: &str| {
        let path = format!("/portfolio/balance?exchange_index=0{query}");
        world.get(&path).await["balance_dollars"].clone()
    };
    assert_eq!(balance("").await, "9800.000000", "without a number it is the primary account's");
    assert_eq!(balance("&subaccount=0").await, "9800.000000");
    assert_eq!(balance("&subaccount=2").await, "100.000000");
    let all = world.get("/portfolio/subaccounts/balances").await;
    let all = all["subaccount_balances"].as_array().unwrap().clone();
    let second = all.iter().find(|it| it["subaccount_number"] == 2 && it["exchange_index"] == 0);
    assert_eq!(second.unwrap()["balance"], "100.000000");

    for (from, to, cents) in [(1, 2, 10_001), (1, 1, 1), (1, 3, 1), (0, 1, 0)] {
        let (status, refused) = world.move_cash(from, to, cents).await;
        assert_eq!(status, 400, "{from} to {to}: {refused}");
    }
    for path in ["/portfolio/balance?subaccount=3", "/portfolio/orders?subaccount=-1"] {
        assert_eq!(world.call(Method::GET, path, None).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn a_listing_is_of_one_subaccount_or_of_all_as_each_call_has_it() {
    let world = World::with_subaccounts().await;
    world.background(SEA, Ask, 50, 2).await;
    for (name, number, price) in
        [("p", 0, "0.3000"), ("a", 1, "0.5000"), ("b", 2, "0.5000"), ("c", 2, "0.4000")]
    {
        let (status, created) = world.place(of(bid(name, price, "1.00"), number)).await;
        assert_eq!(status, 201, "{created}");
    }
    for (path, list, counts) in [
        ("/portfolio/orders", "orders", [4, 1, 1, 2]),
        ("/portfolio/fills", "fills", [2, 0, 1, 1]),
        // These mean the primary account where no number is given.
        ("/portfolio/positions", "market_positions", [0, 0, 1, 1]),
        ("/portfolio/orders/queue_positions", "queue_positions", [1, 1, 0, 1]),
    ] {
        let queries = ["", "?subaccount=0", "?subaccount=1", "?subaccount=2"];
        for (query, expected) in queries.into_iter().zip(counts) {
            assert_eq!(
                world.count(&format!("{path}{query}"), list).await,
                expected,
                "{path}{query}"
            );
        }
    }
    let orders = world.get("/portfolio/orders?limit=3").await;
    let told = |list: &Value| -> Vec<(String, u64)> {
        let one = |it: &Value| {
            let name = it["client_order_id"].as_str().unwrap().to_owned();
            (name, it["subaccount_number"].as_u64().unwrap())
        };
        list.as_array().unwrap().iter().map(one).collect()
    };
    let newest = [("c", 2), ("b", 2), ("a", 1)].map(|(name, number)| (name.to_owned(), number));
    assert_eq!(told(&orders["orders"]), newest);
    let cursor = orders["cursor"].as_str().unwrap();
    let rest = world.get(&format!("/portfolio/orders?limit=3&cursor={cursor}")).await;
    assert_eq!(told(&rest["orders"]), [("p".to_owned(), 0)]);
    let one = format!("/portfolio/orders/{}", id(&orders["orders"][2]));
    assert_eq!(world.get(&one).await["order"]["subaccount_number"], 1);

    for (number, cash) in [(0, "9800.0000"), (1, "99.4825"), (2, "99.4825")] {
        let audit = world.exchange.audit(world.signer.key_id(), number).await.unwrap().unwrap();
        assert_eq!(audit["cash"]["0"]["cash"].as_str().unwrap(), format!("{cash}00"), "{number}");
    }
    assert_eq!(world.exchange.audit(world.signer.key_id(), 3).await.unwrap(), None);
}

#[tokio::test]
async fn a_write_reaches_the_orders_of_its_subaccount_alone() {
    let world = World::with_subaccounts().await;
    let (_, created) = world.place(of(bid("a", "0.4000", "5.00"), 1)).await;
    let path = format!("{ORDERS}/{}", id(&created));
    for query in ["", "?subaccount=0", "?subaccount=2"] {
        assert_eq!(world.delete(&format!("{path}{query}")).await.0, 404, "{query}");
        let less = json!({ "reduce_by": "1.00", "exchange_index": 0 });
        assert_eq!(world.post(&format!("{path}/decrease{query}"), less).await.0, 404, "{query}");
        let (status, canceled) = world.delete(&format!("{ORDERS}{query}")).await;
        assert_eq!((status, &canceled["orders"]), (200, &json!([])), "{query}");
    }
    let less = json!({ "reduce_by": "1.00", "exchange_index": 0 });
    let (status, _) = world.post(&format!("{path}/decrease?subaccount=1"), less).await;
    assert_eq!(status, 200);
    let amend = json!({
        "ticker": SEA, "side": "bid", "price": "0.3900", "count": "4.00", "exchange_index": 0,
    });
    let amended = world.post(&format!("{path}/amend?subaccount=1"), amend).await;
    assert_eq!(amended.0, 200, "{amended:?}");

    let batch =
        json!({ "orders": [of(bid("b", "0.3000", "1.00"), 2), of(bid("c", "0.3000", "1.00"), 9)] });
    let (_, placed) = world.post(&format!("{ORDERS}/batched"), batch).await;
    assert!(placed["orders"][1]["error"].is_object(), "there is no subaccount 9: {placed}");
    let item = |order: &Value, number: u8| of(json!({ "order_id": id(order) }), number);
    let second = &placed["orders"][0];
    let wrong = json!({ "orders": [item(&created, 2), item(second, 2)] });
    let (_, canceled) = world.call(Method::DELETE, &format!("{ORDERS}/batched"), Some(wrong)).await;
    assert!(canceled["orders"][0]["error"].is_object(), "{canceled}");
    assert_eq!(canceled["orders"][1]["reduced_by"], "1.00");
    let (status, _) = world.delete(&format!("{path}?subaccount=1")).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn an_order_group_belongs_to_its_subaccount() {
    let world = World::with_subaccounts().await;
    let body = of(json!({ "contracts_limit_fp": "5.00" }), 1);
    let (_, created) = world.post("/portfolio/order_groups/create", body).await;
    assert_eq!(created["subaccount"], 1);
    let group = created["order_group_id"].as_str().unwrap().to_owned();
    for (query, count) in [("", 1), ("?subaccount=1", 1), ("?subaccount=2", 0)] {
        let path = format!("/portfolio/order_groups{query}");
        assert_eq!(world.count(&path, "order_groups").await, count, "{query}");
    }
    let mut grouped = bid("a", "0.4000", "5.00");
    grouped["order_group_id"] = json!(group);
    assert_eq!(world.place(of(grouped.clone(), 2)).await.0, 404);
    assert_eq!(world.place(of(grouped, 1)).await.0, 201);
    let put = async |what: &str, body: Value| {
        let path = format!("/portfolio/order_groups/{group}/{what}");
        world.call(Method::PUT, &path, Some(body)).await.0
    };
    assert_eq!(put("trigger", json!({})).await, 404, "it means the primary account");
    assert_eq!(put("limit", json!({ "contracts_limit_fp": "9.00" })).await, 200, "it takes none");
    assert_eq!(put("trigger?subaccount=1", json!({})).await, 200);
    assert_eq!(world.count("/portfolio/orders?status=resting", "orders").await, 0);
}

#[tokio::test]
async fn the_socket_tells_of_every_subaccount_with_its_number() {
    let world = World::with_subaccounts().await;
    world.background(SEA, Ask, 50, 2).await;
    let mut client = world.connect().await;
    for channel in ["fill", "user_orders", "market_positions", "orderbook_delta"] {
        client.subscribe(channel, &[SEA]).await;
    }
    client.drain().await;
    for number in [2, 0] {
        let name = format!("of {number}");
        world.place(of(order(&name, "bid", "0.5000", "1.00", "immediate_or_cancel"), number)).await;
        let frames = client.drain().await;
        let number_in = |kind: &str, field: &str| {
            let frame = frames.iter().find(|frame| frame["type"] == kind);
            frame.unwrap_or_else(|| panic!("no {kind} in {frames:#?}"))["msg"][field].clone()
        };
        assert_eq!(number_in("fill", "subaccount"), number);
        assert_eq!(number_in("user_order", "subaccount_number"), number);
        assert_eq!(number_in("market_position", "subaccount"), number);
        assert_eq!(number_in("orderbook_delta", "client_order_id"), name);
        let expected = if number == 0 { Value::Null } else { json!(number) };
        assert_eq!(number_in("orderbook_delta", "subaccount"), expected);
    }
}
