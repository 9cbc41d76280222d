//! [`Agent`]: what the supervisor keeps of one agent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::AbortHandle;

use super::items::Slot;
use super::loader::ContentHash;
use super::machine::{Machine, State};
use super::mailbox::{Bounds, Mailbox};
use super::run_queue::RunQueue;
use super::settings::Settings;
use super::stats::Stats;
use super::status::{AgentState, Row};
use super::version::Version;

/// One agent.
pub(super) struct Agent {
    pub(super) machine: Machine<Arc<Version>>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) stats: Arc<Stats>,
    /// What its files were when they were loaded last.
    pub(super) files: Option<(ContentHash, Option<String>)>,
    /// The number of the last load, and of the last start or swap: reports of others are late.
    pub(super) load: u64,
    pub(super) job: u64,
    /// The start or swap under way.
    pub(super) task: Option<AbortHandle>,
    /// The last state it saved.
    pub(super) state: Option<Vec<u8>>,
    /// What it saved for the last swap.
    pub(super) before_swap: Option<Vec<u8>>,
    /// How many batches it had had when it was live.
    pub(super) live_at: u64,
    /// How many batches it had had when it saved its last state.
    pub(super) saved_at: u64,
    /// It faulted since it was live: what comes next is a restart.
    pub(super) restarting: bool,
    pub(super) events_lost: u64,
    pub(super) faults: u64,
    pub(super) last_fault: Option<String>,
    /// Why the version before the last swap runs again.
    pub(super) rolled_back: Option<String>,
    /// Why its file is not what runs.
    pub(super) refused: Option<String>,
    pub(super) shown: Option<Arc<Version>>,
}

impl Agent {
    pub(super) fn new(slot: Slot, runs: &Arc<RunQueue>, settings: &Settings) -> Self {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let bounds = Bounds {
            events: size(settings.mailbox_events_max),
            notices: size(settings.mailbox_notices_max),
            timers: size(settings.timers_max),
        };
        // Unlike those of an agent of the same name that was deleted: its reports may still come.
        let first = slot.0 << 32;
        Self {
            machine: Machine::new(),
            mailbox: Arc::new(Mailbox::new(slot, Arc::clone(runs), bounds)),
            stats: Arc::default(),
            files: None,
            load: first,
            job: first,
            task: None,
            state: None,
            before_swap: None,
            live_at: 0,
            saved_at: 0,
            restarting: false,
            events_lost: 0,
            faults: 0,
            last_fault: None,
            rolled_back: None,
            refused: None,
            shown: None,
        }
    }

    /// How many batches it had since it was live.
    pub(super) fn batches(&self) -> u64 {
        self.stats.batches.load(Ordering::Relaxed).saturating_sub(self.live_at)
    }

    pub(super) fn row(&self) -> Row {
        let (state, why) = match self.machine.state() {
            State::Loading | State::Starting { .. } => (AgentState::Loading, None),
            State::Stopped { reason } => (AgentState::Stopped, Some(reason.clone())),
            State::Running { .. } | State::Swapping { .. } => (AgentState::Running, None),
            State::Backoff { .. } => (AgentState::Backoff, self.last_fault.clone()),
            State::Quarantined { reason } => (AgentState::Quarantined, Some(reason.clone())),
        };
        // What a swap that is under way or failed would have run is not what runs.
        let runs = match self.machine.state() {
            State::Running { version } | State::Swapping { old: version, .. } => Some(version),
            State::Starting { version } | State::Backoff { version, .. } => Some(version),
            State::Loading | State::Stopped { .. } | State::Quarantined { .. } => {
                self.shown.as_ref()
            }
        };
        let text = |what: fn(&Version) -> String| runs.map_or_else(String::new, |one| what(one));
        Row {
            state,
            reason: why.or_else(|| self.refused.clone()),
            name: text(|version| version.manifest.name.clone()),
            version: text(|version| version.manifest.version.clone()),
            hash: text(|version| version.hash().to_string()),
            faults: self.faults,
            last_fault: self.last_fault.clone(),
            budget: runs.map(|version| version.plan.budget),
            stats: Arc::clone(&self.stats),
            mailbox: Arc::clone(&self.mailbox),
        }
    }
}
