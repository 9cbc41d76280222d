//! Token buckets: how fast an account may ask.
//!
//! Every request costs tokens out of a Read or a Write budget (Kalshi, "rate limits"). Buckets
//! refill continuously. Writes are billed per shard: shard 0 and requests without a shard share
//! one bucket, every other shard has a full-size bucket of its own, and a request that the
//! exchange must route itself is billed on all of them.

use std::collections::BTreeMap;

use hotpit_units::Timestamp;
use serde::Serialize;

use crate::core::Shard;

/// What a request costs if nothing else is said.
pub const DEFAULT_COST: u64 = 10;
/// What a cancel, one cancel of a batch, and the look-up of one order cost.
pub const LOW_COST: u64 = 2;

/// The shards that exist (Kalshi, "exchange sharding", as of October 2026).
pub const SHARDS: [Shard; 4] = [0, 1, 2, 3];

/// How much an account may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Everyone, after signing up.
    Basic,
    /// On request.
    Advanced,
    /// By volume.
    Expert,
    /// By volume.
    Premier,
    /// By volume.
    Paragon,
    /// By volume.
    Prime,
    /// By volume; the default here, so that a first run is not slowed down.
    #[default]
    Prestige,
}

impl Tier {
    /// The tier's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Advanced => "advanced",
            Self::Expert => "expert",
            Self::Premier => "premier",
            Self::Paragon => "paragon",
            Self::Prime => "prime",
            Self::Prestige => "prestige",
        }
    }

    /// The size of the Read bucket.
    #[must_use]
    pub const fn read(self) -> BucketSize {
        let refill_rate = match self {
            Self::Basic => 200,
            Self::Advanced => 300,
            Self::Expert => 600,
            Self::Premier => 1_200,
            Self::Paragon => 2_400,
            Self::Prime => 4_800,
            Self::Prestige => 12_000,
        };
        let seconds = if matches!(self, Self::Basic | Self::Advanced) { 3 } else { 1 };
        BucketSize { refill_rate, bucket_capacity: refill_rate * seconds }
    }

    /// The size of each Write bucket.
    #[must_use]
    pub const fn write(self) -> BucketSize {
        let refill_rate = match self {
            Self::Basic => 100,
            Self::Advanced => 300,
            Self::Expert => 600,
            Self::Premier => 1_200,
            Self::Paragon => 2_400,
            Self::Prime => 4_800,
            Self::Prestige => 9_600,
        };
        let seconds = if matches!(self, Self::Basic) { 1 } else { 3 };
        BucketSize { refill_rate, bucket_capacity: refill_rate * seconds }
    }
}

/// The size of one bucket, as `GET /account/limits` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BucketSize {
    /// Tokens per second.
    pub refill_rate: u64,
    /// Tokens when full.
    pub bucket_capacity: u64,
}

/// What a request is billed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// The Read bucket.
    Read,
    /// The Write bucket of a shard; 0 is also where requests without a shard go.
    Write(Shard),
    /// The Write buckets of all shards: the exchange has to find the shard itself.
    WriteEverywhere,
}

impl Budget {
    /// The budget of a write that names its shard like this (`-1` means: find it).
    #[must_use]
    pub fn of_write(exchange_index: Option<Shard>) -> Self {
        match exchange_index {
            None | Some(-1) => Self::WriteEverywhere,
            Some(shard) => Self::Write(shard),
        }
    }
}

/// One bucket. Levels are in 1e-9 tokens, so that a nanosecond at one token per second counts.
#[derive(Debug)]
struct Bucket {
    size: BucketSize,
    level: u64,
    at: Timestamp,
}

const NANO: u64 = 1_000_000_000;

