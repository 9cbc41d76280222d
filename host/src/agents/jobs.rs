//! What takes its time and must hold up nobody: loading, starting and swapping. Each job runs
//! beside the supervisor and reports to it once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::fault::{Call, Fault};
use super::instance::{Instance, View, World};
use super::items::Slot;
use super::log::clean;
use super::mailbox::Mailbox;
use super::run_queue::RunQueue;
use super::scope::Scope;
use super::state_files::StateFiles;
use super::version::Version;
use super::worker::Command;
use crate::model::AgentId;

/// What a job found out.
pub(crate) enum Report {
    /// The files of an agent were loaded.
    Loaded { agent: AgentId, load: u64, result: Result<Arc<Version>, String> },
    /// A start is over.
    Started { agent: AgentId, job: u64, outcome: Outcome },
    /// A swap is over.
    Swapped { agent: AgentId, job: u64, outcome: SwapOutcome },
    /// A running agent saved its state, or faulted at it.
    Saved { slot: Slot, result: Result<Vec<u8>, Fault> },
}

/// How a start ended.
pub(crate) enum Outcome {
    /// With an instance to be run.
    Live(Box<Instance>),
    /// With the agent's own word that it cannot.
    Error(String),
    /// With a fault.
    Fault(Fault),
}

/// How a swap ended.
pub(crate) enum SwapOutcome {
    /// With an instance to be run in the place of the old one, which waits. The state is what
    /// the old one gave to the new one.
    Live(Box<Instance>, Vec<u8>),
    /// With a reason why the new version cannot run. The old one goes on.
    Refused(String),
    /// The old instance faulted as it saved its state.
    OldFaulted(Fault),
    /// The old instance was gone already, and its fault was reported by its worker.
    OldGone,
}

/// What a start or a swap needs.
#[derive(Clone)]
pub(crate) struct Launch {
    pub(crate) agent: AgentId,
    pub(crate) version: Arc<Version>,
    pub(crate) world: World,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) runs: Arc<RunQueue>,
}

impl Launch {
    fn instance(&self) -> Result<Instance, Fault> {
        let Version { prepared, plan, .. } = &*self.version;
        Instance::new(prepared, &self.agent, plan.budget, &self.world)
    }

    fn run(&self, instance: Instance, restored: Option<&[u8]>) -> Outcome {
        let plan = &self.version.plan;
        let view = View {
            now: self.world.clock.now(),
            scope: Arc::new(Scope::resolve(&plan.subscriptions, &self.world.cache)),
            account: self.mailbox.view().1,
        };
        match instance.start(view, &plan.parameters, restored) {
            Ok((instance, Ok(()))) => Outcome::Live(Box::new(instance)),
            Ok((_, Err(reason))) => Outcome::Error(clean(&reason)),
            Err(fault) => Outcome::Fault(fault),
        }
    }

    fn begin(&self, restored: Option<&[u8]>) -> Outcome {
        self.instance().map_or_else(Outcome::Fault, |instance| self.run(instance, restored))
    }

    /// Starts an instance from nothing but its last saved state: `state`, or else what is on
    /// disk. If it does not start with that, it starts clean.
    pub(crate) async fn start(self, state: Option<Vec<u8>>, files: StateFiles) -> Outcome {
        let start = move || {
            let state = state.or_else(|| self.load(&files));
            let Some(state) = state.filter(|state| !state.is_empty()) else {
                return self.begin(None);
            };
            let reason = match self.begin(Some(&state)) {
                Outcome::Live(instance) => return Outcome::Live(instance),
                Outcome::Error(reason) => reason,
                Outcome::Fault(fault) => fault.to_string(),
            };
            match files.set_aside(&self.agent, &state) {
                Ok(kept) => warn!(
                    agent = %self.agent, %reason, kept = %kept.display(),
                    "does not start with its saved state: it is kept, and the agent starts clean"
                ),
                Err(error) => warn!(
                    agent = %self.agent, %reason, %error,
                    "does not start with its saved state, which cannot be kept: starting clean"
                ),
            }
            self.begin(None)
        };
        blocking(start).await.unwrap_or_else(Outcome::Fault)
    }

