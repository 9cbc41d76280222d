//! Orders, beyond what the desk sends: changes of one, many at once, all. Every write names its
//! shard; an order's id alone does not.

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::query::encoded;
use super::venue::{canceled_item, placed_item};
use super::written::{Write, Written};
use super::{Client, ORDERS, Query};
use crate::desk::venue::{CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest};
use crate::kalshi::http::{Method, Transport};
use crate::kalshi::limits::Bill;
use crate::kalshi::wire::order::{BatchAnswer, CreateOrder};
use crate::model::{ClientOrderId, VenueOrderId};

/// A change of a working order. The order keeps its place in the queue only where its price stays
/// and it does not grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendRequest {
    /// The exchange's name for the order.
    pub venue_order_id: VenueOrderId,
    /// The market.
    pub ticker: String,
    /// The shard of the market.
    pub exchange_index: i32,
    /// The side of the order, which stays.
    pub side: Side,
    /// The new limit.
    pub price: Price,
    /// The new total: what is filled already and what is to work.
    pub quantity: Quantity,
    /// Another name of ours for the order; none: it keeps its name.
    pub rename: Option<ClientOrderId>,
    /// When the exchange shall cancel it.
    pub expiry: Expiry,
}

/// What becomes of an order's expiration. A change of nothing else keeps its place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expiry {
    /// As it is.
    #[default]
    Keep,
    /// The order does not expire.
    Clear,
    /// At this time, to the second.
    At(Timestamp),
}

/// How far an order is made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decrease {
    /// By so much.
    By(Quantity),
    /// Until so much is still working.
    To(Quantity),
}

/// What an amend did. Kalshi, `AmendOrderV2Response`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Amended {
    /// The exchange's name for the order, which may be a new one.
    pub order_id: String,
    /// Still working; none: unchanged.
    #[serde(default)]
    pub remaining_count: Option<Quantity>,
    /// Filled by the amend; none: nothing.
    #[serde(default)]
    pub fill_count: Option<Quantity>,
}

/// What a decrease left. Kalshi, `DecreaseOrderV2Response`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Decreased {
    /// The exchange's name for the order.
    pub order_id: String,
    /// Still working.
    pub remaining_count: Quantity,
}

#[derive(Serialize)]
struct AmendOrder<'a> {
    ticker: &'a str,
    side: Side,
    price: Price,
    count: Quantity,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_client_order_id: Option<&'a str>,
    /// In seconds; zero: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<u64>,
    exchange_index: i32,
}

#[derive(Serialize)]
struct DecreaseOrder<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reduce_by: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reduce_to: Option<Quantity>,
    exchange_index: i32,
    market_ticker: &'a str,
}

#[derive(Serialize)]
struct Batch<I> {
    orders: Vec<I>,
}

#[derive(Serialize)]
struct CancelItem<'a> {
    order_id: &'a str,
    subaccount: u8,
    exchange_index: i32,
    market_ticker: &'a str,
}

impl<T: Transport> Client<T> {
    /// `POST /portfolio/events/orders/{order_id}/amend`.
    pub async fn amend(&self, request: &AmendRequest) -> Written<Amended> {
        let path = format!("{ORDERS}/{}/amend", encoded(request.venue_order_id.as_str()));
        let body = AmendOrder {
            ticker: &request.ticker,
            side: request.side,
            price: request.price,
            count: request.quantity,
            updated_client_order_id: request.rename.as_ref().map(ClientOrderId::as_str),
            expiration_time: match request.expiry {
                Expiry::Keep => None,
                Expiry::Clear => Some(0),
                Expiry::At(time) => Some(time.as_secs()),
            },
            exchange_index: request.exchange_index,
        };
        let bill = Bill::Order { shard: request.exchange_index, count: 1 };
        self.post(&path, self.ours(), &body, bill).await
    }

