//! Kalshi's market data: from the WebSocket's frames, and the REST answers around them, to
//! [`Message`](crate::bus::Message)s.
//!
//! - [`wire`]: a frame's text becomes a typed frame, borrowed where it can be.
//! - [`sequence`]: whether a frame was lost.
//! - [`session`]: the one task that owns a connection: subscriptions, recovery, reconnecting.
//! - [`spread`]: which market comes over which connection.
//! - [`catalog`]: which markets are wanted, and what is known of them apart from their books.
//! - [`poll`]: what takes the session's place where there is no key.
//! - [`trades`]: public trades, each published once.
//! - [`feed`]: all of it, put together.
//! - [`stats`]: what the feed counts.
//!
//! What it promises: after a lost frame or connection every book that may be wrong is published
//! as stale before anything else, and comes back with a whole snapshot; missed public trades are
//! read over REST, each published once; missed reports on our orders are the desk's to read, and
//! it is told so. What never lives here: books. They are the cache's.

pub mod catalog;
pub mod feed;
mod poll;
pub mod sequence;
mod session;
mod settings;
mod spread;
pub mod stats;
mod trades;
pub mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use hotpit_units::Timestamp;

pub use catalog::LeagueNames;
pub use feed::Feed;
pub use session::{Dial, Frames, Network, Opened, Socket};
pub use settings::Settings;
pub use spread::Links;
pub use stats::{FeedReport, FeedStats};

/// Hears what connections bring, before anything is made of it. It must not wait.
pub trait Tap: std::fmt::Debug + Send + Sync {
    /// A connection stands. Returns the number by which the tap knows it.
    fn opened(&self, now: Timestamp) -> u32;
    /// A text frame came.
    fn frame(&self, connection: u32, text: &str, received: Timestamp);
    /// A connection ended.
    fn closed(&self, connection: u32, reason: &str, now: Timestamp);
}

/// A set of markets.
type Tickers = BTreeSet<Arc<str>>;
