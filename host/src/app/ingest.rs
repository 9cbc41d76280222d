//! [`Ingest`]: a host that takes in the feeds for others: it publishes over Redis what they want, and
//! has no agents, no desk and no journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tracing::info;

use super::account::Account;
use super::counters::{books, counters, league_line};
use super::intake::{Intake, IntakeParts};
use super::state;
use crate::bus::redis::WantsLink;
use crate::bus::{Bus, Message, Proof, Sink, Way};
use crate::cache::Cache;
use crate::config::{Config, Credentials};
use crate::desk::record::Halted;
use crate::feeds::espn::LeagueStatus;
use crate::feeds::kalshi::wire::Channel;
use crate::feeds::kalshi::{FeedStats, Links};
use crate::feeds::{Publish, Wanted};
use crate::model::{AgentId, League};
use crate::ops::{Bound, Role, Server, Source, Status};
use crate::streams::Streams;
use crate::units::Timestamp;

/// How often it is said that the books are as they were told.
const PROVE_EVERY: Duration = Duration::from_secs(1);

/// Reports on orders that may wait to be thrown away: none is asked for.
const NO_REPORTS: usize = 1;

/// A running host that takes in the feeds for others.
pub struct Ingest {
    source: Arc<IngestSource>,
    intake: Intake,
    background: Vec<AbortHandle>,
    bus: Arc<Bus>,
    server: Server,
}

impl Ingest {
    /// Starts the feeds. Without credentials what is public is polled.
    ///
    /// # Errors
    /// When a part cannot start; the message says which, and what to do.
    pub async fn start(
        config: Config,
        credentials: Option<Credentials>,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        let started = clock.now();
        let streams = Arc::new(Streams::new(clock, entropy));
        let account = Account::new(&config, credentials.as_ref(), &streams, clock, entropy)?;
        let port = Bound::take(&config.ops).await?;
        // Not one of a host with a desk: this one's address and token would stand in its place.
        state::claim(&config.state_folder, &format!("{}, feeds", config.venue), 0)?;
        let local = Arc::new(Local::default());
        let cache = Arc::clone(&local.cache);
        let sink = Arc::clone(&local) as _;
        let bus =
            Bus::start(&config.bus_settings(), Way::Publish, sink, &streams, clock, &entropy)?;
        let bus = Arc::new(bus);
        let wanted = Wanted::default();
        let gather = WantsLink::new(&config.bus, &streams)?.gather(wanted.clone());
        let links = Arc::new(Links::default());
        let (desk, mut reports) = mpsc::channel(NO_REPORTS);
        let intake = Intake::start(IntakeParts {
            config: &config,
            account: &account,
            streams: Arc::clone(&streams),
            cache: Arc::clone(&cache),
            wanted,
            links: Arc::clone(&links),
            publish: Arc::clone(&bus),
            desk,
            channels: &Channel::PUBLIC,
            tap: None,
            clock,
            entropy,
        })?;
        info!(venue = %config.venue, "taking in the feeds for others: no agents run here");
        let background = vec![
            tokio::spawn(gather).abort_handle(),
            tokio::spawn(prove(links, Arc::clone(&bus), clock)).abort_handle(),
            tokio::spawn(async move { while reports.recv().await.is_some() {} }).abort_handle(),
        ];
        let source = Arc::new(IngestSource {
            venue: config.venue.to_string(),
            started,
            clock,
            local,
            streams,
            bus: Arc::clone(&bus),
            stats: Arc::clone(&intake.stats),
            leagues: intake.leagues.clone(),
        });
        let server = Server::start(port, &config.state_folder, &entropy, Arc::clone(&source))?;
        Ok(Self { source, intake, background, bus, server })
    }

    /// What the host tells of itself.
    #[must_use]
    pub fn source(&self) -> Arc<impl Source> {
        Arc::clone(&self.source)
    }

    /// Where the operator's port is.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.server.address()
    }

    /// Ends the feeds, and the rest. Tells how it stood at the end.
    pub async fn stop(self) -> Status {
        self.intake.stop().await;
        for task in &self.background {
            task.abort();
        }
        self.bus.close().await;
        self.server.stop().await;
        self.source.now()
    }
}

/// Says of the books that nothing was said of that they are as they were told. It goes the way of
/// their changes, so that it overtakes none.
pub(super) async fn prove(links: Arc<Links>, bus: Arc<Bus>, clock: Clock) {
    loop {
        tokio::time::sleep(PROVE_EVERY).await;
        if let Some(as_of) = links.all_as_of() {
            bus.publish(Message::Proof(Proof { as_of }), clock.now());
        }
    }
}

/// What was published, for whoever maps games to markets and for the operator.
#[derive(Default)]
struct Local {
    cache: Arc<Cache>,
    events: AtomicU64,
}

impl Sink for Local {
    fn deliver(&self, message: Message, received: Timestamp) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.cache.apply(&message, received);
    }
}

/// Reads every part of the host when asked.
struct IngestSource {
    venue: String,
    started: Timestamp,
    clock: Clock,
    local: Arc<Local>,
    streams: Arc<Streams>,
    bus: Arc<Bus>,
    stats: Arc<FeedStats>,
    leagues: watch::Receiver<BTreeMap<League, LeagueStatus>>,
}

/// Why there is nothing to halt.
const NO_DESK: &str = "this host takes in the feeds and has no desk: ask one that runs agents";

impl IngestSource {
    fn now(&self) -> Status {
        let (now, cache) = (self.clock.now(), &self.local.cache);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: Role::Ingest,
            venue: self.venue.clone(),
            started: self.started,
            now,
            events: self.local.events.load(Ordering::Relaxed),
            streams: self.streams.reports(),
            books: books(cache, now),
            leagues: self.leagues.borrow().iter().map(league_line).collect(),
            maintenance: self.streams.calendar().next(now),
            counters: counters(cache, &self.stats, &self.bus),
            ..Status::default()
        }
    }
}

impl Source for IngestSource {
    async fn status(&self) -> Result<Status, String> {
        Ok(self.now())
    }

    async fn halt(&self, _agent: Option<AgentId>, _halted: Halted) -> Result<(), String> {
        Err(NO_DESK.to_owned())
    }

    async fn resume(&self, _agent: Option<AgentId>) -> Result<(), String> {
        Err(NO_DESK.to_owned())
    }
}
