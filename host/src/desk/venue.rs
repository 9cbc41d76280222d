//! [`Venue`]: the desk's view of an exchange, one trait right above the HTTP client.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::model::{
    ClientOrderId, TimeInForce, VenueFill, VenueOrder, VenueOrderId, VenuePosition, VenueSettlement,
};

/// A request to place an order, in the exchange's terms. Built by the desk alone, from an order
/// that the risk manager approved and the journal has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRequest {
    /// Our name for the order; the exchange refuses it a second time.
    pub client_order_id: ClientOrderId,
    /// The market.
    pub ticker: Arc<str>,
    /// The shard of the market.
    pub exchange_index: i32,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Never take liquidity.
    pub post_only: bool,
    /// When the exchange shall cancel it.
    pub expires: Option<Timestamp>,
    /// The exchange cancels it when it pauses trading.
    pub cancel_on_pause: bool,
    /// The exchange's name of the order group that it is in.
    pub order_group_id: Option<Arc<str>>,
}

/// A request to cancel an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// The exchange's name for the order.
    pub venue_order_id: VenueOrderId,
    /// The market.
    pub ticker: Arc<str>,
    /// The shard of the market: without it the exchange looks on shard 0 alone.
    pub exchange_index: i32,
}

/// How an attempt to place an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceOutcome {
    /// The exchange has it (201).
    Accepted {
        /// The exchange's name for it.
        venue_order_id: VenueOrderId,
        /// Filled at once.
        filled: Quantity,
        /// Still working; zero with `filled` short of the order: the rest was canceled.
        remaining: Quantity,
    },
    /// The exchange proved that it refused it (a 4xx with a readable body, 409 apart).
    Rejected {
        /// The exchange's code and message.
        reason: String,
    },
    /// The exchange has an order of this name already (409): ours, from an attempt whose answer
    /// was lost. What became of it must be asked.
    Duplicate,
    /// It never left this machine (rate limit, dry run, no connection could be opened).
    NotSent {
        /// Why.
        reason: String,
    },
    /// Anything else: timeout, disconnect, 5xx, an answer that does not parse. The order may
    /// exist.
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// How an attempt to cancel an order ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The exchange canceled what was left (200). Zero: it was filled already.
    Canceled {
        /// What was left.
        reduced_by: Quantity,
    },
    /// The exchange knows no such working order: it may have been filled, so it must be asked.
    NotFound,
    /// The exchange refused (market closed, exchange paused).
    Refused {
        /// The exchange's code and message.
        reason: String,
    },
    /// The outcome is not known: timeout, 5xx, rate limit. The cancel is tried again.
    Unknown {
        /// What happened.
        reason: String,
    },
}

/// Why a read failed. A failed read is never "nothing there".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {reason}")]
pub struct ReadError {
    /// The call, such as `GET /portfolio/orders`.
    pub call: &'static str,
    /// What happened.
    pub reason: String,
}

/// Everything the exchange says of our account, read after `requested_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSnapshot {
    /// When the first of the reads was sent: what was sent to the exchange before this, and is
    /// not in here, may still be under way there (reads lag by about a second).
    pub requested_at: Timestamp,
    /// Resting orders.
    pub resting: Vec<VenueOrder>,
    /// Fills since the time that was asked for.
    pub fills: Vec<VenueFill>,
    /// Positions in markets that are not settled.
    pub positions: Vec<VenuePosition>,
    /// What markets have paid that we held, since the same time.
    pub settlements: Vec<VenueSettlement>,
    /// Cash that is free, by shard: all of it on shard 0 where the exchange does not say.
    pub balances: BTreeMap<i32, Dollars>,
}

/// An exchange as the desk sees it. Every call has a timeout of its own and gives an answer.
pub trait Venue: 'static {
    /// Places an order. Called once per attempt; a retry has the same client order id.
    fn place(&self, request: PlaceRequest) -> impl Future<Output = PlaceOutcome>;

    /// Makes an order group on a shard: the exchange cancels its orders, and takes no others, once
    /// more contracts of it traded within 15 seconds. Gives the exchange's name for it.
    ///
    /// # Errors
    /// Why there is none, or none that is known of.
    fn make_group(
        &self,
        limit: Quantity,
        exchange_index: i32,
    ) -> impl Future<Output = Result<Arc<str>, String>>;

    /// Cancels an order.
    fn cancel(&self, request: CancelRequest) -> impl Future<Output = CancelOutcome>;

    /// Looks for an order by our name for it, over every status.
    fn find(
        &self,
        client_order_id: &ClientOrderId,
        ticker: &str,
        placed_at: Timestamp,
    ) -> impl Future<Output = Result<Option<VenueOrder>, ReadError>>;

    /// Reads the account: resting orders, fills and settlements since `since`, positions, balance.
    fn account(&self, since: Timestamp)
    -> impl Future<Output = Result<AccountSnapshot, ReadError>>;
}
