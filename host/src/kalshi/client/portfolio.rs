//! The account, beyond what the desk compares: what was paid out, and how fresh reads are.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::{CallError, Client, Query};
use crate::kalshi::http::Transport;
use crate::kalshi::wire::market::{readable, settlement};
use crate::kalshi::wire::{or_default, rfc3339};

/// A market that paid out while we held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The market.
    pub ticker: Arc<str>,
    /// What one YES contract paid; none where the exchange does not say.
    pub price: Option<Price>,
    /// What was held; more than zero is YES.
    pub quantity: Quantity,
    /// What was paid to us.
    pub revenue: Dollars,
    /// What was charged for it.
    pub fee: Dollars,
    /// When.
    pub ts: Timestamp,
}

#[derive(Deserialize)]
struct SettlementsPage {
    #[serde(deserialize_with = "or_default")]
    settlements: Vec<Value>,
    #[serde(default)]
    cursor: Option<String>,
}

/// Kalshi, `Settlement`.
#[derive(Deserialize)]
pub(super) struct WireSettlement {
    ticker: Arc<str>,
    #[serde(default)]
    market_result: String,
    yes_count_fp: Quantity,
    no_count_fp: Quantity,
    /// In cents.
    revenue: i64,
    /// In cents, for one YES contract.
    #[serde(default)]
    value: Option<u32>,
    fee_cost: Dollars,
    settled_time: String,
}

#[derive(Deserialize)]
pub(super) struct AsOf {
    as_of_time: String,
}

impl<T: Transport> Client<T> {
    /// `GET /portfolio/settlements` of our subaccount since a time, every page. A settlement bears
    /// no number: that it is ours is the exchange's word alone.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn settlements(&self, since: Timestamp) -> Result<Vec<Settlement>, CallError> {
        let query = self.ours().with("min_ts", since.as_secs()).with("limit", 1_000);
        let mut settlements = Vec::new();
        self.get_pages("/portfolio/settlements", query, |page: SettlementsPage| {
            let read = readable::<WireSettlement>(page.settlements);
            settlements.extend(read.into_iter().filter_map(Settlement::read));
            page.cursor
        })
        .await?;
        Ok(settlements)
    }

    /// `GET /exchange/user_data_timestamp`: as of when balance, orders, fills and positions read
    /// are true.
    ///
    /// # Errors
    /// When it cannot be read, or is no time.
    pub async fn user_data_as_of(&self) -> Result<Timestamp, CallError> {
        let answer: AsOf = self.get("/exchange/user_data_timestamp", &Query::new()).await?;
        rfc3339(&answer.as_of_time)
            .ok_or_else(|| super::venue::unreadable(format!("{} is no time", answer.as_of_time)))
    }
}

impl Settlement {
    fn read(read: WireSettlement) -> Option<Self> {
        let value = read.value.and_then(|cents| cents.checked_mul(100)).map(Price::from_raw);
        Some(Self {
            ticker: read.ticker,
            price: settlement(&read.market_result, value),
            quantity: read.yes_count_fp.checked_add(-read.no_count_fp)?,
            revenue: Dollars::from_raw(read.revenue.checked_mul(10_000)?),
            fee: read.fee_cost,
            ts: rfc3339(&read.settled_time)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kalshi::client::tests::{Fake, client};

    #[tokio::test]
    async fn a_settlement_is_read_in_our_units() {
        let api = Arc::new(Fake::default());
        let page = r#"{"cursor":"","settlements":[{"ticker":"A","event_ticker":"E",
            "market_result":"yes","yes_count_fp":"0.00","yes_total_cost_dollars":"0.00",
            "no_count_fp":"12.50","no_total_cost_dollars":"4.00","revenue":0,"value":100,
            "settled_time":"2026-11-22T20:44:01Z","fee_cost":"0.0300"},{"new":"form"}]}"#;
        api.json("GET /portfolio/settlements", page);
        let settlements = client(&api).settlements(Timestamp::from_secs(5)).await.unwrap();
        let expected = Settlement {
            ticker: "A".into(),
            price: Some(Price::ONE),
            quantity: Quantity::from_raw(-1_250),
            revenue: Dollars::ZERO,
            fee: Dollars::from_raw(30_000),
            ts: rfc3339("2026-11-22T20:44:01Z").unwrap(),
        };
        assert_eq!(settlements, [expected]);
        assert!(api.calls()[0].contains("?subaccount=0&min_ts=5&"));
    }
}
