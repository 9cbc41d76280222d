//! [`FeedStats`]: what the feed counts, over all its connections. How each connection stands is
//! its [`Stream`](crate::streams::Stream)'s to tell.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Declares the counters once: the atomics, their names in the report, and what they count.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The feed's counters, shared between the task that moves them and those who look.
        #[derive(Debug, Default)]
        pub struct FeedStats {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The feed at one moment.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
        pub struct FeedReport {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl FeedStats {
            /// Everything as of now.
            #[must_use]
            pub fn report(&self) -> FeedReport {
                FeedReport {
                    $($name: self.$name.get(),)*
                }
            }
        }
    };
}

counters! {
    /// Bytes of text read.
    bytes,
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
    /// Reports left out because they are on another subaccount of the key.
    other_subaccounts,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_what_was_counted() {
        let stats = FeedStats::default();
        assert_eq!(stats.report(), FeedReport::default());
        stats.duplicates.bump();
        stats.bytes.add(7);
        let report = stats.report();
        assert_eq!((report.duplicates, report.bytes), (1, 7));
    }
}
