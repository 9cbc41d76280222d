//! [`Instance`]: one running component: its store and the calls into it. Every call is under a
//! deadline and a limit, and after any fault the instance is dead: its caller drops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::{Clock, thread_cpu_time};
use hotpit_units::Timestamp;
use wasmtime::Store;

use super::bindings::{Agent, guest, types};
use super::convert;
use super::fault::{Call, Fault};
use super::host_state::{Deadline, HostState, Limiter};
use super::loader::Prepared;
use super::log::AgentLog;
use super::scope::Scope;
use super::settings::Budget;
use super::wasi::{BatchTime, Wasi};
use crate::cache::Cache;
use crate::model::{Account, Action, AgentId};

/// Bytes that a guest may hand to the host in one call of an import, or return from `describe`
/// or `on-events`: a batch of the most actions is a fifth of it.
const HOSTCALL_BYTES: usize = 256 << 10;

/// Resource handles that a component may hold: WASI streams and the like.
const HANDLES_MAX: usize = 1_000;

/// What every instance of the host is made from.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Clock,
    pub(crate) state_bytes_max: usize,
}

/// One running component.
pub(crate) struct Instance {
    store: Store<HostState>,
    agent: Agent,
    deadline: Deadline,
    budget: Budget,
    state_bytes_max: usize,
}