    fn load(&self, files: &StateFiles) -> Option<Vec<u8>> {
        files.load(&self.agent, self.world.state_bytes_max).unwrap_or_else(|error| {
            warn!(agent = %self.agent, %error, "saved state cannot be read: starting clean");
            None
        })
    }

    /// Puts a new version in the place of the one that runs, in three steps, of which only the
    /// last two hold the agent up: an instance is made; the old one saves its state between two
    /// batches; the new one starts with it.
    pub(crate) async fn swap(self) -> SwapOutcome {
        let (runs, slot) = (Arc::clone(&self.runs), self.mailbox.slot());
        let launch = self.clone();
        let instance = match blocking(move || launch.instance()).await.and_then(|made| made) {
            Ok(instance) => instance,
            Err(fault) => return SwapOutcome::Refused(fault.to_string()),
        };
        let state = match save(&runs, slot, true).await {
            None => return SwapOutcome::OldGone,
            Some(Err(fault)) => return SwapOutcome::OldFaulted(fault),
            Some(Ok(state)) => state,
        };
        let given = state.clone();
        let start = move || {
            let restored = Some(given.as_slice()).filter(|state| !state.is_empty());
            self.run(instance, restored)
        };
        let reason = match blocking(start).await.unwrap_or_else(Outcome::Fault) {
            Outcome::Live(instance) => return SwapOutcome::Live(instance, state),
            Outcome::Error(reason) => reason,
            Outcome::Fault(fault) => fault.to_string(),
        };
        runs.command(Command::Resume(slot));
        SwapOutcome::Refused(reason)
    }
}

/// Has a running agent save its state. None without an instance.
pub(crate) async fn save(
    runs: &RunQueue,
    slot: Slot,
    hold: bool,
) -> Option<Result<Vec<u8>, Fault>> {
    let (reply, saved) = oneshot::channel();
    runs.command(Command::Save { slot, hold, reply });
    // A worker that ended answers nothing: then there is no instance either.
    saved.await.unwrap_or(None)
}

/// Drops a running agent; its last state, as [`save`] gives it.
pub(crate) async fn remove(runs: &RunQueue, slot: Slot) -> Option<Result<Vec<u8>, Fault>> {
    let (reply, saved) = oneshot::channel();
    runs.command(Command::Remove { slot, reply });
    saved.await.unwrap_or(None)
}

/// Runs what blocks. A panic in it is a panic of the host.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    spawn_blocking(run).await.map_err(|error| match error.try_into_panic() {
        Ok(payload) => Fault::from_host_panic(&*payload, Call::Start),
        Err(error) => Fault::HostPanic { call: Call::Start, message: error.to_string() },
    })
}

/// How soon a state that could not be written is tried again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Writes states to disk, in order, one at a time, until nobody sends any. What cannot be written is
/// tried again, the latest state of each agent, once more at the end.
pub(crate) async fn write_states(
    files: StateFiles,
    mut states: mpsc::Receiver<(AgentId, Vec<u8>)>,
) {
    let mut unwritten: BTreeMap<AgentId, Vec<u8>> = BTreeMap::new();
    loop {
        let next = if unwritten.is_empty() {
            states.recv().await
        } else {
            match timeout(WRITE_AGAIN, states.recv()).await {
                Ok(next) => next,
                Err(_) => {
                    for (agent, state) in std::mem::take(&mut unwritten) {
                        if write(&files, &agent, &state).await.is_ok() {
                            info!(%agent, "state saved after all");
                        } else {
                            unwritten.insert(agent, state);
                        }
                    }
                    continue;
                }
            }
        };
        let Some((agent, state)) = next else { break };
        match write(&files, &agent, &state).await {
            Ok(()) => {
                unwritten.remove(&agent);
            }
            Err(error) => {
                warn!(%agent, error, "state not saved, and tried again");
                unwritten.insert(agent, state);
            }
        }
    }
    for (agent, state) in unwritten {
        if let Err(error) = write(&files, &agent, &state).await {
            error!(%agent, error, "its last state is lost");
        }
    }
}

async fn write(files: &StateFiles, agent: &AgentId, state: &[u8]) -> Result<(), String> {
    let (files, agent, state) = (files.clone(), agent.clone(), state.to_vec());
    match spawn_blocking(move || files.save(&agent, &state)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
