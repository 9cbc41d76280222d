//! [`HostState`]: what belongs to one instance on the host's side of the wall, its limits and its
//! deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_units::Timestamp;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::fault::MemoryRefused;
use super::log::AgentLog;
use super::run_queue::call_is_slow;
use super::scope::Scope;
use super::wasi::{BatchTime, Wasi};
use crate::cache::Cache;
use crate::model::Account;

/// Instances, tables and memories of one component. A Rust agent has three of the first; Python's
/// runtime is linked from some thirty.
const PARTS_MAX: usize = 256;

/// Elements of one table: entries for indirect calls.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// How long a call runs before its processor time is looked at, in ticks of the epoch (1 ms).
/// A call that is over by then costs no look.
const FIRST_LOOK_TICKS: u64 = 2;

/// What one instance may see, and what it has used.
pub(crate) struct HostState {
    pub(crate) cache: Arc<Cache>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) account: Arc<Account>,
    pub(crate) log: AgentLog,
    pub(crate) limiter: Limiter,
    pub(crate) wasi: Wasi,
    pub(crate) now: BatchTime,
}

impl HostState {
    /// What the imports answer from now on.
    pub(crate) fn set_view(&mut self, now: Timestamp, scope: Arc<Scope>, account: Arc<Account>) {
        self.now.set(now.as_nanos());
        self.scope = scope;
        self.account = account;
    }
}

/// Holds an instance to its memory, over all its linear memories and tables.
#[derive(Debug)]
pub(crate) struct Limiter {
    used: usize,
    limit: usize,
}

impl Limiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: 0, limit }
    }

    /// Bytes of memories and tables in use.
    pub(crate) fn used(&self) -> u64 {
        u64::try_from(self.used).unwrap_or(u64::MAX)
    }

    fn take(&mut self, bytes: usize) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add(bytes);
        if wanted > self.limit {
            // An error, so that the fault says what happened: told no, most guests only abort.
            let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
            let refused = MemoryRefused { wanted: count(wanted), limit: count(self.limit) };
            return Err(wasmtime::Error::new(refused));
        }
        self.used = wanted;
        Ok(true)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.take(desired.saturating_sub(current))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS_MAX {
            return Ok(false);
        }
        self.take(desired.saturating_sub(current).saturating_mul(size_of::<usize>()))
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

/// A budget of processor time for one call. The epoch, which follows the time of day, only says
/// when to look: a thread that the machine keeps waiting uses nothing up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deadline(Arc<DeadlineState>);

#[derive(Debug, Default)]
struct DeadlineState {
    budget_ns: AtomicU64,
    /// The thread's processor time when the call began, as reckoned at the first look; 0 before.
    began_ns: AtomicU64,
}

impl Deadline {
    /// Begins a call; gives the ticks until the first look.
    pub(crate) fn begin(&self, budget: Duration) -> u64 {
        self.0.budget_ns.store(nanos(budget), Ordering::Relaxed);
        self.0.began_ns.store(0, Ordering::Relaxed);
        // A tick may be about to fall: one more, so that no call gets less than its budget.
        FIRST_LOOK_TICKS.min(millis_up(nanos(budget))) + 1
    }

    /// Looks whether the budget is used up. Whoever is looked at for the first time in a call is
    /// slow.
    pub(crate) fn look(&self, cpu_now: Duration) -> UpdateDeadline {
        let now = nanos(cpu_now);
        let budget = self.0.budget_ns.load(Ordering::Relaxed);
        let mut began = self.0.began_ns.load(Ordering::Relaxed);
        if began == 0 {
            let first = (FIRST_LOOK_TICKS * 1_000_000).min(budget);
            began = now.saturating_sub(first).max(1);
            self.0.began_ns.store(began, Ordering::Relaxed);
            call_is_slow();
        }
        let used = now.saturating_sub(began);
        if used >= budget {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(millis_up(budget - used))
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn millis_up(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_held_over_all_memories_together() {
        let mut limiter = Limiter::new(300);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 150, None).unwrap());
        let refused = limiter.memory_growing(100, 200, None).unwrap_err();
        let refused = refused.downcast_ref::<MemoryRefused>().unwrap();
        assert_eq!((refused.wanted, refused.limit), (350, 300));
        assert_eq!(limiter.used(), 250);
    }

    #[test]
    fn a_budget_is_of_processor_time() {
        let ms = Duration::from_millis;
        let deadline = Deadline::default();
        assert_eq!(deadline.begin(ms(10)), 3);
        // The first two milliseconds count as used.
        assert!(matches!(deadline.look(ms(100)), UpdateDeadline::Continue(8)));
        // The machine let the thread wait: nothing was used since.
        assert!(matches!(deadline.look(ms(101)), UpdateDeadline::Continue(7)));
        assert!(matches!(deadline.look(ms(108)), UpdateDeadline::Interrupt));
        // The next call starts anew.
        assert_eq!(deadline.begin(ms(1)), 2);
        assert!(matches!(deadline.look(ms(108)), UpdateDeadline::Interrupt));
    }
}
