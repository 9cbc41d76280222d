//! What an agent says of itself before it starts.

use crate::Agent;
use crate::params::{Parameter, Parameters};

/// What an agent wants to hear about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// One market, by ticker.
    Market(String),
    /// Every market of an event, by event ticker.
    Event(String),
    /// Every open market of a series, by series ticker.
    Series(String),
    /// Every game of a league as ESPN names it (`nfl`), and the markets that are on them.
    League(String),
}

/// What an agent cannot trade without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// Fresh game data: the host denies the agent's orders while the game is stale.
    GameFeed,
}

impl Requirement {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GameFeed => "game-feed",
        }
    }
}

/// What the host reads as it loads the file, and what `hotpit check` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name of the agent's crate.
    pub name: String,
    /// The version of the agent's crate.
    pub version: String,
    /// What it hears about unless the operator says otherwise.
    pub subscriptions: Vec<Subscription>,
    /// What the operator can set.
    pub parameters: Vec<Parameter>,
    /// What it cannot trade without.
    pub requires: Vec<Requirement>,
}

impl Manifest {
    /// The manifest of agent `A`.
    #[must_use]
    pub fn of<A: Agent>(name: &str, version: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            subscriptions: A::subscriptions(),
            parameters: A::Params::declared(),
            requires: A::requires(),
        }
    }
}
