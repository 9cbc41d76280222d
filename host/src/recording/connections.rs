//! [`Connections`]: which connection a recorded frame came over, and whether one is missing before
//! it.

use std::collections::BTreeMap;

use super::line::Line;
use crate::feeds::kalshi::sequence::{Order, Tracker};
use crate::feeds::kalshi::wire::Header;

/// The connections of a recording.
#[derive(Debug, Default)]
pub(super) struct Connections {
    trackers: BTreeMap<u32, Tracker>,
    /// How many there were.
    count: u64,
    /// How often a recording that does not number its connections began anew.
    restarts: u32,
}

impl Connections {
    /// Another recording begins: what comes is of other connections.
    pub(super) fn clear(&mut self) {
        self.trackers.clear();
    }

    /// How many there were.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// The connection of a frame. Where lines do not say, a number that is 1 again after others
    /// is of a new one.
    pub(super) fn of(&mut self, line: &Line<'_>, header: Header) -> u32 {
        let number = line.connection.unwrap_or_else(|| {
            let tracker = self.trackers.get(&self.restarts);
            let last = header.sid.and_then(|sid| tracker?.last(sid));
            if header.seq == Some(1) && last.is_some_and(|last| last > 1) {
                self.restarts += 1;
            }
            self.restarts
        });
        self.trackers.entry(number).or_insert_with(|| {
            self.count += 1;
            Tracker::default()
        });
        number
    }

    /// A subscription begins or has ended: its numbers begin anew.
    pub(super) fn forget(&mut self, connection: u32, sid: u64) {
        if let Some(tracker) = self.trackers.get_mut(&connection) {
            tracker.forget(sid);
        }
    }

    /// Takes note of a frame's number. A snapshot that was asked for may have the number of the
    /// frame before it.
    pub(super) fn number(&mut self, connection: u32, header: Header, is_answer: bool) -> Order {
        let (Some(sid), Some(seq)) = (header.sid, header.seq) else { return Order::InOrder };
        let tracker = self.trackers.entry(connection).or_default();
        if is_answer && tracker.last(sid) == Some(seq) {
            return Order::InOrder;
        }
        tracker.observe(sid, seq)
    }
}
