//! [`ClockWatch`]: notices that the clock was set, by a clock that nobody can set.

use std::time::Duration;

use hotpit_units::Timestamp;
use tokio::time::Instant;

/// How far the clock must be from where it would be by itself to count as set.
const SET_MIN: Duration = Duration::from_millis(500);

/// What the clock showed when it was looked at last, and when that was.
#[derive(Debug)]
pub(super) struct ClockWatch {
    shown: Timestamp,
    at: Instant,
}

impl ClockWatch {
    pub(super) fn new(shown: Timestamp, at: Instant) -> Self {
        Self { shown, at }
    }

    /// By how many milliseconds the clock was set since the last look, forward if more than zero;
    /// none: it went by itself.
    pub(super) fn look(&mut self, shown: Timestamp, at: Instant) -> Option<i64> {
        let expected = self.shown + at.duration_since(self.at);
        *self = Self { shown, at };
        let (ahead, behind) = (shown.since(expected), expected.since(shown));
        if ahead.max(behind) < SET_MIN {
            return None;
        }
        let millis = |by: Duration| i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Some(millis(ahead) - millis(behind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_once_in_either_direction() {
        let (start, at) = (Timestamp::from_secs(1_000), Instant::now());
        let later = |millis| Duration::from_millis(millis);
        let mut watch = ClockWatch::new(start, at);
        // Slow ticks are no jumps, nor is a clock that is slewed a little.
        assert_eq!(watch.look(start + later(5_000), at + later(5_000)), None);
        assert_eq!(watch.look(start + later(10_400), at + later(10_000)), None);
        assert_eq!(watch.look(start + later(71_400), at + later(11_000)), Some(60_000));
        assert_eq!(watch.look(start + later(72_400), at + later(12_000)), None);
        assert_eq!(watch.look(start + later(1_000), at + later(13_000)), Some(-72_400));
    }
}
