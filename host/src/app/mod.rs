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

mod account;
mod archived;
mod check;
mod counters;
mod desk;
mod doctor;
mod floor;
mod games;
mod ingest;
mod intake;
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
use rand::RngExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tracing::{info, warn};

use self::account::{Account, tell_of_exchange};
use self::archived::Archived;
pub use self::check::{check, check_with_options};
use self::desk::{DeskParts, DeskThread};
pub use self::doctor::{Finding, doctor};
use self::floor::Floor;
pub use self::ingest::Ingest;
use self::ingest::prove;
use self::intake::{Intake, IntakeParts};
pub use self::record::{RecordOptions, markets_of_agents, record};
pub use self::replay::{Replayed, replay};
use self::source::HostSource;
use self::tape::Tape;
use crate::agents::{Agents, Resources};
use crate::bus::redis::{Archive, WantsLink};
use crate::bus::{Bus, BusState, Kind, Way};
use crate::cache::Cache;
use crate::config::{Config, Credentials, CredentialsError};
use crate::desk::{DeskSender, INBOX_CAPACITY, Journal, Recovered, Report, ToDesk};
use crate::feeds::Wanted;
use crate::feeds::kalshi::Links;
use crate::feeds::kalshi::wire::Channel;
use crate::journal::{Store, Upkeep};
use crate::kalshi::{Client, HttpTransport};
use crate::ops::live::{self, Screen};
use crate::ops::{Bound, Role, Server, Source, Status};
use crate::streams::Streams;
use crate::traces::{Origin, Tracer, Traces};

