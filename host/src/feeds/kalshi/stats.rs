//! [`FeedStats`]: what the feed tells of itself, for metrics and `hotpit status`.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hotpit_units::Timestamp;
use serde::Serialize;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Not started.
    #[default]
    Idle,
    /// Opening a connection.
    Connecting,
    /// Connected.
    Active,
    /// Between a lost connection and the next try.
    Waiting,
    /// Without a key there is no WebSocket: books and trades are polled over REST.
    Polling,
    /// Stopped.
    Closed,
}

impl FeedState {
    const ALL: [Self; 6] =
        [Self::Idle, Self::Connecting, Self::Active, Self::Waiting, Self::Polling, Self::Closed];
}

/// Declares the counters once: the atomics, their names in the report, and what they count.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The feed's counters, shared between the task that moves them and those who look.
        #[derive(Debug, Default)]
        pub struct FeedStats {
            state: AtomicU8,
            last_frame: AtomicU64,
            last_data: AtomicU64,
            lag_ms: AtomicU64,
            last_error: Mutex<String>,
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The feed at one moment.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
        pub struct FeedReport {
            /// Where the connection is in its life.
            pub state: FeedState,
            /// When the last frame was read, of whatever kind; the epoch: never.
            pub last_frame: Timestamp,
            /// How long the last frame that says when it was sent was under way, in ms. Includes
            /// what our clock and the exchange's differ.
            pub lag_ms: u64,
            /// Why the connection was lost last; empty: never.
            pub last_error: String,
            $($(#[$doc])* pub $name: u64,)*
        }

        impl FeedStats {
            /// When the last frame was read, of whatever kind; the epoch: never.
            #[must_use]
            pub fn last_frame(&self) -> Timestamp {
                Timestamp::from_nanos(self.last_frame.load(Ordering::Relaxed))
            }

            /// When the last frame with something in it was read; the epoch: never. Pings are
            /// no proof of the books: a stream has been seen to answer them for a quarter of an
            /// hour and to bring nothing else.
            #[must_use]
            pub fn last_data(&self) -> Timestamp {
                Timestamp::from_nanos(self.last_data.load(Ordering::Relaxed))
            }

            /// Everything as of now.
            #[must_use]
            pub fn report(&self) -> FeedReport {
                let state = usize::from(self.state.load(Ordering::Relaxed));
                FeedReport {
                    state: FeedState::ALL.get(state).copied().unwrap_or_default(),
                    last_frame: self.last_frame(),
                    lag_ms: self.lag_ms.load(Ordering::Relaxed),
                    last_error: self.last_error().clone(),
                    $($name: self.$name.get(),)*
                }
            }
        }
    };
}

counters! {
    /// Frames of text read.
    frames,
    /// Bytes of text read.
    bytes,
    /// Connections made.
    connects,
    /// Connections lost, or given up.
    disconnects,
    /// Gaps in a sequence.
    gaps,
    /// Frames left out because they were seen already.
    duplicates,
    /// Frames that could not be read.
    malformed,
    /// Frames of a type that this version does not know.
    unknown_types,
    /// Snapshots of books published.
    snapshots,
    /// Changes of books published.
    deltas,
    /// Changes left out because their book waits for a snapshot.
    deltas_held_back,
    /// Frames left out because nobody wants their market any more.
    unwanted,
    /// Books asked for again.
    recoveries,
    /// Trades published.
    trades,
    /// Trades left out because they were published already.
    trades_repeated,
    /// Trades missed on the socket and published from REST.
    trades_recovered,
    /// Times that missed trades could not be read.
    trade_recovery_failures,
    /// Commands that the exchange refused.
    command_errors,
    /// Commands that the exchange did not answer in time.
    command_timeouts,
    /// Reports on our orders left out because the desk's inbox was full; it then reads them.
    desk_overflows,
    /// Lifecycle frames left out because the catalog was behind; it then reads everything.
    lifecycle_overflows,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn bump(&self) {
        self.add(1);
    }

    /// Some more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl FeedStats {
    pub(super) fn set_state(&self, state: FeedState) {
        let code = FeedState::ALL.iter().position(|known| *known == state).unwrap_or_default();
        self.state.store(u8::try_from(code).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn frame_read(&self, now: Timestamp) {
        self.last_frame.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn data_read(&self, now: Timestamp) {
        self.last_data.store(now.as_nanos(), Ordering::Relaxed);
    }

    pub(super) fn sent_at(&self, sent: Timestamp, now: Timestamp) {
        self.lag_ms.store(now.as_millis().saturating_sub(sent.as_millis()), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, reason: &str) {
        reason.clone_into(&mut self.last_error());
    }

    fn last_error(&self) -> std::sync::MutexGuard<'_, String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_what_was_counted() {
        let stats = FeedStats::default();
        assert_eq!(stats.report(), FeedReport::default());
        for state in FeedState::ALL {
            stats.set_state(state);
            assert_eq!(stats.report().state, state);
        }
        stats.gaps.bump();
        stats.failed("reset");
        stats.sent_at(Timestamp::from_millis(10), Timestamp::from_millis(35));
        let report = stats.report();
        assert_eq!((report.gaps, report.lag_ms, report.last_error.as_str()), (1, 25, "reset"));
    }
}
