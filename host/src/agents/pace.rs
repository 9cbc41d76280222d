//! [`Pace`]: how many actions an agent returned within the last second.

use std::collections::VecDeque;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::fault::Fault;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts over a sliding second. Holds a number for each batch of that second that returned
/// something: never more of them than the limit.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: u64,
    batches: VecDeque<(Timestamp, u64)>,
    count: u64,
}

impl Pace {
    /// Nothing was returned yet.
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit: limit.into(), batches: VecDeque::new(), count: 0 }
    }

    /// Counts the actions of a batch, `now` being its time.
    ///
    /// # Errors
    /// When that makes more than the limit within one second.
    pub(crate) fn admit(&mut self, actions: usize, now: Timestamp) -> Result<(), Fault> {
        while let Some((_, count)) = self.batches.pop_front_if(|(at, _)| now.since(*at) >= WINDOW) {
            self.count -= count;
        }
        if actions == 0 {
            return Ok(());
        }
        let actions = u64::try_from(actions).unwrap_or(u64::MAX);
        let count = self.count.saturating_add(actions);
        if count > self.limit {
            return Err(Fault::ActionRate { limit: self.limit });
        }
        self.count = count;
        self.batches.push_back((now, actions));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When, in milliseconds, and how many actions.
    type Batch = (u64, usize);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    /// The number of the batch that was too much, if one was.
    fn too_much(limit: u32, batches: &[Batch]) -> Option<usize> {
        let mut pace = Pace::new(limit);
        let mut admit = |&(ms, actions): &Batch| pace.admit(actions, at(ms)).is_err();
        batches.iter().position(&mut admit)
    }

    #[test]
    fn more_than_the_limit_within_one_second_is_too_much() {
        let cases: [(&[Batch], Option<usize>); 8] = [
            (&[(0, 10)], None),
            (&[(0, 11)], Some(0)),
            (&[(0, 5), (0, 5), (0, 0)], None),
            (&[(0, 5), (0, 5), (0, 1)], Some(2)),
            (&[(0, 10), (999, 1)], Some(1)),
            (&[(0, 10), (1_000, 10), (1_999, 1)], Some(2)),
            // The second slides: what spans the border of two of them counts.
            (&[(0, 1), (900, 9), (1_000, 1), (1_001, 1)], Some(3)),
            (&[(0, 1), (500, 9), (1_100, 1), (1_500, 9), (5_000, 10)], None),
        ];
        for (batches, expected) in cases {
            assert_eq!(too_much(10, batches), expected, "{batches:?}");
        }
    }

    #[test]
    fn it_holds_no_more_batches_than_the_limit() {
        let mut pace = Pace::new(10);
        for ms in 0..10_000 {
            let _ = pace.admit(usize::from(ms % 100 == 0), at(ms));
            assert!(pace.batches.len() <= 10);
        }
        assert_eq!(pace.count, 10);
    }

    #[test]
    fn the_fault_says_what_was_too_much() {
        let fault = Pace::new(500).admit(501, at(0)).unwrap_err();
        assert_eq!(fault.to_string(), "on-events returned more than 500 actions in one second");
        assert_eq!(fault.name(), "action_rate");
    }
}
