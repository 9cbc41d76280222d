//! How often a scoreboard is read. Pure.

use std::time::Duration;

use hotpit_units::Timestamp;

use super::settings::Settings;
use crate::model::GameStatus;

/// From this long before its start a game is soon.
const SOON: Duration = Duration::from_secs(15 * 60);

/// A game that should have begun this long ago and still is scheduled will not begin soon.
const OVERDUE: Duration = Duration::from_secs(6 * 3_600);

/// What goes on in a league.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// No game today, or all are over.
    Idle,
    /// A game begins soon, or may go on.
    Soon,
    /// A game is being played.
    Live,
}

/// What goes on, and how long until the next reading: the interval of the pace, and less where
/// a game becomes soon before that.
#[must_use]
pub fn pace(
    games: impl IntoIterator<Item = (GameStatus, Timestamp)>,
    now: Timestamp,
    settings: &Settings,
) -> (Pace, Duration) {
    let mut pace = Pace::Idle;
    let mut wait = Duration::from_millis(settings.idle_ms);
    for (status, start) in games {
        let (game_pace, until_soon) = of_game(status, start, now);
        pace = pace.max(game_pace);
        wait = wait.min(until_soon);
    }
    let soon = Duration::from_millis(settings.soon_ms);
    match pace {
        Pace::Live => (pace, Duration::from_millis(settings.live_ms)),
        Pace::Soon => (pace, soon),
        Pace::Idle => (pace, wait.max(soon)),
    }
}

/// The pace that one game asks for, and when it will ask for more.
fn of_game(status: GameStatus, start: Timestamp, now: Timestamp) -> (Pace, Duration) {
    match status {
        GameStatus::InProgress | GameStatus::Halftime | GameStatus::EndOfPeriod => {
            (Pace::Live, Duration::MAX)
        }
        // It may go on, or turn out to be played.
        GameStatus::Delayed | GameStatus::Suspended | GameStatus::Unknown => {
            (Pace::Soon, Duration::MAX)
        }
        GameStatus::Final | GameStatus::Postponed | GameStatus::Canceled => {
            (Pace::Idle, Duration::MAX)
        }
        GameStatus::Scheduled => {
            let until_soon = start.since(now).saturating_sub(SOON);
            if !until_soon.is_zero() {
                (Pace::Idle, until_soon)
            } else if now.since(start) < OVERDUE {
                (Pace::Soon, Duration::MAX)
            } else {
                (Pace::Idle, Duration::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_most_urgent_game() {
        use GameStatus::{
            Delayed, EndOfPeriod, Final, Halftime, InProgress, Postponed, Scheduled, Unknown,
        };
        let settings = Settings::default();
        let live = (Pace::Live, settings.live_ms / 1_000);
        let soon = (Pace::Soon, settings.soon_ms / 1_000);
        let idle = (Pace::Idle, settings.idle_ms / 1_000);
        let now = 1_000_000;
        type Case<'a> = (&'a [(GameStatus, u64)], (Pace, u64));
        let cases: [Case; 12] = [
            (&[], idle),
            (&[(Final, now - 9_000), (InProgress, now - 600)], live),
            (&[(Halftime, now)], live),
            (&[(EndOfPeriod, now)], live),
            (&[(Delayed, now)], soon),
            (&[(Unknown, now)], soon),
            (&[(Postponed, now)], idle),
            (&[(Scheduled, now + 600)], soon),
            (&[(Scheduled, now - 600)], soon),
            (&[(Scheduled, now - 7 * 3_600)], idle),
            (&[(Scheduled, now + 86_400)], idle),
            // Becomes soon in five minutes: read again then.
            (&[(Scheduled, now + 1_200)], (Pace::Idle, 300)),
        ];
        for (games, (expected, seconds)) in cases {
            let games = games.iter().map(|(status, start)| (*status, Timestamp::from_secs(*start)));
            let games: Vec<_> = games.collect();
            let result = pace(games.clone(), Timestamp::from_secs(now), &settings);
            assert_eq!(result, (expected, Duration::from_secs(seconds)), "{games:?}");
        }
    }
}
