//! Markets, their books and trades (Kalshi, REST, `/markets`).

use axum::Json;
use axum::extract::{Path, State};
use hotpit_units::{Price, Quantity, Side};
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::frames::{no_price, outcome_side, price_ranges, rfc3339};
use super::Answer;
use super::query::Params;
use crate::core::{Exchange, Level, Market, MarketKey, Trade};

/// Levels of a side when nothing else is asked for.
const DEPTH_MAX: i64 = 100;

/// `GET /markets`
pub(super) async fn list(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    let page = params.page(100, 1_000)?;
    let filter = MarketFilter::new(&params)?;
    let answer = app.floor.ask(move |floor| {
        let listed = floor.exchange.markets().iter().filter(|market| filter.admits(market));
        let (markets, cursor) =
            page.cut(listed, |market| market.spec.ticker.to_string(), market_json);
        json!({ "markets": markets, "cursor": cursor })
    });
    Ok(Json(answer.await?))
}

/// `GET /markets/{ticker}`
pub(super) async fn one(State(app): State<App>, Path(ticker): Path<String>) -> Answer<Json<Value>> {
    let answer = app.floor.ask(move |floor| {
        let key = find(&floor.exchange, &ticker)?;
        Ok::<_, ApiError>(json!({ "market": market_json(floor.exchange.market(key)) }))
    });
    Ok(Json(answer.await??))
}

/// `GET /markets/{ticker}/orderbook`: bids of both legs, ascending, best last.
pub(super) async fn orderbook(
    State(app): State<App>,
    Path(ticker): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let depth = params.number("depth")?.filter(|depth| *depth != 0).unwrap_or(DEPTH_MAX);
    if !(1..=DEPTH_MAX).contains(&depth) {
        return Err(ApiError::bad_query("depth is not between 0 and 100"));
    }
    let depth = usize::try_from(depth).unwrap_or(usize::MAX);
    let answer = app.floor.ask(move |floor| {
        let key = find(&floor.exchange, &ticker)?;
        Ok::<_, ApiError>(json!({ "orderbook_fp": book_json(floor.exchange.market(key), depth) }))
    });
    Ok(Json(answer.await??))
}

/// `GET /markets/orderbooks?tickers=..&tickers=..`
pub(super) async fn orderbooks(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    let tickers: Vec<String> = params.all("tickers").map(str::to_owned).collect();
    if tickers.is_empty() {
        return Err(ApiError::argument_required("tickers"));
    }
    if tickers.len() > 100 {
        return Err(ApiError::bad_query("tickers has more than 100 tickers"));
    }
    let answer = app.floor.ask(move |floor| {
        let exchange = &floor.exchange;
        let book = |ticker: &String| {
            let market = exchange.market(exchange.find(ticker).ok()?);
            Some(json!({ "ticker": ticker, "orderbook_fp": book_json(market, usize::MAX) }))
        };
        json!({ "orderbooks": tickers.iter().filter_map(book).collect::<Vec<_>>() })
    });
    Ok(Json(answer.await?))
}

/// `GET /markets/trades`, newest first.
pub(super) async fn trades(State(app): State<App>, params: Params) -> Answer<Json<Value>> {
    let page = params.page(100, 1_000)?;
    let (min_ts, max_ts) = (params.number("min_ts")?, params.number("max_ts")?);
    let blocks_only = params.flag("is_block_trade")?;
    let answer = app.floor.ask(move |floor| {
        let exchange = &floor.exchange;
        let keys: Vec<MarketKey> = match params.text("ticker") {
            Some(ticker) => exchange.find(ticker).into_iter().collect(),
            None => exchange.markets().iter().map(|market| market.key).collect(),
        };
        let mut listed: Vec<&Trade> = keys
            .into_iter()
            .flat_map(|key| exchange.trades(key).rev())
            .filter(|trade| {
                let secs = i64::try_from(trade.ts.as_secs()).unwrap_or(i64::MAX);
                !blocks_only
                    && min_ts.is_none_or(|min| secs >= min)
                    && max_ts.is_none_or(|max| secs <= max)
            })
            .collect();
        // Stable, so that trades of one instant stay in their order within a market.
        listed.sort_by_key(|trade| std::cmp::Reverse(trade.ts));
        let (trades, cursor) = page.cut(
            listed.into_iter(),
            |trade| trade.id.to_string(),
            |trade| trade_json(exchange, trade),
        );
        json!({ "trades": trades, "cursor": cursor })
    });
    Ok(Json(answer.await?))
}

