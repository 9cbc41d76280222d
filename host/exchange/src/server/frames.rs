//! The bodies (`msg`) of WebSocket frames, and the JSON of their envelope.
//!
//! A public body is written once and shared by all connections; what differs between
//! connections (`sid`, `seq`, the time of sending) is in the envelope around it.

use std::fmt::Write as _;
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::core::{
    Account, BookDelta, Exchange, Fill, GroupChange, GroupUpdate, Level, Lifecycle, Market, Order,
    Position, Ticker, Trade,
};

/// Text of a frame's `msg`, shared.
pub(super) type Body = Arc<str>;

/// A frame on its way to one connection.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Its `type`.
    pub(super) kind: &'static str,
    /// The id of the command it answers.
    pub(super) id: Option<u64>,
    /// Its subscription.
    pub(super) sid: Option<u64>,
    /// Its place in the sequence of the subscription.
    pub(super) seq: Option<u64>,
    /// Its `msg`.
    pub(super) body: Option<Body>,
    /// Not sent before this, nor is what comes after it on its connection; none: at once.
    pub(super) due: Option<Instant>,
    /// It breaks off in the middle.
    pub(super) malformed: bool,
}

impl Frame {
    /// The text that is sent, at the time `now`.
    pub(super) fn render(&self, now: Timestamp) -> String {
        let body = self.body.as_deref();
        let mut text = String::with_capacity(body.map_or(0, str::len) + 128);
        text.push('{');
        if let Some(id) = self.id {
            let _ = write!(text, "\"id\":{id},");
        }
        let _ = write!(text, "\"type\":\"{}\",\"sending_ts_ms\":{}", self.kind, now.as_millis());
        if let Some(sid) = self.sid {
            let _ = write!(text, ",\"sid\":{sid}");
        }
        if let Some(seq) = self.seq {
            let _ = write!(text, ",\"seq\":{seq}");
        }
        if let Some(body) = body {
            text.push_str(",\"msg\":");
            text.push_str(body);
        }
        text.push('}');
        if self.malformed {
            // All of the text is ASCII but what clients named themselves: find a boundary.
            let half = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(half.unwrap_or(0));
        }
        text
    }
}

/// A time as Kalshi writes it: RFC 3339 in UTC.
pub(super) fn rfc3339(ts: Timestamp) -> String {
    let nanos = i128::from(ts.as_nanos());
    jiff::Timestamp::from_nanosecond(nanos / 1_000 * 1_000)
        .map_or_else(|_| String::from("1970-01-01T00:00:00Z"), |time| time.to_string())
}

/// `yes` for a bid, `no` for an ask.
pub(super) const fn outcome_side(side: Side) -> &'static str {
    match side {
        Side::Bid => "yes",
        Side::Ask => "no",
    }
}

/// The price of the other leg.
pub(super) fn no_price(price: Price) -> Price {
    price.complement().unwrap_or(Price::ZERO)
}

/// `orderbook_snapshot`. Levels ascend, and an empty side has no key.
pub(super) fn snapshot(market: &Market, use_yes_price: bool) -> Body {
    let mut body =
        format!("{{\"market_ticker\":\"{}\",\"market_id\":\"{}\"", market.spec.ticker, market.id);
    // Best first is descending for bids. An ask at 0.60 is a no bid at 0.40, so that the best
    // ask is the highest no price: descending too, unless it stays in the scale of the YES leg.
    let mut bids: Vec<Level> = market.book().levels(Side::Bid).collect();
    bids.reverse();
    let mut asks: Vec<Level> = market.book().levels(Side::Ask).collect();
    if !use_yes_price {
        asks.reverse();
        asks.iter_mut().for_each(|level| level.price = no_price(level.price));
    }
    push_levels(&mut body, "yes_dollars_fp", &bids);
    push_levels(&mut body, "no_dollars_fp", &asks);
    body.push('}');
    body.into()
}

fn push_levels(body: &mut String, key: &str, levels: &[Level]) {
    if levels.is_empty() {
        return;
    }
    let _ = write!(body, ",\"{key}\":[");
    for (at, level) in levels.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(body, "{comma}[\"{}\",\"{}\"]", level.price, level.quantity);
    }
    body.push(']');
}

