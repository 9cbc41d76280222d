//! [`Settings`] of the bus.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::redis::Address;
use crate::streams::Policy;

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In process; needs nothing.
    #[default]
    Embedded,
    /// Through a Redis (or Valkey) server.
    Redis,
}

/// The section `[bus]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `embedded` or `redis`.
    pub kind: Kind,
    /// Where Redis is: `redis://[user@]host[:port][/db]`, or `rediss://` for TLS. Where sentinels
    /// know which server is the master: `redis-sentinel://[user@]host[:port],…[/db]#name`, or
    /// `rediss-sentinel://`.
    pub url: String,
    /// The password for Redis, where the URL has none. Comes from the environment, never from
    /// the file.
    #[serde(skip)]
    pub password: Option<String>,
    /// The exchange that is published, as the configuration names it: hosts of two exchanges do not
    /// hear each other.
    #[serde(skip)]
    pub venue: String,
    /// How many messages may wait to be published. When they are more, book data is conflated
    /// to one snapshot per market; other messages are dropped, counted, and missed by every
    /// subscriber, who sees it.
    pub queue_max: usize,
    /// How many messages may wait at a subscriber while it loads snapshots. When they are more,
    /// the load starts again.
    pub buffer_max: usize,
    /// How often snapshot keys are written, in milliseconds; a subscriber that starts waits
    /// about as long.
    pub flush_ms: u64,
    /// How often a heartbeat goes over each channel, in milliseconds. A channel is silent, and
    /// the bus down, after three without any message.
    pub heartbeat_ms: u64,
    /// How long snapshot keys outlive their publisher, in seconds.
    pub key_expiry_secs: u64,
    /// How long Redis may take for an answer, in milliseconds.
    pub timeout_ms: u64,
    /// How many entries the stream of what happens at the desk keeps, about. 0: there is none.
    pub archive_entries_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: Kind::Embedded,
            url: "redis://127.0.0.1:6379".to_owned(),
            password: None,
            venue: String::new(),
            queue_max: 16_384,
            buffer_max: 65_536,
            flush_ms: 200,
            heartbeat_ms: 1_000,
            key_expiry_secs: 600,
            timeout_ms: 2_000,
            archive_entries_max: 100_000,
        }
    }
}

impl Settings {
    /// How connections to Redis are made, and made again.
    pub(super) const fn policy(&self) -> Policy {
        Policy {
            backoff_base: Duration::from_millis(100),
            backoff_cap: Duration::from_millis(self.timeout_ms.saturating_mul(2)),
            healthy_after: Duration::from_secs(10),
            is_kalshi: false,
        }
    }

    /// Adds what is wrong with the settings, each naming its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if self.kind == Kind::Redis
            && let Err(error) = Address::parse(&self.url, self.password.as_deref())
        {
            problems.push(format!("bus.url: {error}"));
        }
        let ranges = [
            ("queue_max", u64::try_from(self.queue_max).unwrap_or(u64::MAX), 64, 1 << 20),
            ("buffer_max", u64::try_from(self.buffer_max).unwrap_or(u64::MAX), 64, 1 << 20),
            ("flush_ms", self.flush_ms, 10, 10_000),
            ("heartbeat_ms", self.heartbeat_ms, 50, 60_000),
            ("key_expiry_secs", self.key_expiry_secs, 60, 86_400),
            ("timeout_ms", self.timeout_ms, 100, 60_000),
        ];
        for (key, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                problems.push(format!("bus.{key}: {value} is not between {least} and {most}"));
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            url,
            password: _,
            venue,
            queue_max,
            buffer_max,
            flush_ms,
            heartbeat_ms,
            key_expiry_secs,
            timeout_ms,
            archive_entries_max,
        } = self;
        f.debug_struct("Settings")
            .field("kind", kind)
            .field("url", &Address::mask(url))
            .field("venue", venue)
            .field("queue_max", queue_max)
            .field("buffer_max", buffer_max)
            .field("flush_ms", flush_ms)
            .field("heartbeat_ms", heartbeat_ms)
            .field("key_expiry_secs", key_expiry_secs)
            .field("timeout_ms", timeout_ms)
            .field("archive_entries_max", archive_entries_max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        let mut problems = vec![];
        Settings { kind: Kind::Redis, ..Settings::default() }.validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_named_at_once_and_none_shows_the_password() {
        let settings = Settings {
            kind: Kind::Redis,
            url: "http://me:hunter2@host".to_owned(),
            flush_ms: 0,
            queue_max: 1,
            ..Settings::default()
        };
        let mut problems = vec![];
        settings.validate(&mut problems);
        let text = format!("{problems:?} {settings:?}");
        for key in ["bus.url", "bus.flush_ms", "bus.queue_max"] {
            assert!(text.contains(key), "{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
}
