//! What is public: markets, events, series, milestones, trades. None of it needs a key.

use std::sync::Arc;

use hotpit_units::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::query::encoded;
use super::{CallError, Client, Query};
use crate::kalshi::http::Transport;
use crate::kalshi::wire::market::{
    Event, Market, Milestone, Orderbook, OrderbookAnswer, Series, StructuredTarget, Trade, readable,
};
use crate::kalshi::wire::or_default;
use crate::model;

/// The most tickers of one `GET /markets`, so that its address stays below 8 KB.
const TICKERS_PER_REQUEST: usize = 100;

#[derive(Deserialize)]
struct MarketsPage {
    #[serde(deserialize_with = "or_default")]
    markets: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct EventsPage {
    #[serde(deserialize_with = "or_default")]
    events: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct EventAnswer {
    event: Event,
}

#[derive(Deserialize)]
struct SeriesAnswer {
    series: Series,
}

#[derive(Deserialize)]
struct SeriesListAnswer {
    #[serde(deserialize_with = "or_default")]
    series: Vec<Value>,
}

#[derive(Deserialize)]
struct MilestonesPage {
    #[serde(deserialize_with = "or_default")]
    milestones: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct TargetAnswer {
    structured_target: StructuredTarget,
}

#[derive(Deserialize)]
struct TradesPage {
    #[serde(deserialize_with = "or_default")]
    trades: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

impl<T: Transport> Client<T> {
    /// `GET /markets` for these tickers. One that the exchange does not know is missing from the
    /// answer.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn markets(&self, tickers: &[Arc<str>]) -> Result<Vec<Market>, CallError> {
        let mut markets = Vec::with_capacity(tickers.len());
        for chunk in tickers.chunks(TICKERS_PER_REQUEST) {
            let query = Query::new().with("tickers", chunk.join(",")).with("limit", 1_000);
            self.get_pages("/markets", query, |page: MarketsPage| {
                markets.extend(readable::<Market>(page.markets));
                page.cursor
            })
            .await?;
        }
        Ok(markets)
    }

    /// `GET /events/{event_ticker}` with its markets.
    ///
    /// # Errors
    /// [`CallError::NotFound`] where there is no such event, or not yet: right after `created`
    /// that is normal.
    pub async fn event(&self, ticker: &str) -> Result<Event, CallError> {
        let path = format!("/events/{}", encoded(ticker));
        let query = Query::new().with("with_nested_markets", true);
        Ok(self.get::<EventAnswer>(&path, &query).await?.event)
    }

    /// `GET /events` of a series with their markets, every page; `status` is one of `unopened`,
    /// `open`, `closed`, `settled`.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn events_of_series(
        &self,
        series: &str,
        status: &str,
    ) -> Result<Vec<Event>, CallError> {
        let query = Query::new()
            .with("series_ticker", series)
            .with("status", status)
            .with("with_nested_markets", true)
            .with("limit", 200);
        let mut events = Vec::new();
        self.get_pages("/events", query, |page: EventsPage| {
            events.extend(readable::<Event>(page.events));
            page.cursor
        })
        .await?;
        Ok(events)
    }

    /// `GET /series/{series_ticker}`.
    ///
    /// # Errors
    /// When there is no such series, or it cannot be read.
    pub async fn series(&self, ticker: &str) -> Result<Series, CallError> {
        let path = format!("/series/{}", encoded(ticker));
        Ok(self.get::<SeriesAnswer>(&path, &Query::new()).await?.series)
    }

    /// `GET /series`, of a category such as `Sports` or all. It has no pages.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn all_series(&self, category: Option<&str>) -> Result<Vec<Series>, CallError> {
        let query = Query::new().with_some("category", category);
        Ok(readable(self.get::<SeriesListAnswer>("/series", &query).await?.series))
    }

    /// `GET /milestones` of a kind that start at `since` or later, every page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn milestones(
        &self,
        kind: &str,
        since: Timestamp,
    ) -> Result<Vec<Milestone>, CallError> {
        let query = Query::new()
            .with("type", kind)
            .with("limit", 500)
            .with_some("minimum_start_date", rfc3339_text(since));
        self.milestone_pages(query).await
    }

    /// `GET /milestones` that an event belongs to: its game.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn milestones_of_event(&self, event: &str) -> Result<Vec<Milestone>, CallError> {
        self.milestone_pages(Query::new().with("related_event_ticker", event).with("limit", 500))
            .await
    }

    async fn milestone_pages(&self, query: Query) -> Result<Vec<Milestone>, CallError> {
        let mut milestones = Vec::new();
        self.get_pages("/milestones", query, |page: MilestonesPage| {
            milestones.extend(readable::<Milestone>(page.milestones));
            page.cursor
        })
        .await?;
        Ok(milestones)
    }

    /// `GET /structured_targets/{id}`.
    ///
    /// # Errors
    /// When there is no such target, or it cannot be read.
    pub async fn structured_target(&self, id: &str) -> Result<StructuredTarget, CallError> {
        let path = format!("/structured_targets/{}", encoded(id));
        Ok(self.get::<TargetAnswer>(&path, &Query::new()).await?.structured_target)
    }

    /// `GET /markets/{ticker}/orderbook`: the book without sequence or time. It cannot be joined
    /// to the WebSocket's.
    ///
    /// # Errors
    /// When there is no such market, or the book cannot be read.
    pub async fn orderbook(&self, ticker: &str) -> Result<Orderbook, CallError> {
        let path = format!("/markets/{}/orderbook", encoded(ticker));
        Ok(self.get::<OrderbookAnswer>(&path, &Query::new()).await?.orderbook_fp)
    }

    /// `GET /markets/trades` since a time, of one market or of all, every page, block trades
    /// left out; oldest first.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn trades(
        &self,
        ticker: Option<&str>,
        since: Timestamp,
    ) -> Result<Vec<model::Trade>, CallError> {
        let query = Query::new()
            .with_some("ticker", ticker)
            .with("min_ts", since.as_secs())
            .with("limit", 1_000);
        let mut trades = Vec::new();
        self.get_pages("/markets/trades", query, |page: TradesPage| {
            trades.extend(
                readable::<Trade>(page.trades)
                    .into_iter()
                    .filter(|trade| !trade.is_block_trade)
                    .filter_map(|trade| model::Trade::try_from(trade).ok()),
            );
            page.cursor
        })
        .await?;
        trades.sort_by_key(|trade| trade.ts);
        Ok(trades)
    }
}

/// A time in RFC 3339 form, to the second.
fn rfc3339_text(time: Timestamp) -> Option<String> {
    let secs = i64::try_from(time.as_secs()).ok()?;
    jiff::Timestamp::from_second(secs).ok().map(|time| time.to_string())
}
