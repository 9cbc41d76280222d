//! [`Supervisor`]: brings up, watches over and takes down the agents. One task, so that two
//! things never happen to one agent at once; what each of them means is decided by
//! [`super::machine`], and what takes its time is done by [`super::jobs`].

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hotpit_units::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tracing::{error, info, warn};

use super::entry::Agent;
use super::fault::Fault;
use super::instance::{Instance, World};
use super::items::Slot;
use super::jobs::{self, Launch, Outcome, Report, SwapOutcome};
use super::lane::Lane;
use super::loader::{ContentHash, Loader};
use super::machine::{Effect, Input, State};
use super::options;
use super::router::Router;
use super::settings::Settings;
use super::state_files::StateFiles;
use super::stats::add;
use super::status::Board;
use super::version::{self, Version};
use super::watcher::Found;
use super::worker::{Command, Faulted, Install};
use crate::desk::{DeskSender, ToDesk};
use crate::model::AgentId;

/// How long the desk may take to tell an agent's account before the agent goes live without it.
const ACCOUNT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long an unloaded agent's worker may take to answer: a batch of another agent may be under
/// way there.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reports of jobs that may wait; a job waits when it finds more.
const REPORTS_MAX: usize = 1_024;

/// What the supervisor works with.
pub(crate) struct Supervisor {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) loader: Arc<Loader>,
    pub(crate) router: Arc<Router>,
    pub(crate) desk: DeskSender,
    pub(crate) lanes: Vec<Arc<Lane>>,
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
}

