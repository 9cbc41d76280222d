//! [`Upkeep`]: the thread that keeps the database small and its log short.
//!
//! Checkpoints (copying the write-ahead log into the database, which waits for the disk) and
//! deletions happen here, on a connection of their own, so that the desk's thread does neither.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hotpit_rt::Clock;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::error::explain;
use super::open::connect;
use super::retention::{Tidied, tidy};
use super::settings::Settings;
use super::store::Store;

/// How often is looked whether a checkpoint is due.
const EVERY: Duration = Duration::from_secs(1);

/// How many appends make a checkpoint due. The first append after one waits for the disk once,
/// so this keeps that to less than one append in a thousand; the log has some ten MiB then.
const CHECKPOINT_APPENDS: u64 = 2_000;

/// How many looks there are between two rounds of deletions; the first is at the start.
const TIDY_EVERY: u64 = 3_600;

/// The running upkeep. It ends when this is dropped.
#[derive(Debug)]
pub struct Upkeep {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Upkeep {
    /// Starts the upkeep of an open journal.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(store: &Store, settings: &Settings, clock: Clock) -> io::Result<Self> {
        let (path, settings) = (store.path.clone(), settings.clone());
        let appended = store.appended();
        let (stop, mut stopped) = oneshot::channel();
        let thread = hotpit_rt::dedicated("journal-upkeep", move || async move {
            let mut checkpointed = 0;
            for round in 0_u64.. {
                if round.is_multiple_of(TIDY_EVERY) {
                    report_tidied(
                        &path,
                        with(&path, &settings, |connection| {
                            tidy(connection, &settings, clock.now())
                        }),
                    );
                }
                if appended.load(Ordering::Relaxed) - checkpointed >= CHECKPOINT_APPENDS {
                    checkpointed = checkpoint(&path, &settings, &appended);
                }
                if tokio::time::timeout(EVERY, &mut stopped).await.is_ok() {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends the upkeep and waits for what it is doing.
    pub fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            warn!("the upkeep of the journal had panicked");
        }
    }
}

/// Opens a connection for one job. It is not kept: jobs are rare.
fn with<T>(
    path: &Path,
    settings: &Settings,
    job: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    job(&mut connect(path, settings)?)
}

/// Copies the log into the database, as far as no reader still needs it.
fn checkpoint(path: &Path, settings: &Settings, appended: &AtomicU64) -> u64 {
    let before = appended.load(Ordering::Relaxed);
    let done = with(path, settings, |connection| {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
    });
    if let Err(error) = done {
        warn!(error = explain(path, &error), "the journal was not checkpointed");
    }
    before
}

fn report_tidied(path: &Path, result: rusqlite::Result<Tidied>) {
    match result {
        Ok(Tidied { deleted, too_large }) => {
            if deleted > 0 {
                info!(rows = deleted, "deleted what was old from the journal");
            }
            if too_large {
                warn!(
                    path = %path.display(),
                    "the journal is larger than journal.max_size_mib, and nothing more in it may be \
                     deleted: it is of the last day, or younger than an order that is unfinished"
                );
            }
        }
        Err(error) => warn!(error = explain(path, &error), "nothing was deleted from the journal"),
    }
}
