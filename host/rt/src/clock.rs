//! [`Clock`]: the time of day as a value that is passed around.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hotpit_units::Timestamp;
use tokio::time::Instant;

/// Tells the time. Cheap to clone; whoever stamps an event has one.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Simulated { start: Timestamp, origin: Instant },
    Jumping { start: Timestamp, origin: Instant, ahead: &'static AtomicI64 },
    Set(&'static AtomicU64),
}

/// Makes a [`Clock::jumping`] jump.
#[derive(Debug, Clone, Copy)]
pub struct ClockJump(&'static AtomicI64);

impl ClockJump {
    /// From now on the clock is so many nanoseconds ahead of where it would be by itself.
    pub fn set(&self, ahead_nanos: i64) {
        self.0.store(ahead_nanos, Ordering::Relaxed);
    }
}

/// Sets a [`Clock::settable`].
#[derive(Debug)]
pub struct ClockHand(&'static AtomicU64);

impl ClockHand {
    /// From now on the clock stands at this time.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` now and then moves with tokio's clock, which a test or a
    /// simulation pauses and advances.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        Self(Source::Simulated { start, origin: Instant::now() })
    }

    /// A [`Clock::simulated`] that can be set while it runs, as the clock of a machine can. Eight
    /// bytes of it are never given back, so that the clock stays cheap to copy.
    #[must_use]
    pub fn jumping(start: Timestamp) -> (Self, ClockJump) {
        let ahead: &AtomicI64 = Box::leak(Box::default());
        (Self(Source::Jumping { start, origin: Instant::now(), ahead }), ClockJump(ahead))
    }

    /// A clock that stands at the epoch until its hand is moved: for what was recorded, which has
    /// a time of its own. Eight bytes of it are never given back, so that the clock stays cheap to
    /// copy.
    #[must_use]
    pub fn settable() -> (Self, ClockHand) {
        let nanos: &AtomicU64 = Box::leak(Box::default());
        (Self(Source::Set(nanos)), ClockHand(nanos))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => {
                // A machine clock before 1970 is a broken machine; every limit that compares
                // times then sees the epoch, and refuses.
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::EPOCH + since_epoch
            }
            Source::Simulated { start, origin } => start + origin.elapsed(),
            Source::Jumping { start, origin, ahead } => {
                let steady = start + origin.elapsed();
                let ahead = ahead.load(Ordering::Relaxed);
                Timestamp::from_nanos(steady.as_nanos().saturating_add_signed(ahead))
            }
            Source::Set(nanos) => Timestamp::from_nanos(nanos.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_jumping_clock_goes_on_from_where_it_was_put() {
        let (clock, jump) = Clock::jumping(Timestamp::from_secs(100));
        assert!(clock.now() >= Timestamp::from_secs(100));
        jump.set(-50_000_000_000);
        assert!(clock.now() < Timestamp::from_secs(100));
        jump.set(50_000_000_000);
        assert!(clock.now() >= Timestamp::from_secs(150));
    }

    #[test]
    fn a_settable_clock_stands_where_its_hand_is() {
        let (clock, hand) = Clock::settable();
        assert_eq!(clock.now(), Timestamp::EPOCH);
        hand.set(Timestamp::from_secs(7));
        assert_eq!(clock.now(), Timestamp::from_secs(7));
    }
}