fn find(exchange: &Exchange, ticker: &str) -> Answer<MarketKey> {
    exchange.find(ticker).map_err(|_| ApiError::not_found("market"))
}

/// The filters of `GET /markets`.
struct MarketFilter {
    event: Option<String>,
    series: Option<String>,
    tickers: Option<Vec<String>>,
    status: Option<String>,
    created: Span,
    closes: Span,
    settled: Span,
    min_updated: Option<i64>,
    combos_only: bool,
}

/// A span of time in seconds, both ends in it.
#[derive(Debug, Clone, Copy)]
struct Span(Option<i64>, Option<i64>);

impl Span {
    fn new(params: &Params, name: &str) -> Answer<Self> {
        let min = params.number(&format!("min_{name}_ts"))?;
        Ok(Self(min, params.number(&format!("max_{name}_ts"))?))
    }

    const fn is_given(self) -> bool {
        self.0.is_some() || self.1.is_some()
    }

    fn admits(self, secs: u64) -> bool {
        let secs = i64::try_from(secs).unwrap_or(i64::MAX);
        self.0.is_none_or(|min| secs >= min) && self.1.is_none_or(|max| secs <= max)
    }
}

impl MarketFilter {
    fn new(params: &Params) -> Answer<Self> {
        let text = |name| params.text(name).map(str::to_owned);
        let status = text("status");
        if let Some(word) = &status
            && !matches!(word.as_str(), "unopened" | "open" | "paused" | "closed" | "settled")
        {
            return Err(ApiError::bad_query("status is invalid"));
        }
        let created = Span::new(params, "created")?;
        let closes = Span::new(params, "close")?;
        let settled = Span::new(params, "settled")?;
        let min_updated = params.number("min_updated_ts")?;
        let families = [created.is_given(), closes.is_given(), settled.is_given()];
        let given = families.iter().filter(|given| **given).count();
        if given + usize::from(min_updated.is_some()) > 1 {
            return Err(ApiError::bad_query("timestamp filters exclude each other"));
        }
        Ok(Self {
            event: text("event_ticker"),
            series: text("series_ticker"),
            tickers: params
                .list("tickers")
                .map(|tickers| tickers.into_iter().map(str::to_owned).collect()),
            status,
            created,
            closes,
            settled,
            min_updated,
            combos_only: params.text("mve_filter") == Some("only"),
        })
    }

    fn admits(&self, market: &Market) -> bool {
        let spec = &market.spec;
        let settled = || market.settled.is_some_and(|ts| self.settled.admits(ts.as_secs()));
        !self.combos_only
            && self.event.as_deref().is_none_or(|event| event == &*spec.event_ticker)
            && self.series.as_deref().is_none_or(|series| series == &*market.series_ticker)
            && self.tickers.as_ref().is_none_or(|all| all.iter().any(|one| **one == *spec.ticker))
            && self.status.as_deref().is_none_or(|word| market.status.filter_word() == Some(word))
            && self.created.admits(market.created.as_secs())
            && self.closes.admits(spec.close_time.as_secs())
            && (!self.settled.is_given() || settled())
            && Span(self.min_updated, None).admits(market.updated.as_secs())
    }
}