/// `orderbook_delta`. `mine` adds the name of the order that caused it, and its subaccount.
pub(super) fn delta(
    market: &Market,
    delta: &BookDelta,
    use_yes_price: bool,
    mine: Option<(&str, u8)>,
) -> Body {
    let price = match delta.side {
        Side::Ask if !use_yes_price => no_price(delta.price),
        Side::Ask | Side::Bid => delta.price,
    };
    let mut body = format!(
        "{{\"market_ticker\":\"{}\",\"market_id\":\"{}\",\"price_dollars\":\"{price}\",\
         \"delta_fp\":\"{}\",\"side\":\"{}\",\"ts\":\"{}\",\"ts_ms\":{}",
        market.spec.ticker,
        market.id,
        delta.delta,
        outcome_side(delta.side),
        rfc3339(delta.ts),
        delta.ts.as_millis(),
    );
    if let Some((name, subaccount)) = mine {
        let _ = write!(body, ",\"client_order_id\":{}", Value::from(name));
        if subaccount > 0 {
            let _ = write!(body, ",\"subaccount\":{subaccount}");
        }
    }
    body.push('}');
    body.into()
}

/// `trade`.
pub(super) fn trade(market: &Market, trade: &Trade) -> Body {
    let side = outcome_side(trade.taker);
    format!(
        "{{\"trade_id\":\"{}\",\"market_ticker\":\"{}\",\"yes_price_dollars\":\"{}\",\
         \"no_price_dollars\":\"{}\",\"count_fp\":\"{}\",\"taker_side\":\"{side}\",\
         \"taker_outcome_side\":\"{side}\",\"taker_book_side\":\"{}\",\
         \"is_block_trade\":false,\"ts\":{},\"ts_ms\":{}}}",
        trade.id,
        market.spec.ticker,
        trade.price,
        no_price(trade.price),
        trade.count,
        trade.taker,
        trade.ts.as_secs(),
        trade.ts.as_millis(),
    )
    .into()
}

/// `ticker`. A side without a level shows the end of the scale and no size.
pub(super) fn ticker(market: &Market, ticker: &Ticker, ts: Timestamp) -> Body {
    let price = |level: Option<Level>, none| level.map_or(none, |level| level.price);
    let size = |level: Option<Level>| level.map_or(Quantity::ZERO, |level| level.quantity);
    let tape = &ticker.tape;
    format!(
        "{{\"market_id\":\"{}\",\"market_ticker\":\"{}\",\"price_dollars\":\"{}\",\
         \"yes_bid_dollars\":\"{}\",\"yes_ask_dollars\":\"{}\",\"volume_fp\":\"{}\",\
         \"open_interest_fp\":\"{}\",\"dollar_volume\":{},\"dollar_open_interest\":{},\
         \"yes_bid_size_fp\":\"{}\",\"yes_ask_size_fp\":\"{}\",\"last_trade_size_fp\":\"{}\",\
         \"ts\":{},\"ts_ms\":{},\"time\":\"{}\"}}",
        market.id,
        market.spec.ticker,
        tape.last_price.unwrap_or(Price::ZERO),
        price(ticker.bid, Price::ZERO),
        price(ticker.ask, Price::ONE),
        tape.volume,
        tape.open_interest,
        tape.dollar_volume.raw() / 1_000_000,
        tape.open_interest.raw() / 100,
        size(ticker.bid),
        size(ticker.ask),
        tape.last_size,
        ts.as_secs(),
        ts.as_millis(),
        rfc3339(ts),
    )
    .into()
}

/// `fill`.
pub(super) fn fill(exchange: &Exchange, fill: &Fill) -> Body {
    let market = exchange.market(fill.market);
    let side = outcome_side(fill.side);
    let mut body = json!({
        "trade_id": fill.trade_id.to_string(),
        "order_id": fill.order_id.to_string(),
        "market_ticker": market.spec.ticker,
        "exchange_index": market.exchange_index,
        "is_taker": fill.is_taker,
        "side": side,
        "yes_price_dollars": fill.price,
        "count_fp": fill.count,
        "fee_cost": fill.fee,
        "action": "buy",
        "ts": fill.ts.as_secs(),
        "ts_ms": fill.ts.as_millis(),
        "post_position_fp": fill.post_position,
        "purchased_side": side,
        "outcome_side": side,
        "book_side": fill.side,
        "subaccount": exchange.account(fill.account).subaccount,
    });
    if let Some(name) = &fill.client_order_id {
        body["client_order_id"] = json!(name);
    }
    body.to_string().into()
}

