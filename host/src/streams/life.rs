//! [`Life`]: when an upstream is tried, and how it stands. Pure: time is passed in.

use std::time::Duration;

use hotpit_rt::{Backoff, Breaker, BreakerState, Rng};
use hotpit_units::Timestamp;

/// The shortest pause between two tries while the exchange is known to be away.
const MAINTENANCE_PAUSE: Duration = Duration::from_secs(15);

/// How an upstream is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The pause before the second try; it doubles from there.
    pub backoff_base: Duration,
    /// The longest pause while the breaker is closed. Open, the breaker keeps everybody away for
    /// about as long, up to twice as long after several failed trials.
    pub backoff_cap: Duration,
    /// How long a connection must have lasted to count as healthy.
    pub healthy_after: Duration,
    /// Whether it is away during Kalshi's maintenance.
    pub is_kalshi: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            backoff_base: Duration::from_millis(250),
            backoff_cap: Duration::from_secs(15),
            healthy_after: Duration::from_secs(10),
            is_kalshi: false,
        }
    }
}

/// Where an upstream is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Not tried yet.
    #[default]
    Idle,
    /// Being tried.
    Connecting,
    /// It answers.
    Up,
    /// Left alone until the next try.
    Waiting,
    /// Ended by us.
    Closed,
}

/// One upstream's life.
#[derive(Debug)]
pub(super) struct Life {
    policy: Policy,
    backoff: Backoff,
    breaker: Breaker,
    pub(super) state: State,
    /// When it came up last.
    up_since: Timestamp,
    /// When it is tried again, while it waits.
    pub(super) retry_at: Timestamp,
    /// Why it failed last; empty: never.
    pub(super) last_error: String,
    /// Times that it came up.
    pub(super) connects: u64,
    /// Times that it failed.
    pub(super) failures: u64,
}

impl Life {
    pub(super) fn new(policy: Policy, backoff: Rng, breaker: Rng) -> Self {
        let Policy { backoff_base, backoff_cap, .. } = policy;
        Self {
            policy,
            backoff: Backoff::new(backoff_base, backoff_cap, backoff),
            breaker: Breaker::new(backoff_cap, backoff_cap * 2, breaker),
            state: State::Idle,
            up_since: Timestamp::EPOCH,
            retry_at: Timestamp::EPOCH,
            last_error: String::new(),
            connects: 0,
            failures: 0,
        }
    }

    /// Where the breaker stands. A connection that lasts has proved more than the failures before
    /// it.
    pub(super) fn breaker(&self, now: Timestamp) -> BreakerState {
        if self.is_healthy(now) { BreakerState::Closed } else { self.breaker.state(now) }
    }

    fn is_healthy(&self, now: Timestamp) -> bool {
        self.state == State::Up && now.since(self.up_since) >= self.policy.healthy_after
    }

    /// Asks to ask.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        self.breaker.admit(now)
    }

    /// A connection is being made.
    pub(super) fn connecting(&mut self, now: Timestamp) {
        // It waited for as long as the breaker said; this takes the trial.
        let _ = self.breaker.admit(now);
        self.state = State::Connecting;
    }

    /// A connection stands. That it is healthy shows when it lasts.
    pub(super) fn connected(&mut self, now: Timestamp) {
        self.state = State::Up;
        self.up_since = now;
        self.connects += 1;
    }

    /// It answered as it should: nothing more to prove.
    pub(super) fn succeeded(&mut self, now: Timestamp) {
        if self.state != State::Up {
            self.connected(now);
        }
        self.backoff.reset();
        self.breaker.succeeded();
    }

    /// The connection is gone, or was not made. How long to leave the upstream alone.
    pub(super) fn lost(&mut self, reason: &str, is_away: bool, now: Timestamp) -> Duration {
        if self.is_healthy(now) {
            self.backoff.reset();
            self.breaker.succeeded();
        }
        let delay = self.failed(reason, is_away, now).max(self.backoff.next_delay());
        self.state = State::Waiting;
        self.retry_at = now + delay;
        delay
    }

    /// A request failed. How long the breaker keeps others away.
    pub(super) fn failed(&mut self, reason: &str, is_away: bool, now: Timestamp) -> Duration {
        self.failures += 1;
        reason.clone_into(&mut self.last_error);
        // That it fails then says nothing about it.
        if is_away {
            return MAINTENANCE_PAUSE;
        }
        let open = self.breaker.failed(now);
        if !open.is_zero() {
            self.state = State::Waiting;
            self.retry_at = now + open;
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use hotpit_rt::Entropy;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn life() -> Life {
        let entropy = Entropy::seeded(1);
        Life::new(Policy::default(), entropy.rng("backoff"), entropy.rng("breaker"))
    }

    #[test]
    fn a_healthy_connection_that_breaks_is_made_again_at_once() {
        let mut life = life();
        let now = Timestamp::from_secs(100);
        life.connecting(now);
        life.connected(now);
        assert_eq!(life.lost("reset", false, now + 10 * SECOND), Duration::ZERO);
        assert_eq!((life.state, life.last_error.as_str()), (State::Waiting, "reset"));
        life.connecting(now + 10 * SECOND);
        assert!(life.lost("refused", false, now + 10 * SECOND) > Duration::ZERO);
    }

    #[test]
    fn one_that_keeps_failing_opens_the_breaker_and_one_that_answers_closes_it() {
        let mut life = life();
        let mut now = Timestamp::from_secs(100);
        for _ in 0..20 {
            life.connecting(now);
            now = now + life.lost("refused", false, now);
            assert_eq!(life.retry_at, now);
        }
        assert_eq!(life.breaker(now), BreakerState::HalfOpen);
        assert!(life.lost("refused", false, now) >= Policy::default().backoff_cap / 2);
        assert_eq!(life.breaker(now), BreakerState::Open);
        life.succeeded(now);
        assert_eq!((life.state, life.breaker(now)), (State::Up, BreakerState::Closed));
    }

    #[test]
    fn connections_that_are_made_and_break_at_once_are_failures() {
        let mut life = life();
        let mut now = Timestamp::from_secs(100);
        for _ in 0..6 {
            life.connecting(now);
            life.connected(now);
            now = now + life.lost("closed", false, now + SECOND);
        }
        assert_ne!(life.breaker(now), BreakerState::Closed);
    }

    #[test]
    fn a_connection_that_lasts_closes_the_breaker() {
        let mut life = life();
        let mut now = Timestamp::from_secs(100);
        for _ in 0..6 {
            life.connecting(now);
            now = now + life.lost("refused", false, now);
        }
        life.connecting(now);
        life.connected(now);
        assert_eq!(life.breaker(now), BreakerState::HalfOpen);
        assert_eq!(life.breaker(now + 10 * SECOND), BreakerState::Closed);
        assert_eq!(life.lost("reset", false, now + 10 * SECOND), Duration::ZERO);
    }

    #[test]
    fn maintenance_is_waited_out_and_opens_no_breaker() {
        let mut life = life();
        let mut now = Timestamp::from_secs(100);
        for _ in 0..20 {
            life.connecting(now);
            let delay = life.lost("refused", true, now);
            assert!(delay >= MAINTENANCE_PAUSE && delay <= MAINTENANCE_PAUSE * 2, "{delay:?}");
            now = now + delay;
        }
        assert_eq!(life.breaker(now), BreakerState::Closed);
    }
}
