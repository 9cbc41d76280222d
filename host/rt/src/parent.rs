//! [`Parent`]: the process that started this one, and whether it is still there.

use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::signal::unix::{Signal as Told, SignalKind, signal};

/// The process that started this one.
///
/// The kernel sends SIGUSR1 when it ends, and not SIGTERM: it also tells of the end of the *thread*
/// that started us, whose process lives on (runtimes such as Go's end threads), and a SIGTERM that
/// a whole process group was sent must not look like a second one.
#[derive(Debug)]
pub struct Parent {
    id: i32,
    told: Told,
}

impl Parent {
    /// Watches the parent, whose id is `id`. From the thread that lives as long as the process: the
    /// kernel forgets the wish of one that ends.
    ///
    /// # Errors
    /// When the signal cannot be listened for.
    pub fn watch(id: i32) -> io::Result<Self> {
        // First: it ends a process that does not listen.
        let told = signal(SignalKind::user_defined1())?;
        set_parent_process_death_signal(Some(Signal::USR1))?;
        Ok(Self { id, told })
    }

    /// Completes when the parent is gone, also if it was gone before it was watched.
    pub async fn gone(&mut self) {
        // One outside of our container has no id here, and counts as 0, as a shell's PPID does.
        while getppid().map_or(0, Pid::as_raw_pid) == self.id {
            // None: the runtime ends, and this with it.
            if self.told.recv().await.is_none() {
                return std::future::pending().await;
            }
        }
    }
}
