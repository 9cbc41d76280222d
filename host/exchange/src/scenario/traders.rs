//! The simulated traders of one market: makers who quote around what they hold for fair, others
//! who take from them or leave orders lying about.

use std::collections::VecDeque;

use hotpit_rt::Rng;
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use rand::RngExt as _;

use crate::core::{
    AccountId, AccountKind, Exchange, MarketKey, MarketStatus, NewOrder, PriceGrid, Route,
    SelfTradePrevention, TimeInForce, Uuid,
};

/// Makers in a market.
const MAKERS: usize = 3;
/// Prices that a maker quotes on each side.
const DEPTH: usize = 6;
/// Orders of others that lie about in a market.
const STRAYS: usize = 24;
/// Book changes that [`Crowd::act`] makes on average: a maker takes one order out and puts one
/// in, which is most of what happens. Measured.
pub(super) const CHANGES_PER_ACT_TENTHS: u64 = 18;
/// What each account starts with: enough for ever.
const CASH: Dollars = Dollars::from_dollars(100_000_000);

/// The traders of one market.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) market: MarketKey,
    makers: Vec<Maker>,
    public: AccountId,
    strays: VecDeque<Uuid>,
}

/// A market maker.
#[derive(Debug)]
struct Maker {
    account: AccountId,
    /// How far off fair its opinion is, in dollars.
    bias: f64,
    /// How far from its opinion its best quotes are, in dollars.
    half_spread: f64,
    quotes: [[Option<Quote>; DEPTH]; 2],
}

#[derive(Debug, Clone, Copy)]
struct Quote {
    order: Uuid,
    price: Price,
}

const SIDES: [Side; 2] = [Side::Bid, Side::Ask];

impl Crowd {
    pub(super) fn new(rng: &mut Rng, market: MarketKey, exchange: &mut Exchange) -> Self {
        let shard = exchange.market(market).exchange_index;
        let mut account = || {
            let account = exchange.open_account(AccountKind::Background);
            exchange.deposit(account, shard, CASH);
            account
        };
        let makers = (0..MAKERS).map(|_| Maker {
            account: account(),
            bias: rng.random_range(-0.004..0.004),
            half_spread: rng.random_range(0.008..0.018),
            quotes: [[None; DEPTH]; 2],
        });
        let makers = makers.collect();
        Self { market, makers, public: account(), strays: VecDeque::new() }
    }

    pub(super) fn is_open(&self, exchange: &Exchange) -> bool {
        exchange.market(self.market).status == MarketStatus::Active
    }

    /// Quotes everything once.
    pub(super) fn fill_book(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        fair: f64,
        exchange: &mut Exchange,
    ) {
        for maker in 0..MAKERS {
            for side in 0..SIDES.len() {
                for level in 0..DEPTH {
                    self.requote(now, rng, fair, (maker, side, level), exchange);
                }
            }
        }
    }

    /// Lets one of the traders do something.
    pub(super) fn act(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        fair: f64,
        exchange: &mut Exchange,
    ) {
        match rng.random_range(0..100) {
            0..60 => {
                let place = self.most_stale(fair, exchange);
                self.requote(now, rng, fair, place, exchange);
            }
            60..82 => {
                let place = (
                    rng.random_range(0..MAKERS),
                    rng.random_range(0..SIDES.len()),
                    rng.random_range(0..DEPTH),
                );
                self.requote(now, rng, fair, place, exchange);
            }
            82..90 => self.take(now, rng, fair, exchange),
            _ => self.stray(now, rng, fair, exchange),
        }
    }

    /// The quote that is farthest from where its maker wants it.
    fn most_stale(&self, fair: f64, exchange: &Exchange) -> (usize, usize, usize) {
        let grid = &exchange.market(self.market).spec.grid;
        let mut worst = (0, (0, 0, 0));
        for (at, maker) in self.makers.iter().enumerate() {
            for (side, quotes) in maker.quotes.iter().enumerate() {
                for (level, quote) in quotes.iter().enumerate() {
                    let resting = quote.filter(|quote| exchange.order(quote.order).is_some());
                    let off = match (resting, maker.wants(SIDES[side], level, fair, grid)) {
                        (Some(quote), Some(wanted)) => quote.price.abs_diff(wanted).raw(),
                        (None, None) => 0,
                        (Some(_), None) | (None, Some(_)) => 150,
                    };
                    if off > worst.0 {
                        worst = (off, (at, side, level));
                    }
                }
            }
        }
        worst.1
    }

    /// Takes one of a maker's quotes out and puts it where the maker wants it now.
    fn requote(
        &mut self,
        now: Timestamp,
        rng: &mut Rng,
        fair: f64,
        (maker, side, level): (usize, usize, usize),
        exchange: &mut Exchange,
    ) {
        let wanted = {
            let grid = &exchange.market(self.market).spec.grid;
            self.makers[maker].wants(SIDES[side], level, fair, grid)
        };
        let maker = &mut self.makers[maker];
        if let Some(quote) = maker.quotes[side][level].take() {
            // It may have been filled: then there is nothing to cancel.
            let _ = exchange.cancel_order(now, maker.account, quote.order, Route::Anywhere);
        }
        let Some(price) = wanted else { return };
        let contracts = rng.random_range(20..200) * (1 + i64::try_from(level).unwrap_or(0));
        let order = NewOrder {
            self_trade_prevention: SelfTradePrevention::Maker,
            ..NewOrder::limit(self.market, SIDES[side], price, Quantity::from_contracts(contracts))
        };
        maker.quotes[side][level] = exchange
            .create_order(now, maker.account, order)
            .ok()
            .filter(|created| created.remaining_count.is_positive())
            .map(|created| Quote { order: created.order_id, price });
    }

