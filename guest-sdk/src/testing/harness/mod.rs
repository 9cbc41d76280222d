//! [`Harness`].

mod events;
mod life;
mod orders;
mod setup;

use std::time::Duration;

use hotpit_units::{Dollars, Timestamp};

use super::world::SharedWorld;
use crate::log::{Level as LogLevel, sink};
use crate::runner::Runner;
use crate::{Action, Agent, Event, MarketId, Position};

/// How much time passes before each batch: enough that no two batches have the same time.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);

/// Drives an agent. Made with [`Harness::new`] and the methods that give it parameters, markets
/// and games; the agent starts with the first event, or with [`Harness::start`].
pub struct Harness<A: Agent> {
    world: SharedWorld,
    parameters: Vec<(String, String)>,
    runner: Option<Runner<A>>,
    now: Timestamp,
    actions: Vec<Action>,
    logs: Vec<(LogLevel, String)>,
}

impl<A: Agent> Default for Harness<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Agent> Harness<A> {
    /// A harness without markets, on 2026-01-01 at midnight UTC, with a budget of $1,000.
    #[must_use]
    pub fn new() -> Self {
        sink::take();
        let world = SharedWorld::default();
        world.0.borrow_mut().budget = Dollars::from_dollars(1_000);
        Self {
            world,
            parameters: Vec::new(),
            runner: None,
            now: Timestamp::from_secs(1_767_225_600),
            actions: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// Sends a batch of events. Like every method that sends events, it lets 1 ms pass before, and
    /// gives back what the agent wants.
    ///
    /// # Panics
    /// When the agent does not start.
    pub fn batch(&mut self, events: &[Event]) -> Vec<Action> {
        if self.runner.is_none() {
            self.start().unwrap_or_else(|error| panic!("the agent does not start: {error}"));
        }
        self.now = self.now + BATCH_INTERVAL;
        let runner = self.runner.as_mut();
        let actions = runner.map(|runner| runner.on_events(self.now, events)).unwrap_or_default();
        self.logs.extend(sink::take());
        self.world.0.borrow_mut().note(&actions);
        self.actions.extend(&actions);
        actions
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.batch(&[event])
    }

    /// The time of the last batch.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The agent.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn agent(&self) -> &A {
        self.runner.as_ref().map_or_else(|| panic!("the agent was not started"), Runner::agent)
    }

    /// The handle of a market.
    ///
    /// # Panics
    /// When the harness has no such market.
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> MarketId {
        self.world.0.borrow().market_id(ticker)
    }

    /// The agent's position in a market.
    #[must_use]
    pub fn position(&self, ticker: &str) -> Position {
        let market = self.market_id(ticker);
        let world = self.world.0.borrow();
        world.positions.get(&market).copied().unwrap_or(Position::flat(market))
    }

    /// Everything the agent wanted so far.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Everything the agent logged so far.
    #[must_use]
    pub fn logs(&self) -> &[(LogLevel, String)] {
        &self.logs
    }
}

impl<A: Agent> std::fmt::Debug for Harness<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("now", &self.now)
            .field("world", &self.world)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}
