//! What a practice exchange can be told before it starts.

use std::collections::BTreeMap;
use std::time::Duration;

use hotpit_units::{Dollars, Timestamp};

use super::limits::{SHARDS, Tier};
use super::sessions::REPLY_ROOM;
use crate::core::{PostOnlyCross, Shard};
use crate::scenario;

/// How time goes on the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// With the clock.
    #[default]
    RealTime,
    /// It stands at `start` until [`Floor::advance`](super::Floor::advance) moves it, so that the
    /// same seed and the same commands give the same frames to the last digit.
    Manual {
        /// Where it stands first.
        start: Timestamp,
    },
}

/// An account of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSettings {
    /// What the client sends as `KALSHI-ACCESS-KEY`.
    pub key_id: String,
    /// The key in PEM: public, or private, of which only the public half is kept.
    pub key_pem: String,
    /// Cash by shard.
    pub balances: BTreeMap<Shard, Dollars>,
    /// How many subaccounts it has, each with as much cash as itself.
    pub subaccounts: u8,
}

impl AccountSettings {
    /// An account with $10,000 on every shard, and no subaccounts.
    #[must_use]
    pub fn new(key_id: impl Into<String>, key_pem: impl Into<String>) -> Self {
        let balances = SHARDS.into_iter().map(|shard| (shard, Dollars::from_dollars(10_000)));
        Self {
            key_id: key_id.into(),
            key_pem: key_pem.into(),
            balances: balances.collect(),
            subaccounts: 0,
        }
    }

    /// With other cash: all of it on every shard.
    #[must_use]
    pub fn with_cash(mut self, amount: Dollars) -> Self {
        self.balances.values_mut().for_each(|balance| *balance = amount);
        self
    }

    /// With so many subaccounts, numbered from 1 on.
    #[must_use]
    pub const fn with_subaccounts(mut self, count: u8) -> Self {
        self.subaccounts = count;
        self
    }
}

/// What a practice exchange can be told before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The accounts.
    pub accounts: Vec<AccountSettings>,
    /// The world that trades; `None`: nothing is listed, a test lists what it needs.
    pub scenario: Option<scenario::Settings>,
    /// How time goes.
    pub pace: Pace,
    /// How fast accounts may ask.
    pub tier: Tier,
    /// What becomes of a post-only order that would take.
    pub post_only_cross: PostOnlyCross,
    /// How far the timestamp of a signature may be from the exchange's clock.
    pub timestamp_tolerance: Duration,
    /// How often a WebSocket client is pinged.
    pub ping_interval: Duration,
    /// How long a client may be silent before its connection is dropped. It answers a ping at
    /// least, so this is more than the ping interval.
    pub pong_timeout: Duration,
    /// Frames that may wait for a slow reader before its subscription dies with error 25.
    pub frames_queued_max: usize,
    /// Markets in one subscription before error 26.
    pub subscription_markets_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            scenario: Some(scenario::Settings::default()),
            pace: Pace::RealTime,
            tier: Tier::default(),
            post_only_cross: PostOnlyCross::default(),
            timestamp_tolerance: Duration::from_secs(5),
            ping_interval: Duration::from_secs(10),
            pong_timeout: Duration::from_secs(25),
            frames_queued_max: 16_384,
            subscription_markets_max: 10_000,
        }
    }
}

impl Settings {
    /// Reports every value that cannot be used, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if let Some(scenario) = &self.scenario {
            scenario.validate(problems);
        }
        if self.pong_timeout <= self.ping_interval {
            problems.push(format!(
                "pong_timeout: {:?} is not more than ping_interval {:?}",
                self.pong_timeout, self.ping_interval
            ));
        }
        if self.ping_interval.is_zero() {
            problems.push("ping_interval: must be more than zero".into());
        }
        if self.frames_queued_max == 0 {
            problems.push("frames_queued_max: must be more than zero".into());
        }
        if self.subscription_markets_max == 0 {
            problems.push("subscription_markets_max: must be more than zero".into());
        }
    }

    /// The size of the queue to a connection.
    pub(super) const fn queue_size(&self) -> usize {
        self.frames_queued_max + REPLY_ROOM
    }
}
