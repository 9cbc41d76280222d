//! Commands to the exchange.

use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The channels that the host subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Order books.
    Books,
    /// Public trades.
    Trades,
    /// The life of all markets.
    Lifecycle,
    /// Our fills.
    Fills,
    /// Our orders.
    Orders,
    /// Our positions.
    Positions,
    /// Our order groups.
    Groups,
    /// Last prices, volume and open interest.
    Statistics,
}

impl Channel {
    /// All of them, in the order in which they are subscribed.
    pub const ALL: [Self; 8] = [
        Self::Books,
        Self::Trades,
        Self::Lifecycle,
        Self::Fills,
        Self::Orders,
        Self::Positions,
        Self::Groups,
        Self::Statistics,
    ];

    /// Those that say nothing of our account.
    pub const PUBLIC: [Self; 4] = [Self::Books, Self::Trades, Self::Lifecycle, Self::Statistics];

    /// Those of our account, and one in which something always happens: a stream without anything is
    /// dead.
    pub const ACCOUNT: [Self; 5] =
        [Self::Lifecycle, Self::Fills, Self::Orders, Self::Positions, Self::Groups];

    /// Kalshi's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Books => "orderbook_delta",
            Self::Trades => "trade",
            Self::Lifecycle => "market_lifecycle_v2",
            Self::Fills => "fill",
            Self::Orders => "user_orders",
            Self::Positions => "market_positions",
            Self::Groups => "order_group_updates",
            Self::Statistics => "ticker",
        }
    }

    /// The channel of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }

    /// Whether a subscription names its markets; the others are of all markets.
    #[must_use]
    pub const fn is_by_market(self) -> bool {
        match self {
            Self::Books | Self::Trades | Self::Statistics => true,
            Self::Lifecycle | Self::Fills | Self::Orders | Self::Positions | Self::Groups => false,
        }
    }

    /// Whether its frames are about our account.
    #[must_use]
    pub const fn is_private(self) -> bool {
        match self {
            Self::Fills | Self::Orders | Self::Positions | Self::Groups => true,
            Self::Books | Self::Trades | Self::Statistics | Self::Lifecycle => false,
        }
    }
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
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
        /// Asks for the present numbers at once; on statistics alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        send_initial_snapshot: Option<bool>,
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
    /// Asks which subscriptions there are.
    ListSubscriptions {},
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
