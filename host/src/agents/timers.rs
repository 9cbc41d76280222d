//! [`Timers`]: wakes agents at the times they asked for. One task waits for all of them, on
//! tokio's clock; it is good to about a millisecond.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use tokio::sync::Notify;

use super::items::Slot;
use super::mailbox::Mailbox;

/// The longest sleep: a clock that is set while we sleep is noticed after it.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Times at which mailboxes are to be opened. Bounded by what each mailbox accepts.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: Mutex<BTreeMap<(Timestamp, Slot), Weak<Mailbox>>>,
    earlier: Notify,
}

impl Timers {
    /// Opens the mailbox at this time.
    pub(crate) fn add(&self, at: Timestamp, mailbox: &Arc<Mailbox>) {
        let key = (at, mailbox.slot());
        let is_first = {
            let mut due = self.lock();
            due.insert(key, Arc::downgrade(mailbox));
            due.first_key_value().is_some_and(|(first, _)| *first == key)
        };
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(&self, clock: Clock) {
        loop {
            let now = clock.now();
            for mailbox in self.take(now) {
                mailbox.open();
            }
            let next = self.lock().first_key_value().map(|((at, _), _)| *at);
            match next {
                None => self.earlier.notified().await,
                Some(at) => {
                    let sleep = tokio::time::sleep(at.since(now).min(SLEEP_MAX));
                    tokio::select! {
                        () = sleep => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn take(&self, now: Timestamp) -> Vec<Arc<Mailbox>> {
        let mut due = self.lock();
        let mut mailboxes = vec![];
        while let Some(entry) = due.first_entry() {
            if entry.key().0 > now {
                break;
            }
            mailboxes.extend(entry.remove().upgrade());
        }
        mailboxes
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Timestamp, Slot), Weak<Mailbox>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
