//! Markets, events, series, milestones, trades and order books.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{Milli, or_default, rfc3339, side};
use crate::model::{
    FeeSchedule, FeeType, Level, MarketStatus, PriceGrid, PriceRange, Trade as ModelTrade,
};

/// A market of `GET /markets` or of an event.
#[derive(Debug, Clone, Deserialize)]
pub struct Market {
    /// The market.
    pub ticker: Arc<str>,
    /// Its event.
    pub event_ticker: Arc<str>,
    /// The question.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// What YES stands for.
    #[serde(default, deserialize_with = "or_default")]
    pub yes_sub_title: String,
    /// Where it is in its life.
    pub status: MarketStatus,
    #[serde(default)]
    open_time: Option<String>,
    #[serde(default)]
    close_time: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    result: String,
    #[serde(default)]
    settlement_value_dollars: Option<Price>,
    #[serde(default, deserialize_with = "or_default")]
    price_ranges: Vec<Range>,
    #[serde(default)]
    exchange_index: Option<i32>,
    #[serde(default)]
    custom_strike: Option<Value>,
}

impl Market {
    /// When trading starts.
    #[must_use]
    pub fn opens(&self) -> Option<Timestamp> {
        self.open_time.as_deref().and_then(rfc3339)
    }

    /// When trading ends.
    #[must_use]
    pub fn closes(&self) -> Option<Timestamp> {
        self.close_time.as_deref().and_then(rfc3339)
    }

    /// The prices an order may have. Empty where the exchange names no ranges: no price is then
    /// on the grid, and no order passes.
    #[must_use]
    pub fn grid(&self) -> PriceGrid {
        grid(&self.price_ranges)
    }

    /// What one YES contract pays, once that is known.
    #[must_use]
    pub fn settlement(&self) -> Option<Price> {
        settlement(&self.result, self.settlement_value_dollars)
    }

    /// The shard.
    #[must_use]
    pub fn exchange_index(&self) -> i32 {
        self.exchange_index.unwrap_or(0)
    }

    /// The identity of what YES stands for: the one text in `custom_strike`, such as the id of
    /// a team. None where there are several.
    #[must_use]
    pub fn strike_target(&self) -> Option<String> {
        strike_target(self.custom_strike.as_ref())
    }
}

/// What YES pays for a result: the stated value, or what the word means.
#[must_use]
pub fn settlement(result: &str, value: Option<Price>) -> Option<Price> {
    match result {
        "" => None,
        "yes" => value.or(Some(Price::ONE)),
        "no" => value.or(Some(Price::ZERO)),
        _ => value,
    }
}

fn strike_target(custom_strike: Option<&Value>) -> Option<String> {
    let mut targets = custom_strike?.as_object()?.values().filter_map(Value::as_str);
    match (targets.next(), targets.next()) {
        (Some(target), None) => Some(target.to_owned()),
        _ => None,
    }
}

/// One range of a price grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Range {
    start: Price,
    end: Price,
    step: Price,
}

/// The price grid of these ranges.
#[must_use]
pub fn grid(ranges: &[Range]) -> PriceGrid {
    let ranges = ranges.iter().filter(|range| range.step > Price::ZERO && range.end >= range.start);
    PriceGrid(
        ranges
            .map(|range| PriceRange { start: range.start, end: range.end, step: range.step })
            .collect(),
    )
}

/// An event of `GET /events`.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// The event.
    pub event_ticker: Arc<str>,
    /// Its series.
    pub series_ticker: Arc<str>,
    /// Whether at most one of its markets pays.
    #[serde(default, deserialize_with = "or_default")]
    pub mutually_exclusive: bool,
    /// A formula for fees in place of the series'.
    #[serde(default)]
    pub fee_type_override: Option<FeeType>,
    /// A multiplier in place of the series'.
    #[serde(default)]
    pub fee_multiplier_override: Option<Milli>,
    /// Its markets, where they were asked for. One that does not parse is left out by
    /// [`Event::take_markets`] with a word in the log; the others are not lost with it.
    #[serde(default, deserialize_with = "or_default")]
    markets: Vec<Value>,
}

impl Event {
    /// Takes out the markets that can be read.
    pub fn take_markets(&mut self) -> Vec<Market> {
        readable(std::mem::take(&mut self.markets))
    }