    /// `POST /portfolio/events/orders/{order_id}/decrease`. The order keeps its place in the
    /// queue.
    pub async fn decrease(&self, order: &CancelRequest, decrease: Decrease) -> Written<Decreased> {
        let path = format!("{ORDERS}/{}/decrease", encoded(order.venue_order_id.as_str()));
        let (reduce_by, reduce_to) = match decrease {
            Decrease::By(quantity) => (Some(quantity), None),
            Decrease::To(quantity) => (None, Some(quantity)),
        };
        let body = DecreaseOrder {
            reduce_by,
            reduce_to,
            exchange_index: order.exchange_index,
            market_ticker: &order.ticker,
        };
        let bill = Bill::Order { shard: order.exchange_index, count: 1 };
        self.post(&path, self.ours(), &body, bill).await
    }

    /// `POST /portfolio/events/orders/batched`: an outcome for each, in order. A batch is billed
    /// to the bucket of shard 0, whatever the shards of its orders, and has to fit into it at once.
    pub async fn place_batch(&self, requests: &[PlaceRequest]) -> Vec<PlaceOutcome> {
        let ours = self.settings.subaccount;
        let orders = requests.iter().map(|request| CreateOrder::new(request, ours));
        let body = Batch { orders: orders.collect() };
        let bill = Bill::Order { shard: 0, count: count(requests) };
        let written = self.post(&format!("{ORDERS}/batched"), Query::new(), &body, bill).await;
        let name = |request: &PlaceRequest| request.client_order_id.as_str().to_owned();
        self.items(written, requests, |request, answer: &BatchAnswer| {
            answer.client_order_id.as_deref() == Some(&name(request))
        })
        .into_iter()
        .map(placed_item)
        .collect()
    }

    /// `DELETE /portfolio/events/orders/batched`: an outcome for each, in order. Billed as
    /// [`place_batch`](Self::place_batch) is.
    pub async fn cancel_batch(&self, requests: &[CancelRequest]) -> Vec<CancelOutcome> {
        let orders = requests.iter().map(|request| CancelItem {
            order_id: request.venue_order_id.as_str(),
            subaccount: self.settings.subaccount,
            exchange_index: request.exchange_index,
            market_ticker: &request.ticker,
        });
        let body = Batch { orders: orders.collect() };
        let write = Write {
            method: Method::Delete,
            path: &format!("{ORDERS}/batched"),
            query: Query::new(),
            body: Some(&body),
            bill: Bill::Cancel { shard: 0, count: count(requests) },
        };
        let written = match self.write(write).await {
            // Perhaps one of them was not found, and what became of the others it does not say.
            Written::Refused { status: 404, reason } => Written::Unknown { reason },
            written => written,
        };
        self.items(written, requests, |request, answer: &BatchAnswer| {
            answer.order_id.as_deref() == Some(request.venue_order_id.as_str())
        })
        .into_iter()
        .map(canceled_item)
        .collect()
    }

    /// `DELETE /portfolio/events/orders`: cancels every order of our subaccount. Orders that are
    /// placed within the minute after it may be canceled too. It names no shard, so that it is
    /// billed to all of them.
    pub async fn cancel_all(&self) -> Written<Vec<ClientOrderId>> {
        let write = Write {
            method: Method::Delete,
            path: ORDERS,
            query: self.ours(),
            body: None::<&()>,
            bill: Bill::Cancel { shard: -1, count: 1 },
        };
        self.write(write).await.map(|answer: Batched| {
            let names = answer.orders.into_iter().filter_map(|order| order.client_order_id);
            names.map(ClientOrderId::from).collect()
        })
    }

