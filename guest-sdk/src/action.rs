//! What an agent wants. Actions are returned when the batch is done: a batch that traps has
//! done nothing.

use hotpit_units::{Price, Quantity, Side, Timestamp};

use crate::ids::{MarketId, OrderId};

/// What an agent wants. [`Context`](crate::Context) collects them; tests compare them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Place an order.
    Place(NewOrder),
    /// Cancel one of the agent's own orders.
    Cancel(OrderId),
    /// Cancel all of the agent's orders in a market, or everywhere.
    CancelAll(Option<MarketId>),
    /// Send a timer event at this time.
    WakeAt(Timestamp),
}

/// How long an order works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is filled or canceled.
    GoodTillCanceled,
    /// What can be filled at once; the rest is canceled.
    ImmediateOrCancel,
    /// All of it at once, or nothing.
    FillOrKill,
}

/// An order intent: it becomes an order when the host's risk manager approves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The agent's number for it.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// Buy ([`Side::Bid`]) or sell YES.
    pub side: Side,
    /// The limit, price of the YES leg.
    pub price: Price,
    /// How much; more than zero.
    pub quantity: Quantity,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// Never take liquidity: the exchange cancels the order if it would.
    pub post_only: bool,
    /// With [`TimeInForce::GoodTillCanceled`]: when the exchange shall cancel it, in whole seconds
    /// of this time.
    pub expires: Option<Timestamp>,
}
