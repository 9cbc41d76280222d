//! Starts, saves, swaps and restarts of the agent.

use super::Harness;
use crate::Agent;
use crate::runner::Runner;

impl<A: Agent> Harness<A> {
    /// Starts the agent.
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start(&mut self) -> Result<(), String> {
        self.start_from(None)
    }

    /// Starts the agent with saved state, whatever it is.
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start_from(&mut self, restored: Option<&[u8]>) -> Result<(), String> {
        let host = Box::new(self.world.clone());
        self.runner = Some(Runner::start(host, "0.0.0", &self.parameters, restored)?);
        Ok(())
    }

    /// The agent's state, as the host would save it.
    ///
    /// # Panics
    /// When the agent was not started.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.runner.as_ref().map_or_else(|| panic!("the agent was not started"), Runner::save)
    }

    /// Swaps the agent for a new instance of itself, with its state saved and restored, as when
    /// its file is replaced.
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn swap(&mut self) {
        let saved = self.save();
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the swap failed: {error}"));
    }

    /// Like [`Harness::swap`], in another run of the host: every market and game has another
    /// handle, and timers are gone.
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn restart(&mut self) {
        let saved = self.save();
        let mut world = self.world.0.borrow_mut();
        world.renumber();
        world.timers.clear();
        drop(world);
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the restart failed: {error}"));
    }
}
