//! [`Known`]: what is wanted and what is known of it, without REST or a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::Step;
use super::read::Found;
use crate::feeds::kalshi::wire::{EventFees, Lifecycle, LifecycleStep};
use crate::kalshi::wire::market::{Event, Market as ReadMarket};
use crate::model::{FeeSchedule, League, Market, MarketStatus, Subscription};

/// How long a step outranks what REST says: reads lag the exchange.
const STEP_OUTRANKS: Duration = Duration::from_secs(5);
/// The longest pause before a market that should have opened is read again.
const OPEN_PAUSE_MAX: Duration = Duration::from_secs(600);
/// The pause before something that was not there yet is read again.
const REREAD_PAUSE: Duration = Duration::from_secs(2);
/// How often something that is not there is read again.
const REREADS_MAX: u32 = 10;
/// How many events made since the start are remembered with their series.
const NEW_EVENTS_MAX: usize = 10_000;

/// Something to be read again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reread {
    /// An event with its markets.
    Event(Arc<str>),
    /// One market.
    Market(Arc<str>),
}

#[derive(Debug)]
struct Entry {
    market: Arc<Market>,
    /// When it is to be read because it should have opened.
    opens: Option<Timestamp>,
    /// The pause before it is read again if it has not.
    open_pause: Duration,
    /// When a step last changed it.
    stepped_at: Timestamp,
    /// When it was asked for.
    read_at: Timestamp,
}

/// What is wanted, and what is known of it.
#[derive(Debug, Default)]
pub(super) struct Known {
    wanted: BTreeSet<Subscription>,
    league_events: BTreeMap<League, BTreeSet<Arc<str>>>,
    entries: BTreeMap<Arc<str>, Entry>,
    series_fees: BTreeMap<Arc<str>, FeeSchedule>,
    /// The series of events made since the start.
    new_events: BTreeMap<Arc<str>, Arc<str>>,
    /// When to read again, and how often that was tried.
    rereads: BTreeMap<Reread, (Timestamp, u32)>,
}

impl Known {
    /// Takes over what is wanted. Returns what is new; what nobody wants is forgotten.
    pub(super) fn want(&mut self, wanted: BTreeSet<Subscription>) -> Vec<Subscription> {
        let new = wanted.difference(&self.wanted).cloned().collect();
        self.wanted = wanted;
        let wanted = &self.wanted;
        self.league_events
            .retain(|league, _| wanted.contains(&Subscription::League(league.clone())));
        self.forget_unwanted();
        new
    }

    /// Whether somebody wants this.
    pub(super) fn wants(&self, subscription: &Subscription) -> bool {
        self.wanted.contains(subscription)
    }

    pub(super) const fn wanted(&self) -> &BTreeSet<Subscription> {
        &self.wanted
    }

    /// The events on the games of a league: they are read.
    pub(super) fn want_league_events(
        &mut self,
        league: &League,
        events: BTreeSet<Arc<str>>,
        now: Timestamp,
    ) {
        if self.wants(&Subscription::League(league.clone())) {
            for event in &events {
                self.rereads.entry(Reread::Event(event.clone())).or_insert((now, 0));
            }
            self.league_events.insert(league.clone(), events);
            self.forget_unwanted();
        }
    }

    /// The markets whose books are to be followed: those that can still trade.
    pub(super) fn followed(&self) -> BTreeSet<Arc<str>> {
        let can_trade = |entry: &&Entry| match entry.market.status {
            MarketStatus::Initialized
            | MarketStatus::Active
            | MarketStatus::Inactive
            | MarketStatus::Closed
            | MarketStatus::Unknown => true,
            MarketStatus::Determined
            | MarketStatus::Disputed
            | MarketStatus::Amended
            | MarketStatus::Finalized => false,
        };
        let entries = self.entries.values().filter(can_trade);
        entries.map(|entry| entry.market.ticker.clone()).collect()
    }

    pub(super) const fn series_fees(&self) -> &BTreeMap<Arc<str>, FeeSchedule> {
        &self.series_fees
    }

    pub(super) fn learn_series_fees(&mut self, fees: BTreeMap<Arc<str>, FeeSchedule>) {
        self.series_fees.extend(fees);
    }

    /// The fees of all series are to be read again.
    pub(super) fn forget_fees(&mut self) {
        self.series_fees.clear();
    }

