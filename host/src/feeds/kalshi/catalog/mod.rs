//! Which markets are wanted, and what is known of them apart from their books.
//!
//! The catalog turns what agents and desk want (markets, events, series, leagues) into markets,
//! reads them over REST, publishes a `Market` message for each that is new or changed, and tells
//! the session which books to follow. It follows the steps of the lifecycle channel, keeps a
//! clock for what the channel does not say (opening and closing at their times), and reads
//! everything anew now and then. What it knows is in [`known`], what it reads in [`read`]; here is
//! the time. Readings run beside it: a step of a market never waits for one.

mod known;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use self::known::Known;
use self::read::{Job, Outcome, Reader, near};
use super::Tickers;
use super::settings::Settings;
use super::wire::{EventCreated, EventFees, Lifecycle};
use crate::bus::Message;
use crate::feeds::{Publish, Wants};
use crate::kalshi::{Client, Transport};
use crate::model::{League, Market, Subscription};

/// How many steps may wait for the catalog. When it is full the session leaves steps out, counts
/// them, and says [`Step::Missed`] once there is room: everything is then read anew.
pub(super) const STEPS_CAPACITY: usize = 4_096;

/// How often the catalog looks for what is due.
const TICK: Duration = Duration::from_millis(250);
/// The pause before something that could not be read is read again; it doubles from there.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause before something that could not be read is read again.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(300);
/// How many readings are under way at once.
const READINGS_MAX: usize = 4;
/// How long steps that were missed may pile up into one reading.
const MISSED_PAUSE: Duration = Duration::from_millis(500);

/// The shortest time between two such readings: a frame that this version cannot read may come
/// again and again, and reads are shared with the desk.
const MISSED_PAUSE_MIN: Duration = Duration::from_secs(30);

/// A step in the life of a market or event, from the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A market's.
    Market(Box<Lifecycle>),
    /// An event was made.
    Event(Box<EventCreated>),
    /// An event's fees changed.
    Fees(Box<EventFees>),
    /// Steps were missed.
    Missed,
}

/// How Kalshi's milestones name a league.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeagueNames {
    /// The `type` of its games, such as `football_game`.
    pub milestone_type: &'static str,
    /// The spellings of `details.league`.
    pub spellings: &'static [&'static str],
}

/// Everything the catalog needs, and what it knows.
pub(super) struct Catalog<T, P> {
    settings: Settings,
    client: Arc<Client<T>>,
    publish: P,
    leagues: fn(&League) -> Option<LeagueNames>,
    wants: watch::Receiver<Wants>,
    steps: mpsc::Receiver<Step>,
    markets: watch::Sender<Arc<Tickers>>,
    clock: Clock,
    known: Known,
    /// What is to be read, and when.
    due: BTreeMap<Subscription, Timestamp>,
    /// How often in a row something could not be read.
    failures: BTreeMap<Subscription, u32>,
    reload_at: Timestamp,
    /// When everything was read again last.
    reloaded: Timestamp,
}

/// The readings under way.
type Readings = FuturesUnordered<BoxFuture<'static, Outcome>>;

impl<T: Transport, P: Publish> Catalog<T, P> {
    #[expect(clippy::too_many_arguments, reason = "one call; a struct would name them twice")]
    pub(super) fn new(
        settings: Settings,
        client: Arc<Client<T>>,
        publish: P,
        leagues: fn(&League) -> Option<LeagueNames>,
        wants: watch::Receiver<Wants>,
        steps: mpsc::Receiver<Step>,
        markets: watch::Sender<Arc<Tickers>>,
        clock: Clock,
    ) -> Self {
        let refresh = Duration::from_secs(settings.catalog_refresh_secs);
        Self {
            reload_at: clock.now() + refresh,
            reloaded: Timestamp::EPOCH,
            settings,
            client,
            publish,
            leagues,
            wants,
            steps,
            markets,
            clock,
            known: Known::default(),
            due: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut is_watched, mut has_steps) = (true, true);
        let mut readings = Readings::new();
        self.take_wants();
        loop {
            self.start_readings(&mut readings);
            tokio::select! {
                biased;
                changed = self.wants.changed(), if is_watched => {
                    is_watched = changed.is_ok();
                    self.take_wants();
                }
                step = self.steps.recv(), if has_steps => match step {
                    Some(step) => self.step(&step),
                    None => has_steps = false,
                },
                Some(outcome) = readings.next(), if !readings.is_empty() => self.take(outcome),
                _ = ticks.tick() => self.watch_the_clock(),
            }
        }
    }

    /// Takes over what is wanted now: what is new is read at once, what nobody wants is left.
    fn take_wants(&mut self) {
        let wanted = self.wants.borrow_and_update().all();
        let now = self.clock.now();
        for subscription in self.known.want(wanted) {
            self.due.insert(subscription, now);
        }
        let known = &self.known;
        self.due.retain(|subscription, _| known.wants(subscription));
        self.failures.retain(|subscription, _| known.wants(subscription));
        self.tell_session();
    }

