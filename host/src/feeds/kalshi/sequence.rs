//! [`Tracker`]: whether a frame was lost.
//!
//! Kalshi numbers the frames of each subscription (`sid`) from 1 on, one number for every
//! sequenced frame, whatever its type and market: snapshots, deltas, trades, lifecycle, and also
//! `ok`, `unsubscribed` and errors of a subscription. Tracking by market, or leaving a type out,
//! makes false gaps. Source: Kalshi, AsyncAPI; measured on recorded frames.

use std::collections::BTreeMap;

/// What a frame's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It is the next one.
    InOrder,
    /// It was seen already, or is older than what was seen: it must not be applied.
    Duplicate,
    /// Frames are missing before it: what the subscription feeds can no longer be trusted.
    Gap {
        /// The number that was expected.
        expected: u64,
        /// The number that came.
        got: u64,
    },
}

/// The sequences of one connection. A new connection needs a new tracker.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// The next number, by subscription.
    next: BTreeMap<u64, u64>,
}

impl Tracker {
    /// Takes note of a frame. The first frame of a subscription is taken as it comes: what was
    /// lost before it shows as a book without its snapshot.
    pub fn observe(&mut self, sid: u64, seq: u64) -> Order {
        let after = seq.saturating_add(1);
        let next = self.next.entry(sid).or_insert(seq);
        let expected = *next;
        if seq < expected {
            return Order::Duplicate;
        }
        *next = after;
        if seq == expected { Order::InOrder } else { Order::Gap { expected, got: seq } }
    }

    /// The highest number that was seen of a subscription.
    #[must_use]
    pub fn last(&self, sid: u64) -> Option<u64> {
        self.next.get(&sid)?.checked_sub(1)
    }

    /// Forgets a subscription: it ended, and a later one may have the same number.
    pub fn forget(&mut self, sid: u64) {
        self.next.remove(&sid);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_subscription_counts_for_itself() {
        use Order::{Duplicate, Gap, InOrder};
        let steps = [
            ((1, 1), InOrder),
            ((1, 2), InOrder),
            ((2, 1), InOrder),
            ((1, 3), InOrder),
            ((2, 3), Gap { expected: 2, got: 3 }),
            ((2, 2), Duplicate),
            ((2, 4), InOrder),
            ((1, 3), Duplicate),
            ((1, 4), InOrder),
            ((3, 279_597), InOrder),
            ((3, 279_599), Gap { expected: 279_598, got: 279_599 }),
            ((3, u64::MAX), Gap { expected: 279_600, got: u64::MAX }),
        ];
        let mut tracker = Tracker::default();
        for ((sid, seq), expected) in steps {
            assert_eq!(tracker.observe(sid, seq), expected, "sid {sid} seq {seq}");
        }
    }

    #[test]
    fn a_subscription_that_ended_starts_again() {
        let mut tracker = Tracker::default();
        tracker.observe(1, 7);
        tracker.forget(1);
        assert_eq!(tracker.observe(1, 1), Order::InOrder);
    }

    proptest! {
        /// Whatever is dropped or doubled: every lost frame shows in the next one that arrives.
        #[test]
        fn no_loss_goes_unnoticed(keep in prop::collection::vec(0_usize..3, 1..200)) {
            let mut tracker = Tracker::default();
            tracker.observe(1, 0);
            let mut lost = false;
            for (seq, copies) in (1_u64..).zip(keep) {
                for copy in 0..copies {
                    let order = tracker.observe(1, seq);
                    let expected_gap = lost && copy == 0;
                    prop_assert_eq!(matches!(order, Order::Gap { .. }), expected_gap);
                    prop_assert_eq!(order == Order::Duplicate, copy > 0);
                }
                lost = copies == 0;
            }
        }
    }
}
