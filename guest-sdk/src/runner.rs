//! [`Runner`]: the life of an agent between start and save. The component's exports and the test
//! harness drive the same one.

use hotpit_units::Timestamp;

use crate::action::Action;
use crate::event::Event;
use crate::host::Host;
use crate::ids::OrderId;
use crate::params::Parameters;
use crate::{Agent, Context, state};

/// A started agent.
#[doc(hidden)]
pub struct Runner<A> {
    agent: A,
    context: Context,
    version: &'static str,
    /// Until the first batch: whether saved state was read.
    starting: Option<bool>,
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

    /// The state: a line with the version that saved it and the last order number, then the agent
    /// as [`state`] writes it. Nothing where its serde form fails, which is logged: such an agent
    /// can still be swapped, at the price of a fresh start.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut saved = format!("{} {}\n", self.version, self.context.last_order().0);
        match state::write(&self.agent, &mut saved) {
            Ok(()) => saved.into_bytes(),
            Err(error) => {
                crate::error!("the state cannot be saved, the next start is a fresh one: {error}");
                Vec::new()
            }
        }
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn agent(&self) -> &A {
        &self.agent
    }
}

/// Reads saved state. An error refuses the start: on a swap the version that runs goes on; at a
/// first start the host starts the agent again without state.
fn read_state<A: Agent>(saved: &[u8], version: &str) -> Result<(A, OrderId), String> {
    let Some((saved_by, last_order, text)) = split(saved) else {
        return Err("the state to restore was not saved by an agent of this SDK".into());
    };
    let agent = state::read(text).map_err(|error| {
        format!(
            "the state saved by version {saved_by} does not fit version {version}: {error} \
             (a new field needs `#[serde(default)]`)"
        )
    })?;
    Ok((agent, last_order))
}

/// The version that saved, its last order number, and the agent's text.
fn split(saved: &[u8]) -> Option<(&str, OrderId, &str)> {
    let (line, text) = std::str::from_utf8(saved).ok()?.split_once('\n')?;
    let (version, last_order) = line.rsplit_once(' ')?;
    Some((version, OrderId(last_order.parse().ok()?), text))
}
