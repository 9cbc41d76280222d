//! Keeping up with the exchange's account: when it is read, what is repaired, and whether the
//! desk knows enough to trade.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use tracing::info;

use super::agent_table::EXTERNAL;
use super::cash::CashSync;
use super::io::{Outputs, Request};
use super::market_table::MarketSlot;
use super::names::is_our_form;
use super::plausible;
use super::reconcile::{self, OurPosition, PositionDifference};
use super::record::{HoldingCause, HoldingChanged, Readiness, Record, Recovered};
use super::reports::difference;
use super::settings::retry_delay;
use super::state::Desk;
use super::table::Event;
use super::venue::{AccountSnapshot, ReadError};

/// The first wait before a read that failed is tried again, and the longest.
const READ_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How many positions that do not agree are shown at once.
const SHOWN_MAX: usize = 20;

/// Why a desk that was just made may not trade.
const NOT_SUBSCRIBED: &str = "the private channels are not subscribed yet";

/// A position that does not agree: ours and theirs.
type Drift = BTreeMap<Arc<str>, (Quantity, Quantity)>;

/// Where the comparison with the exchange stands.
#[derive(Debug)]
pub(super) struct Sync {
    /// Why the desk may not trade, if it may not; as of the last change.
    not_ready: Option<String>,
    reading: bool,
    /// A read was asked for while one was under way, which may not show what it is asked for.
    again: bool,
    due: Timestamp,
    attempt: u32,
    /// A read that was asked for since this time succeeded.
    read: bool,
    valid_from: Timestamp,
    /// When the last read that succeeded was asked for.
    compared: Option<Timestamp>,
    /// Why the last read failed, if it did.
    error: Option<String>,
    /// Reports of the exchange do not come, and why.
    down: Option<String>,
    /// Since when it is.
    down_since: Option<Timestamp>,
    /// What comes out of the bus cannot be traded on, and why.
    bus_down: Option<String>,
    /// Fills up to here are known to be read.
    fills_read: Timestamp,
    /// What traded before this was in the account when the journal began.
    since: Timestamp,
    /// The journal is new: the exchange's word on positions is taken.
    adopt: bool,
    /// What an operator was shown and takes the exchange's word on.
    accepted: Drift,
    pub(super) cash: CashSync,
    suspects: Drift,
    pub(super) drift: Drift,
    /// Something was too young to be judged in the last comparison.
    pub(super) undecided: bool,
    pub(super) last_booked: Timestamp,
    /// When the account was read last because fills were missing.
    read_for_fills: Timestamp,
}

impl Sync {
    pub(super) fn new(recovered: &Recovered, now: Timestamp) -> Self {
        let oldest_order = recovered.orders.iter().map(|order| order.intent.ts).min();
        let last_fill = recovered.last_fill.unwrap_or(now);
        let fills_read = oldest_order.map_or(last_fill, |oldest| oldest.min(last_fill));
        Self {
            not_ready: Some(NOT_SUBSCRIBED.to_owned()),
            reading: false,
            again: false,
            due: now,
            attempt: 0,
            read: false,
            valid_from: now,
            compared: None,
            error: None,
            down: Some(NOT_SUBSCRIBED.to_owned()),
            down_since: Some(now),
            bus_down: None,
            fills_read: fills_read.min(now),
            since: recovered.since.unwrap_or(now),
            adopt: recovered.runs == 0,
            accepted: Drift::new(),
            cash: CashSync::default(),
            suspects: Drift::new(),
            drift: Drift::new(),
            undecided: false,
            last_booked: Timestamp::EPOCH,
            read_for_fills: Timestamp::EPOCH,
        }
    }

    /// Whether the private channel broke so long ago.
    pub(super) fn is_down_since(&self, now: Timestamp, grace: Duration) -> bool {
        self.down_since.is_some_and(|since| since + grace <= now)
    }

    pub(super) fn not_ready(&self) -> Option<&str> {
        self.not_ready.as_deref()
    }

    /// When our books were last compared with the exchange's, as the exchange had them then.
    pub(super) const fn compared(&self) -> Option<Timestamp> {
        self.compared
    }

    /// Why the last try to compare failed, if it did.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The account is read as soon as possible, after the read that is under way if there is one.
    pub(super) fn read_soon(&mut self, now: Timestamp) {
        self.again = self.reading;
        self.due = self.due.min(now);
    }

    /// The account is read because fills are missing, but not more often than reads can show
    /// something new.
    pub(super) fn read_for_fills(&mut self, now: Timestamp, lag: Duration) {
        if self.read_for_fills + lag <= now {
            self.read_for_fills = now;
            self.read_soon(now);
        }
    }

