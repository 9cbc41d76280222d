//! [`RunQueue`]: what waits for the worker threads: commands first, then agents with full
//! mailboxes, each in its turn.
//!
//! A slow agent delays no other: a turn that takes long stops counting as a worker's, so that
//! another thread serves the others meanwhile; and an agent with a slow turn waits for its next ones
//! among the slow alone, of which no more run at once than there are workers.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::items::Slot;
use super::worker::Command;

/// The most threads: more slow turns at once delay the others.
const THREADS_MAX: usize = 64;

/// Turns in a row that must not be slow before a slow agent counts as prompt again.
const PROMPT_AFTER: u32 = 100;

/// The queue of all worker threads. Its length is bounded by its use: an agent stands in it at
/// most once, so that none has more turns than another, and has at most three commands under way.
#[derive(Debug)]
pub(crate) struct RunQueue {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What is urgent.
    commands: VecDeque<Command>,
    prompt: Class,
    slow: Class,
    /// What stands in one of the classes' queues.
    queued: HashSet<Slot>,
    /// Who is slow, and how many more turns must not be.
    slow_slots: HashMap<Slot, u32>,
    /// Whose last save was slow.
    slow_savers: HashSet<Slot>,
    /// Whose turn it is: nobody else touches them.
    busy: Vec<Slot>,
    /// Turns that may run at once, of each class.
    workers: usize,
    threads: usize,
    /// Fewer than there may be, where the machine gave no more.
    threads_max: usize,
    /// Threads that wait, and those among them that were woken.
    idle: usize,
    waking: usize,
    stopped: bool,
}

/// Agents that are prompt, or slow.
#[derive(Debug, Default)]
struct Class {
    ready: VecDeque<Work>,
    running: usize,
}

/// What a worker does next.
#[derive(Debug)]
pub(crate) enum Work {
    /// Obey.
    Command(Command),
    /// Run this agent.
    Run(Slot),
    /// End.
    Stop,
}

impl Work {
    /// Whom it is about.
    fn slot(&self) -> Option<Slot> {
        match self {
            Self::Command(command) => Some(command.slot()),
            Self::Run(slot) => Some(*slot),
            Self::Stop => None,
        }
    }
}

/// What says whether an agent is slow, and at what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Batch,
    Save,
    /// Nothing: it says nothing of the agent, or there is no agent after it.
    Other,
}

/// A worker's work on one agent, from [`RunQueue::next`] to [`RunQueue::done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    slot: Slot,
    kind: Kind,
    /// It runs among the slow.
    is_slow: bool,
    /// It used much processor time.
    pub(crate) took_long: bool,
}

impl Default for RunQueue {
    fn default() -> Self {
        Self::new(1)
    }
}

impl RunQueue {
    /// A queue for this many workers.
    pub(crate) fn new(workers: usize) -> Self {
        let threads_max = THREADS_MAX;
        let state = State { workers, threads: workers, threads_max, ..State::default() };
        Self { state: Mutex::new(state), work: Condvar::new() }
    }

    /// An agent has something to do.
    pub(crate) fn ready(&self, slot: Slot) {
        let mut state = self.lock();
        if state.queued.insert(slot) {
            let class = state.class_of(slot);
            class.ready.push_back(Work::Run(slot));
            self.wake(state);
        }
    }

    /// A worker is to do this: before anything else, or, if it can wait, in its turn among the
    /// agents.
    pub(crate) fn command(&self, command: Command) {
        let mut state = self.lock();
        if command.is_urgent() {
            state.commands.push_back(command);
        } else {
            let slot = command.slot();
            let is_slow = state.slow_slots.contains_key(&slot) || state.slow_savers.contains(&slot);
            let class = if is_slow { &mut state.slow } else { &mut state.prompt };
            class.ready.push_back(Work::Command(command));
        }
        self.wake(state);
    }

