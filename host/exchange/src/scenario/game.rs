//! A football game as plain values, the way a scoreboard shows it.

use hotpit_units::Timestamp;

use crate::core::{MarketKey, Uuid};

/// A team, as both ESPN and Kalshi know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// ESPN's id of the team: digits.
    pub espn_id: String,
    /// The id of the structured target on Kalshi: `custom_strike` of the team's market, and
    /// `home_team_id` or `away_team_id` of the milestone.
    pub target: Uuid,
    /// ESPN's `location`, such as `Seattle`.
    pub location: String,
    /// ESPN's `name`, such as `Seahawks`.
    pub nickname: String,
    /// ESPN's `abbreviation`, such as `SEA`.
    pub abbreviation: String,
}

impl Team {
    /// ESPN's `displayName`, such as `Seattle Seahawks`.
    #[must_use]
    pub fn display_name(&self) -> String {
        format!("{} {}", self.location, self.nickname)
    }
}

/// Where a game is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GameStatus {
    /// Not started (`STATUS_SCHEDULED`, `pre`).
    Scheduled,
    /// Being played (`STATUS_IN_PROGRESS`, `in`).
    InProgress,
    /// Between two quarters (`STATUS_END_PERIOD`, `in`).
    EndOfPeriod,
    /// Between the second and the third (`STATUS_HALFTIME`, `in`).
    Halftime,
    /// Over (`STATUS_FINAL`, `post`, completed).
    Final,
}

impl GameStatus {
    /// ESPN's `status.type.name`.
    #[must_use]
    pub const fn espn_name(self) -> &'static str {
        match self {
            Self::Scheduled => "STATUS_SCHEDULED",
            Self::InProgress => "STATUS_IN_PROGRESS",
            Self::EndOfPeriod => "STATUS_END_PERIOD",
            Self::Halftime => "STATUS_HALFTIME",
            Self::Final => "STATUS_FINAL",
        }
    }

    /// ESPN's `status.type.state`.
    #[must_use]
    pub const fn espn_state(self) -> &'static str {
        match self {
            Self::Scheduled => "pre",
            Self::InProgress | Self::EndOfPeriod | Self::Halftime => "in",
            Self::Final => "post",
        }
    }
}

/// The home or the away team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HomeAway {
    /// The home team.
    Home,
    /// The away team.
    Away,
}

impl HomeAway {
    /// The word on ESPN's scoreboard (`homeAway`).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Away => "away",
        }
    }

    /// The other team.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Home => Self::Away,
            Self::Away => Self::Home,
        }
    }
}

/// Who has the ball, and where (ESPN's `situation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    /// Who has the ball.
    pub possession: HomeAway,
    /// The down, 1 to 4.
    pub down: u8,
    /// Yards to go for a first down.
    pub distance: u8,
    /// Yards to the opponent's goal line, 1 to 99.
    pub yards_to_goal: u8,
}

/// A game, as ESPN's scoreboard shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    /// ESPN's id of the game: digits.
    pub espn_id: String,
    /// ESPN's path of the sport, such as `football`.
    pub sport: &'static str,
    /// ESPN's path of the league, such as `nfl`.
    pub league: &'static str,
    /// The home team.
    pub home: Team,
    /// The away team.
    pub away: Team,
    /// Kickoff.
    pub start: Timestamp,
    /// Kalshi's milestone of the game.
    pub milestone: Uuid,
    /// The market that pays when the home team wins.
    pub home_market: MarketKey,
    /// The market that pays when the away team wins.
    pub away_market: MarketKey,
    /// Where it is.
    pub status: GameStatus,
    /// The quarter, from 1; 5 and more are overtime; 0 before the start.
    pub period: u8,
    /// What is left of the quarter, in milliseconds of the game clock.
    pub clock_ms: u32,
    /// Points of the home team, by quarter; the sum is its score.
    pub home_points: Vec<u32>,
    /// Points of the away team, by quarter.
    pub away_points: Vec<u32>,
    /// Who has the ball; `None` while nothing is played.
    pub situation: Option<Situation>,
    /// The last play in words.
    pub last_play: Option<String>,
    /// The chance that the home team wins, 0 to 1: what the simulated traders go by.
    pub home_win_probability: f64,
    /// When it last changed.
    pub updated: Timestamp,
}

impl Game {
    /// The points of the home team.
    #[must_use]
    pub fn home_score(&self) -> u32 {
        self.home_points.iter().sum()
    }

    /// The points of the away team.
    #[must_use]
    pub fn away_score(&self) -> u32 {
        self.away_points.iter().sum()
    }

    pub(super) fn add_points(&mut self, team: HomeAway, points: u32) {
        let by_quarter = match team {
            HomeAway::Home => &mut self.home_points,
            HomeAway::Away => &mut self.away_points,
        };
        if let Some(quarter) = by_quarter.last_mut() {
            *quarter += points;
        }
    }

    pub(super) const fn team(&self, team: HomeAway) -> &Team {
        match team {
            HomeAway::Home => &self.home,
            HomeAway::Away => &self.away,
        }
    }
}
