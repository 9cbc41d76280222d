//! [`Feed`]: connections and catalog, put together.

use std::future::Future;
use std::sync::Arc;

use hotpit_rt::{Clock, Entropy};
use tokio::sync::{mpsc, oneshot, watch};

use super::catalog::{Catalog, LeagueNames, STEPS_CAPACITY};
use super::poll::Poller;
use super::session::Dial;
use super::settings::Settings;
use super::spread::{Links, Spread};
use super::stats::FeedStats;
use super::wire::Channel;
use super::{Tap, Tickers};
use crate::desk::DeskSender;
use crate::feeds::{Publish, Wanted};
use crate::kalshi::{Client, Transport};
use crate::model::League;
use crate::streams::Streams;

/// The Kalshi feed. With a key it follows the WebSocket; without one it polls what is public
/// over REST.
pub struct Feed<T, P> {
    /// How to follow.
    pub settings: Settings,
    /// The REST client; its credentials sign the handshake.
    pub client: Arc<Client<T>>,
    /// Where the messages go.
    pub publish: Arc<P>,
    /// Where reports on our orders go.
    pub desk: DeskSender,
    /// What to follow.
    pub wanted: Wanted,
    /// Markets whose books turned out not to be the exchange's: they are read anew.
    pub broken: mpsc::Receiver<Vec<Arc<str>>>,
    /// How Kalshi names the leagues; none: a league that is not known.
    pub leagues: fn(&League) -> Option<LeagueNames>,
    /// What the feed counts.
    pub stats: Arc<FeedStats>,
    /// As of when its books are true.
    pub links: Arc<Links>,
    /// Where its connections are shown.
    pub streams: Arc<Streams>,
    /// What the first connection subscribes to: [`Channel::ALL`], or less.
    pub channels: &'static [Channel],
    /// Who else hears what comes.
    pub tap: Option<Arc<dyn Tap>>,
    /// How its connections are opened.
    pub dial: Arc<dyn Dial>,
    /// Tells the time.
    pub clock: Clock,
    /// For the pauses between tries.
    pub entropy: Entropy,
}

impl<T: Transport, P: Publish + 'static> Feed<T, P> {
    /// Runs until `shutdown`. At its end every book it followed is published as stale.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (steps, received_steps) = mpsc::channel(STEPS_CAPACITY);
        let (markets, followed) = watch::channel(Arc::new(Tickers::new()));
        let catalog = Catalog::new(
            self.settings.clone(),
            Arc::clone(&self.client),
            Arc::clone(&self.publish),
            self.leagues,
            self.wanted.watch(),
            received_steps,
            markets,
            self.clock,
        );
        let Some(credentials) = self.client.credentials() else {
            tracing::warn!("without an api key there is no WebSocket: what is public is polled");
            let stream = self.streams.open("kalshi", self.settings.policy());
            let poller = Poller {
                settings: self.settings,
                client: self.client,
                publish: self.publish,
                stats: self.stats,
                stream,
                markets: followed,
                clock: self.clock,
            };
            tokio::join!(until(shutdown, catalog), poller.run());
            return;
        };
        let spread = Spread {
            settings: self.settings,
            client: self.client,
            credentials,
            publish: self.publish,
            stats: self.stats,
            links: self.links,
            streams: self.streams,
            desk: self.desk,
            catalog: steps,
            markets: followed,
            broken: self.broken,
            channels: self.channels,
            tap: self.tap,
            dial: self.dial,
            clock: self.clock,
            entropy: self.entropy,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let catalog = async {
            until(shutdown, catalog).await;
            // The connections may have ended already.
            let _ = stop.send(());
        };
        let spread = spread.run(async {
            let _ = stopped.await;
        });
        tokio::join!(catalog, spread);
    }
}

/// Runs the catalog until `shutdown`. Dropping it ends the poller, which watches its markets.
async fn until<T: Transport, P: Publish>(
    shutdown: impl Future<Output = ()>,
    catalog: Catalog<T, P>,
) {
    tokio::select! {
        biased;
        () = shutdown => {}
        () = catalog.run() => {}
    }
}
