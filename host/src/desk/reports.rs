//! What is heard of orders: answers to our requests and reports of the exchange, in any order,
//! twice, or never. All of it goes through [`Desk::heard`] and the table behind it.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::io::Outputs;
use super::order_groups::Refused;
use super::orders::{Cancel, OrderKey, Query};
use super::plausible;
use super::record::{Difference, Halted, OrderEvent, Record};
use super::settings::retry_delay;
use super::state::{Desk, filled_of};
use super::table::{self, Event};
use super::venue::{CancelOutcome, PlaceOutcome, ReadError};
use crate::model::{Notice, OrderState, OrderUpdate, VenueOrder, VenueOrderStatus};

/// The first wait before a cancel of unknown outcome is sent again, and the longest.
const CANCEL_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The same for a cancel that the exchange refused: a pause lasts minutes.
const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The same for a question about an order.
const QUERY_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Kalshi's `last_update_reason` of an order that ended at its expiry.
const EXPIRY_REASON: &str = "ExpiryCancel";

/// Refusals that say nothing of who ordered, by their codes: the market moved, or nobody may trade.
const ORDINARY_REFUSALS: [&str; 8] = [
    "fill_or_kill",
    "fok_insufficient",
    "post only cross",
    "post_only_cross",
    "paused",
    "market_inactive",
    "already_closed",
    "exchange_unavailable",
];

fn is_ordinary(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ORDINARY_REFUSALS.iter().any(|code| reason.contains(code))
}

impl Desk {
    pub(super) fn placed(
        &mut self,
        key: OrderKey,
        outcome: PlaceOutcome,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get(key) else { return };
        let quantity = order.quantity;
        if !matches!(outcome, PlaceOutcome::NotSent { .. }) {
            self.counts.orders += 1;
        }
        match outcome {
            PlaceOutcome::Accepted { venue_order_id, filled, remaining } => {
                self.orders.name(key, &venue_order_id);
                self.refused(key, false, now, out);
                let (event, reason) = if remaining.is_positive() {
                    (Event::Acknowledged, "")
                } else if filled < quantity {
                    (Event::Canceled, "the exchange canceled what did not trade at once")
                } else {
                    (Event::Executed, "")
                };
                self.heard(key, event, filled, reason, now, out);
            }
            PlaceOutcome::Rejected { reason } => {
                self.heard(key, Event::Refused, Quantity::ZERO, &reason, now, out);
                if let Some(refused) = Refused::read(&reason) {
                    self.group_refused(key, refused, now, out);
                }
                if !is_ordinary(&reason) {
                    self.refused(key, true, now, out);
                }
            }
            PlaceOutcome::Duplicate => {
                let reason = "the exchange has an order of this name already";
                self.heard(key, Event::Lost, Quantity::ZERO, reason, now, out);
                self.ask(key, now);
            }
            PlaceOutcome::NotSent { reason } => {
                self.counts.denied += 1;
                self.heard(key, Event::NotSent, Quantity::ZERO, &reason, now, out);
            }
            PlaceOutcome::Unknown { reason } => {
                self.heard(key, Event::Lost, Quantity::ZERO, &reason, now, out);
            }
        }
        self.place_parked(now, out);
    }

    /// Counts the orders of an agent that the exchange refused in a row: who has too many is halted.
    fn refused(&mut self, key: OrderKey, is_refused: bool, now: Timestamp, out: &mut Outputs) {
        let Some(order) = self.orders.get(key) else { return };
        let agent = self.ledger.agents.get_mut(order.agent);
        agent.recent.refused = if is_refused { agent.recent.refused.saturating_add(1) } else { 0 };
        let (refused, limit) = (agent.recent.refused, self.settings.limits.refused_in_a_row);
        if refused >= limit && agent.halted.is_none() {
            let name = agent.name.clone();
            let reason = format!("REFUSED_IN_A_ROW: refused={refused} limit={limit}");
            self.halt(name, Halted::all(reason), now, out);
        }
    }

