//! The leagues that are known: where ESPN has them, how long they play, and what Kalshi calls
//! them.

use std::time::Duration;

use crate::model::League;

/// A league.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeagueFacts {
    /// ESPN's name, the one that agents use.
    pub name: &'static str,
    /// The sport, as in ESPN's paths.
    pub sport: &'static str,
    /// ESPN's `groups`, where the scoreboard without it shows a selection only.
    pub groups: Option<u32>,
    /// Periods of a game without overtime.
    pub periods: u16,
    /// The length of a period in milliseconds; 0 where periods are not timed.
    pub period_ms: u32,
    /// Whether the clock counts what was played since the first period began, and not what is
    /// left of this one.
    pub counts_up: bool,
    /// The `type` of its games among Kalshi's milestones.
    pub milestone_type: &'static str,
    /// How Kalshi spells the league (`details.league` of a milestone).
    pub kalshi: &'static [&'static str],
}

const MINUTE_MS: u32 = 60_000;

/// Every known league.
pub const LEAGUES: [LeagueFacts; 9] = [
    timed("nfl", "football", 4, 15, "football_game", &["NFL", "Pro Football"]),
    LeagueFacts {
        // FBS: all of the top division.
        groups: Some(80),
        ..timed("college-football", "football", 4, 15, "football_game", &["NCAAFB", "NCAAF"])
    },
    timed("nba", "basketball", 4, 12, "basketball_game", &["NBA"]),
    timed("wnba", "basketball", 4, 10, "basketball_game", &["WNBA"]),
    LeagueFacts {
        // Division I.
        groups: Some(50),
        ..timed(
            "mens-college-basketball",
            "basketball",
            2,
            20,
            "basketball_game",
            &["NCAAMB", "NCAAB"],
        )
    },
    timed("mlb", "baseball", 9, 0, "baseball_game", &["MLB"]),
    timed("nhl", "hockey", 3, 20, "hockey_match", &["NHL"]),
    LeagueFacts {
        counts_up: true,
        ..timed("eng.1", "soccer", 2, 45, "soccer_tournament_multi_leg", &["EPL", "Premier League"])
    },
    LeagueFacts {
        counts_up: true,
        ..timed("usa.1", "soccer", 2, 45, "soccer_tournament_multi_leg", &["MLS"])
    },
];

const fn timed(
    name: &'static str,
    sport: &'static str,
    periods: u16,
    minutes: u32,
    milestone_type: &'static str,
    kalshi: &'static [&'static str],
) -> LeagueFacts {
    LeagueFacts {
        name,
        sport,
        groups: None,
        periods,
        period_ms: minutes * MINUTE_MS,
        counts_up: false,
        milestone_type,
        kalshi,
    }
}

impl LeagueFacts {
    /// The facts of a league, if it is known.
    #[must_use]
    pub fn find(league: &League) -> Option<&'static Self> {
        LEAGUES.iter().find(|facts| facts.name == &*league.0)
    }

    /// The path and query of its scoreboard: the one that ESPN shows by itself, or that of a day
    /// (`20261126`, Eastern Time). It asks for more games than any day or week has:
    /// without a limit some are left out.
    #[must_use]
    pub fn scoreboard(&self, day: Option<&str>) -> String {
        let Self { name, sport, .. } = self;
        let mut path = format!("/apis/site/v2/sports/{sport}/{name}/scoreboard?limit=500");
        if let Some(groups) = self.groups {
            path.push_str(&format!("&groups={groups}"));
        }
        if let Some(day) = day {
            path.push_str(&format!("&dates={day}"));
        }
        path
    }

    /// What is left of a period when the clock shows this.
    #[must_use]
    pub fn left(&self, period: u16, clock: Duration) -> Duration {
        if self.period_ms == 0 {
            return Duration::ZERO;
        }
        if !self.counts_up {
            return clock;
        }
        // Soccer's extra time has two periods of 15 minutes.
        let extra = u32::from(period.saturating_sub(self.periods));
        let regular_ms = u32::from(period.min(self.periods)) * self.period_ms;
        let end_ms = regular_ms + extra * 15 * MINUTE_MS;
        Duration::from_millis(u64::from(end_ms)).saturating_sub(clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scoreboard_has_a_path() {
        let path = |name: &str| LeagueFacts::find(&League(name.into())).unwrap().scoreboard(None);
        assert_eq!(path("nfl"), "/apis/site/v2/sports/football/nfl/scoreboard?limit=500");
        assert!(path("college-football").ends_with("limit=500&groups=80"));
        assert!(LeagueFacts::find(&League("xfl".into())).is_none());
    }

    #[test]
    fn what_is_left_counts_down_everywhere() {
        let cases = [
            ("nfl", 2, 48, 48),
            ("mlb", 5, 0, 0),
            ("eng.1", 1, 600, 2_100),
            ("eng.1", 2, 3_000, 2_400),
            ("eng.1", 2, 5_500, 0),
            ("eng.1", 3, 5_500, 800),
        ];
        for (league, period, clock, left) in cases {
            let facts = LeagueFacts::find(&League(league.into())).unwrap();
            let left_now = facts.left(period, Duration::from_secs(clock));
            assert_eq!(left_now, Duration::from_secs(left), "{league} {period} {clock}");
        }
    }
}
