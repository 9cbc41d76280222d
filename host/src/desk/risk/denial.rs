//! [`Denial`]: why an intent did not become an order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity};

use crate::model::{MarketId, MarketStatus, OrderId};

/// Why an intent did not become an order. Its text is a stable code, a colon, and the numbers
/// that decided: `POSITION_LIMIT: market=KX-1 position=90.00 order=20.00 limit=100.00`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// New orders are stopped.
    Halted {
        /// Why.
        reason: String,
    },
    /// New orders of this agent are stopped.
    AgentHalted {
        /// Why.
        reason: String,
    },
    /// The agent is not running.
    AgentNotLive,
    /// The exchange itself takes no orders.
    ExchangePaused {
        /// What it says of it.
        reason: String,
    },
    /// The same order again, while the first one may still trade.
    Duplicate {
        /// The market.
        market: Arc<str>,
        /// The agent's number for the first one.
        of: OrderId,
        /// How soon after it this one came, at most.
        window: Duration,
    },
    /// The price is too far from the market.
    PriceCollar {
        /// The market.
        market: Arc<str>,
        /// The price.
        price: Price,
        /// What it was compared with; none: nothing says what a contract is worth.
        reference: Option<Price>,
        /// How far it may be from it.
        limit: Price,
    },
    /// The order is many times what the agent usually orders.
    SizeUnusual {
        /// The order.
        order: Quantity,
        /// The largest of its last orders.
        largest: Quantity,
        /// How many times that it may be.
        multiple: u32,
    },
    /// The agent traded too often in the market.
    RepeatedFills {
        /// The market.
        market: Arc<str>,
        /// How often.
        fills: u32,
        /// In which time.
        window: Duration,
        /// How often it may.
        limit: u32,
    },
    /// Only orders that reduce a position are accepted.
    ReduceOnly {
        /// The market.
        market: Arc<str>,
        /// The agent's position.
        position: Quantity,
        /// The order.
        order: Quantity,
    },
    /// This machine's clock and the exchange's are too far apart.
    ClockSkew {
        /// By how much this machine's is ahead, in milliseconds.
        skew_ms: i64,
        /// How far they may be apart.
        limit_ms: u64,
    },
    /// The handle stands for no market.
    MarketUnknown {
        /// The handle.
        market: MarketId,
    },
    /// The market does not trade.
    MarketNotOpen {
        /// The market.
        market: Arc<str>,
        /// Where it is.
        status: MarketStatus,
    },
    /// The market's trading time is over, whatever its status says.
    MarketClosed {
        /// The market.
        market: Arc<str>,
    },
    /// The book is being rebuilt.
    BookNotSynced {
        /// The market.
        market: Arc<str>,
    },
    /// The book has not been heard of for too long.
    BookStale {
        /// The market.
        market: Arc<str>,
        /// How old it is.
        age: Duration,
        /// How old it may be.
        limit: Duration,
    },
    /// The agent requires its game, and the game is stale or not followed.
    GameStale {
        /// The market.
        market: Arc<str>,
        /// How old the game's state is; none: no game is known for the market.
        age: Option<Duration>,
        /// How old it may be.
        limit: Duration,
    },
    /// The desk does not know the exchange's state.
    NotReady {
        /// Why.
        reason: String,
    },
    /// The agent has used the number before.
    OrderIdUsed {
        /// The number.
        order: OrderId,
    },
    /// The market has no such price.
    PriceOffGrid {
        /// The market.
        market: Arc<str>,
        /// The price.
        price: Price,
    },
    /// The quantity is zero or less.
    QuantityInvalid {
        /// The quantity.
        order: Quantity,
    },
    /// The order is larger than an order may be.
    OrderLimit {
        /// The quantity.
        order: Quantity,
        /// How large it may be.
        limit: Quantity,
    },
    /// The expiry is over, or does not go with the time in force.
    ExpiryInvalid {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Post-only contradicts an order that must trade at once.
    PostOnlyInvalid,
    /// The order costs more than an order may.
    CostLimit {
        /// What it costs on its leg.
        cost: Dollars,
        /// What it may cost.
        limit: Dollars,
    },
    /// There is not enough free cash on the market's shard.
    Cash {
        /// The shard.
        shard: i32,
        /// What the order takes, fees included.
        cost: Dollars,
        /// What is free: cash less what working orders take.
        free: Dollars,
    },
    /// It could trade with an order of this host.
    SelfMatch {
        /// The market.
        market: Arc<str>,
        /// The price.
        price: Price,
        /// The best price of own orders on the other side.
        own: Price,
    },
    /// Too many orders are open.
    OpenOrders {
        /// Whose orders are meant: `agent` or `all`.
        scope: &'static str,
        /// How many are open.
        open: u32,
        /// How many may be.
        limit: u32,
    },
    /// The position could become too large.
    Position {
        /// Whose position is meant: `agent` or `all`.
        scope: &'static str,
        /// The market.
        market: Arc<str>,
        /// The position, signed, with every working order of the same side.
        position: Quantity,
        /// The order.
        order: Quantity,
        /// How large it may be.
        limit: Quantity,
    },
    /// Too much could be lost.
    Exposure {
        /// Whose exposure is meant: `agent` or `all`.
        scope: &'static str,
        /// What can be lost now.
        exposure: Dollars,
        /// What the order adds.
        order: Dollars,
        /// What may be lost.
        limit: Dollars,
    },
    /// The agent sends too fast.
    OrderRate {
        /// Orders per second that it may send.
        limit: u32,
    },
    /// It would take liquidity, and must not.
    PostOnlyCross {
        /// The market.
        market: Arc<str>,
        /// The price.
        price: Price,
        /// The best price on the other side.
        best: Price,
    },
}