    /// Takes over what REST gave. Returns what is new or changed.
    pub(super) fn found(&mut self, found: Found) -> Vec<Arc<Market>> {
        let Found { event, markets, series_fees, read_at } = found;
        let fees = event.fees(series_fees);
        let mut changed = Vec::new();
        for read in markets {
            let opens = read.opens();
            let mut market = market_of(read, &event, fees);
            if !self.is_wanted(&market) {
                continue;
            }
            let entry = self.entries.get_mut(&market.ticker);
            let stepped_at = entry.as_ref().map_or(Timestamp::EPOCH, |entry| entry.stepped_at);
            if let Some(entry) = entry {
                // Readings overtake each other.
                if read_at < entry.read_at {
                    continue;
                }
                entry.read_at = read_at;
                if read_at < stepped_at + STEP_OUTRANKS {
                    let kept = &entry.market;
                    market.status = kept.status;
                    market.close_time = kept.close_time;
                    market.settlement = kept.settlement;
                    market.grid = kept.grid.clone();
                    market.fees = kept.fees;
                }
                if *entry.market == market {
                    continue;
                }
            }
            let market = Arc::new(market);
            changed.push(Arc::clone(&market));
            let ticker = market.ticker.clone();
            let open_pause = STEP_OUTRANKS;
            self.entries.insert(ticker, Entry { market, opens, open_pause, stepped_at, read_at });
        }
        changed
    }

    /// Takes a step. Returns what it changed.
    pub(super) fn step(&mut self, step: &Step, now: Timestamp) -> Vec<Arc<Market>> {
        match step {
            Step::Market(lifecycle) => self.market_step(lifecycle, now).into_iter().collect(),
            Step::Event(event) => {
                if let Some(series) = &event.series_ticker
                    && self.new_events.len() < NEW_EVENTS_MAX
                    && self.wants(&Subscription::Series(series.clone()))
                {
                    self.new_events.insert(event.event_ticker.clone(), series.clone());
                }
                Vec::new()
            }
            Step::Fees(fees) => self.fees_step(fees, now),
            Step::Missed => Vec::new(),
        }
    }

    fn market_step(&mut self, step: &Lifecycle, now: Timestamp) -> Option<Arc<Market>> {
        let ticker = &step.market_ticker;
        if step.step == LifecycleStep::Created {
            self.created(step, now);
            return None;
        }
        if !self.entries.contains_key(ticker) && self.may_be_wanted(ticker) {
            // It may be being read at this moment, from before the step.
            let due = (now + STEP_OUTRANKS, 0);
            self.rereads.insert(Reread::Market(ticker.clone()), due);
        }
        let entry = self.entries.get_mut(ticker)?;
        let before = Arc::clone(&entry.market);
        let market = Arc::make_mut(&mut entry.market);
        let mut must_reread = false;
        match step.step {
            LifecycleStep::Activated => market.status = MarketStatus::Active,
            LifecycleStep::Deactivated => market.status = MarketStatus::Inactive,
            LifecycleStep::CloseDateUpdated => match step.closes() {
                Some(closes) => {
                    market.close_time = Some(closes);
                    must_reread = market.status == MarketStatus::Closed && closes > now;
                }
                None => must_reread = true,
            },
            LifecycleStep::Determined => {
                market.status = MarketStatus::Determined;
                market.settlement = step.settlement();
                must_reread = market.settlement.is_none();
            }
            LifecycleStep::Settled => {
                market.status = MarketStatus::Finalized;
                must_reread = market.settlement.is_none();
            }
            LifecycleStep::PriceLevelStructureUpdated => match step.grid() {
                Some(grid) => market.grid = grid,
                None => must_reread = true,
            },
            LifecycleStep::Created | LifecycleStep::MetadataUpdated | LifecycleStep::Unknown => {
                must_reread = true
            }
        }
        let is_changed = *market != *before;
        if is_changed {
            entry.stepped_at = now;
        }
        let changed = is_changed.then(|| Arc::clone(&entry.market));
        if must_reread {
            // After the time in which a step outranks a read.
            let due = if is_changed { now + STEP_OUTRANKS } else { now };
            self.rereads.insert(Reread::Market(ticker.clone()), (due, 0));
        }
        changed
    }

