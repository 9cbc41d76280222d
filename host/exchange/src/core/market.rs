//! Series, events, markets and milestones: what is listed.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

use super::book::{Book, Level};
use super::ids::{MarketKey, Uuid};

/// The shard of the exchange that a market trades on (`exchange_index`). Cash lies on shards.
pub type Shard = i32;

/// A formula for fees. Source: Kalshi, `fee_type` of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeType {
    /// Takers pay, makers do not.
    Quadratic,
    /// Makers pay a quarter of a taker's fee.
    QuadraticWithMakerFees,
    /// Makers pay half of a taker's fee.
    QuadraticWithComboMakerFees,
}

impl FeeType {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quadratic => "quadratic",
            Self::QuadraticWithMakerFees => "quadratic_with_maker_fees",
            Self::QuadraticWithComboMakerFees => "quadratic_with_combo_maker_fees",
        }
    }
}

/// What a trade costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeSchedule {
    /// The formula.
    pub fee_type: FeeType,
    /// The multiplier in thousandths: 500 is 0.5.
    pub multiplier_milli: u32,
}

/// A series: events of one kind, with one fee schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Its name, such as `KXNFLGAME`.
    pub ticker: Arc<str>,
    /// What it is about.
    pub title: String,
    /// Kalshi's category, such as `Sports`.
    pub category: String,
    /// Subjects, such as `Football`.
    pub tags: Vec<String>,
    /// How often it comes, in words.
    pub frequency: String,
    /// What a trade costs, unless the event says otherwise.
    pub fees: FeeSchedule,
    /// The shard of its new events.
    pub exchange_index: Shard,
}

/// An event: one or more markets on one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name, such as `KXNFLGAME-26NOV22NESEA`.
    pub ticker: Arc<str>,
    /// The series it belongs to; must be listed before it.
    pub series_ticker: Arc<str>,
    /// The question.
    pub title: String,
    /// More on it.
    pub sub_title: String,
    /// At most one of its markets resolves to YES.
    pub mutually_exclusive: bool,
    /// How collateral is returned across its markets (`MECNET`, `DIRECNET` or empty). This
    /// exchange only tells it: it nets within a market, never across markets.
    pub collateral_return_type: String,
    /// `product_metadata`, such as `competition` and `competition_scope`.
    pub product_metadata: BTreeMap<String, String>,
    /// The shard of all its markets.
    pub exchange_index: Shard,
    /// What a trade costs, instead of what the series says.
    pub fee_override: Option<FeeSchedule>,
}

/// A real thing that events are about: for sports, a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// Its id.
    pub id: Uuid,
    /// Kalshi's category, such as `Sports`.
    pub category: String,
    /// Its kind, such as `football_game`.
    pub kind: String,
    /// When it starts: kickoff.
    pub start_date: Timestamp,
    /// When it is over, if that is known.
    pub end_date: Option<Timestamp>,
    /// What it is called.
    pub title: String,
    /// The events whose outcome it decides.
    pub primary_event_tickers: Vec<Arc<str>>,
    /// All events that are about it.
    pub related_event_tickers: Vec<Arc<str>>,
    /// `details`: `league`, `status`, `main_game_event_ticker`, `season`, `home_team_id`,
    /// `away_team_id`.
    pub details: BTreeMap<String, String>,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// One part of a price grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// The first price of the range.
    pub start: Price,
    /// The last price of the range.
    pub end: Price,
    /// The distance between two prices; more than zero.
    pub step: Price,
}

/// The prices an order may have, and their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceGrid {
    /// `price_level_structure`: a label without authority.
    pub name: String,
    /// `price_ranges`: the authority.
    pub ranges: Vec<PriceRange>,
}

impl PriceGrid {
    /// Whole cents.
    #[must_use]
    pub fn linear_cent() -> Self {
        Self { name: "linear_cent".into(), ranges: vec![range(0, 10_000, 100)] }
    }

    /// Tenths of a cent outside $0.10 to $0.90, whole cents inside.
    #[must_use]
    pub fn tapered_deci_cent() -> Self {
        Self {
            name: "tapered_deci_cent".into(),
            ranges: vec![range(0, 1_000, 10), range(1_000, 9_000, 100), range(9_000, 10_000, 10)],
        }
    }

    /// Whether an order may have this price: between $0 and $1, both excluded, and on a step of
    /// a range it is in.
    #[must_use]
    pub fn contains(&self, price: Price) -> bool {
        price > Price::ZERO
            && price < Price::ONE
            && self.ranges.iter().any(|range| {
                range.start <= price
                    && price <= range.end
                    && range.step > Price::ZERO
                    && (price.raw() - range.start.raw()).is_multiple_of(range.step.raw())
            })
    }
}

