//! [`Runner`]: the life of an agent between start and save. The component's exports and the test
//! harness drive the same one.

use hotpit_units::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::event::Event;
use crate::host::Host;
use crate::ids::OrderId;
use crate::params::Parameters;
use crate::{Agent, Context};

/// A started agent.
pub struct Runner<A> {
    agent: A,
    context: Context,
    version: &'static str,
    /// Until the first batch: whether saved state was read.
    starting: Option<bool>,
}

/// What `save` gives and `start` takes: the agent's state with what the SDK keeps beside it.
#[derive(Serialize, Deserialize)]
struct Saved<S> {
    /// The version of the agent that saved it, for messages.
    version: String,
    /// The last order number that was given.
    last_order: OrderId,
    /// The agent.
    state: S,
}

impl<A: Agent> Runner<A> {
    pub(crate) fn start(
        host: Box<dyn Host>,
        version: &'static str,
        parameters: &[(String, String)],
        restored: Option<&[u8]>,
    ) -> Result<Self, String> {
        let params = A::Params::from_pairs(parameters)?;
        let (mut agent, last_order) = match restored {
            Some(bytes) => read_state::<A>(bytes, version)?,
            None => (A::default(), OrderId::default()),
        };
        agent.configure(params)?;
        let context = Context::new(host, last_order);
        Ok(Self { agent, context, version, starting: Some(restored.is_some()) })
    }

    pub(crate) fn on_events(&mut self, now: Timestamp, events: &[Event]) -> Vec<Action> {
        self.context.begin(now, events);
        if let Some(restored) = self.starting.take() {
            self.agent.on_start(&mut self.context, restored);
        }
        self.agent.on_events(&mut self.context, events);
        self.agent.after_events(&mut self.context);
        self.context.finish()
    }

    /// The state, or nothing where it has no JSON form, which is logged: an agent that cannot be
    /// saved can still be swapped, at the price of a fresh start.
    pub(crate) fn save(&self) -> Vec<u8> {
        let saved = Saved {
            version: self.version.into(),
            last_order: self.context.last_order(),
            state: &self.agent,
        };
        serde_json::to_vec(&saved).unwrap_or_else(|error| {
            crate::error!("the state cannot be saved, the next start will be a fresh one: {error}");
            Vec::new()
        })
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn agent(&self) -> &A {
        &self.agent
    }
}

/// Reads saved state. An error refuses the start: on a swap the version that runs goes on; at a
/// first start the host starts the agent again without state.
fn read_state<A: Agent>(bytes: &[u8], version: &str) -> Result<(A, OrderId), String> {
    let read = serde_json::from_slice::<Saved<A>>(bytes);
    let saved = read.map_err(|error| {
        let saved_by = serde_json::from_slice::<Saved<serde::de::IgnoredAny>>(bytes)
            .map_or_else(|_| "something else".into(), |saved| format!("version {}", saved.version));
        format!(
            "the state saved by {saved_by} does not fit version {version}: {error} \
             (a new field needs `#[serde(default)]`)"
        )
    })?;
    Ok((saved.state, saved.last_order))
}