    /// A market was made: if it may be of an event or series that somebody wants, its event is
    /// read, and what that says decides.
    fn created(&mut self, step: &Lifecycle, now: Timestamp) {
        let due = (now, 0);
        if self.wants(&Subscription::Market(step.market_ticker.clone())) {
            self.rereads.insert(Reread::Market(step.market_ticker.clone()), due);
        }
        let Some(event) = step.event_ticker() else { return };
        let is_of_series = self.wanted.iter().any(|wanted| match wanted {
            // Only a guess at which events are worth a read.
            Subscription::Series(series) => {
                event.strip_prefix(&**series).is_some_and(|rest| rest.starts_with('-'))
            }
            Subscription::Market(_) | Subscription::Event(_) | Subscription::League(_) => false,
        });
        if is_of_series || self.new_events.contains_key(event) || self.is_event_wanted(event) {
            // In place of a reading that is under way: it may be from before.
            self.rereads.insert(Reread::Event(event.clone()), due);
        }
    }

    /// Whether a market may be among those that somebody wants: a guess at what is worth a read.
    fn may_be_wanted(&self, ticker: &Arc<str>) -> bool {
        let begins = |name: &Arc<str>| {
            ticker.strip_prefix(&**name).is_some_and(|rest| rest.starts_with('-'))
        };
        self.league_events.values().flatten().any(begins)
            || self.wanted.iter().any(|wanted| match wanted {
                Subscription::Market(market) => market == ticker,
                Subscription::Event(name) | Subscription::Series(name) => begins(name),
                Subscription::League(_) => false,
            })
    }

    fn fees_step(&mut self, step: &EventFees, now: Timestamp) -> Vec<Arc<Market>> {
        let mut changed = Vec::new();
        for entry in self.entries.values_mut() {
            if entry.market.event_ticker != step.event_ticker {
                continue;
            }
            let Some(series) = self.series_fees.get(&entry.market.series_ticker) else {
                self.rereads.insert(Reread::Event(step.event_ticker.clone()), (now, 0));
                continue;
            };
            let fees = FeeSchedule {
                fee_type: step.fee_type_override.unwrap_or(series.fee_type),
                multiplier_milli: step
                    .fee_multiplier_override
                    .map_or(series.multiplier_milli, |multiplier| multiplier.0),
            };
            if entry.market.fees != fees {
                Arc::make_mut(&mut entry.market).fees = fees;
                entry.stepped_at = now;
                changed.push(Arc::clone(&entry.market));
            }
        }
        changed
    }

    /// Time passes: markets close at their time, and those that should have opened are read
    /// again. The lifecycle channel says neither.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<Arc<Market>> {
        let mut changed = Vec::new();
        for entry in self.entries.values_mut() {
            let is_over = entry.market.close_time.is_some_and(|closes| closes <= now);
            match entry.market.status {
                MarketStatus::Active | MarketStatus::Inactive if is_over => {
                    Arc::make_mut(&mut entry.market).status = MarketStatus::Closed;
                    entry.stepped_at = now;
                    changed.push(Arc::clone(&entry.market));
                }
                MarketStatus::Initialized
                    if !is_over && entry.opens.is_some_and(|opens| opens <= now) =>
                {
                    let reread = Reread::Market(entry.market.ticker.clone());
                    entry.opens = Some(now + entry.open_pause);
                    entry.open_pause = (entry.open_pause * 2).min(OPEN_PAUSE_MAX);
                    self.rereads.entry(reread).or_insert((now, 0));
                }
                _ => {}
            }
        }
        changed
    }

    /// The next thing to be read again now.
    pub(super) fn take_reread(&mut self, now: Timestamp) -> Option<Reread> {
        let (reread, (at, tries)) = self.rereads.iter_mut().find(|(_, (due, _))| *due <= now)?;
        // Stays, with its count of tries, until it is read or given up.
        *at = Timestamp::from_nanos(u64::MAX);
        *tries += 1;
        Some(reread.clone())
    }

    /// Something could not be read.
    pub(super) fn reread_failed(&mut self, reread: Reread, now: Timestamp) {
        let tries = self.rereads.get(&reread).map_or(0, |(_, tries)| *tries);
        if tries >= REREADS_MAX {
            self.rereads.remove(&reread);
        } else {
            self.rereads.insert(reread, (now + REREAD_PAUSE, tries));
        }
    }

    /// Something was read.
    pub(super) fn reread_done(&mut self, reread: &Reread) {
        if self.rereads.get(reread).is_some_and(|(due, _)| *due == Timestamp::from_nanos(u64::MAX))
        {
            self.rereads.remove(reread);
        }
    }

    fn is_event_wanted(&self, event: &Arc<str>) -> bool {
        self.wants(&Subscription::Event(event.clone()))
            || self.league_events.values().any(|events| events.contains(event))
    }

    fn is_wanted(&self, market: &Market) -> bool {
        self.wants(&Subscription::Market(market.ticker.clone()))
            || self.wants(&Subscription::Series(market.series_ticker.clone()))
            || self.is_event_wanted(&market.event_ticker)
    }

    fn forget_unwanted(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        self.entries =
            entries.into_iter().filter(|(_, entry)| self.is_wanted(&entry.market)).collect();
    }
}

