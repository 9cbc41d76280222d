//! What is heard of orders: answers to our requests and reports of the exchange, in any order,
//! twice, or never. All of it goes through [`Desk::heard`] and the table behind it.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::agent_table::EXTERNAL;
use super::exposure::Working;
use super::io::Outputs;
use super::ledger::Trade;
use super::orders::{Cancel, Order, OrderKey, Query};
use super::record::{Difference, FillBooked, Holding, OrderEvent, Record};
use super::settings::retry_delay;
use super::state::{Desk, PARKED_MAX, filled_of};
use super::table::{self, Event};
use super::venue::{CancelOutcome, PlaceOutcome, ReadError};
use crate::model::{
    Fill, Notice, OrderState, OrderUpdate, VenueFill, VenueOrder, VenueOrderStatus,
};

/// The first wait before a cancel of unknown outcome is sent again, and the longest.
const CANCEL_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The same for a cancel that the exchange refused: a pause lasts minutes.
const REFUSED_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The same for a question about an order.
const QUERY_RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Kalshi's `last_update_reason` of an order that ended at its expiry.
const EXPIRY_REASON: &str = "ExpiryCancel";

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
        let Some(order) = self.orders.get_mut(key) else { return };
        let attempt = match order.query {
            Query::InFlight { attempt } | Query::Due { attempt, .. } => attempt,
            Query::Idle => 0,
        };
        let again = |at| Query::Due { at, attempt: attempt + 1 };
        let later = now + retry_delay(QUERY_RETRY.0, QUERY_RETRY.1, attempt);
        // A read that was asked for sooner than this proves nothing.
        let late_enough = order.heard + self.settings.timing.read_lag();
        match result {
            Ok(Some(report)) => {
                order.query = Query::Idle;
                self.orders.name(key, &report.venue_order_id);
                self.hear_report(key, &report, now, out);
                self.place_parked(now, out);
            }
            Ok(None) if asked_at >= late_enough => {
                order.query = again(later);
                let reason = "the exchange knows no such order";
                self.heard(key, Event::Absent, Quantity::ZERO, reason, now, out);
                self.place_parked(now, out);
            }
            Ok(None) => order.query = again(later.max(late_enough)),
            Err(_) => order.query = again(later),
        }
    }

    /// The exchange said where an order is.
    pub(super) fn report_order(&mut self, report: &VenueOrder, now: Timestamp, out: &mut Outputs) {
        let known = self.orders.find(&report.venue_order_id, report.client_order_id.as_ref());
        match known {
            Some(key) => {
                self.orders.name(key, &report.venue_order_id);
                self.hear_report(key, report, now, out);
                self.place_parked(now, out);
            }
            None => match report.status {
                VenueOrderStatus::Resting => self.adopt_order(report, now, out),
                // Not ours, and it cannot trade any more.
                VenueOrderStatus::Canceled
                | VenueOrderStatus::Executed
                | VenueOrderStatus::Unknown => {}
            },
        }
    }

    fn hear_report(
        &mut self,
        key: OrderKey,
        report: &VenueOrder,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get(key) else { return };
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
        self.heard(key, event, filled, reason, now, out);
    }

    /// An order that was placed outside this host: it is counted and met by no order of ours, and
    /// never touched.
    fn adopt_order(&mut self, report: &VenueOrder, now: Timestamp, out: &mut Outputs) {
        let order = Order {
            agent: EXTERNAL,
            market: self.ledger.markets.slot(&report.ticker),
            ticker: Arc::clone(&report.ticker),
            order: None,
            client_order_id: report.client_order_id.clone(),
            venue_order_id: Some(report.venue_order_id.clone()),
            exchange_index: report.exchange_index,
            side: report.side,
            price: report.price,
            quantity: report.filled.saturating_add(report.remaining),
            post_only: false,
            state: OrderState::Sent,
            filled: report.filled,
            booked: Quantity::ZERO,
            created: now,
            heard: now,
            cancel: Cancel::Idle,
            query: Query::Idle,
            recovered: false,
            presumed: false,
            committed: Working::default(),
            listed: false,
        };
        let key = self.orders.insert(order);
        self.heard(key, Event::Acknowledged, report.filled, "", now, out);
    }

    /// The one place where an order changes.
    pub(super) fn heard(
        &mut self,
        key: OrderKey,
        event: Event,
        filled: Quantity,
        reason: &str,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let first_query = now + self.settings.timing.first_query();
        let Some(order) = self.orders.get_mut(key) else { return };
        let (from, filled_before) = (order.state, order.filled);
        order.filled = order.filled.max(filled).max(order.booked);
        if event != Event::Absent {
            order.heard = now;
        }
        let there = matches!(event, Event::Acknowledged | Event::Filled);
        let back = order.presumed && from.is_final() && there;
        let known = if back { OrderState::Unknown } else { from };
        if event != Event::Lost {
            order.presumed = event == Event::Absent;
        }
        match table::next(known, event, order.progress()) {
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
        let Some(order) = self.orders.get_mut(key) else { return };
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
        if back && !state.is_final() {
            self.back(key, now, out);
        }
        if changed {
            self.tell(key, event, from, reason, now, out);
        }
        self.send_cancel(key, now, out);
    }

    /// An order that was taken to have ended is there again. Whether it works is asked, and what
    /// would have canceled it meanwhile does.
    fn back(&mut self, key: OrderKey, now: Timestamp, out: &mut Outputs) {
        let stopping = self.stopping || self.halted.is_some();
        let Some(order) = self.orders.get_mut(key) else { return };
        if stopping || self.ledger.agents.get(order.agent).halted.is_some() {
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

    /// The exchange is asked about an order at the next tick.
    pub(super) fn ask(&mut self, key: OrderKey, now: Timestamp) {
        let Some(order) = self.orders.get_mut(key) else { return };
        if order.client_order_id.is_some() && !matches!(order.query, Query::InFlight { .. }) {
            order.query = Query::Due { at: now, attempt: 0 };
        }
    }

    /// Books a fill, once.
    pub(super) fn book(&mut self, fill: VenueFill, now: Timestamp, out: &mut Outputs) {
        if self.fills.contains(&fill.fill_id) {
            return;
        }
        if !fill.quantity.is_positive() {
            let detail = format!("fill {} of {} contracts", fill.fill_id, fill.quantity);
            out.records.push(difference("bad_report", Some(fill.ticker), detail, now));
            return;
        }
        let known = self.orders.find(&fill.venue_order_id, fill.client_order_id.as_ref());
        if known.is_none() && fill.client_order_id.is_none() && self.may_be_ours(&fill) {
            self.park(fill);
            return;
        }
        self.fills.insert(Arc::clone(&fill.fill_id));
        self.counts.fills += 1;
        self.sync.booked(now);
        if let Some(key) = known {
            self.orders.name(key, &fill.venue_order_id);
        }
        let (agent, client_order_id, number) =
            known.and_then(|key| self.orders.get(key)).map_or((EXTERNAL, None, None), |order| {
                (order.agent, order.client_order_id.clone(), order.order)
            });
        let market = self.ledger.markets.slot(&fill.ticker);
        let (side, price, quantity, fee) = (fill.side, fill.price, fill.quantity, fill.fee);
        let holding = self.ledger.trade(agent, market, Trade { side, price, quantity, fee, now });
        let name = self.agent_name(agent);
        if let (Some(agent), Some(order), Some(market)) =
            (&name, number, self.ledger.markets.get(market).id())
        {
            let notice = fill_notice(&fill, order, market, &holding);
            out.notices.push((agent.clone(), notice));
        }
        out.records.push(Record::Fill(FillBooked {
            ts: now,
            fill_id: fill.fill_id,
            venue_order_id: fill.venue_order_id,
            client_order_id,
            agent: name,
            order: number,
            ticker: fill.ticker,
            side,
            price,
            quantity,
            fee,
            taker: fill.taker,
            venue_ts: fill.ts,
            holding,
        }));
        if let Some(key) = known {
            self.book_on_order(key, quantity, now, out);
        }
    }

    fn book_on_order(
        &mut self,
        key: OrderKey,
        quantity: Quantity,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get_mut(key) else { return };
        order.booked += quantity;
        let (booked, ordered) = (order.booked, order.quantity);
        if booked > ordered {
            let ticker = Some(Arc::clone(&order.ticker));
            let name = order.client_order_id.clone();
            let name = name.as_ref().map_or("external", |name| name.as_str());
            let detail = format!("{name}: {booked} filled of {ordered} ordered");
            out.records.push(difference("overfill", ticker, detail, now));
            self.sync.read_soon(now);
        }
        self.heard(key, Event::Filled, booked, "", now, out);
    }

    /// Whether a fill without our name for its order may belong to an order of ours whose name at
    /// the exchange is still to come.
    fn may_be_ours(&self, fill: &VenueFill) -> bool {
        self.orders.open().any(|(_, order)| {
            order.venue_order_id.is_none()
                && !order.state.is_final()
                && order.side == fill.side
                && order.ticker == fill.ticker
        })
    }

    /// Keeps a fill until it is known whose it is. Meanwhile the order counts at its worst case.
    fn park(&mut self, fill: VenueFill) {
        let parked = self.parked.iter().any(|parked| parked.fill_id == fill.fill_id);
        // Beyond the bound a fill is dropped here and read again by the next reconciliation.
        if !parked && self.parked.len() < PARKED_MAX {
            self.parked.push(fill);
        }
    }

    /// Looks again at the fills that waited for a name.
    pub(super) fn place_parked(&mut self, now: Timestamp, out: &mut Outputs) {
        if self.parked.is_empty() {
            return;
        }
        for fill in std::mem::take(&mut self.parked) {
            self.book(fill, now, out);
        }
    }
}

fn fill_notice(
    fill: &VenueFill,
    order: crate::model::OrderId,
    market: crate::model::MarketId,
    holding: &Holding,
) -> Notice {
    Notice::Fill(Fill {
        order,
        market,
        side: fill.side,
        price: fill.price,
        quantity: fill.quantity,
        fee: fill.fee,
        taker: fill.taker,
        position: holding.quantity,
        ts: fill.ts,
    })
}

pub(super) fn difference(
    kind: &'static str,
    ticker: Option<Arc<str>>,
    detail: String,
    ts: Timestamp,
) -> Record {
    Record::Difference(Difference { ts, kind: kind.into(), ticker, detail })
}
