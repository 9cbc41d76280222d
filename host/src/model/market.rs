//! Markets, their price grid and fees, and what is seen of them.

use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// What is known of a market apart from its book. Source: `GET /markets`, `GET /series`, and the
/// `market_lifecycle_v2` channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Kalshi's name for the market.
    pub ticker: Arc<str>,
    /// The event it belongs to.
    pub event_ticker: Arc<str>,
    /// The series that the event belongs to.
    pub series_ticker: Arc<str>,
    /// The question.
    pub title: String,
    /// What YES stands for.
    pub yes_title: String,
    /// Whether it trades.
    pub status: MarketStatus,
    /// The prices an order may have.
    pub grid: PriceGrid,
    /// The shard of the exchange: belongs on every write (`exchange_index`).
    pub exchange_index: i32,
    /// When trading ends.
    pub close_time: Option<Timestamp>,
    /// What one YES contract pays, from `determined` on.
    pub settlement: Option<Price>,
    /// What a trade costs.
    pub fees: FeeSchedule,
    /// Whether the markets of its event exclude each other, so that at most one pays.
    pub mutually_exclusive: bool,
    /// The identity of what YES stands for, where Kalshi gives one (`custom_strike`, such as a
    /// team's id in the structured targets).
    pub strike_target: Option<String>,
}

/// Where a market is in its life. The numbers are those of the agents' contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketStatus {
    /// Created, not open yet.
    Initialized,
    /// Trading.
    Active,
    /// Paused.
    Inactive,
    /// Trading has ended.
    Closed,
    /// The result is known.
    Determined,
    /// The result is disputed.
    Disputed,
    /// The result was changed.
    Amended,
    /// Settled.
    Finalized,
    /// A word that this version does not know.
    #[serde(other)]
    Unknown,
}

impl MarketStatus {
    /// The code in the agents' contract.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Unknown => 0,
            Self::Initialized => 1,
            Self::Active => 2,
            Self::Inactive => 3,
            Self::Closed => 4,
            Self::Determined => 5,
            Self::Disputed => 6,
            Self::Amended => 7,
            Self::Finalized => 8,
        }
    }
}

/// One part of a price grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRange {
    /// The first price of the range.
    pub start: Price,
    /// The last price of the range.
    pub end: Price,
    /// The distance between two prices; more than zero.
    pub step: Price,
}

/// The prices an order may have: Kalshi's `price_ranges`, the only authority on the grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriceGrid(pub Vec<PriceRange>);

impl PriceGrid {
    /// Whole cents, the grid of most markets.
    #[must_use]
    pub fn cents() -> Self {
        Self(vec![PriceRange { start: Price::ZERO, end: Price::ONE, step: Price::from_cents(1) }])
    }

    /// Whether an order may have this price: inside $0 and $1, both excluded, and on a step of
    /// the range it is in.
    #[must_use]
    pub fn contains(&self, price: Price) -> bool {
        price > Price::ZERO
            && price < Price::ONE
            && self.0.iter().any(|range| {
                price >= range.start
                    && price <= range.end
                    && range.step > Price::ZERO
                    && (price.raw() - range.start.raw()).is_multiple_of(range.step.raw())
            })
    }
}

/// How Kalshi charges for trades of a series or event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeSchedule {
    /// The formula.
    pub fee_type: FeeType,
    /// The multiplier in thousandths: 500 is 0.5.
    pub multiplier_milli: u32,
}

/// A formula for fees. Source: Kalshi's fee schedule; see `desk::fees` for what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeType {
    /// Takers pay, makers do not.
    Quadratic,
    /// Makers pay a quarter of a taker's fee.
    QuadraticWithMakerFees,
    /// Makers pay half of a taker's fee.
    QuadraticWithComboMakerFees,
    /// A schedule of its own, or one that this version does not know: before a trade, a taker's fee at
    /// multiplier 1 or more is assumed.
    #[serde(other)]
    Other,
}

impl Default for FeeSchedule {
    /// Kalshi's general schedule.
    fn default() -> Self {
        Self { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 }
    }
}

/// A price with what is offered there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The price of the YES leg.
    pub price: Price,
    /// The quantity; more than zero.
    pub quantity: Quantity,
}

/// The best levels of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// The best bid.
    pub bid: Option<Level>,
    /// The best ask.
    pub ask: Option<Level>,
}

/// The numbers of a market's trading, as of their last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// The market.
    pub ticker: Arc<str>,
    /// The price of the last trade; none: there was none.
    pub last_price: Option<Price>,
    /// How much was traded since the market opened.
    pub volume: Quantity,
    /// How many contracts are held.
    pub open_interest: Quantity,
    /// When the exchange said so.
    pub ts: Timestamp,
}

/// Somebody traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Kalshi's id of the trade: unique.
    pub trade_id: Arc<str>,
    /// The market.
    pub ticker: Arc<str>,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// The side of the order that took liquidity.
    pub taker: Side,
    /// When it happened, by the exchange's clock.
    pub ts: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tapered_grid_is_finer_at_the_edges() {
        let range = |start, end, step| PriceRange {
            start: Price::from_raw(start),
            end: Price::from_raw(end),
            step: Price::from_raw(step),
        };
        let grid = PriceGrid(vec![
            range(0, 1_000, 10),
            range(1_000, 9_000, 100),
            range(9_000, 10_000, 10),
        ]);
        let cases = [
            (0, false),
            (10, true),
            (15, false),
            (990, true),
            (1_000, true),
            (1_010, false),
            (5_500, true),
            (9_010, true),
            (9_990, true),
            (10_000, false),
            (10_010, false),
        ];
        for (price, expected) in cases {
            assert_eq!(grid.contains(Price::from_raw(price)), expected, "{price}");
        }
    }
}