fn market_of(read: ReadMarket, event: &Event, fees: FeeSchedule) -> Market {
    Market {
        status: read.status,
        grid: read.grid(),
        exchange_index: read.exchange_index(),
        close_time: read.closes(),
        settlement: read.settlement(),
        fees,
        mutually_exclusive: event.mutually_exclusive,
        strike_target: read.strike_target(),
        series_ticker: event.series_ticker.clone(),
        ticker: read.ticker,
        event_ticker: read.event_ticker,
        title: read.title,
        yes_title: read.yes_sub_title,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    /// Reads the one market of event `E` with this status, as of `read_at`.
    fn find(known: &mut Known, status: &str, read_at: Timestamp) -> Option<MarketStatus> {
        let event = json!({"event_ticker": "E", "series_ticker": "S"});
        let market = json!({"ticker": "M", "event_ticker": "E", "status": status});
        let event: Event = serde_json::from_value(event).unwrap();
        let found = Found {
            event,
            markets: vec![serde_json::from_value(market).unwrap()],
            series_fees: FeeSchedule::default(),
            read_at,
        };
        known.found(found).first().map(|market| market.status)
    }

    #[test]
    fn a_read_that_lags_does_not_undo_a_step() {
        let mut known = Known::default();
        known.want([Subscription::Event("E".into())].into());
        assert_eq!(find(&mut known, "active", at(0)), Some(MarketStatus::Active));
        let step = json!({"market_ticker": "M", "event_type": "deactivated"});
        let step = Step::Market(serde_json::from_value(step).unwrap());
        assert_eq!(known.step(&step, at(1))[0].status, MarketStatus::Inactive);
        assert_eq!(find(&mut known, "active", at(2)), None);
        assert_eq!(find(&mut known, "active", at(6)), Some(MarketStatus::Active));
    }

    #[test]
    fn a_step_that_comes_before_its_market_is_known_has_it_read_again() {
        let mut known = Known::default();
        known.want([Subscription::Event("E".into())].into());
        for (ticker, expected) in [("E-M", true), ("F-M", false)] {
            let step = json!({"market_ticker": ticker, "event_type": "determined"});
            known.step(&Step::Market(serde_json::from_value(step).unwrap()), at(0));
            assert_eq!(known.take_reread(at(0)), None, "not while REST may lag");
            assert_eq!(known.take_reread(at(5)).is_some(), expected, "{ticker}");
        }
    }

    #[test]
    fn a_reading_that_was_overtaken_changes_nothing() {
        let mut known = Known::default();
        known.want([Subscription::Event("E".into())].into());
        assert_eq!(find(&mut known, "inactive", at(5)), Some(MarketStatus::Inactive));
        assert_eq!(find(&mut known, "active", at(4)), None);
        assert_eq!(find(&mut known, "inactive", at(7)), None);
        assert_eq!(find(&mut known, "active", at(6)), None);
        assert_eq!(find(&mut known, "active", at(8)), Some(MarketStatus::Active));
    }

    #[test]
    fn what_nobody_wants_is_not_taken_in_and_not_kept() {
        let mut known = Known::default();
        assert_eq!(find(&mut known, "active", at(0)), None);
        known.want([Subscription::Market("M".into())].into());
        find(&mut known, "active", at(0));
        assert_eq!(known.followed().len(), 1);
        known.want(BTreeSet::new());
        assert_eq!(known.followed().len(), 0);
    }

    #[test]
    fn what_is_not_there_yet_is_read_again_and_then_given_up() {
        let mut known = Known::default();
        known.want([Subscription::Event("E".into())].into());
        let metadata = json!({"event_ticker": "E"});
        let step =
            json!({"market_ticker": "M", "event_type": "created", "additional_metadata": metadata});
        known.step(&Step::Market(serde_json::from_value(step).unwrap()), at(0));
        let mut tries = 0;
        for second in 0..100 {
            while let Some(reread) = known.take_reread(at(second)) {
                assert_eq!(reread, Reread::Event("E".into()));
                tries += 1;
                known.reread_failed(reread, at(second));
            }
        }
        assert_eq!(tries, REREADS_MAX);
    }
}
