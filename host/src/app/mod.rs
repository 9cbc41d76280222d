//! The host put together: feeds, bus, cache, agents, desk, journal and the operator's port.
//!
//! What lives here: who gets which handle, and in which order things start and end. What never
//! lives here: a decision about a market, an order or an agent.
//!
//! Start: whatever can fail comes before the desk (key, port, state folder, journal, agents, bus),
//! then the desk, then the feeds. The desk trades only when it has compared its books with the
//! exchange's.
//!
//! End: agents first (they save their states and decide no more), then the desk (it cancels what
//! works and waits for the exchange to say so, which the feeds still bring in), then the rest.

mod check;
mod desk;
mod floor;
mod games;
mod record;
mod replay;
mod source;
mod state;
mod tape;
mod watchdog;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::BoxFuture;
use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{info, warn};

pub use self::check::{check, check_with_options};
use self::desk::{DeskParts, DeskThread};
use self::floor::Floor;
use self::games::{GameMilestones, league_names};
pub use self::record::{RecordOptions, markets_of_agents, record};
pub use self::replay::{Replayed, replay};
use self::source::HostSource;
use self::tape::Tape;
use crate::agents::{Agents, Resources};
use crate::bus::{Bus, BusState};
use crate::cache::Cache;
use crate::config::{self, Config, Credentials, CredentialsError};
use crate::desk::{DeskSender, ExchangeState, INBOX_CAPACITY, Report, ToDesk};
use crate::feeds::espn::{Espn, HttpFetch};
use crate::feeds::kalshi::wire::Channel;
use crate::feeds::kalshi::{Feed, FeedStats, Links, Network};
use crate::feeds::{Publish, Wanted};
use crate::journal::{Store, Upkeep};
use crate::kalshi::{self, Client, HttpTransport, Signer};
use crate::ops::live::{self, Screen};
use crate::ops::{Bound, Server, Source, Status};
use crate::streams::{Calendar, Streams, Window};

/// Rounds of books that may wait to be read anew; the cache collects what breaks meanwhile.
const BROKEN_CAPACITY: usize = 4;

/// How long the feeds may take to close their connections.
const FEEDS_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the watch may take to cancel the orders of a desk that did not end in order.
const WATCH_TIMEOUT: Duration = Duration::from_secs(45);

/// How often the exchange is asked how it stands.
const EXCHANGE_EVERY: Duration = Duration::from_secs(10);

/// How often the exchange is asked for its maintenance.
const SCHEDULE_EVERY: Duration = Duration::from_secs(3_600);

/// What a run gets besides its configuration.
pub struct RunOptions {
    /// Where the status line goes.
    pub screen: Screen,
    /// Completes when the run shall end, with why.
    pub end: BoxFuture<'static, &'static str>,
}

/// Runs the host until `options.end`, ends it in order, and tells how it stands then.
///
/// # Errors
/// When the host cannot start, or cannot end in order.
pub async fn run(mut config: Config, options: RunOptions) -> anyhow::Result<Status> {
    config.bus.password = config::redis_password()?.map(|secret| secret.expose().to_owned());
    let credentials = match Credentials::from_env() {
        Ok(credentials) => Some(credentials),
        Err(CredentialsError::Missing(missing)) if missing.len() == 2 => None,
        Err(error) => return Err(error.into()),
    };
    let ops = config.ops.clone();
    let mut host = Host::start(config, credentials, Clock::system(), Entropy::os()).await?;
    let view = tokio::spawn(live::watch(options.screen.clone(), host.source(), ops));
    let reason = tokio::select! {
        reason = options.end => reason,
        Ok(()) = &mut host.stalled => "the desk has stalled",
    };
    view.abort();
    options.screen.clear();
    info!(reason, "ending: canceling what works");
    host.stop().await
}

