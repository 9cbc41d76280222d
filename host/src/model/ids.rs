//! Names and handles.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A handle for a market, given by the cache, valid for one run of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketId(pub u32);

/// A handle for a game, given by the cache, valid for one run of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GameId(pub u32);

/// An agent's own number for one of its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub u64);

/// Gives a name type its text form. Cloning is cheap: names travel with every order.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// An agent: the name of its file, without `.wasm`.
    AgentId
}
name! {
    /// The host's name for an order, made before the order is sent, unique for ever, at most 64
    /// characters. The exchange refuses a second order with the same one.
    ClientOrderId
}
name! {
    /// The exchange's name for an order.
    VenueOrderId
}
