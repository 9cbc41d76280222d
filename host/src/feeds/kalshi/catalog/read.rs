//! Reading what is wanted over REST: a [`Job`] becomes an [`Outcome`], beside everything else that
//! the catalog does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::LeagueNames;
use super::known::Reread;
use crate::kalshi::wire::market::{Event, Market};
use crate::kalshi::{CallError, Client, Transport};
use crate::model::{FeeSchedule, Subscription};

/// Something to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// Wanted markets, by ticker.
    Markets(Vec<Arc<str>>),
    /// A wanted event.
    Event(Arc<str>),
    /// The open events of a wanted series.
    Series(Arc<str>),
    /// The games of a wanted league.
    League(Subscription, LeagueNames),
    /// What a step or the clock gave reason to read again.
    Again(Reread),
}

/// Markets of an event, as REST gave them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) event: Event,
    pub(super) markets: Vec<Market>,
    pub(super) series_fees: FeeSchedule,
    /// When they were asked for.
    pub(super) read_at: Timestamp,
}

/// What a reading gave. What was read before it failed counts.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) job: Job,
    pub(super) found: Vec<Found>,
    /// The events on the games of the league.
    pub(super) events: BTreeSet<Arc<str>>,
    /// Series whose fees were not known before.
    pub(super) fees: BTreeMap<Arc<str>, FeeSchedule>,
    /// Of several markets, those that could not be read, and why.
    pub(super) missing: BTreeMap<Arc<str>, String>,
    /// Why the reading failed as a whole.
    pub(super) failure: Option<String>,
}

/// Carries out one job.
pub(super) struct Reader<T> {
    client: Arc<Client<T>>,
    /// Which games of a league are near: their starts.
    near: (Timestamp, Timestamp),
    known_fees: BTreeMap<Arc<str>, FeeSchedule>,
    outcome: Outcome,
}

impl<T: Transport> Reader<T> {
    pub(super) const fn new(
        client: Arc<Client<T>>,
        near: (Timestamp, Timestamp),
        known_fees: BTreeMap<Arc<str>, FeeSchedule>,
        job: Job,
    ) -> Self {
        let outcome = Outcome {
            job,
            found: Vec::new(),
            events: BTreeSet::new(),
            fees: BTreeMap::new(),
            missing: BTreeMap::new(),
            failure: None,
        };
        Self { client, near, known_fees, outcome }
    }

    pub(super) async fn run(mut self) -> Outcome {
        let read = match self.outcome.job.clone() {
            Job::Markets(tickers) => self.markets(&tickers).await,
            Job::Event(event) | Job::Again(Reread::Event(event)) => self.event(&event).await,
            Job::Again(Reread::Market(ticker)) => self.markets(&[ticker]).await,
            Job::Series(series) => self.series(&series).await,
            Job::League(_, names) => self.league(names).await,
        };
        self.outcome.failure = read.err().map(|error| error.to_string());
        self.outcome
    }

    /// Markets by ticker, and the events that they belong to. One that cannot be read takes no
    /// other with it.
    async fn markets(&mut self, tickers: &[Arc<str>]) -> Result<(), CallError> {
        let read_at = self.now();
        let markets = self.client.markets(tickers).await?;
        let listed: BTreeSet<_> = markets.iter().map(|market| market.ticker.clone()).collect();
        for ticker in tickers.iter().filter(|ticker| !listed.contains(*ticker)) {
            self.outcome.missing.insert(ticker.clone(), "it is not listed".to_owned());
        }
        let mut by_event: BTreeMap<Arc<str>, Vec<Market>> = BTreeMap::new();
        for market in markets {
            by_event.entry(market.event_ticker.clone()).or_default().push(market);
        }
        for (event, markets) in by_event {
            let tickers: Vec<_> = markets.iter().map(|market| market.ticker.clone()).collect();
            let read = match self.client.event(&event).await {
                Ok(event) => self.find(event, markets, read_at).await,
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                let missing = tickers.into_iter().map(|ticker| (ticker, error.to_string()));
                self.outcome.missing.extend(missing);
            }
        }
        Ok(())
    }

    async fn event(&mut self, ticker: &str) -> Result<(), CallError> {
        let read_at = self.now();
        let mut event = self.client.event(ticker).await?;
        let markets = event.take_markets();
        self.find(event, markets, read_at).await
    }

    async fn series(&mut self, ticker: &str) -> Result<(), CallError> {
        let read_at = self.now();
        for mut event in self.client.events_of_series(ticker, "open").await? {
            let markets = event.take_markets();
            self.find(event, markets, read_at).await?;
        }
        Ok(())
    }

    async fn league(&mut self, names: LeagueNames) -> Result<(), CallError> {
        let (from, until) = self.near;
        for milestone in self.client.milestones(names.milestone_type, from).await? {
            let spelling = milestone.detail("league").unwrap_or_default();
            let is_of_league =
                names.spellings.iter().any(|known| known.eq_ignore_ascii_case(spelling));
            let is_near = milestone.starts().is_some_and(|start| start >= from && start <= until);
            if is_of_league && is_near {
                self.outcome.events.extend(milestone.primary_event_tickers);
                self.outcome.events.extend(milestone.related_event_tickers);
            }
        }
        Ok(())
    }

    async fn find(
        &mut self,
        event: Event,
        markets: Vec<Market>,
        read_at: Timestamp,
    ) -> Result<(), CallError> {
        let series = &event.series_ticker;
        let known = self.known_fees.get(series).or_else(|| self.outcome.fees.get(series)).copied();
        let series_fees = match known {
            Some(fees) => fees,
            None => {
                let fees = self.client.series(series).await?.fees();
                self.outcome.fees.insert(series.clone(), fees);
                fees
            }
        };
        self.outcome.found.push(Found { event, markets, series_fees, read_at });
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.client.clock().now()
    }
}

/// The starts of the games that are near.
pub(super) fn near(now: Timestamp, hours_behind: u64, hours_ahead: u64) -> (Timestamp, Timestamp) {
    let from = now.as_secs().saturating_sub(hours_behind.saturating_mul(3_600));
    let until = now + Duration::from_secs(hours_ahead.saturating_mul(3_600));
    (Timestamp::from_secs(from), until)
}