const fn range(start: u32, end: u32, step: u32) -> PriceRange {
    PriceRange {
        start: Price::from_raw(start),
        end: Price::from_raw(end),
        step: Price::from_raw(step),
    }
}

/// What a market to be listed is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketSpec {
    /// Its name, such as `KXNFLGAME-26NOV22NESEA-SEA`.
    pub ticker: Arc<str>,
    /// The event it belongs to; must be listed before it.
    pub event_ticker: Arc<str>,
    /// The question.
    pub title: String,
    /// What YES stands for.
    pub yes_sub_title: String,
    /// What NO stands for.
    pub no_sub_title: String,
    /// The rules in words.
    pub rules_primary: String,
    /// How YES is identified (`strike_type`), such as `structured`.
    pub strike_type: String,
    /// What YES is identified by, such as `football_team` with the team's id.
    pub custom_strike: BTreeMap<String, String>,
    /// The prices an order may have.
    pub grid: PriceGrid,
    /// When trading starts.
    pub open_time: Timestamp,
    /// When trading ends at the latest.
    pub close_time: Timestamp,
    /// When the result is expected.
    pub expected_expiration_time: Timestamp,
    /// `occurrence_datetime`. On Kalshi this is not the kickoff.
    pub occurrence_time: Timestamp,
}

/// Where a market is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarketStatus {
    /// Listed, before its open time.
    Initialized,
    /// Trading.
    Active,
    /// Paused.
    Inactive,
    /// Trading has ended.
    Closed,
    /// The result is known.
    Determined,
    /// Positions are paid out.
    Finalized,
}

impl MarketStatus {
    /// The word of the REST API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Closed => "closed",
            Self::Determined => "determined",
            Self::Finalized => "finalized",
        }
    }

    /// The word of the `status` filter of `GET /markets`, which differs. `None`: no filter finds
    /// it.
    #[must_use]
    pub const fn filter_word(self) -> Option<&'static str> {
        match self {
            Self::Initialized => Some("unopened"),
            Self::Active => Some("open"),
            Self::Inactive => Some("paused"),
            Self::Closed | Self::Determined => Some("closed"),
            Self::Finalized => Some("settled"),
        }
    }
}

/// What a market resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// YES pays $1.
    Yes,
    /// NO pays $1.
    No,
    /// YES pays this, NO the rest of $1.
    Scalar(Price),
}

impl Outcome {
    /// What one YES contract pays.
    #[must_use]
    pub const fn value(self) -> Price {
        match self {
            Self::Yes => Price::ONE,
            Self::No => Price::ZERO,
            Self::Scalar(value) => value,
        }
    }

    /// The word on the wire (`result`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Scalar(_) => "scalar",
        }
    }
}

/// A listed market.
#[derive(Debug)]
pub struct Market {
    /// Its handle.
    pub key: MarketKey,
    /// Kalshi's `market_id`.
    pub id: Uuid,
    /// What was listed. `close_time` and `grid` follow later changes.
    pub spec: MarketSpec,
    /// The series of its event.
    pub series_ticker: Arc<str>,
    /// The shard of its event.
    pub exchange_index: Shard,
    /// What a trade costs now: the event's schedule, else that of the series.
    pub fees: FeeSchedule,
    /// Where it is in its life.
    pub status: MarketStatus,
    /// What it resolved to, from [`MarketStatus::Determined`] on.
    pub outcome: Option<Outcome>,
    /// When it was listed.
    pub created: Timestamp,
    /// When anything but its book was last changed.
    pub updated: Timestamp,
    /// When it was settled.
    pub settled: Option<Timestamp>,
    /// The resting orders.
    pub(super) book: Book,
    /// What was traded.
    pub(super) tape: Tape,
}

impl Market {
    /// The resting orders.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The last trade, volume and open interest.
    #[must_use]
    pub const fn tape(&self) -> &Tape {
        &self.tape
    }

    /// What the `ticker` channel shows.
    #[must_use]
    pub fn ticker(&self) -> Ticker {
        Ticker {
            bid: self.book.best(hotpit_units::Side::Bid),
            ask: self.book.best(hotpit_units::Side::Ask),
            tape: self.tape,
        }
    }
}

/// Sums over a market's trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tape {
    /// The price of the last trade.
    pub last_price: Option<Price>,
    /// The quantity of the last trade.
    pub last_size: Quantity,
    /// All contracts traded.
    pub volume: Quantity,
    /// Contracts held long, which are as many as are held short.
    pub open_interest: Quantity,
    /// What the YES legs of all trades cost.
    pub dollar_volume: Dollars,
}

/// The best levels of a book with the sums of its market's trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticker {
    /// The best bid.
    pub bid: Option<Level>,
    /// The best ask.
    pub ask: Option<Level>,
    /// The trades.
    pub tape: Tape,
}