impl Denial {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Halted { .. } => "HALTED",
            Self::AgentHalted { .. } => "AGENT_HALTED",
            Self::AgentNotLive => "AGENT_NOT_LIVE",
            Self::ExchangePaused { .. } => "EXCHANGE_PAUSED",
            Self::Duplicate { .. } => "DUPLICATE_ORDER",
            Self::PriceCollar { .. } => "PRICE_COLLAR",
            Self::SizeUnusual { .. } => "SIZE_UNUSUAL",
            Self::RepeatedFills { .. } => "REPEATED_FILLS",
            Self::ReduceOnly { .. } => "REDUCE_ONLY",
            Self::ClockSkew { .. } => "CLOCK_SKEW",
            Self::MarketUnknown { .. } => "MARKET_UNKNOWN",
            Self::MarketNotOpen { .. } => "MARKET_NOT_OPEN",
            Self::MarketClosed { .. } => "MARKET_CLOSED",
            Self::BookNotSynced { .. } => "BOOK_NOT_SYNCED",
            Self::BookStale { .. } => "BOOK_STALE",
            Self::GameStale { .. } => "GAME_STALE",
            Self::NotReady { .. } => "NOT_READY",
            Self::OrderIdUsed { .. } => "ORDER_ID_USED",
            Self::PriceOffGrid { .. } => "PRICE_OFF_GRID",
            Self::QuantityInvalid { .. } => "QUANTITY_INVALID",
            Self::OrderLimit { .. } => "ORDER_LIMIT",
            Self::ExpiryInvalid { .. } => "EXPIRY_INVALID",
            Self::PostOnlyInvalid => "POST_ONLY_INVALID",
            Self::CostLimit { .. } => "COST_LIMIT",
            Self::Cash { .. } => "CASH_SHORT",
            Self::SelfMatch { .. } => "SELF_MATCH",
            Self::OpenOrders { .. } => "OPEN_ORDERS_LIMIT",
            Self::Position { .. } => "POSITION_LIMIT",
            Self::Exposure { .. } => "EXPOSURE_LIMIT",
            Self::OrderRate { .. } => "ORDER_RATE",
            Self::PostOnlyCross { .. } => "POST_ONLY_CROSS",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())?;
        match self {
            Self::AgentNotLive | Self::PostOnlyInvalid => Ok(()),
            Self::Halted { reason }
            | Self::AgentHalted { reason }
            | Self::NotReady { reason }
            | Self::ExchangePaused { reason } => write!(f, ": {reason}"),
            Self::Duplicate { market, of, window } => {
                let window = window.as_millis();
                write!(f, ": market={market} of={} window_ms={window}", of.0)
            }
            Self::PriceCollar { market, price, reference: Some(reference), limit } => {
                write!(f, ": market={market} price={price} reference={reference} limit={limit}")
            }
            Self::PriceCollar { market, price, reference: None, limit } => {
                write!(f, ": market={market} price={price} reference=none limit={limit}")
            }
            Self::SizeUnusual { order, largest, multiple } => {
                write!(f, ": order={order} largest={largest} multiple={multiple}")
            }
            Self::RepeatedFills { market, fills, window, limit } => {
                let window = window.as_millis();
                write!(f, ": market={market} fills={fills} window_ms={window} limit={limit}")
            }
            Self::ReduceOnly { market, position, order } => {
                write!(f, ": market={market} position={position} order={order}")
            }
            Self::ClockSkew { skew_ms, limit_ms } => {
                write!(f, ": skew_ms={skew_ms} limit_ms={limit_ms}")
            }
            Self::MarketUnknown { market } => write!(f, ": market={}", market.0),
            Self::MarketNotOpen { market, status } => {
                write!(f, ": market={market} status={status:?}")
            }
            Self::MarketClosed { market } | Self::BookNotSynced { market } => {
                write!(f, ": market={market}")
            }
            Self::BookStale { market, age, limit } => {
                let (age, limit) = (age.as_millis(), limit.as_millis());
                write!(f, ": market={market} age_ms={age} limit_ms={limit}")
            }
            Self::GameStale { market, age: Some(age), limit } => {
                let (age, limit) = (age.as_millis(), limit.as_millis());
                write!(f, ": market={market} age_ms={age} limit_ms={limit}")
            }
            Self::GameStale { market, age: None, limit } => {
                write!(f, ": market={market} age_ms=none limit_ms={}", limit.as_millis())
            }
            Self::OrderIdUsed { order } => write!(f, ": order={}", order.0),
            Self::PriceOffGrid { market, price } => write!(f, ": market={market} price={price}"),
            Self::QuantityInvalid { order } => write!(f, ": order={order}"),
            Self::OrderLimit { order, limit } => write!(f, ": order={order} limit={limit}"),
            Self::ExpiryInvalid { why } => write!(f, ": {why}"),
            Self::CostLimit { cost, limit } => write!(f, ": cost={cost} limit={limit}"),
            Self::Cash { shard, cost, free } => {
                write!(f, ": cost={cost} free={free} shard={shard}")
            }
            Self::SelfMatch { market, price, own } => {
                write!(f, ": market={market} price={price} own={own}")
            }
            Self::OpenOrders { scope, open, limit } => {
                write!(f, ": scope={scope} open={open} limit={limit}")
            }
            Self::Position { scope, market, position, order, limit } => write!(
                f,
                ": market={market} position={position} order={order} limit={limit} scope={scope}"
            ),
            Self::Exposure { scope, exposure, order, limit } => {
                write!(f, ": exposure={exposure} order={order} limit={limit} scope={scope}")
            }
            Self::OrderRate { limit } => write!(f, ": limit={limit}"),
            Self::PostOnlyCross { market, price, best } => {
                write!(f, ": market={market} price={price} best={best}")
            }
        }
    }
}
