//! What hosts that run agents want to hear, told to the host that takes in the feeds.
//!
//! | key | holds |
//! | --- | --- |
//! | `hotpit:hosts` | the set of hosts that want something |
//! | `hotpit:wants:<host>` | what one wants, as JSON; expires when the host does not say it again |
//!
//! A host that is gone is forgotten after twice [`EXPIRY`]; while Redis is away, and when it comes back
//! empty, whoever gathers keeps to what was known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use super::address::{Address, AddressError};
use super::connect::{Commands, ConnectError, explained};
use crate::bus::Settings;
use crate::feeds::{Wanted, Wants};
use crate::model::Subscription;
use crate::streams::{Stream, Streams};

const HOSTS: &str = "hotpit:hosts";
const WANTS: &str = "hotpit:wants:";

/// How long what a host wants is kept for it.
const EXPIRY: Duration = Duration::from_secs(15);

/// How often a host says again what it wants.
const SAY_EVERY: Duration = Duration::from_secs(4);

/// How often it is looked what hosts want. A subscription waits about as long.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The connection of one side.
pub struct WantsLink {
    address: Address,
    timeout: Duration,
    stream: Arc<Stream>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{}", explained(.0))]
    Redis(#[from] RedisError),
}

impl WantsLink {
    /// A link over the Redis of the settings.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(settings: &Settings, streams: &Streams) -> Result<Self, AddressError> {
        Ok(Self {
            address: Address::parse(&settings.url, settings.password.as_deref())?,
            timeout: Duration::from_millis(settings.timeout_ms),
            stream: streams.open("redis wants", settings.policy()),
        })
    }

    /// Tells what this host wants, and every change of it. Never ends.
    pub async fn tell(self, host: String, mut wants: watch::Receiver<Wants>) {
        loop {
            let Err(error) = self.telling(&host, &mut wants).await;
            self.wait_after(&error).await;
        }
    }

    async fn telling(
        &self,
        host: &str,
        wants: &mut watch::Receiver<Wants>,
    ) -> Result<std::convert::Infallible, LinkError> {
        let (_commands, mut connection) = self.connect().await?;
        loop {
            let wanted = wants.borrow_and_update().all();
            // Plain values: there is nothing in them that JSON does not have.
            let text = serde_json::to_string(&wanted).unwrap_or_default();
            let expiry = u64::try_from(EXPIRY.as_millis()).unwrap_or(u64::MAX);
            redis::pipe()
                .cmd("SET")
                .arg(format!("{WANTS}{host}"))
                .arg(text)
                .arg("PX")
                .arg(expiry)
                .ignore()
                .cmd("SADD")
                .arg(HOSTS)
                .arg(host)
                .ignore()
                .exec_async(&mut connection)
                .await?;
            self.stream.succeeded();
            tokio::select! {
                changed = wants.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                () = tokio::time::sleep(SAY_EVERY) => {}
            }
        }
    }

    /// Keeps `wanted` at what all hosts want together. Never ends.
    pub async fn gather(self, wanted: Wanted) {
        let mut known = Known::default();
        loop {
            let Err(error) = self.gathering(&mut known, &wanted).await;
            self.wait_after(&error).await;
        }
    }

    async fn gathering(
        &self,
        known: &mut Known,
        wanted: &Wanted,
    ) -> Result<std::convert::Infallible, LinkError> {
        let (_commands, mut connection) = self.connect().await?;
        known.connected(Instant::now());
        loop {
            let said = read(&mut connection).await?;
            self.stream.succeeded();
            let all = known.hear(said, Instant::now());
            wanted.update(|wants| wants.agents = all);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn connect(&self) -> Result<(Commands, MultiplexedConnection), LinkError> {
        self.stream.connecting();
        let commands = Commands::connect(&self.address, self.timeout).await?;
        self.stream.connected();
        let connection = commands.handle();
        Ok((commands, connection))
    }

    async fn wait_after(&self, error: &LinkError) {
        let delay = self.stream.lost(&format!("cannot use {}: {error}", self.address));
        tracing::warn!(redis = %self.address, %error, ?delay, "wants are not told");
        tokio::time::sleep(delay).await;
    }
}

/// What each host wants, as it was heard last.
#[derive(Debug, Default)]
struct Known(BTreeMap<String, (Instant, BTreeSet<Subscription>)>);

impl Known {
    /// Redis was away, and may have forgotten everything: each host has its time to say it again.
    fn connected(&mut self, now: Instant) {
        self.0.values_mut().for_each(|(heard, _)| *heard = now);
    }

    /// Takes in what hosts say; what all of them want.
    fn hear(
        &mut self,
        said: Vec<(String, BTreeSet<Subscription>)>,
        now: Instant,
    ) -> BTreeSet<Subscription> {
        self.0.extend(said.into_iter().map(|(host, wants)| (host, (now, wants))));
        self.0.retain(|_, (heard, _)| now.duration_since(*heard) < EXPIRY);
        self.0.values().flat_map(|(_, wants)| wants).cloned().collect()
    }
}

/// What each host says that it wants. Those that have not said so lately are taken off the list.
async fn read(
    connection: &mut MultiplexedConnection,
) -> Result<Vec<(String, BTreeSet<Subscription>)>, RedisError> {
    let hosts: Vec<String> = redis::cmd("SMEMBERS").arg(HOSTS).query_async(connection).await?;
    let mut said = Vec::new();
    if hosts.is_empty() {
        return Ok(said);
    }
    let keys: Vec<String> = hosts.iter().map(|host| format!("{WANTS}{host}")).collect();
    let texts: Vec<Option<String>> = redis::cmd("MGET").arg(&keys).query_async(connection).await?;
    for (host, text) in hosts.into_iter().zip(texts) {
        let Some(text) = text else {
            redis::cmd("SREM").arg(HOSTS).arg(host).exec_async(connection).await?;
            continue;
        };
        match serde_json::from_str(&text) {
            Ok(wants) => said.push((host, wants)),
            Err(error) => {
                tracing::warn!(
                    host,
                    %error,
                    "what this host wants cannot be read: run one version of hotpit on all"
                );
            }
        }
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(host: &str, market: &str) -> (String, BTreeSet<Subscription>) {
        (host.to_owned(), [Subscription::Market(market.into())].into())
    }

    #[test]
    fn what_a_host_wants_is_kept_for_a_while_and_over_an_outage() {
        let (a, b) = (said("a", "KX-1"), said("b", "KX-2"));
        let both: BTreeSet<_> = a.1.union(&b.1).cloned().collect();
        let start = Instant::now();
        let mut known = Known::default();
        assert_eq!(known.hear(vec![a.clone(), b.clone()], start), both);
        // Redis came back empty, and one of them is not there yet.
        let back = start + 10 * EXPIRY;
        known.connected(back);
        assert_eq!(known.hear(vec![], back), both);
        assert_eq!(known.hear(vec![a.clone()], back + EXPIRY / 2), both);
        assert_eq!(known.hear(vec![a.clone()], back + EXPIRY), a.1);
        // What it wants now stands for what it wanted.
        assert_eq!(known.hear(vec![said("a", "KX-2")], back + EXPIRY), b.1);
    }
}
