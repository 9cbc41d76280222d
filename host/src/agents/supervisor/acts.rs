//! What the supervisor does to an agent when its machine asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::{ACCOUNT_TIMEOUT, REMOVE_TIMEOUT, Running};
use crate::agents::instance::Instance;
use crate::agents::jobs::{self, Launch, Report};
use crate::agents::machine::Effect;
use crate::agents::version::Version;
use crate::agents::worker::{Command, Install};
use crate::desk::ToDesk;
use crate::model::AgentId;

impl Running {
    pub(super) async fn act(&mut self, agent: &AgentId, effect: Effect<Arc<Version>>) {
        match effect {
            Effect::Start(version) => self.start(agent, version),
            Effect::Swap(version) => self.swap(agent, version),
            Effect::RollBack(version, reason) => {
                let entry = self.agent(agent);
                let ours = &version.manifest.version;
                let text = format!("rolled back to version {ours}: the new one faulted: {reason}");
                warn!(%agent, reason = text, "file is not what runs");
                entry.rolled_back = Some(text);
                entry.state = entry.before_swap.take();
                self.start(agent, version);
            }
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
        let runs = Arc::clone(&self.with.runs);
        let entry = self.agent(agent);
        entry.job += 1;
        entry.shown = Some(Arc::clone(&version));
        let mailbox = Arc::clone(&entry.mailbox);
        (Launch { agent: agent.clone(), version, world, mailbox, runs }, entry.job)
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
    pub(super) async fn go_live(&mut self, agent: &AgentId, instance: Instance) {
        let entry = self.agent(agent);
        let Some(version) = entry.shown.clone() else { return };
        let mailbox = Arc::clone(&entry.mailbox);
        let stats = Arc::clone(&entry.stats);
        let restarted = std::mem::take(&mut entry.restarting);
        let events_lost = std::mem::take(&mut entry.events_lost);
        entry.live_at = entry.stats.batches.load(Ordering::Relaxed);
        entry.refused.clone_from(&entry.rolled_back);
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
        let install = Install { agent: agent.clone(), instance, mailbox, stats };
        self.with.runs.command(Command::Install(Box::new(install)));
    }

    /// Takes an agent's instance down; its state is kept.
    pub(super) async fn unload(&mut self, agent: &AgentId) {
        self.with.router.remove(agent);
        let mailbox = Arc::clone(&self.agent(agent).mailbox);
        let removed = jobs::remove(&self.with.runs, mailbox.slot());
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

    /// Keeps the state of an agent that is no more; waits for a disk that is behind.
    pub(super) async fn keep_last_state(&mut self, agent: &AgentId, state: Vec<u8>) {
        // Gone only if the host has given up on its disk.
        let _ = self.with.states.send((agent.clone(), state)).await;
    }

    pub(super) fn keep_state(&mut self, agent: &AgentId, state: Vec<u8>) {
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
}
