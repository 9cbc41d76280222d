//! [`Stats`]: what one agent has done and used, counted without locks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_units::Timestamp;

use crate::model::Durations;

/// Buckets of the histogram: eight for each power of two, so that a quantile is read within 12%.
const PER_OCTAVE: usize = 8;
const BUCKETS: usize = 40 * PER_OCTAVE;

/// Counters of one agent. They go on over swaps and restarts.
#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) batches: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) actions: AtomicU64,
    /// The most that one batch returned.
    pub(crate) actions_most: AtomicU64,
    pub(crate) swaps: AtomicU64,
    pub(crate) desk_waits: AtomicU64,
    pub(crate) memory: AtomicU64,
    pub(crate) log_dropped: AtomicU64,
    rate: Rate,
    calls: [AtomicU64; BUCKETS],
    /// How long all calls took together, in nanoseconds.
    calls_ns: AtomicU64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            batches: AtomicU64::new(0),
            events: AtomicU64::new(0),
            actions: AtomicU64::new(0),
            actions_most: AtomicU64::new(0),
            swaps: AtomicU64::new(0),
            desk_waits: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            log_dropped: AtomicU64::new(0),
            rate: Rate::default(),
            calls: std::array::from_fn(|_| AtomicU64::new(0)),
            calls_ns: AtomicU64::new(0),
        }
    }
}

/// What happened in the last second that is over. One thread counts, any may read.
#[derive(Debug, Default)]
struct Rate {
    /// The second that is being counted, since the epoch.
    second: AtomicU64,
    /// How much happened in it.
    current: AtomicU64,
    /// How much happened in the one before it.
    last: AtomicU64,
}

impl Rate {
    fn add(&self, more: u64, now: Timestamp) {
        let (second, counted) = (now.as_secs(), self.second.load(Ordering::Relaxed));
        if second > counted {
            let over = self.current.swap(0, Ordering::Relaxed);
            let last = if second == counted + 1 { over } else { 0 };
            self.last.store(last, Ordering::Relaxed);
            self.second.store(second, Ordering::Relaxed);
        }
        self.current.fetch_add(more, Ordering::Relaxed);
    }

    fn per_second(&self, now: Timestamp) -> u64 {
        match now.as_secs().saturating_sub(self.second.load(Ordering::Relaxed)) {
            0 => self.last.load(Ordering::Relaxed),
            1 => self.current.load(Ordering::Relaxed),
            _ => 0,
        }
    }
}

/// Counts `more`.
pub(crate) fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Stats {
    /// Counts the events of a batch.
    pub(crate) fn heard(&self, events: usize, now: Timestamp) {
        add(&self.batches, 1);
        add(&self.events, events);
        self.rate.add(u64::try_from(events).unwrap_or(u64::MAX), now);
    }

    /// Counts the actions of a batch.
    pub(crate) fn acted(&self, actions: usize) {
        add(&self.actions, actions);
        let actions = u64::try_from(actions).unwrap_or(u64::MAX);
        self.actions_most.fetch_max(actions, Ordering::Relaxed);
    }

    /// Events in the last second that is over.
    pub(crate) fn events_per_second(&self, now: Timestamp) -> u64 {
        self.rate.per_second(now)
    }

    /// Counts one call of `on-events` and how long it took.
    pub(crate) fn called(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.calls[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        self.calls_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    /// How long calls took.
    pub(crate) fn durations(&self) -> Durations {
        let mut durations = Durations::default();
        for (index, count) in self.calls.iter().enumerate() {
            durations.add_many(upper_edge(index), count.load(Ordering::Relaxed), 0);
        }
        durations.add_many(0, 0, self.calls_ns.load(Ordering::Relaxed));
        durations
    }

    /// The time below which this share of calls stayed, in thousandths: 990 is the 99th
    /// percentile. Zero before the first call.
    pub(crate) fn quantile(&self, thousandths: u64) -> Duration {
        let counts: Vec<u64> =
            self.calls.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let rank = (total * thousandths).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (index, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_edge(index));
            }
        }
        Duration::ZERO
    }
}

fn bucket(nanos: u64) -> usize {
    let per_octave = PER_OCTAVE as u64;
    if nanos < per_octave {
        return nanos as usize;
    }
    let octave = u64::from(nanos.ilog2());
    let shift = octave - u64::from(per_octave.ilog2());
    let within = (nanos >> shift) - per_octave;
    let index = (shift + 1) * per_octave + within;
    usize::try_from(index).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The largest time of a bucket, in nanoseconds.
fn upper_edge(index: usize) -> u64 {
    let (octave, within) = ((index / PER_OCTAVE) as u64, (index % PER_OCTAVE) as u64);
    if octave == 0 {
        return within;
    }
    ((PER_OCTAVE as u64 + within + 1) << (octave - 1)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_within_an_eighth_of_the_time() {
        for nanos in [0, 1, 7, 8, 9, 100, 170, 1_000, 12_345, 10_000_000, 250_000_000] {
            let edge = upper_edge(bucket(nanos));
            assert!(edge >= nanos && edge - nanos <= nanos / 8, "{nanos} is in {edge}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_come_from_the_calls() {
        let stats = Stats::default();
        assert_eq!(stats.quantile(500), Duration::ZERO);
        for _ in 0..98 {
            stats.called(Duration::from_nanos(200));
        }
        stats.called(Duration::from_micros(50));
        stats.called(Duration::from_micros(50));
        assert!(stats.quantile(500) < Duration::from_nanos(230), "{:?}", stats.quantile(500));
        assert!(stats.quantile(990) >= Duration::from_micros(50), "{:?}", stats.quantile(990));
        let durations = stats.durations();
        assert_eq!((durations.count(), durations.sum_ns()), (100, 98 * 200 + 2 * 50_000));
        assert_eq!(durations.below().next().map(|(_, below)| below), Some(98));
    }

    #[test]
    fn the_rate_is_that_of_the_last_second_that_is_over() {
        let stats = Stats::default();
        let at = |ms: u64| Timestamp::from_millis(1_000_000 + ms);
        stats.heard(3, at(100));
        stats.heard(4, at(900));
        assert_eq!(stats.events_per_second(at(950)), 0, "it is not over");
        assert_eq!(stats.events_per_second(at(1_100)), 7);
        stats.heard(5, at(1_200));
        assert_eq!(stats.events_per_second(at(1_300)), 7);
        assert_eq!(stats.events_per_second(at(2_000)), 5);
        assert_eq!(stats.events_per_second(at(3_000)), 0);
        stats.heard(1, at(9_000));
        assert_eq!(stats.events_per_second(at(9_000)), 0);
        assert_eq!(stats.events.load(Ordering::Relaxed), 13);
    }
}
