//! [`DryRun`]: decides and logs, and sends nothing.

use std::rc::Rc;

use hotpit_rt::Clock;
use hotpit_units::{Dollars, Timestamp};
use tracing::info;

use super::venue::{
    AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, ReadError, Venue,
};
use crate::model::{ClientOrderId, VenueOrder};

/// An exchange that is only read: what would be sent is logged, and the desk is told that it was
/// not sent. Without a key there is nothing to read either, and the account is empty.
#[derive(Debug)]
pub struct DryRun<V> {
    inner: Option<Rc<V>>,
    clock: Clock,
    /// The cash of an account that cannot be read, so that there is something to decide about.
    pretended: Dollars,
}

impl<V> DryRun<V> {
    /// Reads through `inner`; none: there is no key, so the account is empty but for `pretended`
    /// dollars of cash.
    #[must_use]
    pub const fn new(inner: Option<Rc<V>>, clock: Clock, pretended: Dollars) -> Self {
        Self { inner, clock, pretended }
    }
}

impl<V: Venue> Venue for DryRun<V> {
    async fn place(&self, request: PlaceRequest) -> PlaceOutcome {
        info!(
            client_order_id = %request.client_order_id,
            ticker = %request.ticker,
            side = %request.side,
            price = %request.price,
            quantity = %request.quantity,
            "would place"
        );
        PlaceOutcome::NotSent { reason: "DRY_RUN: live trading is off".to_owned() }
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
            None => Ok(None),
        }
    }

    async fn account(&self, fills_since: Timestamp) -> Result<AccountSnapshot, ReadError> {
        match &self.inner {
            Some(inner) => inner.account(fills_since).await,
            None => Ok(AccountSnapshot {
                requested_at: self.clock.now(),
                resting: Vec::new(),
                fills: Vec::new(),
                positions: Vec::new(),
                balance: self.pretended,
            }),
        }
    }
}
