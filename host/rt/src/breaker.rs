//! [`Breaker`]: whether a peer that keeps failing is worth another try.

use std::time::Duration;

use hotpit_units::Timestamp;
use rand::RngExt;

use crate::Rng;

/// How often in a row a peer may fail before nobody asks it any more.
const FAILURES_MAX: u32 = 5;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BreakerState {
    /// The peer answers: everybody may ask.
    #[default]
    Closed,
    /// It failed several times in a row: nobody asks until its time is over.
    Open,
    /// That time is over: one may ask, and its answer decides.
    HalfOpen,
}

/// A circuit breaker: after five failures in a row nobody asks the peer for a while, then one
/// may, and its success lets everybody ask again. The time it stays open doubles with each
/// failed trial and has jitter.
///
/// Time is passed in; a trial whose end nobody reports does not block the next for ever.
#[derive(Debug)]
pub struct Breaker {
    open_min: Duration,
    open_max: Duration,
    failures: u32,
    opened: u32,
    until: Timestamp,
    is_tried: bool,
    rng: Rng,
}

impl Breaker {
    /// A closed breaker that stays open at least `open_min` and at most `open_max`.
    #[must_use]
    pub const fn new(open_min: Duration, open_max: Duration, rng: Rng) -> Self {
        let until = Timestamp::EPOCH;
        Self { open_min, open_max, failures: 0, opened: 0, until, is_tried: false, rng }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> BreakerState {
        if self.failures < FAILURES_MAX {
            BreakerState::Closed
        } else if now < self.until && !self.is_tried {
            BreakerState::Open
        } else {
            BreakerState::HalfOpen
        }
    }

    /// Asks to ask.
    ///
    /// # Errors
    /// How long nobody may: until the breaker's time is over, or the trial under way should be.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        if self.failures < FAILURES_MAX {
            return Ok(());
        }
        if now < self.until {
            return Err(self.until.since(now));
        }
        self.is_tried = true;
        self.until = now + self.open_min;
        Ok(())
    }

    /// The peer answered.
    pub const fn succeeded(&mut self) {
        (self.failures, self.opened, self.is_tried) = (0, 0, false);
    }

    /// The peer failed. How long nobody may ask it now; zero while the breaker is closed.
    pub fn failed(&mut self, now: Timestamp) -> Duration {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_MAX {
            return Duration::ZERO;
        }
        if now < self.until && !self.is_tried {
            // One that was asked before the breaker opened.
            return self.until.since(now);
        }
        let open = self.open_min.saturating_mul(1 << self.opened.min(20)).min(self.open_max);
        let half = open / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        let open = half + Duration::from_nanos(self.rng.random_range(0..=spread));
        self.opened = self.opened.saturating_add(1);
        self.is_tried = false;
        self.until = now + open;
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entropy;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(10 * SECOND, 60 * SECOND, Entropy::seeded(1).rng("test"))
    }

    #[test]
    fn a_peer_that_keeps_failing_is_left_alone_and_then_tried_by_one() {
        let mut breaker = breaker();
        let mut now = Timestamp::from_secs(100);
        for _ in 1..FAILURES_MAX {
            assert_eq!(breaker.failed(now), Duration::ZERO);
            assert_eq!(breaker.admit(now), Ok(()));
        }
        let open = breaker.failed(now);
        assert!(open >= 5 * SECOND && open <= 10 * SECOND, "{open:?}");
        assert_eq!(breaker.state(now), BreakerState::Open);
        assert_eq!(breaker.admit(now), Err(open));
        assert_eq!(breaker.failed(now), open, "one that was under way changes nothing");
        now = now + open;
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.admit(now), Err(10 * SECOND), "one at a time");
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        breaker.succeeded();
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert_eq!(breaker.admit(now), Ok(()));
        assert_eq!(breaker.admit(now), Ok(()));
    }

    #[test]
    fn each_failed_trial_keeps_it_open_longer_up_to_the_most() {
        let mut breaker = breaker();
        let mut now = Timestamp::from_secs(100);
        for _ in 1..FAILURES_MAX {
            breaker.failed(now);
        }
        for ceiling in [10, 20, 40, 60, 60, 60] {
            let open = breaker.failed(now);
            assert!(open >= ceiling * SECOND / 2 && open <= ceiling * SECOND, "{open:?}");
            now = now + open;
            assert_eq!(breaker.admit(now), Ok(()));
        }
    }

    #[test]
    fn a_trial_that_never_ends_lets_another_follow() {
        let mut breaker = breaker();
        let now = Timestamp::from_secs(100);
        for _ in 0..FAILURES_MAX {
            breaker.failed(now);
        }
        let later = now + 60 * SECOND;
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later + 9 * SECOND).is_err());
        assert_eq!(breaker.admit(later + 10 * SECOND), Ok(()));
    }
}
