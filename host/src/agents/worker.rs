//! [`Workers`]: the threads that run the agents, one batch a turn. An agent is on one thread at a
//! time; which one it is does not matter.
//!
//! An agent's actions leave here only after its call returned, and it is not called again before
//! the desk is done with them. If the desk takes none, that agent waits, and no other.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hotpit_rt::{Clock, thread_cpu_time};
use hotpit_units::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use super::batch;
use super::bindings::types;
use super::fault::{Call, Fault};
use super::instance::{Instance, View};
use super::items::{Item, Slot};
use super::log::AgentLog;
use super::mailbox::Mailbox;
use super::pace::Pace;
use super::run_queue::{RunQueue, Turn, Work, on_slow};
use super::stats::{Stats, add};
use super::timers::Timers;
use crate::cache::Cache;
use crate::desk::{CallTimes, DeskSender, ToDesk};
use crate::model::{Action, AgentId};

/// How long an agent whose actions the desk did not take waits before the next try.
const DESK_RETRY: Duration = Duration::from_millis(1);

/// A turn that uses so much processor time after it was first looked at is slow by its own fault: a
/// machine that kept its thread waiting would not have let it use any.
const LONG_AFTER_LOOK: Duration = Duration::from_millis(1);

/// What the supervisor tells the workers.
pub(crate) enum Command {
    /// Run this instance from now on, in place of the one before. What waits for the desk and in
    /// the mailbox stays.
    Install(Box<Install>),
    /// Have the agent save its state, now, between two batches; hold it up after that if so
    /// said. Answers none if it has no instance.
    Save { slot: Slot, hold: bool, reply: oneshot::Sender<Option<Result<Vec<u8>, Fault>>> },
    /// Let an agent that is held up go on.
    Resume(Slot),
    /// Drop the agent. Answers its state as [`Save`](Self::Save) does; every batch is over then.
    Remove { slot: Slot, reply: oneshot::Sender<Option<Result<Vec<u8>, Fault>>> },
}

impl Command {
    /// Whom it is about.
    pub(crate) fn slot(&self) -> Slot {
        match self {
            Self::Install(install) => install.mailbox.slot(),
            Self::Save { slot, .. } | Self::Resume(slot) | Self::Remove { slot, .. } => *slot,
        }
    }

    /// Whether it goes before the agents' batches: all but the saves that nobody waits for.
    pub(crate) fn is_urgent(&self) -> bool {
        !matches!(self, Self::Save { hold: false, .. })
    }
}

/// An instance to be run.
pub(crate) struct Install {
    pub(crate) agent: AgentId,
    pub(crate) instance: Instance,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) stats: Arc<Stats>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install(install) => write!(f, "install {}", install.agent),
            Self::Save { slot, hold, .. } => write!(f, "save {slot:?} (hold: {hold})"),
            Self::Resume(slot) => write!(f, "resume {slot:?}"),
            Self::Remove { slot, .. } => write!(f, "remove {slot:?}"),
        }
    }
}

/// An agent's instance faulted and is gone. At most one for each [`Command::Install`].
#[derive(Debug)]
pub(crate) struct Faulted {
    pub(crate) slot: Slot,
    pub(crate) fault: Fault,
    /// Events of the batch that went with it.
    pub(crate) events_lost: u64,
    /// The agent's last log lines.
    pub(crate) log: Vec<String>,
}

/// What the workers work with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) cache: Arc<Cache>,
    pub(crate) desk: DeskSender,
    pub(crate) clock: Clock,
    pub(crate) timers: Arc<Timers>,
    pub(crate) faults: mpsc::Sender<Faulted>,
    pub(crate) batch_events_max: usize,
    pub(crate) desk_wait: Duration,
}

/// The agents that run, and the threads that run them.
pub(crate) struct Workers {
    queue: Arc<RunQueue>,
    around: Surroundings,
    /// Those whose turn it is are not in here.
    cells: Mutex<BTreeMap<Slot, AgentCell>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a thread works on, and its processor time when that was first looked at.
#[derive(Clone, Copy)]
struct UnderWay {
    turn: Turn,
    looked_at: Option<Duration>,
}

/// What a thread needs for a batch, kept from one to the next.
#[derive(Default)]
struct Hands {
    items: Vec<Item>,
    events: Vec<types::Event>,
}

struct AgentCell {
    agent: AgentId,
    instance: Option<Instance>,
    log: AgentLog,
    mailbox: Arc<Mailbox>,
    stats: Arc<Stats>,
    held: bool,
    /// Its instance was not called yet: the first batch comes at once, be it empty.
    fresh: bool,
    pace: Pace,
    outgoing: Option<Outgoing>,
    /// The time of the last batch: the agent never sees a clock that was set back.
    last: Timestamp,
}

/// Actions that the desk did not take yet.
struct Outgoing {
    actions: Vec<Action>,
    call: CallTimes,
}

impl Workers {
    /// Starts this many threads.
    ///
    /// # Errors
    /// When the machine gives none.
    pub(crate) fn start(
        queue: Arc<RunQueue>,
        around: Surroundings,
        count: usize,
    ) -> io::Result<Arc<Self>> {
        let (cells, threads) = (Mutex::default(), Mutex::default());
        let workers = Arc::new(Self { queue, around, cells, threads });
        (0..count).try_for_each(|_| workers.spawn())?;
        Ok(workers)
    }

