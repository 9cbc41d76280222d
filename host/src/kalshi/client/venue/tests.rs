use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::*;
use crate::kalshi::client::tests::{Answer, Fake, client, status, with_settings};
use crate::kalshi::settings::Settings;
use crate::model::TimeInForce;

const CREATE: &str = "POST /portfolio/events/orders";

pub(in crate::kalshi::client) fn place() -> PlaceRequest {
    PlaceRequest {
        client_order_id: ClientOrderId::from("hp-1"),
        ticker: "M".into(),
        exchange_index: 0,
        side: Side::Bid,
        price: Price::from_cents(55),
        quantity: Quantity::from_contracts(2),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
        cancel_on_pause: false,
        order_group_id: None,
    }
}

pub(in crate::kalshi::client) fn cancel() -> CancelRequest {
    CancelRequest {
        venue_order_id: VenueOrderId::from("o1"),
        ticker: "M".into(),
        exchange_index: 3,
    }
}

/// The kind of an outcome, by its first letter: what a table compares.
fn kind(outcome: &PlaceOutcome) -> char {
    match outcome {
        PlaceOutcome::Accepted { .. } => 'A',
        PlaceOutcome::Rejected { .. } => 'R',
        PlaceOutcome::Duplicate => 'D',
        PlaceOutcome::NotSent { .. } => 'N',
        PlaceOutcome::Unknown { .. } => 'U',
    }
}