    /// The account is read at this time at the latest.
    pub(super) fn read_by(&mut self, at: Timestamp) {
        self.due = self.due.min(at);
    }

    /// The clock was set: the account is read anew, and fills since a time that was.
    pub(super) fn clock_set(&mut self, now: Timestamp) {
        self.fills_read = self.fills_read.min(now);
        self.valid_from = self.valid_from.min(now);
        self.down_since = self.down_since.map(|since| since.min(now));
        self.read_for_fills = Timestamp::EPOCH;
        self.attempt = 0;
        self.due = now;
        self.read_soon(now);
    }

    pub(super) fn booked(&mut self, now: Timestamp) {
        self.last_booked = now;
    }

    /// The exchange's word is taken on the positions that do not agree, as they were shown. What
    /// differs otherwise by the next read is a new difference.
    pub(super) fn accept_drift(&mut self, now: Timestamp) {
        // Only what is shown: while something else keeps the desk back, nobody sees the positions.
        let is_shown = self.not_ready.as_ref().is_some_and(|shown| *shown == told(&self.drift));
        if !self.drift.is_empty() && is_shown {
            let shown = self.drift.iter().take(SHOWN_MAX);
            self.accepted = shown.map(|(ticker, pair)| (Arc::clone(ticker), *pair)).collect();
            self.read_soon(now);
        }
    }
}

impl Desk {
    pub(super) fn connected(&mut self, now: Timestamp, out: &mut Outputs) {
        self.sync.down = None;
        self.sync.down_since = None;
        self.sync.read = false;
        self.sync.valid_from = now;
        self.sync.attempt = 0;
        self.sync.read_soon(now);
        for key in self.orders.open_keys() {
            self.retry_now(key, now);
        }
        self.read_account_if_due(now, out);
        self.update_readiness(now, out);
    }

    pub(super) fn disconnected(&mut self, reason: String, now: Timestamp, out: &mut Outputs) {
        self.sync.down = Some(format!("the private channel is down: {reason}"));
        self.sync.down_since = self.sync.down_since.or(Some(now));
        self.update_readiness(now, out);
    }

    pub(super) fn bus_changed(&mut self, down: Option<String>, now: Timestamp, out: &mut Outputs) {
        self.sync.bus_down = down;
        self.update_readiness(now, out);
    }

    pub(super) fn read_account_if_due(&mut self, now: Timestamp, out: &mut Outputs) {
        if self.sync.reading || self.sync.due > now {
            return;
        }
        self.sync.reading = true;
        self.ledger.watch_reserved();
        // An order whose fills are missing may have traded before the last read.
        let oldest_missing = self
            .orders
            .open()
            .filter(|(_, order)| order.missing().is_positive())
            .map(|(_, order)| order.created)
            .min();
        let since = oldest_missing.map_or(self.sync.fills_read, |at| at.min(self.sync.fills_read));
        let overlap = u64::try_from(self.settings.timing.fills_overlap().as_nanos());
        let since = since.as_nanos().saturating_sub(overlap.unwrap_or(u64::MAX));
        let since = Timestamp::from_nanos(since);
        out.requests.push(Request::ReadAccount { since });
    }

    pub(super) fn account_read(
        &mut self,
        result: Result<AccountSnapshot, ReadError>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        self.sync.reading = false;
        // What cannot be true tells nothing of the rest either: as good as no answer.
        let result = result.and_then(|snapshot| match plausible::problem(&snapshot) {
            None => Ok(snapshot),
            Some(problem) => {
                Err(ReadError { call: "GET /portfolio", reason: format!("it names {problem}") })
            }
        });
        match result {
            Ok(snapshot) => {
                self.sync.error = None;
                self.sync.attempt = 0;
                self.sync.due = now + self.settings.timing.reconcile_every();
                let again = std::mem::take(&mut self.sync.again);
                self.reconcile(&snapshot, now, out);
                if again {
                    self.sync.read_soon(now);
                }
            }
            // The next try is what was asked for meanwhile.
            Err(error) => {
                self.sync.again = false;
                let delay = retry_delay(READ_RETRY.0, READ_RETRY.1, self.sync.attempt);
                self.sync.attempt += 1;
                self.sync.due = now + delay;
                self.sync.error = Some(error.to_string());
            }
        }
        self.update_readiness(now, out);
    }