/// A running host. [`Host::stop`] ends it in order.
pub struct Host {
    source: Arc<HostSource>,
    agents: Agents,
    desk: DeskThread,
    stop_feed: oneshot::Sender<()>,
    feed: JoinHandle<()>,
    tape: Tape,
    /// Completes when the desk has stalled.
    stalled: oneshot::Receiver<()>,
    /// Ends the watch over the desk by being dropped.
    end_watch: oneshot::Sender<()>,
    background: Vec<AbortHandle>,
    bus: Arc<Bus>,
    upkeep: Upkeep,
    server: Server,
}

impl Host {
    /// Starts everything. Without credentials the host watches: nothing can be sent.
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
        let sends_orders = config.sends_orders() && credentials.is_some();
        let streams = Arc::new(Streams::new(clock, entropy));
        let account = Account::new(&config, credentials.as_ref(), &streams, clock, entropy)?;
        let port = Bound::take(&config.ops).await?;
        state::claim(&config.state_folder, &config.venue.to_string())?;
        announce(&config, credentials.is_some());
        let store = Store::open(&config.journal_path(), &config.journal)?;
        let recovered = store.recover()?;
        let upkeep =
            Upkeep::start(&store, &config.journal, clock).context("no thread for the journal")?;

        let (desk_sender, inbox) = mpsc::channel::<ToDesk>(INBOX_CAPACITY);
        let cache = Arc::new(Cache::default());
        let wanted = Wanted::default();
        let resources = Resources {
            cache: Arc::clone(&cache),
            desk: desk_sender.clone(),
            wanted: wanted.clone(),
            clock,
        };
        let agents = Agents::start(config.agent_settings(), resources)?;
        let floor = Floor {
            cache: Arc::clone(&cache),
            router: agents.router(),
            wanted: wanted.clone(),
            links: Arc::new(Links::default()),
            events: Arc::new(AtomicU64::new(0)),
            leagues: Arc::default(),
        };
        let sink = Arc::new(floor.clone());
        let bus = Arc::new(Bus::start(&config.bus, sink, &streams, clock, &entropy)?);

        let tape = Tape::start(&config, &account, clock)?;
        let publish = tape.before(&bus);
        let noted: Arc<dyn Publish> = Arc::clone(&publish) as _;
        let espn = espn(&config, &account, &streams, noted, &cache, wanted.clone(), entropy)?;
        let desk = DeskParts {
            settings: config.desk.clone(),
            recovered,
            journal: Box::new(store),
            inbox,
            client: account.client.over(account.transport()?),
            sends_orders,
            floor: floor.clone(),
        };
        let desk = DeskThread::start(desk, desk_sender.clone(), clock, entropy)?;
        let (end_watch, ending) = oneshot::channel();
        let stalled = if sends_orders {
            let client = account.client.over(account.transport()?);
            watch_desk(desk_sender.clone(), client, clock, ending)?
        } else {
            // Nothing is sent, so that there is nothing to cancel.
            oneshot::channel().1
        };

        let (broken_sender, broken) = mpsc::channel(BROKEN_CAPACITY);
        let books = Arc::clone(&cache);
        let watch_books = tokio::spawn(async move {
            while broken_sender.send(books.next_broken().await).await.is_ok() {}
        });
        let stats = Arc::new(FeedStats::default());
        let (stop_feed, stopped) = oneshot::channel::<()>();
        let feed = Feed {
            settings: config.feeds.kalshi.clone(),
            client: Arc::clone(&account.client),
            publish,
            desk: desk_sender.clone(),
            wanted: wanted.clone(),
            broken,
            leagues: league_names,
            stats: Arc::clone(&stats),
            links: Arc::clone(&floor.links),
            streams: Arc::clone(&streams),
            channels: &Channel::ALL,
            tap: tape.tap(),
            dial: Arc::new(Network),
            clock,
            entropy,
        };
        let feed = tokio::spawn(feed.run(async {
            // An error means that the host was dropped: the end as well.
            let _ = stopped.await;
        }));
        let leagues = espn.status();
        floor.leagues.get_or_init(|| leagues.clone());
        let client = Arc::clone(&account.client);
        let background = vec![
            watch_books.abort_handle(),
            tokio::spawn(tell_of_bus(bus.state(), desk_sender.clone())).abort_handle(),
            tokio::spawn(espn.run()).abort_handle(),
            tokio::spawn(async move { client.maintain().await }).abort_handle(),
            tokio::spawn(tell_of_exchange(
                Arc::clone(&account.client),
                Arc::clone(&streams),
                desk_sender.clone(),
            ))
            .abort_handle(),
            tokio::spawn(learn_of_maintenance(
                Arc::clone(&account.client),
                Arc::clone(streams.calendar()),
            ))
            .abort_handle(),
        ];

