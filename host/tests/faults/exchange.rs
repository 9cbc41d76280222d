//! The practice exchange of a seed: its markets, those who trade on them, and what is truly so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_exchange::core::{
    AccountId, AccountKind, Event, FeeSchedule, FeeType, MarketKey, MarketSpec, MarketStatus,
    NewOrder, OrderStatus, Outcome, PriceGrid, Series, TimeInForce,
};
use hotpit_exchange::server::limits::Tier;
use hotpit_exchange::server::{AccountSettings, Floor, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Price, Quantity, Side};

use super::Key;
use super::facts::InFlight;

/// How far from the exchange's clock a signature may be. Kalshi does not say.
const TOLERANCE: Duration = Duration::from_secs(600);

/// The events with their shards and markets.
pub const EVENTS: [(&str, i32, [&str; 2]); 2] = [
    ("KXNFLGAME-26NOV22NESEA", 0, ["KXNFLGAME-26NOV22NESEA-SEA", "KXNFLGAME-26NOV22NESEA-NE"]),
    ("KXNBAGAME-26NOV22BOSLAL", 3, ["KXNBAGAME-26NOV22BOSLAL-BOS", "KXNBAGAME-26NOV22BOSLAL-LAL"]),
];

/// Starts an exchange with four markets on two shards and somebody who trades on them.
pub async fn open(key: &Key, clock: Clock, seed: u64) -> (Handle, AccountId) {
    let settings = Settings {
        accounts: vec![AccountSettings::new(&*key.id, &*key.public)],
        scenario: None,
        timestamp_tolerance: TOLERANCE,
        tier: if seed.is_multiple_of(4) { Tier::Basic } else { Tier::Prestige },
        ..Settings::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let handle = start(settings, listener, clock, Entropy::seeded(seed)).await.unwrap();
    let trader = handle.with_floor(list).await.unwrap();
    (handle, trader)
}

fn list(floor: &mut Floor) -> AccountId {
    for (event, shard, tickers) in EVENTS {
        list_event(floor, event, shard, &tickers);
    }
    let trader = floor.exchange.open_account(AccountKind::Background);
    for shard in 0..4 {
        floor.exchange.deposit(trader, shard, Dollars::from_dollars(1_000_000));
    }
    for key in markets(floor) {
        quote(floor, trader, key, 45, 55);
    }
    trader
}

pub fn markets(floor: &Floor) -> Vec<MarketKey> {
    floor.exchange.markets().iter().map(|market| market.key).collect()
}

fn list_event(floor: &mut Floor, event: &str, shard: i32, tickers: &[&str]) {
    let series: Arc<str> = event.split('-').next().unwrap().into();
    let listed = Series {
        ticker: Arc::clone(&series),
        title: "Games".into(),
        category: "Sports".into(),
        tags: vec![],
        frequency: "custom".into(),
        fees: FeeSchedule { fee_type: FeeType::QuadraticWithMakerFees, multiplier_milli: 1_000 },
        exchange_index: shard,
    };
    floor.exchange.list_series(listed).unwrap();
    let listed = Event {
        ticker: event.into(),
        series_ticker: series,
        title: "Winner?".into(),
        sub_title: "Nov 22".into(),
        mutually_exclusive: true,
        collateral_return_type: "MECNET".into(),
        product_metadata: BTreeMap::new(),
        exchange_index: shard,
        fee_override: None,
    };
    floor.exchange.list_event(listed).unwrap();
    let now = floor.now();
    for ticker in tickers {
        let spec = MarketSpec {
            ticker: (*ticker).into(),
            event_ticker: event.into(),
            title: "Winner?".into(),
            yes_sub_title: "This".into(),
            no_sub_title: "This".into(),
            rules_primary: "If this wins, then Yes.".into(),
            strike_type: "structured".into(),
            custom_strike: BTreeMap::from([("team".into(), format!("target-{ticker}"))]),
            grid: PriceGrid::linear_cent(),
            open_time: now,
            close_time: now + Duration::from_secs(86_400),
            expected_expiration_time: now + Duration::from_secs(40_000),
            occurrence_time: now + Duration::from_secs(30_000),
        };
        floor.exchange.list_market(now, spec).unwrap();
    }
}

/// Somebody quotes both sides of a market.
pub fn quote(floor: &mut Floor, trader: AccountId, key: MarketKey, bid: u32, ask: u32) {
    for (side, cents) in [(Side::Bid, bid), (Side::Ask, ask)] {
        let count = Quantity::from_contracts(20);
        let order = NewOrder::limit(key, side, Price::from_cents(cents), count);
        let now = floor.now();
        // A market that is closed or paused takes none.
        let _ = floor.exchange.create_order(now, trader, order);
    }
}

/// Somebody takes what rests of us in a market, best price first, up to so much.
pub fn hit(floor: &mut Floor, trader: AccountId, us: AccountId, pick: usize, contracts: i64) {
    let resting = floor.exchange.orders_of(us).filter(|order| order.status == OrderStatus::Resting);
    let resting: Vec<_> = resting.map(|order| (order.market, order.side, order.price)).collect();
    if resting.is_empty() {
        return;
    }
    let (market, side, price) = resting[pick % resting.len()];
    let book = floor.exchange.market(market).book();
    let ahead = book.levels(side).take_while(|level| match side {
        Side::Bid => level.price > price,
        Side::Ask => level.price < price,
    });
    let ahead: Quantity = ahead.map(|level| level.quantity).sum();
    let order = NewOrder {
        time_in_force: TimeInForce::ImmediateOrCancel,
        ..NewOrder::limit(
            market,
            side.opposite(),
            price,
            ahead + Quantity::from_contracts(contracts),
        )
    };
    let now = floor.now();
    // A market that is closed or paused takes none.
    let _ = floor.exchange.create_order(now, trader, order);
}

/// A market's result is known and paid out.
pub fn settle(floor: &mut Floor, key: MarketKey, yes: bool) {
    let now = floor.now();
    let outcome = if yes { Outcome::Yes } else { Outcome::No };
    if floor.exchange.determine(now, key, outcome).is_ok() {
        floor.exchange.settle(now, key).unwrap();
    }
}

/// What is truly so.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The most that our account can lose from the beginning on, fees apart.
    pub worst_loss: Dollars,
    /// Orders of ours by our name, with what was filled and whether they work.
    pub orders: BTreeMap<String, (Quantity, OrderStatus)>,
    pub unnamed: usize,
    /// Fills by id: the order's name, how much, at which price.
    pub fills: BTreeMap<String, (String, Quantity, Price)>,
    pub positions: BTreeMap<String, Quantity>,
    pub cash: BTreeMap<i32, Dollars>,
    pub fees: Dollars,
    pub violation: Option<String>,
}