/// How long the watch may take to cancel the orders of a desk that did not end in order.
const WATCH_TIMEOUT: Duration = Duration::from_secs(45);

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
    config.read_secrets()?;
    let credentials = match Credentials::from_env() {
        Ok(credentials) => Some(credentials),
        Err(CredentialsError::Missing(missing)) if missing.len() == 2 => None,
        Err(error) => return Err(error.into()),
    };
    let ops = config.ops.clone();
    let (clock, entropy) = (Clock::system(), Entropy::os());
    if config.role == Role::Ingest {
        let host = Ingest::start(config, credentials, clock, entropy).await?;
        let view = tokio::spawn(live::watch(options.screen.clone(), host.source(), ops));
        let reason = options.end.await;
        view.abort();
        options.screen.clear();
        info!(reason, "ending");
        return Ok(host.stop().await);
    }
    let mut host = Host::start(config, credentials, clock, entropy).await?;
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
    intake: Intake,
    tape: Tape,
    /// Completes when the desk has stalled.
    stalled: oneshot::Receiver<()>,
    /// Ends the watch over the desk by being dropped.
    end_watch: oneshot::Sender<()>,
    background: Vec<AbortHandle>,
    bus: Arc<Bus>,
    archive: Option<Archive>,
    traces: Option<Traces>,
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
        state::claim(&config.state_folder, &config.venue.to_string(), config.kalshi.subaccount)?;
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
        let (traces, tracer) = traces(&config, &recovered, &entropy)?.unzip();
        let links = Arc::new(Links::default());
        let floor = Floor {
            cache: Arc::clone(&cache),
            router: agents.router(),
            wanted: wanted.clone(),
            links: (config.bus.kind == Kind::Embedded).then(|| Arc::clone(&links)),
            events: Arc::new(AtomicU64::new(0)),
            tracer,
        };
        let sink = Arc::new(floor.clone());
        let way = if config.role == Role::All { Way::Both } else { Way::Subscribe };
        let bus =
            Arc::new(Bus::start(&config.bus_settings(), way, sink, &streams, clock, &entropy)?);

        let tape = Tape::start(&config, &account, clock)?;
        let publish = tape.before(&bus);
        let (archive, journal) = archive(&config, store, &streams, clock)?;
        let desk = DeskParts {
            settings: config.desk.clone(),
            recovered,
            journal,
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

        let is_whole = config.role == Role::All;
        let intake = Intake::start(IntakeParts {
            config: &config,
            account: &account,
            streams: Arc::clone(&streams),
            cache: Arc::clone(&cache),
            // What agents want comes from the host that takes in the feeds for this one.
            wanted: if is_whole { wanted.clone() } else { Wanted::default() },
            links: Arc::clone(&links),
            publish,
            desk: desk_sender.clone(),
            channels: if is_whole { &Channel::ALL } else { &Channel::ACCOUNT },
            tap: tape.tap(),
            clock,
            entropy,
        })?;
        let mut background = vec![
            tokio::spawn(tell_of_bus(bus.state(), desk_sender.clone())).abort_handle(),
            tokio::spawn(tell_of_exchange(
                Arc::clone(&account.client),
                Arc::clone(&streams),
                desk_sender.clone(),
            ))
            .abort_handle(),
        ];
        if is_whole && config.bus.kind == Kind::Redis {
            background.push(tokio::spawn(prove(links, Arc::clone(&bus), clock)).abort_handle());
        }
        if !is_whole {
            let link = WantsLink::new(&config.bus, &streams).context("bus.url")?;
            let host = format!("{:016x}", entropy.rng("host").random::<u64>());
            background.push(tokio::spawn(link.tell(host, wanted.watch())).abort_handle());
        }

        let source = Arc::new(HostSource {
            venue: config.venue.to_string(),
            sends_orders,
            started,
            clock,
            desk: desk_sender,
            cache,
            events: floor.events,
            agents: Box::new(agents.status_reader()),
            feed: Arc::clone(&intake.stats),
            streams,
            bus: Arc::clone(&bus),
            archive: archive.as_ref().map(Archive::dropped),
            traces: traces.as_ref().map(Traces::counts),
            recording: tape.progress(),
            leagues: intake.leagues.clone(),
            role: config.role,
        });
        let server = Server::start(port, &config.state_folder, &entropy, Arc::clone(&source))?;
        Ok(Self {
            source,
            agents,
            desk,
            intake,
            tape,
            stalled,
            end_watch,
            background,
            bus,
            archive,
            traces,
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
        self.intake.stop().await;
        self.tape.finish().await;
        for task in &self.background {
            task.abort();
        }
        self.bus.close().await;
        if let Some(mut archive) = self.archive {
            archive.close().await;
        }
        if let Some(mut traces) = self.traces {
            traces.close().await;
        }
        self.server.stop().await;
        let upkeep = self.upkeep;
        if tokio::task::spawn_blocking(move || upkeep.stop()).await.is_err() {
            warn!("the journal's upkeep had panicked");
        }
        let report = report.context("the desk did not end in order")?;
        Ok(self.source.with_report(report))
    }
}

/// The journal, and the archive beside it where there is a Redis for it.
fn archive(
    config: &Config,
    store: Store,
    streams: &Streams,
    clock: Clock,
) -> anyhow::Result<(Option<Archive>, Box<dyn Journal + Send>)> {
    if config.bus.kind == Kind::Embedded || config.bus.archive_entries_max == 0 {
        return Ok((None, Box::new(store)));
    }
    let (archive, sender) = Archive::start(&config.bus, streams, clock).context("bus.url")?;
    Ok((Some(archive), Box::new(Archived { journal: store, archive: sender })))
}

/// The traces, where there is a collector for them.
fn traces(
    config: &Config,
    recovered: &Recovered,
    entropy: &Entropy,
) -> anyhow::Result<Option<(Traces, Tracer)>> {
    if !config.traces.is_on() {
        return Ok(None);
    }
    let origin = Origin {
        instance: format!("{:016x}", entropy.rng("traces instance").random::<u64>()),
        venue: config.venue.to_string(),
        role: config.role.to_string(),
    };
    Ok(Some(Traces::start(&config.traces, &origin, &recovered.orders, entropy)?))
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
        (true, true) => {
            info!(%venue, subaccount = config.kalshi.subaccount, "orders are sent");
        }
    }
}
