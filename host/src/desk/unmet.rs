//! Orders at the exchange that the tables do not know: those from outside, and those that bear a
//! name of ours.

use std::sync::Arc;

use hotpit_units::{Quantity, Timestamp};

use super::agent_table::EXTERNAL;
use super::exposure::Working;
use super::io::{Outputs, Request};
use super::orders::{Cancel, Order, OrderKey, Query};
use super::plausible;
use super::record::{JournalError, RecoveredOrder};
use super::reports::{bad_report, difference};
use super::state::{Desk, is_our_form};
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
        match report.client_order_id.as_ref().filter(|name| is_our_form(name)) {
            Some(name) => out
                .requests
                .push(Request::Recall { report: report.clone(), client_order_id: name.clone() }),
            None => {
                self.adopt_order(report, now, out);
            }
        }
    }

    /// What the journal has of an order that works under a name of ours. It is its agent's again;
    /// one that the journal does not know has nobody who cares for it, and is canceled.
    pub(super) fn recalled(
        &mut self,
        report: &VenueOrder,
        result: Result<Option<RecoveredOrder>, JournalError>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let name = report.client_order_id.as_ref();
        if self.orders.find(&report.venue_order_id, name).is_some() {
            self.report_order(report, now, out);
            return;
        }
        let shown = name.map_or("external", |name| name.as_str());
        let stray =
            |detail| difference("stray_order", Some(Arc::clone(&report.ticker)), detail, now);
        match result {
            Ok(found) => match found.and_then(|order| self.take_over(order, now)) {
                Some(key) => {
                    self.orders.name(key, &report.venue_order_id);
                    self.hear_report(key, report, now, out);
                }
                None => {
                    let detail = format!(
                        "order {} works as {shown}, a name of this host's, and is not in the \
                         journal: canceling it",
                        report.venue_order_id
                    );
                    out.records.push(stray(detail));
                    let key = self.adopt_order(report, now, out);
                    self.want_cancel(key, now, out);
                }
            },
            // The next listing asks again.
            Err(error) => out.records.push(stray(format!("{shown} is not known: {error}"))),
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
        key
    }
}