    /// Waits for the end of the threads; how many panicked.
    pub(crate) fn join(&self) -> usize {
        let threads = std::mem::take(&mut *lock(&self.threads));
        threads.into_iter().filter_map(|thread| thread.join().err()).count()
    }

    fn spawn(self: &Arc<Self>) -> io::Result<()> {
        let mut threads = lock(&self.threads);
        let workers = Arc::clone(self);
        let name = format!("agents-{}", threads.len());
        // A plain thread, outside of any runtime: WASI's stream calls of a guest refuse to run in
        // one.
        let thread = std::thread::Builder::new().name(name).spawn(move || workers.run())?;
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Starts a thread that serves the prompt while a slow agent keeps another.
    fn relieve(self: &Arc<Self>) {
        if let Err(error) = self.spawn() {
            error!(%error, "no thread to serve the agents beside a slow one");
            self.queue.no_relief();
        }
    }

    /// The life of a thread.
    fn run(self: Arc<Self>) {
        let current = Rc::new(Cell::new(None));
        let (workers, under_way) = (Arc::clone(&self), Rc::clone(&current));
        on_slow(move || {
            let Some(UnderWay { mut turn, .. }) = under_way.get() else { return };
            let needs_relief = workers.queue.turned_slow(&mut turn);
            under_way.set(Some(UnderWay { turn, looked_at: Some(thread_cpu_time()) }));
            if needs_relief {
                workers.relieve();
            }
        });
        let mut hands = Hands::default();
        loop {
            let (work, turn) = self.queue.next(|| self.relieve());
            current.set(turn.map(|turn| UnderWay { turn, looked_at: None }));
            // Whatever happens in it, the turn ends, and the thread does not.
            let done = catch_unwind(AssertUnwindSafe(|| match work {
                Work::Stop => true,
                Work::Command(command) => {
                    self.obey(command);
                    false
                }
                Work::Run(slot) => {
                    self.turn(slot, &mut hands);
                    false
                }
            }));
            if let Some(UnderWay { mut turn, looked_at }) = current.take() {
                let since = looked_at.map(|at| thread_cpu_time().saturating_sub(at));
                turn.took_long = since.is_some_and(|used| used >= LONG_AFTER_LOOK);
                self.queue.done(turn);
            }
            match done {
                Ok(true) => return,
                Ok(false) => {}
                Err(_) => error!("the host panicked beside an agent: please report it"),
            }
        }
    }

    fn cells(&self) -> MutexGuard<'_, BTreeMap<Slot, AgentCell>> {
        lock(&self.cells)
    }

    fn obey(&self, command: Command) {
        match command {
            Command::Install(install) => self.install(*install),
            Command::Save { slot, hold, reply } => {
                let cell = self.cells().remove(&slot);
                let state = cell.and_then(|mut cell| {
                    let state = cell.save();
                    cell.held |= hold && matches!(state, Some(Ok(_)));
                    self.cells().insert(slot, cell);
                    state
                });
                // Who asked may be gone; then nobody is held up by it.
                if reply.send(state).is_err() && hold {
                    self.resume(slot);
                }
            }
            Command::Resume(slot) => self.resume(slot),
            Command::Remove { slot, reply } => {
                let cell = self.cells().remove(&slot);
                // Nobody need wait for it.
                let _ = reply.send(cell.and_then(|mut cell| cell.save()));
                self.queue.forget(slot);
            }
        }
    }

    fn install(&self, install: Install) {
        let Install { agent, instance, mailbox, stats } = install;
        stats.memory.store(instance.memory(), Ordering::Relaxed);
        let before = self.cells().remove(&mailbox.slot());
        let (outgoing, last) =
            before.map_or((None, Timestamp::EPOCH), |cell| (cell.outgoing, cell.last));
        let cell = AgentCell {
            agent,
            log: instance.log().clone(),
            pace: Pace::new(instance.actions_per_second()),
            instance: Some(instance),
            mailbox,
            stats,
            held: false,
            fresh: true,
            outgoing,
            last,
        };
        cell.mailbox.forget_timers();
        cell.mailbox.open();
        self.cells().insert(cell.mailbox.slot(), cell);
    }

