//! The exchange as a whole: a floor with one market and a few members.

mod flow;
mod groups;
mod lifecycle;
mod orders;
mod reference;
mod subaccounts;

use std::collections::BTreeMap;

use hotpit_rt::Entropy;
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::*;

/// An exchange with one market, which trades, and members with cash on its shard.
struct Floor {
    exchange: Exchange,
    market: MarketKey,
    now: Timestamp,
}

const SHARD: Shard = 3;

fn series(fees: FeeSchedule) -> Series {
    Series {
        ticker: "KXTEST".into(),
        title: "Test".into(),
        category: "Sports".into(),
        tags: vec![],
        frequency: "custom".into(),
        fees,
        exchange_index: SHARD,
    }
}

fn event() -> Event {
    Event {
        ticker: "KXTEST-1".into(),
        series_ticker: "KXTEST".into(),
        title: "One?".into(),
        sub_title: String::new(),
        mutually_exclusive: true,
        collateral_return_type: String::new(),
        product_metadata: BTreeMap::new(),
        exchange_index: SHARD,
        fee_override: None,
    }
}

fn market(ticker: &str, open_time: Timestamp, close_time: Timestamp) -> MarketSpec {
    MarketSpec {
        ticker: ticker.into(),
        event_ticker: "KXTEST-1".into(),
        title: "One?".into(),
        yes_sub_title: "One".into(),
        no_sub_title: "Not one".into(),
        rules_primary: String::new(),
        strike_type: "structured".into(),
        custom_strike: BTreeMap::new(),
        grid: PriceGrid::linear_cent(),
        open_time,
        close_time,
        expected_expiration_time: close_time,
        occurrence_time: close_time,
    }
}

impl Floor {
    /// A floor without maker fees.
    fn new() -> Self {
        Self::with_fees(FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 })
    }

    fn with_fees(fees: FeeSchedule) -> Self {
        Self::with_rules(Rules::default(), fees)
    }

    fn with_rules(rules: Rules, fees: FeeSchedule) -> Self {
        let mut exchange = Exchange::new(rules, Entropy::seeded(7).rng("ids"));
        let now = Timestamp::from_secs(1_000);
        exchange.list_series(series(fees)).unwrap();
        exchange.list_event(event()).unwrap();
        let close = Timestamp::from_secs(2_000);
        let market = exchange.list_market(now, market("KXTEST-1-A", now, close)).unwrap();
        exchange.take_effects();
        Self { exchange, market, now }
    }

    /// A member with so many dollars.
    fn member(&mut self, dollars: i64) -> AccountId {
        let account = self.exchange.open_account(AccountKind::Member);
        self.exchange.deposit(account, SHARD, Dollars::from_dollars(dollars));
        account
    }

    /// A good-till-canceled order for whole contracts at a price in cents.
    fn order(&self, side: Side, cents: u32, contracts: i64) -> NewOrder {
        NewOrder::limit(
            self.market,
            side,
            Price::from_cents(cents),
            Quantity::from_contracts(contracts),
        )
    }

    fn send(&mut self, account: AccountId, order: NewOrder) -> Result<Created, ExchangeError> {
        let answer = self.exchange.create_order(self.now, account, order);
        self.exchange.check_invariants().unwrap();
        answer
    }

    fn bid(&mut self, account: AccountId, cents: u32, contracts: i64) -> Created {
        self.send(account, self.order(Side::Bid, cents, contracts)).unwrap()
    }

    fn ask(&mut self, account: AccountId, cents: u32, contracts: i64) -> Created {
        self.send(account, self.order(Side::Ask, cents, contracts)).unwrap()
    }

    fn order_of(&self, created: &Created) -> &Order {
        self.exchange.order(created.order_id).unwrap()
    }

    /// A side of the book, best first, in cents and contracts.
    fn levels(&self, side: Side) -> Vec<(u32, i64)> {
        let levels = self.exchange.market(self.market).book().levels(side);
        levels.map(|level| (level.price.raw() / 100, level.quantity.raw() / 100)).collect()
    }

    fn position(&self, account: AccountId) -> Position {
        self.exchange.account(account).position(self.market)
    }

    fn balance(&self, account: AccountId) -> Balance {
        self.exchange.account(account).balance(SHARD)
    }
}

fn contracts(contracts: i64) -> Quantity {
    Quantity::from_contracts(contracts)
}

fn dollars(text: &str) -> Dollars {
    text.parse().unwrap()
}

/// The book that the deltas give when applied in order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Replayed(BTreeMap<(MarketKey, Side, Price), Quantity>);

impl Replayed {
    fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Book(delta) = effect {
                let level = self.0.entry((delta.market, delta.side, delta.price)).or_default();
                *level += delta.delta;
                assert!(!level.is_negative(), "{delta:?} takes its level to {level}");
                self.0.retain(|_, quantity| !quantity.is_zero());
            }
        }
    }

    fn of(exchange: &Exchange) -> Self {
        let levels = exchange.markets().iter().flat_map(|market| {
            [Side::Bid, Side::Ask].into_iter().flat_map(move |side| {
                let levels = market.book().levels(side);
                levels.map(move |level| ((market.key, side, level.price), level.quantity))
            })
        });
        Self(levels.collect())
    }
}
