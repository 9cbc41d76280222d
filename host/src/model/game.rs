//! Games and the markets that are on them.

use std::sync::Arc;

use hotpit_units::Timestamp;
use serde::{Deserialize, Serialize};

/// A league as ESPN addresses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct League(pub Arc<str>);

/// What is known of a game before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameInfo {
    /// ESPN's id of the game.
    pub espn_id: Arc<str>,
    /// The league.
    pub league: League,
    /// The home team.
    pub home: Team,
    /// The away team.
    pub away: Team,
    /// The scheduled start.
    pub start: Timestamp,
    /// Periods of a game without overtime; 0 where the league has none.
    pub periods: u16,
    /// The length of one period in milliseconds; 0 where periods are not timed.
    pub period_ms: u32,
    /// The markets that are certain to be on this game; empty: unmapped.
    pub markets: Vec<GameMarket>,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// ESPN's `displayName`, such as `Seattle Seahawks`.
    pub name: String,
    /// ESPN's `location`, such as `Seattle`.
    pub location: String,
    /// ESPN's `abbreviation`, such as `SEA`.
    pub abbreviation: String,
}

/// A market on a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameMarket {
    /// The market.
    pub ticker: Arc<str>,
    /// What its YES pays for.
    pub outcome: Outcome,
}

/// What a market on a game pays for. The numbers are those of the agents' contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something else about the game.
    Other = 0,
    /// The home team wins.
    HomeWins = 1,
    /// The away team wins.
    AwayWins = 2,
    /// Nobody wins.
    Tie = 3,
}

/// The state of a game.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Game {
    /// ESPN's id of the game.
    pub espn_id: Arc<str>,
    /// What goes on.
    pub status: GameStatus,
    /// The period, counted from 1; 0 before the start.
    pub period: u16,
    /// What is left of the period, in milliseconds.
    pub clock_ms: u32,
    /// Points of the home team.
    pub home_score: u32,
    /// Points of the away team.
    pub away_score: u32,
    /// When this state was received.
    pub ts: Timestamp,
}

/// Where a game is. The numbers are those of the agents' contract. `Final` is ESPN's
/// `status.type.completed`, never its `state == "post"`, which a postponed game has too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameStatus {
    /// Not started.
    Scheduled,
    /// Being played.
    InProgress,
    /// Halftime.
    Halftime,
    /// Between two periods.
    EndOfPeriod,
    /// Over, with a result.
    Final,
    /// Held up.
    Delayed,
    /// To be played another day.
    Postponed,
    /// Not to be played.
    Canceled,
    /// Broken off.
    Suspended,
    /// A status that this version does not know.
    #[serde(other)]
    Unknown,
}

impl GameStatus {
    /// The code in the agents' contract.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Unknown => 0,
            Self::Scheduled => 1,
            Self::InProgress => 2,
            Self::Halftime => 3,
            Self::EndOfPeriod => 4,
            Self::Final => 5,
            Self::Delayed => 6,
            Self::Postponed => 7,
            Self::Canceled => 8,
            Self::Suspended => 9,
        }
    }
}
