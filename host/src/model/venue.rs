//! What the exchange says of our orders: reports of REST and WebSocket in one form.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{ClientOrderId, VenueOrderId};

/// The exchange's word on an order (`user_order` frame, `GET /portfolio/orders`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueOrder {
    /// The exchange's name for it.
    pub venue_order_id: VenueOrderId,
    /// Our name for it; none if it was placed elsewhere without one.
    pub client_order_id: Option<ClientOrderId>,
    /// The market.
    pub ticker: Arc<str>,
    /// The side of the YES leg.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// Where it is.
    pub status: VenueOrderStatus,
    /// Filled so far.
    pub filled: Quantity,
    /// Still working.
    pub remaining: Quantity,
    /// Why it changed last (`last_update_reason`), where the exchange says so.
    pub reason: Option<String>,
    /// The shard it lives on.
    pub exchange_index: i32,
    /// When the exchange changed it last.
    pub ts: Option<Timestamp>,
}

/// The exchange's words for the state of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VenueOrderStatus {
    /// In the book.
    Resting,
    /// Canceled, by whomever.
    Canceled,
    /// Filled.
    Executed,
    /// A word that this version does not know, or the exchange's own `unknown`.
    #[serde(other)]
    Unknown,
}

/// The exchange's word on a fill (`fill` frame, `GET /portfolio/fills`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueFill {
    /// The unique key of the fill (`trade_id`, the same as REST's `fill_id`).
    pub fill_id: Arc<str>,
    /// The order, as the exchange names it.
    pub venue_order_id: VenueOrderId,
    /// The order, as we name it; REST does not say.
    pub client_order_id: Option<ClientOrderId>,
    /// The market.
    pub ticker: Arc<str>,
    /// The side of our order.
    pub side: Side,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// What we were charged: the truth on fees.
    pub fee: Dollars,
    /// Whether we took liquidity.
    pub taker: bool,
    /// When it happened, by the exchange's clock.
    pub ts: Timestamp,
}

/// The exchange's word on a position (`GET /portfolio/positions`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenuePosition {
    /// The market.
    pub ticker: Arc<str>,
    /// Signed: more than zero is long YES.
    pub quantity: Quantity,
}

/// The exchange's word on what a market paid (`GET /portfolio/settlements`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueSettlement {
    /// The market.
    pub ticker: Arc<str>,
    /// What one YES contract paid, to the cent.
    pub price: Price,
}
