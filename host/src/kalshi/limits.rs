//! The exchange's token buckets, kept on our side.
//!
//! Kalshi answers 429 without saying when to come back, so the host counts for itself: one
//! bucket for reads, one for writes of each shard, refilled continuously. A write with an
//! explicit shard from 1 on is billed to that shard's own bucket, shard 0 to the unscoped one, a
//! write that the exchange routes by itself to all of them. Source: Kalshi, rate limits.
//!
//! What it promises: new orders never take the tokens that are kept for cancels. What never
//! lives here: a clock, a wait; `now` comes in and a wait goes out.

use std::collections::BTreeMap;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::http::Method;
use super::wire::account::{AccountLimits, EndpointCosts};

/// How many buckets for shards are kept; Kalshi has four shards. Writes to any further shard
/// share the unscoped bucket, which only makes us slower.
const SHARDS_MAX: usize = 64;

/// The unscoped bucket, and shard 0.
const UNSCOPED: i32 = 0;

/// What every shard has in its bucket that no write has named yet: those that the exchange routes
/// by itself were billed to it all the same.
const UNNAMED: i32 = -1;

/// Why a request has no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// There are enough after this time.
    For(Duration),
    /// It needs more at once than its bucket ever holds, what is kept for cancels apart.
    Forever {
        /// What it needs.
        tokens: u32,
        /// What there is at most.
        most: u32,
    },
}

const NANOS: u64 = 1_000_000_000;

/// How fast a bucket fills and how much it holds, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second.
    pub refill: u32,
    /// The most tokens it holds.
    pub capacity: u32,
}

/// A token bucket. Tokens are counted in 1e-9 parts, so that one nanosecond at one token per
/// second is one part: refilling is exact.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bucket {
    rate: Rate,
    parts: u64,
    filled_at: Timestamp,
}

impl Bucket {
    fn full(rate: Rate, now: Timestamp) -> Self {
        Self { rate, parts: u64::from(rate.capacity) * NANOS, filled_at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let nanos = u64::try_from(now.since(self.filled_at).as_nanos()).unwrap_or(u64::MAX);
        let gained = nanos.saturating_mul(u64::from(self.rate.refill));
        let capacity = u64::from(self.rate.capacity) * NANOS;
        self.parts = self.parts.saturating_add(gained).min(capacity);
        self.filled_at = self.filled_at.max(now);
    }

    /// Why `tokens` cannot be taken so that `reserve` is left; none: they can.
    fn shortage(&self, tokens: u32, reserve: u32) -> Option<Shortage> {
        let most = self.rate.capacity.saturating_sub(reserve);
        if tokens > most {
            return Some(Shortage::Forever { tokens, most });
        }
        let needed = (u64::from(tokens) + u64::from(reserve)) * NANOS;
        let missing = needed.saturating_sub(self.parts);
        if missing == 0 {
            return None;
        }
        let refill = u64::from(self.rate.refill.max(1));
        Some(Shortage::For(Duration::from_nanos(missing.div_ceil(refill))))
    }

    fn take(&mut self, tokens: u32) {
        self.parts = self.parts.saturating_sub(u64::from(tokens) * NANOS);
    }

    fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
        self.parts = self.parts.min(u64::from(rate.capacity) * NANOS);
    }
}

/// What a request is billed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bill {
    /// A read.
    Read {
        /// Its price.
        tokens: u32,
    },
    /// A new order: leaves the reserve alone.
    Order {
        /// The shard; less than 0: routed by the exchange. Of a batch: 0.
        shard: i32,
        /// How many.
        count: u32,
    },
    /// A cancel: may use everything.
    Cancel {
        /// The shard; less than 0: routed by the exchange. Of a batch: 0.
        shard: i32,
        /// How many.
        count: u32,
    },
    /// Another write that can only end orders: priced like an order, and may use everything.
    Stop {
        /// The shard; less than 0: routed by the exchange.
        shard: i32,
    },
}

/// What the calls cost, in tokens. Source: `GET /account/endpoint_costs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// A read of one order.
    pub order_read: u32,
    /// Any other read.
    pub read: u32,
    /// A new order.
    pub create: u32,
    /// A cancel.
    pub cancel: u32,
}

