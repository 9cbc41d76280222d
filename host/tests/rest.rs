//! The calls of the REST client over real sockets against the practice exchange.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::time::Duration;

use hotpit::desk::venue::{CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, Venue};
use hotpit::kalshi::client::{AmendRequest, Decrease, Expiry, Filter, Written};
use hotpit::kalshi::{Client, Credentials, HttpTransport, Settings, Signer};
use hotpit::model::{TimeInForce, VenueOrderId, VenueOrderStatus};
use hotpit::streams::Streams;
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_exchange::server::faults::{Fault, Kind};
use hotpit_exchange::server::{AccountSettings, Handle, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Price, Quantity, Side, Timestamp};

const ORDERS: &str = "/trade-api/v2/portfolio/events/orders";

/// An exchange, and a client of an account there.
struct Desk {
    exchange: Handle,
    client: Client<HttpTransport>,
    ticker: String,
    shard: i32,
    names: std::cell::Cell<u32>,
}

impl Desk {
    async fn open(kind: KeyKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = generate_credentials(folder.path(), kind).unwrap();
        let account = AccountSettings::new(&*key.key_id, key.public_key_pem().unwrap());
        let settings = hotpit_exchange::server::Settings {
            accounts: vec![account],
            scenario: Some(scenario::Settings::default()),
            ..hotpit_exchange::server::Settings::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let exchange =
            start(settings, listener, Clock::system(), Entropy::seeded(3)).await.unwrap();
        let job = |floor: &mut hotpit_exchange::server::Floor| {
            // Nobody else trades.
            let world = floor.scenario.take().unwrap();
            let market = floor.exchange.market(world.games()[0].home_market);
            (market.spec.ticker.to_string(), market.exchange_index)
        };
        let (ticker, shard) = exchange.with_floor(job).await.unwrap();
        let pem = fs::read_to_string(&key.private_key).unwrap();
        let credentials = Credentials::new(&key.key_id, Signer::from_pem(&pem).unwrap()).unwrap();
        let settings = Settings {
            rest_url: exchange.rest_url(),
            connect_timeout_ms: 500,
            order_timeout_ms: 1_000,
            ..Settings::default()
        };
        let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
        let stream = Streams::new(clock, entropy).open("kalshi rest", settings.policy());
        let transport = HttpTransport::new(&settings.rest_url, settings.connect_timeout()).unwrap();
        let client = Client::new(transport, Some(credentials), settings, stream, clock, entropy);
        Self { exchange, client, ticker, shard, names: std::cell::Cell::default() }
    }

    /// An order that rests at one cent.
    fn order(&self) -> PlaceRequest {
        self.names.set(self.names.get() + 1);
        PlaceRequest {
            client_order_id: format!("hp-test-{}", self.names.get()).as_str().into(),
            ticker: self.ticker.as_str().into(),
            exchange_index: self.shard,
            side: Side::Bid,
            price: Price::from_cents(1),
            quantity: Quantity::from_contracts(10),
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: true,
            expires: None,
            cancel_on_pause: false,
            order_group_id: None,
        }
    }

    async fn place(&self) -> VenueOrderId {
        match self.client.place(self.order()).await {
            PlaceOutcome::Accepted { venue_order_id, .. } => venue_order_id,
            other => panic!("{other:?}"),
        }
    }

    fn cancel_of(&self, id: &VenueOrderId) -> CancelRequest {
        CancelRequest {
            venue_order_id: id.clone(),
            ticker: self.ticker.as_str().into(),
            exchange_index: self.shard,
        }
    }

    fn amend_of(&self, id: &VenueOrderId, contracts: i64) -> AmendRequest {
        AmendRequest {
            venue_order_id: id.clone(),
            ticker: self.ticker.clone(),
            exchange_index: self.shard,
            side: Side::Bid,
            price: Price::from_cents(2),
            quantity: Quantity::from_contracts(contracts),
            rename: None,
            expiry: Expiry::Keep,
        }
    }

    async fn remaining(&self, id: &VenueOrderId) -> Quantity {
        self.client.order(id).await.unwrap().remaining
    }
}

#[tokio::test]
async fn orders_are_amended_decreased_and_canceled_with_either_kind_of_key() {
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        let desk = Desk::open(kind).await;
        let id = desk.place().await;
        let Written::Done(amended) = desk.client.amend(&desk.amend_of(&id, 8)).await else {
            panic!("not amended")
        };
        let id = VenueOrderId::from(amended.order_id);
        assert_eq!(desk.remaining(&id).await, Quantity::from_contracts(8));
        let rest = Quantity::from_contracts(3);
        for decrease in [Decrease::By(Quantity::from_contracts(2)), Decrease::To(rest)] {
            let decreased = desk.client.decrease(&desk.cancel_of(&id), decrease).await;
            assert!(matches!(decreased, Written::Done(_)), "{decreased:?}");
        }
        assert_eq!(desk.remaining(&id).await, rest);
        let more = Decrease::To(Quantity::from_contracts(9));
        let again = desk.client.decrease(&desk.cancel_of(&id), more).await;
        assert!(matches!(again, Written::Refused { .. }), "{again:?}");
        let canceled = desk.client.cancel(desk.cancel_of(&id)).await;
        assert_eq!(canceled, CancelOutcome::Canceled { reduced_by: rest });
        let order = desk.client.order(&id).await.unwrap();
        assert_eq!(order.status, VenueOrderStatus::Canceled);
    }
}

