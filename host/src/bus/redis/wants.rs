//! What hosts that run agents want to hear, told to the host that takes in the feeds.
//!
//! | key | holds |
//! | --- | --- |
//! | `hotpit:hosts` | the set of hosts that want something |
//! | `hotpit:wants:<host>` | what one wants, as JSON; expires when the host does not say it again |
//!
//! A host that is gone is forgotten after [`EXPIRY`]; while Redis is away, whoever gathers keeps to
//! what was known.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;

use super::address::{Address, AddressError};
use super::connect::{Commands, ConnectError};
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
    #[error("{0}")]
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
        loop {
            let Err(error) = self.gathering(&wanted).await;
            self.wait_after(&error).await;
        }
    }

    async fn gathering(&self, wanted: &Wanted) -> Result<std::convert::Infallible, LinkError> {
        let (_commands, mut connection) = self.connect().await?;
        loop {
            let all = read_all(&mut connection).await?;
            self.stream.succeeded();
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

/// What all hosts want that have said so lately; the others are forgotten.
async fn read_all(
    connection: &mut MultiplexedConnection,
) -> Result<BTreeSet<Subscription>, RedisError> {
    let hosts: Vec<String> = redis::cmd("SMEMBERS").arg(HOSTS).query_async(connection).await?;
    let mut all = BTreeSet::new();
    if hosts.is_empty() {
        return Ok(all);
    }
    let keys: Vec<String> = hosts.iter().map(|host| format!("{WANTS}{host}")).collect();
    let texts: Vec<Option<String>> = redis::cmd("MGET").arg(&keys).query_async(connection).await?;
    for (host, text) in hosts.iter().zip(texts) {
        let Some(text) = text else {
            redis::cmd("SREM").arg(HOSTS).arg(host).exec_async(connection).await?;
            continue;
        };
        match serde_json::from_str::<BTreeSet<Subscription>>(&text) {
            Ok(wants) => all.extend(wants),
            Err(error) => {
                tracing::warn!(host, %error, "what this host wants cannot be read: is it of another version?");
            }
        }
    }
    Ok(all)
}