impl Default for Costs {
    fn default() -> Self {
        Self { order_read: 2, read: 10, create: 10, cancel: 2 }
    }
}

/// The buckets of one account.
#[derive(Debug, Clone)]
pub struct Limits {
    read: Bucket,
    writes: BTreeMap<i32, Bucket>,
    write_rate: Rate,
    costs: Costs,
    cancel_reserve: u32,
}

impl Limits {
    /// The limits of the basic tier, which every account has at least, with full buckets.
    #[must_use]
    pub fn basic(now: Timestamp, cancel_reserve: u32) -> Self {
        let write_rate = Rate { refill: 100, capacity: 100 };
        Self {
            read: Bucket::full(Rate { refill: 200, capacity: 600 }, now),
            writes: [UNSCOPED, UNNAMED].map(|it| (it, Bucket::full(write_rate, now))).into(),
            write_rate,
            costs: Costs::default(),
            cancel_reserve,
        }
    }

    /// What the calls cost.
    #[must_use]
    pub const fn costs(&self) -> Costs {
        self.costs
    }

    /// Takes the tokens of a request.
    ///
    /// # Errors
    /// When there are not enough. Nothing is taken then.
    pub fn take(&mut self, bill: Bill, now: Timestamp) -> Result<(), Shortage> {
        let (shard, tokens, reserve) = match bill {
            Bill::Read { tokens } => {
                self.read.refill(now);
                return match self.read.shortage(tokens, 0) {
                    None => {
                        self.read.take(tokens);
                        Ok(())
                    }
                    Some(shortage) => Err(shortage),
                };
            }
            Bill::Order { shard, count } => {
                // A reserve that leaves no room for one order would mean none, ever.
                let room = self.write_rate.capacity.saturating_sub(self.costs.create);
                let tokens = self.costs.create.saturating_mul(count);
                (shard, tokens, self.cancel_reserve.min(room))
            }
            Bill::Cancel { shard, count } => (shard, self.costs.cancel.saturating_mul(count), 0),
            Bill::Stop { shard } => (shard, self.costs.create, 0),
        };
        let billed = self.billed(shard, now);
        let mut longest: Option<Duration> = None;
        for shard in &billed {
            let Some(bucket) = self.writes.get_mut(shard) else { continue };
            bucket.refill(now);
            match bucket.shortage(tokens, reserve) {
                None => {}
                Some(Shortage::For(wait)) => longest = longest.max(Some(wait)),
                Some(forever @ Shortage::Forever { .. }) => return Err(forever),
            }
        }
        if let Some(wait) = longest {
            return Err(Shortage::For(wait));
        }
        for shard in &billed {
            if let Some(bucket) = self.writes.get_mut(shard) {
                bucket.take(tokens);
            }
        }
        Ok(())
    }

    /// The exchange refused with 429 what we thought there were tokens for (another program may
    /// use the same account): the bucket counts as empty now.
    pub fn refused(&mut self, bill: Bill, now: Timestamp) {
        match bill {
            Bill::Read { .. } => {
                self.read.refill(now);
                self.read.parts = 0;
            }
            Bill::Order { shard, .. } | Bill::Cancel { shard, .. } | Bill::Stop { shard } => {
                for shard in self.billed(shard, now) {
                    if let Some(bucket) = self.writes.get_mut(&shard) {
                        bucket.refill(now);
                        bucket.parts = 0;
                    }
                }
            }
        }
    }

    /// Takes over the account's own limits. What is in the buckets stays.
    pub fn update_rates(&mut self, limits: &AccountLimits, now: Timestamp) {
        if let Some(rate) = limits.read.rate() {
            self.read.refill(now);
            self.read.set_rate(rate);
        }
        if let Some(rate) = limits.write.rate() {
            self.write_rate = rate;
            for bucket in self.writes.values_mut() {
                bucket.refill(now);
                bucket.set_rate(rate);
            }
        }
    }