    fn step(&mut self, step: &Step) {
        let now = self.clock.now();
        if *step == Step::Missed {
            let soonest = (now + MISSED_PAUSE).max(self.reloaded + MISSED_PAUSE_MIN);
            self.reload_at = self.reload_at.min(soonest);
            return;
        }
        let changed = self.known.step(step, now);
        self.publish_all(changed, now);
        self.tell_session();
    }

    fn watch_the_clock(&mut self) {
        let now = self.clock.now();
        let changed = self.known.tick(now);
        self.publish_all(changed, now);
        if now >= self.reload_at {
            self.reloaded = now;
            self.reload_at = now + Duration::from_secs(self.settings.catalog_refresh_secs);
            self.known.forget_fees();
            self.due = self.known.wanted().iter().map(|wanted| (wanted.clone(), now)).collect();
        }
    }

    /// Reads what is due, as far as readings are free.
    fn start_readings(&mut self, readings: &mut Readings) {
        while readings.len() < READINGS_MAX
            && let Some(job) = self.next_job()
        {
            let now = self.clock.now();
            let Settings { league_hours_behind, league_hours_ahead, .. } = self.settings;
            let reader = Reader::new(
                Arc::clone(&self.client),
                near(now, league_hours_behind, league_hours_ahead),
                self.known.series_fees().clone(),
                job,
            );
            readings.push(Box::pin(reader.run()));
        }
    }

    fn next_job(&mut self) -> Option<Job> {
        // Markets by ticker are read together.
        let markets = self.take_due_markets();
        if !markets.is_empty() {
            return Some(Job::Markets(markets));
        }
        while let Some(next) = self.take_due() {
            match next {
                Subscription::Market(ticker) => return Some(Job::Markets(vec![ticker])),
                Subscription::Event(event) => return Some(Job::Event(event)),
                Subscription::Series(series) => return Some(Job::Series(series)),
                Subscription::League(ref league) => match (self.leagues)(league) {
                    Some(names) => return Some(Job::League(next, names)),
                    None => tracing::error!(league = %league.0, "an unknown league is wanted"),
                },
            }
        }
        self.known.take_reread(self.clock.now()).map(Job::Again)
    }

    /// Takes over what a reading gave.
    fn take(&mut self, outcome: Outcome) {
        let Outcome { job, found, events, fees, mut missing, failure } = outcome;
        let now = self.clock.now();
        self.known.learn_series_fees(fees);
        for found in found {
            let changed = self.known.found(found);
            self.publish_all(changed, now);
        }
        match job {
            Job::Markets(tickers) => {
                for ticker in tickers {
                    let failure = missing.remove(&ticker).or_else(|| failure.clone());
                    self.was_read(Subscription::Market(ticker), failure.as_deref());
                }
            }
            Job::Event(event) => self.was_read(Subscription::Event(event), failure.as_deref()),
            Job::Series(series) => self.was_read(Subscription::Series(series), failure.as_deref()),
            Job::League(subscription, _) => {
                if failure.is_none()
                    && let Subscription::League(league) = &subscription
                {
                    self.known.want_league_events(league, events, now);
                }
                self.was_read(subscription, failure.as_deref());
            }
            Job::Again(reread) => match failure.or_else(|| missing.into_values().next()) {
                None => self.known.reread_done(&reread),
                Some(failure) => {
                    tracing::debug!(?reread, failure, "not read, will be tried again");
                    self.known.reread_failed(reread, now);
                }
            },
        }
        self.tell_session();
    }

    fn take_due_markets(&mut self) -> Vec<Arc<str>> {
        let now = self.clock.now();
        let mut tickers = Vec::new();
        self.due.retain(|subscription, due| match subscription {
            Subscription::Market(ticker) if *due <= now => {
                tickers.push(ticker.clone());
                false
            }
            Subscription::Market(_)
            | Subscription::Event(_)
            | Subscription::Series(_)
            | Subscription::League(_) => true,
        });
        tickers
    }

    fn take_due(&mut self) -> Option<Subscription> {
        let now = self.clock.now();
        let next = self.due.iter().find(|(_, due)| **due <= now)?.0.clone();
        self.due.remove(&next);
        Some(next)
    }

    /// Something was read, or could not be: then it is read again, later each time.
    fn was_read(&mut self, subscription: Subscription, failure: Option<&str>) {
        let Some(failure) = failure else {
            self.failures.remove(&subscription);
            return;
        };
        if !self.known.wants(&subscription) {
            return;
        }
        let failures = self.failures.entry(subscription.clone()).or_insert(0);
        let pause = RETRY_PAUSE.saturating_mul(1 << (*failures).min(16)).min(RETRY_PAUSE_MAX);
        *failures = failures.saturating_add(1);
        tracing::warn!(?subscription, failure, ?pause, "wanted markets could not be read");
        self.due.insert(subscription, self.clock.now() + pause);
    }

    fn publish_all(&self, markets: Vec<Arc<Market>>, now: Timestamp) {
        for market in markets {
            self.publish.publish(Message::Market(market), now);
        }
    }

    /// Tells the session which books to follow, if they changed.
    fn tell_session(&self) {
        let followed = self.known.followed();
        self.markets.send_if_modified(|markets| {
            let is_changed = **markets != followed;
            if is_changed {
                *markets = Arc::new(followed);
            }
            is_changed
        });
    }
}

#[cfg(test)]
mod tests;
