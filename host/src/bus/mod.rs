//! placeholder
pub mod message;
use hotpit_units::Timestamp;
pub use message::{Delta, Message, Snapshot, Stale};

/// Where messages come out of the bus. Called in the order of the messages, and must not wait:
/// with the embedded bus it runs inside the feed.
pub trait Sink: Send + Sync + 'static {
    /// Takes one message. `received` is when the frame it came from was read off the exchange's
    /// socket (embedded bus), or off Redis.
    fn deliver(&self, message: Message, received: Timestamp);
}