/// `user_order`.
pub(super) fn user_order(exchange: &Exchange, order: &Order) -> Body {
    let market = exchange.market(order.market);
    let owner = exchange.account(order.account);
    let side = outcome_side(order.side);
    let mut body = json!({
        "order_id": order.id.to_string(),
        "user_id": owner.user_id.to_string(),
        "ticker": market.spec.ticker,
        "exchange_index": order.exchange_index,
        "status": order.status.as_str(),
        "side": side,
        "is_yes": order.side == Side::Bid,
        "outcome_side": side,
        "book_side": order.side,
        "yes_price_dollars": order.price,
        "fill_count_fp": order.fill_count,
        "remaining_count_fp": order.remaining_count,
        "initial_count_fp": order.initial_count,
        "taker_fill_cost_dollars": order.taker_fill_cost,
        "maker_fill_cost_dollars": order.maker_fill_cost,
        "taker_fees_dollars": order.taker_fees,
        "maker_fees_dollars": order.maker_fees,
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "self_trade_prevention_type": order.self_trade_prevention.as_str(),
        "created_time": rfc3339(order.created),
        "created_ts_ms": order.created.as_millis(),
        "last_update_time": rfc3339(order.updated),
        "last_updated_ts_ms": order.updated.as_millis(),
        "subaccount_number": owner.subaccount,
    });
    if let Some(group) = &order.order_group_id {
        body["order_group_id"] = json!(group.to_string());
    }
    if let Some(expiration) = order.expiration {
        body["expiration_time"] = json!(rfc3339(expiration));
        body["expiration_ts_ms"] = json!(expiration.as_millis());
    }
    if let Some(reason) = order.last_update_reason {
        body["last_update_reason"] = json!(reason.as_str());
    }
    body.to_string().into()
}

/// `market_position`.
pub(super) fn market_position(owner: &Account, market: &Market, position: &Position) -> Body {
    json!({
        "user_id": owner.user_id.to_string(),
        "market_ticker": market.spec.ticker,
        "position_fp": position.quantity,
        "position_cost_dollars": position.cost,
        "realized_pnl_dollars": position.realized_pnl,
        "fees_paid_dollars": position.fees_paid,
        "position_fee_cost_dollars": position.fee_cost,
        "volume_fp": position.volume,
        "subaccount": owner.subaccount,
    })
    .to_string()
    .into()
}

/// `order_group_updates`.
pub(super) fn order_group(update: &GroupUpdate) -> Body {
    let (event_type, limit) = match update.change {
        GroupChange::Created { limit } => ("created", Some(limit)),
        GroupChange::Triggered => ("triggered", None),
        GroupChange::Reset => ("reset", None),
        GroupChange::Deleted => ("deleted", None),
        GroupChange::LimitUpdated { limit } => ("limit_updated", Some(limit)),
    };
    let mut body = json!({
        "event_type": event_type,
        "order_group_id": update.id.to_string(),
        "ts_ms": update.ts.as_millis(),
    });
    if let Some(limit) = limit {
        body["contracts_limit_fp"] = json!(limit);
    }
    body.to_string().into()
}

/// The type and the body of a frame of `market_lifecycle_v2`.
pub(super) fn lifecycle(exchange: &Exchange, change: &Lifecycle) -> (&'static str, Body) {
    let of_market = |market, event_type: &str| {
        let ticker = &exchange.market(market).spec.ticker;
        json!({ "market_ticker": ticker, "event_type": event_type })
    };
    let (kind, body) = match change {
        Lifecycle::EventCreated { event } => ("event_lifecycle", event_created(exchange, event)),
        Lifecycle::EventFees { event } => ("event_fee_update", event_fees(exchange, event)),
        Lifecycle::Created { market } => {
            ("market_lifecycle_v2", market_created(exchange.market(*market)))
        }
        Lifecycle::Activated { market } => {
            let mut body = of_market(*market, "activated");
            body["is_deactivated"] = json!(false);
            ("market_lifecycle_v2", body)
        }
        Lifecycle::Deactivated { market } => {
            let mut body = of_market(*market, "deactivated");
            body["is_deactivated"] = json!(true);
            ("market_lifecycle_v2", body)
        }
        Lifecycle::CloseDateUpdated { market, close_time } => {
            let mut body = of_market(*market, "close_date_updated");
            body["close_ts"] = json!(close_time.as_secs());
            ("market_lifecycle_v2", body)
        }
        Lifecycle::GridUpdated { market } => {
            let mut body = of_market(*market, "price_level_structure_updated");
            let grid = &exchange.market(*market).spec.grid;
            body["price_level_structure"] = json!(grid.name);
            body["price_ranges"] = price_ranges(exchange.market(*market));
            ("market_lifecycle_v2", body)
        }
        Lifecycle::Determined { market, outcome, ts } => {
            let mut body = of_market(*market, "determined");
            body["determination_ts"] = json!(ts.as_secs());
            body["result"] = json!(outcome.as_str());
            body["settlement_value"] = json!(outcome.value());
            ("market_lifecycle_v2", body)
        }
        Lifecycle::Settled { market, ts } => {
            let mut body = of_market(*market, "settled");
            body["settled_ts"] = json!(ts.as_secs());
            ("market_lifecycle_v2", body)
        }
    };
    (kind, body.to_string().into())
}

