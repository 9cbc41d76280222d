//! [`Archive`]: what happens at the desk as entries of a Redis Stream, for whoever wants to watch it
//! or to keep it. A consumer group is there from the beginning, so that nobody has to make one.
//!
//! Redis is no ledger: the journal is. An entry is at least once in the stream, or is counted as
//! dropped and seen to be missing: each has the `run` of the host and `n`, which counts in it
//! without holes. While Redis is away [`WAITING_MAX`] entries wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_rt::Clock;
use redis::{Pipeline, RedisError, RedisResult};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::address::{Address, AddressError};
use super::connect::{Commands, ConnectError, explained};
use crate::bus::Settings;
use crate::streams::{Stream, Streams};

/// The stream.
pub const ARCHIVE_KEY: &str = "hotpit:desk";

/// Its consumer group, which begins with the first entry.
pub const ARCHIVE_GROUP: &str = "archive";

/// How many entries wait for Redis; what comes then is dropped.
const WAITING_MAX: usize = 16_384;

/// Entries in one pipeline.
const BATCH_MAX: usize = 256;

/// How long `close` may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Writes to the stream. Dropping it stops it at once.
pub struct Archive {
    task: JoinHandle<()>,
    dropped: Arc<AtomicU64>,
}

/// Where entries are put in. The archive ends when it is dropped and everything is written.
#[derive(Debug)]
pub struct ArchiveSender<T> {
    entries: mpsc::Sender<(u64, T)>,
    next: u64,
    dropped: Arc<AtomicU64>,
}

impl<T> ArchiveSender<T> {
    /// Puts in an entry; never waits.
    pub fn put(&mut self, entry: T) {
        self.next += 1;
        if self.entries.try_send((self.next, entry)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Archive {
    /// Starts writing, on the current tokio runtime. Redis need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start<T: Serialize + Send + Sync + 'static>(
        settings: &Settings,
        streams: &Streams,
        clock: Clock,
    ) -> Result<(Self, ArchiveSender<T>), AddressError> {
        let writer = Writer {
            address: Address::parse(&settings.url, settings.password.as_deref())?,
            timeout: Duration::from_millis(settings.timeout_ms),
            entries_max: settings.archive_entries_max,
            run: clock.now().as_millis(),
            stream: streams.open("redis archive", settings.policy()),
        };
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        let dropped = Arc::<AtomicU64>::default();
        let task = tokio::spawn(writer.run(waiting));
        let sender = ArchiveSender { entries, next: 0, dropped: Arc::clone(&dropped) };
        Ok((Self { task, dropped }, sender))
    }

    /// Counts entries dropped because too many waited.
    #[must_use]
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Waits until what was put in is written, as far as a second allows. The sender must be gone.
    pub async fn close(&mut self) {
        // Late: what is missing is in the journal.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, &mut self.task).await;
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum SessionError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{}", explained(.0))]
    Redis(#[from] RedisError),
}

struct Writer {
    address: Address,
    timeout: Duration,
    entries_max: usize,
    run: u64,
    stream: Arc<Stream>,
}

impl Writer {
    async fn run<T: Serialize>(self, mut waiting: mpsc::Receiver<(u64, T)>) {
        // What is on its way, until Redis has taken it.
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            self.stream.connecting();
            let Err(error) = self.session(&mut batch, &mut waiting).await else {
                self.stream.closed();
                return;
            };
            let delay = self.stream.lost(&format!("cannot write to {}: {error}", self.address));
            tracing::warn!(redis = %self.address, %error, ?delay, "archiving stopped");
            tokio::time::sleep(delay).await;
        }
    }

    /// From connection to its end; `Ok` when everything is written and nothing more will come.
    async fn session<T: Serialize>(
        &self,
        batch: &mut Vec<(u64, T)>,
        waiting: &mut mpsc::Receiver<(u64, T)>,
    ) -> Result<(), SessionError> {
        let commands = Commands::connect(&self.address, self.timeout).await?;
        let mut connection = commands.handle();
        let made: RedisResult<()> = redis::cmd("XGROUP")
            .arg(&["CREATE", ARCHIVE_KEY, ARCHIVE_GROUP, "0", "MKSTREAM"])
            .query_async(&mut connection)
            .await;
        match made {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            made => made?,
        }
        self.stream.connected();
        loop {
            if batch.is_empty() && waiting.recv_many(batch, BATCH_MAX).await == 0 {
                return Ok(());
            }
            self.entries(batch).exec_async(&mut connection).await?;
            self.stream.succeeded();
            batch.clear();
        }
    }

    fn entries<T: Serialize>(&self, batch: &[(u64, T)]) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(batch.len());
        for (number, entry) in batch {
            let Ok(entry) = serde_json::to_string(entry) else {
                tracing::error!(number, "an entry of the archive cannot be written as JSON");
                continue;
            };
            let add = pipeline.cmd("XADD").arg(ARCHIVE_KEY).arg("MAXLEN").arg("~");
            add.arg(self.entries_max).arg("*").arg("run").arg(self.run);
            add.arg("n").arg(number).arg("entry").arg(entry).ignore();
        }
        pipeline
    }
}
