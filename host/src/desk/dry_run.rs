//! [`DryRun`]: decides and logs, and sends nothing.

use std::rc::Rc;
use std::sync::Arc;

use hotpit_rt::Clock;
use hotpit_units::{Dollars, Quantity, Timestamp};
use tracing::info;

use super::names::TraceId;
use super::venue::{
    AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, ReadError, Venue,
};
use crate::model::{ClientOrderId, VenueOrder};

/// An exchange that is only read: what would be sent is logged, and the desk is told that it was
/// not sent. Without a key there is nothing to read either: that proves nothing of orders, and the
/// account is pretended to be empty unless it is known not to be.
#[derive(Debug)]
pub struct DryRun<V> {
    inner: Option<Rc<V>>,
    clock: Clock,
    /// The cash on each shard of an account that cannot be read, so that there is something to
    /// decide about.
    pretended: Dollars,
    /// Earlier runs left something in the account.
    used: bool,
}

/// The shards that Kalshi has: each is pretended to have cash, so that no market is out of reach.
const SHARDS: std::ops::RangeInclusive<i32> = 0..=3;

/// Why nothing is read.
fn no_key(call: &'static str) -> ReadError {
    ReadError { call, reason: "there is no API key, so nothing is known of the account".to_owned() }
}

impl<V> DryRun<V> {
    /// Reads through `inner`; none: there is no key, so the account is empty but for `pretended`
    /// dollars of cash on each shard.
    #[must_use]
    pub const fn new(inner: Option<Rc<V>>, clock: Clock, pretended: Dollars) -> Self {
        Self { inner, clock, pretended, used: false }
    }

    /// Says whether earlier runs [left something](super::Recovered::is_flat) in the account. Then
    /// it is not pretended to be empty, for that would say that all of it is gone.
    #[must_use]
    pub const fn with_used(mut self, used: bool) -> Self {
        self.used = used;
        self
    }
}

impl<V: Venue> Venue for DryRun<V> {
    async fn place(&self, request: PlaceRequest) -> PlaceOutcome {
        info!(
            trace_id = TraceId::of(&request.client_order_id).map(display),
            client_order_id = %request.client_order_id,
            ticker = %request.ticker,
            side = %request.side,
            price = %request.price,
            quantity = %request.quantity,
            "would place"
        );
        PlaceOutcome::NotSent { reason: "DRY_RUN: live trading is off".to_owned() }
    }

    /// None is made: what is not sent needs none.
    async fn make_group(&self, _limit: Quantity, _shard: i32) -> Result<Arc<str>, String> {
        Err("DRY_RUN: live trading is off".to_owned())
    }

    /// The desk cancels its own orders alone. One that it took over from a run that was live can
    /// still be there, and stays.
    async fn cancel(&self, request: CancelRequest) -> CancelOutcome {
        info!(venue_order_id = %request.venue_order_id, ticker = %request.ticker, "would cancel");
        CancelOutcome::Refused { reason: "DRY_RUN: live trading is off".to_owned() }
    }

    async fn find(
        &self,
        client_order_id: &ClientOrderId,
        ticker: &str,
        placed_at: Timestamp,
    ) -> Result<Option<VenueOrder>, ReadError> {
        match &self.inner {
            Some(inner) => inner.find(client_order_id, ticker, placed_at).await,
            None => Err(no_key("find")),
        }
    }

    async fn account(&self, since: Timestamp) -> Result<AccountSnapshot, ReadError> {
        match &self.inner {
            Some(inner) => inner.account(since).await,
            None if self.used => Err(no_key("account")),
            None => Ok(AccountSnapshot {
                requested_at: self.clock.now(),
                resting: Vec::new(),
                fills: Vec::new(),
                positions: Vec::new(),
                settlements: Vec::new(),
                balances: SHARDS.map(|shard| (shard, self.pretended)).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use hotpit_units::{Price, Side};

    use super::*;

    /// No exchange at all.
    enum Nobody {}

    impl Venue for Nobody {
        async fn place(&self, _request: PlaceRequest) -> PlaceOutcome {
            match *self {}
        }

        async fn make_group(&self, _limit: Quantity, _shard: i32) -> Result<Arc<str>, String> {
            match *self {}
        }

        async fn cancel(&self, _request: CancelRequest) -> CancelOutcome {
            match *self {}
        }

        async fn find(
            &self,
            _client_order_id: &ClientOrderId,
            _ticker: &str,
            _placed_at: Timestamp,
        ) -> Result<Option<VenueOrder>, ReadError> {
            match *self {}
        }

        async fn account(&self, _since: Timestamp) -> Result<AccountSnapshot, ReadError> {
            match *self {}
        }
    }

    #[test]
    fn without_a_key_nothing_is_proved_of_orders_and_of_a_used_account() {
        let now = Timestamp::from_secs(1_000);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cash = Dollars::from_dollars(5);
            let clock = Clock::simulated(now);
            let dry = DryRun::<Nobody>::new(None, clock, cash);
            assert!(dry.find(&"old-1".into(), "KX-1", now).await.is_err());
            let balances = dry.account(now).await.unwrap().balances;
            assert_eq!(balances, [(0, cash), (1, cash), (2, cash), (3, cash)].into());
            assert!(dry.with_used(true).account(now).await.is_err());
        });
    }

    #[test]
    fn an_account_is_used_where_an_order_is_unfinished_or_a_position_is_open() {
        use crate::desk::Recovered;
        use crate::desk::record::{Holding, RecoveredHolding};
        let with = |contracts| {
            let mut holding = Holding::default();
            holding.trade(
                Side::Bid,
                Price::from_cents(50),
                Quantity::from_contracts(contracts),
                Dollars::ZERO,
            );
            let held = RecoveredHolding { agent: None, ticker: "KX-1".into(), holding };
            Recovered { runs: 1, holdings: vec![held], ..Recovered::default() }
        };
        assert!(with(0).is_flat());
        assert!(!with(1).is_flat());
    }
}