impl Bucket {
    fn full(size: BucketSize, now: Timestamp) -> Self {
        Self { size, level: size.bucket_capacity * NANO, at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let elapsed = u64::try_from(now.since(self.at).as_nanos()).unwrap_or(u64::MAX);
        let gained = elapsed.saturating_mul(self.size.refill_rate);
        self.level = self.level.saturating_add(gained).min(self.size.bucket_capacity * NANO);
        self.at = self.at.max(now);
    }
}

/// Which bucket of an account: `None` is Read, a shard is its Write bucket.
type BucketKey = (String, Option<Shard>);

/// The buckets of all accounts.
#[derive(Debug)]
pub struct Limits {
    tier: Tier,
    buckets: BTreeMap<BucketKey, Bucket>,
}

impl Limits {
    /// Full buckets of the sizes of `tier` for everyone.
    #[must_use]
    pub fn new(tier: Tier) -> Self {
        Self { tier, buckets: BTreeMap::new() }
    }

    /// Takes `cost` tokens out of the buckets that `budget` names, all or none. `false` means
    /// 429.
    pub fn take(&mut self, account: &str, budget: Budget, cost: u64, now: Timestamp) -> bool {
        let wanted: Vec<Option<Shard>> = match budget {
            Budget::Read => vec![None],
            // A shard that does not exist has no bucket of its own to be had.
            Budget::Write(shard) if SHARDS.contains(&shard) => vec![Some(shard)],
            Budget::Write(_) => vec![Some(0)],
            Budget::WriteEverywhere => SHARDS.iter().copied().map(Some).collect(),
        };
        let cost = cost.saturating_mul(NANO);
        let enough = wanted.iter().all(|bucket| self.bucket(account, *bucket, now).level >= cost);
        if enough {
            for bucket in wanted {
                self.bucket(account, bucket, now).level -= cost;
            }
        }
        enough
    }

    fn bucket(&mut self, account: &str, key: Option<Shard>, now: Timestamp) -> &mut Bucket {
        let size = if key.is_none() { self.tier.read() } else { self.tier.write() };
        let bucket = self
            .buckets
            .entry((account.to_owned(), key))
            .or_insert_with(|| Bucket::full(size, now));
        bucket.refill(now);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn takes(limits: &mut Limits, budget: Budget, cost: u64, now: Timestamp) -> u32 {
        (0..10_000).take_while(|_| limits.take("a", budget, cost, now)).count() as u32
    }

    #[test]
    fn basic_writes_ten_orders_at_once_and_ten_a_second() {
        let mut limits = Limits::new(Tier::Basic);
        assert_eq!(takes(&mut limits, Budget::Write(0), DEFAULT_COST, START), 10);
        let later = START + Duration::from_millis(300);
        assert_eq!(takes(&mut limits, Budget::Write(0), DEFAULT_COST, later), 3);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_capacity() {
        let mut limits = Limits::new(Tier::Basic);
        assert_eq!(takes(&mut limits, Budget::Read, DEFAULT_COST, START), 60);
        let much_later = START + Duration::from_secs(3_600);
        assert_eq!(takes(&mut limits, Budget::Read, DEFAULT_COST, much_later), 60);
    }

    #[test]
    fn reads_and_shards_have_buckets_of_their_own() {
        let mut limits = Limits::new(Tier::Basic);
        assert_eq!(takes(&mut limits, Budget::Write(3), LOW_COST, START), 50);
        assert_eq!(takes(&mut limits, Budget::Write(0), LOW_COST, START), 50);
        assert!(limits.take("a", Budget::Read, DEFAULT_COST, START));
        assert!(limits.take("b", Budget::Write(3), DEFAULT_COST, START));
        assert!(!limits.take("a", Budget::Write(57), DEFAULT_COST, START), "there is no 57");
    }

    #[test]
    fn a_write_without_a_shard_is_billed_on_every_shard_or_on_none() {
        let mut limits = Limits::new(Tier::Basic);
        assert_eq!(Budget::of_write(Some(-1)), Budget::WriteEverywhere);
        assert_eq!(takes(&mut limits, Budget::Write(2), 50, START), 2);
        assert!(!limits.take("a", Budget::WriteEverywhere, DEFAULT_COST, START));
        assert_eq!(takes(&mut limits, Budget::Write(0), DEFAULT_COST, START), 10);
    }
}