    fn reconcile(&mut self, snapshot: &AccountSnapshot, now: Timestamp, out: &mut Outputs) {
        let lag = self.settings.timing.read_lag();
        self.pass_over_old_fills(snapshot, now);
        for fill in reconcile::missed_fills(snapshot, |id| self.fills.contains(id)) {
            // One that happened just now is not missed: its report is on its way.
            if fill.ts + lag <= snapshot.requested_at {
                let detail = format!("fill {} of order {}", fill.fill_id, fill.venue_order_id);
                let ticker = Some(Arc::clone(&fill.ticker));
                out.records.push(difference("missed_fill", ticker, detail, now));
            }
            self.book(fill, now, out);
        }
        for order in &snapshot.resting {
            let name = order.client_order_id.as_ref();
            let known = self.orders.find(&order.venue_order_id, name).is_some();
            if !known && !name.is_some_and(is_our_form) {
                let detail = format!("order {} is not this host's", order.venue_order_id);
                let ticker = Some(Arc::clone(&order.ticker));
                out.records.push(difference("external_order", ticker, detail, now));
            }
            self.report_order(order, now, out);
        }
        for key in reconcile::gone(self.orders.open(), snapshot, lag) {
            let Some(order) = self.orders.get(key) else { continue };
            if order.is_external() {
                let (filled, reason) = (order.filled, "not listed any more");
                self.heard(key, Event::Canceled, filled, reason, now, out);
            } else {
                let detail = "not listed as resting: asking for it".to_owned();
                let ticker = Some(Arc::clone(&order.ticker));
                out.records.push(difference("order_gone", ticker, detail, now));
                self.ask(key, now);
            }
        }
        self.compare_positions(snapshot, now, out);
        self.compare_settlements(snapshot, now, out);
        self.compare_cash(snapshot, now, out);
        self.sync.fills_read = self.sync.fills_read.max(snapshot.requested_at);
        self.sync.compared = Some(snapshot.requested_at);
        if snapshot.requested_at >= self.sync.valid_from {
            self.sync.read = true;
        } else {
            self.sync.due = now;
        }
    }

    /// Fills from before the journal are nobody's here: what they made is part of the positions
    /// that were taken over, or that are as soon as it shows in them.
    fn pass_over_old_fills(&mut self, snapshot: &AccountSnapshot, now: Timestamp) {
        let lag = self.settings.timing.read_lag();
        let mut passed = 0_u32;
        for fill in reconcile::missed_fills(snapshot, |id| self.fills.contains(id)) {
            let name = fill.client_order_id.as_ref();
            if fill.ts >= self.sync.since || self.orders.find(&fill.venue_order_id, name).is_some()
            {
                continue;
            }
            if fill.ts + lag > snapshot.requested_at {
                let slot = self.ledger.markets.slot(&fill.ticker);
                self.ledger.markets.get_mut(slot).traded = now;
            }
            self.fills.insert(fill.fill_id);
            passed += 1;
        }
        if passed > 0 {
            info!(fills = passed, "these traded before the journal began and are not counted");
        }
    }

    fn our_positions(&self) -> BTreeMap<Arc<str>, OurPosition> {
        let mut ours: BTreeMap<Arc<str>, OurPosition> = BTreeMap::new();
        for (_, market) in self.ledger.markets.iter() {
            let position =
                OurPosition { quantity: market.held, traded: market.traded, unsettled: false };
            ours.insert(Arc::clone(&market.ticker), position);
        }
        let missing = self.orders.open().filter(|(_, order)| order.missing().is_positive());
        let missing = missing.map(|(_, order)| &order.ticker);
        for ticker in missing.chain(self.parked.iter().map(|parked| &parked.fill.ticker)) {
            if let Some(position) = ours.get_mut(ticker) {
                position.unsettled = true;
            }
        }
        ours
    }

