//! The channels of the WebSocket and the error codes of its commands.

/// A channel that a client can subscribe to (Kalshi, WebSocket, October 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    /// Books: snapshots and deltas.
    OrderbookDelta,
    /// Best prices and sums of trades.
    Ticker,
    /// Public trades.
    Trade,
    /// Markets and events come, change and go.
    MarketLifecycle,
    /// The account's fills.
    Fill,
    /// The account's orders.
    UserOrders,
    /// The account's positions.
    MarketPositions,
    /// The account's order groups.
    OrderGroupUpdates,
    /// A channel that exists, and on which nothing ever happens here.
    Silent(&'static str),
}

impl Channel {
    /// The channel of this name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "orderbook_delta" => Self::OrderbookDelta,
            "ticker" => Self::Ticker,
            "trade" => Self::Trade,
            "market_lifecycle_v2" => Self::MarketLifecycle,
            "fill" => Self::Fill,
            "user_orders" => Self::UserOrders,
            "market_positions" => Self::MarketPositions,
            "order_group_updates" => Self::OrderGroupUpdates,
            "multivariate_market_lifecycle" => Self::Silent("multivariate_market_lifecycle"),
            "communications" => Self::Silent("communications"),
            "cfbenchmarks_value" => Self::Silent("cfbenchmarks_value"),
            "cfbenchmarks_value_5hz" => Self::Silent("cfbenchmarks_value_5hz"),
            "pyth_value" => Self::Silent("pyth_value"),
            _ => return None,
        })
    }

    /// The name of the channel.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OrderbookDelta => "orderbook_delta",
            Self::Ticker => "ticker",
            Self::Trade => "trade",
            Self::MarketLifecycle => "market_lifecycle_v2",
            Self::Fill => "fill",
            Self::UserOrders => "user_orders",
            Self::MarketPositions => "market_positions",
            Self::OrderGroupUpdates => "order_group_updates",
            Self::Silent(name) => name,
        }
    }

    /// Whether its data frames have sequence numbers. Where they have none, a loss cannot be
    /// seen.
    pub(super) const fn is_sequenced(self) -> bool {
        match self {
            Self::OrderbookDelta
            | Self::Trade
            | Self::MarketLifecycle
            | Self::OrderGroupUpdates
            | Self::Silent(_) => true,
            Self::Ticker | Self::Fill | Self::UserOrders | Self::MarketPositions => false,
        }
    }

    /// Whether a subscription can be narrowed to markets.
    pub(super) const fn has_market_filter(self) -> bool {
        match self {
            Self::OrderbookDelta
            | Self::Ticker
            | Self::Trade
            | Self::Fill
            | Self::UserOrders
            | Self::MarketPositions => true,
            Self::MarketLifecycle | Self::OrderGroupUpdates | Self::Silent(_) => false,
        }
    }
}

/// Why a command fails, or a subscription dies (Kalshi, WebSocket, error codes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Unprocessable = 1,
    ParamsRequired = 2,
    ChannelsRequired = 3,
    SidsRequired = 4,
    UnknownCommand = 5,
    UnknownSid = 7,
    UnknownChannel = 8,
    InvalidParameter = 11,
    ExactlyOneSid = 12,
    UnsupportedAction = 13,
    MarketTickerRequired = 14,
    ActionRequired = 15,
    BufferOverflow = 25,
    MarketLimit = 26,
}

impl Code {
    /// The number on the wire.
    pub(super) const fn number(self) -> u8 {
        self as u8
    }

    /// The text on the wire.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Unprocessable => "Unable to process message",
            Self::ParamsRequired => "Params required",
            Self::ChannelsRequired => "Channels required",
            Self::SidsRequired => "Subscription IDs required",
            Self::UnknownCommand => "Unknown command",
            Self::UnknownSid => "Unknown subscription ID",
            Self::UnknownChannel => "Unknown channel name",
            Self::InvalidParameter => "Invalid parameter",
            Self::ExactlyOneSid => "Exactly one subscription ID is required",
            Self::UnsupportedAction => "Unsupported action",
            Self::MarketTickerRequired => "Market Ticker required",
            Self::ActionRequired => "Action required",
            Self::BufferOverflow => "Subscription buffer overflow",
            Self::MarketLimit => "Subscription market limit exceeded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_found_by_its_own_name_and_removed_ones_are_gone() {
        let names = [
            "orderbook_delta",
            "ticker",
            "trade",
            "market_lifecycle_v2",
            "fill",
            "user_orders",
            "market_positions",
            "order_group_updates",
            "communications",
            "pyth_value",
        ];
        for name in names {
            assert_eq!(Channel::parse(name).unwrap().name(), name);
        }
        for removed in ["ticker_v2", "multivariate", "user_order", ""] {
            assert_eq!(Channel::parse(removed), None, "{removed}");
        }
    }
}