    async fn post<B: Serialize + Sync, R: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: Query,
        body: &B,
        bill: Bill,
    ) -> Written<R> {
        self.write(Write { method: Method::Post, path, query, body: Some(body), bill }).await
    }

    /// What the answer to a batch says of each request: by name, and not by place.
    fn items<I>(
        &self,
        written: Written<Batched>,
        requests: &[I],
        is_of: impl Fn(&I, &BatchAnswer) -> bool,
    ) -> Vec<Written<BatchAnswer>> {
        let one = |request: &I| match &written {
            Written::Done(batch) => {
                match batch.orders.iter().find(|answer| is_of(request, answer)) {
                    Some(answer) => Written::Done(answer.clone()),
                    None => Written::Unknown { reason: "the answer does not name it".to_owned() },
                }
            }
            Written::Refused { status, reason } => {
                Written::Refused { status: *status, reason: reason.clone() }
            }
            Written::NotSent { reason } => Written::NotSent { reason: reason.clone() },
            Written::Unknown { reason } => Written::Unknown { reason: reason.clone() },
        };
        requests.iter().map(one).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct Batched {
    orders: Vec<BatchAnswer>,
}

fn count<I>(requests: &[I]) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::kalshi::client::tests::{Fake, client, status};
    use crate::kalshi::client::venue::tests::cancel;

    fn body(api: &Fake, number: usize) -> Value {
        serde_json::from_slice(api.sent()[number].body.as_deref().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn an_amend_names_what_changes_and_nothing_else() {
        let api = Arc::new(Fake::default());
        api.json("POST /portfolio/events/orders/o1/amend", r#"{"order_id":"o1","ts_ms":1}"#);
        let client = client(&api);
        let mut request = AmendRequest {
            venue_order_id: "o1".into(),
            ticker: "M".into(),
            exchange_index: 3,
            side: Side::Ask,
            price: Price::from_cents(40),
            quantity: Quantity::from_contracts(7),
            rename: None,
            expiry: Expiry::Keep,
        };
        let plain = json!({
            "ticker": "M", "side": "ask", "price": "0.4000", "count": "7.00", "exchange_index": 3,
        });
        let with = |name: &str, value: Value| {
            let mut body = plain.clone();
            body[name] = value;
            body
        };
        assert!(matches!(client.amend(&request).await, Written::Done(_)));
        request.rename = Some("hp-2".into());
        client.amend(&request).await;
        request.rename = None;
        request.expiry = Expiry::At(Timestamp::from_millis(5_999));
        client.amend(&request).await;
        request.expiry = Expiry::Clear;
        client.amend(&request).await;
        let expected = [
            plain.clone(),
            with("updated_client_order_id", "hp-2".into()),
            with("expiration_time", 5.into()),
            with("expiration_time", 0.into()),
        ];
        for (number, expected) in expected.iter().enumerate() {
            assert_eq!(body(&api, number), *expected);
        }
    }

    #[tokio::test]
    async fn a_decrease_is_by_an_amount_or_to_one() {
        let api = Arc::new(Fake::default());
        let left = r#"{"order_id":"o1","remaining_count":"3.00","ts_ms":1}"#;
        api.json("POST /portfolio/events/orders/o1/decrease", left);
        let client = client(&api);
        let quantity = Quantity::from_contracts(2);
        client.decrease(&cancel(), Decrease::By(quantity)).await;
        client.decrease(&cancel(), Decrease::To(quantity)).await;
        for (number, field) in ["reduce_by", "reduce_to"].into_iter().enumerate() {
            let expected = json!({field: "2.00", "exchange_index": 3, "market_ticker": "M"});
            assert_eq!(body(&api, number), expected);
        }
    }

    #[tokio::test]
    async fn a_batch_of_cancels_that_is_not_found_says_nothing_of_its_orders() {
        let api = Arc::new(Fake::default());
        let call = "DELETE /portfolio/events/orders/batched";
        api.on(call, status(404, r#"{"error":{"code":"not_found","message":"m"}}"#));
        api.on(call, status(400, r#"{"error":{"code":"invalid_parameters","message":"m"}}"#));
        let client = client(&api);
        let outcomes = client.cancel_batch(&[cancel(), cancel()]).await;
        let is_unknown = |it: &CancelOutcome| matches!(it, CancelOutcome::Unknown { .. });
        assert!(outcomes.iter().all(is_unknown), "{outcomes:?}");
        let outcomes = client.cancel_batch(&[cancel()]).await;
        assert!(matches!(outcomes[0], CancelOutcome::Refused { .. }), "{outcomes:?}");
    }
}