    /// Somebody takes from the best level, rather where it is cheap.
    fn take(&mut self, now: Timestamp, rng: &mut Rng, fair: f64, exchange: &mut Exchange) {
        let book = exchange.market(self.market).book();
        let dollars = |price: Price| f64::from(price.raw()) / 10_000.0;
        let gain = |side: Side| {
            let level = book.best(side.opposite())?;
            let gain = match side {
                Side::Bid => fair - dollars(level.price),
                Side::Ask => dollars(level.price) - fair,
            };
            Some((level.price, gain))
        };
        let buys = match (gain(Side::Bid), gain(Side::Ask)) {
            (Some((_, buy)), Some((_, sell))) if (buy - sell).abs() > 0.01 => buy > sell,
            _ => rng.random_bool(0.5),
        };
        let side = if buys { Side::Bid } else { Side::Ask };
        let Some((price, _)) = gain(side) else { return };
        let hundredths = if rng.random_bool(0.2) {
            rng.random_range(1..2_000)
        } else {
            rng.random_range(1..60) * 100
        };
        let order = NewOrder {
            time_in_force: TimeInForce::ImmediateOrCancel,
            ..NewOrder::limit(self.market, side, price, Quantity::from_raw(hundredths))
        };
        let _ = exchange.create_order(now, self.public, order);
    }

    /// Somebody leaves an order near the market, and the oldest of those goes.
    fn stray(&mut self, now: Timestamp, rng: &mut Rng, fair: f64, exchange: &mut Exchange) {
        if self.strays.len() == STRAYS
            && let Some(oldest) = self.strays.pop_front()
        {
            let _ = exchange.cancel_order(now, self.public, oldest, Route::Anywhere);
        }
        let side = SIDES[rng.random_range(0..SIDES.len())];
        let away = rng.random_range(0.01..0.15);
        let dollars = match side {
            Side::Bid => fair - away,
            Side::Ask => fair + away,
        };
        let Some(price) = on_grid(dollars, &exchange.market(self.market).spec.grid) else { return };
        let order = NewOrder {
            self_trade_prevention: SelfTradePrevention::Maker,
            ..NewOrder::limit(
                self.market,
                side,
                price,
                Quantity::from_raw(rng.random_range(100..10_000)),
            )
        };
        let created = exchange.create_order(now, self.public, order);
        let rests = created.ok().filter(|created| created.remaining_count.is_positive());
        self.strays.extend(rests.map(|created| created.order_id));
    }
}

impl Maker {
    /// The price of a quote; `None` where the grid has none.
    fn wants(&self, side: Side, level: usize, fair: f64, grid: &PriceGrid) -> Option<Price> {
        let deep = u32::try_from(level).map_or(0.0, f64::from) * 0.01;
        // Less is at stake near certainty, so quotes come closer together there.
        let width = (fair.min(1.0 - fair) * 4.0).clamp(0.3, 1.0);
        let away = self.half_spread * width + deep;
        let dollars = fair + self.bias;
        on_grid(
            match side {
                Side::Bid => dollars - away,
                Side::Ask => dollars + away,
            },
            grid,
        )
    }
}

/// The nearest price of the grid; `None` where there is none near.
pub(super) fn on_grid(dollars: f64, grid: &PriceGrid) -> Option<Price> {
    if !(0.0..=1.0).contains(&dollars) {
        return None;
    }
    // Between 0 and 10000 as just checked.
    let raw = (dollars * 10_000.0).round() as u32;
    let range = grid.ranges.iter().find(|range| {
        range.start.raw() <= raw && raw <= range.end.raw() && range.step > Price::ZERO
    })?;
    let (start, step) = (range.start.raw(), range.step.raw());
    let price = Price::from_raw(start + (raw - start + step / 2) / step * step);
    grid.contains(price).then_some(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opinion_becomes_a_price_of_the_grid() {
        let cases = [
            (0.5049, 5_000, 5_000),
            (0.505, 5_100, 5_100),
            (0.0512, 500, 510),
            (0.004, 0, 40),
            (0.9996, 0, 0),
            (1.2, 0, 0),
            (-0.1, 0, 0),
            (f64::NAN, 0, 0),
        ];
        for (dollars, cents, tapered) in cases {
            let found = |grid| on_grid(dollars, &grid).map_or(0, Price::raw);
            assert_eq!(found(PriceGrid::linear_cent()), cents, "{dollars}");
            assert_eq!(found(PriceGrid::tapered_deci_cent()), tapered, "{dollars}");
        }
    }
}
