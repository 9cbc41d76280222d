//! [`record`]: the feed and a recorder, without agents and desk.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::future::BoxFuture;
use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use super::account::{Account, espn};
use super::games::league_names;
use super::intake::FEEDS_TIMEOUT;
use crate::bus::Message;
use crate::cache::Cache;
use crate::config::{Config, Credentials};
use crate::feeds::kalshi::wire::Channel;
use crate::feeds::kalshi::{Feed, FeedStats, Links, Network};
use crate::feeds::{Publish, Wanted};
use crate::model::Subscription;
use crate::ops::live::Screen;
use crate::recording::{Notes, Progress, Recorder, Settings};
use crate::streams::Streams;
use crate::units::Timestamp;

/// How often the status line is rewritten, or, without a terminal, a line is logged.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
const LOGGED_EVERY: Duration = Duration::from_secs(60);

/// What is recorded, and where it goes.
pub struct RecordOptions {
    /// The folder for the files.
    pub folder: PathBuf,
    /// How large a file gets, in bytes.
    pub file_bytes_max: u64,
    /// How large all recordings in the folder together may get, in bytes.
    pub folder_bytes_max: u64,
    /// The markets.
    pub markets: BTreeSet<Subscription>,
    /// Whether what is said of our account is recorded as well.
    pub account: bool,
    /// Where the status line goes.
    pub screen: Screen,
    /// Completes when the recording shall end, with why.
    pub end: BoxFuture<'static, &'static str>,
}

/// Where the feeds publish: what no frame holds is recorded, and kept for whoever maps games to
/// markets.
struct Listener {
    notes: Notes,
    cache: Arc<Cache>,
}

impl Publish for Listener {
    fn publish(&self, message: Message, received: Timestamp) {
        if let Message::Market(_) | Message::GameInfo(_) | Message::Game(_) = message {
            self.cache.apply(&message, received);
        }
        self.notes.note(&message, received);
    }
}

/// Records until `options.end`, and tells how much.
///
/// # Errors
/// When there is no key, the folder cannot be written, or the disk fails while it records.
pub async fn record(config: Config, options: RecordOptions) -> anyhow::Result<Progress> {
    let RecordOptions { folder, markets, account: is_private, screen, end, .. } = options;
    let credentials = Credentials::from_env()
        .context("there is no WebSocket without an API key, and a recording is of its frames")?;
    let (clock, entropy) = (Clock::system(), Entropy::os());
    let streams = Arc::new(Streams::new(clock, entropy));
    let account = Account::new(&config, Some(&credentials), &streams, clock, entropy)?;
    let settings = Settings {
        folder: folder.clone(),
        file_bytes_max: options.file_bytes_max,
        folder_bytes_max: options.folder_bytes_max,
        use_yes_price: config.feeds.kalshi.use_yes_price,
        ws_url: account.client.settings().ws_url.clone(),
    };
    let recorder = Recorder::start(settings, clock.now()).context("cannot record")?;

    let cache = Arc::<Cache>::default();
    let listener = Arc::new(Listener { notes: recorder.notes(), cache: Arc::clone(&cache) });
    let wanted = Wanted::default();
    wanted.update(|wants| wants.agents = markets);
    let (desk, mut reports) = mpsc::channel(1);
    // What is said of our account is for a desk, and there is none.
    tokio::spawn(async move { while reports.recv().await.is_some() {} });
    let (_no_cache, broken) = mpsc::channel(1);
    let stats = Arc::new(FeedStats::default());
    let (stop, stopped) = oneshot::channel::<()>();
    let feed = Feed {
        settings: config.feeds.kalshi.clone(),
        client: Arc::clone(&account.client),
        publish: Arc::clone(&listener),
        desk,
        wanted: wanted.clone(),
        broken,
        leagues: league_names,
        stats,
        links: Arc::new(Links::default()),
        streams: Arc::clone(&streams),
        channels: if is_private { &Channel::ALL } else { &Channel::PUBLIC },
        tap: Some(recorder.tap()),
        dial: Arc::new(Network),
        clock,
        entropy,
    };
    let feed = tokio::spawn(feed.run(async {
        let _ = stopped.await;
    }));
    let espn = espn(&config, &account, &streams, listener, &cache, wanted, entropy)?;
    let espn = tokio::spawn(espn.run());
    let client = Arc::clone(&account.client);
    let upkeep = tokio::spawn(async move { client.maintain().await });
    info!(folder = %folder.display(), "recording");

    let mut progress = recorder.progress();
    let failed = async {
        // An error means that the writer is gone, and then it said why.
        let _ = progress.wait_for(|progress| progress.failed.is_some()).await;
    };
    tokio::select! {
        reason = end => info!(reason, "ending"),
        () = failed => {}
        () = show(&screen, &recorder) => {}
    }
    screen.clear();
    // The feed may have ended already; then there is nobody to tell.
    let _ = stop.send(());
    if tokio::time::timeout(FEEDS_TIMEOUT, feed).await.is_err() {
        warn!("the exchange's feed does not end");
    }
    espn.abort();
    upkeep.abort();
    let progress = tokio::task::spawn_blocking(move || recorder.finish())
        .await
        .context("the recording did not end in order")?;
    if let Some(error) = progress.failed {
        bail!("the recording ended by itself: {error}");
    }
    Ok(progress)
}

/// Shows how it goes, for ever.
async fn show(screen: &Screen, recorder: &Recorder) {
    let every = if screen.is_terminal() { SHOWN_EVERY } else { LOGGED_EVERY };
    let progress = recorder.progress();
    loop {
        tokio::time::sleep(every).await;
        let Progress { frames, lost, bytes, .. } = *progress.borrow();
        if screen.is_terminal() {
            screen.show(format!("recording: {frames} frames, {} KiB, {lost} lost", bytes >> 10));
        } else {
            info!(frames, bytes, lost, "recording");
        }
    }
}

/// What the agents in the configured folder subscribe to.
///
/// # Errors
/// When the folder cannot be read, or no agent in it subscribes to anything.
pub fn markets_of_agents(config: &Config) -> anyhow::Result<BTreeSet<Subscription>> {
    let settings = config.agent_settings();
    let folder = &settings.folder;
    let mut markets = BTreeSet::new();
    for path in super::check::agent_files(folder)? {
        match super::check::plan(config, &path) {
            Ok(plan) => markets.extend(plan.subscriptions),
            Err(error) => warn!(file = %path.display(), "left out: {error:#}"),
        }
    }
    if markets.is_empty() {
        bail!(
            "no agent in {} subscribes to a market: name markets with --market, --event, --series \
             or --league",
            folder.display()
        );
    }
    Ok(markets)
}
