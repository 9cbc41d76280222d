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
    /// What the board says beyond that; none: nothing at this moment.
    #[serde(default)]
    pub situation: Option<Situation>,
    /// When this state was received.
    pub ts: Timestamp,
}

/// What goes on in a game, as far as its sport has it and the board says it at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Situation {
    /// Football: who has the ball.
    pub possession: Option<Possession>,
    /// Football: the down, 1 to 4.
    pub down: Option<u8>,
    /// Football: yards to go for a first down.
    pub distance: Option<u8>,
    /// Football: where the ball is: yards from the home team's goal line, 0, to the away team's,
    /// 100, whoever has it.
    pub yard_line: Option<u8>,
    /// Football: within 20 yards of the goal line.
    pub red_zone: Option<bool>,
    /// Timeouts that the home team has left in the half.
    pub home_timeouts: Option<u8>,
    /// Timeouts that the away team has left in the half.
    pub away_timeouts: Option<u8>,
    /// Baseball: balls.
    pub balls: Option<u8>,
    /// Baseball: strikes.
    pub strikes: Option<u8>,
    /// Baseball: outs.
    pub outs: Option<u8>,
    /// Baseball: whether somebody is on first, second and third base.
    pub bases: [Option<bool>; 3],
    /// Baseball: whether it is the top half of the inning, in which the visitors bat.
    pub top_of_inning: Option<bool>,
}

/// Who has the ball. The numbers are those of the agents' contract, in which 0 is nobody known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Possession {
    /// The home team.
    Home = 1,
    /// The away team.
    Away = 2,
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