/// `price_ranges` of a market.
pub(super) fn price_ranges(market: &Market) -> Value {
    let range = |range: &crate::core::PriceRange| json!({ "start": range.start, "end": range.end, "step": range.step });
    market.spec.grid.ranges.iter().map(range).collect()
}

/// A multiplier in thousandths as the JSON number that Kalshi sends.
pub(super) fn multiplier(milli: u32) -> Value {
    if milli.is_multiple_of(1_000) {
        return json!(milli / 1_000);
    }
    json!(f64::from(milli) / 1_000.0)
}

fn market_created(market: &Market) -> Value {
    let spec = &market.spec;
    json!({
        "market_ticker": spec.ticker,
        "event_type": "created",
        "exchange_index": market.exchange_index,
        "open_ts": spec.open_time.as_secs(),
        "close_ts": spec.close_time.as_secs(),
        "price_level_structure": spec.grid.name,
        "price_ranges": price_ranges(market),
        "additional_metadata": {
            "name": spec.title,
            "title": spec.title,
            "yes_sub_title": spec.yes_sub_title,
            "no_sub_title": spec.no_sub_title,
            "rules_primary": spec.rules_primary,
            "rules_secondary": "",
            "can_close_early": true,
            "event_ticker": spec.event_ticker,
            "expected_expiration_ts": spec.expected_expiration_time.as_secs(),
            "strike_type": spec.strike_type,
            "custom_strike": spec.custom_strike,
        },
    })
}

fn event_created(exchange: &Exchange, ticker: &str) -> Value {
    let Some(event) = exchange.event(ticker) else { return json!({ "event_ticker": ticker }) };
    json!({
        "event_ticker": event.ticker,
        "exchange_index": event.exchange_index,
        "title": event.title,
        "subtitle": event.sub_title,
        "collateral_return_type": event.collateral_return_type,
        "series_ticker": event.series_ticker,
    })
}

fn event_fees(exchange: &Exchange, ticker: &str) -> Value {
    let fees = exchange.event(ticker).and_then(|event| event.fee_override);
    json!({
        "event_ticker": ticker,
        "fee_type_override": fees.map(|fees| fees.fee_type.as_str()),
        "fee_multiplier_override": fees.map(|fees| multiplier(fees.multiplier_milli)),
    })
}

/// The same JSON with every amount as a number: `"0.5500"` becomes `0.5500`.
pub(super) fn numbers_for_strings(json: &str) -> String {
    let is_amount = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.split_once('.').is_some_and(|(whole, fraction)| {
            let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            numeric(whole) && numeric(fraction)
        })
    };
    let mut out = String::with_capacity(json.len());
    let mut parts = json.split('"');
    out.push_str(parts.next().unwrap_or_default());
    // Between two quotes is a text, then what follows it, and so on.
    while let Some(text) = parts.next() {
        if is_amount(text) {
            out.push_str(text);
        } else {
            let _ = write!(out, "\"{text}\"");
        }
        out.push_str(parts.next().unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_an_envelope_around_its_body() {
        let mut frame = Frame {
            kind: "trade",
            id: None,
            sid: Some(3),
            seq: Some(7),
            body: Some(r#"{"a":"é"}"#.into()),
            due: None,
            malformed: false,
        };
        let now = Timestamp::from_millis(1_669_149_841_234);
        let text = frame.render(now);
        let expected =
            r#"{"type":"trade","sending_ts_ms":1669149841234,"sid":3,"seq":7,"msg":{"a":"é"}}"#;
        assert_eq!(text, expected);
        frame.malformed = true;
        assert!(serde_json::from_str::<Value>(&frame.render(now)).is_err());
    }

    #[test]
    fn amounts_become_numbers_and_other_texts_stay() {
        let json =
            r#"{"price_dollars":"0.9600","delta_fp":"-54.00","side":"yes","x":["1.0","v1.0"]}"#;
        let expected =
            r#"{"price_dollars":0.9600,"delta_fp":-54.00,"side":"yes","x":[1.0,"v1.0"]}"#;
        assert_eq!(numbers_for_strings(json), expected);
    }

    #[test]
    fn times_have_microseconds_at_most() {
        assert_eq!(rfc3339(Timestamp::from_secs(1_669_149_841)), "2022-11-22T20:44:01Z");
        let ts = Timestamp::from_nanos(1_669_149_841_000_123_999);
        assert_eq!(rfc3339(ts), "2022-11-22T20:44:01.000123Z");
    }

    #[test]
    fn multipliers_are_numbers() {
        assert_eq!(multiplier(1_000).to_string(), "1");
        assert_eq!(multiplier(500).to_string(), "0.5");
    }
}
