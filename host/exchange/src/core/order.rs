//! Orders: what is asked for, what is kept, what is answered.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::fees::RoundingAccumulator;
use super::ids::{AccountId, MarketKey, Uuid};
use super::market::Shard;

/// How long an order works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until it is filled, canceled or expired.
    GoodTillCanceled,
    /// What can be filled at once; the rest is canceled.
    ImmediateOrCancel,
    /// All at once or nothing.
    FillOrKill,
}

/// Which of two orders of one account gives way when they would trade with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTradePrevention {
    /// The incoming order is canceled there; what it traded before stays traded.
    TakerAtCross,
    /// The resting order is canceled, the incoming order goes on.
    Maker,
}

impl SelfTradePrevention {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TakerAtCross => "taker_at_cross",
            Self::Maker => "maker",
        }
    }
}

/// An order to be created (`POST /portfolio/events/orders`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// The market, from [`Exchange::find`](super::Exchange::find).
    pub market: MarketKey,
    /// The shard that the request names; `None` or -1: wherever the market is.
    pub exchange_index: Option<Shard>,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit, price of the YES leg.
    pub price: Price,
    /// How much.
    pub count: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Which order gives way to avoid a trade with oneself.
    pub self_trade_prevention: SelfTradePrevention,
    /// The client's name for it: refused if the account ever used it before.
    pub client_order_id: Option<Arc<str>>,
    /// When it expires; with good-till-canceled alone.
    pub expiration: Option<Timestamp>,
    /// Never take liquidity.
    pub post_only: bool,
    /// Never more than what closes the position; with immediate-or-cancel alone.
    pub reduce_only: bool,
    /// Cancel it when trading pauses.
    pub cancel_on_pause: bool,
    /// The order group that it is in: of the same account, on the shard of the market.
    pub order_group_id: Option<Uuid>,
}

impl NewOrder {
    /// A good-till-canceled limit order without any option.
    #[must_use]
    pub const fn limit(market: MarketKey, side: Side, price: Price, count: Quantity) -> Self {
        Self {
            market,
            exchange_index: None,
            side,
            price,
            count,
            time_in_force: TimeInForce::GoodTillCanceled,
            self_trade_prevention: SelfTradePrevention::TakerAtCross,
            client_order_id: None,
            expiration: None,
            post_only: false,
            reduce_only: false,
            cancel_on_pause: false,
            order_group_id: None,
        }
    }
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderStatus {
    /// In the book.
    Resting,
    /// Out of the book with something left unfilled.
    Canceled,
    /// Filled.
    Executed,
}

impl OrderStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resting => "resting",
            Self::Canceled => "canceled",
            Self::Executed => "executed",
        }
    }
}

/// Why an order last changed (`last_update_reason` of the `user_orders` channel).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateReason {
    /// Made smaller by its owner.
    Decrease,
    /// Amended by its owner.
    Amend,
    /// Would have traded with an order of the same account.
    SelfTradeCancel,
    /// Its time was up.
    ExpiryCancel,
    /// Its market closed.
    CloseCancel,
    /// Trading paused, its market was reactivated, or its order group was triggered or deleted,
    /// for which Kalshi publishes no reason.
    HaltCancel,
    /// It traded.
    Trade,
    /// It was post-only and would have taken.
    PostOnlyCrossCancel,
    /// It was reduce-only and there is nothing (left) to reduce.
    ReduceOnlyCancel,
}

impl UpdateReason {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decrease => "Decrease",
            Self::Amend => "Amend",
            Self::SelfTradeCancel => "SelfTradeCancel",
            Self::ExpiryCancel => "ExpiryCancel",
            Self::CloseCancel => "CloseCancel",
            Self::HaltCancel => "HaltCancel",
            Self::Trade => "Trade",
            Self::PostOnlyCrossCancel => "PostOnlyCrossCancel",
            Self::ReduceOnlyCancel => "ReduceOnlyCancel",
        }
    }
}