    /// What a trade costs under a series' schedule and the event's overrides.
    #[must_use]
    pub fn fees(&self, series: FeeSchedule) -> FeeSchedule {
        FeeSchedule {
            fee_type: self.fee_type_override.unwrap_or(series.fee_type),
            multiplier_milli: self
                .fee_multiplier_override
                .map_or(series.multiplier_milli, |multiplier| multiplier.0),
        }
    }
}

/// The items of a list that can be read. The others are logged: a new form of one market must
/// not take the rest of its page away.
pub(crate) fn readable<T: serde::de::DeserializeOwned>(items: Vec<Value>) -> Vec<T> {
    let mut unreadable = 0_usize;
    let mut first_reason = String::new();
    let read = items
        .into_iter()
        .filter_map(|item| match serde_json::from_value(item) {
            Ok(item) => Some(item),
            Err(error) => {
                unreadable += 1;
                if first_reason.is_empty() {
                    first_reason = error.to_string();
                }
                None
            }
        })
        .collect();
    if unreadable > 0 {
        tracing::warn!(unreadable, reason = %first_reason, "items of an answer left out");
    }
    read
}

/// A series of `GET /series/{ticker}`.
#[derive(Debug, Clone, Deserialize)]
pub struct Series {
    /// The series.
    pub ticker: Arc<str>,
    fee_type: FeeType,
    fee_multiplier: Milli,
}

impl Series {
    /// What a trade costs in its markets.
    #[must_use]
    pub const fn fees(&self) -> FeeSchedule {
        FeeSchedule { fee_type: self.fee_type, multiplier_milli: self.fee_multiplier.0 }
    }
}

/// A milestone of `GET /milestones`: a game, and the events on it.
#[derive(Debug, Clone, Deserialize)]
pub struct Milestone {
    /// Its id.
    pub id: String,
    /// Its kind, such as `football_game`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The start, in RFC 3339: for a game, kickoff.
    pub start_date: String,
    /// A title for people.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// What else there is to say, by sport: `league`, `home_team_id`, `away_team_id`, `status`.
    #[serde(default, deserialize_with = "or_default")]
    pub details: BTreeMap<String, Value>,
    /// The events on its outcome.
    #[serde(default, deserialize_with = "or_default")]
    pub primary_event_tickers: Vec<Arc<str>>,
    /// All events on it.
    #[serde(default, deserialize_with = "or_default")]
    pub related_event_tickers: Vec<Arc<str>>,
}

impl Milestone {
    /// When it starts.
    #[must_use]
    pub fn starts(&self) -> Option<Timestamp> {
        rfc3339(&self.start_date)
    }

    /// A text of its details.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name).and_then(Value::as_str)
    }
}

/// A structured target of `GET /structured_targets/{id}`: a team, for one.
#[derive(Debug, Clone, Deserialize)]
pub struct StructuredTarget {
    /// Its id, as in a market's `custom_strike`.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its kind, such as `football_team`.
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub kind: String,
    /// What else there is to say, by kind: abbreviations and the like.
    #[serde(default, deserialize_with = "or_default")]
    pub details: BTreeMap<String, Value>,
}

/// A trade of `GET /markets/trades`.
#[derive(Debug, Clone, Deserialize)]
pub struct Trade {
    trade_id: Arc<str>,
    ticker: Arc<str>,
    count_fp: Quantity,
    yes_price_dollars: Price,
    #[serde(default)]
    taker_book_side: Option<String>,
    #[serde(default)]
    taker_outcome_side: Option<String>,
    #[serde(default)]
    created_time: Option<String>,
    /// Made off the book: not part of the tape.
    #[serde(default, deserialize_with = "or_default")]
    pub is_block_trade: bool,
}

impl TryFrom<Trade> for ModelTrade {
    type Error = String;

    fn try_from(trade: Trade) -> Result<Self, String> {
        let side = side(trade.taker_book_side.as_deref(), trade.taker_outcome_side.as_deref());
        let ts = trade.created_time.as_deref().and_then(rfc3339);
        Ok(Self {
            taker: side.ok_or_else(|| format!("trade {} without a side", trade.trade_id))?,
            ts: ts.ok_or_else(|| format!("trade {} without a time", trade.trade_id))?,
            trade_id: trade.trade_id,
            ticker: trade.ticker,
            price: trade.yes_price_dollars,
            quantity: trade.count_fp,
        })
    }
}

/// The body of `GET /markets/{ticker}/orderbook`.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderbookAnswer {
    /// The book.
    pub orderbook_fp: Orderbook,
}