        let source = Arc::new(HostSource {
            venue: config.venue.to_string(),
            sends_orders,
            started,
            clock,
            desk: desk_sender,
            cache,
            events: floor.events,
            agents: Box::new(agents.status_reader()),
            feed: stats,
            streams,
            bus: Arc::clone(&bus),
            recording: tape.progress(),
            leagues,
        });
        let server = Server::start(port, &config.state_folder, &entropy, Arc::clone(&source))?;
        Ok(Self {
            source,
            agents,
            desk,
            stop_feed,
            feed,
            tape,
            stalled,
            end_watch,
            background,
            bus,
            upkeep,
            server,
        })
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

    /// Ends the host: agents, desk, feeds, and the rest. Tells how it stood at the end.
    ///
    /// # Errors
    /// When the desk did not end in order: what it knew is lost, and orders may still work.
    pub async fn stop(self) -> anyhow::Result<Status> {
        self.agents.shutdown().await;
        let report: Option<Report> = self.desk.stop().await;
        if report.is_some() {
            // Else the watch over it does what it did not.
            drop(self.end_watch);
        } else if tokio::time::timeout(WATCH_TIMEOUT, self.stalled).await.is_err() {
            warn!("the watch over the desk does not end");
        }
        // The feed may have ended already; then there is nobody to tell.
        let _ = self.stop_feed.send(());
        if tokio::time::timeout(FEEDS_TIMEOUT, self.feed).await.is_err() {
            warn!("the exchange's feed does not end");
        }
        self.tape.finish().await;
        for task in &self.background {
            task.abort();
        }
        self.bus.close().await;
        self.server.stop().await;
        let upkeep = self.upkeep;
        if tokio::task::spawn_blocking(move || upkeep.stop()).await.is_err() {
            warn!("the journal's upkeep had panicked");
        }
        let report = report.context("the desk did not end in order")?;
        Ok(self.source.with_report(report))
    }
}

/// Our account at the exchange: one set of limits and signatures, over connections of each
/// thread that asks.
struct Account {
    client: Arc<Client<HttpTransport>>,
    connect_timeout: Duration,
    rest_url: String,
}

impl Account {
    fn new(
        config: &Config,
        credentials: Option<&Credentials>,
        streams: &Streams,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        let settings = config.kalshi_settings();
        let credentials = credentials
            .map(|credentials| {
                let signer = Signer::from_pem(credentials.private_key.expose())?;
                kalshi::Credentials::new(&credentials.key_id, signer)
            })
            .transpose()
            .context("the API key cannot be used")?;
        let (connect_timeout, rest_url) = (settings.connect_timeout(), settings.rest_url.clone());
        let transport = HttpTransport::new(&rest_url, connect_timeout)?;
        let stream = streams.open("kalshi rest", settings.policy());
        let client = Client::new(transport, credentials, settings, stream, clock, entropy);
        let client = Arc::new(client);
        Ok(Self { client, connect_timeout, rest_url })
    }

    /// Connections of their own, for a thread that must not wait for another.
    fn transport(&self) -> anyhow::Result<HttpTransport> {
        Ok(HttpTransport::new(&self.rest_url, self.connect_timeout)?)
    }
}

