//! The bodies of frames.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::bus;
use crate::kalshi::wire::market::{Range, settlement};
use crate::kalshi::wire::{Lenient, Milli, or_default, side};
use crate::model::{self, FeeType, Level};

/// In which prices `no` levels come: what the subscription asked for (`use_yes_price`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoScale {
    /// Prices of the YES leg: a `no` level is an ask at its price.
    YesLeg,
    /// Prices of the NO leg: a `no` level at q is an ask at $1 - q.
    NoLeg,
}

/// The leg that a level is a bid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// Bids for YES.
    Yes,
    /// Bids for NO: asks of YES.
    No,
}

impl Leg {
    /// Where a level of this leg stands in the book of the YES leg. None: a NO price above $1.
    #[must_use]
    pub fn place(self, price: Price, scale: NoScale) -> Option<(Side, Price)> {
        match (self, scale) {
            (Self::Yes, _) => Some((Side::Bid, price)),
            (Self::No, NoScale::YesLeg) => Some((Side::Ask, price)),
            (Self::No, NoScale::NoLeg) => Some((Side::Ask, price.complement()?)),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SubscribedBody<'a> {
    #[serde(borrow)]
    pub(super) channel: Cow<'a, str>,
    pub(super) sid: u64,
}

/// The body of an `ok`: the markets of a subscription, or a list of subscriptions.
pub(super) enum OkBody<'a> {
    Markets(Option<Vec<Cow<'a, str>>>),
    Other,
}

/// Texts that are borrowed where they have no escapes.
#[derive(Deserialize)]
struct Texts<'a>(#[serde(borrow)] Vec<Text<'a>>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Texts<'a> {
    fn into_inner(self) -> Vec<Cow<'a, str>> {
        self.0.into_iter().map(|Text(text)| text).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OkBody<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OkVisitor;

        impl<'de> Visitor<'de> for OkVisitor {
            type Value = OkBody<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the body of an ok")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(OkBody::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(OkBody::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut tickers = None;
                while let Some(Text(key)) = map.next_key()? {
                    if key == "market_tickers" {
                        tickers = map.next_value::<Option<Texts<'de>>>()?.map(Texts::into_inner);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(OkBody::Markets(tickers))
            }
        }

        deserializer.deserialize_any(OkVisitor)
    }
}

/// The body of an `error`.
#[derive(Debug, Deserialize)]
pub struct Failure<'a> {
    /// Kalshi's number for it.
    pub code: i64,
    /// The text for people.
    #[serde(borrow, default)]
    pub msg: Option<Cow<'a, str>>,
    /// The market that it is about.
    #[serde(borrow, default)]
    pub market_ticker: Option<Cow<'a, str>>,
    /// The markets that it is about.
    #[serde(borrow, default)]
    market_tickers: Option<Texts<'a>>,
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|Text(text)| text)).finish()
    }
}

impl Failure<'_> {
    /// The markets that the error names.
    pub fn tickers(&self) -> impl Iterator<Item = &str> {
        let many = self.market_tickers.iter().flat_map(|texts| &texts.0);
        self.market_ticker.as_deref().into_iter().chain(many.map(|Text(text)| &**text))
    }

    /// The text for people; empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.msg.as_deref().unwrap_or_default()
    }
}

/// The body of an `orderbook_snapshot`. A side without levels may be missing.
#[derive(Debug, Deserialize)]
pub struct Snapshot<'a> {
    /// The market.
    #[serde(borrow)]
    pub market_ticker: Cow<'a, str>,
    #[serde(default, deserialize_with = "or_default")]
    yes_dollars_fp: Vec<(Price, Quantity)>,
    #[serde(default, deserialize_with = "or_default")]
    no_dollars_fp: Vec<(Price, Quantity)>,
}

impl Snapshot<'_> {
    /// The message for it. None: a NO price above $1.
    #[must_use]
    pub fn message(
        &self,
        ticker: Arc<str>,
        scale: NoScale,
        received: Timestamp,
    ) -> Option<bus::Snapshot> {
        let side = |leg: Leg, levels: &[(Price, Quantity)]| {
            levels
                .iter()
                .map(|&(price, quantity)| {
                    let (_, price) = leg.place(price, scale)?;
                    Some(Level { price, quantity })
                })
                .collect::<Option<Vec<_>>>()
        };
        Some(bus::Snapshot {
            ticker,
            bids: side(Leg::Yes, &self.yes_dollars_fp)?,
            asks: side(Leg::No, &self.no_dollars_fp)?,
            ts: received,
        })
    }
}

/// The body of an `orderbook_delta`.
#[derive(Debug, Deserialize)]
pub struct Delta<'a> {
    /// The market.
    #[serde(borrow)]
    pub market_ticker: Cow<'a, str>,
    pub(super) price_dollars: Price,
    pub(super) delta_fp: Quantity,
    pub(super) side: Leg,
    #[serde(default)]
    pub(super) ts_ms: Lenient,
}

impl Delta<'_> {
    /// The message for it. None: a NO price above $1.
    #[must_use]
    pub fn message(
        &self,
        ticker: Arc<str>,
        scale: NoScale,
        received: Timestamp,
    ) -> Option<bus::Delta> {
        let (side, price) = self.side.place(self.price_dollars, scale)?;
        let ts = self.ts_ms.0.map_or(received, Timestamp::from_millis);
        Some(bus::Delta { ticker, side, price, delta: self.delta_fp, ts })
    }
}

