//! What an agent says of itself before it starts.

use crate::Agent;
use crate::params::{Parameter, Parameters};

/// What an agent wants to hear about.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn subscriptions() -> Vec<Subscription> {
///     vec![Subscription::Series("KXNFLGAME".into()), Subscription::League("nfl".into())]
/// }
/// # }
/// # use hotpit_agent::Manifest;
/// let manifest = Manifest::of::<Mine>("mine", "0.1.0");
/// assert_eq!(manifest.subscriptions[0], Subscription::Series("KXNFLGAME".into()));
/// ```
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
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn requires() -> Vec<Requirement> {
///     vec![Requirement::GameFeed]
/// }
/// # }
/// # use hotpit_agent::Manifest;
/// let manifest = Manifest::of::<Mine>("mine", "0.1.0");
/// assert_eq!(manifest.requires, [Requirement::GameFeed]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// Fresh game data: the host denies the agent's orders while the game is stale.
    GameFeed,
}

impl Requirement {
    /// The word of the contract.
    ///
    /// ```
    /// # use hotpit_agent::Requirement;
    /// assert_eq!(Requirement::GameFeed.as_str(), "game-feed");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GameFeed => "game-feed",
        }
    }
}

/// What the host reads as it loads the file, and what `hotpit check` prints.
///
/// ```
/// # use hotpit_agent::Manifest;
/// # use hotpit_agent::{prelude::*, testing::*};
/// # parameters! {
/// #     /// Of the example.
/// #     struct Params {
/// #         /// How much to buy, in contracts.
/// #         size: Quantity = contracts(1),
/// #     }
/// # }
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine { type Params = Params; }
/// // A test that the operator can leave everything at its default:
/// let manifest = Manifest::of::<Mine>("mine", "0.1.0");
/// assert!(manifest.parameters.iter().all(|parameter| parameter.default.is_some()));
/// ```
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
    ///
    /// ```
    /// # use hotpit_agent::{Manifest, prelude::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine { type Params = (); }
    /// let manifest = Manifest::of::<Mine>(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    /// assert_eq!(manifest.name, env!("CARGO_PKG_NAME"));
    /// assert!(manifest.parameters.is_empty());
    /// ```
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
