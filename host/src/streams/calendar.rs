//! [`Calendar`]: when Kalshi is known to be away.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotpit_units::Timestamp;
use jiff::civil::{Weekday, time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// Eastern Time as a rule of its own (POSIX), so that no machine needs a time zone database.
const EASTERN: &str = "EST5EDT,M3.2.0,M11.1.0";

/// The time zone of exchange and scoreboards; there is one, as a test of this module shows.
#[must_use]
pub fn eastern() -> Option<TimeZone> {
    TimeZone::posix(EASTERN).ok()
}

/// A time in which the exchange is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// When it begins.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
}

impl Window {
    /// When it is, seen from `now`: `in 3 h 05 min`.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        let words = |time: Duration| {
            format!("{} h {:02} min", time.as_secs() / 3_600, time.as_secs() / 60 % 60)
        };
        if self.start <= now {
            format!("now, for {} more", words(self.end.since(now)))
        } else {
            format!("in {}", words(self.start.since(now)))
        }
    }
}

/// Kalshi's maintenance: every Thursday from 03:00 to 05:00 Eastern Time, and what
/// `GET /exchange/schedule` announces.
#[derive(Debug, Default)]
pub struct Calendar(Mutex<Vec<Window>>);

impl Calendar {
    /// Takes over what the exchange announces, in place of what it announced before.
    pub fn announce(&self, windows: Vec<Window>) {
        *self.announced() = windows;
    }

    /// The maintenance that is under way, or else the next.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Window> {
        let announced = self.announced();
        let known = announced.iter().copied().chain(weekly(now));
        known.filter(|window| window.end > now).min()
    }

    /// The maintenance that is under way.
    #[must_use]
    pub fn under_way(&self, now: Timestamp) -> Option<Window> {
        self.next(now).filter(|window| window.start <= now)
    }

    fn announced(&self) -> MutexGuard<'_, Vec<Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The weekly maintenance of the day that `now` is in, or of the next Thursday.
fn weekly(now: Timestamp) -> Option<Window> {
    let secs = i64::try_from(now.as_secs()).ok()?;
    let today = jiff::Timestamp::from_second(secs).ok()?.to_zoned(eastern()?);
    let window = |day: &Zoned| -> Option<Window> {
        let at = |hour| {
            let at = day.with().time(time(hour, 0, 0, 0)).build().ok()?;
            u64::try_from(at.timestamp().as_second()).ok().map(Timestamp::from_secs)
        };
        Some(Window { start: at(3)?, end: at(5)? })
    };
    if today.weekday() == Weekday::Thursday {
        let window = window(&today)?;
        if window.end > now {
            return Some(window);
        }
    }
    let days = today.weekday().until(Weekday::Thursday);
    let days = if days == 0 { 7 } else { days };
    window(&today.checked_add(i64::from(days).days()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let at: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_secs(u64::try_from(at.as_second()).unwrap())
    }

    #[test]
    fn thursdays_from_three_to_five_in_new_york_whatever_the_season() {
        let cases = [
            // Standard time: 08:00 to 10:00 UTC. 26 November 2026 is a Thursday.
            ("2026-11-26T07:59:59Z", "2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z"),
            ("2026-11-26T09:59:59Z", "2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z"),
            ("2026-11-26T10:00:00Z", "2026-12-03T08:00:00Z", "2026-12-03T10:00:00Z"),
            // Still Wednesday in New York.
            ("2026-11-26T02:00:00Z", "2026-11-26T08:00:00Z", "2026-11-26T10:00:00Z"),
            ("2026-11-28T00:00:00Z", "2026-12-03T08:00:00Z", "2026-12-03T10:00:00Z"),
            // Daylight saving time.
            ("2026-07-01T00:00:00Z", "2026-07-02T07:00:00Z", "2026-07-02T09:00:00Z"),
            // The clocks change between now and then.
            ("2026-10-30T12:00:00Z", "2026-11-05T08:00:00Z", "2026-11-05T10:00:00Z"),
        ];
        for (now, start, end) in cases {
            let window = Window { start: at(start), end: at(end) };
            assert_eq!(Calendar::default().next(at(now)), Some(window), "{now}");
        }
    }

    #[test]
    fn what_is_announced_counts_too() {
        let calendar = Calendar::default();
        let now = at("2026-11-23T12:00:00Z");
        assert_eq!(calendar.under_way(now), None);
        let window = Window { start: at("2026-11-23T11:00:00Z"), end: at("2026-11-23T13:00:00Z") };
        let later = Window { start: at("2026-11-24T11:00:00Z"), end: at("2026-11-24T13:00:00Z") };
        calendar.announce(vec![later, window]);
        assert_eq!(calendar.under_way(now), Some(window));
        assert_eq!(calendar.next(window.end), Some(later));
        assert_eq!(calendar.under_way(window.end), None);
    }
}
