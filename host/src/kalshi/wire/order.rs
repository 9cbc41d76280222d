//! Orders and fills: what is sent, and what REST and the WebSocket say of them.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::Refusal;
use super::{Lenient, rfc3339, side};
use crate::desk::venue::PlaceRequest;
use crate::model::{
    ClientOrderId, TimeInForce, VenueFill, VenueOrder, VenueOrderId, VenueOrderStatus,
};

/// The body of `POST /portfolio/events/orders`. Kalshi, `CreateOrderV2Request`.
#[derive(Debug, Serialize)]
pub struct CreateOrder<'a> {
    ticker: &'a str,
    client_order_id: &'a str,
    side: Side,
    count: Quantity,
    price: Price,
    time_in_force: TimeInForce,
    /// Our own resting order stays, and the new one is cut where it would meet it.
    self_trade_prevention_type: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    post_only: bool,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_group_id: Option<&'a str>,
    /// The exchange cancels it when it pauses trading.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cancel_order_on_pause: bool,
    subaccount: u8,
    exchange_index: i32,
}

impl<'a> CreateOrder<'a> {
    /// The body for a request of the desk, for this subaccount.
    #[must_use]
    pub fn new(request: &'a PlaceRequest, subaccount: u8) -> Self {
        Self {
            ticker: &request.ticker,
            client_order_id: request.client_order_id.as_str(),
            side: request.side,
            count: request.quantity,
            price: request.price,
            time_in_force: request.time_in_force,
            self_trade_prevention_type: "taker_at_cross",
            post_only: request.post_only,
            expiration_time: request.expires.map(Timestamp::as_secs),
            order_group_id: request.order_group_id.as_deref(),
            cancel_order_on_pause: request.cancel_on_pause,
            subaccount,
            exchange_index: request.exchange_index,
        }
    }
}

/// The answer to a created order. Kalshi, `CreateOrderV2Response`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderCreated {
    /// The exchange's name for the order.
    pub order_id: String,
    /// Filled at once.
    pub fill_count: Quantity,
    /// Still working.
    pub remaining_count: Quantity,
}

/// The answer to a cancel. Kalshi, `CancelOrderV2Response`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrderCanceled {
    /// What was left; zero: the order was filled already.
    pub reduced_by: Quantity,
}

/// One of the answers to a batch: of an order that was placed, or of one that was canceled.
/// Kalshi, `BatchCreateOrdersV2Response` and `BatchCancelOrdersV2Response`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BatchAnswer {
    /// The exchange's name for the order.
    #[serde(default)]
    pub order_id: Option<String>,
    /// Ours.
    #[serde(default)]
    pub client_order_id: Option<String>,
    /// Filled at once.
    #[serde(default)]
    pub fill_count: Option<Quantity>,
    /// Still working.
    #[serde(default)]
    pub remaining_count: Option<Quantity>,
    /// What a cancel took away.
    #[serde(default)]
    pub reduced_by: Option<Quantity>,
    /// Why it was not done.
    #[serde(default)]
    pub error: Option<Refusal>,
}

/// An order of `GET /portfolio/orders` or of a `user_order` frame.
#[derive(Debug, Clone, Deserialize)]
pub struct Order {
    order_id: String,
    #[serde(default)]
    client_order_id: Option<String>,
    ticker: Arc<str>,
    #[serde(default)]
    book_side: Option<String>,
    #[serde(default)]
    outcome_side: Option<String>,
    status: VenueOrderStatus,
    yes_price_dollars: Price,
    fill_count_fp: Quantity,
    remaining_count_fp: Quantity,
    #[serde(default)]
    last_update_reason: Option<String>,
    #[serde(default)]
    exchange_index: Option<i32>,
    #[serde(default)]
    last_updated_ts_ms: Lenient,
    #[serde(default)]
    created_ts_ms: Lenient,
    #[serde(default)]
    last_update_time: Option<String>,
    #[serde(default)]
    created_time: Option<String>,
    #[serde(default)]
    subaccount_number: Option<u8>,
}

impl Order {
    /// The number of its subaccount, where it is told.
    #[must_use]
    pub const fn subaccount(&self) -> Option<u8> {
        self.subaccount_number
    }
}

impl TryFrom<Order> for VenueOrder {
    type Error = String;

