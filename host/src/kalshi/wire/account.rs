//! Balance, positions, limits of the account, and the exchange's status.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Quantity};
use serde::Deserialize;

use super::super::http::Method;
use super::super::limits::Rate;
use super::{Lenient, or_default};
use crate::model::VenuePosition;

/// `GET /account/limits`.
#[derive(Debug, Clone, Deserialize)]
pub struct AccountLimits {
    /// The name of the tier.
    #[serde(default)]
    pub usage_tier: String,
    /// The bucket for reads.
    pub read: BucketLimit,
    /// The bucket for writes; each shard has one like it.
    pub write: BucketLimit,
}

/// One bucket of [`AccountLimits`], in tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct BucketLimit {
    refill_rate: Lenient,
    bucket_capacity: Lenient,
}

impl BucketLimit {
    /// The bucket's rate; none where the numbers make no bucket.
    #[must_use]
    pub fn rate(self) -> Option<Rate> {
        let number = |number: Lenient| number.0.and_then(|number| u32::try_from(number).ok());
        let refill = number(self.refill_rate).filter(|refill| *refill > 0)?;
        let capacity = number(self.bucket_capacity).filter(|capacity| *capacity > 0);
        Some(Rate { refill, capacity: capacity.unwrap_or(refill) })
    }
}

/// `GET /account/endpoint_costs`.
#[derive(Debug, Clone, Deserialize)]
pub struct EndpointCosts {
    /// What a call costs that is not listed, in tokens.
    pub default_cost: u32,
    /// The calls that cost something else.
    #[serde(default, deserialize_with = "or_default")]
    pub endpoint_costs: Vec<EndpointCost>,
}

/// One call of [`EndpointCosts`].
#[derive(Debug, Clone, Deserialize)]
pub struct EndpointCost {
    method: String,
    path: String,
    cost: u32,
}

impl EndpointCosts {
    /// What a call costs. `path` without the version of the API, its parameters in any form.
    #[must_use]
    pub fn cost(&self, method: Method, path: &str) -> u32 {
        let wanted = shape(path);
        self.endpoint_costs
            .iter()
            .find(|cost| {
                cost.method.eq_ignore_ascii_case(method.as_str()) && shape(&cost.path) == wanted
            })
            .map_or(self.default_cost, |cost| cost.cost)
    }
}

/// A path without the version of the API, with `*` in place of each parameter: routes are
/// written with `:id` and with `{id}`.
fn shape(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("/trade-api/v2").unwrap_or(path);
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| if segment.starts_with([':', '{']) { "*" } else { segment })
        .collect()
}

/// `GET /portfolio/balance`.
#[derive(Debug, Clone, Deserialize)]
pub struct Balance {
    balance_dollars: Option<Dollars>,
    balance: Option<i64>,
    #[serde(default, deserialize_with = "or_default")]
    balance_breakdown: Vec<ShardBalance>,
}

/// What is free on one shard.
#[derive(Debug, Clone, Copy, Deserialize)]
struct ShardBalance {
    exchange_index: i32,
    balance: Dollars,
}

impl Balance {
    /// What is free on each shard; on shard 0 where the answer does not say, because that is the
    /// shard of accounts that were never told of another. None where it names no balance.
    #[must_use]
    pub fn by_shard(&self) -> Option<BTreeMap<i32, Dollars>> {
        if self.balance_breakdown.is_empty() {
            let cents = self.balance.and_then(|cents| cents.checked_mul(10_000));
            let all = self.balance_dollars.or(cents.map(Dollars::from_raw))?;
            return Some([(0, all)].into());
        }
        let mut shards: BTreeMap<i32, Dollars> = BTreeMap::new();
        for shard in &self.balance_breakdown {
            *shards.entry(shard.exchange_index).or_default() += shard.balance;
        }
        Some(shards)
    }
}

/// A position of `GET /portfolio/positions`.
#[derive(Debug, Clone, Deserialize)]
pub struct Position {
    ticker: Arc<str>,
    position_fp: Quantity,
}

impl From<Position> for VenuePosition {
    fn from(position: Position) -> Self {
        Self { ticker: position.ticker, quantity: position.position_fp }
    }
}

/// `GET /exchange/status`; also the body of some 503 and 504.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExchangeStatus {
    /// Whether the exchange changes any state at all.
    pub exchange_active: bool,
    /// Whether orders are accepted. During a pause of trading alone, cancels still are.
    pub trading_active: bool,
    /// The end of the outage, as Kalshi expects it, in RFC 3339.
    #[serde(default)]
    pub exchange_estimated_resume_time: Option<String>,
    /// The same for each shard.
    #[serde(default, deserialize_with = "or_default")]
    pub exchange_index_statuses: Vec<ShardStatus>,
}

/// The status of one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct ShardStatus {
    /// The shard.
    pub exchange_index: i32,
    /// Whether it changes any state at all.
    pub exchange_active: bool,
    /// Whether it accepts orders.
    pub trading_active: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_balance_is_that_of_each_shard() {
        let cases = [
            (
                r#"{"balance":1050,"balance_dollars":"10.5000","portfolio_value":0}"#,
                Some(vec![(0, 10_500_000)]),
            ),
            (r#"{"balance":1050}"#, Some(vec![(0, 10_500_000)])),
            (
                r#"{"balance_dollars":"10.00","balance_breakdown":[
                    {"exchange_index":0,"balance":"10.00"},{"exchange_index":3,"balance":"2.50"}]}"#,
                Some(vec![(0, 10_000_000), (3, 2_500_000)]),
            ),
            (r#"{"balance_breakdown":null}"#, None),
        ];
        for (json, expected) in cases {
            let balance: Balance = serde_json::from_str(json).unwrap();
            let shards = balance.by_shard().map(|shards| {
                shards.into_iter().map(|(shard, free)| (shard, free.raw())).collect::<Vec<_>>()
            });
            assert_eq!(shards, expected, "{json}");
        }
    }

    #[test]
    fn a_bucket_without_numbers_is_no_rate() {
        let limit: BucketLimit =
            serde_json::from_str(r#"{"refill_rate":0,"bucket_capacity":5}"#).unwrap();
        assert_eq!(limit.rate(), None);
        let limit: BucketLimit =
            serde_json::from_str(r#"{"refill_rate":"7","bucket_capacity":null}"#).unwrap();
        assert_eq!(limit.rate(), Some(Rate { refill: 7, capacity: 7 }));
    }
}
