//! [`Publisher`]: one task that owns the connection which messages and keys are written to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::{Address, AddressError, Node};
use super::connect::{Commands, ConnectError, explained};
use super::envelope::{Place, Seqs, encode};
use super::keys::{self, PublisherKey, Subject};
use super::queue::{Item, Queue};
use super::{PUBLISHER_KEY, VERSION};
use crate::bus::{BusState, Message, Settings};
use crate::streams::{Stream, Streams};

/// Messages in one pipeline: enough that the round trip no longer counts, few enough that the
/// first does not wait for the last.
const BATCH_MAX: usize = 512;

/// Pipelines on their way: the next is encoded while Redis works on the one before.
const IN_FLIGHT_MAX: usize = 4;

/// Keys in one pipeline; a key is about ten times a message.
const KEYS_MAX: usize = 128;

/// What stands before a message in its command.
const PUBLISH_BYTES: usize = "PUBLISH".len() + "kalshi:lifecycle".len();

/// How long `close` may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What the publishing side counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PublisherStats {
    /// Messages that Redis read.
    pub published: u64,
    /// Changes of books that became part of a snapshot, because the queue was full.
    pub conflated: u64,
    /// Trades, markets and games dropped because the queue was full: each a gap for subscribers.
    pub dropped_full: u64,
    /// Messages dropped because Redis was away.
    pub dropped_down: u64,
    /// Times that the changed keys were written.
    pub flushes: u64,
    /// Messages that wait now.
    pub waiting: usize,
}

