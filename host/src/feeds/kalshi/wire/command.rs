//! Commands to the exchange.

use std::sync::Arc;

use serde::Serialize;

/// The channels that the host subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Channel {
    /// Order books.
    #[serde(rename = "orderbook_delta")]
    Books,
    /// Public trades.
    #[serde(rename = "trade")]
    Trades,
    /// The life of all markets.
    #[serde(rename = "market_lifecycle_v2")]
    Lifecycle,
    /// Our fills.
    #[serde(rename = "fill")]
    Fills,
    /// Our orders.
    #[serde(rename = "user_orders")]
    Orders,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Books, Self::Trades, Self::Lifecycle, Self::Fills, Self::Orders];

    /// The channel of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "orderbook_delta" => Some(Self::Books),
            "trade" => Some(Self::Trades),
            "market_lifecycle_v2" => Some(Self::Lifecycle),
            "fill" => Some(Self::Fills),
            "user_orders" => Some(Self::Orders),
            _ => None,
        }
    }

    /// Whether a subscription names its markets; the others are of all markets.
    #[must_use]
    pub const fn is_by_market(self) -> bool {
        match self {
            Self::Books | Self::Trades => true,
            Self::Lifecycle | Self::Fills | Self::Orders => false,
        }
    }
}

/// What is done to the markets of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateAction {
    /// Adds them.
    AddMarkets,
    /// Takes them out.
    DeleteMarkets,
    /// Asks for their books again.
    GetSnapshot,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "cmd", content = "params", rename_all = "snake_case")]
pub enum Command {
    /// Subscribes to a channel.
    Subscribe {
        /// The channel; always one, so that an answer belongs to one.
        channels: [Channel; 1],
        /// The markets; none on channels of all markets.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        market_tickers: Vec<Arc<str>>,
        /// In which prices `no` levels come; on books always said, because Kalshi will change
        /// what it takes when it is not.
        #[serde(skip_serializing_if = "Option::is_none")]
        use_yes_price: Option<bool>,
    },
    /// Changes the markets of a subscription, or asks for their books.
    UpdateSubscription {
        /// The subscription.
        sids: [u64; 1],
        /// The markets.
        market_tickers: Vec<Arc<str>>,
        /// What to do.
        action: UpdateAction,
    },
    /// Ends a subscription.
    Unsubscribe {
        /// The subscription.
        sids: [u64; 1],
    },
}

impl Command {
    /// The command as it is sent.
    #[must_use]
    pub fn text(&self, id: u64) -> String {
        #[derive(Serialize)]
        struct Envelope<'a> {
            id: u64,
            #[serde(flatten)]
            command: &'a Command,
        }

        // Serialising text and numbers into memory cannot fail.
        serde_json::to_string(&Envelope { id, command: self }).unwrap_or_default()
    }
}
