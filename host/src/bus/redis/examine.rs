//! [`examine`]: what a Redis is like for the bus. It changes nothing there.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::RedisError;

use super::address::{Address, AddressError};
use super::connect::{Commands, ConnectError, explained};
use super::keys::publisher;
use crate::bus::Settings;

/// The setting with the most that waits in Redis for a slow subscriber.
const BUFFER_LIMIT: &str = "client-output-buffer-limit";

/// The first version that has everything that is asked of it.
const VERSION_MIN: (u32, u32) = (6, 2);

/// The least hard limit that a burst of books passes.
const BUFFER_BYTES_MIN: u64 = 8 << 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its version, as it says.
    pub version: String,
    /// Where the master is that the sentinels name now; none without sentinels.
    pub master: Option<String>,
    /// Whether a host publishes over it now.
    pub is_published: bool,
    /// Settings that endanger the bus, each with what to do.
    pub dangers: Vec<String>,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// The address cannot be used.
    #[error("bus.url: {0}")]
    Address(#[from] AddressError),
    /// There is no connection, or none that lets us in. Names the place without who we are.
    #[error("{0} cannot be used: {1}")]
    Unusable(Address, String),
}

/// Asks the Redis of the settings.
///
/// # Errors
/// When it cannot be reached, or does not answer in the time that the settings give.
pub async fn examine(settings: &Settings) -> Result<Examined, ExamineError> {
    let address = Address::parse(&settings.url, settings.password.as_deref())?;
    let timeout = Duration::from_millis(settings.timeout_ms);
    let unusable = |error: String| ExamineError::Unusable(address.clone(), error);
    let commands = Commands::connect(&address, timeout);
    let commands = commands.await.map_err(|error: ConnectError| unusable(error.to_string()))?;
    let mut found = ask(&commands).await.map_err(|error| unusable(explained(&error)))?;
    found.master = address.is_behind_sentinels().then(|| commands.node().to_string());
    Ok(found)
}

async fn ask(commands: &Commands) -> Result<Examined, RedisError> {
    let mut connection = commands.handle();
    redis::cmd("PING").exec_async(&mut connection).await?;
    // A user with no more rights than hotpit needs may not ask this.
    let mut info = async |section: &str| -> String {
        redis::cmd("INFO").arg(section).query_async(&mut connection).await.unwrap_or_default()
    };
    let (server, memory) = (info("server").await, info("memory").await);
    let limits: Result<BTreeMap<String, String>, _> =
        redis::cmd("CONFIG").arg("GET").arg(BUFFER_LIMIT).query_async(&mut connection).await;
    // A hosted Redis may not let anybody read it; then its keeper has chosen.
    let limits = limits.ok().and_then(|mut all| all.remove(BUFFER_LIMIT));
    let eviction = eviction(&memory);
    let buffer = limits.as_deref().and_then(buffer);
    Ok(Examined {
        version: version(&server),
        master: None,
        is_published: publisher(&mut connection).await?.is_some(),
        dangers: too_old(&server).into_iter().chain(eviction).chain(buffer).collect(),
    })
}

/// A field of what `INFO` answers.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// Its version. Valkey also says of which Redis it does what that did.
fn version(server: &str) -> String {
    match field(server, "valkey_version") {
        Some(version) => format!("{version} (Valkey)"),
        None => field(server, "redis_version").unwrap_or("unknown").to_owned(),
    }
}

/// That Redis cannot do what the publisher asks: `SET … GET`.
fn too_old(server: &str) -> Option<String> {
    let version = field(server, "redis_version")?;
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    ((major, minor) < VERSION_MIN).then(|| {
        let (major, minor) = VERSION_MIN;
        format!("version {version} cannot hold what is published; install {major}.{minor} or later")
    })
}

/// That Redis may delete snapshots, which all have a time to live.
fn eviction(memory: &str) -> Option<String> {
    let policy = field(memory, "maxmemory_policy")?;
    let is_bounded = field(memory, "maxmemory")? != "0";
    (is_bounded && policy != "noeviction").then(|| {
        format!(
            "maxmemory-policy is {policy}: when memory is short it deletes books that subscribers \
             load; set noeviction"
        )
    })
}

/// That slow subscribers are cut off too soon, or never.
fn buffer(limits: &str) -> Option<String> {
    let mut words = limits.split_whitespace().skip_while(|word| *word != "pubsub").skip(1);
    let (hard, soft): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let what = if (hard, soft) == (0, 0) {
        "has no limit: one slow subscriber fills the memory of Redis".to_owned()
    } else if (1..BUFFER_BYTES_MIN).contains(&hard) {
        format!("is {hard} bytes: a burst of books cuts subscribers off")
    } else {
        return None;
    };
    Some(format!("{BUFFER_LIMIT} of pubsub {what}; set `pubsub 32mb 8mb 60`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_may_delete_books_is_a_danger() {
        let memory = |max: &str, policy: &str| {
            format!("# Memory\r\nmaxmemory:{max}\r\nmaxmemory_policy:{policy}\r\n")
        };
        assert_eq!(eviction(&memory("0", "allkeys-lru")), None);
        assert_eq!(eviction(&memory("1000000", "noeviction")), None);
        let danger = eviction(&memory("1000000", "volatile-ttl")).unwrap();
        assert!(danger.starts_with("maxmemory-policy is volatile-ttl"), "{danger}");
    }

    #[test]
    fn a_redis_without_what_is_asked_of_it_is_a_danger() {
        for (version, is_old) in
            [("6.0.16", true), ("5.0.7", true), ("6.2.0", false), ("7.0.15", false)]
        {
            let server =
                format!("# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n");
            assert_eq!(too_old(&server).is_some(), is_old, "{version}");
        }
        assert_eq!(too_old(""), None);
        let valkey = "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n";
        assert_eq!((version(valkey).as_str(), too_old(valkey)), ("8.0.1 (Valkey)", None));
        assert_eq!(version("redis_version:6.2.0\r\n"), "6.2.0");
    }

    #[test]
    fn buffers_of_subscribers_have_a_limit_that_a_burst_passes() {
        let limits = |pubsub| format!("normal 0 0 0 slave 268435456 67108864 60 pubsub {pubsub}");
        assert_eq!(buffer(&limits("33554432 8388608 60")), None);
        assert_eq!(buffer(&limits("0 8388608 60")), None);
        assert!(buffer(&limits("0 0 0")).unwrap().contains("no limit"));
        assert!(buffer(&limits("65536 0 0")).unwrap().contains("is 65536 bytes"));
    }
}
