//! What runs beside the calls so that an order waits for nothing.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{MissedTickBehavior, interval};

use super::{CallError, Client, ORDERS, Query};
use crate::kalshi::http::{Method, Transport};
use crate::kalshi::wire::account::{AccountLimits, EndpointCosts};

impl<T: Transport> Client<T> {
    /// Keeps a signature ready for orders and the limits up to date. Runs until it is dropped;
    /// belongs on a runtime whose threads may work, not on the desk's.
    ///
    /// Kalshi signs time, method and path, not the body: one signature does for every order
    /// while it is young enough. Two orders in one millisecond carry the same Ed25519 signature
    /// anyway, so the exchange cannot refuse a signature for having been seen before.
    pub async fn maintain(&self) {
        let signatures = async {
            let mut ticks = every(self.settings.signature_refresh_ms);
            loop {
                ticks.tick().await;
                self.refresh_signature().await;
            }
        };
        let limits = async {
            let mut ticks = every(self.settings.limits_refresh_secs.saturating_mul(1_000));
            loop {
                ticks.tick().await;
                if let Err(error) = self.refresh_limits().await {
                    tracing::warn!(%error, "rate limits could not be read, the last known stay");
                }
            }
        };
        // Side by side: a slow answer about limits must not let the signature grow old.
        let ((), ()) = tokio::join!(signatures, limits);
    }

    /// Keeps connections open, so that no order waits for a handshake. Runs until it is dropped;
    /// belongs on the runtime that sends the orders, because that is where connections live.
    pub async fn keep_warm(&self) {
        let mut warm = every(self.settings.keep_warm_ms);
        loop {
            warm.tick().await;
            let requests = (0..self.settings.warm_connections).map(|_| self.exchange_status());
            for error in join_all(requests).await.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "connection not warm");
            }
        }
    }

    /// Makes the signature for the next orders.
    pub(crate) async fn refresh_signature(&self) {
        if self.settings.signature_max_age_ms == 0 || !self.ready.is_wanted() {
            return;
        }
        let path = format!("{}{ORDERS}", self.base);
        match self.sign(Method::Post, &path).await {
            Ok(Some(signed)) => self.ready.put(signed),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "no signature could be kept ready"),
        }
    }

    /// Reads the account's limits and what calls cost.
    ///
    /// # Errors
    /// When one of the two cannot be read; what was read is taken over.
    pub async fn refresh_limits(&self) -> Result<(), CallError> {
        let costs: EndpointCosts = self.get("/account/endpoint_costs", &Query::new()).await?;
        self.limits().update_costs(&costs);
        if self.has_key() {
            let limits: AccountLimits = self.get("/account/limits", &Query::new()).await?;
            let now = self.clock.now();
            self.limits().update_rates(&limits, now);
            tracing::info!(tier = %limits.usage_tier, "rate limits read");
        }
        Ok(())
    }
}

/// Ticks at once and then every `ms`; ticks that were missed are not made up for.
fn every(ms: u64) -> tokio::time::Interval {
    let mut interval = interval(Duration::from_millis(ms.max(1)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
