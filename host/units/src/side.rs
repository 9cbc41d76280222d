//! [`Side`]: which way an order or a book level faces.

use serde::{Deserialize, Serialize};

/// A side of the book of the YES leg, as Kalshi's V2 orders name it: a bid buys YES; an ask
/// sells YES, which is the same as buying NO at $1 minus the price.
///
/// ```
/// # use hotpit_units::Side;
/// let side: Side = serde_json::from_str("\"ask\"")?;
/// assert_eq!(side, Side::Ask);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Buys YES.
    Bid,
    /// Sells YES.
    Ask,
}

impl Side {
    /// The side that trades against this one.
    ///
    /// ```
    /// # use hotpit_units::Side;
    /// assert_eq!(Side::Bid.opposite(), Side::Ask);
    /// ```
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bid => Self::Ask,
            Self::Ask => Self::Bid,
        }
    }

    /// `bid` or `ask`, as on the wire.
    ///
    /// ```
    /// # use hotpit_units::Side;
    /// assert_eq!(Side::Bid.as_str(), "bid");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bid => "bid",
            Self::Ask => "ask",
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