/// The publishing side of the Redis bus. Dropping it stops it at once.
pub struct Publisher {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Shared {
    queue: Queue,
    address: Address,
    settings: Settings,
    clock: Clock,
    state: watch::Sender<BusState>,
    stream: Arc<Stream>,
    published: AtomicU64,
    flushes: AtomicU64,
}

impl Publisher {
    /// Starts publishing, on the current tokio runtime. Redis need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start(
        settings: &Settings,
        streams: &Streams,
        clock: Clock,
    ) -> Result<Self, AddressError> {
        let shared = Arc::new(Shared {
            queue: Queue::new(settings.queue_max),
            address: Address::parse(&settings.url, settings.password.as_deref())?,
            settings: settings.clone(),
            clock,
            state: watch::Sender::new(BusState::Starting),
            stream: streams.open("redis publisher", settings.policy()),
            published: AtomicU64::default(),
            flushes: AtomicU64::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(run(Arc::clone(&shared), stopped));
        Ok(Self { shared, stop, task })
    }

    /// Publishes a message; never waits. See [`Settings::queue_max`] for what happens when
    /// Redis is slow.
    pub fn publish(&self, message: Message, received: Timestamp) {
        self.shared.queue.publish(message, received);
    }

    /// Whether Redis takes what is published.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> PublisherStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = self.shared.queue.counts();
        PublisherStats {
            published: get(&self.shared.published),
            conflated: counts.conflated,
            dropped_full: counts.dropped_full,
            dropped_down: counts.dropped_down,
            flushes: get(&self.shared.flushes),
            waiting: self.shared.queue.len(),
        }
    }

    /// Writes what waits, as far as a second allows, and stops.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        let stopped = self.stop.closed();
        if tokio::time::timeout(CLOSE_TIMEOUT, stopped).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for Publisher {
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
    #[error("{0}")]
    Encode(#[from] serde_json::Error),
    #[error("a host that started later publishes here; this one goes on when that one is gone")]
    Overtaken,
    #[error("the books of venue `{theirs}` are published here: give each venue a Redis of its own")]
    OtherVenue { theirs: String },
}

async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut epoch = 0;
    loop {
        shared.stream.connecting();
        let ended = session(&shared, &mut epoch, stop.clone()).await;
        let Err(error) = ended else {
            shared.stream.closed();
            return;
        };
        shared.queue.disconnected();
        let reason = format!("cannot publish to {}: {error}", shared.address);
        let delay = shared.stream.lost(&reason);
        tracing::warn!(redis = %shared.address, %error, ?delay, "publishing stopped");
        shared.state.send_replace(BusState::Down { reason: reason.into() });
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// From connection to its end; `Ok` after everything was written following a stop.
async fn session(
    shared: &Shared,
    epoch: &mut u64,
    stop: watch::Receiver<bool>,
) -> Result<(), SessionError> {
    let timeout = Duration::from_millis(shared.settings.timeout_ms);
    let commands = Commands::connect(&shared.address, timeout).await?;
    let present = keys::publisher(&mut commands.handle()).await?;
    if let Some(theirs) = present.as_ref().filter(|key| key.venue != shared.settings.venue) {
        return Err(SessionError::OtherVenue { theirs: theirs.venue.clone() });
    }
    let latest = keys::latest_epoch(&mut commands.handle()).await?;
    // The key that is there may be our own, written a moment after the other's.
    if *epoch != 0 && latest > *epoch && present.is_some() {
        return Err(SessionError::Overtaken);
    }
    let before = latest.max(present.map_or(0, |key| key.epoch));
    let mut taken = *epoch;
    if *epoch == 0 || before > *epoch {
        // Later than every publisher before, even one whose clock was ahead of ours.
        (taken, *epoch) = (0, shared.clock.now().as_millis().max(before + 1));
    }
    // Two may begin at once: none has the epoch of another.
    loop {
        let latest = keys::begin_epoch(&mut commands.handle(), *epoch).await?;
        if latest < *epoch || latest == taken {
            break;
        }
        (taken, *epoch) = (0, latest + 1);
    }
    let can_be_quiet = can_be_quiet(commands.node(), &shared.address, timeout).await;
    shared.queue.connected();
    tracing::info!(redis = %shared.address, at = %commands.node(), epoch, "publishing");
    let writer = Writer {
        shared,
        epoch: *epoch,
        can_be_quiet,
        commands,
        in_flight: FuturesOrdered::new(),
        flush: Flush::default(),
        batch: Vec::with_capacity(BATCH_MAX),
        buffer: Vec::with_capacity(1_024),
    };
    writer.run(stop).await
}

/// Whether this server leaves answers out when it is told to; not all that speak its protocol do.
/// Asked over a connection of its own: where it does not, the answers that come are others than those
/// that are waited for, or none. Whatever goes wrong with it, messages are sent with answers.
async fn can_be_quiet(node: &Node, address: &Address, timeout: Duration) -> bool {
    let Ok((commands, _)) = Commands::to_server(node, address, timeout).await else { return false };
    let mut asked = Pipeline::with_capacity(3);
    asked.cmd("CLIENT").arg(&["REPLY", "OFF"]).cmd("CLIENT").arg(&["REPLY", "ON"]);
    asked.cmd("ECHO").arg("quiet");
    let answers = commands.handle().send_packed_commands(&asked, 0, 2).await.unwrap_or_default();
    matches!(answers.as_slice(), [Value::Okay, Value::BulkString(echo)] if echo == b"quiet")
}

/// What Redis answers to a pipeline: of the last of a flush, what stood in the publisher's key.
type Answer = (RedisResult<Option<Vec<u8>>>, Sent);

/// Writes to one connection.
struct Writer<'a> {
    shared: &'a Shared,
    epoch: u64,
    /// Whether messages can be sent without an answer to each.
    can_be_quiet: bool,
    commands: Commands,
    /// The answers still to come, each with how many messages it is for.
    in_flight: FuturesOrdered<BoxFuture<'static, Answer>>,
    flush: Flush,
    batch: Vec<Item>,
    buffer: Vec<u8>,
}

/// What a pipeline carries.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// Messages, heartbeats apart.
    messages: u64,
    /// Whether every key is written with it.
    ends_flush: bool,
    /// Whether the messages are not answered one by one.
    is_quiet: bool,
}

/// The writing of keys.
#[derive(Default)]
struct Flush {
    number: u64,
    /// The sequence numbers when the flush began.
    seqs: Seqs,
    proved: Timestamp,
    /// What is still to be written in the flush that goes on, if one does.
    pending: Option<VecDeque<Subject>>,
    /// Keys to be written again before they expire, although nothing changed.
    refresh: Vec<Subject>,
    /// How many of them with each flush.
    share: usize,
}

impl Writer<'_> {
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), SessionError> {
        let settings = &self.shared.settings;
        let mut flush = tokio::time::interval(Duration::from_millis(settings.flush_ms));
        flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut heartbeat = tokio::time::interval(Duration::from_millis(settings.heartbeat_ms));
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut stopping = *stop.borrow();
        loop {
            let wrote = self.in_flight.len() < IN_FLIGHT_MAX && self.write_next()?;
            if stopping && !wrote && self.in_flight.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop), if !stopping => stopping = true,
                _ = flush.tick() => self.begin_flush(),
                _ = heartbeat.tick() => self.shared.queue.heartbeat(self.shared.clock.now()),
                // Polls new pipelines in the order of the pushes: this is what sends them.
                Some((answer, sent)) = self.in_flight.next() => {
                    self.is_still_ours(answer?.as_deref())?;
                    self.shared.published.fetch_add(sent.messages, Ordering::Relaxed);
                    // A Redis without memory takes messages and no keys.
                    if !sent.ends_flush {
                        continue;
                    }
                    self.shared.stream.succeeded();
                    self.shared.state.send_if_modified(|state| {
                        let news = *state != BusState::Live;
                        *state = BusState::Live;
                        news
                    });
                }
                () = self.shared.queue.wait(), if !wrote => {}
                () = std::future::ready(()), if wrote && self.in_flight.len() < IN_FLIGHT_MAX => {}
            }
        }
    }

    /// Sends the next pipeline, if there is something to send.
    fn write_next(&mut self) -> Result<bool, SessionError> {
        let (pipeline, sent) = if self.flush.pending.is_some() {
            let pipeline = self.next_keys()?;
            (
                pipeline,
                Sent { messages: 0, ends_flush: self.flush.pending.is_none(), is_quiet: false },
            )
        } else {
            self.shared.queue.take(&mut self.batch, BATCH_MAX, self.shared.clock.now());
            if self.batch.is_empty() {
                return Ok(false);
            }
            self.next_messages()?
        };
        let mut connection = self.commands.handle();
        self.in_flight.push_back(Box::pin(async move {
            let answer = if sent.ends_flush {
                let before: RedisResult<(Option<Vec<u8>>,)> =
                    pipeline.query_async(&mut connection).await;
                before.map(|(before,)| before)
            } else if sent.is_quiet {
                // The one answer is that of the last command.
                connection.send_packed_commands(&pipeline, 0, 1).await.map(|_| None)
            } else {
                pipeline.exec_async(&mut connection).await.map(|()| None)
            };
            (answer, sent)
        }));
        Ok(true)
    }

    /// That nobody who started later has written the publisher's key in between; `before` is what
    /// stood there.
    fn is_still_ours(&self, before: Option<&[u8]>) -> Result<(), SessionError> {
        let before: Option<PublisherKey> =
            before.and_then(|bytes| serde_json::from_slice(bytes).ok());
        match before.filter(|key| key.epoch > self.epoch) {
            Some(_) => Err(SessionError::Overtaken),
            None => Ok(()),
        }
    }

    fn next_messages(&mut self) -> Result<(Pipeline, Sent), SessionError> {
        let mut pipeline = Pipeline::with_capacity(self.batch.len() + 2);
        // An answer costs both sides about as much as a message. What could be said of one is that we
        // may not publish there, and heartbeats, which are answered, hear that a second later.
        let is_quiet = self.can_be_quiet && self.batch.iter().all(|item| item.body.is_some());
        if is_quiet {
            pipeline.cmd("CLIENT").arg(&["REPLY", "OFF"]);
        }
        let mut messages = 0;
        for Item { channel, seq, ts, body } in self.batch.drain(..) {
            let place = Place { epoch: self.epoch, seq };
            self.buffer.clear();
            encode(&mut self.buffer, place, ts, body.as_ref())?;
            let mut publish = Cmd::with_capacity(3, PUBLISH_BYTES + self.buffer.len());
            publish.arg("PUBLISH").arg(channel.name()).arg(&self.buffer[..]);
            pipeline.add_command(publish).ignore();
            messages += u64::from(body.is_some());
        }
        if is_quiet {
            pipeline.cmd("CLIENT").arg(&["REPLY", "ON"]);
        }
        Ok((pipeline, Sent { messages, ends_flush: false, is_quiet }))
    }

    /// The next keys of the flush that goes on; the last are followed by the publisher's own.
    fn next_keys(&mut self) -> Result<Pipeline, SessionError> {
        let expiry = self.shared.settings.key_expiry_secs;
        let mut pipeline = Pipeline::with_capacity(KEYS_MAX + 1);
        let mut pending = self.flush.pending.take().unwrap_or_default();
        let count = pending.len().min(KEYS_MAX);
        for subject in pending.drain(..count) {
            if let Some(value) = self.shared.queue.value(&subject, self.epoch)? {
                pipeline.cmd("SET").arg(subject.key()).arg(value).arg("EX").arg(expiry).ignore();
            }
        }
        if pending.is_empty() {
            self.flush.number += 1;
            self.shared.flushes.fetch_add(1, Ordering::Relaxed);
            let key = PublisherKey {
                v: VERSION,
                venue: self.shared.settings.venue.clone(),
                epoch: self.epoch,
                flush: self.flush.number,
                seqs: self.flush.seqs,
                proved: self.flush.proved,
                ts: self.shared.clock.now(),
            };
            let value = serde_json::to_vec(&key)?;
            let expiry_ms = (self.shared.settings.flush_ms * 10).max(5_000);
            let set = pipeline.cmd("SET").arg(PUBLISHER_KEY).arg(value);
            set.arg("PX").arg(expiry_ms).arg("GET");
        } else {
            self.flush.pending = Some(pending);
        }
        Ok(pipeline)
    }

    fn begin_flush(&mut self) {
        if self.flush.pending.is_some() {
            return;
        }
        let (mut subjects, seqs, proved) = self.shared.queue.take_dirty();
        (self.flush.seqs, self.flush.proved) = (seqs, proved);
        subjects.extend(self.flush.due_for_refresh(&self.shared.queue, &self.shared.settings));
        self.flush.pending = Some(subjects.into());
    }
}

impl Flush {
    /// The next share of all keys: each comes up about twice before it would expire.
    fn due_for_refresh(&mut self, queue: &Queue, settings: &Settings) -> Vec<Subject> {
        if self.refresh.is_empty() {
            self.refresh = queue.known();
            let flushes = settings.key_expiry_secs * 1_000 / 2 / settings.flush_ms.max(1);
            let flushes = usize::try_from(flushes).unwrap_or(usize::MAX).max(1);
            self.share = self.refresh.len().div_ceil(flushes);
        }
        let keep = self.refresh.len() - self.share.min(self.refresh.len());
        self.refresh.split_off(keep)
    }
}
