//! A million random operations on the books of an exchange, seen through a session that loses,
//! doubles, reorders and tears frames, and that is cut off: whenever all that was sent has
//! arrived, every book that is called synced is the exchange's, and no order was accepted on
//! any other.

use std::collections::BTreeMap;

use hotpit_rt::Rng;
use hotpit_units::{Dollars, Price, Quantity, Side};
use rand::RngExt;

use self::exchange::{Exchange, OnItsWay};
use super::*;
use crate::cache::Cache;
use crate::desk::{
    AccountSnapshot, AgentLimits, Desk, Input, Limits, MarketView, Outputs, Recovered,
    Settings as DeskSettings,
};
use crate::model::{
    AgentId, FeeSchedule, Market, MarketStatus, NewOrder, OrderId, PriceGrid, TimeInForce,
};

mod exchange;

const OPERATIONS: u32 = 1_000_000;
const MARKETS: usize = 6;
/// In one of so many frames something goes wrong.
const FAULT_IN: u32 = 1_000;

/// What a session publishes goes straight into a cache.
#[derive(Clone, Default)]
struct Floor(Arc<Cache>);

impl Publish for Floor {
    fn publish(&self, message: Message, received: Timestamp) {
        self.0.apply(&message, received);
    }
}

/// What went wrong, and how often.
#[derive(Debug, Default)]
struct Counts {
    dropped: u32,
    doubled: u32,
    swapped: u32,
    torn: u32,
    unreadable: u32,
    ended: u32,
    cut: u32,
    restarts: u32,
    recoveries: u32,
    accepted: u32,
    denied: u32,
}

struct World {
    exchange: Exchange,
    core: Core<Floor>,
    cache: Arc<Cache>,
    desk: Desk,
    agent: AgentId,
    now: Timestamp,
    rng: Rng,
    /// Something is missing that no later frame has shown yet.
    is_missing: bool,
    /// A frame that arrives after the next.
    late: Option<OnItsWay>,
    counts: Counts,
    was_synced: [bool; MARKETS],
}

impl World {
    fn open(seed: u64) -> Self {
        let exchange = Exchange::open();
        let floor = Floor::default();
        let cache = Arc::clone(&floor.0);
        let (core, now) = session(floor, seed);
        let mut world = Self {
            exchange,
            core,
            cache,
            desk: desk(now),
            agent: "a".into(),
            now,
            rng: Entropy::seeded(seed).rng("world"),
            is_missing: false,
            late: None,
            counts: Counts::default(),
            was_synced: [false; MARKETS],
        };
        for name in world.exchange.names.clone() {
            world.cache.apply(&Message::Market(Arc::new(market(&name))), now);
        }
        world.connect();
        world
    }

    fn connect(&mut self) {
        self.exchange.cut();
        self.is_missing = false;
        self.late = None;
        self.core.opened(None, self.now, self.now);
        self.core.stream.heard(self.now);
        self.want();
    }

    fn reconnect(&mut self, reason: &str) {
        self.core.closed(reason, self.now);
        for name in &self.exchange.names {
            let id = self.cache.market_id(name).unwrap();
            assert!(!self.cache.view(id).unwrap().synced, "{name} outlives its connection");
        }
        self.connect();
    }

    fn want(&mut self) {
        let wanted = (0..MARKETS).filter(|_| self.rng.random_bool(0.8));
        let wanted = wanted.map(|market| self.exchange.names[market].clone()).collect();
        self.core.want(Arc::new(wanted), self.now);
    }