    /// Takes over what the exchange says its calls cost.
    pub fn update_costs(&mut self, costs: &EndpointCosts) {
        let cost = |method: Method, tail: &str| costs.cost(method, tail).max(1);
        self.costs = Costs {
            order_read: cost(Method::Get, "/portfolio/orders/{order_id}"),
            read: costs.default_cost.max(1),
            create: cost(Method::Post, "/portfolio/events/orders"),
            cancel: cost(Method::Delete, "/portfolio/events/orders/{order_id}"),
        };
    }

    /// The buckets that a write to `shard` is billed to; makes the shard's own.
    fn billed(&mut self, shard: i32, now: Timestamp) -> Vec<i32> {
        if shard < 0 {
            return self.writes.keys().copied().collect();
        }
        if !self.writes.contains_key(&shard) {
            if self.writes.len() >= SHARDS_MAX {
                return vec![UNSCOPED];
            }
            let unnamed = self.writes.get(&UNNAMED).cloned();
            self.writes.insert(shard, unnamed.unwrap_or(Bucket::full(self.write_rate, now)));
        }
        vec![shard]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RESERVE: u32 = 20;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + ms)
    }

    fn short(ms: u64) -> Result<(), Shortage> {
        Err(Shortage::For(Duration::from_millis(ms)))
    }

    #[test]
    fn orders_stop_at_the_reserve_and_cancels_go_on() {
        let mut limits = Limits::basic(at(0), RESERVE);
        let order = Bill::Order { shard: 0, count: 1 };
        let cancel = Bill::Cancel { shard: 0, count: 1 };
        for _ in 0..8 {
            assert_eq!(limits.take(order, at(0)), Ok(()));
        }
        assert_eq!(limits.take(order, at(0)), short(100));
        for _ in 0..10 {
            assert_eq!(limits.take(cancel, at(0)), Ok(()));
        }
        assert_eq!(limits.take(cancel, at(0)), short(20));
        assert_eq!(limits.take(cancel, at(20)), Ok(()));
        let stop = Bill::Stop { shard: 0 };
        assert_eq!(limits.take(stop, at(120)), Ok(()), "whatever ends orders is not held back");
    }

    #[test]
    fn a_batch_that_never_fits_is_told_so_at_once() {
        let mut limits = Limits::basic(at(0), RESERVE);
        assert_eq!(
            limits.take(Bill::Order { shard: 0, count: 9 }, at(0)),
            Err(Shortage::Forever { tokens: 90, most: 80 })
        );
        assert_eq!(
            limits.take(Bill::Cancel { shard: 0, count: 51 }, at(0)),
            Err(Shortage::Forever { tokens: 102, most: 100 })
        );
        assert_eq!(limits.take(Bill::Order { shard: 0, count: 8 }, at(0)), Ok(()));
        let mut greedy = Limits::basic(at(0), 1_000);
        assert_eq!(greedy.take(Bill::Order { shard: 0, count: 1 }, at(0)), Ok(()));
    }

    #[test]
    fn a_shard_that_is_named_late_has_paid_for_what_was_routed() {
        let mut limits = Limits::basic(at(0), 0);
        for _ in 0..10 {
            assert_eq!(limits.take(Bill::Order { shard: -1, count: 1 }, at(0)), Ok(()));
        }
        assert_eq!(limits.take(Bill::Order { shard: 2, count: 1 }, at(0)), short(100));
    }

    #[test]
    fn each_shard_has_a_bucket_of_its_own_and_routed_writes_are_billed_to_all() {
        let mut limits = Limits::basic(at(0), 0);
        for _ in 0..10 {
            assert_eq!(limits.take(Bill::Order { shard: 3, count: 1 }, at(0)), Ok(()));
        }
        assert!(limits.take(Bill::Order { shard: 3, count: 1 }, at(0)).is_err());
        assert_eq!(limits.take(Bill::Order { shard: 0, count: 1 }, at(0)), Ok(()));
        assert!(limits.take(Bill::Order { shard: -1, count: 1 }, at(0)).is_err());
        assert_eq!(limits.take(Bill::Order { shard: -1, count: 1 }, at(100)), Ok(()));
        assert!(limits.take(Bill::Order { shard: 3, count: 1 }, at(100)).is_err());
    }

    #[test]
    fn a_refusal_by_the_exchange_empties_the_bucket() {
        let mut limits = Limits::basic(at(0), 0);
        let read = Bill::Read { tokens: 10 };
        assert_eq!(limits.take(read, at(0)), Ok(()));
        limits.refused(read, at(0));
        assert_eq!(limits.take(read, at(0)), short(50));
        assert_eq!(limits.take(read, at(50)), Ok(()));
    }

    #[test]
    fn the_accounts_own_limits_and_costs_are_taken_over() {
        let mut limits = Limits::basic(at(0), 0);
        let account: AccountLimits = serde_json::from_str(
            r#"{"usage_tier":"premier","read":{"refill_rate":1200,"bucket_capacity":1200},
                "write":{"refill_rate":1200,"bucket_capacity":3600},"grants":[]}"#,
        )
        .unwrap();
        limits.update_rates(&account, at(0));
        let costs: EndpointCosts = serde_json::from_str(
            r#"{"default_cost":10,"endpoint_costs":[
                {"method":"DELETE","path":"/trade-api/v2/portfolio/events/orders/:order_id","cost":3},
                {"method":"GET","path":"/portfolio/orders/{order_id}","cost":4}]}"#,
        )
        .unwrap();
        limits.update_costs(&costs);
        assert_eq!(limits.costs(), Costs { order_read: 4, read: 10, create: 10, cancel: 3 });
        for _ in 0..10 {
            assert_eq!(limits.take(Bill::Order { shard: 0, count: 1 }, at(0)), Ok(()));
        }
        assert_eq!(
            limits.take(Bill::Order { shard: 0, count: 1 }, at(0)).unwrap_err(),
            Shortage::For(Duration::from_nanos(8_333_334))
        );
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut limits = Limits::basic(at(1_000), 0);
        limits.refused(Bill::Read { tokens: 1 }, at(1_000));
        assert!(limits.take(Bill::Read { tokens: 1 }, at(0)).is_err());
        assert!(limits.take(Bill::Read { tokens: 1 }, at(1_000)).is_err());
    }

    fn bill() -> impl Strategy<Value = Bill> {
        prop_oneof![
            (-1_i32..4, 1_u32..4).prop_map(|(shard, count)| Bill::Order { shard, count }),
            (-1_i32..4, 1_u32..9).prop_map(|(shard, count)| Bill::Cancel { shard, count }),
        ]
    }

    proptest! {
        /// Over any sequence, no bucket gives more than its capacity plus what was refilled,
        /// and a wait that is kept is enough.
        #[test]
        fn no_bucket_gives_more_than_it_has(
            steps in prop::collection::vec((bill(), 0_u64..50), 1..300)
        ) {
            let mut limits = Limits::basic(at(0), RESERVE);
            let mut now = 0;
            let mut taken: BTreeMap<i32, u64> = BTreeMap::new();
            for (bill, pause) in steps {
                now += pause;
                let before = limits.clone();
                match limits.take(bill, at(now)) {
                    Ok(()) => {
                        let (shard, tokens) = match bill {
                            Bill::Order { shard, count } => (shard, 10 * u64::from(count)),
                            Bill::Cancel { shard, count } => (shard, 2 * u64::from(count)),
                            Bill::Read { .. } | Bill::Stop { .. } => unreachable!(),
                        };
                        for known in limits.writes.keys() {
                            if *known == shard || shard < 0 {
                                *taken.entry(*known).or_default() += tokens;
                            }
                        }
                    }
                    Err(Shortage::Forever { .. }) => prop_assert!(false, "all of these fit"),
                    Err(Shortage::For(wait)) => {
                        let mut later = before;
                        prop_assert_eq!(later.take(bill, at(now) + wait), Ok(()));
                    }
                }
                for tokens in taken.values() {
                    prop_assert!(*tokens <= 100 + now * 100 / 1_000 + 1);
                }
            }
        }
    }
}