#[tokio::test]
async fn a_batch_has_an_outcome_for_each_with_either_kind_of_key() {
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        a_batch_has_an_outcome_for_each(&Desk::open(kind).await).await;
    }
}

async fn a_batch_has_an_outcome_for_each(desk: &Desk) {
    let mut orders = [desk.order(), desk.order(), desk.order(), desk.order()];
    orders[1].price = Price::from_raw(33);
    orders[3].client_order_id = orders[0].client_order_id.clone();
    let outcomes = desk.client.place_batch(&orders).await;
    let PlaceOutcome::Accepted { venue_order_id: first, .. } = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert!(matches!(outcomes[1], PlaceOutcome::Rejected { .. }), "{outcomes:?}");
    let PlaceOutcome::Accepted { venue_order_id: third, .. } = &outcomes[2] else {
        panic!("{outcomes:?}")
    };
    let nobody = VenueOrderId::from("00000000-0000-4000-8000-000000000000".to_owned());
    let cancels = [first, &nobody, third].map(|id| desk.cancel_of(id));
    let outcomes = desk.client.cancel_batch(&cancels).await;
    let canceled = CancelOutcome::Canceled { reduced_by: Quantity::from_contracts(10) };
    assert_eq!(outcomes, [canceled.clone(), CancelOutcome::NotFound, canceled]);
}

#[tokio::test]
async fn all_orders_are_canceled_at_once_with_either_kind_of_key() {
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        let desk = Desk::open(kind).await;
        let ids = [desk.place().await, desk.place().await];
        let Written::Done(names) = desk.client.cancel_all().await else { panic!("not canceled") };
        assert_eq!(names.len(), 2);
        for id in &ids {
            assert_eq!(desk.remaining(id).await, Quantity::ZERO);
        }
    }
}

#[tokio::test]
async fn what_stands_before_our_orders_and_which_they_are_is_read() {
    let desk = Desk::open(KeyKind::Ed25519).await;
    let ids = [desk.place().await, desk.place().await];
    let [first, second] = [&ids[0], &ids[1]].map(|id| desk.client.queue_position(id));
    let ahead = second.await.unwrap().checked_add(-first.await.unwrap()).unwrap();
    assert_eq!(ahead, Quantity::from_contracts(10));
    let tickers = [desk.ticker.as_str().into()];
    assert_eq!(desk.client.queue_positions(&tickers).await.unwrap().len(), 2);
    let resting =
        Filter { status: Some("resting"), ticker: Some(&desk.ticker), ..Filter::default() };
    assert_eq!(desk.client.orders(&resting).await.unwrap().len(), 2);
    let executed = Filter { status: Some("executed"), ..Filter::default() };
    assert_eq!(desk.client.orders(&executed).await.unwrap(), []);
    assert_eq!(desk.client.fills(&Filter::default()).await.unwrap(), []);
}