/// A market as the REST API shows it.
pub(super) fn market_json(market: &Market) -> Value {
    let spec = &market.spec;
    let ticker = market.ticker();
    let price = |level: Option<Level>, none: Price| level.map_or(none, |level| level.price);
    let size = |level: Option<Level>| level.map_or(Quantity::ZERO, |level| level.quantity);
    let (bid, ask) = (price(ticker.bid, Price::ZERO), price(ticker.ask, Price::ONE));
    let mut json = json!({
        "ticker": spec.ticker,
        "event_ticker": spec.event_ticker,
        "market_type": "binary",
        "title": spec.title,
        "subtitle": "",
        "yes_sub_title": spec.yes_sub_title,
        "no_sub_title": spec.no_sub_title,
        "created_time": rfc3339(market.created),
        "updated_time": rfc3339(market.updated),
        "open_time": rfc3339(spec.open_time),
        "close_time": rfc3339(spec.close_time),
        "expected_expiration_time": rfc3339(spec.expected_expiration_time),
        "expiration_time": rfc3339(spec.expected_expiration_time),
        "latest_expiration_time": rfc3339(spec.close_time),
        "occurrence_datetime": rfc3339(spec.occurrence_time),
        "settlement_timer_seconds": 60,
        "status": market.status.as_str(),
        "notional_value_dollars": Price::ONE,
        "yes_bid_dollars": bid,
        "yes_bid_size_fp": size(ticker.bid),
        "yes_ask_dollars": ask,
        "yes_ask_size_fp": size(ticker.ask),
        "no_bid_dollars": no_price(ask),
        "no_ask_dollars": no_price(bid),
        "last_price_dollars": ticker.tape.last_price.unwrap_or(Price::ZERO),
    });
    let rest = json!({
        "previous_yes_bid_dollars": Price::ZERO,
        "previous_yes_ask_dollars": Price::ZERO,
        "previous_price_dollars": Price::ZERO,
        "volume_fp": ticker.tape.volume,
        "volume_24h_fp": ticker.tape.volume,
        "open_interest_fp": ticker.tape.open_interest,
        "result": market.outcome.map_or("", |outcome| outcome.as_str()),
        "can_close_early": true,
        "expiration_value": "",
        "rules_primary": spec.rules_primary,
        "rules_secondary": "",
        "strike_type": spec.strike_type,
        "custom_strike": spec.custom_strike,
        "price_level_structure": spec.grid.name,
        "price_ranges": price_ranges(market),
        "exchange_index": market.exchange_index,
    });
    if let (Value::Object(fields), Value::Object(rest)) = (&mut json, rest) {
        fields.extend(rest);
    }
    if let Some(outcome) = market.outcome {
        json["settlement_value_dollars"] = json!(outcome.value());
    }
    if let Some(settled) = market.settled {
        json["settlement_ts"] = json!(rfc3339(settled));
    }
    json
}

fn book_json(market: &Market, depth: usize) -> Value {
    let levels = |side: Side| {
        let mut best: Vec<Level> = market.book().levels(side).take(depth).collect();
        best.reverse();
        let price = |level: &Level| match side {
            Side::Bid => level.price,
            Side::Ask => no_price(level.price),
        };
        best.iter().map(|level| json!([price(level), level.quantity])).collect::<Vec<_>>()
    };
    json!({ "yes_dollars": levels(Side::Bid), "no_dollars": levels(Side::Ask) })
}

fn trade_json(exchange: &Exchange, trade: &Trade) -> Value {
    let side = outcome_side(trade.taker);
    json!({
        "trade_id": trade.id.to_string(),
        "ticker": exchange.market(trade.market).spec.ticker,
        "count_fp": trade.count,
        "yes_price_dollars": trade.price,
        "no_price_dollars": no_price(trade.price),
        "taker_side": side,
        "taker_outcome_side": side,
        "taker_book_side": trade.taker,
        "created_time": rfc3339(trade.ts),
        "is_block_trade": false,
    })
}
