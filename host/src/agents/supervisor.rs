//! [`Supervisor`]: brings up, watches over and takes down the agents. One task, so that two
//! things never happen to one agent at once; what each of them means is decided by
//! [`super::machine`], and what takes its time is done by [`super::jobs`].

mod acts;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use hotpit_units::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tracing::{error, info, warn};

use super::entry::Agent;
use super::fault::Fault;
use super::instance::World;
use super::items::Slot;
use super::jobs::{self, Outcome, Report, SwapOutcome};
use super::loader::{ContentHash, Loader};
use super::machine::{Input, State};
use super::options;
use super::router::Router;
use super::run_queue::RunQueue;
use super::settings::Settings;
use super::state_files::StateFiles;
use super::stats::add;
use super::status::Board;
use super::version::{self, Version};
use super::watcher::Found;
use super::worker::Faulted;
use crate::desk::{DeskSender, ToDesk};
use crate::model::AgentId;

/// How long the desk may take to tell an agent's account before the agent goes live without it.
const ACCOUNT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long an unloaded agent's worker may take to answer: a batch of another agent may be under
/// way there.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the last saves of all agents may take.
const SAVE_TIMEOUT: Duration = Duration::from_secs(8);

/// Agents save in groups, one after the other, so that not all do at once.
const SAVE_GROUPS: u32 = 8;

/// Reports of jobs that may wait; a job waits when it finds more.
const REPORTS_MAX: usize = 1_024;

/// What the supervisor works with.
pub(crate) struct Supervisor {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) loader: Arc<Loader>,
    pub(crate) router: Arc<Router>,
    pub(crate) desk: DeskSender,
    pub(crate) runs: Arc<RunQueue>,
    pub(crate) files: StateFiles,
    pub(crate) states: mpsc::Sender<(AgentId, Vec<u8>)>,
    pub(crate) board: Board,
}

/// What the supervisor hears.
pub(crate) struct Inbox {
    pub(crate) found: mpsc::Receiver<Found>,
    pub(crate) faults: mpsc::Receiver<Faulted>,
    pub(crate) shutdown: oneshot::Receiver<()>,
}

/// The running supervisor.
pub(crate) struct Running {
    with: Supervisor,
    agents: BTreeMap<AgentId, Agent>,
    slots: BTreeMap<Slot, AgentId>,
    wakes: BTreeSet<(Timestamp, AgentId)>,
    reports: mpsc::Sender<Report>,
    slots_given: u64,
    /// Whose turn it is to save.
    save_group: u32,
}

impl Supervisor {
    /// Runs until it is told to end, then saves and unloads everybody.
    pub(crate) async fn run(self, mut inbox: Inbox) {
        let (reports, mut reported) = mpsc::channel(REPORTS_MAX);
        let every = Duration::from_secs(self.settings.save_every_s) / SAVE_GROUPS;
        let mut saves = (!every.is_zero()).then(|| {
            let mut saves = interval_at(Instant::now() + every, every);
            saves.set_missed_tick_behavior(MissedTickBehavior::Delay);
            saves
        });
        let mut running = Running {
            with: self,
            agents: BTreeMap::new(),
            slots: BTreeMap::new(),
            wakes: BTreeSet::new(),
            reports,
            slots_given: 0,
            save_group: 0,
        };
        loop {
            let next = running.next_wake();
            let wake = async {
                match next {
                    Some(after) => sleep(after).await,
                    None => pending().await,
                }
            };
            let save = async {
                match &mut saves {
                    Some(saves) => saves.tick().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                _ = &mut inbox.shutdown => break,
                Some(faulted) = inbox.faults.recv() => running.on_fault(faulted).await,
                Some(report) = reported.recv() => running.on_report(report).await,
                Some(found) = inbox.found.recv() => running.on_found(found).await,
                () = wake => running.on_wake().await,
                _ = save => running.save_some(),
            }
        }
        running.shut_down().await;
    }
}

impl Running {
    fn now(&self) -> Timestamp {
        self.with.world.clock.now()
    }

