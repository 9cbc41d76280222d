//! [`Version`]: one state of an agent's files: its code, and what the operator says of it, fit
//! together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bindings::guest;
use super::convert;
use super::instance::{Instance, World};
use super::loader::{ContentHash, LoadError, Loader, Prepared};
use super::log::clean;
use super::options::Options;
use super::settings::Budget;
use crate::desk::AgentLimits;
use crate::model::{AgentId, Subscription};

/// The word for an agent that cannot trade while its game is stale.
const GAME_FEED: &str = "game-feed";

/// The most subscriptions and the most parameters of an agent: each subscription is looked at
/// whenever a market comes up, and read for over the exchange's API.
const ENTRIES_MAX: usize = 256;

/// What an agent says of itself: its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it follows where the operator says nothing.
    pub subscriptions: Vec<Subscription>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// What it cannot trade without.
    pub requires: Vec<String>,
}

/// A parameter of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value where the operator sets none; none: the operator must.
    pub default: Option<String>,
    /// What it does, and its unit.
    pub description: String,
}

impl From<guest::Manifest> for Manifest {
    fn from(manifest: guest::Manifest) -> Self {
        let parameter = |parameter: guest::Parameter| Parameter {
            name: clean(&parameter.name),
            default: parameter.default,
            description: clean(&parameter.description),
        };
        Self {
            name: clean(&manifest.name),
            version: clean(&manifest.version),
            subscriptions: manifest.subscriptions.into_iter().map(convert::subscription).collect(),
            parameters: manifest.parameters.into_iter().map(parameter).collect(),
            requires: manifest.requires.iter().map(|word| clean(word)).collect(),
        }
    }
}

/// What is to run: code, and how.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) manifest: Manifest,
    pub(crate) plan: Plan,
}

// Two loads are two versions, also of the same bytes: the supervisor compares by identity.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// How an agent is to run: its manifest and the operator's options as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Whether it is to run at all.
    pub enabled: bool,
    /// Whether its orders may cost real money.
    pub live: bool,
    /// Every parameter with its value, in the manifest's order.
    pub parameters: Vec<(String, String)>,
    /// What it follows.
    pub subscriptions: BTreeSet<Subscription>,
    /// What it may do at the desk.
    pub limits: AgentLimits,
    /// What it may use of the host.
    pub budget: Budget,
}

impl Plan {
    /// Fits the operator's options to the manifest.
    ///
    /// # Errors
    /// All that does not fit, each naming its key.
    pub fn new(manifest: &Manifest, options: Options) -> Result<Self, Vec<String>> {
        let Options { enabled, live, mut params, subscriptions, mut limits, budget } = options;
        let mut problems = vec![];
        let mut parameters = vec![];
        for Parameter { name, default, description } in &manifest.parameters {
            match params.remove(name).or_else(|| default.clone()) {
                Some(value) => parameters.push((name.clone(), value)),
                None => problems.push(format!("params.{name} must be set: {description}")),
            }
        }
        unknown_parameters(&params, manifest, &mut problems);
        for word in &manifest.requires {
            if word == GAME_FEED {
                limits.requires_game_feed = true;
            } else {
                problems.push(format!(
                    "the agent requires `{word}`, which this host does not know; known is {GAME_FEED}"
                ));
            }
        }
        let subscriptions = subscriptions.unwrap_or_else(|| manifest.subscriptions.clone());
        let subscriptions: BTreeSet<Subscription> = subscriptions.into_iter().collect();
        for (what, count) in
            [("subscriptions", subscriptions.len()), ("parameters", manifest.parameters.len())]
        {
            if count > ENTRIES_MAX {
                problems.push(format!("{count} {what}, the limit is {ENTRIES_MAX}"));
            }
        }
        if problems.is_empty() {
            Ok(Self { enabled, live, parameters, subscriptions, limits, budget })
        } else {
            Err(problems)
        }
    }
}

fn unknown_parameters(
    left: &BTreeMap<String, String>,
    manifest: &Manifest,
    problems: &mut Vec<String>,
) {
    let known: Vec<&str> = manifest.parameters.iter().map(|one| one.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    for name in left.keys() {
        problems.push(format!("params.{name}: the agent has no such parameter; known are {known}"));
    }
}

/// Loads a version from an agent's files. Waits for the compiler, and runs the guest's
/// `describe`: call it where waiting is allowed.
///
/// # Errors
/// Why the files cannot be run, in one line.
pub(crate) fn load(
    agent: &AgentId,
    wasm: &[u8],
    options: Option<&str>,
    budget: Budget,
    loader: &Loader,
    world: &World,
) -> Result<Version, String> {
    let in_toml = |problems: Vec<String>| format!("{agent}.toml: {}", problems.join("; "));
    let options = match options {
        Some(text) => Options::parse(text, budget).map_err(in_toml)?,
        None => Options::new(budget),
    };
    let line = |error: LoadError| error.to_string();
    let prepared = loader.prepare(wasm).map_err(line)?;
    let budget = options.budget;
    let manifest = describe(&prepared, agent, budget, world).map_err(line)?;
    let plan = Plan::new(&manifest, options).map_err(in_toml)?;
    Ok(Version { prepared, manifest, plan })
}

/// Asks an agent who it is, in an instance of its own.
///
/// # Errors
/// When it needs more memory than the budget, or faults.
pub(crate) fn describe(
    prepared: &Prepared,
    agent: &AgentId,
    budget: Budget,
    world: &World,
) -> Result<Manifest, LoadError> {
    prepared.check_memory(budget.memory_mib)?;
    Instance::new(prepared, agent, budget, world)
        .and_then(Instance::describe)
        .map(Manifest::from)
        .map_err(LoadError::Describe)
}

impl Version {
    pub(crate) fn hash(&self) -> ContentHash {
        self.prepared.hash()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let parameter = |name: &str, default: Option<&str>| Parameter {
            name: name.into(),
            default: default.map(Into::into),
            description: format!("the {name}"),
        };
        Manifest {
            name: "maker".into(),
            version: "1".into(),
            subscriptions: vec![Subscription::Series("KXA".into())],
            parameters: vec![parameter("edge", Some("0.02")), parameter("size", None)],
            requires: vec!["game-feed".into()],
        }
    }

    fn options(text: &str) -> Options {
        Options::parse(text, Budget::default()).unwrap()
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let text = "markets = [\"KX-1\"]\n[params]\nsize = 3\n[limits]\nbatch_ms = 5";
        let plan = Plan::new(&manifest(), options(text)).unwrap();
        let value = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(plan.parameters, [value("edge", "0.02"), value("size", "3")]);
        assert_eq!(plan.subscriptions, BTreeSet::from([Subscription::Market("KX-1".into())]));
        assert!(plan.limits.requires_game_feed);
        assert_eq!(plan.budget.batch_ms, 5);
    }

    #[test]
    fn what_the_operator_must_set_or_misspelt_is_told_with_what_is_known() {
        let mut manifest = manifest();
        manifest.requires.push("crystal-ball".into());
        let problems = Plan::new(&manifest, options("[params]\negde = 1")).unwrap_err();
        assert_eq!(
            problems,
            [
                "params.size must be set: the size",
                "params.egde: the agent has no such parameter; known are edge, size",
                "the agent requires `crystal-ball`, which this host does not know; known is game-feed",
            ]
        );
    }
}