/// The body of a `trade`.
#[derive(Debug, Deserialize)]
pub struct Trade<'a> {
    /// Kalshi's id of the trade.
    #[serde(borrow)]
    pub trade_id: Cow<'a, str>,
    /// The market.
    #[serde(borrow)]
    pub market_ticker: Cow<'a, str>,
    yes_price_dollars: Price,
    count_fp: Quantity,
    #[serde(borrow, default)]
    taker_book_side: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    taker_outcome_side: Option<Cow<'a, str>>,
    /// The old name of `taker_outcome_side`.
    #[serde(borrow, default)]
    taker_side: Option<Cow<'a, str>>,
    /// Made off the book: not part of the tape.
    #[serde(default, deserialize_with = "or_default")]
    pub is_block_trade: bool,
    #[serde(default)]
    ts_ms: Lenient,
}

impl Trade<'_> {
    /// The trade for it. None: it has no side.
    #[must_use]
    pub fn message(&self, ticker: Arc<str>, received: Timestamp) -> Option<model::Trade> {
        let outcome = self.taker_outcome_side.as_deref().or(self.taker_side.as_deref());
        Some(model::Trade {
            trade_id: (&*self.trade_id).into(),
            ticker,
            price: self.yes_price_dollars,
            quantity: self.count_fp,
            taker: side(self.taker_book_side.as_deref(), outcome)?,
            ts: self.ts_ms.0.map_or(received, Timestamp::from_millis),
        })
    }
}

/// The body of a `ticker`: the numbers of a market's trading.
#[derive(Debug, Deserialize)]
pub struct Statistics<'a> {
    /// The market.
    #[serde(borrow)]
    pub market_ticker: Cow<'a, str>,
    /// The price of the last trade; zero before the first.
    price_dollars: Price,
    volume_fp: Quantity,
    open_interest_fp: Quantity,
    #[serde(default)]
    ts_ms: Lenient,
}

impl Statistics<'_> {
    /// The message for it.
    #[must_use]
    pub fn message(&self, ticker: Arc<str>, received: Timestamp) -> model::Statistics {
        model::Statistics {
            ticker,
            last_price: (self.volume_fp > Quantity::ZERO).then_some(self.price_dollars),
            volume: self.volume_fp,
            open_interest: self.open_interest_fp,
            ts: self.ts_ms.0.map_or(received, Timestamp::from_millis),
        }
    }
}

/// The body of a `market_position`.
#[derive(Debug, Deserialize)]
pub struct Position {
    market_ticker: Arc<str>,
    position_fp: Quantity,
    #[serde(default)]
    subaccount: Option<u8>,
}

impl Position {
    /// The number of its subaccount, where it is told.
    #[must_use]
    pub const fn subaccount(&self) -> Option<u8> {
        self.subaccount
    }
}

impl From<Position> for model::VenuePosition {
    fn from(position: Position) -> Self {
        Self { ticker: position.market_ticker, quantity: position.position_fp }
    }
}

/// The body of an `order_group_updates`.
#[derive(Debug, Deserialize)]
pub struct GroupUpdate<'a> {
    /// The group.
    #[serde(borrow)]
    pub order_group_id: Cow<'a, str>,
    /// What happened to it: `created`, `triggered`, `reset`, `deleted`, `limit_updated`.
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
}

impl GroupUpdate<'_> {
    /// Whether the exchange canceled the orders of the group, and takes no others.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.event_type == "triggered" || self.event_type == "deleted"
    }
}

/// The steps of a market's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleStep {
    /// Made; over REST it may not be there yet.
    Created,
    /// Trading goes on after a pause. The exchange has canceled all resting orders.
    Activated,
    /// Paused.
    Deactivated,
    /// Trading ends at another time.
    CloseDateUpdated,
    /// The result is known.
    Determined,
    /// Settled.
    Settled,
    /// The price grid changed.
    PriceLevelStructureUpdated,
    /// Something else about it changed.
    MetadataUpdated,
    /// A step that this version does not know.
    #[serde(other)]
    Unknown,
}

/// The body of a `market_lifecycle_v2`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Lifecycle {
    /// The market.
    pub market_ticker: Arc<str>,
    /// The step.
    #[serde(rename = "event_type")]
    pub step: LifecycleStep,
    #[serde(default)]
    close_ts: Lenient,
    #[serde(default, deserialize_with = "or_default")]
    result: String,
    #[serde(default)]
    settlement_value: Option<Price>,
    #[serde(default)]
    price_ranges: Option<Vec<Range>>,
    #[serde(default)]
    additional_metadata: Option<CreatedMetadata>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct CreatedMetadata {
    #[serde(default)]
    event_ticker: Option<Arc<str>>,
}

impl Lifecycle {
    /// The event of a market that was created.
    #[must_use]
    pub fn event_ticker(&self) -> Option<&Arc<str>> {
        self.additional_metadata.as_ref()?.event_ticker.as_ref()
    }

    /// When trading ends, where the step says so.
    #[must_use]
    pub fn closes(&self) -> Option<Timestamp> {
        self.close_ts.0.map(Timestamp::from_secs)
    }

    /// What YES pays, where the step says so.
    #[must_use]
    pub fn settlement(&self) -> Option<Price> {
        settlement(&self.result, self.settlement_value)
    }

    /// The price grid, where the step says so.
    #[must_use]
    pub fn grid(&self) -> Option<model::PriceGrid> {
        self.price_ranges.as_deref().map(crate::kalshi::wire::market::grid)
    }
}

/// The body of an `event_lifecycle`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventCreated {
    /// The event.
    pub event_ticker: Arc<str>,
    /// Its series.
    #[serde(default)]
    pub series_ticker: Option<Arc<str>>,
}

/// The body of an `event_fee_update`: `null` means that the series' own applies again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventFees {
    /// The event.
    pub event_ticker: Arc<str>,
    /// A formula in place of the series'.
    #[serde(default)]
    pub fee_type_override: Option<FeeType>,
    /// A multiplier in place of the series'.
    #[serde(default)]
    pub fee_multiplier_override: Option<Milli>,
}
