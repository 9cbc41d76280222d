//! The feeds: bytes from outside become [`Message`]s.
//!
//! - [`kalshi`]: order books, trades and the life of markets, from Kalshi's WebSocket and REST.
//! - [`espn`]: games, from ESPN's scoreboards.
//! - [`wanted`]: what the feeds are to follow.
//!
//! A feed owns the life of its connections and says what it could not see (`Stale`). What never
//! lives here: books, decisions, orders. A feed hands each message to a [`Publish`] and forgets
//! it.

pub mod espn;
pub mod kalshi;
pub mod wanted;

use std::sync::Arc;

use hotpit_units::Timestamp;
pub use wanted::{Wanted, Wants};

use crate::bus::Message;

/// Where a feed's messages go. Messages of one feed arrive in the order in which they were
/// published; publishing must not wait.
pub trait Publish: Send + Sync {
    /// Publishes one message. `received` is when the frame or answer that it came from was read
    /// off the socket.
    fn publish(&self, message: Message, received: Timestamp);
}

impl<P: Publish + ?Sized> Publish for Arc<P> {
    fn publish(&self, message: Message, received: Timestamp) {
        (**self).publish(message, received);
    }
}
