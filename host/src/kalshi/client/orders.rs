//! Orders, beyond what the desk sends: changes of one, many at once, all. Every write names its
//! shard; an order's id alone does not.

use hotpit_units::{Price, Quantity, Side};
use serde::{Deserialize, Serialize};

use super::query::encoded;
use super::venue::{canceled_item, placed_item};
use super::written::{Write, Written};
use super::{CallError, Client, ORDERS, Query};
use crate::desk::venue::{CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest};
use crate::kalshi::http::{Method, Transport};
use crate::kalshi::limits::Bill;
use crate::kalshi::wire::order::{BatchAnswer, CreateOrder, Order};
use crate::model::{ClientOrderId, VenueOrder, VenueOrderId};

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
    exchange_index: i32,
}

#[derive(Serialize)]
struct DecreaseOrder<'a> {
    reduce_to: Quantity,
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
    exchange_index: i32,
    market_ticker: &'a str,
}

#[derive(Deserialize)]
struct OrderAnswer {
    order: Order,
}

impl<T: Transport> Client<T> {
    /// `GET /portfolio/orders/{order_id}`.
    ///
    /// # Errors
    /// When there is no such order, or it cannot be read.
    pub async fn order(&self, id: &VenueOrderId) -> Result<VenueOrder, CallError> {
        let path = format!("/portfolio/orders/{}", encoded(id.as_str()));
        let answer: OrderAnswer = self.get(&path, &Query::new()).await?;
        VenueOrder::try_from(answer.order).map_err(super::venue::unreadable)
    }

    /// `POST /portfolio/events/orders/{order_id}/amend`.
    pub async fn amend(&self, request: &AmendRequest) -> Written<Amended> {
        let path = format!("{ORDERS}/{}/amend", encoded(request.venue_order_id.as_str()));
        let body = AmendOrder {
            ticker: &request.ticker,
            side: request.side,
            price: request.price,
            count: request.quantity,
            exchange_index: request.exchange_index,
        };
        let bill = Bill::Order { shard: request.exchange_index, count: 1 };
        self.post(&path, &body, bill).await
    }

    /// `POST /portfolio/events/orders/{order_id}/decrease` down to `rest`. The order keeps its
    /// place in the queue.
    pub async fn decrease(&self, order: &CancelRequest, rest: Quantity) -> Written<Decreased> {
        let path = format!("{ORDERS}/{}/decrease", encoded(order.venue_order_id.as_str()));
        let body = DecreaseOrder {
            reduce_to: rest,
            exchange_index: order.exchange_index,
            market_ticker: &order.ticker,
        };
        self.post(&path, &body, Bill::Order { shard: order.exchange_index, count: 1 }).await
    }

    /// `POST /portfolio/events/orders/batched`: an outcome for each, in order. A batch is billed
    /// to the bucket of shard 0, whatever the shards of its orders, and has to fit into it at once.
    pub async fn place_batch(&self, requests: &[PlaceRequest]) -> Vec<PlaceOutcome> {
        let body = Batch { orders: requests.iter().map(CreateOrder::new).collect() };
        let bill = Bill::Order { shard: 0, count: count(requests) };
        let written = self.post(&format!("{ORDERS}/batched"), &body, bill).await;
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
        let written = self.write(write).await;
        self.items(written, requests, |request, answer: &BatchAnswer| {
            answer.order_id.as_deref() == Some(request.venue_order_id.as_str())
        })
        .into_iter()
        .map(canceled_item)
        .collect()
    }

    /// `DELETE /portfolio/events/orders`: cancels every order of the account. Orders that are
    /// placed within the minute after it may be canceled too.
    pub async fn cancel_all(&self) -> Written<Vec<ClientOrderId>> {
        let write = Write {
            method: Method::Delete,
            path: ORDERS,
            query: Query::new(),
            body: None::<&()>,
            bill: Bill::Cancel { shard: 0, count: 1 },
        };
        self.write(write).await.map(|answer: Batched| {
            let names = answer.orders.into_iter().filter_map(|order| order.client_order_id);
            names.map(ClientOrderId::from).collect()
        })
    }

    async fn post<B: Serialize + Sync, R: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        bill: Bill,
    ) -> Written<R> {
        let (method, query) = (Method::Post, Query::new());
        self.write(Write { method, path, query, body: Some(body), bill }).await
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
            Written::Refused { reason } => Written::Refused { reason: reason.clone() },
            Written::NotSent { reason } => Written::NotSent { reason: reason.clone() },
            Written::Unknown { reason } => Written::Unknown { reason: reason.clone() },
        };
        requests.iter().map(one).collect()
    }
}

#[derive(Deserialize)]
struct Batched {
    orders: Vec<BatchAnswer>,
}

fn count<I>(requests: &[I]) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}
