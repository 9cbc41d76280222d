//! [`Account`]: our account at the exchange, and what is learnt through it: the exchange's own state
//! and its maintenance, and which games its markets are on.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hotpit_rt::{Clock, Entropy};
use tracing::warn;

use super::games::GameMilestones;
use crate::cache::Cache;
use crate::config::{Config, Credentials};
use crate::desk::{DeskSender, ExchangeState, ToDesk};
use crate::feeds::espn::{Espn, HttpFetch};
use crate::feeds::{Publish, Wanted};
use crate::kalshi::{self, Client, HttpTransport, Signer};
use crate::streams::{Calendar, Streams, Window};

/// How often the exchange is asked how it stands.
const EXCHANGE_EVERY: Duration = Duration::from_secs(10);

/// How often the exchange is asked for its maintenance.
const SCHEDULE_EVERY: Duration = Duration::from_secs(3_600);

/// Our account at the exchange: one set of limits and signatures, over connections of each
/// thread that asks.
pub(super) struct Account {
    pub(super) client: Arc<Client<HttpTransport>>,
    connect_timeout: Duration,
    rest_url: String,
}

impl Account {
    pub(super) fn new(
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
    pub(super) fn transport(&self) -> anyhow::Result<HttpTransport> {
        Ok(HttpTransport::new(&self.rest_url, self.connect_timeout)?)
    }
}

pub(super) fn espn(
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
pub(super) async fn learn_of_maintenance(
    client: Arc<Client<HttpTransport>>,
    calendar: Arc<Calendar>,
) {
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

/// Tells the desk how the exchange itself stands: whether it takes orders, and how far its clock
/// is from ours. While it cannot be asked, its last word on orders holds.
pub(super) async fn tell_of_exchange(
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
