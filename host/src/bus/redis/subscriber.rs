//! [`Subscriber`]: one task that owns the subscription and hands messages to the sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use hotpit_rt::{Backoff, Clock, Entropy};
use hotpit_units::Timestamp;
use redis::RedisError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::{Address, AddressError};
use super::connect::{Commands, ConnectError, Messages, explained};
use super::envelope::{Channel, decode};
use super::inflow::{Inflow, Need};
use super::keys::{Loaded, load};
use crate::bus::{BusState, Settings, Sink};
use crate::streams::{Stream, Streams};

/// Messages handled before the task looks at everything else.
const BURST: usize = 256;

/// What the subscribing side counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscriberStats {
    /// Messages received, heartbeats apart.
    pub received: u64,
    /// Times that messages of a channel were missing.
    pub gaps: u64,
    /// Messages that were missing, as far as sequence numbers tell.
    pub missed: u64,
    /// Times that another publisher, or a new run of it, was heard.
    pub epochs: u64,
    /// Messages that were older than what was known: repeated, or in a snapshot already.
    pub old: u64,
    /// Messages that could not be read, or are of a type that this version does not know.
    pub unreadable: u64,
    /// Times that snapshot keys were loaded.
    pub loads: u64,
    /// Times that too many messages waited for a load.
    pub overflows: u64,
}

/// The subscribing side of the Redis bus. Dropping it stops it.
pub struct Subscriber {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    address: Address,
    settings: Settings,
    clock: Clock,
    state: watch::Sender<BusState>,
    stream: Arc<Stream>,
    tally: super::inflow::Tally,
    loads: AtomicU64,
}

impl Subscriber {
    /// Starts listening, on the current tokio runtime. Redis need not be there yet.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start(
        settings: &Settings,
        sink: Arc<dyn Sink>,
        streams: &Streams,
        clock: Clock,
        entropy: &Entropy,
    ) -> Result<Self, AddressError> {
        let shared = Arc::new(Shared {
            address: Address::parse(&settings.url, settings.password.as_deref())?,
            settings: settings.clone(),
            clock,
            state: watch::Sender::new(BusState::Starting),
            stream: streams.open("redis", settings.policy()),
            tally: super::inflow::Tally::default(),
            loads: AtomicU64::default(),
        });
        let policy = settings.policy();
        let rng = entropy.rng("bus reload");
        let reload = Backoff::new(policy.backoff_base, policy.backoff_cap, rng);
        let task = tokio::spawn(run(Arc::clone(&shared), sink, reload));
        Ok(Self { shared, task })
    }

    /// Whether messages arrive as they are published.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<BusState> {
        self.shared.state.subscribe()
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> SubscriberStats {
        SubscriberStats {
            loads: self.shared.loads.load(Ordering::Relaxed),
            ..self.shared.tally.stats()
        }
    }

    /// Stops.
    pub fn close(&self) {
        self.task.abort();
        self.shared.stream.closed();
    }
}

impl Drop for Subscriber {
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
    #[error("the connection was closed")]
    Closed,
    #[error(
        "the books of venue `{theirs}` are published here, and this is `{ours}`: give each venue a \
         Redis of its own"
    )]
    OtherVenue { theirs: String, ours: String },
    #[error("channel {channel} was silent for {silence:?}")]
    Silent { channel: &'static str, silence: Duration },
}

async fn run(shared: Arc<Shared>, sink: Arc<dyn Sink>, mut reload: Backoff) {
    let mut inflow = Inflow::new(sink, shared.settings.buffer_max);
    loop {
        shared.stream.connecting();
        let Err(error) = session(&shared, &mut inflow, &mut reload).await;
        let reason = format!("cannot read from {}: {error}", shared.address);
        let delay = shared.stream.lost(&reason);
        tracing::warn!(redis = %shared.address, %error, ?delay, "subscription broke");
        // The desk stops first, then the books go stale.
        shared.state.send_replace(BusState::Down { reason: reason.as_str().into() });
        inflow.stale(&reason, shared.clock.now());
        tokio::time::sleep(delay).await;
    }
}

/// From connection to its end.
async fn session(
    shared: &Shared,
    inflow: &mut Inflow,
    reload: &mut Backoff,
) -> Result<std::convert::Infallible, SessionError> {
    let timeout = Duration::from_millis(shared.settings.timeout_ms);
    let commands = Commands::connect(&shared.address, timeout).await?;
    let names = Channel::ALL.map(Channel::name);
    let messages = Messages::subscribe(&shared.address, &commands, &names, timeout).await?;
    inflow.restart();
    let session = Session {
        shared,
        inflow,
        heard: [shared.clock.now(); Channel::COUNT],
        commands,
        messages,
        loading: None,
        waits_since: shared.clock.now(),
    };
    session.run(reload).await
}