    fn resume(&self, slot: Slot) {
        if let Some(cell) = self.cells().get_mut(&slot) {
            cell.held = false;
            cell.mailbox.open();
        }
    }

    /// One batch of one agent. Nothing that happens in it ends the thread.
    fn turn(&self, slot: Slot, hands: &mut Hands) {
        let Some(mut cell) = self.cells().remove(&slot) else { return };
        let batch = catch_unwind(AssertUnwindSafe(|| self.batch(&mut cell, hands)));
        let result = batch.unwrap_or_else(|payload| {
            cell.instance = None;
            Err(Fault::from_host_panic(&*payload, Call::OnEvents))
        });
        let events_lost = u64::try_from(hands.events.len()).unwrap_or(u64::MAX);
        hands.items.clear();
        hands.events.clear();
        if let Err(fault) = result {
            cell.instance = None;
            let faulted = Faulted { slot, fault, events_lost, log: cell.log.recent() };
            // Full only if the supervisor is a thousand faults behind; gone only at the end.
            let _ = self.around.faults.blocking_send(faulted);
        }
        self.cells().insert(slot, cell);
    }

    fn batch(&self, cell: &mut AgentCell, hands: &mut Hands) -> Result<(), Fault> {
        let around = &self.around;
        let now = around.clock.now().max(cell.last);
        if cell.held || cell.instance.is_none() {
            return Ok(());
        }
        if let Some(outgoing) = cell.outgoing.take() {
            cell.send(outgoing, now, around)?;
            if cell.outgoing.is_some() {
                return Ok(());
            }
        }
        if cell.mailbox.waits_for_desk() {
            return Ok(());
        }
        let Hands { items, events } = hands;
        let taken = cell.mailbox.take(around.batch_events_max, now, items);
        let tick = batch::build(items, &taken.timers, &around.cache, now, events);
        let is_called = cell.fresh || !events.is_empty();
        let Some(instance) = cell.instance.take_if(|_| is_called) else {
            cell.mailbox.finish();
            return Ok(());
        };
        cell.fresh = false;
        cell.last = now;
        let view = View { now, scope: taken.scope, account: taken.account };
        let (instance, actions) = instance.on_events(view, events)?;
        cell.pace.admit(actions.len(), now)?;
        let done = around.clock.now();
        cell.stats.memory.store(instance.memory(), Ordering::Relaxed);
        cell.stats.log_dropped.store(instance.log().dropped(), Ordering::Relaxed);
        cell.instance = Some(instance);
        cell.stats.heard(events.len(), now);
        cell.stats.called(done.since(now));
        events.clear();
        cell.commit(actions, CallTimes { tick, began: now, ended: done }, around)?;
        if cell.outgoing.is_none() {
            cell.mailbox.finish();
        }
        Ok(())
    }
}

impl AgentCell {
    /// Takes the state; a fault costs the instance. None without an instance.
    fn save(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        Some(self.instance.take()?.save().map(|(instance, state)| {
            self.instance = Some(instance);
            state
        }))
    }

    /// Sends the actions of a batch on their way; the wake times stay here.
    fn commit(
        &mut self,
        mut actions: Vec<Action>,
        call: CallTimes,
        around: &Surroundings,
    ) -> Result<(), Fault> {
        self.stats.acted(actions.len());
        actions.retain(|action| {
            let Action::WakeAt(at) = action else { return true };
            if self.mailbox.add_timer(*at) {
                // Not before a later batch: an agent that asks for now is not run in a circle.
                let at = (*at).max(call.began + Duration::from_millis(1));
                around.timers.add(at, &self.mailbox);
            }
            false
        });
        if actions.is_empty() {
            return Ok(());
        }
        self.send(Outgoing { actions, call }, call.began, around)
    }

    fn send(
        &mut self,
        outgoing: Outgoing,
        now: Timestamp,
        around: &Surroundings,
    ) -> Result<(), Fault> {
        let Outgoing { actions, call } = outgoing;
        let waited = now.since(call.began);
        let (agent, receipt) = (self.agent.clone(), self.mailbox.receipt());
        match around.desk.try_send(ToDesk::Actions { agent, actions, call, receipt }) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(ToDesk::Actions { actions, .. }))
                if waited < around.desk_wait =>
            {
                add(&self.stats.desk_waits, 1);
                self.outgoing = Some(Outgoing { actions, call });
                around.timers.add(now + DESK_RETRY, &self.mailbox);
                Ok(())
            }
            Err(TrySendError::Full(message) | TrySendError::Closed(message)) => {
                let dropped = match message {
                    ToDesk::Actions { actions, .. } => actions.len(),
                    _ => 0,
                };
                Err(Fault::DeskStalled {
                    waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                    dropped: u64::try_from(dropped).unwrap_or(u64::MAX),
                })
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