    /// One operation, and all that follows from it.
    fn step(&mut self) {
        self.now = self.now + Duration::from_micros(self.rng.random_range(1..8_000));
        match self.rng.random_range(0..20_000) {
            0 => {
                self.counts.cut += 1;
                self.reconnect("cut");
            }
            1 if self.exchange.is_subscribed => {
                self.counts.ended += 1;
                let code = if self.rng.random_bool(0.5) { 10 } else { 25 };
                self.exchange.push_numbered("error", None, &format!(r#"{{"code":{code}}}"#));
                self.exchange.is_subscribed = false;
                self.exchange.held.clear();
            }
            2..12 => self.want(),
            _ => self.exchange.trade_on(&mut self.rng),
        }
        self.settle();
        self.check();
    }

    /// Delivers what is on its way, and answers commands, until there is none of either.
    fn settle(&mut self) {
        loop {
            if self.rng.random_range(0..50) == 0 && self.core.tick(self.now).is_err() {
                self.counts.restarts += 1;
                self.reconnect("restart");
            }
            let commands = self.core.take_commands();
            if commands.is_empty() && self.exchange.wire.is_empty() {
                break;
            }
            for command in commands {
                self.exchange.answer(&serde_json::from_str(&command).unwrap());
            }
            while let Some(frame) = self.exchange.wire.pop_front() {
                self.deliver(&frame);
            }
        }
    }

    fn deliver(&mut self, frame: &OnItsWay) {
        // What answers a command is not numbered or is waited for; its loss ends the connection.
        if !frame.is_numbered || self.rng.random_range(0..FAULT_IN) > 0 {
            let late = self.late.take_if(|_| frame.is_numbered);
            self.hand_over(&frame.text, frame.is_numbered);
            if let Some(late) = late {
                self.hand_over(&late.text, false);
            }
            return;
        }
        let counts = &mut self.counts;
        match self.rng.random_range(0..5) {
            0 => counts.dropped += 1,
            1 => {
                counts.doubled += 1;
                self.hand_over(&frame.text, true);
                self.hand_over(&frame.text, true);
                return;
            }
            2 => {
                counts.swapped += 1;
                self.late = Some(OnItsWay { text: frame.text.clone(), is_numbered: true });
            }
            3 => {
                counts.torn += 1;
                self.hand_over(&frame.text[..frame.text.len() / 2], false);
            }
            _ => {
                counts.unreadable += 1;
                let text = frame.text.replace("market_ticker\":", "market_ticker\":0,\"x\":");
                self.hand_over(&text, true);
                return;
            }
        }
        self.is_missing = true;
    }

    /// `shows`: the frame has a number that shows whether one before it is missing.
    fn hand_over(&mut self, text: &str, shows: bool) {
        if self.core.frame(text, self.now).is_err() {
            self.counts.restarts += 1;
            self.reconnect("restart");
        } else if shows {
            self.is_missing = false;
        }
    }

    /// Every synced book is the exchange's, unless something is missing that nobody can know of;
    /// and an order is accepted on no other.
    fn check(&mut self) {
        for market in 0..MARKETS {
            let id = self.cache.market_id(&self.exchange.names[market]).unwrap();
            let view = self.cache.view(id).unwrap();
            if view.synced && !self.is_missing {
                let book = self.cache.book(id).unwrap().0;
                let ours = [Side::Bid, Side::Ask].into_iter().flat_map(|side| {
                    book.levels(side)
                        .map(move |level| ((side, level.price.raw()), level.quantity.raw()))
                        .collect::<Vec<_>>()
                });
                let ours: BTreeMap<_, _> = ours.collect();
                assert_eq!(ours, self.exchange.books[market], "{market}: {:?}", self.counts);
            }
            self.counts.recoveries += u32::from(view.synced && !self.was_synced[market]);
            self.was_synced[market] = view.synced;
        }
        self.place();
    }

    fn place(&mut self) {
        let market = self.rng.random_range(0..MARKETS);
        let id = self.cache.market_id(&self.exchange.names[market]).unwrap();
        let (info, view) = (self.cache.market(id).unwrap(), self.cache.view(id).unwrap());
        let view = MarketView {
            id,
            market: info,
            quote: view.quote,
            synced: view.synced,
            as_of: self.now,
            game_as_of: None,
        };
        let is_synced = view.synced;
        self.desk.apply(Input::Market(view), self.now, &mut Outputs::default());
        let order = NewOrder {
            order: OrderId(1),
            market: id,
            side: Side::Bid,
            price: Price::from_cents(1),
            quantity: Quantity::from_contracts(1),
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: false,
            expires: None,
        };
        let denial = self.desk.would_deny(&self.agent, &order, self.now);
        assert_eq!(denial.is_none(), is_synced, "{denial:?}");
        self.counts.accepted += u32::from(is_synced);
        self.counts.denied += u32::from(!is_synced);
    }
}

fn session(floor: Floor, seed: u64) -> (Core<Floor>, Timestamp) {
    let now = Timestamp::from_secs(1_000);
    let entropy = Entropy::seeded(seed);
    // Nobody listens to the reports: there are none.
    let desk = DeskLink::new(mpsc::channel(1_024).0, Arc::default());
    let core = Core::new(Parts {
        settings: Settings { markets_per_command: 3, ..Settings::default() },
        subaccount: 0,
        channels: &Channel::ALL,
        publish: floor,
        desk,
        catalog: CatalogLink::new(mpsc::channel(1).0, Arc::default()),
        stats: Arc::default(),
        stream: Streams::new(Clock::system(), entropy).open("kalshi", Settings::default().policy()),
        seen: Arc::default(),
        entropy,
    });
    (core, now)
}

/// A desk that may trade.
fn desk(now: Timestamp) -> Desk {
    let limits = Limits {
        book_age_ms_max: u64::MAX / 2_000_000,
        price_collar: Price::ONE,
        ..Limits::default()
    };
    let settings = DeskSettings { limits, ..DeskSettings::default() };
    let recovered = Recovered { runs: 1, ..Recovered::default() };
    let mut out = Outputs::default();
    let mut desk = Desk::new(settings, "test".to_owned(), recovered, now, &mut out);
    let account = AccountSnapshot {
        requested_at: now,
        resting: Vec::new(),
        fills: Vec::new(),
        positions: Vec::new(),
        settlements: Vec::new(),
        balances: [(0, Dollars::from_dollars(1_000))].into(),
    };
    let up = Input::AgentUp { agent: "a".into(), limits: AgentLimits::default() };
    for input in [Input::Connected, Input::Tick, Input::Account(Ok(account)), up] {
        desk.apply(input, now, &mut out);
    }
    desk
}

fn market(ticker: &Arc<str>) -> Market {
    Market {
        ticker: ticker.clone(),
        event_ticker: "KX".into(),
        series_ticker: "KX".into(),
        title: String::new(),
        yes_title: String::new(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: false,
        strike_target: None,
    }
}

#[test]
fn after_every_recovery_the_books_are_the_exchanges() {
    let mut world = World::open(7);
    for _ in 0..OPERATIONS {
        world.step();
    }
    let counts = world.counts;
    println!("{OPERATIONS} operations: {counts:?}");
    let happened = [
        counts.dropped,
        counts.doubled,
        counts.swapped,
        counts.torn,
        counts.unreadable,
        counts.ended,
        counts.cut,
        counts.recoveries,
        counts.denied,
    ];
    assert!(happened.into_iter().all(|count| count > 10), "{counts:?}");
    assert!(counts.accepted > OPERATIONS / 2, "the books are synced most of the time: {counts:?}");
}
