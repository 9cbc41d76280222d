//! The desk's part: a decision, a record on disk, a signature.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::desk::record::OrderGroup;
use hotpit::desk::{
    AccountSnapshot, AgentLimits, Desk, Input, Journal, Limits, MarketView, Outputs, PlaceOutcome,
    Record, Recovered, Request, Settings,
};
use hotpit::journal::{self, Store};
use hotpit::kalshi::Signer;
use hotpit::model::{Action, AgentId, Level, MarketId, NewOrder, OrderId, Quote, TimeInForce};
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::feed::{NOW, TICKER, market};
use crate::measure::{figure, median_ns, micros, nanos, percentile};

const MARKET: MarketId = MarketId(7);
const ORDERS: u64 = 4_000;
/// Orders in the journal of a host that starts.
const RECOVERED: u64 = 10_000;

pub(crate) fn print() {
    let mut floor = Floor::open();
    let next = order(1);
    let decide = || drop(black_box(floor.desk.would_deny(&floor.agent, &next, NOW)));
    figure("risk_decision", median_ns(decide), "ns");
    let mut placed: Vec<Duration> = (1..=ORDERS).map(|number| floor.place(number)).collect();
    figure("desk_apply_place", nanos(percentile(&mut placed, 50)), "ns");
    figure("desk_events", floor.events_per_second(), "events_per_s");
    print_journal(&floor.intents);
    print_recovery();
    print_signatures();
}

fn print_journal(intents: &[Record]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = Store::open(&path, &journal::Settings::default()).unwrap();
    let mut times: Vec<Duration> = intents
        .iter()
        .map(|intent| {
            let began = Instant::now();
            store.append(std::slice::from_ref(intent)).unwrap();
            began.elapsed()
        })
        .collect();
    figure("journal_append", micros(percentile(&mut times, 50)), "us");
    let all: Duration = times.iter().sum();
    figure("journal_writes", times.len() as f64 / all.as_secs_f64(), "writes_per_s");
}

/// How long a host takes to know again what it knew, with this many orders that may still trade in
/// its journal: from the file to a desk that asks the exchange.
fn print_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = Store::open(&path, &journal::Settings::default()).unwrap();
    let mut floor = Floor::open();
    for number in 1..=RECOVERED {
        floor.place(number);
    }
    // Each as if its answer had not come before the end.
    let intents = floor.intents.iter().filter(|it| matches!(it, Record::Intent(_)));
    let intents: Vec<Record> = intents.cloned().collect();
    intents.chunks(100).for_each(|some| store.append(some).unwrap());
    drop(store);
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let began = Instant::now();
            let store = Store::open(&path, &journal::Settings::default()).unwrap();
            let recovered = store.recover().unwrap();
            let mut out = Outputs::default();
            let desk = Desk::new(Settings::default(), "bench".into(), recovered, NOW, &mut out);
            assert_eq!(desk.report().unknown, RECOVERED);
            began.elapsed()
        })
        .collect();
    figure("recovery_of_10000_orders", micros(percentile(&mut times, 50)) / 1e3, "ms");
}

fn print_signatures() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        let key = generate_credentials(folder.path(), kind).unwrap();
        let pem = std::fs::read_to_string(key.private_key).unwrap();
        let signer = Signer::from_pem(&pem).unwrap();
        let message = b"1795380241123POST/trade-api/v2/portfolio/events/orders";
        let sign = || drop(black_box(signer.sign(message).unwrap()));
        figure(&format!("sign_{}", kind.as_str()), median_ns(sign) / 1e3, "us");
    }
}

/// A desk that may trade, with one market and one agent.
struct Floor {
    desk: Desk,
    agent: AgentId,
    now: Timestamp,
    out: Outputs,
    view: MarketView,
    intents: Vec<Record>,
}

impl Floor {
    fn open() -> Self {
        let limits = Limits { orders_per_second: 1_000_000, ..Limits::default() };
        let settings = Settings { limits, ..Settings::default() };
        // Its agent has traded before: there is a group for its orders.
        let group = OrderGroup { id: "group".into(), limit: settings.limits.group_contracts };
        let groups = [(("bench".into(), 0), group)].into();
        let recovered = Recovered { runs: 1, groups, ..Recovered::default() };
        let mut out = Outputs::default();
        let desk = Desk::new(settings, "bench".to_owned(), recovered, NOW, &mut out);
        let level = |cents| {
            let quantity = Quantity::from_contracts(100);
            Some(Level { price: Price::from_cents(cents), quantity })
        };
        let view = MarketView {
            id: MARKET,
            market: Arc::new(market(&TICKER.into())),
            quote: Quote { bid: level(40), ask: level(60) },
            synced: true,
            as_of: NOW,
            game_as_of: None,
        };
        let (agent, intents, seen) = ("bench".into(), Vec::new(), view.clone());
        let mut floor = Self { desk, agent, now: NOW, out, view: seen, intents };
        let account = AccountSnapshot {
            requested_at: NOW,
            resting: Vec::new(),
            fills: Vec::new(),
            positions: Vec::new(),
            settlements: Vec::new(),
            balances: [(0, Dollars::from_dollars(1_000))].into(),
        };
        let (agent, limits) = (floor.agent.clone(), AgentLimits::default());
        for input in [
            Input::Connected,
            Input::Account(Ok(account)),
            Input::AgentUp { agent, limits },
            Input::Market(view),
        ] {
            floor.apply(input);
        }
        assert_eq!(floor.desk.report().not_ready, None);
        floor
    }

    fn apply(&mut self, input: Input) {
        self.out.clear();
        self.desk.apply(input, self.now, &mut self.out);
    }

    /// How long it takes to make a request of an order. The exchange then answers that nothing
    /// of it is left.
    fn place(&mut self, number: u64) -> Duration {
        self.now = self.now + Duration::from_micros(10);
        let actions = vec![Action::Place(order(number))];
        let input = Input::Actions { agent: self.agent.clone(), actions };
        self.out.clear();
        let began = Instant::now();
        self.desk.apply(input, self.now, &mut self.out);
        let took = began.elapsed();
        let [Request::Place { order, .. }] = self.out.requests.as_slice() else {
            panic!("not sent: {:?}", self.out.notices)
        };
        let order = *order;
        self.intents.append(&mut self.out.records);
        let outcome = PlaceOutcome::Accepted {
            venue_order_id: number.to_string().into(),
            filled: Quantity::ZERO,
            remaining: Quantity::ZERO,
        };
        self.apply(Input::Placed { order, outcome });
        took
    }
}

impl Floor {
    /// Intents, answers and changed books, one after the other.
    fn events_per_second(&mut self) -> f64 {
        let began = Instant::now();
        for number in 1..=ORDERS {
            self.place(ORDERS + number);
            self.apply(Input::Market(self.view.clone()));
        }
        3.0 * ORDERS as f64 / began.elapsed().as_secs_f64()
    }
}

fn order(number: u64) -> NewOrder {
    NewOrder {
        order: OrderId(number),
        market: MARKET,
        side: Side::Bid,
        price: Price::from_cents(40),
        quantity: Quantity::from_contracts(1),
        time_in_force: TimeInForce::ImmediateOrCancel,
        post_only: false,
        expires: None,
    }
}
