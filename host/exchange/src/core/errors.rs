//! Why the exchange refuses, in Kalshi's words.

use hotpit_units::{Dollars, Price, Quantity};

use super::market::MarketStatus;

/// A command was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No such market.
    #[error("market not found: `{0}`")]
    MarketNotFound(String),
    /// No such order, or none on the shard that was asked.
    #[error("order not found")]
    OrderNotFound,
    /// The market does not trade.
    #[error("market is {}", .0.as_str())]
    MarketInactive(MarketStatus),
    /// Trading is paused: cancels go, nothing else.
    #[error("trading is paused")]
    TradingPaused,
    /// The whole exchange is paused: nothing goes.
    #[error("exchange is paused")]
    ExchangePaused,
    /// The price is not on the market's grid.
    #[error("price {0} is not on the grid of the market")]
    InvalidPrice(Price),
    /// The count is not more than zero.
    #[error("count {0} is not more than zero")]
    InvalidCount(Quantity),
    /// Two fields of the request exclude each other, or one has a value it must not have.
    #[error("{0}")]
    InvalidParameters(&'static str),
    /// The expiration has passed.
    #[error("expiration time is in the past")]
    Expired,
    /// The account used this client order id before.
    #[error("order already exists: client_order_id `{0}`")]
    DuplicateClientOrderId(String),
    /// The cash on the market's shard does not cover the order.
    #[error("order needs ${needed} more, ${available} is available")]
    InsufficientBalance {
        /// What the order would reserve, fees included.
        needed: Dollars,
        /// What is there.
        available: Dollars,
    },
    /// A fill-or-kill order cannot be filled whole.
    #[error("fill or kill insufficient resting volume")]
    FillOrKillInsufficientVolume,
    /// A post-only order would take, and the rules say that it is refused.
    #[error("invalid order")]
    PostOnlyCross,
    /// An amend names another market than the order's.
    #[error("order ticker mismatch")]
    OrderTickerMismatch,
    /// An amend names another side than the order's.
    #[error("order side mismatch")]
    OrderSideMismatch,
    /// An amend names another client order id than the order's.
    #[error("order id and client order id mismatch")]
    OrderIdMismatch,
    /// An amend asks for no more than what is filled, a decrease for more than what rests.
    #[error("invalid order size")]
    InvalidOrderSize,
    /// The order does not rest any more.
    #[error("order is not resting")]
    OrderNotResting,
    /// The account has no such order group, or not on the shard that was asked.
    #[error("order group not found")]
    OrderGroupNotFound,
    /// The order group takes no orders until it is reset.
    #[error("order group is triggered")]
    OrderGroupTriggered,
}

impl ExchangeError {
    /// Kalshi's `code`. It publishes none for order groups: here they are its reasons in FIX, in
    /// lower case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MarketNotFound(_) => "market_not_found",
            Self::OrderNotFound | Self::OrderNotResting => "not_found",
            Self::MarketInactive(_) => "MARKET_INACTIVE",
            Self::TradingPaused => "trading_is_paused",
            Self::ExchangePaused => "exchange_is_paused",
            Self::InvalidPrice(_) => "invalid_price",
            Self::InvalidCount(_) | Self::InvalidOrderSize => "invalid_order_size",
            Self::InvalidParameters(_) => "invalid_parameters",
            Self::Expired => "expired",
            Self::DuplicateClientOrderId(_) => "order_already_exists",
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::FillOrKillInsufficientVolume => "fill_or_kill_insufficient_resting_volume",
            Self::PostOnlyCross => "invalid_order",
            Self::OrderTickerMismatch => "order_ticker_mismatch",
            Self::OrderSideMismatch => "order_side_mismatch",
            Self::OrderIdMismatch => "order_id_and_client_order_id_mismatch",
            Self::OrderGroupNotFound => "order_group_not_found",
            Self::OrderGroupTriggered => "exceeded_order_group_risk_limit",
        }
    }

    /// Kalshi's `details`, where it gives any.
    #[must_use]
    pub const fn details(&self) -> Option<&'static str> {
        match self {
            Self::PostOnlyCross => Some("post only cross"),
            Self::MarketNotFound(_)
            | Self::OrderNotFound
            | Self::OrderNotResting
            | Self::MarketInactive(_)
            | Self::TradingPaused
            | Self::ExchangePaused
            | Self::InvalidPrice(_)
            | Self::InvalidCount(_)
            | Self::InvalidOrderSize
            | Self::InvalidParameters(_)
            | Self::Expired
            | Self::DuplicateClientOrderId(_)
            | Self::InsufficientBalance { .. }
            | Self::FillOrKillInsufficientVolume
            | Self::OrderTickerMismatch
            | Self::OrderSideMismatch
            | Self::OrderIdMismatch
            | Self::OrderGroupNotFound
            | Self::OrderGroupTriggered => None,
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::MarketNotFound(_)
            | Self::OrderNotFound
            | Self::OrderNotResting
            | Self::OrderGroupNotFound => 404,
            Self::DuplicateClientOrderId(_) | Self::FillOrKillInsufficientVolume => 409,
            Self::ExchangePaused => 503,
            Self::TradingPaused
            | Self::MarketInactive(_)
            | Self::InvalidPrice(_)
            | Self::InvalidCount(_)
            | Self::InvalidOrderSize
            | Self::InvalidParameters(_)
            | Self::Expired
            | Self::InsufficientBalance { .. }
            | Self::PostOnlyCross
            | Self::OrderTickerMismatch
            | Self::OrderSideMismatch
            | Self::OrderIdMismatch
            | Self::OrderGroupTriggered => 400,
        }
    }
}

/// A listing was refused: the caller that sets the exchange up is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// The name is taken.
    #[error("`{0}` is listed already")]
    Duplicate(String),
    /// What it belongs to is not listed.
    #[error("`{0}` is not listed: list it first")]
    Missing(String),
    /// The change does not fit where the market is in its life.
    #[error("`{ticker}` is {}", status.as_str())]
    WrongStatus {
        /// The market.
        ticker: String,
        /// Where it is in its life.
        status: MarketStatus,
    },
    /// The scalar value is above $1.
    #[error("settlement value {0} is above $1")]
    Value(Price),
    /// No subaccount can be opened there, or no cash moved between these.
    #[error(
        "only a primary account has subaccounts, at most 63, and cash moves between two of one user"
    )]
    Subaccounts,
    /// There is not that much to take.
    #[error("account has ${available} available on shard {shard}, not ${wanted}")]
    Balance {
        /// The shard.
        shard: i32,
        /// What is there.
        available: Dollars,
        /// What was asked for.
        wanted: Dollars,
    },
}
