//! Fills: booked once each, on the order whose they are, or kept until that is known.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::agent_table::EXTERNAL;
use super::fees::BALANCE_STEP;
use super::io::{Heard, Outputs, Request};
use super::ledger::Trade;
use super::market_table::MarketSlot;
use super::names::is_our_form;
use super::orders::{Order, OrderKey};
use super::plausible;
use super::record::{FillBooked, Holding, Record};
use super::reports::difference;
use super::state::Desk;
use super::table::Event;
use crate::model::{Fill, Notice, VenueFill};

/// How many fills may wait for the name of their order.
const PARKED_MAX: usize = 1_000;

/// How long a fill that may be an order's is believed over a listing that lacks the order. Reads
/// are seconds behind; an order that a minute of them does not show is not what was filled.
const PARKED_BELIEVED: Duration = Duration::from_secs(60);

/// A fill that names an order as the exchange does, while we have orders whose name there we do
/// not know yet: whose it is is told by the answer that is still to come.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) fill: VenueFill,
    since: Timestamp,
}

impl Desk {
    /// Books a fill, once.
    pub(super) fn book(&mut self, fill: VenueFill, now: Timestamp, out: &mut Outputs) {
        self.book_or_park(fill, now, now, out);
    }

    fn book_or_park(
        &mut self,
        fill: VenueFill,
        since: Timestamp,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        if self.fills.contains(&fill.fill_id) {
            return;
        }
        if !plausible::fill(&fill) {
            let VenueFill { fill_id, quantity, price, fee, .. } = &fill;
            let detail = format!("fill {fill_id} of {quantity} contracts at {price}, fee {fee}");
            out.records.push(difference("bad_report", Some(fill.ticker), detail, now));
            return;
        }
        let known = self.orders.find(&fill.venue_order_id, fill.client_order_id.as_ref());
        if known.is_none() && fill.client_order_id.is_none() && self.may_be_ours(&fill) {
            self.park(fill, since);
            return;
        }
        match fill.client_order_id.clone().filter(|name| known.is_none() && is_our_form(name)) {
            Some(client_order_id) => {
                out.requests.push(Request::Recall { heard: Heard::Fill(fill), client_order_id });
            }
            None => self.book_on(known, fill, now, out),
        }
    }

    /// Books a fill on this order, once; none: on whoever trades outside this host.
    pub(super) fn book_on(
        &mut self,
        known: Option<OrderKey>,
        fill: VenueFill,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        if self.fills.contains(&fill.fill_id) {
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
        if let Some(key) = known {
            self.compare_fee(key, market, &fill, now, out);
        }
        let (side, price, quantity, fee) = (fill.side, fill.price, fill.quantity, fill.fee);
        let holding = self.ledger.trade(agent, market, Trade { side, price, quantity, fee, now });
        self.ledger.agents.get_mut(agent).recent.filled(market, now);
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

    /// The formula decides what the next order may cost: where it is wrong, somebody should know.
    /// Told once for each market. Fills may come in another order than they happened in, and some may
    /// have come to an earlier run: that is a step of the balance at most.
    fn compare_fee(
        &mut self,
        key: OrderKey,
        market: MarketSlot,
        fill: &VenueFill,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get_mut(key).filter(|order| !order.is_external()) else {
            return;
        };
        let market = self.ledger.markets.get_mut(market);
        let Some(expected) = order.rounding.fee(market.fees(), fill) else { return };
        if (fill.fee - expected).abs() > BALANCE_STEP && !market.fees_differ {
            market.fees_differ = true;
            let VenueFill { fill_id, fee, .. } = fill;
            let detail = format!("fill {fill_id}: charged={fee} expected={expected}");
            out.records.push(difference("fee", Some(Arc::clone(&fill.ticker)), detail, now));
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
        self.orders.open().any(|(_, order)| may_be_of(order, fill))
    }

    /// Whether a fill waits that may be this order's: then the exchange has it, whatever a listing
    /// says. Not for ever: a fill that is somebody else's would keep the order unknown.
    pub(super) fn may_have_parked_fill(&self, key: OrderKey, now: Timestamp) -> bool {
        let Some(order) = self.orders.get(key) else { return false };
        let waits = |parked: &Parked| {
            may_be_of(order, &parked.fill) && now < parked.since + PARKED_BELIEVED
        };
        self.parked.iter().any(waits)
    }

    /// Keeps a fill until it is known whose it is. Meanwhile the order counts at its worst case.
    fn park(&mut self, fill: VenueFill, since: Timestamp) {
        let parked = self.parked.iter().any(|parked| parked.fill.fill_id == fill.fill_id);
        // Beyond the bound a fill is dropped here and read again by the next reconciliation.
        if !parked && self.parked.len() < PARKED_MAX {
            self.parked.push(Parked { fill, since });
        }
    }

    /// Looks again at the fills that waited for a name.
    pub(super) fn place_parked(&mut self, now: Timestamp, out: &mut Outputs) {
        if self.parked.is_empty() {
            return;
        }
        for Parked { fill, since } in std::mem::take(&mut self.parked) {
            // One that has to wait on has waited since then.
            self.book_or_park(fill, since, now, out);
        }
    }
}

/// Whether a fill without our name for its order may be of this one.
fn may_be_of(order: &Order, fill: &VenueFill) -> bool {
    order.venue_order_id.is_none()
        && !order.state.is_final()
        && order.side == fill.side
        && order.ticker == fill.ticker
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