    /// A position that does not agree is looked at twice before it stops the desk: the first time
    /// it may be what a slow read shows.
    fn compare_positions(&mut self, snapshot: &AccountSnapshot, now: Timestamp, out: &mut Outputs) {
        let lag = self.settings.timing.read_lag();
        let found = reconcile::positions(&self.our_positions(), snapshot, lag);
        let before = std::mem::take(&mut self.sync.suspects);
        let known = std::mem::take(&mut self.sync.drift);
        let adopt = std::mem::take(&mut self.sync.adopt);
        let accepted = std::mem::take(&mut self.sync.accepted);
        let mut undecided = false;
        for found in found {
            let slot = self.ledger.markets.slot(&found.ticker);
            let pair = (found.ours, found.theirs);
            let is_seen_again =
                before.get(&found.ticker) == Some(&pair) || known.contains_key(&found.ticker);
            let market = self.ledger.markets.get(slot);
            let listed = || snapshot.settlements.iter().find(|it| it.ticker == found.ticker);
            let settlement = market.paid().or_else(|| listed().map(|it| it.price));
            // A result that may be amended yet is what was paid if the position stays away.
            let settlement = settlement.or(market.settlement().filter(|_| is_seen_again));
            if !found.certain {
                undecided = true;
                if let Some(shown) = accepted.get(&found.ticker) {
                    self.sync.accepted.insert(found.ticker, *shown);
                }
            } else if let (Some(price), true) = (settlement, found.theirs.is_zero()) {
                self.settle(slot, price, now, out);
            } else if adopt || accepted.get(&found.ticker) == Some(&pair) {
                self.adopt_position(slot, &found, now, out);
            } else if is_seen_again {
                if known.get(&found.ticker) != Some(&pair) {
                    let detail = format!("ours={} theirs={}", found.ours, found.theirs);
                    let ticker = Some(Arc::clone(&found.ticker));
                    out.records.push(difference("position", ticker, detail, now));
                }
                self.sync.drift.insert(found.ticker, pair);
            } else {
                undecided = true;
                self.sync.suspects.insert(found.ticker, pair);
            }
        }
        if adopt && undecided {
            self.sync.adopt = true;
        }
        self.sync.undecided = undecided;
        // While trading, what is too young to judge waits for the next regular comparison.
        let waiting = self.sync.not_ready.is_some() || !self.sync.suspects.is_empty();
        if (undecided && waiting) || !self.sync.drift.is_empty() {
            self.sync.due = now + lag;
        }
    }

    /// Takes over what the exchange has and we do not, as a position from outside: at the mark
    /// where there is one, else at the price at which most can be lost.
    fn adopt_position(
        &mut self,
        slot: MarketSlot,
        found: &PositionDifference,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let change = found.theirs - found.ours;
        let (side, worst) =
            if change.is_negative() { (Side::Ask, Price::ZERO) } else { (Side::Bid, Price::ONE) };
        let price = self.ledger.markets.get(slot).mark().unwrap_or(worst);
        let mut holding = self.ledger.stake(EXTERNAL, slot).holding;
        holding.trade(side, price, change.abs(), Dollars::ZERO);
        self.ledger.restore(EXTERNAL, slot, holding);
        let detail = format!("ours={} theirs={}: taken over", found.ours, found.theirs);
        let ticker = Arc::clone(&found.ticker);
        out.records.push(difference("position", Some(Arc::clone(&ticker)), detail, now));
        out.records.push(Record::Holding(HoldingChanged {
            ts: now,
            agent: None,
            ticker,
            cause: HoldingCause::Adopted,
            holding,
        }));
    }

    /// Works out whether the desk may trade, and writes it down when that changes.
    pub(super) fn update_readiness(&mut self, now: Timestamp, out: &mut Outputs) {
        let recovering = self.orders.open().filter(|(_, order)| order.recovered).count();
        let sync = &self.sync;
        let not_ready = if let Some(reason) = &sync.down {
            Some(reason.clone())
        } else if let Some(reason) = &sync.bus_down {
            Some(format!("the bus is down: {reason}"))
        } else if !sync.read {
            Some(match &sync.error {
                Some(error) => format!("the account cannot be read: {error}"),
                None => "the account has not been read yet".to_owned(),
            })
        } else if !sync.drift.is_empty() {
            Some(told(&sync.drift))
        } else if recovering > 0 {
            Some(format!("orders of the last run are being looked for: {recovering}"))
        } else if sync.not_ready.is_some() && sync.undecided {
            Some("positions do not agree with the exchange's: looking again".to_owned())
        } else {
            None
        };
        if not_ready != self.sync.not_ready {
            self.sync.not_ready.clone_from(&not_ready);
            out.records.push(Record::Ready(Readiness { ts: now, not_ready }));
        }
    }
}

/// The positions that do not agree: what an operator accepts who resumes.
fn told(drift: &Drift) -> String {
    let line = |(ticker, (ours, theirs)): (&Arc<str>, &(Quantity, Quantity))| {
        format!("market={ticker} ours={ours} theirs={theirs}")
    };
    let lines: Vec<String> = drift.iter().take(SHOWN_MAX).map(line).collect();
    let more = match drift.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(", and {more} more after these"),
    };
    format!("position drift: {}{more}", lines.join(", "))
}