    pub(super) fn canceled(
        &mut self,
        key: OrderKey,
        outcome: CancelOutcome,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get_mut(key) else { return };
        let attempt = match order.cancel {
            Cancel::InFlight { attempt } | Cancel::Due { attempt, .. } => attempt,
            Cancel::Idle => 0,
        };
        let again = |(first, cap)| Cancel::Due {
            at: now + retry_delay(first, cap, attempt),
            attempt: attempt + 1,
        };
        match outcome {
            // It ended before the answer came, which then tells nothing new.
            _ if order.state.is_final() => {}
            CancelOutcome::Canceled { reduced_by } if reduced_by.is_positive() => {
                order.cancel = Cancel::Idle;
                let filled = filled_of(order.quantity, reduced_by);
                self.heard(key, Event::Canceled, filled, "canceled", now, out);
            }
            // Nothing was left, or nothing was found: it may have been filled.
            CancelOutcome::Canceled { .. } | CancelOutcome::NotFound => {
                order.cancel = again(CANCEL_RETRY);
                self.note(key, "cancel_failed", "nothing to cancel".to_owned(), now, out);
                self.ask(key, now);
            }
            CancelOutcome::Refused { reason } => {
                order.cancel = again(REFUSED_RETRY);
                self.note(key, "cancel_failed", reason, now, out);
            }
            CancelOutcome::Unknown { reason } => {
                order.cancel = again(CANCEL_RETRY);
                self.note(key, "cancel_failed", reason, now, out);
            }
        }
    }

    pub(super) fn found(
        &mut self,
        key: OrderKey,
        asked_at: Timestamp,
        result: Result<Option<VenueOrder>, ReadError>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let has_fill = self.may_have_parked_fill(key, now);
        let Some(order) = self.orders.get_mut(key) else { return };
        let attempt = match order.query {
            Query::InFlight { attempt } | Query::Due { attempt, .. } => attempt,
            Query::Idle => 0,
        };
        let again = |at| Query::Due { at, attempt: attempt + 1 };
        let later = now + retry_delay(QUERY_RETRY.0, QUERY_RETRY.1, attempt);
        // A read that was asked for sooner than this proves nothing.
        let lag = self.settings.timing.read_lag();
        let late_enough = (order.heard + lag).max(order.arrived_by + lag);
        match result {
            Ok(Some(report)) => {
                // Due again, unless this is an answer.
                order.query = again(later);
                self.orders.name(key, &report.venue_order_id);
                let believed = self.hear_report(key, &report, now, out);
                if let Some(order) = self.orders.get_mut(key)
                    && believed
                    && report.status != VenueOrderStatus::Unknown
                {
                    order.query = Query::Idle;
                }
                self.place_parked(now, out);
            }
            Ok(None) if asked_at >= late_enough && !has_fill => {
                order.query = again(later);
                let reason = "the exchange knows no such order";
                self.heard(key, Event::Absent, Quantity::ZERO, reason, now, out);
                self.place_parked(now, out);
            }
            Ok(None) => order.query = again(later.max(late_enough)),
            Err(_) => order.query = again(later),
        }
    }

    /// Gives whether the report was believed.
    pub(super) fn hear_report(
        &mut self,
        key: OrderKey,
        report: &VenueOrder,
        now: Timestamp,
        out: &mut Outputs,
    ) -> bool {
        let Some(order) = self.orders.get(key) else { return false };
        if !plausible::order(report) {
            out.records.push(bad_report(report, now));
            return false;
        }
        let reason = report.reason.as_deref().unwrap_or_default();
        let (event, filled) = match report.status {
            VenueOrderStatus::Resting => (Event::Acknowledged, report.filled),
            VenueOrderStatus::Canceled if reason == EXPIRY_REASON => {
                (Event::Expired, report.filled)
            }
            VenueOrderStatus::Canceled => (Event::Canceled, report.filled),
            // Where it does not say how much: all of it.
            VenueOrderStatus::Executed if !report.filled.is_positive() => {
                (Event::Executed, order.quantity)
            }
            VenueOrderStatus::Executed => (Event::Executed, report.filled),
            VenueOrderStatus::Unknown => (Event::Lost, report.filled),
        };
        self.heard(key, event, filled, reason, now, out)
    }