impl Supervisor {
    /// Runs until it is told to end, then saves and unloads everybody.
    pub(crate) async fn run(self, mut inbox: Inbox) {
        let (reports, mut reported) = mpsc::channel(REPORTS_MAX);
        let every = Duration::from_secs(self.settings.save_every_s);
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
                _ = save => running.save_all(),
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
        Input::Faulted(fault.to_string())
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

    async fn act(&mut self, agent: &AgentId, effect: Effect<Arc<Version>>) {
        match effect {
            Effect::Start(version) => self.start(agent, version),
            Effect::Swap(version) => self.swap(agent, version),
            Effect::Abandon => {
                let entry = self.agent(agent);
                entry.job += 1;
                // Else a swap could still hold up the instance that comes after it.
                if let Some(task) = entry.task.take() {
                    task.abort();
                }
            }
            Effect::Unload => self.unload(agent).await,
            Effect::CancelOrders(reason) => {
                let down = ToDesk::AgentDown { agent: agent.clone(), reason };
                self.to_desk(down).await;
            }
            Effect::Forget => {
                if let Some(entry) = self.agents.remove(agent) {
                    self.slots.remove(&entry.mailbox.slot());
                }
                self.with.board.forget(agent);
            }
            Effect::WakeAt(at) => {
                self.wakes.insert((at, agent.clone()));
            }
            Effect::Tell(reason) => {
                warn!(%agent, %reason, "file is not what runs");
                self.agent(agent).refused = Some(reason);
            }
        }
    }

    fn launch(&mut self, agent: &AgentId, version: Arc<Version>) -> (Launch, u64) {
        let world = self.with.world.clone();
        let entry = self.agent(agent);
        entry.job += 1;
        entry.shown = Some(Arc::clone(&version));
        let mailbox = Arc::clone(&entry.mailbox);
        (Launch { agent: agent.clone(), version, world, mailbox }, entry.job)
    }

    fn start(&mut self, agent: &AgentId, version: Arc<Version>) {
        let (launch, job) = self.launch(agent, version);
        let state = self.agent(agent).state.clone();
        let (files, reports) = (self.with.files.clone(), self.reports.clone());
        let name = agent.clone();
        let task = tokio::spawn(async move {
            let outcome = launch.start(state, files).await;
            // Nobody listens when the host ends.
            let _ = reports.send(Report::Started { agent: name, job, outcome }).await;
        });
        self.agent(agent).task = Some(task.abort_handle());
    }

    fn swap(&mut self, agent: &AgentId, version: Arc<Version>) {
        let (launch, job) = self.launch(agent, version);
        let (reports, name) = (self.reports.clone(), agent.clone());
        let task = tokio::spawn(async move {
            let outcome = launch.swap().await;
            let _ = reports.send(Report::Swapped { agent: name, job, outcome }).await;
        });
        self.agent(agent).task = Some(task.abort_handle());
    }

    /// Puts a started instance to work.
    async fn go_live(&mut self, agent: &AgentId, instance: Instance) {
        let entry = self.agent(agent);
        let Some(version) = entry.shown.clone() else { return };
        let mailbox = Arc::clone(&entry.mailbox);
        let stats = Arc::clone(&entry.stats);
        let restarted = std::mem::take(&mut entry.restarting);
        let events_lost = std::mem::take(&mut entry.events_lost);
        entry.refused = None;
        self.with.router.add(agent, &mailbox, &version.plan.subscriptions);
        if restarted {
            mailbox.restarted(events_lost);
        } else {
            mailbox.present();
        }
        let limits = version.plan.limits.clone();
        // Before its first action can be: the desk knows no limits of an agent it never heard of.
        let (reply, told) = oneshot::channel();
        self.to_desk(ToDesk::AgentUp { agent: agent.clone(), limits, told: reply }).await;
        if !matches!(timeout(ACCOUNT_TIMEOUT, told).await, Ok(Ok(()))) {
            // It comes when the desk gets to it; until then the desk knows better.
            warn!(%agent, "the desk has not told the agent's account yet");
        }
        let manifest = &version.manifest;
        info!(
            %agent,
            name = manifest.name,
            version = manifest.version,
            hash = version.hash().short(),
            markets = mailbox.view().0.markets.len(),
            restarted,
            "agent is live"
        );
        let lane = Arc::clone(mailbox.lane());
        let install = Install { agent: agent.clone(), instance, mailbox, stats };
        lane.command(Command::Install(Box::new(install)));
    }

    /// Takes an agent's instance down; its state is kept.
    async fn unload(&mut self, agent: &AgentId) {
        self.with.router.remove(agent);
        let mailbox = Arc::clone(&self.agent(agent).mailbox);
        let removed = jobs::remove(mailbox.lane(), mailbox.slot());
        match timeout(REMOVE_TIMEOUT, removed).await {
            Ok(None) => {}
            Ok(Some(Ok(state))) => self.keep_state(agent, state),
            Ok(Some(Err(fault))) => warn!(%agent, %fault, "last state not saved"),
            Err(_) => error!(%agent, "its worker does not answer: it goes on without its feed"),
        }
        mailbox.clear();
        let entry = self.agent(agent);
        entry.restarting = false;
        entry.events_lost = 0;
    }

    fn keep_state(&mut self, agent: &AgentId, state: Vec<u8>) {
        let entry = self.agent(agent);
        entry.saved_at = entry.stats.batches.load(Ordering::Relaxed);
        if entry.state.as_ref() == Some(&state) {
            return;
        }
        entry.state = Some(state.clone());
        if self.with.states.try_send((agent.clone(), state)).is_err() {
            warn!(%agent, "state not saved: the disk is behind");
            // So that the next one is written even if it is the same.
            self.agent(agent).state = None;
        }
    }

    /// Has everyone who did something since the last time save its state.
    fn save_all(&mut self) {
        for entry in self.agents.values() {
            let batches = entry.stats.batches.load(Ordering::Relaxed);
            if !matches!(entry.machine.state(), State::Running { .. }) || batches == entry.saved_at
            {
                continue;
            }
            let (lane, slot) = (Arc::clone(entry.mailbox.lane()), entry.mailbox.slot());
            let reports = self.reports.clone();
            tokio::spawn(async move {
                if let Some(result) = jobs::save(&lane, slot, false).await {
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
            Agent::new(slot, &with.lanes, &with.settings)
        })
    }

    fn show(&mut self, agent: &AgentId) {
        let Some(entry) = self.agents.get(agent) else { return };
        self.with.board.set(agent, entry.row());
    }

    async fn shut_down(mut self) {
        let agents: Vec<AgentId> = self.agents.keys().cloned().collect();
        for agent in agents {
            self.unload(&agent).await;
        }
        for lane in &self.with.lanes {
            lane.command(Command::Stop);
        }
    }
}