/// An order as the exchange keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The exchange's name for it.
    pub id: Uuid,
    /// Whose it is.
    pub account: AccountId,
    /// The client's name for it.
    pub client_order_id: Option<Arc<str>>,
    /// The market.
    pub market: MarketKey,
    /// The shard of the market.
    pub exchange_index: Shard,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit, price of the YES leg.
    pub price: Price,
    /// Where it is in its life.
    pub status: OrderStatus,
    /// What it was for, amendments included: filled, remaining and canceled together.
    pub initial_count: Quantity,
    /// What was filled.
    pub fill_count: Quantity,
    /// What works in the book: zero unless it rests.
    pub remaining_count: Quantity,
    /// What its fills as a taker cost: price of the leg that was bought times count.
    pub taker_fill_cost: Dollars,
    /// What its fills as a maker cost.
    pub maker_fill_cost: Dollars,
    /// The fees of its fills as a taker.
    pub taker_fees: Dollars,
    /// The fees of its fills as a maker.
    pub maker_fees: Dollars,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// Which order gives way to avoid a trade with oneself.
    pub self_trade_prevention: SelfTradePrevention,
    /// Never take liquidity.
    pub post_only: bool,
    /// Cancel it when trading pauses.
    pub cancel_on_pause: bool,
    /// The order group that it is in, or was when it was closed.
    pub order_group_id: Option<Uuid>,
    /// When it was created.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When it expires.
    pub expiration: Option<Timestamp>,
    /// Why it last changed; `None` after creation and after a cancel by its owner.
    pub last_update_reason: Option<UpdateReason>,
    /// The rounding that its fills overpaid.
    pub(super) rounding: RoundingAccumulator,
    /// Its place in the queue of its level: lower trades first.
    pub(super) place: u64,
}

/// The answer to a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The exchange's name for the order.
    pub order_id: Uuid,
    /// The client's name for the order.
    pub client_order_id: Option<Arc<str>>,
    /// What was filled at once.
    pub fill_count: Quantity,
    /// What rests now: zero if the rest was canceled.
    pub remaining_count: Quantity,
    /// What the fills cost on average, price of the YES leg; `None` without a fill.
    pub average_fill_price: Option<Price>,
    /// The fee per contract on average, to the nearest 1e-4 dollars; `None` without a fill.
    pub average_fee_paid: Option<Price>,
    /// When it was done.
    pub ts: Timestamp,
}

/// The answer to a cancel or a decrease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// The exchange's name for the order.
    pub order_id: Uuid,
    /// The client's name for the order.
    pub client_order_id: Option<Arc<str>>,
    /// What was taken out of the book.
    pub reduced_by: Quantity,
    /// What still rests.
    pub remaining_count: Quantity,
    /// When it was done.
    pub ts: Timestamp,
}

/// An amendment (`POST /portfolio/events/orders/{order_id}/amend`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amend {
    /// The market; must be the order's.
    pub market: MarketKey,
    /// The side; must be the order's.
    pub side: Side,
    /// The new limit.
    pub price: Price,
    /// The new total: what is filled already and what shall rest.
    pub count: Quantity,
    /// The name the client knows the order by; must be the order's, if given.
    pub client_order_id: Option<Arc<str>>,
    /// A new name.
    pub updated_client_order_id: Option<Arc<str>>,
    /// A new expiration: `None` keeps, `Some(None)` clears.
    pub expiration: Option<Option<Timestamp>>,
}

/// How much to take out of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decrease {
    /// Take this much out.
    By(Quantity),
    /// Leave this much in.
    To(Quantity),
}

/// Where the exchange looks for an order that is named by its id alone. An order id does not tell
/// its shard, so a request that names neither market nor shard finds only orders of shard 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// On this shard (`exchange_index`); a request without any says 0, one with -1 says
    /// [`Route::Anywhere`].
    Shard(Shard),
    /// Where this market is (`market_ticker`).
    Market(MarketKey),
    /// On all shards.
    Anywhere,
}