/// Looks at everything. `in_flight` are requests that may still arrive.
pub fn truth(floor: &Floor, us: AccountId, in_flight: &[InFlight]) -> Truth {
    let exchange = &floor.exchange;
    let mut truth = Truth::default();
    let owner = exchange.account(us);
    for order in exchange.orders_of(us) {
        match &order.client_order_id {
            Some(name) => {
                truth.orders.insert(name.to_string(), (order.fill_count, order.status));
            }
            None => truth.unnamed += 1,
        }
    }
    for fill in owner.fills() {
        let name = fill.client_order_id.as_deref().unwrap_or_default().to_owned();
        truth.fills.insert(fill.trade_id.to_string(), (name, fill.count, fill.price));
    }
    for market in exchange.markets() {
        let ticker = &*market.spec.ticker;
        let (mut cost, mut position) = (0_i64, 0_i64);
        for fill in owner.fills().iter().filter(|fill| fill.market == market.key) {
            let signed = if fill.side == Side::Bid { fill.count.raw() } else { -fill.count.raw() };
            cost += signed * i64::from(fill.price.raw());
            position += signed;
        }
        if let (MarketStatus::Finalized, Some(outcome)) = (market.status, market.outcome) {
            let loss = cost - position * i64::from(outcome.value().raw());
            truth.worst_loss += Dollars::from_raw(loss);
            continue;
        }
        let (mut buys, mut sells) = (0, 0);
        let mut may_trade = |side: Side, price: Price, left: Quantity| match side {
            Side::Bid => buys += left.raw() * i64::from(price.raw()),
            Side::Ask => sells += left.raw() * i64::from(10_000 - price.raw()),
        };
        for order in exchange.orders_of(us).filter(|order| order.market == market.key) {
            if order.status == OrderStatus::Resting {
                may_trade(order.side, order.price, order.remaining_count);
            }
        }
        let mut counted = std::collections::BTreeSet::new();
        for order in in_flight.iter().filter(|order| order.ticker == ticker) {
            // The exchange takes each name once.
            if !truth.orders.contains_key(&order.name) && counted.insert(&order.name) {
                may_trade(order.side, order.price, order.quantity);
            }
        }
        truth.worst_loss += Dollars::from_raw((cost + buys).max(cost - position * 10_000 + sells));
        if position != 0 {
            truth.positions.insert(ticker.to_owned(), Quantity::from_raw(position));
        }
    }
    truth.cash = owner.balances().map(|(shard, balance)| (shard, balance.cash)).collect();
    truth.fees = owner.positions().map(|(_, position)| position.fees_paid).sum();
    truth.violation = exchange.check_invariants().err().map(|violation| violation.to_string());
    truth
}