    fn try_from(order: Order) -> Result<Self, String> {
        let side = side(order.book_side.as_deref(), order.outcome_side.as_deref())
            .ok_or_else(|| format!("order {}: no side", order.order_id))?;
        let time = |text: Option<&str>| text.and_then(rfc3339);
        let ts = (order.last_updated_ts_ms.0.map(Timestamp::from_millis))
            .or_else(|| time(order.last_update_time.as_deref()))
            .or_else(|| order.created_ts_ms.0.map(Timestamp::from_millis))
            .or_else(|| time(order.created_time.as_deref()));
        let named = order.client_order_id.filter(|name| !name.is_empty());
        Ok(Self {
            venue_order_id: VenueOrderId::from(order.order_id),
            client_order_id: named.map(ClientOrderId::from),
            ticker: order.ticker,
            side,
            price: order.yes_price_dollars,
            status: order.status,
            filled: order.fill_count_fp,
            remaining: order.remaining_count_fp,
            reason: order.last_update_reason.filter(|reason| !reason.is_empty()),
            exchange_index: order.exchange_index.unwrap_or(0),
            ts,
        })
    }
}

/// A fill of `GET /portfolio/fills` or of a `fill` frame. REST calls its key `fill_id` and
/// `trade_id`, the frame `trade_id` alone; the market has two names as well.
#[derive(Debug, Clone, Deserialize)]
pub struct Fill {
    #[serde(default)]
    fill_id: Option<Arc<str>>,
    #[serde(default)]
    trade_id: Option<Arc<str>>,
    order_id: String,
    #[serde(default)]
    client_order_id: Option<String>,
    #[serde(default)]
    ticker: Option<Arc<str>>,
    #[serde(default)]
    market_ticker: Option<Arc<str>>,
    #[serde(default)]
    book_side: Option<String>,
    #[serde(default)]
    outcome_side: Option<String>,
    yes_price_dollars: Price,
    count_fp: Quantity,
    fee_cost: Dollars,
    is_taker: bool,
    #[serde(default)]
    ts_ms: Lenient,
    #[serde(default)]
    created_time: Option<String>,
    #[serde(default)]
    ts: Lenient,
    /// What the frame calls it.
    #[serde(default)]
    subaccount: Option<u8>,
    /// What REST calls it.
    #[serde(default)]
    subaccount_number: Option<u8>,
}

impl Fill {
    /// The number of its subaccount, where it is told.
    #[must_use]
    pub fn subaccount(&self) -> Option<u8> {
        self.subaccount_number.or(self.subaccount)
    }
}

impl TryFrom<Fill> for VenueFill {
    type Error = String;

    fn try_from(fill: Fill) -> Result<Self, String> {
        // One fill has one key, from whichever side it is read: `trade_id` where there is one.
        let fill_id = fill
            .trade_id
            .or(fill.fill_id)
            .filter(|id| !id.is_empty())
            .ok_or_else(|| format!("a fill of order {} without an id", fill.order_id))?;
        let ticker = fill
            .market_ticker
            .or(fill.ticker)
            .ok_or_else(|| format!("fill {fill_id} without a market"))?;
        let side = side(fill.book_side.as_deref(), fill.outcome_side.as_deref())
            .ok_or_else(|| format!("fill {fill_id} without a side"))?;
        let ts = (fill.ts_ms.0.map(Timestamp::from_millis))
            .or_else(|| fill.created_time.as_deref().and_then(rfc3339))
            .or_else(|| fill.ts.0.map(Timestamp::from_secs))
            .unwrap_or(Timestamp::EPOCH);
        let named = fill.client_order_id.filter(|name| !name.is_empty());
        Ok(Self {
            fill_id,
            venue_order_id: VenueOrderId::from(fill.order_id),
            client_order_id: named.map(ClientOrderId::from),
            ticker,
            side,
            price: fill.yes_price_dollars,
            quantity: fill.count_fp,
            fee: fill.fee_cost,
            taker: fill.is_taker,
            ts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> PlaceRequest {
        PlaceRequest {
            client_order_id: ClientOrderId::from("hp-1"),
            ticker: "KXNFLGAME-26SEP09NESEA-SEA".into(),
            exchange_index: 3,
            side: Side::Ask,
            price: Price::from_raw(5_500),
            quantity: Quantity::from_raw(250),
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: true,
            expires: Some(Timestamp::from_millis(1_700_000_000_999)),
            cancel_on_pause: false,
            order_group_id: Some("og_1".into()),
        }
    }

    #[test]
    fn an_order_is_written_as_the_exchange_reads_it() {
        let body = serde_json::to_value(CreateOrder::new(&request(), 7)).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "ticker": "KXNFLGAME-26SEP09NESEA-SEA",
                "client_order_id": "hp-1",
                "side": "ask",
                "count": "2.50",
                "price": "0.5500",
                "time_in_force": "good_till_canceled",
                "self_trade_prevention_type": "taker_at_cross",
                "post_only": true,
                "expiration_time": 1_700_000_000,
                "order_group_id": "og_1",
                "subaccount": 7,
                "exchange_index": 3,
            })
        );
    }

