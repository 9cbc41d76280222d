//! [`Backoff`]: how long to wait before the next try.

use std::time::Duration;

use rand::RngExt;

use crate::Rng;

/// Exponential backoff with full jitter. The first retry is immediate: most breaks are a
/// dropped connection to a healthy peer. After that the ceiling doubles from `base` to `cap`,
/// and each delay is drawn from the upper half below it, so that many clients do not return
/// together and none returns at once.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
    rng: Rng,
}

impl Backoff {
    /// A backoff that starts at `base` and never exceeds `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration, rng: Rng) -> Self {
        Self { base, cap, attempt: 0, rng }
    }

    /// How many delays were handed out since the last [`reset`](Self::reset).
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let attempt = self.attempt;
        self.attempt = self.attempt.saturating_add(1);
        if attempt == 0 {
            return Duration::ZERO;
        }
        let doublings = (attempt - 1).min(20);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        let half = ceiling / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(self.rng.random_range(0..=spread))
    }

    /// Starts again from the immediate retry. Call it when the peer has proved healthy, not when
    /// it merely accepted a connection.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entropy;

    #[test]
    fn delays_grow_to_the_cap_and_never_beyond() {
        let base = Duration::from_millis(100);
        let cap = Duration::from_secs(5);
        let mut backoff = Backoff::new(base, cap, Entropy::seeded(1).rng("test"));
        assert_eq!(backoff.next_delay(), Duration::ZERO);
        for attempt in 1..100_u32 {
            let ceiling = base.saturating_mul(1 << (attempt - 1).min(20)).min(cap);
            let delay = backoff.next_delay();
            assert!(delay >= ceiling / 2 && delay <= ceiling, "attempt {attempt}: {delay:?}");
        }
        backoff.reset();
        assert_eq!(backoff.next_delay(), Duration::ZERO);
    }
}