    /// The one place where an order changes. Gives whether what was heard could be true.
    pub(super) fn heard(
        &mut self,
        key: OrderKey,
        event: Event,
        filled: Quantity,
        reason: &str,
        now: Timestamp,
        out: &mut Outputs,
    ) -> bool {
        let first_query = now + self.settings.timing.first_query();
        let Some(order) = self.orders.get_mut(key) else { return false };
        let (from, filled_before) = (order.state, order.filled);
        order.filled = order.filled.max(plausible::filled(filled)).max(order.booked);
        if event != Event::Absent {
            order.heard = now;
        }
        match event {
            Event::Lost | Event::Absent | Event::Refused | Event::NotSent => {}
            Event::Acknowledged
            | Event::Canceled
            | Event::Expired
            | Event::Executed
            | Event::Filled => order.arrived_by = order.arrived_by.min(now),
        }
        let there = matches!(event, Event::Acknowledged | Event::Filled);
        let doubted = order.presumed && from.is_final() && there;
        let known = if doubted { OrderState::Unknown } else { from };
        if event != Event::Lost {
            order.presumed = event == Event::Absent;
        }
        let next = table::next(known, event, order.progress());
        let believed = next.is_ok();
        match next {
            Ok(state) => order.state = state,
            Err(contradiction) => {
                let ticker = Some(Arc::clone(&order.ticker));
                let name = order.client_order_id.clone();
                let name = name.as_ref().map_or("external", |name| name.as_str());
                let heard = event.as_str();
                let detail =
                    format!("{name} in {from:?} heard `{heard}` ({reason}): {contradiction}");
                out.records.push(difference("contradiction", ticker, detail, now));
                self.ask(key, now);
            }
        }
        let Some(order) = self.orders.get_mut(key) else { return false };
        let state = order.state;
        if state.is_final() {
            order.cancel = Cancel::Idle;
            order.query = Query::Idle;
        } else if state == OrderState::Unknown && order.query == Query::Idle {
            order.query = Query::Due { at: first_query, attempt: 0 };
        }
        if state != OrderState::Unknown {
            order.recovered = false;
        }
        let changed = state != from || order.filled != filled_before;
        self.recount(key);
        if from.is_final() && !state.is_final() {
            self.back(key, now, out);
        }
        if changed {
            self.tell(key, event, from, reason, now, out);
        }
        self.send_cancel(key, now, out);
        believed
    }

    /// An order that was taken to have ended is there again, whatever the proof was that it had.
    /// Whether it works is asked, and what would have canceled it meanwhile does.
    fn back(&mut self, key: OrderKey, now: Timestamp, out: &mut Outputs) {
        let stopping = self.stopping || self.halted.is_some() || self.journal_down.is_some();
        let Some(order) = self.orders.get_mut(key) else { return };
        let agent = self.ledger.agents.get(order.agent);
        if !order.is_external() && (stopping || agent.halted.is_some() || !agent.live) {
            order.cancel = Cancel::Due { at: now, attempt: 0 };
        }
        let name = order.client_order_id.as_ref().map_or("external", |name| name.as_str());
        let detail = format!("{name} was taken to have ended and is there");
        let ticker = Some(Arc::clone(&order.ticker));
        out.records.push(difference("order_back", ticker, detail, now));
        self.ask(key, now);
    }

    fn tell(
        &self,
        key: OrderKey,
        event: Event,
        from: OrderState,
        reason: &str,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get(key) else { return };
        let agent = self.agent_name(order.agent);
        if let (Some(agent), Some(number), Some(market)) =
            (&agent, order.order, self.ledger.markets.get(order.market).id())
        {
            let update = OrderUpdate {
                order: number,
                market,
                state: order.state,
                filled: order.filled,
                remaining: order.remaining(),
                reason: reason.to_owned(),
                ts: now,
            };
            out.notices.push((agent.clone(), Notice::Order(update)));
        }
        out.records.push(Record::Order(OrderEvent {
            ts: now,
            client_order_id: order.client_order_id.clone(),
            venue_order_id: order.venue_order_id.clone(),
            agent,
            order: order.order,
            ticker: Arc::clone(&order.ticker),
            event: event.as_str().into(),
            from,
            state: order.state,
            filled: order.filled,
            reason: reason.to_owned(),
        }));
    }

    /// The exchange is asked about an order at the next tick, or when it is the turn of the next
    /// attempt, where earlier ones brought no answer.
    pub(super) fn ask(&mut self, key: OrderKey, now: Timestamp) {
        let Some(order) = self.orders.get_mut(key) else { return };
        match order.query {
            Query::Idle | Query::Due { attempt: 0, .. } if order.client_order_id.is_some() => {
                order.query = Query::Due { at: now, attempt: 0 };
            }
            Query::Idle | Query::Due { .. } | Query::InFlight { .. } => {}
        }
    }
}

/// A report on an order that cannot be true.
pub(super) fn bad_report(report: &VenueOrder, now: Timestamp) -> Record {
    let detail = format!(
        "order {} of {} filled and {} working contracts at {}",
        report.venue_order_id, report.filled, report.remaining, report.price
    );
    difference("bad_report", Some(Arc::clone(&report.ticker)), detail, now)
}

pub(super) fn difference(
    kind: &'static str,
    ticker: Option<Arc<str>>,
    detail: String,
    ts: Timestamp,
) -> Record {
    Record::Difference(Difference { ts, kind: kind.into(), ticker, detail })
}