fn espn(
    config: &Config,
    account: &Account,
    streams: &Arc<Streams>,
    publish: Arc<dyn Publish>,
    cache: &Arc<Cache>,
    wanted: Wanted,
    entropy: Entropy,
) -> anyhow::Result<Espn<HttpFetch, GameMilestones>> {
    let clock = account.client.clock();
    let settings = config.feeds.espn.clone();
    let fetch = HttpFetch::new(&settings.url, Duration::from_millis(settings.timeout_ms))?;
    let milestones = GameMilestones { client: Arc::clone(&account.client), clock };
    Ok(Espn::new(
        settings,
        fetch,
        milestones,
        publish,
        Arc::clone(cache),
        wanted,
        Arc::clone(streams),
        clock,
        entropy,
    ))
}

/// Keeps the calendar as the exchange announces it.
async fn learn_of_maintenance(client: Arc<Client<HttpTransport>>, calendar: Arc<Calendar>) {
    loop {
        match client.maintenance().await {
            Ok(windows) => {
                let windows = windows.into_iter().map(|(start, end)| Window { start, end });
                calendar.announce(windows.collect());
            }
            Err(error) => warn!(%error, "the exchange's schedule could not be read"),
        }
        tokio::time::sleep(SCHEDULE_EVERY).await;
    }
}

/// Watches the desk from a thread of its own; tells when it has stalled and its orders are canceled.
fn watch_desk(
    desk: DeskSender,
    client: Client<HttpTransport>,
    clock: Clock,
    ending: oneshot::Receiver<()>,
) -> anyhow::Result<oneshot::Receiver<()>> {
    let (tell, stalled) = oneshot::channel();
    let watch = move || async move {
        let patience = watchdog::Patience::default();
        if watchdog::watch(desk, client, clock, patience, ending).await {
            // A host that has ended does not listen.
            let _ = tell.send(());
        }
    };
    hotpit_rt::dedicated("watchdog", watch).context("no thread for the watchdog")?;
    Ok(stalled)
}

/// Tells the desk how the exchange itself stands: whether it takes orders, and how far its clock
/// is from ours. While it cannot be asked, its last word on orders holds.
async fn tell_of_exchange(
    client: Arc<Client<HttpTransport>>,
    streams: Arc<Streams>,
    desk: DeskSender,
) {
    let mut state = ExchangeState::default();
    loop {
        if let Ok(status) = client.exchange_status().await {
            state.paused = match (status.exchange_active, status.trading_active) {
                (true, true) => None,
                (true, false) => Some("the exchange has paused trading".to_owned()),
                (false, _) => Some("the exchange is closed".to_owned()),
            };
        }
        // By whoever heard of it last.
        let known = streams
            .reports()
            .into_iter()
            .filter(|stream| stream.name.starts_with("kalshi") && stream.skew_ms.is_some());
        state.skew_ms = known.max_by_key(|stream| stream.last_message).and_then(|it| it.skew_ms);
        if desk.send(ToDesk::Exchange(state.clone())).await.is_err() {
            return;
        }
        tokio::time::sleep(EXCHANGE_EVERY).await;
    }
}

/// Tells the desk whether what comes out of the bus can be traded on.
async fn tell_of_bus(mut state: watch::Receiver<BusState>, desk: DeskSender) {
    loop {
        let down = match &*state.borrow_and_update() {
            BusState::Live => None,
            BusState::Starting => Some("it is not up yet".to_owned()),
            BusState::Down { reason } => Some(reason.to_string()),
        };
        let told = desk.send(ToDesk::Bus { down }).await;
        if told.is_err() || state.changed().await.is_err() {
            return;
        }
    }
}

/// Says plainly what this run can do to an account.
fn announce(config: &Config, has_key: bool) {
    let venue = &config.venue;
    match (has_key, config.sends_orders()) {
        (false, _) => warn!(
            %venue,
            "no API key: agents run on public data and nothing can be sent; set KALSHI_KEY_ID and \
             KALSHI_PRIVATE_KEY_FILE, or try everything without an account with `make run`"
        ),
        (true, false) => warn!(
            %venue,
            "`live = true` is not set: the desk decides, logs what it would send, and sends nothing"
        ),
        (true, true) => info!(%venue, "orders are sent"),
    }
}
