//! The bus through Redis: Pub/Sub made reliable.
//!
//! Pub/Sub forgets: a subscriber that is away misses messages, a slow one is cut off. So that
//! nothing is lost *unnoticed*:
//!
//! - Every envelope carries the `epoch` of its publisher (later for each start) and the `seq` of
//!   its channel, without holes unless something was dropped. A heartbeat per channel makes
//!   silence visible.
//! - The publisher keeps a key per market and game with its whole state and the `seq` as of
//!   which it is. All changed keys are written together, then the publisher's own key
//!   [`PUBLISHER_KEY`], which says up to which `seq` of each channel the keys reach.
//! - A subscriber subscribes, holds what it hears, waits for keys that reach up to it, loads
//!   them, drops what is older than each, and applies the rest. After a gap it says
//!   [`Stale`](crate::bus::Stale) and does the same again.
//!
//! What happens at the desk does not go over the bus; the [`Archive`] shows it to other programs.
//!
//! One publisher at a time, of one exchange: a later one takes over, and what an earlier one still
//! says is ignored. One that was taken over from stops, and goes on when the other is gone. Whoever
//! is of another exchange neither publishes beside it nor listens to it. Redis is no ledger: nothing
//! here is needed after a restart.

mod address;
mod archive;
mod connect;
mod envelope;
mod examine;
mod inflow;
mod keys;
mod publisher;
mod queue;
mod sentinel;
mod sequence;
mod subscriber;
#[cfg(test)]
mod tests;
mod wants;

pub use address::{Address, AddressError};
pub use archive::{ARCHIVE_GROUP, ARCHIVE_KEY, Archive, ArchiveSender};
pub use examine::{Examined, examine};
pub use publisher::{Publisher, PublisherStats};
pub use subscriber::{Subscriber, SubscriberStats};
pub use wants::WantsLink;

/// Written at every flush with the publisher's epoch and the number of the flush; expires soon
/// after a publisher has gone.
pub const PUBLISHER_KEY: &str = "hotpit:publisher";

/// The latest epoch, kept when its publisher is gone, so that each is later than all before it.
const EPOCH_KEY: &str = "hotpit:epoch";

/// The version of envelopes and keys.
pub const VERSION: u32 = 1;
