//! What happened, in the order in which it happened: the servers turn it into frames.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::ids::{AccountId, MarketKey, Uuid};
use super::ledger::Position;
use super::market::{Outcome, Ticker};
use super::order::Order;

/// One thing that happened. Applied in order, the book deltas give the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A level of a book changed (`orderbook_delta`).
    Book(BookDelta),
    /// Somebody traded (`trade`).
    Trade(Trade),
    /// An account's order was filled (`fill`). None for background accounts.
    Fill(Fill),
    /// An account's order changed (`user_orders`): as it is now. None for background accounts.
    Order(Box<Order>),
    /// An account's position changed (`market_positions`). None for background accounts.
    Position {
        /// Whose.
        account: AccountId,
        /// Where.
        market: MarketKey,
        /// What it is now.
        position: Position,
        /// When.
        ts: Timestamp,
    },
    /// The best levels or the sums of trades changed (`ticker`). At most one for a market and a
    /// command, after everything else.
    Ticker {
        /// The market.
        market: MarketKey,
        /// What it shows now.
        ticker: Ticker,
        /// When.
        ts: Timestamp,
    },
    /// An account's order group changed (`order_group_updates`). None for background accounts.
    OrderGroup(GroupUpdate),
    /// A market or event changed (`market_lifecycle_v2`).
    Lifecycle(Lifecycle),
}

/// A level of a book changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookDelta {
    /// The market.
    pub market: MarketKey,
    /// The side of the level.
    pub side: Side,
    /// The price of the level, of the YES leg.
    pub price: Price,
    /// What the level gained or lost.
    pub delta: Quantity,
    /// Who caused it: whoever sent the command, also when the level is another account's. `None`:
    /// the exchange itself (expiry, close, an order group).
    pub cause: Option<Cause>,
    /// When.
    pub ts: Timestamp,
}

/// Who caused a change of a book: told to that account alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The account.
    pub account: AccountId,
    /// Its name for the order that caused the change.
    pub client_order_id: Option<Arc<str>>,
}

/// A trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// Its id: also that of the two fills.
    pub id: Uuid,
    /// The market.
    pub market: MarketKey,
    /// The price of the YES leg: the resting order's.
    pub price: Price,
    /// How much.
    pub count: Quantity,
    /// The side of the order that took liquidity.
    pub taker: Side,
    /// When.
    pub ts: Timestamp,
}

/// A fill of one account's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The id of the trade.
    pub trade_id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// The client's name for the order.
    pub client_order_id: Option<Arc<str>>,
    /// Whose order.
    pub account: AccountId,
    /// The market.
    pub market: MarketKey,
    /// Buy or sell YES.
    pub side: Side,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub count: Quantity,
    /// Whether the order took liquidity.
    pub is_taker: bool,
    /// What it cost on top: the net fee of this fill.
    pub fee: Dollars,
    /// The position after it.
    pub post_position: Quantity,
    /// When.
    pub ts: Timestamp,
}

/// An order group changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupUpdate {
    /// Whose.
    pub account: AccountId,
    /// The group.
    pub id: Uuid,
    /// What happened to it.
    pub change: GroupChange,
    /// When.
    pub ts: Timestamp,
}

/// What happens to an order group (`event_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupChange {
    /// It was made.
    Created {
        /// Its limit.
        limit: Quantity,
    },
    /// It takes no more orders; those that rested are canceled.
    Triggered,
    /// What was matched is forgotten, and it takes orders.
    Reset,
    /// It is gone; its orders that rested are canceled.
    Deleted,
    /// It has another limit.
    LimitUpdated {
        /// The limit.
        limit: Quantity,
    },
}

/// A market or event changed. Kalshi sends none for a market that opens at its open time or
/// closes at its close time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    /// `event_lifecycle`: an event was listed.
    EventCreated {
        /// The event.
        event: Arc<str>,
    },
    /// `event_fee_update`: an event's own fees were set or cleared.
    EventFees {
        /// The event.
        event: Arc<str>,
    },
    /// `created`.
    Created {
        /// The market.
        market: MarketKey,
    },
    /// `activated`.
    Activated {
        /// The market.
        market: MarketKey,
    },
    /// `deactivated`.
    Deactivated {
        /// The market.
        market: MarketKey,
    },
    /// `close_date_updated`.
    CloseDateUpdated {
        /// The market.
        market: MarketKey,
        /// The new close time.
        close_time: Timestamp,
    },
    /// `price_level_structure_updated`.
    GridUpdated {
        /// The market.
        market: MarketKey,
    },
    /// `determined`.
    Determined {
        /// The market.
        market: MarketKey,
        /// What it resolved to.
        outcome: Outcome,
        /// When.
        ts: Timestamp,
    },
    /// `settled`.
    Settled {
        /// The market.
        market: MarketKey,
        /// When.
        ts: Timestamp,
    },
}
