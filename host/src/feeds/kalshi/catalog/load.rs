//! Reading what is wanted over REST.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::Catalog;
use super::known::Found;
use crate::feeds::Publish;
use crate::kalshi::wire::error::Refusal;
use crate::kalshi::wire::market::{Event, Market};
use crate::kalshi::{CallError, Transport};
use crate::model::{FeeSchedule, League, Subscription};

impl<T: Transport, P: Publish> Catalog<T, P> {
    /// Reads what a subscription wants.
    pub(super) async fn load(&mut self, subscription: &Subscription) -> Result<(), CallError> {
        match subscription {
            Subscription::Market(ticker) => self.load_market(ticker).await,
            Subscription::Event(event) => self.load_event(event).await,
            Subscription::Series(series) => {
                let read_at = self.clock.now();
                for event in self.client.events_of_series(series, "open").await? {
                    self.take_event(event, read_at).await?;
                }
                Ok(())
            }
            Subscription::League(league) => self.load_league(league).await,
        }
    }

    /// Reads one market.
    pub(super) async fn load_market(&mut self, ticker: &Arc<str>) -> Result<(), CallError> {
        match self.load_markets(std::slice::from_ref(ticker)).await?.first() {
            None => Ok(()),
            Some(_) => Err(CallError::NotFound(Refusal::Other(format!("{ticker} is not listed")))),
        }
    }

    /// Reads markets by ticker, and the events that they belong to. Returns those that are not
    /// listed.
    pub(super) async fn load_markets(
        &mut self,
        tickers: &[Arc<str>],
    ) -> Result<Vec<Arc<str>>, CallError> {
        let read_at = self.clock.now();
        let markets = self.client.markets(tickers).await?;
        let found: BTreeSet<_> = markets.iter().map(|market| market.ticker.clone()).collect();
        let mut by_event: BTreeMap<Arc<str>, Vec<Market>> = BTreeMap::new();
        for market in markets {
            by_event.entry(market.event_ticker.clone()).or_default().push(market);
        }
        for (event, markets) in by_event {
            let event = self.client.event(&event).await?;
            self.take(&event, markets, read_at).await?;
        }
        Ok(tickers.iter().filter(|ticker| !found.contains(*ticker)).cloned().collect())
    }

    /// Reads an event with its markets.
    pub(super) async fn load_event(&mut self, ticker: &str) -> Result<(), CallError> {
        let read_at = self.clock.now();
        let event = self.client.event(ticker).await?;
        self.take_event(event, read_at).await
    }

    async fn load_league(&mut self, league: &League) -> Result<(), CallError> {
        let Some(names) = (self.leagues)(league) else {
            tracing::error!(league = %league.0, "a league that is not known is wanted");
            return Ok(());
        };
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let now = self.clock.now();
        let from = now.as_nanos().saturating_sub(
            u64::try_from(hours(self.settings.league_hours_behind).as_nanos()).unwrap_or(u64::MAX),
        );
        let from = Timestamp::from_nanos(from);
        let until = now + hours(self.settings.league_hours_ahead);
        let milestones = self.client.milestones(names.milestone_type, from).await?;
        let mut events = BTreeSet::new();
        for milestone in milestones {
            let spelling = milestone.detail("league").unwrap_or_default();
            let is_of_league =
                names.spellings.iter().any(|known| known.eq_ignore_ascii_case(spelling));
            let is_soon = milestone.starts().is_some_and(|start| start >= from && start <= until);
            if is_of_league && is_soon {
                events.extend(milestone.primary_event_tickers);
                events.extend(milestone.related_event_tickers);
            }
        }
        self.known.want_league_events(league.clone(), events.clone());
        let mut failure = None;
        for event in &events {
            self.keep_up();
            // One event that cannot be read does not keep the others of the league away.
            if let Err(error) = self.load_event(event).await {
                tracing::debug!(%event, %error, "event of a league not read");
                failure = Some(error);
            }
        }
        self.tell_session();
        failure.map_or(Ok(()), Err)
    }

    async fn take_event(&mut self, mut event: Event, read_at: Timestamp) -> Result<(), CallError> {
        let markets = event.take_markets();
        self.take(&event, markets, read_at).await
    }

    /// Takes over markets of an event, publishes those that are new or changed, and tells the
    /// session.
    async fn take(
        &mut self,
        event: &Event,
        markets: Vec<Market>,
        read_at: Timestamp,
    ) -> Result<(), CallError> {
        let series_fees = self.series_fees(&event.series_ticker).await?;
        let found = Found { event, markets, series_fees, read_at };
        let changed = self.known.found(found);
        self.publish_all(changed, self.clock.now());
        self.tell_session();
        Ok(())
    }

    async fn series_fees(&mut self, series: &Arc<str>) -> Result<FeeSchedule, CallError> {
        if let Some(fees) = self.known.series_fees(series) {
            return Ok(fees);
        }
        let fees = self.client.series(series).await?.fees();
        self.known.learn_series_fees(series.clone(), fees);
        Ok(fees)
    }
}
