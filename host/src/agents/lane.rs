//! [`Lane`]: what waits for one worker thread: commands first, then agents with full mailboxes,
//! each in its turn.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::items::Slot;
use super::worker::Command;

/// The queue of one worker. Its length is bounded by its use: an agent stands in it at most once,
/// so that none has more turns than another, and has at most three commands under way.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    ready: VecDeque<Slot>,
    /// What stands in `ready`.
    queued: HashSet<Slot>,
    sleeping: bool,
}

/// What a worker does next.
#[derive(Debug)]
pub(crate) enum Work {
    /// Obey.
    Command(Command),
    /// Run this agent.
    Run(Slot),
}

impl Lane {
    /// An agent has something to do.
    pub(crate) fn ready(&self, slot: Slot) {
        let mut queue = self.lock();
        if queue.queued.insert(slot) {
            queue.ready.push_back(slot);
            self.wake(queue);
        }
    }

    /// The worker is to do this before anything else.
    pub(crate) fn command(&self, command: Command) {
        let mut queue = self.lock();
        queue.commands.push_back(command);
        self.wake(queue);
    }

    /// The next work; waits for it.
    pub(crate) fn next(&self) -> Work {
        let mut queue = self.lock();
        loop {
            if let Some(work) = queue.pop() {
                queue.sleeping = false;
                return work;
            }
            queue.sleeping = true;
            queue = self.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next work, if there is some.
    #[cfg(test)]
    pub(crate) fn try_next(&self) -> Option<Work> {
        self.lock().pop()
    }

    /// Wakes the worker, but only if it sleeps: waking costs a system call.
    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let sleeping = std::mem::replace(&mut queue.sleeping, false);
        drop(queue);
        if sleeping {
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Work> {
        let command = self.commands.pop_front().map(Work::Command);
        command.or_else(|| {
            let slot = self.ready.pop_front()?;
            self.queued.remove(&slot);
            Some(Work::Run(slot))
        })
    }
}
