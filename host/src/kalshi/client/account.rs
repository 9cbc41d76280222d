//! What the exchange says of our account: orders, their places in the queue, fills, positions,
//! cash.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Quantity, Timestamp};
use serde::Deserialize;

use super::query::encoded;
use super::venue::unreadable;
use super::{CallError, Client, Query};
use crate::kalshi::http::Transport;
use crate::kalshi::wire::account::{Balance, Position};
use crate::kalshi::wire::or_default;
use crate::kalshi::wire::order::{Fill, Order};
use crate::model::{VenueFill, VenueOrder, VenueOrderId, VenuePosition};

/// The most items of a page. Kalshi: 1,000 for orders, fills and positions.
const PAGE: u32 = 1_000;

/// Which part of our subaccount to read; by default all of it, on every shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter<'a> {
    /// One market.
    pub ticker: Option<&'a str>,
    /// The markets of an event; not for fills.
    pub event_ticker: Option<&'a str>,
    /// `resting`, `executed` or `canceled`; for orders alone.
    pub status: Option<&'a str>,
    /// One order; for fills alone.
    pub order_id: Option<&'a str>,
    /// Made at this time or later; for orders and fills, to the second.
    pub since: Option<Timestamp>,
    /// Made before this time; for orders and fills, to the second.
    pub until: Option<Timestamp>,
    /// One shard.
    pub exchange_index: Option<i32>,
}

impl Filter<'_> {
    /// The query, begun with our subaccount: left out, some calls mean the primary account and
    /// others all of the key.
    fn query(&self, ours: Query) -> Query {
        ours.with_some("ticker", self.ticker)
            .with_some("event_ticker", self.event_ticker)
            .with_some("order_id", self.order_id)
            .with_some("min_ts", self.since.map(Timestamp::as_secs))
            .with_some("max_ts", self.until.map(Timestamp::as_secs))
            .with_some("status", self.status)
            .with_some("exchange_index", self.exchange_index)
    }
}

/// How much stands before an order of ours at its price.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QueuePosition {
    /// The exchange's name for the order.
    pub order_id: String,
    /// The market.
    pub market_ticker: Arc<str>,
    /// Contracts that trade before it.
    #[serde(rename = "queue_position_fp")]
    pub ahead: Quantity,
}

