//! [`AgentStatus`]: what is known of each agent, for people.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotpit_units::Timestamp;

use super::mailbox::Mailbox;
use super::settings::Budget;
use super::stats::Stats;
use crate::model::{AgentId, Durations};

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentState {
    /// Its file is being checked and compiled, or it is being started.
    Loading,
    /// It gets events.
    Running,
    /// It faulted, and is restarted in a moment.
    Backoff,
    /// It faulted too often: it gets nothing until its file changes.
    Quarantined,
    /// Its file cannot be run, its `start` refused, or it is switched off.
    Stopped,
}

/// One agent at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentStatus {
    /// Its id: the name of its file.
    pub agent: AgentId,
    /// Where it is.
    pub state: AgentState,
    /// Why it is there, or why the file is not what runs; none if all is well.
    pub reason: Option<String>,
    /// The name in its manifest; empty before it could be asked.
    pub name: String,
    /// The version in its manifest.
    pub version: String,
    /// The SHA-256 of the code that runs or ran last, in hex.
    pub hash: String,
    /// Batches it was given.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Events in the last second that is over.
    pub events_per_second: u64,
    /// Actions it returned.
    pub actions: u64,
    /// Faults.
    pub faults: u64,
    /// The last fault, in a line.
    pub last_fault: Option<String>,
    /// Times that another version took its place while it ran.
    pub swaps: u64,
    /// How long half of its calls took at most, in nanoseconds.
    pub call_p50_ns: u64,
    /// How long 99 of 100 of its calls took at most, in nanoseconds.
    pub call_p99_ns: u64,
    /// How long its calls took.
    pub call_times: Durations,
    /// Linear memory in use, in bytes.
    pub memory_bytes: u64,
    /// The most actions that a batch returned.
    pub actions_most: u64,
    /// What it may use; none before its files were read.
    pub budget: Option<Budget>,
    /// Things that wait for it.
    pub waiting: u64,
    /// Events, notices and wake times that were dropped because too much waited.
    pub dropped: u64,
    /// Log lines dropped because there were too many a second.
    pub log_dropped: u64,
    /// Times that its actions had to wait because the desk took none.
    pub desk_waits: u64,
    /// Markets it follows.
    pub markets: u64,
    /// Games it follows.
    pub games: u64,
}

/// What the supervisor says of an agent.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) state: AgentState,
    pub(crate) reason: Option<String>,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) hash: String,
    pub(crate) faults: u64,
    pub(crate) last_fault: Option<String>,
    pub(crate) budget: Option<Budget>,
    pub(crate) stats: Arc<Stats>,
    pub(crate) mailbox: Arc<Mailbox>,
}

/// Where the supervisor writes what anybody may read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<AgentId, Row>>>);

impl Board {
    pub(crate) fn set(&self, agent: &AgentId, row: Row) {
        self.lock().insert(agent.clone(), row);
    }

    pub(crate) fn forget(&self, agent: &AgentId) {
        self.lock().remove(agent);
    }

    /// Everything, in the order of the agents' names.
    pub(crate) fn read(&self, now: Timestamp) -> Vec<AgentStatus> {
        self.lock().iter().map(|(agent, row)| row.status(agent, now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgentId, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn status(&self, agent: &AgentId, now: Timestamp) -> AgentStatus {
        let stats = &self.stats;
        let (scope, _) = self.mailbox.view();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        AgentStatus {
            agent: agent.clone(),
            state: self.state,
            reason: self.reason.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            hash: self.hash.clone(),
            batches: stats.batches.load(Ordering::Relaxed),
            events: stats.events.load(Ordering::Relaxed),
            events_per_second: stats.events_per_second(now),
            actions: stats.actions.load(Ordering::Relaxed),
            faults: self.faults,
            last_fault: self.last_fault.clone(),
            swaps: stats.swaps.load(Ordering::Relaxed),
            call_p50_ns: nanos(stats.quantile(500)),
            call_p99_ns: nanos(stats.quantile(990)),
            call_times: stats.durations(),
            memory_bytes: stats.memory.load(Ordering::Relaxed),
            actions_most: stats.actions_most.load(Ordering::Relaxed),
            budget: self.budget,
            waiting: count(self.mailbox.waiting()),
            dropped: self.mailbox.dropped(),
            log_dropped: stats.log_dropped.load(Ordering::Relaxed),
            desk_waits: stats.desk_waits.load(Ordering::Relaxed),
            markets: count(scope.markets.len()),
            games: count(scope.games.len()),
        }
    }
}
