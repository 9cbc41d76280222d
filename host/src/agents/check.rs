//! Trying an agent without a host around it: what `hotpit check` says of a file, and what a call
//! of it costs.

use std::sync::Arc;

use hotpit_rt::Clock;
use hotpit_units::{Price, Quantity, Timestamp};

use super::bindings::types;
use super::contract::Surface;
use super::convert;
use super::engine::{AgentEngine, EngineError};
use super::fault::Fault;
use super::instance::{Instance, View, World};
use super::loader::{LoadError, Loader, Prepared, inspect};
use super::options::Options;
use super::settings::{Budget, Settings};
use super::version::{Manifest, Plan, describe};
use crate::model::{Level, MarketId, Quote};

/// What there is to say of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The SHA-256 of the file, in hex.
    pub hash: String,
    /// Whether it is a core module that the host makes into a component.
    pub componentized: bool,
    /// What it imports and exports.
    pub surface: Surface,
    /// What it says of itself; none if it is no agent of this host.
    pub manifest: Option<Manifest>,
    /// How it would run; none if something does not fit.
    pub plan: Option<Plan>,
    /// All that keeps it from running, a line each; empty: a host would start it.
    pub problems: Vec<String>,
}

/// Why a trial is not possible at all.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// This machine runs no wasm.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The file is no agent.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The agent faulted.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The agent refused to start.
    #[error("it does not start: {0}")]
    Start(String),
}

/// Checks a file as the host would that loads it, with the text of the settings beside it. Runs
/// the agent's `describe` and `start`, in an empty world.
///
/// # Errors
/// When the bytes are no component and cannot be made into one, or this machine runs no wasm.
pub fn check(
    wasm: &[u8],
    options: Option<&str>,
    settings: &Settings,
) -> Result<Checked, TrialError> {
    let inspection = inspect(wasm)?;
    let mut problems = vec![];
    let options = match options {
        Some(text) => Options::parse(text, settings.budget).unwrap_or_else(|found| {
            problems.extend(found);
            Options::new(settings.budget)
        }),
        None => Options::new(settings.budget),
    };
    let budget = options.budget;
    let bench = Bench::new(settings)?;
    let mut told = |error: TrialError| problems.push(error.to_string());
    let prepared = bench.loader.prepare(wasm).map_err(|error| told(error.into())).ok();
    let manifest = prepared
        .as_ref()
        .and_then(|prepared| bench.describe(prepared, budget).map_err(&mut told).ok());
    let plan = manifest.as_ref().and_then(|manifest| {
        Plan::new(manifest, options).map_err(|found| problems.extend(found)).ok()
    });
    if let (Some(prepared), Some(plan), true) = (&prepared, &plan, problems.is_empty())
        && let Err(error) = bench.start(prepared, plan)
    {
        problems.push(error.to_string());
    }
    Ok(Checked {
        hash: inspection.hash.to_string(),
        componentized: inspection.componentized,
        surface: inspection.surface,
        manifest,
        plan: plan.filter(|_| problems.is_empty()),
        problems,
    })
}

/// An agent in an empty world: no market exists, no desk listens.
pub struct Trial {
    instance: Option<Instance>,
    events: Vec<types::Event>,
    // Its engine keeps the time that deadlines are measured by.
    _bench: Bench,
}

impl Trial {
    /// Starts the agent with the defaults of its parameters.
    ///
    /// # Errors
    /// When it cannot be loaded or does not start.
    pub fn new(wasm: &[u8]) -> Result<Self, TrialError> {
        let settings = Settings::default();
        let bench = Bench::new(&settings)?;
        let prepared = bench.loader.prepare(wasm)?;
        let manifest = bench.describe(&prepared, settings.budget)?;
        let plan = Plan::new(&manifest, Options::new(settings.budget));
        let plan = plan.map_err(|problems| TrialError::Start(problems.join("; ")))?;
        let instance = bench.start(&prepared, &plan)?;
        Ok(Self { instance: Some(instance), events: vec![], _bench: bench })
    }

    /// Gives it a batch of this many quotes; how many actions came back.
    ///
    /// # Errors
    /// When it faults; then it is over, and further batches do nothing.
    pub fn batch(&mut self, quotes: u32) -> Result<usize, Fault> {
        let Some(instance) = self.instance.take() else { return Ok(0) };
        self.events.clear();
        self.events.extend((0..quotes).map(quote));
        let (instance, actions) = instance.on_events(view(), &self.events)?;
        self.instance = Some(instance);
        Ok(actions.len())
    }
}

fn quote(number: u32) -> types::Event {
    let level = |cents| {
        let quantity = Quantity::from_contracts(10);
        Some(Level { price: Price::from_cents(cents), quantity })
    };
    let quote = Quote { bid: level(40 + number % 10), ask: level(55 + number % 10) };
    convert::quote(MarketId(number % 16), &quote, Timestamp::from_secs(1))
}

fn view() -> View {
    View { now: Timestamp::from_secs(1), scope: Arc::default(), account: Arc::default() }
}

/// What an agent is tried on.
struct Bench {
    loader: Loader,
    world: World,
}

impl Bench {
    fn new(settings: &Settings) -> Result<Self, TrialError> {
        let engine = Arc::new(AgentEngine::new()?);
        let world = World {
            cache: Arc::default(),
            clock: Clock::system(),
            state_bytes_max: settings.state_bytes_max(),
        };
        let loader = Loader::new(engine, settings.file_bytes_max())
            .with_cache_of_host(&settings.state_folder);
        Ok(Self { loader, world })
    }

    fn describe(&self, prepared: &Prepared, budget: Budget) -> Result<Manifest, TrialError> {
        Ok(describe(prepared, &"trial".into(), budget, &self.world)?)
    }

    /// An instance that has started.
    fn start(&self, prepared: &Prepared, plan: &Plan) -> Result<Instance, TrialError> {
        let instance = Instance::new(prepared, &"trial".into(), plan.budget, &self.world)?;
        let (instance, answer) = instance.start(view(), &plan.parameters, None)?;
        answer.map_err(TrialError::Start)?;
        Ok(instance)
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
