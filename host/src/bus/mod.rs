//! The [`Bus`]: every message of a feed, to everyone who listens, in order.
//!
//! Two kinds behind one interface. *Embedded* calls the [`Sink`] inside
//! [`publish`](Bus::publish). *Redis* publishes to channels that any program may subscribe to,
//! and the host's own sink receives what came back through Redis.
//!
//! What it promises: publishing never waits; nothing is lost unnoticed. Whoever listens is told
//! with a [`Message::Stale`] before it could act on a book that misses a change.
//!
//! What never goes over the bus: our own orders and fills, which are the desk's alone.

pub mod message;
pub mod redis;
mod settings;

use std::sync::Arc;

use hotpit_rt::{Clock, Entropy};
use hotpit_units::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use message::{BoardRead, Delta, Message, Proof, Snapshot, Stale};
pub use settings::{Kind, Settings};

use crate::feeds::Publish;
use crate::streams::Streams;

/// Where messages come out of the bus. Called in the order of the messages, and must not wait:
/// with the embedded bus it runs inside the feed.
pub trait Sink: Send + Sync + 'static {
    /// Takes one message. `received` is when the frame it came from was read off the exchange's
    /// socket (embedded bus), or off Redis.
    fn deliver(&self, message: Message, received: Timestamp);
}

/// Whether what comes out of the bus can be traded on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusState {
    /// Not heard anything yet.
    Starting,
    /// Messages arrive as they are published.
    Live,
    /// They do not: new orders have to stop. The bus tries again by itself.
    Down {
        /// What happened, for people.
        reason: Arc<str>,
    },
}

/// What the bus counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// The publishing side; zero with the embedded bus.
    pub publisher: redis::PublisherStats,
    /// The subscribing side; zero with the embedded bus.
    pub subscriber: redis::SubscriberStats,
}

/// A running bus. Shared by [`Arc`].
pub struct Bus(Inner);

enum Inner {
    Embedded {
        sink: Arc<dyn Sink>,
        state: watch::Sender<BusState>,
    },
    Redis {
        publisher: redis::Publisher,
        subscriber: redis::Subscriber,
        state: watch::Sender<BusState>,
        /// Keeps `state` up to date.
        merge: JoinHandle<()>,
    },
    /// For hosts elsewhere; the sink of this one is called as messages are published.
    Publishing {
        publisher: redis::Publisher,
        sink: Arc<dyn Sink>,
    },
    /// From a host elsewhere.
    Subscribing {
        subscriber: redis::Subscriber,
    },
}

/// What a host does with a Redis bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// It publishes, and hears what it published.
    #[default]
    Both,
    /// It publishes for others.
    Publish,
    /// It hears what another publishes.
    Subscribe,
}

impl Drop for Inner {
    fn drop(&mut self) {
        match self {
            Self::Embedded { .. } | Self::Publishing { .. } | Self::Subscribing { .. } => {}
            Self::Redis { merge, .. } => merge.abort(),
        }
    }
}

/// Why a bus cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The address of Redis cannot be used.
    #[error("bus.url: {0}")]
    Url(#[from] redis::AddressError),
}

impl Bus {
    /// A bus that calls `sink` as messages are published.
    pub fn embedded(sink: Arc<dyn Sink>) -> Self {
        Self(Inner::Embedded { sink, state: watch::Sender::new(BusState::Live) })
    }

    /// Starts the kind of bus that the settings name, on the current tokio runtime. Redis need
    /// not be there yet: [`state`](Self::state) tells. An embedded bus has both ways in one.
    ///
    /// # Errors
    /// When the address of Redis cannot be used.
    pub fn start(
        settings: &Settings,
        way: Way,
        sink: Arc<dyn Sink>,
        streams: &Streams,
        clock: Clock,
        entropy: &Entropy,
    ) -> Result<Self, BusError> {
        match (settings.kind, way) {
            (Kind::Embedded, _) => Ok(Self::embedded(sink)),
            (Kind::Redis, Way::Publish) => {
                let publisher = redis::Publisher::start(settings, streams, clock)?;
                Ok(Self(Inner::Publishing { publisher, sink }))
            }
            (Kind::Redis, Way::Subscribe) => {
                let subscriber = redis::Subscriber::start(settings, sink, streams, clock, entropy)?;
                Ok(Self(Inner::Subscribing { subscriber }))
            }
            (Kind::Redis, Way::Both) => {
                let publisher = redis::Publisher::start(settings, streams, clock)?;
                let subscriber = redis::Subscriber::start(settings, sink, streams, clock, entropy)?;
                let state = watch::Sender::new(BusState::Starting);
                let merge = merge(publisher.state(), subscriber.state(), state.clone());
                let merge = tokio::spawn(merge);
                Ok(Self(Inner::Redis { publisher, subscriber, state, merge }))
            }
        }
    }

    /// Whether what comes out of the bus can be traded on, now and at every change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<BusState> {
        match &self.0 {
            Inner::Embedded { state, .. } | Inner::Redis { state, .. } => state.subscribe(),
            Inner::Publishing { publisher, .. } => publisher.state(),
            Inner::Subscribing { subscriber } => subscriber.state(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Inner::Embedded { .. } => Stats::default(),
            Inner::Redis { publisher, subscriber, .. } => {
                Stats { publisher: publisher.stats(), subscriber: subscriber.stats() }
            }
            Inner::Publishing { publisher, .. } => {
                Stats { publisher: publisher.stats(), ..Stats::default() }
            }
            Inner::Subscribing { subscriber } => {
                Stats { subscriber: subscriber.stats(), ..Stats::default() }
            }
        }
    }

    /// Sends what is queued, as far as a second allows, and stops. Publishing afterwards does
    /// nothing.
    pub async fn close(&self) {
        match &self.0 {
            Inner::Embedded { .. } => {}
            Inner::Redis { publisher, subscriber, .. } => {
                publisher.close().await;
                subscriber.close();
            }
            Inner::Publishing { publisher, .. } => publisher.close().await,
            Inner::Subscribing { subscriber } => subscriber.close(),
        }
    }
}

/// Keeps the state of the whole: down as soon as one side is, live when both are. A publisher
/// that is cut off is known here before its own subscriber misses a heartbeat.
async fn merge(
    mut publisher: watch::Receiver<BusState>,
    mut subscriber: watch::Receiver<BusState>,
    state: watch::Sender<BusState>,
) {
    loop {
        let sides = (publisher.borrow_and_update().clone(), subscriber.borrow_and_update().clone());
        let whole = match sides {
            (down @ BusState::Down { .. }, _) | (_, down @ BusState::Down { .. }) => down,
            (BusState::Starting, _) | (_, BusState::Starting) => BusState::Starting,
            (BusState::Live, BusState::Live) => BusState::Live,
        };
        state.send_if_modified(|state| {
            let news = *state != whole;
            *state = whole;
            news
        });
        let changed = tokio::select! {
            biased;
            changed = publisher.changed() => changed,
            changed = subscriber.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

impl Publish for Bus {
    fn publish(&self, message: Message, received: Timestamp) {
        match &self.0 {
            Inner::Embedded { sink, .. } => sink.deliver(message, received),
            Inner::Redis { publisher, .. } => publisher.publish(message, received),
            Inner::Publishing { publisher, sink } => {
                sink.deliver(message.clone(), received);
                publisher.publish(message, received);
            }
            // What is heard comes from elsewhere.
            Inner::Subscribing { .. } => {}
        }
    }
}