/// An order book over REST: bids of both legs, each in the prices of its own leg.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Orderbook {
    #[serde(default, deserialize_with = "or_default")]
    yes_dollars: Vec<(Price, Quantity)>,
    #[serde(default, deserialize_with = "or_default")]
    no_dollars: Vec<(Price, Quantity)>,
}

impl Orderbook {
    /// Bids and asks of the YES leg: a NO bid at q is a YES ask at $1 - q. None where a NO bid
    /// stands above $1.
    #[must_use]
    pub fn levels(&self) -> Option<(Vec<Level>, Vec<Level>)> {
        let bids =
            self.yes_dollars.iter().map(|&(price, quantity)| Level { price, quantity }).collect();
        let asks = self
            .no_dollars
            .iter()
            .map(|&(price, quantity)| Some(Level { price: price.complement()?, quantity }))
            .collect::<Option<_>>()?;
        Some((bids, asks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_is_read_with_what_trading_needs() {
        let json = r#"{"ticker":"KXNFLGAME-26SEP09NESEA-SEA","event_ticker":"KXNFLGAME-26SEP09NESEA",
            "title":"NE at SEA","yes_sub_title":"Seattle","status":"active","result":"",
            "open_time":"2026-05-15T16:00:00Z","close_time":"2026-09-12T00:20:00Z",
            "price_level_structure":"linear_cent","notional_value_dollars":"1.0000",
            "price_ranges":[{"start":"0.0000","end":"1.0000","step":"0.0100"}],
            "strike_type":"structured","custom_strike":{"football_team":"uuid-1"},"exchange_index":0}"#;
        let market: Market = serde_json::from_str(json).unwrap();
        assert_eq!(market.grid(), PriceGrid::cents());
        assert_eq!(market.closes(), Some(Timestamp::from_secs(1_789_172_400)));
        assert_eq!(market.strike_target().as_deref(), Some("uuid-1"));
        assert_eq!(market.settlement(), None);
    }

    #[test]
    fn a_market_with_little_in_it_is_still_a_market() {
        let json = r#"{"ticker":"M","event_ticker":"E","status":"newly invented","title":null,
            "price_ranges":null,"result":null}"#;
        let market: Market = serde_json::from_str(json).unwrap();
        assert_eq!(market.status, MarketStatus::Unknown);
        assert!(!market.grid().contains(Price::from_cents(50)));
    }

    #[test]
    fn a_result_has_a_value() {
        let half = Price::from_cents(50);
        let cases = [
            ("", Some(half), None),
            ("yes", None, Some(Price::ONE)),
            ("no", None, Some(Price::ZERO)),
            ("yes", Some(half), Some(half)),
            ("scalar", Some(half), Some(half)),
            ("scalar", None, None),
        ];
        for (result, value, expected) in cases {
            assert_eq!(settlement(result, value), expected, "{result} {value:?}");
        }
    }

    #[test]
    fn an_events_overrides_take_precedence() {
        let json = r#"{"event_ticker":"E","series_ticker":"S","fee_type_override":"quadratic_with_maker_fees",
            "fee_multiplier_override":null,"markets":[{"ticker":"M","event_ticker":"E","status":"active"},{"bad":1}]}"#;
        let mut event: Event = serde_json::from_str(json).unwrap();
        let series = FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 500 };
        assert_eq!(
            event.fees(series),
            FeeSchedule { fee_type: FeeType::QuadraticWithMakerFees, multiplier_milli: 500 }
        );
        assert_eq!(event.take_markets().len(), 1);
    }

    #[test]
    fn no_bids_are_yes_asks() {
        let json = r#"{"orderbook_fp":{"yes_dollars":[["0.4100","10.00"]],"no_dollars":[["0.5600","1.25"]]}}"#;
        let answer: OrderbookAnswer = serde_json::from_str(json).unwrap();
        let (bids, asks) = answer.orderbook_fp.levels().unwrap();
        assert_eq!(bids[0].price, Price::from_cents(41));
        assert_eq!(
            asks[0],
            Level { price: Price::from_cents(44), quantity: Quantity::from_raw(125) }
        );
        let empty: OrderbookAnswer =
            serde_json::from_str(r#"{"orderbook_fp":{"yes_dollars":null}}"#).unwrap();
        assert_eq!(empty.orderbook_fp.levels(), Some((vec![], vec![])));
    }
}