    /// Every thread ends when it has no commands left.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.work.notify_all();
    }

    /// The next work, with its turn; waits for it. `relief` is called if one more thread is needed
    /// now.
    pub(crate) fn next(&self, relief: impl FnOnce()) -> (Work, Option<Turn>) {
        let mut state = self.lock();
        loop {
            if let Some((work, turn)) = state.take() {
                let needs_relief = state.count_relief();
                self.wake(state);
                if needs_relief {
                    relief();
                }
                return (work, Some(turn));
            }
            if state.stopped {
                return (Work::Stop, None);
            }
            // Threads that came for the slow go when there are none.
            if state.threads > 2 * state.workers + state.slow.running {
                state.threads -= 1;
                return (Work::Stop, None);
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            state.waking = state.waking.saturating_sub(1);
        }
    }

    /// A turn takes long by the time of day: whether by its own fault shows at its end. Tells
    /// whether one more thread is needed now.
    pub(crate) fn turned_slow(&self, turn: &mut Turn) -> bool {
        if std::mem::replace(&mut turn.is_slow, true) {
            return false;
        }
        let mut state = self.lock();
        state.prompt.running -= 1;
        state.slow.running += 1;
        let needs_relief = state.count_relief();
        self.wake(state);
        needs_relief
    }

    /// The thread that was asked for did not come: none is asked for again.
    pub(crate) fn no_relief(&self) {
        let mut state = self.lock();
        state.threads -= 1;
        state.threads_max = state.threads;
    }

    /// The work is done.
    pub(crate) fn done(&self, turn: Turn) {
        let mut state = self.lock();
        state.busy.retain(|busy| *busy != turn.slot);
        let class = if turn.is_slow { &mut state.slow } else { &mut state.prompt };
        class.running -= 1;
        match (turn.kind, turn.took_long) {
            (Kind::Batch, true) => {
                state.slow_slots.insert(turn.slot, PROMPT_AFTER);
            }
            (Kind::Batch, false) => state.was_prompt(turn.slot),
            (Kind::Save, true) => {
                state.slow_savers.insert(turn.slot);
            }
            (Kind::Save, false) => {
                state.slow_savers.remove(&turn.slot);
            }
            (Kind::Other, _) => {}
        }
    }

    /// An agent is gone for good.
    pub(crate) fn forget(&self, slot: Slot) {
        let mut state = self.lock();
        state.slow_slots.remove(&slot);
        state.slow_savers.remove(&slot);
    }

    /// Wakes a thread if there is work that may be done now, and one that sleeps: waking costs a
    /// system call.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if state.idle > state.waking && state.has_work() {
            state.waking += 1;
            drop(state);
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn class_of(&mut self, slot: Slot) -> &mut Class {
        if self.slow_slots.contains_key(&slot) { &mut self.slow } else { &mut self.prompt }
    }

    fn has_work(&self) -> bool {
        let has = |class: &Class| class.running < self.workers && !class.ready.is_empty();
        !self.commands.is_empty() || has(&self.prompt) || has(&self.slow)
    }

    fn take(&mut self) -> Option<(Work, Turn)> {
        let busy = &self.busy;
        let is_free = |slot: Slot| !busy.contains(&slot);
        let command = self.commands.iter().position(|it| is_free(it.slot()));
        let (work, is_slow) = if let Some(at) = command {
            let command = self.commands.remove(at)?;
            let is_slow = self.slow_slots.contains_key(&command.slot());
            (Work::Command(command), is_slow)
        } else {
            let classes = [(&mut self.prompt, false), (&mut self.slow, true)];
            let free_work = |work: &Work| work.slot().is_some_and(is_free);
            let (class, is_slow) = classes.into_iter().find(|(class, _)| {
                class.running < self.workers && class.ready.iter().any(free_work)
            })?;
            let at = class.ready.iter().position(free_work)?;
            (class.ready.remove(at)?, is_slow)
        };
        let slot = work.slot()?;
        let kind = match &work {
            Work::Run(_) => Kind::Batch,
            Work::Command(Command::Save { .. }) => Kind::Save,
            Work::Command(_) | Work::Stop => Kind::Other,
        };
        if kind == Kind::Batch {
            self.queued.remove(&slot);
        }
        self.busy.push(slot);
        let class = if is_slow { &mut self.slow } else { &mut self.prompt };
        class.running += 1;
        Some((work, Turn { slot, kind, is_slow, took_long: false }))
    }

    /// A turn of an agent was prompt: after enough of them, the agent is.
    fn was_prompt(&mut self, slot: Slot) {
        if let Some(left) = self.slow_slots.get_mut(&slot) {
            *left -= 1;
            if *left == 0 {
                self.slow_slots.remove(&slot);
            }
        }
    }

    /// Whether fewer threads serve the prompt than may; if so, counts the one that is to come.
    fn count_relief(&mut self) -> bool {
        let needed = self.threads - self.slow.running.min(self.threads) < self.workers
            && self.threads < self.threads_max;
        self.threads += usize::from(needed);
        needed
    }
}

