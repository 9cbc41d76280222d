//! A small world for the exchange: a football game that is played while its markets trade, and
//! basketball markets on another shard that just trade. Everything comes from a seed.
//!
//! [`Scenario`] lists its markets on an [`Exchange`] and opens accounts of its own, which trade
//! through the ordinary commands. [`Scenario::step`] does everything that is due; nothing here
//! knows a clock or a socket. Win probability and the traders' opinions are floats: a price is
//! made of them by rounding to the grid, an amount of money never is.

use hotpit_rt::Entropy;
use hotpit_units::Timestamp;
use serde::Deserialize;

use crate::core::{Exchange, ListingError, MarketKey, Uuid};

/// How the world is made.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Milliseconds from the start of the exchange to kickoff.
    pub kickoff_after_ms: u64,
    /// How long the whole game takes, in milliseconds of the exchange's clock, halftime and
    /// breaks included. A real one takes about three hours: 10800000.
    pub game_ms: u64,
    /// Book changes a second over all markets, about.
    pub book_changes_per_second: u32,
    /// Milliseconds from the final whistle until the game's markets are determined; they are
    /// settled after twice that time.
    pub settle_after_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kickoff_after_ms: 5_000,
            game_ms: 600_000,
            book_changes_per_second: 300,
            settle_after_ms: 2_000,
        }
    }
}

impl Settings {
    /// Reports every value that cannot be used, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if self.game_ms < 1_000 {
            problems.push(format!("scenario.game_ms: {} is less than 1000", self.game_ms));
        }
        if !(1..=1_000_000).contains(&self.book_changes_per_second) {
            problems.push(format!(
                "scenario.book_changes_per_second: {} is not between 1 and 1000000",
                self.book_changes_per_second
            ));
        }
    }
}

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
}

/// The world.
#[derive(Debug)]
pub struct Scenario {
    settings: Settings,
    game: Game,
    next_due: Timestamp,
}

impl Scenario {
    /// Makes a world of the seed in `entropy`: lists its series, events, markets and milestone,
    /// opens its accounts, and fills the books.
    ///
    /// # Errors
    /// When the exchange has listings of the same names.
    pub fn build(
        settings: Settings,
        entropy: Entropy,
        now: Timestamp,
        exchange: &mut Exchange,
    ) -> Result<Self, ListingError> {
        let _ = (settings, entropy, now, exchange);
        Err(ListingError::Missing("a scenario".into()))
    }

    /// Does everything that is due by `now`, each thing at its own time, and the exchange's
    /// [`advance`](Exchange::advance). The effects are in the exchange.
    pub fn step(&mut self, now: Timestamp, exchange: &mut Exchange) {
        exchange.advance(now);
    }

    /// When [`Scenario::step`] has something to do next.
    #[must_use]
    pub const fn next_due(&self) -> Timestamp {
        self.next_due
    }

    /// The games, as a scoreboard shows them now.
    #[must_use]
    pub const fn games(&self) -> &[Game] {
        std::slice::from_ref(&self.game)
    }

    /// How the world was made.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}