    #[test]
    fn optional_fields_are_left_out_where_the_exchange_refuses_them() {
        let request = PlaceRequest {
            time_in_force: TimeInForce::ImmediateOrCancel,
            post_only: false,
            expires: None,
            cancel_on_pause: false,
            order_group_id: None,
            ..request()
        };
        let body = serde_json::to_value(CreateOrder::new(&request, 0)).unwrap();
        assert_eq!(body["time_in_force"], "immediate_or_cancel");
        assert!(body.get("post_only").is_none());
        assert!(body.get("expiration_time").is_none());
        assert!(body.get("order_group_id").is_none());
    }

    #[test]
    fn a_fill_is_the_same_from_rest_and_from_the_socket() {
        let rest = r#"{"fill_id":"t1","trade_id":"t1","order_id":"o1","ticker":"M","market_ticker":"M",
            "outcome_side":"yes","book_side":"bid","count_fp":"2.78","yes_price_dollars":"0.7500",
            "no_price_dollars":"0.2500","is_taker":true,"created_time":"2022-12-24T16:29:57Z",
            "fee_cost":"0.010000","ts":1671899397}"#;
        let socket = r#"{"trade_id":"t1","order_id":"o1","client_order_id":"","market_ticker":"M",
            "is_taker":true,"yes_price_dollars":0.75,"count_fp":2.78,"fee_cost":"0.01",
            "outcome_side":"yes","ts_ms":1671899397000}"#;
        let read = |json| VenueFill::try_from(serde_json::from_str::<Fill>(json).unwrap()).unwrap();
        assert_eq!(read(rest), read(socket));
        assert_eq!(read(rest).fee, Dollars::from_raw(10_000));
        let number = |json: &str| serde_json::from_str::<Fill>(json).unwrap().subaccount();
        assert_eq!(number(rest), None);
        assert_eq!(number(&rest.replacen('{', r#"{"subaccount_number":3,"#, 1)), Some(3));
        assert_eq!(number(&socket.replacen('{', r#"{"subaccount":3,"#, 1)), Some(3));
    }

    #[test]
    fn a_fill_without_key_market_or_side_is_an_error() {
        let cases = [
            r#"{"order_id":"o","market_ticker":"M","book_side":"bid","yes_price_dollars":"0.5","count_fp":"1","fee_cost":"0","is_taker":true}"#,
            r#"{"trade_id":"t","order_id":"o","book_side":"bid","yes_price_dollars":"0.5","count_fp":"1","fee_cost":"0","is_taker":true}"#,
            r#"{"trade_id":"t","order_id":"o","market_ticker":"M","yes_price_dollars":"0.5","count_fp":"1","fee_cost":"0","is_taker":true}"#,
        ];
        for json in cases {
            let fill: Fill = serde_json::from_str(json).unwrap();
            assert!(VenueFill::try_from(fill).is_err(), "{json}");
        }
    }

    #[test]
    fn an_unknown_status_is_kept_as_unknown() {
        let json = r#"{"order_id":"o","ticker":"M","status":"pending","book_side":"ask",
            "yes_price_dollars":"0.35","fill_count_fp":"0","remaining_count_fp":"10",
            "created_ts_ms":null,"last_update_time":"2024-12-01T10:00:00Z"}"#;
        let order = VenueOrder::try_from(serde_json::from_str::<Order>(json).unwrap()).unwrap();
        assert_eq!(order.status, VenueOrderStatus::Unknown);
        assert_eq!(order.client_order_id, None);
        assert_eq!(order.ts, Some(Timestamp::from_secs(1_733_047_200)));
    }
}