/// Reads from one connection.
struct Session<'a> {
    shared: &'a Shared,
    inflow: &'a mut Inflow,
    /// When each channel was heard last.
    heard: [Timestamp; Channel::COUNT],
    commands: Commands,
    messages: Messages,
    /// The one load in flight.
    loading: Option<BoxFuture<'static, Result<Loaded, RedisError>>>,
    waits_since: Timestamp,
}

impl Session<'_> {
    async fn run(mut self, reload: &mut Backoff) -> Result<std::convert::Infallible, SessionError> {
        let heartbeat = Duration::from_millis(self.shared.settings.heartbeat_ms);
        let mut watchdog = tokio::time::interval(heartbeat / 2);
        loop {
            match self.inflow.take_need() {
                Need::Nothing => {}
                Need::Load(families) => {
                    // A load that is under way may have read too early: it starts again.
                    let connection = self.commands.handle();
                    let delay = reload.next_delay();
                    self.waits_since = self.shared.clock.now() + delay;
                    self.loading = Some(Box::pin(async move {
                        tokio::time::sleep(delay).await;
                        load(connection, families).await
                    }));
                }
            }
            tokio::select! {
                biased;
                loaded = wait_for(&mut self.loading), if self.loading.is_some() => {
                    self.loading = None;
                    let loaded = self.of_our_venue(loaded?)?;
                    self.shared.loads.fetch_add(1, Ordering::Relaxed);
                    self.inflow.loaded(loaded, self.shared.clock.now(), &self.shared.tally);
                    self.heard = [self.shared.clock.now(); Channel::COUNT];
                    self.shared.stream.succeeded();
                    self.note_live();
                }
                _ = watchdog.tick() => {
                    self.check_silence(heartbeat * 3)?;
                    if self.loading.is_none() && reload.attempt() > 0 {
                        reload.reset();
                    }
                }
                message = self.messages.stream.next() => {
                    let message = message.ok_or(SessionError::Closed)?;
                    self.take(&message);
                    self.take_burst()?;
                }
            }
        }
    }

    fn of_our_venue(&self, loaded: Loaded) -> Result<Loaded, SessionError> {
        let ours = &self.shared.settings.venue;
        if loaded.venue == *ours {
            return Ok(loaded);
        }
        Err(SessionError::OtherVenue { theirs: loaded.venue, ours: ours.clone() })
    }

    /// Takes what is there without waiting.
    fn take_burst(&mut self) -> Result<(), SessionError> {
        for _ in 0..BURST {
            // Unconstrained: else tokio answers "nothing" after a while, with messages there.
            let next = tokio::task::unconstrained(self.messages.stream.next());
            match next.now_or_never() {
                Some(Some(message)) => self.take(&message),
                Some(None) => return Err(SessionError::Closed),
                None => {
                    self.messages.drained();
                    break;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &redis::Msg) {
        let payload = message.get_payload_bytes();
        self.messages.used(payload.len());
        let Some(channel) = Channel::named(message.get_channel_name()) else { return };
        let now = self.shared.clock.now();
        self.shared.stream.message(now);
        let gaps = self.shared.tally.stats().gaps;
        if self.inflow.take(channel, decode(payload), now, &self.shared.tally) {
            self.heard[channel.index()] = now;
        }
        if self.shared.tally.stats().gaps > gaps {
            self.shared.stream.gap();
        }
    }

    fn note_live(&self) {
        if self.inflow.is_live() {
            self.shared.state.send_if_modified(|state| {
                let news = *state != BusState::Live;
                *state = BusState::Live;
                news
            });
        }
    }

    /// A channel that was heard and is silent now is a broken connection or a publisher that is
    /// gone; a publisher that never was is waited for on the same connection.
    fn check_silence(&self, limit: Duration) -> Result<(), SessionError> {
        let now = self.shared.clock.now();
        if self.loading.is_some() {
            if now.since(self.waits_since) > limit {
                let reason = "nobody publishes to this redis".into();
                let state = BusState::Down { reason };
                if *self.shared.state.borrow() != state {
                    tracing::warn!(redis = %self.shared.address, "waiting for a publisher");
                    self.shared.state.send_replace(state);
                }
            }
            return Ok(());
        }
        for channel in Channel::ALL {
            let silence = now.since(self.heard[channel.index()]);
            if silence > limit {
                return Err(SessionError::Silent { channel: channel.name(), silence });
            }
        }
        Ok(())
    }
}

async fn wait_for<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
