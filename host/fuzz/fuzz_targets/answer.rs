//! Whatever the exchange's REST API may answer has a reading in every call, and none invents a
//! proof: an order counts as accepted only by its id, and as rejected or canceled only under a
//! status that can say so.

#![no_main]

use std::sync::Arc;

use futures_util::FutureExt;
use hotpit::desk::venue::{CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, Venue};
use hotpit::kalshi::client::{Decrease, Filter, OrderGroup, Written};
use hotpit::kalshi::http::{Request, Response};
use hotpit::kalshi::{Client, Credentials, Settings, Signer, Transport, TransportError};
use hotpit::model::TimeInForce;
use hotpit::streams::Streams;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use libfuzzer_sys::fuzz_target;

/// A key that nobody uses.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g
-----END PRIVATE KEY-----
";

/// Answers everything alike.
struct Always(Response);

impl Transport for Always {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Ok(self.0.clone())
    }
}

fuzz_target!(|input: (u16, &[u8])| {
    // Statuses that mean something come up often enough.
    let statuses = [200, 201, 400, 401, 403, 404, 408, 409, 429, 500, 503, input.0];
    let status = statuses[usize::from(input.0) % statuses.len()];
    let client = client(Response { status, body: input.1.to_vec() });
    // Nothing waits: the transport answers at once, and nothing is tried again.
    assert!(writes(&client, status, input.1).now_or_never().is_some());
    assert!(reads(&client, status).now_or_never().is_some());
});

fn client(response: Response) -> Client<Always> {
    let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
    let settings =
        Settings { read_attempts: 1, read_wait_ms: 0, cancel_wait_ms: 0, ..Settings::default() };
    let credentials = Signer::from_pem(KEY).and_then(|signer| Credentials::new("id", signer)).ok();
    assert!(credentials.is_some());
    let stream = Streams::new(clock, entropy).open("rest", settings.policy());
    Client::new(Always(response), credentials, settings, stream, clock, entropy)
}

async fn writes(client: &Client<Always>, status: u16, body: &[u8]) {
    let is_success = (200..300).contains(&status);
    let holds = |text: &str| body.windows(text.len()).any(|it| it == text.as_bytes());
    match client.place(order()).await {
        PlaceOutcome::Accepted { venue_order_id, .. } => {
            assert!(is_success && !venue_order_id.as_str().is_empty());
        }
        PlaceOutcome::Rejected { .. } => assert!(status < 500),
        PlaceOutcome::Duplicate => assert_eq!(status, 409),
        PlaceOutcome::NotSent { .. } => assert_eq!(status, 429),
        PlaceOutcome::Unknown { .. } => {}
    }
    match client.cancel(cancel()).await {
        CancelOutcome::Canceled { .. } => assert!(is_success && holds("reduced_by")),
        CancelOutcome::NotFound | CancelOutcome::Refused { .. } => assert!(status < 500),
        CancelOutcome::Unknown { .. } => {}
    }
    let decreased = client.decrease(&cancel(), Decrease::To(Quantity::ZERO)).await;
    assert!(!matches!(decreased, Written::Done(_)) || is_success && holds("remaining_count"));
    let group = OrderGroup { id: "g".into(), limit: None, exchange_index: 0 };
    let triggered = client.trigger_order_group(&group).await;
    assert!(!matches!(triggered, Written::Done(())) || is_success);
    for outcome in client.place_batch(&[order()]).await {
        let is_accepted = matches!(outcome, PlaceOutcome::Accepted { .. });
        assert!(!is_accepted || is_success && holds("hp-1"));
    }
    for outcome in client.cancel_batch(&[cancel()]).await {
        let is_canceled = matches!(outcome, CancelOutcome::Canceled { .. });
        assert!(!is_canceled || is_success && holds("reduced_by"));
    }
}

async fn reads(client: &Client<Always>, status: u16) {
    let all = Filter::default();
    let tickers: [Arc<str>; 1] = ["M".into()];
    let read = [
        client.orders(&all).await.is_ok(),
        client.order(&"o1".into()).await.is_ok(),
        client.queue_positions(&tickers).await.is_ok(),
        client.fills(&all).await.is_ok(),
        client.positions(&all).await.is_ok(),
        client.balances(&all).await.is_ok(),
        client.settlements(Timestamp::EPOCH).await.is_ok(),
        client.order_groups().await.is_ok(),
        client.order_group("g").await.is_ok(),
        client.markets(&tickers).await.is_ok(),
        client.event("E").await.is_ok(),
        client.events_of_series("S", "open").await.is_ok(),
        client.series("S").await.is_ok(),
        client.all_series(None).await.is_ok(),
        client.milestones("football_game", Timestamp::EPOCH).await.is_ok(),
        client.structured_target("t").await.is_ok(),
        client.orderbook("M").await.is_ok(),
        client.trades(None, Timestamp::EPOCH).await.is_ok(),
        client.exchange_status().await.is_ok(),
        client.maintenance().await.is_ok(),
        client.standard_hours().await.is_ok(),
        client.user_data_as_of().await.is_ok(),
        client.refresh_limits().await.is_ok(),
    ];
    assert!((200..300).contains(&status) || read.iter().all(|is_ok| !is_ok));
}

fn order() -> PlaceRequest {
    PlaceRequest {
        client_order_id: "hp-1".into(),
        ticker: "M".into(),
        exchange_index: 0,
        side: Side::Bid,
        price: Price::from_cents(50),
        quantity: Quantity::from_contracts(2),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
        cancel_on_pause: false,
        order_group_id: None,
    }
}

fn cancel() -> CancelRequest {
    CancelRequest { venue_order_id: "o1".into(), ticker: "M".into(), exchange_index: 0 }
}