#[tokio::test]
async fn a_storm_of_refusals_for_the_rate_limit_doubles_and_loses_nothing() {
    let desk = Desk::open(KeyKind::Ed25519).await;
    let resting = [desk.place().await, desk.place().await];
    let storm = desk.exchange.post_fault(Fault::new(Kind::TooManyRequests)).await;
    let mut refused = 0;
    for _ in 0..20 {
        let placed = desk.client.place(desk.order()).await;
        assert!(matches!(placed, PlaceOutcome::NotSent { .. }), "{placed:?}");
        refused += 1;
    }
    for id in &resting {
        let canceled = desk.client.cancel(desk.cancel_of(id)).await;
        assert!(matches!(canceled, CancelOutcome::Unknown { .. }), "{canceled:?}");
    }
    desk.exchange.clear_fault(storm);
    // Cancels have their tokens first: what came in meanwhile is kept for them.
    for id in &resting {
        let patience = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            match desk.client.cancel(desk.cancel_of(id)).await {
                CancelOutcome::Canceled { .. } => break,
                other => assert!(tokio::time::Instant::now() < patience, "{other:?}"),
            }
        }
    }
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    let last = desk.order();
    while !matches!(desk.client.place(last.clone()).await, PlaceOutcome::Accepted { .. }) {
        assert!(tokio::time::Instant::now() < patience, "no order is taken after the storm");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let all = desk.client.orders(&Filter::default()).await.unwrap();
    assert_eq!((refused, all.len()), (20, 3), "two before the storm, one after it");
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_unknown_and_never_refused() {
    let desk = Desk::open(KeyKind::Ed25519).await;
    let id = desk.place().await;
    let faults = [
        Kind::LoseAnswer,
        Kind::Status { code: 503, applied: true },
        Kind::GarbageAnswer,
        Kind::DelayAnswer { ms: 2_000 },
    ];
    for (number, kind) in (4..).zip(faults) {
        let fault = Fault::new(kind).on_route(format!("POST {ORDERS}/")).times(1);
        desk.exchange.post_fault(fault).await;
        let amended = desk.client.amend(&desk.amend_of(&id, number)).await;
        assert!(matches!(amended, Written::Unknown { .. }), "{kind:?}: {amended:?}");
        assert_eq!(desk.remaining(&id).await, Quantity::from_contracts(number), "{kind:?}");
    }
    let fault = Fault::new(Kind::LoseAnswer).on_route(format!("POST {ORDERS}/batched")).times(1);
    desk.exchange.post_fault(fault).await;
    let outcomes = desk.client.place_batch(&[desk.order(), desk.order()]).await;
    assert!(outcomes.iter().all(|it| matches!(it, PlaceOutcome::Unknown { .. })), "{outcomes:?}");
}

#[tokio::test]
async fn a_refusal_for_the_rate_limit_was_not_sent_and_slows_down() {
    let desk = Desk::open(KeyKind::Ed25519).await;
    let id = desk.place().await;
    let fault = Fault::new(Kind::TooManyRequests).on_route(format!("POST {ORDERS}/")).times(1);
    desk.exchange.post_fault(fault).await;
    let amended = desk.client.amend(&desk.amend_of(&id, 5)).await;
    assert!(matches!(amended, Written::NotSent { .. }), "{amended:?}");
    let order = desk.client.place(desk.order()).await;
    assert!(matches!(order, PlaceOutcome::NotSent { .. }), "the bucket counts as empty: {order:?}");
}

#[tokio::test]
async fn what_was_paid_out_and_how_fresh_reads_are_is_read() {
    let desk = Desk::open(KeyKind::Ed25519).await;
    let as_of = desk.client.user_data_as_of().await.unwrap();
    assert!(Clock::system().now().since(as_of) < Duration::from_secs(60));
    assert_eq!(desk.client.settlements(Timestamp::EPOCH).await.unwrap(), []);
    assert_eq!(desk.client.maintenance().await.unwrap(), []);
}