impl Instance {
    /// Makes an instance. Runs the guest's own initialisation, but none of its exports.
    ///
    /// # Errors
    /// When that faults.
    pub(crate) fn new(
        prepared: &Prepared,
        agent: &AgentId,
        budget: Budget,
        world: &World,
    ) -> Result<Self, Fault> {
        let log = AgentLog::new(agent.clone(), world.clock, budget.log_lines_per_second);
        let now = BatchTime::default();
        now.set(world.clock.now().as_nanos());
        let state = HostState {
            cache: Arc::clone(&world.cache),
            scope: Arc::default(),
            account: Arc::default(),
            wasi: Wasi::new(&log, prepared.seed(), now.clone()),
            log,
            limiter: Limiter::new(budget.memory_bytes()),
            now,
        };
        let mut store = Store::new(prepared.pre().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.set_max_component_handles(HANDLES_MAX);
        let deadline = Deadline::default();
        let looked_at = deadline.clone();
        store.epoch_deadline_callback(move |_| Ok(looked_at.look(thread_cpu_time())));
        let (agent, store) =
            under_limits(store, &deadline, Call::Instantiate, &budget, HOSTCALL_BYTES, |store| {
                prepared.pre().instantiate(store)
            })?;
        Ok(Self { store, agent, deadline, budget, state_bytes_max: world.state_bytes_max })
    }

    /// Who this is.
    ///
    /// # Errors
    /// When the call faults.
    pub(crate) fn describe(self) -> Result<guest::Manifest, Fault> {
        self.call(Call::Describe, HOSTCALL_BYTES, |agent, store| {
            agent.hotpit_agent_guest().call_describe(store)
        })
        .map(|(manifest, _)| manifest)
    }

    /// Starts it. The instance is given back with what it answered, also if that is an error.
    ///
    /// # Errors
    /// When the call faults.
    pub(crate) fn start(
        mut self,
        view: View,
        parameters: &[(String, String)],
        restored: Option<&[u8]>,
    ) -> Result<(Self, Result<(), String>), Fault> {
        self.store.data_mut().set_view(view.now, view.scope, view.account);
        let (answer, instance) = self.call(Call::Start, HOSTCALL_BYTES, |agent, store| {
            agent.hotpit_agent_guest().call_start(store, parameters, restored)
        })?;
        Ok((instance, answer))
    }

    /// Gives it a batch; takes its actions.
    ///
    /// # Errors
    /// When the call faults, or returns more actions than the budget allows.
    pub(crate) fn on_events(
        mut self,
        view: View,
        events: &[types::Event],
    ) -> Result<(Self, Vec<Action>), Fault> {
        let now = view.now.as_nanos();
        self.store.data_mut().set_view(view.now, view.scope, view.account);
        let bytes_max = batch_bytes_max(&self.budget);
        let (actions, instance) = self.call(Call::OnEvents, bytes_max, |agent, store| {
            agent.hotpit_agent_guest().call_on_events(store, now, events)
        })?;
        let count = u64::try_from(actions.len()).unwrap_or(u64::MAX);
        let limit = u64::from(instance.budget.actions_per_batch);
        if count > limit {
            return Err(Fault::TooManyActions { count, limit });
        }
        Ok((instance, actions.into_iter().map(convert::action).collect()))
    }

    /// Takes its state; empty: none.
    ///
    /// # Errors
    /// When the call faults.
    pub(crate) fn save(self) -> Result<(Self, Vec<u8>), Fault> {
        let bytes_max = self.state_bytes_max;
        let (state, instance) = self.call(Call::Save, bytes_max, |agent, store| {
            agent.hotpit_agent_guest().call_save(store)
        })?;
        Ok((instance, state))
    }

    /// Bytes of linear memory in use.
    pub(crate) fn memory(&self) -> u64 {
        self.store.data().limiter.used()
    }

    /// Actions that it may return within one second.
    pub(crate) fn actions_per_second(&self) -> u32 {
        self.budget.actions_per_second
    }

    /// Its log.
    pub(crate) fn log(&self) -> &AgentLog {
        &self.store.data().log
    }

    /// Calls an export. The instance comes back only from a call that returned.
    fn call<T>(
        self,
        call: Call,
        bytes_max: usize,
        run: impl FnOnce(&Agent, &mut Store<HostState>) -> wasmtime::Result<T>,
    ) -> Result<(T, Self), Fault> {
        let Self { store, agent, deadline, budget, state_bytes_max } = self;
        let (result, store) =
            under_limits(store, &deadline, call, &budget, bytes_max, |store| run(&agent, store))?;
        Ok((result, Self { store, agent, deadline, budget, state_bytes_max }))
    }
}

/// Room for the most actions that a batch may return, so that one too many is told as that.
fn batch_bytes_max(budget: &Budget) -> usize {
    let actions = usize::try_from(budget.actions_per_batch).unwrap_or(usize::MAX);
    actions.saturating_mul(size_of::<types::Action>()).saturating_mul(2).max(HOSTCALL_BYTES)
}

/// What the imports answer during a call.
pub(crate) struct View {
    pub(crate) now: Timestamp,
    pub(crate) scope: Arc<Scope>,
    pub(crate) account: Arc<Account>,
}

/// Runs guest code. The store comes back only if the code returned: a store that saw a fault,
/// and one that a panic of the host went through, is never entered again.
fn under_limits<T>(
    mut store: Store<HostState>,
    deadline: &Deadline,
    call: Call,
    budget: &Budget,
    bytes_max: usize,
    run: impl FnOnce(&mut Store<HostState>) -> wasmtime::Result<T>,
) -> Result<(T, Store<HostState>), Fault> {
    let budget_ms = match call {
        Call::Instantiate | Call::Describe | Call::Start => budget.start_ms,
        Call::OnEvents => budget.batch_ms,
        Call::Save => budget.save_ms,
    };
    store.set_hostcall_fuel(bytes_max);
    let first_look = deadline.begin(Duration::from_millis(budget_ms));
    store.set_epoch_deadline(first_look);
    match catch_unwind(AssertUnwindSafe(|| run(&mut store))) {
        Ok(Ok(result)) => Ok((result, store)),
        Ok(Err(error)) => {
            let panic = store.data().log.take_panic();
            Err(Fault::from_error(&error, call, budget_ms, bytes_max, panic))
        }
        Err(payload) => Err(Fault::from_host_panic(&*payload, call)),
    }
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
