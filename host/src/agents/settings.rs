//! [`Settings`]: how the host runs its agents. What is said here of budgets is the default; each
//! agent's own file may say otherwise (see [`super::options`]).

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// How the host runs its agents: the `[agents]` part of the host's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder that is watched for `*.wasm` and `*.toml`.
    pub folder: PathBuf,
    /// Where the agents' saved states are kept, one file each, and in `code` what they were
    /// compiled to. Never the agents' folder. Not a key of its own: it is in the host's
    /// `state_folder`.
    #[serde(skip)]
    pub state_folder: PathBuf,
    /// Whether orders cost real money: then an agent runs only if its own file says `live = true`.
    /// Not a key of its own: it follows from the host's `venue` and `live`.
    #[serde(skip)]
    pub costs_money: bool,
    /// Threads that run agents. 0: all processors but one, at least one, at most eight.
    pub workers: u16,
    /// Files in the folder are looked at this long after something happened there, in
    /// milliseconds: a copy is mostly complete by then.
    pub settle_ms: u64,
    /// The folder is looked at this often even if nothing was heard of it, in milliseconds:
    /// network mounts tell nothing.
    pub rescan_ms: u64,
    /// The largest file that is loaded, in MiB.
    pub file_mib_max: u64,
    /// The most events in one call.
    pub batch_events_max: u32,
    /// Trades, game states and market changes that may wait for an agent; what comes then is
    /// dropped, counted, and told to the agent as one gap.
    pub mailbox_events_max: u32,
    /// Order updates and fills that may wait for an agent, apart from the former.
    pub mailbox_notices_max: u32,
    /// Wake times that one agent may have outstanding; more are dropped and counted.
    pub timers_max: u32,
    /// How often a running agent's state is saved, in seconds, so that it survives a crash of
    /// the agent or of the host. 0: only at a swap, an unload and an orderly end.
    pub save_every_s: u64,
    /// The largest state that `save` may give, in KiB.
    pub state_kib_max: u64,
    /// How long an agent's actions may wait for a desk that takes none, in milliseconds, before
    /// they count as a fault of the agent's connection to the desk.
    pub desk_wait_ms: u64,
    /// What one agent may use.
    pub budget: Budget,
}

/// What one agent may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Processor time of one call of `on-events`, in milliseconds.
    pub batch_ms: u64,
    /// Processor time to instantiate and `start`, in milliseconds.
    pub start_ms: u64,
    /// Processor time of `save`, in milliseconds.
    pub save_ms: u64,
    /// Actions returned from one batch; more are a fault.
    pub actions_per_batch: u32,
    /// Actions returned within one second, wake times among them; more are a fault. Whatever an
    /// agent answers its own denials with, it ends here.
    pub actions_per_second: u32,
    /// Log lines a second; more are counted and dropped.
    pub log_lines_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            folder: "agents".into(),
            state_folder: "state/agents".into(),
            costs_money: false,
            workers: 0,
            settle_ms: 10,
            rescan_ms: 2_000,
            file_mib_max: 32,
            batch_events_max: 256,
            mailbox_events_max: 8_192,
            mailbox_notices_max: 8_192,
            timers_max: 1_024,
            save_every_s: 5,
            state_kib_max: 1_024,
            desk_wait_ms: 1_000,
            budget: Budget::default(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            memory_mib: 64,
            batch_ms: 10,
            start_ms: 250,
            save_ms: 50,
            actions_per_batch: 256,
            actions_per_second: 500,
            log_lines_per_second: 100,
        }
    }
}

impl Settings {
    /// Adds a line to `problems` for each value that cannot work.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let mut range = |key: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                problems.push(format!("agents.{key} is {value}: must be from {low} to {high}"));
            }
        };
        range("workers", self.workers.into(), 0, 64);
        range("settle_ms", self.settle_ms, 1, 10_000);
        range("rescan_ms", self.rescan_ms, 100, 3_600_000);
        range("file_mib_max", self.file_mib_max, 1, 1_024);
        range("batch_events_max", self.batch_events_max.into(), 1, 65_536);
        range("mailbox_events_max", self.mailbox_events_max.into(), 16, 1 << 20);
        range("mailbox_notices_max", self.mailbox_notices_max.into(), 16, 1 << 20);
        range("timers_max", self.timers_max.into(), 1, 1 << 20);
        range("save_every_s", self.save_every_s, 0, 86_400);
        range("state_kib_max", self.state_kib_max, 1, 1 << 20);
        range("desk_wait_ms", self.desk_wait_ms, 10, 60_000);
        if self.folder == self.state_folder {
            problems.push("agents.state_folder is the agents' folder: must be another".into());
        }
        self.budget.validate("agents.budget", problems);
    }

    /// How many worker threads that makes on this machine.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match self.workers {
            0 => processors.saturating_sub(1).clamp(1, 8),
            count => count.into(),
        }
    }

    pub(crate) fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms)
    }

    pub(crate) fn file_bytes_max(&self) -> u64 {
        self.file_mib_max << 20
    }

    pub(crate) fn state_bytes_max(&self) -> usize {
        usize::try_from(self.state_kib_max << 10).unwrap_or(usize::MAX)
    }
}

impl Budget {
    /// Adds a line to `problems` for each value that cannot work; `path` is where the budget
    /// stands.
    pub fn validate(&self, path: &str, problems: &mut Vec<String>) {
        let mut range = |key: &str, value: u64, low: u64, high: u64| {
            if !(low..=high).contains(&value) {
                problems.push(format!("{path}.{key} is {value}: must be from {low} to {high}"));
            }
        };
        range("memory_mib", self.memory_mib, 1, 4_096);
        range("batch_ms", self.batch_ms, 1, 10_000);
        range("start_ms", self.start_ms, 1, 60_000);
        range("save_ms", self.save_ms, 1, 10_000);
        range("actions_per_batch", self.actions_per_batch.into(), 1, 65_536);
        range("actions_per_second", self.actions_per_second.into(), 1, 1_000_000);
        range("log_lines_per_second", self.log_lines_per_second.into(), 0, 100_000);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        usize::try_from(self.memory_mib << 20).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problem() {
        let mut problems = vec![];
        Settings::default().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_keys() {
        let settings = Settings {
            batch_events_max: 0,
            state_folder: "agents".into(),
            budget: Budget { memory_mib: 0, ..Budget::default() },
            ..Settings::default()
        };
        let mut problems = vec![];
        settings.validate(&mut problems);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("agents.batch_events_max is 0"), "{problems:?}");
        assert!(problems[2].starts_with("agents.budget.memory_mib is 0"), "{problems:?}");
    }
}
