//! The stream manager: the life of every upstream, in one place.
//!
//! An upstream is whatever the host hears from or asks: each connection to Kalshi's WebSocket,
//! Kalshi's REST API, each of ESPN's scoreboards, Redis. Its owner does the talking; when to try,
//! when to leave it alone, and how it stands is decided and shown here, for all in the same way:
//!
//! - [`Stream`]: one upstream: state, backoff with jitter, circuit breaker, and what came.
//! - [`Streams`]: all of them, for `hotpit status` and `/metrics`.
//! - [`Calendar`]: Kalshi's maintenance, known in advance.
//!
//! What may wait is bounded, and what happens to what does not fit is the rule of its kind, held
//! where it waits:
//!
//! | what | where it waits | when that is full |
//! | --- | --- | --- |
//! | frames of the exchange | the socket's buffers | the exchange ends the subscription (error 25); it is made anew |
//! | quotes | an agent's mailbox | the latest of each market stays |
//! | trades, game states | an agent's mailbox | a `gap` event says how many were lost |
//! | fills, order updates | the desk's inbox | the desk reads the account anew before it trades on |
//! | lifecycle | the catalog's queue | the catalog reads everything anew |
//! | messages for Redis | the publisher's queue | quotes conflate; of others the loss is a gap in the numbers |
//!
//! What never lives here: sockets, requests, and what a message means.

mod calendar;
mod http;
mod life;
mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use calendar::{Calendar, Window, eastern};
use hotpit_rt::{Clock, Entropy};
pub(crate) use http::{chain, retry_after};
pub use life::Policy;
pub use stream::{BreakerPhase, ChannelReport, Stream, StreamPhase, StreamReport};

/// Every upstream of the host.
#[derive(Debug)]
pub struct Streams {
    clock: Clock,
    entropy: Entropy,
    calendar: Arc<Calendar>,
    open: Mutex<Vec<Arc<Stream>>>,
}

impl Streams {
    /// No upstream yet.
    #[must_use]
    pub fn new(clock: Clock, entropy: Entropy) -> Self {
        Self { clock, entropy, calendar: Arc::default(), open: Mutex::default() }
    }

    /// When Kalshi is known to be away.
    #[must_use]
    pub fn calendar(&self) -> &Arc<Calendar> {
        &self.calendar
    }

    /// Takes in an upstream. It is shown until its [`Stream`] is dropped.
    #[must_use]
    pub fn open(&self, name: impl Into<String>, policy: Policy) -> Arc<Stream> {
        let name = name.into();
        let rng = |purpose: &str| self.entropy.rng(&format!("streams.{purpose} {name}"));
        let life = life::Life::new(policy, rng("backoff"), rng("breaker"));
        let calendar = policy.is_kalshi.then(|| Arc::clone(&self.calendar));
        let stream = Arc::new(Stream::new(name, life, calendar, self.clock));
        self.list().push(Arc::clone(&stream));
        stream
    }

    /// How each upstream stands, in the order in which they were taken in.
    #[must_use]
    pub fn reports(&self) -> Vec<StreamReport> {
        let mut open = self.list();
        // Nobody but this list holds a stream whose owner is gone.
        open.retain(|stream| Arc::strong_count(stream) > 1);
        open.iter().map(|stream| stream.report()).collect()
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Stream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_shown_until_its_owner_drops_it() {
        let streams = Streams::new(Clock::system(), Entropy::seeded(1));
        let kept = streams.open("a", Policy::default());
        drop(streams.open("b", Policy::default()));
        let names: Vec<_> = streams.reports().into_iter().map(|report| report.name).collect();
        assert_eq!(names, ["a"]);
        drop(kept);
        assert_eq!(streams.reports(), []);
    }
}
