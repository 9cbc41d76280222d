//! [`Intake`]: the feeds at work, with what they need of a cache.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::warn;

use super::account::{Account, espn, learn_of_maintenance};
use super::games::league_names;
use crate::cache::Cache;
use crate::config::Config;
use crate::desk::DeskSender;
use crate::feeds::espn::LeagueStatus;
use crate::feeds::kalshi::wire::Channel;
use crate::feeds::kalshi::{Feed, FeedStats, Links, Network, Tap};
use crate::feeds::{Publish, Wanted};
use crate::model::League;
use crate::streams::Streams;

/// Rounds of books that may wait to be read anew; the cache collects what breaks meanwhile.
const BROKEN_CAPACITY: usize = 4;

/// How long the feeds may take to close their connections.
pub(super) const FEEDS_TIMEOUT: Duration = Duration::from_secs(5);

/// What the feeds work with.
pub(super) struct IntakeParts<'a, P> {
    pub(super) config: &'a Config,
    pub(super) account: &'a Account,
    pub(super) streams: Arc<Streams>,
    /// What was published comes back to it.
    pub(super) cache: Arc<Cache>,
    pub(super) wanted: Wanted,
    pub(super) links: Arc<Links>,
    pub(super) publish: Arc<P>,
    /// Where reports on our orders go.
    pub(super) desk: DeskSender,
    /// What the first connection subscribes to. Games are followed if books are.
    pub(super) channels: &'static [Channel],
    pub(super) tap: Option<Arc<dyn Tap>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// The running feeds.
pub(super) struct Intake {
    pub(super) stats: Arc<FeedStats>,
    /// How the scoreboards are read.
    pub(super) leagues: watch::Receiver<BTreeMap<League, LeagueStatus>>,
    stop: oneshot::Sender<()>,
    feed: JoinHandle<()>,
    tasks: Vec<AbortHandle>,
}

impl Intake {
    /// Starts the feeds.
    pub(super) fn start<P: Publish + 'static>(parts: IntakeParts<'_, P>) -> anyhow::Result<Self> {
        let IntakeParts {
            config, account, streams, cache, wanted, publish, clock, entropy, ..
        } = parts;
        let (broken_sender, broken) = mpsc::channel(BROKEN_CAPACITY);
        let books = Arc::clone(&cache);
        let watch_books = tokio::spawn(async move {
            while broken_sender.send(books.next_broken().await).await.is_ok() {}
        });
        let client = Arc::clone(&account.client);
        let calendar = Arc::clone(streams.calendar());
        let mut tasks = vec![
            watch_books.abort_handle(),
            tokio::spawn(async move { client.maintain().await }).abort_handle(),
            tokio::spawn(learn_of_maintenance(Arc::clone(&account.client), calendar))
                .abort_handle(),
        ];
        let mut leagues = watch::channel(BTreeMap::new()).1;
        if parts.channels.contains(&Channel::Books) {
            let noted: Arc<dyn Publish> = Arc::clone(&publish) as _;
            let espn = espn(config, account, &streams, noted, &cache, wanted.clone(), entropy)?;
            leagues = espn.status();
            tasks.push(tokio::spawn(espn.run()).abort_handle());
        }
        let stats = Arc::new(FeedStats::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let feed = Feed {
            settings: config.feeds.kalshi.clone(),
            client: Arc::clone(&account.client),
            publish,
            desk: parts.desk,
            wanted,
            broken,
            leagues: league_names,
            stats: Arc::clone(&stats),
            links: parts.links,
            streams,
            channels: parts.channels,
            tap: parts.tap,
            dial: Arc::new(Network),
            clock,
            entropy,
        };
        let feed = tokio::spawn(feed.run(async {
            // An error means that the host was dropped: the end as well.
            let _ = stopped.await;
        }));
        Ok(Self { stats, leagues, stop, feed, tasks })
    }

    /// Closes the connections.
    pub(super) async fn stop(self) {
        // The feed may have ended already; then there is nobody to tell.
        let _ = self.stop.send(());
        if tokio::time::timeout(FEEDS_TIMEOUT, self.feed).await.is_err() {
            warn!("the exchange's feed does not end");
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}
