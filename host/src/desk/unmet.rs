//! Orders at the exchange that the tables do not know: those from outside, and those that bear a
//! name of ours.

use std::sync::Arc;

use hotpit_units::{Quantity, Timestamp};

use super::agent_table::EXTERNAL;
use super::exposure::Working;
use super::fees::Rounding;
use super::io::{Heard, Outputs, Request};
use super::names::is_our_form;
use super::orders::{Cancel, Order, OrderKey, Query};
use super::plausible;
use super::record::{JournalError, RecoveredOrder};
use super::reports::{bad_report, difference};
use super::state::Desk;
use super::table::Event;
use crate::model::{OrderState, VenueOrder, VenueOrderStatus};

impl Desk {
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
                VenueOrderStatus::Resting => self.meet(report, now, out),
                // Not ours, and it cannot trade any more.
                VenueOrderStatus::Canceled
                | VenueOrderStatus::Executed
                | VenueOrderStatus::Unknown => {}
            },
        }
    }

    /// An order that works and is not known: from outside, unless it has a name as we give them.
    /// Then the journal may know it, as one that ended in an earlier run or long ago in this one.
    fn meet(&mut self, report: &VenueOrder, now: Timestamp, out: &mut Outputs) {
        if !plausible::order(report) {
            out.records.push(bad_report(report, now));
            return;
        }
        match report.client_order_id.clone().filter(is_our_form) {
            Some(client_order_id) => {
                let heard = Heard::Order(report.clone());
                out.requests.push(Request::Recall { heard, client_order_id });
            }
            None => {
                self.adopt_order(report, now, out);
            }
        }
    }

    /// What the journal has of an order that works or trades under a name of ours. It is its
    /// agent's again.
    pub(super) fn recalled(
        &mut self,
        heard: Heard,
        result: Result<Option<RecoveredOrder>, JournalError>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let (venue_order_id, name, ticker) = match &heard {
            Heard::Order(of) => (&of.venue_order_id, of.client_order_id.as_ref(), &of.ticker),
            Heard::Fill(of) => (&of.venue_order_id, of.client_order_id.as_ref(), &of.ticker),
        };
        let mut key = self.orders.find(venue_order_id, name);
        let why = match result {
            Ok(Some(order)) if key.is_none() => {
                key = self.take_over(order, now);
                String::new()
            }
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        let shown = name.map_or("external", |name| name.as_str());
        let stray = |what: &str| {
            let detail = format!("{shown}, a name of this host's, is not known: {what}");
            difference("stray_order", Some(Arc::clone(ticker)), detail, now)
        };
        match (&heard, key) {
            (Heard::Order(report), Some(_)) => self.report_order(report, now, out),
            (Heard::Fill(fill), Some(_)) => self.book(fill.clone(), now, out),
            // Booked on nobody, so that the account is right; as the next listing would.
            (Heard::Fill(fill), None) => {
                let why = if why.is_empty() { "it is not in the journal" } else { &why };
                out.records.push(stray(&format!("{why}; its fill is booked as from outside")));
                self.book_on(None, fill.clone(), now, out);
            }
            // Nobody cares for it.
            (Heard::Order(report), None) if why.is_empty() => {
                out.records.push(stray("it is not in the journal and is canceled"));
                let key = self.adopt_order(report, now, out);
                self.want_cancel(key, now, out);
            }
            // The next listing asks again.
            (Heard::Order(_), None) => out.records.push(stray(&why)),
        }
    }

    /// An order that was placed outside this host: it is counted and met by no order of ours, and
    /// never touched.
    fn adopt_order(&mut self, report: &VenueOrder, now: Timestamp, out: &mut Outputs) -> OrderKey {
        let market = self.ledger.markets.slot(&report.ticker);
        self.ledger.put_on_by_order(market, report.exchange_index);
        let order = Order {
            agent: EXTERNAL,
            market,
            ticker: Arc::clone(&report.ticker),
            order: None,
            client_order_id: report.client_order_id.clone(),
            venue_order_id: Some(report.venue_order_id.clone()),
            exchange_index: report.exchange_index,
            side: report.side,
            price: report.price,
            quantity: report.filled.saturating_add(report.remaining),
            state: OrderState::Sent,
            filled: report.filled,
            booked: Quantity::ZERO,
            group: None,
            rounding: Rounding::default(),
            created: now,
            heard: now,
            arrived_by: now,
            cancel: Cancel::Idle,
            query: Query::Idle,
            recovered: false,
            presumed: false,
            committed: Working::default(),
            listed: false,
        };
        let key = self.orders.insert(order);
        self.heard(key, Event::Acknowledged, report.filled, "", now, out);
        key
    }
}
