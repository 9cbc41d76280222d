//! [`Durations`]: how often something took how long, in buckets that never change.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The first bucket ends below this power of two, in nanoseconds: 4.1 µs.
const FIRST: u32 = 12;

/// The bucket before the last, which has no end, ends at this one: 4.3 s.
const LAST: u32 = 32;

/// How many buckets there are.
const BUCKETS: usize = (LAST - FIRST) as usize + 2;

/// How often something took how long. Each bucket goes up to twice as long as the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Durations {
    /// How often it took as long as each bucket says, and longer than the one before it.
    counts: [u64; BUCKETS],
    /// How long all together took, in nanoseconds.
    sum_ns: u64,
}

impl Durations {
    /// Nothing happened yet.
    pub const EMPTY: Self = Self { counts: [0; BUCKETS], sum_ns: 0 };

    /// Counts something that took so long.
    pub fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.add_many(nanos, 1, nanos);
    }

    /// Counts as much that took about `nanos` each, and `sum_ns` together.
    pub fn add_many(&mut self, nanos: u64, count: u64, sum_ns: u64) {
        let bits = u64::BITS - nanos.leading_zeros();
        let bucket = usize::try_from(bits.saturating_sub(FIRST)).unwrap_or(BUCKETS);
        self.counts[bucket.min(BUCKETS - 1)] += count;
        self.sum_ns = self.sum_ns.saturating_add(sum_ns);
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How long all together took, in nanoseconds.
    #[must_use]
    pub const fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// How often it took less than so many nanoseconds, for each bucket that has an end.
    pub fn below(&self) -> impl Iterator<Item = (u64, u64)> {
        let ends = (FIRST..=LAST).map(|power| 1 << power);
        ends.zip(self.counts.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_first_bucket_that_is_longer() {
        let mut durations = Durations::default();
        for nanos in [0, 4_095, 4_096, 1_000_000, 60_000_000_000] {
            durations.add(Duration::from_nanos(nanos));
        }
        let below = |end: u64| durations.below().find(|(it, _)| *it == end).unwrap().1;
        assert_eq!((below(4_096), below(8_192)), (2, 3));
        assert_eq!((below(1 << 19), below(1 << 20), below(1 << 32)), (3, 4, 4));
        assert_eq!(durations.count(), 5, "what took longest has no bucket with an end");
        assert_eq!(durations.sum_ns(), 60_001_008_191);
    }
}
