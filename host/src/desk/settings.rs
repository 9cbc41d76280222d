//! [`Settings`] of the desk.

use std::time::Duration;

use serde::Deserialize;

use super::risk::Limits;

/// How the desk works.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the risk manager allows.
    pub limits: Limits,
    /// When the desk does what.
    pub timing: Timing,
}

/// When the desk does what. Every time is in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// How far the exchange's reads lag behind its engine, at most. A read that was asked for
    /// sooner than this after an order was sent does not prove that the order is absent. At least
    /// 2000: Kalshi's reads have been seen a second behind.
    pub read_lag_ms: u64,
    /// How soon after an order's answer went missing the exchange is asked about it.
    pub first_query_ms: u64,
    /// How often the whole account is compared with the exchange's.
    pub reconcile_every_ms: u64,
    /// How long the orders of an agent that does not run may work on after a restart, before they
    /// are canceled: the time that the agent has to come up.
    pub orphan_grace_ms: u64,
    /// How long the private channel may be away before the working orders are canceled of those
    /// agents whose orders are not to work on without it.
    pub disconnect_grace_ms: u64,
    /// How far before the last booked fill the exchange's fills are read again.
    pub fills_overlap_ms: u64,
    /// How long the shutdown waits for the exchange to confirm that no order works any more.
    pub drain_ms: u64,
    /// How often the desk looks for what is due: expiries, queries, marks.
    pub tick_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            read_lag_ms: 2_000,
            first_query_ms: 250,
            reconcile_every_ms: 60_000,
            orphan_grace_ms: 10_000,
            disconnect_grace_ms: 5_000,
            fills_overlap_ms: 600_000,
            drain_ms: 5_000,
            tick_ms: 100,
        }
    }
}

/// Less would take an order for absent that a slow read does not show yet.
const READ_LAG_MS_MIN: u64 = 2_000;

/// The journal always keeps the day before the last fill: fills read again from further back
/// could have been forgotten, and would be booked twice.
const FILLS_OVERLAP_MS_MAX: u64 = 12 * 3_600_000;

impl Settings {
    /// Says everything that is wrong, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        self.limits.validate(problems);
        let timing = &self.timing;
        if timing.read_lag_ms < READ_LAG_MS_MIN {
            problems.push(format!("desk.timing.read_lag_ms: must be at least {READ_LAG_MS_MIN}"));
        }
        if !(1_000..=3_600_000).contains(&timing.reconcile_every_ms) {
            problems
                .push("desk.timing.reconcile_every_ms: must be from 1000 to 3600000".to_owned());
        }
        if !(10..=1_000).contains(&timing.tick_ms) {
            problems.push("desk.timing.tick_ms: must be from 10 to 1000".to_owned());
        }
        if timing.fills_overlap_ms < timing.reconcile_every_ms {
            problems.push(
                "desk.timing.fills_overlap_ms: must be at least desk.timing.reconcile_every_ms"
                    .to_owned(),
            );
        }
        if timing.fills_overlap_ms > FILLS_OVERLAP_MS_MAX {
            problems.push(format!(
                "desk.timing.fills_overlap_ms: must be at most {FILLS_OVERLAP_MS_MAX}"
            ));
        }
        if timing.drain_ms > 60_000 {
            problems.push("desk.timing.drain_ms: must be at most 60000".to_owned());
        }
    }
}

impl Timing {
    pub(super) const fn read_lag(&self) -> Duration {
        Duration::from_millis(self.read_lag_ms)
    }

    pub(super) const fn first_query(&self) -> Duration {
        Duration::from_millis(self.first_query_ms)
    }

    pub(super) const fn reconcile_every(&self) -> Duration {
        Duration::from_millis(self.reconcile_every_ms)
    }

    pub(super) const fn orphan_grace(&self) -> Duration {
        Duration::from_millis(self.orphan_grace_ms)
    }

    pub(super) const fn disconnect_grace(&self) -> Duration {
        Duration::from_millis(self.disconnect_grace_ms)
    }

    pub(super) const fn fills_overlap(&self) -> Duration {
        Duration::from_millis(self.fills_overlap_ms)
    }

    pub(super) const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }

    pub(super) const fn tick(&self) -> Duration {
        Duration::from_millis(self.tick_ms)
    }
}

/// How long to wait before the next attempt at a request to the exchange: `first`, then twice as
/// long each time, up to `cap`. Without jitter: the desk decides, so the same inputs must give
/// the same times, and one desk is no crowd.
pub(super) fn retry_delay(first: Duration, cap: Duration, attempt: u32) -> Duration {
    first.saturating_mul(1 << attempt.min(16)).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_a_short_lag_is_not() {
        let mut problems = Vec::new();
        Settings::default().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let timing = Timing { read_lag_ms: 500, tick_ms: 0, ..Timing::default() };
        Settings { timing, ..Settings::default() }.validate(&mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn retries_wait_longer_up_to_the_cap() {
        let (first, cap) = (Duration::from_millis(250), Duration::from_secs(10));
        let waits: Vec<u128> =
            [0, 1, 2, 9, 60].map(|attempt| retry_delay(first, cap, attempt).as_millis()).into();
        assert_eq!(waits, [250, 500, 1_000, 10_000, 10_000]);
    }
}
