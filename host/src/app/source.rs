//! [`HostSource`]: what the operator's port and the live view are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hotpit_rt::Clock;
use tokio::sync::{oneshot, watch};

use super::counters::{books, counters, dropped, league_line, spans};
use crate::agents::{AgentState, AgentStatus, Budget};
use crate::bus::Bus;
use crate::cache::Cache;
use crate::desk::record::Halted;
use crate::desk::{Command, DeskSender, Report, ToDesk};
use crate::feeds::espn::LeagueStatus;
use crate::feeds::kalshi::FeedStats;
use crate::model::{AgentId, League};
use crate::ops::{AgentLine, AgentPhase, Counter, Role, Source, Status};
use crate::recording::Progress;
use crate::streams::Streams;
use crate::traces::Counts;
use crate::units::{Dollars, Timestamp};

/// Reads every part of the host when asked.
pub(super) struct HostSource {
    pub(super) role: Role,
    pub(super) venue: String,
    pub(super) sends_orders: bool,
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    pub(super) desk: DeskSender,
    pub(super) cache: Arc<Cache>,
    pub(super) events: Arc<AtomicU64>,
    pub(super) agents: Box<dyn Fn() -> Vec<AgentStatus> + Send + Sync>,
    pub(super) feed: Arc<FeedStats>,
    pub(super) streams: Arc<Streams>,
    pub(super) bus: Arc<Bus>,
    /// What the archive had no room for, if there is one.
    pub(super) archive: Option<Arc<AtomicU64>>,
    /// What the traces count, if there are any.
    pub(super) traces: Option<Arc<Counts>>,
    /// How the recording of the run is getting on, if there is one.
    pub(super) recording: Option<watch::Receiver<Progress>>,
    /// How the scoreboards are read.
    pub(super) leagues: watch::Receiver<BTreeMap<League, LeagueStatus>>,
}

impl HostSource {
    /// Everything but the desk, with the desk's report as given.
    pub(super) fn with_report(&self, desk: Report) -> Status {
        let now = self.clock.now();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: self.role,
            venue: self.venue.clone(),
            sends_orders: self.sends_orders,
            started: self.started,
            now,
            events: self.events.load(Ordering::Relaxed),
            agents: (self.agents)().into_iter().map(|agent| agent_line(agent, &desk)).collect(),
            streams: self.streams.reports(),
            books: books(&self.cache, now),
            leagues: self.leagues.borrow().iter().map(league_line).collect(),
            maintenance: self.streams.calendar().next(now),
            counters: self.counters(),
            desk,
        }
    }

    /// Refuses a name that is nobody's: a misspelt command must not look as if it were done.
    async fn must_know(&self, agent: Option<&AgentId>) -> Result<(), String> {
        let Some(agent) = agent else { return Ok(()) };
        let mut known: BTreeSet<AgentId> =
            (self.agents)().into_iter().map(|status| status.agent).collect();
        if known.contains(agent) {
            return Ok(());
        }
        // Its file may be gone, and its positions not.
        let desk = ask(&self.desk, |reply| Command::Report { reply }).await?;
        known.extend(desk.halted_agents);
        known.extend(desk.positions.into_iter().filter_map(|line| line.agent));
        known.extend(desk.working.into_iter().filter_map(|line| line.agent));
        if known.contains(agent) {
            return Ok(());
        }
        let known: Vec<&str> = known.iter().map(AgentId::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("no agent `{agent}`; known are: {known}"))
    }

    fn counters(&self) -> Vec<Counter> {
        let unrecorded = self.recording.as_ref().map_or(0, |progress| progress.borrow().lost);
        let unarchived = self.archive.as_ref().map_or(0, |it| it.load(Ordering::Relaxed));
        let mut counters = counters(&self.cache, &self.feed, &self.bus);
        counters.push(dropped("recorder_behind", unrecorded));
        counters.push(dropped("archive_behind", unarchived));
        counters.extend(self.traces.iter().flat_map(|counts| spans(counts)));
        counters
    }
}

impl Source for HostSource {
    async fn status(&self) -> Result<Status, String> {
        let report = ask(&self.desk, |reply| Command::Report { reply }).await?;
        Ok(self.with_report(report))
    }

    async fn halt(&self, agent: Option<AgentId>, halted: Halted) -> Result<(), String> {
        self.must_know(agent.as_ref()).await?;
        ask(&self.desk, |done| Command::Halt { agent, halted, done }).await?
    }

    async fn resume(&self, agent: Option<AgentId>) -> Result<(), String> {
        self.must_know(agent.as_ref()).await?;
        ask(&self.desk, |done| Command::Resume { agent, done }).await?
    }
}

/// Sends a command to the desk and waits for its answer; whoever calls has the timeout.
async fn ask<T>(
    desk: &DeskSender,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    let stopped = || "the desk has stopped".to_owned();
    desk.send(ToDesk::Command(command(reply))).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())
}

/// What an agent has made, less fees; none where a position of it is unpriceable.
fn profit(agent: &AgentId, desk: &Report) -> Option<Dollars> {
    match desk.profits.iter().find(|line| line.agent.as_ref() == Some(agent)) {
        Some(line) => line.net(),
        None => Some(Dollars::ZERO),
    }
}

fn agent_line(agent: AgentStatus, desk: &Report) -> AgentLine {
    let phase = match agent.state {
        AgentState::Loading => AgentPhase::Loading,
        AgentState::Running => AgentPhase::Running,
        AgentState::Backoff => AgentPhase::Restarting,
        AgentState::Quarantined => AgentPhase::Quarantined,
        AgentState::Stopped => AgentPhase::Stopped,
    };
    let limit = |limit: fn(&Budget) -> u64| agent.budget.as_ref().map_or(0, limit);
    AgentLine {
        memory_bytes_max: limit(|budget| budget.memory_mib << 20),
        call_ms_max: limit(|budget| budget.batch_ms),
        actions_max: limit(|budget| budget.actions_per_batch.into()),
        actions_most: agent.actions_most,
        log_lines_dropped: agent.log_dropped,
        profit: profit(&agent.agent, desk),
        agent: agent.agent,
        version: agent.version,
        hash: agent.hash,
        phase,
        reason: agent.reason.or(agent.last_fault),
        markets: agent.markets,
        events: agent.events,
        events_per_second: agent.events_per_second,
        calls: agent.batches,
        call_p50_ns: agent.call_p50_ns,
        call_p99_ns: agent.call_p99_ns,
        call_times: agent.call_times,
        swaps: agent.swaps,
        actions: agent.actions,
        dropped: agent.dropped,
        failures: agent.faults,
        memory_bytes: agent.memory_bytes,
    }
}