thread_local! {
    static ON_SLOW: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Has this thread do this whenever a call on it takes long.
pub(crate) fn on_slow(act: impl Fn() + 'static) {
    ON_SLOW.set(Some(Box::new(act)));
}

/// A call on this thread takes long.
pub(crate) fn call_is_slow() {
    ON_SLOW.with_borrow(|act| {
        if let Some(act) = act {
            act();
        }
    });
}

#[cfg(test)]
impl RunQueue {
    /// The agent to be run next, if there is one; its turn is over at once.
    pub(crate) fn try_next(&self) -> Option<Slot> {
        let (work, turn) = self.lock().take()?;
        self.done(turn);
        match work {
            Work::Run(slot) => Some(slot),
            Work::Command(_) | Work::Stop => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(workers: usize, ready: &[u64]) -> RunQueue {
        let queue = RunQueue::new(workers);
        ready.iter().for_each(|slot| queue.ready(Slot(*slot)));
        queue
    }

    /// Whose turn it is next; None: nobody's.
    fn take(queue: &RunQueue) -> Option<Turn> {
        queue.lock().take().map(|(_, turn)| turn)
    }

    #[test]
    fn each_has_its_turn_and_nobody_two_at_once() {
        let queue = queue(2, &[1, 2, 1]);
        let first = take(&queue).unwrap();
        queue.ready(Slot(1));
        assert_eq!([first.slot, take(&queue).unwrap().slot], [Slot(1), Slot(2)]);
        assert_eq!(take(&queue), None);
        queue.done(first);
        assert_eq!(take(&queue).unwrap().slot, Slot(1));
    }

    #[test]
    fn no_more_run_at_once_than_there_are_workers() {
        let queue = queue(1, &[1, 2]);
        let first = take(&queue).unwrap();
        assert_eq!(take(&queue), None);
        queue.done(first);
        assert_eq!(take(&queue).unwrap().slot, Slot(2));
    }

    #[test]
    fn a_turn_that_takes_long_makes_room_and_asks_for_one_thread() {
        let queue = queue(1, &[1, 2]);
        let mut first = take(&queue).unwrap();
        assert!(queue.turned_slow(&mut first));
        assert!(!queue.turned_slow(&mut first), "once is enough");
        let second = take(&queue).unwrap();
        queue.done(second);
        queue.done(first);
        // Both threads are there: the next slow turn needs no third.
        queue.ready(Slot(3));
        let mut third = take(&queue).unwrap();
        assert!(!queue.turned_slow(&mut third));
    }

    #[test]
    fn the_slow_wait_for_the_slow_alone() {
        let queue = queue(1, &[1, 2]);
        for _ in 0..2 {
            let mut turn = take(&queue).unwrap();
            queue.turned_slow(&mut turn);
            turn.took_long = true;
            queue.done(turn);
        }
        [1, 2, 3].into_iter().for_each(|slot| queue.ready(Slot(slot)));
        let [prompt, slow] = [take(&queue).unwrap(), take(&queue).unwrap()];
        assert_eq!((prompt.slot, prompt.is_slow), (Slot(3), false));
        assert_eq!((slow.slot, slow.is_slow), (Slot(1), true));
        assert_eq!(take(&queue), None, "one slow agent at once is enough");
        queue.done(prompt);
        queue.done(slow);
        assert_eq!(take(&queue).unwrap().slot, Slot(2));
    }

    #[test]
    fn who_was_prompt_for_a_while_is_prompt_again() {
        let queue = queue(1, &[1]);
        let mut turn = take(&queue).unwrap();
        queue.turned_slow(&mut turn);
        turn.took_long = true;
        queue.done(turn);
        for _ in 0..PROMPT_AFTER {
            queue.ready(Slot(1));
            let turn = take(&queue).unwrap();
            assert!(turn.is_slow);
            queue.done(turn);
        }
        queue.ready(Slot(1));
        assert!(!take(&queue).unwrap().is_slow);
    }

    #[test]
    fn commands_come_first_and_wait_for_the_turn_of_their_agent() {
        let queue = queue(2, &[1, 2]);
        let first = take(&queue).unwrap();
        queue.command(Command::Resume(Slot(1)));
        assert_eq!(take(&queue).unwrap().slot, Slot(2));
        queue.done(first);
        let (work, _) = queue.lock().take().unwrap();
        assert!(matches!(work, Work::Command(Command::Resume(Slot(1)))));
    }

    #[test]
    fn who_was_only_kept_waiting_by_the_machine_is_not_slow() {
        let queue = queue(1, &[1]);
        let mut turn = take(&queue).unwrap();
        queue.turned_slow(&mut turn);
        queue.done(turn);
        queue.ready(Slot(1));
        assert!(!take(&queue).unwrap().is_slow);
    }

    #[test]
    fn saves_that_can_wait_crowd_out_nobody() {
        let queue = queue(1, &[]);
        let save = |slot| {
            let reply = tokio::sync::oneshot::channel().0;
            queue.command(Command::Save { slot: Slot(slot), hold: false, reply });
        };
        (1..=3).for_each(save);
        queue.ready(Slot(9));
        // The first turns out to be slow; from then on its saves are among the slow.
        let mut first = take(&queue).unwrap();
        queue.turned_slow(&mut first);
        first.took_long = true;
        let second = take(&queue).unwrap();
        assert_eq!((first.slot, second.slot), (Slot(1), Slot(2)));
        assert_eq!(take(&queue), None, "one prompt turn at once");
        queue.done(second);
        queue.done(first);
        save(1);
        let turns: Vec<_> = std::iter::from_fn(|| {
            let turn = take(&queue)?;
            queue.done(turn);
            Some((turn.slot, turn.is_slow))
        })
        .collect();
        assert_eq!(turns, [(Slot(3), false), (Slot(9), false), (Slot(1), true)]);
    }
}
