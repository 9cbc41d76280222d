//! [`Equity`]: what has been made since the day began, and since the best moment, and whether that
//! is less than may be lost.
//!
//! A position that cannot be marked keeps the mark it had last: a book that breaks for a moment is
//! no loss, and no end of one.

use std::fmt;

use hotpit_units::{Dollars, Timestamp};
use serde::{Deserialize, Serialize};

/// The length of a day, which begins at midnight UTC.
const DAY_SECONDS: u64 = 24 * 3_600;

/// How the reason of a halt for losses begins.
pub(super) const LOSS_LIMIT: &str = "LOSS_LIMIT";

/// How far the best moment must be exceeded before that is worth a record.
const WORTH_A_RECORD: Dollars = Dollars::from_dollars(1);

/// What losses are measured from: kept in the journal, so that a restart forgives none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Equity {
    /// The day, counted from the epoch.
    pub day: u64,
    /// What had been made when it began, less fees.
    pub at_start: Dollars,
    /// The most that had been made at any moment.
    pub best: Dollars,
}

/// What may be lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct LossLimits {
    pub(super) day: Dollars,
    pub(super) drawdown: Dollars,
}

/// More was lost than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuch {
    since: &'static str,
    lost: Dollars,
    limit: Dollars,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, lost, limit } = self;
        write!(f, "{LOSS_LIMIT}: lost={lost} limit={limit} since={since}")
    }
}

impl Equity {
    /// Measures from this moment on.
    pub(super) fn starting(made: Dollars, now: Timestamp) -> Self {
        Self { day: now.as_secs() / DAY_SECONDS, at_start: made, best: made }
    }

    /// Takes in what has been made by now. Tells whether that is worth a record.
    pub(super) fn update(&mut self, made: Dollars, now: Timestamp) -> bool {
        let day = now.as_secs() / DAY_SECONDS;
        let is_new_day = day > self.day;
        if is_new_day {
            (self.day, self.at_start) = (day, made);
        }
        let is_best = made >= self.best + WORTH_A_RECORD;
        if is_best {
            self.best = made;
        }
        is_new_day || is_best
    }

    /// Whether more was lost than may be.
    pub(super) fn check(&self, made: Dollars, limits: LossLimits) -> Result<(), TooMuch> {
        for (since, from, limit) in
            [("day", self.at_start, limits.day), ("best", self.best, limits.drawdown)]
        {
            let lost = from - made;
            if lost > limit {
                return Err(TooMuch { since, lost, limit });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn dollars(dollars: i64) -> Dollars {
        Dollars::from_dollars(dollars)
    }

    #[test]
    fn losses_count_from_the_day_and_from_the_best_moment() {
        let start = Timestamp::from_secs(10 * DAY_SECONDS + 5);
        let limits = LossLimits { day: dollars(20), drawdown: dollars(30) };
        let mut equity = Equity::starting(dollars(5), start);
        assert_eq!(equity.check(dollars(-15), limits), Ok(()));
        let told = equity.check(dollars(-16), limits).unwrap_err().to_string();
        assert_eq!(told, "LOSS_LIMIT: lost=21.000000 limit=20.000000 since=day");

        assert!(equity.update(dollars(25), start), "a new best moment");
        assert!(!equity.update(dollars(25), start));
        assert_eq!(equity.check(dollars(-5), limits), Ok(()));
        let told = equity.check(dollars(-6), limits).unwrap_err().to_string();
        assert!(told.ends_with("lost=31.000000 limit=30.000000 since=best"), "{told}");

        let next = start + Duration::from_secs(DAY_SECONDS);
        assert!(equity.update(dollars(-5), next), "a new day");
        assert_eq!(equity.check(dollars(-5), limits), Ok(()));
        assert!(equity.check(dollars(-26), limits).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_begins_no_day_again() {
        let start = Timestamp::from_secs(10 * DAY_SECONDS);
        let mut equity = Equity::starting(dollars(0), start);
        assert!(!equity.update(dollars(-9), Timestamp::from_secs(9 * DAY_SECONDS)));
        assert_eq!((equity.day, equity.at_start), (10, dollars(0)));
    }
}
