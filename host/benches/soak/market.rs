//! [`Load`]: many markets at the practice exchange, and orders that move in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_exchange::core::{
    AccountId, AccountKind, Amend, Event, FeeSchedule, FeeType, MarketKey, MarketSpec, NewOrder,
    PriceGrid, Series,
};
use hotpit_exchange::server::Floor;
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

pub(crate) const SERIES: &str = "KXSOAK";
const MARKETS_PER_EVENT: usize = 100;

/// Who moves what.
pub(crate) struct Load {
    mover: AccountId,
    orders: Vec<Moving>,
    next: usize,
}

struct Moving {
    order: hotpit_exchange::core::Uuid,
    market: MarketKey,
    moves: u32,
}

impl Load {
    /// Lists the markets, each with a book of three levels a side and one order that moves.
    pub(crate) fn list(floor: &mut Floor, markets: usize) -> Self {
        let now = floor.now();
        floor.exchange.list_series(series()).unwrap();
        let mover = floor.exchange.open_account(AccountKind::Background);
        floor.exchange.deposit(mover, 0, Dollars::from_dollars(100_000_000));
        let orders = (0..markets)
            .map(|number| {
                let event: Arc<str> = format!("{SERIES}-{}", number / MARKETS_PER_EVENT).into();
                if number % MARKETS_PER_EVENT == 0 {
                    floor.exchange.list_event(an_event(&event)).unwrap();
                }
                let market = floor.exchange.list_market(now, a_market(&event, number, now));
                let market = market.unwrap();
                let mut place = |side, cents| {
                    let count = Quantity::from_contracts(10);
                    let order = NewOrder::limit(market, side, Price::from_cents(cents), count);
                    floor.exchange.create_order(now, mover, order).unwrap().order_id
                };
                for step in 0..3 {
                    place(Side::Bid, 40 - step);
                    place(Side::Ask, 60 + step);
                }
                Moving { order: place(Side::Bid, 30), market, moves: 0 }
            })
            .collect();
        Self { mover, orders, next: 0 }
    }

    /// Moves orders until so many frames follow from it: each move takes a level out of a book and
    /// puts another in, one in ten at the best price.
    pub(crate) fn moved(mut self, floor: &mut Floor, frames: u64) -> Self {
        let now = floor.now();
        for _ in 0..frames / 2 {
            let count = self.orders.len();
            let moving = &mut self.orders[self.next % count];
            self.next += 1;
            moving.moves += 1;
            let cents = match moving.moves % 10 {
                0 => 41,
                step => 20 + step,
            };
            let amend = Amend {
                market: moving.market,
                side: Side::Bid,
                price: Price::from_cents(cents),
                count: Quantity::from_contracts(10),
                client_order_id: None,
                updated_client_order_id: None,
                expiration: None,
            };
            floor.exchange.amend_order(now, self.mover, moving.order, amend).unwrap();
        }
        self
    }
}

fn series() -> Series {
    Series {
        ticker: SERIES.into(),
        title: "Load".into(),
        category: "Sports".into(),
        tags: vec![],
        frequency: "custom".into(),
        fees: FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 },
        exchange_index: 0,
    }
}

fn an_event(ticker: &Arc<str>) -> Event {
    Event {
        ticker: ticker.clone(),
        series_ticker: SERIES.into(),
        title: "Load".into(),
        sub_title: "Load".into(),
        mutually_exclusive: false,
        collateral_return_type: String::new(),
        product_metadata: BTreeMap::new(),
        exchange_index: 0,
        fee_override: None,
    }
}

fn a_market(event: &Arc<str>, number: usize, now: Timestamp) -> MarketSpec {
    let day = Duration::from_secs(86_400);
    MarketSpec {
        ticker: format!("{event}-M{number}").into(),
        event_ticker: event.clone(),
        title: "Load".into(),
        yes_sub_title: "Yes".into(),
        no_sub_title: "No".into(),
        rules_primary: "None.".into(),
        strike_type: "custom".into(),
        custom_strike: BTreeMap::new(),
        grid: PriceGrid::linear_cent(),
        open_time: now,
        close_time: now + day,
        expected_expiration_time: now + day,
        occurrence_time: now + day,
    }
}