#[derive(Deserialize)]
struct OrdersPage {
    #[serde(deserialize_with = "or_default")]
    orders: Vec<Order>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct FillsPage {
    #[serde(deserialize_with = "or_default")]
    fills: Vec<Fill>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct PositionsPage {
    #[serde(deserialize_with = "or_default")]
    market_positions: Vec<Position>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct OrderAnswer {
    order: Order,
}

#[derive(Deserialize)]
pub(super) struct QueueAnswer {
    queue_position_fp: Quantity,
}

#[derive(Deserialize)]
struct QueuesAnswer {
    #[serde(deserialize_with = "or_default")]
    queue_positions: Vec<QueuePosition>,
}

impl<T: Transport> Client<T> {
    /// The query for what is ours: our subaccount.
    pub(super) fn ours(&self) -> Query {
        Query::new().with("subaccount", self.settings.subaccount)
    }

    /// That an item of a listing is of the subaccount that was asked for. One of another shows
    /// that the exchange does not heed what was asked, and then nothing it lists is to be relied
    /// on: positions bear no number.
    fn check_ours(&self, what: &str, subaccount: Option<u8>) -> Result<(), CallError> {
        let ours = self.settings.subaccount;
        match subaccount.filter(|subaccount| *subaccount != ours) {
            None => Ok(()),
            Some(other) => Err(unreadable(format!(
                "{what} of subaccount {other} where those of subaccount {ours} were asked for"
            ))),
        }
    }

    /// `GET /portfolio/orders` of our subaccount, every page.
    ///
    /// # Errors
    /// When a page, or an order on one, cannot be read: an order that is left out would look as
    /// if it did not exist. When an order is of another subaccount.
    pub async fn orders(&self, filter: &Filter<'_>) -> Result<Vec<VenueOrder>, CallError> {
        let query = filter.query(self.ours()).with("limit", PAGE);
        let mut orders = Vec::new();
        self.get_pages("/portfolio/orders", query, |page: OrdersPage| {
            orders.extend(page.orders);
            page.cursor
        })
        .await?;
        let read = |order: Order| {
            self.check_ours("an order", order.subaccount())?;
            VenueOrder::try_from(order).map_err(unreadable)
        };
        orders.into_iter().map(read).collect()
    }

    /// `GET /portfolio/orders/{order_id}`.
    ///
    /// # Errors
    /// When there is no such order, or it cannot be read.
    pub async fn order(&self, id: &VenueOrderId) -> Result<VenueOrder, CallError> {
        let path = format!("/portfolio/orders/{}", encoded(id.as_str()));
        let tokens = self.limits().costs().order_read;
        let answer: OrderAnswer = self.get_for(tokens, &path, &Query::new()).await?;
        VenueOrder::try_from(answer.order).map_err(unreadable)
    }

    /// `GET /portfolio/orders/{order_id}/queue_position`: how many contracts trade before it.
    ///
    /// # Errors
    /// When there is no such order, or it cannot be read.
    pub async fn queue_position(&self, id: &VenueOrderId) -> Result<Quantity, CallError> {
        let path = format!("/portfolio/orders/{}/queue_position", encoded(id.as_str()));
        Ok(self.get::<QueueAnswer>(&path, &Query::new()).await?.queue_position_fp)
    }

    /// `GET /portfolio/orders/queue_positions` of our resting orders in these markets.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn queue_positions(
        &self,
        tickers: &[Arc<str>],
    ) -> Result<Vec<QueuePosition>, CallError> {
        let query = self.ours().with("market_tickers", tickers.join(","));
        let path = "/portfolio/orders/queue_positions";
        Ok(self.get::<QueuesAnswer>(path, &query).await?.queue_positions)
    }

    /// `GET /portfolio/fills` of our subaccount, every page.
    ///
    /// # Errors
    /// When a page, or a fill on one, cannot be read. When a fill is of another subaccount.
    pub async fn fills(&self, filter: &Filter<'_>) -> Result<Vec<VenueFill>, CallError> {
        let query = filter.query(self.ours()).with("limit", PAGE);
        let mut fills = Vec::new();
        self.get_pages("/portfolio/fills", query, |page: FillsPage| {
            fills.extend(page.fills);
            page.cursor
        })
        .await?;
        let read = |fill: Fill| {
            self.check_ours("a fill", fill.subaccount())?;
            VenueFill::try_from(fill).map_err(unreadable)
        };
        fills.into_iter().map(read).collect()
    }

    /// `GET /portfolio/positions` in markets that are not settled, every page.
    ///
    /// # Errors
    /// When a page, or a position on one, cannot be read.
    pub async fn positions(&self, filter: &Filter<'_>) -> Result<Vec<VenuePosition>, CallError> {
        let query = filter.query(self.ours()).with("count_filter", "position").with("limit", PAGE);
        let mut positions = Vec::new();
        self.get_pages("/portfolio/positions", query, |page: PositionsPage| {
            positions.extend(page.market_positions.into_iter().map(VenuePosition::from));
            page.cursor
        })
        .await?;
        Ok(positions)
    }

    /// `GET /portfolio/balance`: free cash on each shard.
    ///
    /// # Errors
    /// When it cannot be read, or names no balance.
    pub async fn balances(&self, filter: &Filter<'_>) -> Result<BTreeMap<i32, Dollars>, CallError> {
        let balance: Balance = self.get("/portfolio/balance", &filter.query(self.ours())).await?;
        balance.by_shard().ok_or_else(|| unreadable("no balance in the answer".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kalshi::client::tests::{Fake, client, with_settings};
    use crate::kalshi::settings::Settings;

    #[tokio::test]
    async fn a_filter_says_what_is_asked_for() {
        let api = Arc::new(Fake::default());
        api.json("GET /portfolio/orders", r#"{"orders":[],"cursor":""}"#);
        api.json("GET /portfolio/fills", r#"{"fills":[],"cursor":""}"#);
        api.json("GET /portfolio/positions", r#"{"market_positions":[],"event_positions":[]}"#);
        api.json("GET /portfolio/balance", r#"{"balance":150}"#);
        let client = with_settings(&api, Settings { subaccount: 3, ..Settings::default() });
        let at = |secs| Some(Timestamp::from_secs(secs));
        let orders = Filter {
            event_ticker: Some("E"),
            status: Some("executed"),
            since: at(5),
            until: at(9),
            ..Filter::default()
        };
        assert_eq!(client.orders(&orders).await.unwrap(), []);
        let fills = Filter { order_id: Some("o 1"), ..Filter::default() };
        assert_eq!(client.fills(&fills).await.unwrap(), []);
        let shard = Filter { exchange_index: Some(2), ..Filter::default() };
        assert_eq!(client.positions(&shard).await.unwrap(), []);
        let cash = client.balances(&shard).await.unwrap();
        assert_eq!(cash, [(0, Dollars::from_raw(1_500_000))].into());
        assert_eq!(
            api.calls(),
            [
                "GET /portfolio/orders?subaccount=3&event_ticker=E&min_ts=5&max_ts=9&status=executed&limit=1000",
                "GET /portfolio/fills?subaccount=3&order_id=o%201&limit=1000",
                "GET /portfolio/positions?subaccount=3&exchange_index=2&count_filter=position&limit=1000",
                "GET /portfolio/balance?subaccount=3&exchange_index=2",
            ]
        );
    }

    #[tokio::test]
    async fn a_listing_with_something_of_another_subaccount_is_not_relied_on() {
        let api = Arc::new(Fake::default());
        let order = |number: &str| {
            format!(
                r#"{{"orders":[{{"order_id":"o1","ticker":"M","status":"resting",{number}
                "book_side":"bid","yes_price_dollars":"0.55","fill_count_fp":"0",
                "remaining_count_fp":"1"}}]}}"#
            )
        };
        for number in ["", r#""subaccount_number":null,"#, r#""subaccount_number":1,"#] {
            api.json("GET /portfolio/orders", &order(number));
        }
        api.json("GET /portfolio/orders", &order(r#""subaccount_number":0,"#));
        let fill = r#"{"fills":[{"trade_id":"t1","order_id":"o1","ticker":"M","book_side":"bid",
            "count_fp":"1","yes_price_dollars":"0.5","is_taker":true,"fee_cost":"0",
            "subaccount_number":2}]}"#;
        api.json("GET /portfolio/fills", fill);
        let client = with_settings(&api, Settings { subaccount: 1, ..Settings::default() });
        let all = Filter::default();
        for _ in 0..3 {
            assert_eq!(client.orders(&all).await.unwrap().len(), 1);
        }
        let error = client.orders(&all).await.unwrap_err().to_string();
        assert!(error.contains("an order of subaccount 0 where those of subaccount 1"), "{error}");
        let error = client.fills(&all).await.unwrap_err().to_string();
        assert!(error.contains("a fill of subaccount 2"), "{error}");
    }

    #[tokio::test]
    async fn what_stands_before_an_order_is_read() {
        let api = Arc::new(Fake::default());
        let one = r#"{"queue_position_fp":"12.50"}"#;
        api.json("GET /portfolio/orders/o1/queue_position", one);
        let many = r#"{"queue_positions":[
            {"order_id":"o1","market_ticker":"A","queue_position_fp":"12.50"}]}"#;
        api.json("GET /portfolio/orders/queue_positions", many);
        let client = client(&api);
        let ahead = Quantity::from_raw(1_250);
        assert_eq!(client.queue_position(&"o1".into()).await, Ok(ahead));
        let tickers = ["A".into(), "B".into()];
        let expected = QueuePosition { order_id: "o1".into(), market_ticker: "A".into(), ahead };
        assert_eq!(client.queue_positions(&tickers).await, Ok(vec![expected]));
        assert!(api.calls()[1].ends_with("?subaccount=0&market_tickers=A,B"), "{:?}", api.calls());
    }

    #[tokio::test]
    async fn a_read_of_one_order_is_as_cheap_as_the_exchange_makes_it() {
        let api = Arc::new(Fake::default());
        let order = r#"{"order":{"order_id":"o1","ticker":"M","status":"resting",
            "book_side":"bid","yes_price_dollars":"0.55","fill_count_fp":"0",
            "remaining_count_fp":"1"}}"#;
        api.json("GET /portfolio/orders/o1", order);
        let client = client(&api);
        // 600 tokens are there at the basic tier, and the clock stands nearly still.
        for _ in 0..200 {
            client.order(&"o1".into()).await.unwrap();
        }
        let left =
            client.limits().take(super::super::Bill::Read { tokens: 150 }, client.clock.now());
        assert_eq!(left, Ok(()));
    }
}