#[tokio::test]
async fn only_proof_rejects_an_order() {
    let not_sent = Err(TransportError::NotSent("refused".into()));
    let no_answer = Err(TransportError::NoAnswer("timeout".into()));
    let created = r#"{"order_id":"o","fill_count":"0.00","remaining_count":"2.00","ts_ms":1}"#;
    let cases: Vec<(Answer, char)> = vec![
        (status(201, created), 'A'),
        (status(200, created), 'A'),
        (status(201, r#"{"order_id":"","fill_count":"0","remaining_count":"0"}"#), 'U'),
        (status(201, "{}"), 'U'),
        (status(201, "created"), 'U'),
        (status(201, ""), 'U'),
        (status(200, r#"{"error":{"code":"deprecated_v1_order_endpoint","message":"m"}}"#), 'R'),
        (status(200, r#"{"error":"something"}"#), 'U'),
        (status(200, r#"{"code":"invalid_order","message":"m","details":"d"}"#), 'R'),
        (status(200, r#"{"msg":"m"}"#), 'U'),
        (status(201, &format!(r#"{{"error":{{"code":"invalid_order"}},{}"#, &created[1..])), 'U'),
        (status(400, r#"{"code":"invalid_order","message":"m","details":"post only cross"}"#), 'R'),
        (status(400, r#"{"error":{"code":"insufficient_balance","message":"m"}}"#), 'R'),
        (status(400, r#"{"msg":"m"}"#), 'R'),
        (status(400, "Bad Request"), 'U'),
        (status(401, r#"{"error":{"code":"unauthorized","message":"m"}}"#), 'R'),
        (status(403, "<html>Forbidden</html>"), 'U'),
        (status(404, r#"{"error":{"code":"not_found","message":"market"}}"#), 'R'),
        (status(400, r#"{"error":{"code":"EXCHANGE_UNAVAILABLE","message":"m"}}"#), 'U'),
        (status(408, r#"{"error":"request timeout"}"#), 'U'),
        (status(409, r#"{"error":{"code":"ORDER_ALREADY_EXISTS","message":"m"}}"#), 'D'),
        (status(409, ""), 'D'),
        (status(409, r#"{"error":{"code":"fill_or_kill_insufficient_resting_volume"}}"#), 'R'),
        (status(429, r#"{"error":"too many requests"}"#), 'N'),
        (status(500, r#"{"code":"internal_error","message":"m"}"#), 'U'),
        (status(503, r#"{"exchange_active":false,"trading_active":false}"#), 'U'),
        (status(302, ""), 'U'),
        (not_sent, 'N'),
        (no_answer, 'U'),
    ];
    for (answer, expected) in cases {
        let fake = Arc::new(Fake::default());
        fake.on(CREATE, answer.clone());
        let outcome = client(&fake).place(place()).await;
        assert_eq!(kind(&outcome), expected, "{answer:?} gave {outcome:?}");
        assert_eq!(fake.calls(), [CREATE], "an order is sent once");
    }
}

#[tokio::test]
async fn a_cancel_that_finds_nothing_is_not_a_refusal() {
    let call = "DELETE /portfolio/events/orders/o1";
    let cases: Vec<(Answer, &str)> = vec![
        (status(200, r#"{"order_id":"o1","reduced_by":"2.00","ts_ms":1}"#), "Canceled"),
        (status(200, r#"{"order_id":"o1","reduced_by":"0.00"}"#), "Canceled"),
        (status(200, "{}"), "Unknown"),
        (status(200, r#"{"error":{"code":"MARKET_INACTIVE","message":"m"}}"#), "Refused"),
        (status(200, r#"{"reduced_by":"2.00","error":{"code":"not_found"}}"#), "Unknown"),
        (status(404, r#"{"error":{"code":"not_found","message":"m"}}"#), "NotFound"),
        (status(400, r#"{"code":"not_found","message":"m"}"#), "NotFound"),
        (status(404, "page not found"), "Unknown"),
        (status(400, r#"{"code":"MARKET_INACTIVE","message":"m"}"#), "Refused"),
        (status(429, r#"{"error":"too many requests"}"#), "Unknown"),
        (status(502, ""), "Unknown"),
        (Err(TransportError::NotSent("refused".into())), "Unknown"),
        (Err(TransportError::NoAnswer("reset".into())), "Unknown"),
    ];
    for (answer, expected) in cases {
        let fake = Arc::new(Fake::default());
        fake.on(call, answer.clone());
        let outcome = format!("{:?}", client(&fake).cancel(cancel()).await);
        assert!(outcome.starts_with(expected), "{answer:?} gave {outcome}");
        assert_eq!(fake.sent()[0].query, "subaccount=0&exchange_index=3&market_ticker=M");
    }
}

#[tokio::test]
async fn without_tokens_an_order_is_not_sent_and_a_cancel_still_is() {
    let fake = Arc::new(Fake::default());
    fake.json(CREATE, r#"{"order_id":"o","fill_count":"0","remaining_count":"2"}"#);
    fake.json("DELETE /portfolio/events/orders/o1", r#"{"reduced_by":"2.00"}"#);
    let client = client(&fake);
    for _ in 0..8 {
        assert_eq!(kind(&client.place(place()).await), 'A');
    }
    assert_eq!(kind(&client.place(place()).await), 'N');
    let outcome = client.cancel(CancelRequest { exchange_index: 0, ..cancel() }).await;
    assert_eq!(outcome, CancelOutcome::Canceled { reduced_by: Quantity::from_contracts(2) });
    assert_eq!(fake.calls().len(), 9);
}

#[tokio::test]
async fn a_ready_signature_is_used_until_it_is_refused() {
    let fake = Arc::new(Fake::default());
    let created = r#"{"order_id":"o","fill_count":"0","remaining_count":"2"}"#;
    fake.json(CREATE, created);
    fake.on(CREATE, status(401, r#"{"error":{"code":"unauthorized","message":"m"}}"#));
    fake.json(CREATE, created);
    let settings = Settings { signature_max_age_ms: 60_000, ..Settings::default() };
    let client = with_settings(&fake, settings);
    client.refresh_signature().await;
    let mut kinds = Vec::new();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        kinds.push(kind(&client.place(place()).await));
    }
    assert_eq!(kinds, ['A', 'R', 'A']);
    let signed_at: Vec<_> =
        fake.sent().into_iter().map(|request| request.signed.unwrap().signed_at()).collect();
    assert_eq!(signed_at[0], signed_at[1]);
    assert!(signed_at[2] > signed_at[1]);
}

fn order(name: &str) -> String {
    format!(
        r#"{{"orders":[{{"order_id":"v1","client_order_id":"{name}","ticker":"M","book_side":"bid",
            "status":"canceled","yes_price_dollars":"0.55","fill_count_fp":"1.00",
            "remaining_count_fp":"0.00"}}],"cursor":""}}"#
    )
}

#[tokio::test]
async fn an_order_is_absent_only_if_no_status_has_it() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /portfolio/orders", r#"{"orders":[],"cursor":""}"#);
    let client = client(&fake);
    let name = ClientOrderId::from("hp-1");
    let placed_at = Timestamp::from_secs(4_000);
    assert_eq!(client.find(&name, "M", placed_at).await, Ok(None));
    let calls = fake.calls();
    assert_eq!(calls.len(), 4);
    assert_eq!(calls[0], "GET /portfolio/orders?subaccount=0&ticker=M&min_ts=400&limit=1000");
    fake.json(
        "GET /portfolio/orders?subaccount=0&ticker=M&min_ts=400&status=canceled&limit=1000",
        &order("hp-1"),
    );
    let found = client.find(&name, "M", placed_at).await.unwrap().unwrap();
    assert_eq!(found.filled, Quantity::from_contracts(1));
}

#[tokio::test]
async fn a_search_that_fails_is_not_an_absence() {
    let fake = Arc::new(Fake::default());
    let name = ClientOrderId::from("hp-1");
    for answer in [status(500, ""), status(200, "{}"), status(200, r#"{"orders":[{}]}"#)] {
        fake.clear("GET /portfolio/orders");
        fake.on("GET /portfolio/orders", answer.clone());
        let found = client(&fake).find(&name, "M", Timestamp::EPOCH).await;
        assert!(found.is_err(), "{answer:?} gave {found:?}");
    }
}

#[tokio::test]
async fn the_account_is_read_whole_or_not_at_all() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /portfolio/orders", &order("hp-2"));
    fake.json("GET /portfolio/fills", r#"{"fills":null,"cursor":""}"#);
    fake.json(
        "GET /portfolio/positions",
        r#"{"market_positions":[{"ticker":"M","position_fp":"-3.50"}],"event_positions":[]}"#,
    );
    fake.json("GET /portfolio/balance", r#"{"balance":100,"balance_dollars":"1.00"}"#);
    fake.json(
        "GET /portfolio/settlements",
        r#"{"settlements":[{"ticker":"P","market_result":"yes","yes_count_fp":"1.00",
            "no_count_fp":"0.00","revenue":100,"value":100,"fee_cost":"0.01",
            "settled_time":"2026-11-22T20:44:01Z"}]}"#,
    );
    let client = with_settings(&fake, Settings { subaccount: 2, ..Settings::default() });
    let account = client.account(Timestamp::from_secs(5)).await.unwrap();
    assert_eq!(account.resting.len(), 1);
    let paid = VenueSettlement { ticker: "P".into(), price: Price::ONE };
    assert_eq!(account.settlements, [paid]);
    assert_eq!(account.positions[0].quantity, Quantity::from_raw(-350));
    assert_eq!(account.balances, [(0, Dollars::from_dollars(1))].into());
    assert_eq!(
        fake.calls(),
        [
            "GET /portfolio/orders?subaccount=2&status=resting&limit=1000",
            "GET /portfolio/fills?subaccount=2&min_ts=5&limit=1000",
            "GET /portfolio/positions?subaccount=2&count_filter=position&limit=1000",
            "GET /portfolio/balance?subaccount=2",
            "GET /portfolio/settlements?subaccount=2&min_ts=5&limit=1000",
        ]
    );
    fake.clear("GET /portfolio/positions");
    fake.json("GET /portfolio/positions", r#"{"positions":[]}"#);
    let error = client.account(Timestamp::EPOCH).await.unwrap_err();
    assert_eq!(error.call, "GET /portfolio/positions");
}