    fn next_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| at.since(self.now()))
    }

    async fn on_wake(&mut self) {
        let now = self.now();
        while let Some((at, _)) = self.wakes.first() {
            if *at > now {
                break;
            }
            // One that was deleted meanwhile must not come up again as a name without a file.
            if let Some((_, agent)) = self.wakes.pop_first()
                && self.agents.contains_key(&agent)
            {
                self.tell(&agent, Input::Due).await;
            }
        }
    }

    async fn on_found(&mut self, found: Found) {
        match found {
            Found::Gone { agent } => {
                info!(%agent, "file is gone");
                self.tell(&agent, Input::Removed).await;
            }
            Found::Unreadable { agent, reason } => {
                let entry = self.agent(&agent);
                entry.files = None;
                // What is being loaded is in no file any more.
                entry.load += 1;
                self.tell(&agent, Input::Refused(reason)).await;
            }
            Found::Files { agent, wasm, toml } => {
                let files = Some((ContentHash::of(&wasm), toml.clone()));
                let entry = self.agent(&agent);
                let is_idle = matches!(
                    entry.machine.state(),
                    State::Stopped { .. } | State::Quarantined { .. }
                );
                if entry.files == files && !is_idle {
                    return;
                }
                entry.files = files;
                entry.rolled_back = None;
                entry.load += 1;
                let load = entry.load;
                self.show(&agent);
                // Whatever else is wrong with the files, and however long they take to compile:
                // an operator who switches an agent off is obeyed at once.
                if toml.as_deref().is_some_and(options::is_off) {
                    let off = Input::Disabled("disabled in its settings".to_owned());
                    return self.tell(&agent, off).await;
                }
                self.load(agent, load, wasm, toml);
            }
        }
    }

    fn load(&mut self, agent: AgentId, load: u64, wasm: Arc<[u8]>, toml: Option<String>) {
        let budget = self.with.settings.budget;
        let loader = Arc::clone(&self.with.loader);
        let world = self.with.world.clone();
        let reports = self.reports.clone();
        tokio::task::spawn_blocking(move || {
            let load_it = || {
                version::load(&agent, &wasm, toml.as_deref(), budget, &loader, &world).map(Arc::new)
            };
            // A file must not be able to end more than its own loading.
            let result = catch_unwind(AssertUnwindSafe(load_it)).unwrap_or_else(|_| {
                Err("the host panicked while loading it: please report the file".to_owned())
            });
            // Nobody listens when the host ends.
            let _ = reports.blocking_send(Report::Loaded { agent, load, result });
        });
    }

    /// Why the operator does not let an agent run, if so.
    fn not_allowed(&self, agent: &AgentId, version: &Version) -> Option<String> {
        let needs_word = self.with.settings.costs_money && !version.plan.live;
        needs_word.then(|| {
            format!(
                "its orders would cost real money: write `live = true` in {agent}.toml to let it"
            )
        })
    }

    async fn on_report(&mut self, report: Report) {
        match report {
            Report::Loaded { agent, load, result } => {
                if self.agents.get(&agent).is_none_or(|entry| entry.load != load) {
                    return;
                }
                let input = match result {
                    Ok(version) => match self.not_allowed(&agent, &version) {
                        None => Input::Version(version),
                        Some(reason) => {
                            self.agent(&agent).shown = Some(version);
                            Input::Disabled(reason)
                        }
                    },
                    Err(reason) => Input::Refused(reason),
                };
                self.tell(&agent, input).await;
            }
            Report::Started { agent, job, outcome } => {
                if self.agents.get(&agent).is_none_or(|entry| entry.job != job) {
                    return;
                }
                let input = match outcome {
                    Outcome::Live(instance) => {
                        self.go_live(&agent, *instance).await;
                        Input::Started
                    }
                    Outcome::Error(reason) => Input::NotStarted(reason),
                    Outcome::Fault(fault) => self.note_fault(&agent, &fault, 0, &[]),
                };
                self.tell(&agent, input).await;
            }
            Report::Swapped { agent, job, outcome } => {
                if self.agents.get(&agent).is_none_or(|entry| entry.job != job) {
                    return;
                }
                let input = match outcome {
                    SwapOutcome::Live(instance, state) => {
                        self.agent(&agent).before_swap = Some(state.clone());
                        self.keep_state(&agent, state);
                        add(&self.agent(&agent).stats.swaps, 1);
                        self.go_live(&agent, *instance).await;
                        Input::Swapped
                    }
                    SwapOutcome::Refused(reason) => Input::NotSwapped(reason),
                    SwapOutcome::OldFaulted(fault) => self.note_fault(&agent, &fault, 0, &[]),
                    SwapOutcome::OldGone => return,
                };
                self.tell(&agent, input).await;
            }
            Report::Saved { slot, result } => {
                let Some(agent) = self.slots.get(&slot).cloned() else { return };
                match result {
                    Ok(state) => self.keep_state(&agent, state),
                    Err(fault) => {
                        let input = self.note_fault(&agent, &fault, 0, &[]);
                        self.tell(&agent, input).await;
                    }
                }
            }
        }
    }

    async fn on_fault(&mut self, faulted: Faulted) {
        let Faulted { slot, fault, events_lost, log } = faulted;
        let Some(agent) = self.slots.get(&slot).cloned() else { return };
        let input = self.note_fault(&agent, &fault, events_lost, &log);
        self.tell(&agent, input).await;
    }

    fn note_fault(
        &mut self,
        agent: &AgentId,
        fault: &Fault,
        events_lost: u64,
        log: &[String],
    ) -> Input<Arc<Version>> {
        warn!(
            %agent,
            fault = fault.name(),
            reason = %fault,
            events_lost,
            backtrace = ?fault.backtrace(),
            last_lines = ?log,
            "agent faulted"
        );
        let entry = self.agent(agent);
        entry.faults += 1;
        entry.last_fault = Some(fault.to_string());
        entry.events_lost += events_lost;
        entry.restarting = true;
        Input::Faulted { reason: fault.to_string(), batches: entry.batches() }
    }

    /// Tells an agent's machine what happened, and does what it asks for.
    async fn tell(&mut self, agent: &AgentId, input: Input<Arc<Version>>) {
        let now = self.now();
        let effects = self.agent(agent).machine.on(input, now);
        for effect in effects {
            self.act(agent, effect).await;
        }
        self.show(agent);
    }

    /// Has everyone of the next group who did something since the last time save its state.
    fn save_some(&mut self) {
        self.save_group = (self.save_group + 1) % SAVE_GROUPS;
        let group = u64::from(self.save_group);
        let is_of_it = |entry: &&Agent| entry.mailbox.slot().0 % u64::from(SAVE_GROUPS) == group;
        for entry in self.agents.values().filter(is_of_it) {
            let batches = entry.stats.batches.load(Ordering::Relaxed);
            if !matches!(entry.machine.state(), State::Running { .. }) || batches == entry.saved_at
            {
                continue;
            }
            let (runs, slot) = (Arc::clone(&self.with.runs), entry.mailbox.slot());
            let reports = self.reports.clone();
            tokio::spawn(async move {
                if let Some(result) = jobs::save(&runs, slot, false).await {
                    let _ = reports.send(Report::Saved { slot, result }).await;
                }
            });
        }
    }

    async fn to_desk(&self, message: ToDesk) {
        if self.with.desk.send(message).await.is_err() {
            error!("the desk is gone");
        }
    }

    /// The agent's entry, made now if there is none.
    fn agent(&mut self, agent: &AgentId) -> &mut Agent {
        let Self { agents, slots, slots_given, with, .. } = self;
        agents.entry(agent.clone()).or_insert_with(|| {
            let slot = Slot(*slots_given);
            *slots_given += 1;
            slots.insert(slot, agent.clone());
            Agent::new(slot, &with.runs, &with.settings)
        })
    }

    fn show(&mut self, agent: &AgentId) {
        let Some(entry) = self.agents.get(agent) else { return };
        self.with.board.set(agent, entry.row());
    }

    async fn shut_down(mut self) {
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        let removed = agents.iter().map(|agent| {
            self.with.router.remove(agent);
            let slot = self.agents.get(agent).map(|entry| entry.mailbox.slot());
            let runs = Arc::clone(&self.with.runs);
            async move { jobs::remove(&runs, slot?).await }
        });
        // All at once: one that takes its time costs the others none of theirs.
        let removed: Vec<_> = removed.map(|removed| timeout(SAVE_TIMEOUT, removed)).collect();
        for (agent, state) in agents.iter().zip(join_all(removed).await) {
            match state {
                Ok(None) => {}
                Ok(Some(Ok(state))) => self.keep_last_state(agent, state).await,
                Ok(Some(Err(fault))) => warn!(%agent, %fault, "last state not saved"),
                Err(_) => error!(%agent, "last state not saved: its worker does not answer"),
            }
        }
        self.with.runs.stop();
    }
}
