//! What the passing of time brings: questions, cancels, reads that are due, orders without an
//! agent.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::inbox::Leave;
use super::io::{Outputs, Request};
use super::orders::{ARRIVAL_MAX, Cancel, Order, OrderKey, Query};
use super::reports::difference;
use super::state::Desk;
use crate::model::OrderState;

/// How long a fill may be missing that the exchange has told of otherwise, before the account is
/// read for it. Its own report usually comes within milliseconds.
const MISSING_FILL_WAIT: Duration = Duration::from_secs(1);

/// How often what is over is dropped: a look at every market and order that is remembered.
const RETIRE_EVERY: Duration = Duration::from_secs(60);

impl Desk {
    pub(super) fn tick(&mut self, now: Timestamp, out: &mut Outputs) {
        let mut fills_missing = false;
        for key in self.orders.open_keys() {
            self.send_cancel(key, now, out);
            self.send_query(key, now, out);
            let Some(order) = self.orders.get(key) else { continue };
            fills_missing |=
                order.missing().is_positive() && order.heard + MISSING_FILL_WAIT <= now;
        }
        if fills_missing {
            self.sync.read_for_fills(now, self.settings.timing.read_lag());
        }
        self.check_told(now);
        self.cancel_orphans(now, out);
        self.cancel_unheard(now, out);
        self.note_left_out(now, out);
        self.check_losses(now, out);
        self.retire(now);
        self.place_parked(now, out);
        self.read_account_if_due(now, out);
        self.update_readiness(now, out);
    }

    /// Durations that began before the clock was set begin anew: an order must not be taken for
    /// absent because time seemed to pass, nor anything wait for a time that is far away now.
    pub(super) fn clock_set(&mut self, by_ms: i64, now: Timestamp, out: &mut Outputs) {
        self.drop_waiting_for_groups(now, out);
        for key in self.orders.open_keys() {
            if let Some(order) = self.orders.get_mut(key) {
                order.heard = now;
                let is_on_the_way = matches!(order.state, OrderState::Sent | OrderState::Unknown);
                order.arrived_by = if is_on_the_way { now + ARRIVAL_MAX } else { now };
            }
            self.retry_now(key, now);
        }
        self.ledger.agents.all_mut().for_each(|agent| agent.recent.forget_when());
        self.ledger.markets.all_mut().for_each(|market| market.traded = now);
        self.sync.clock_set(now);
        self.retired = now;
        let detail = format!("the clock was set by {by_ms} ms");
        out.records.push(difference("clock", None, detail, now));
    }

    /// Drops markets in which nothing more can happen.
    fn retire(&mut self, now: Timestamp) {
        if self.retired + RETIRE_EVERY <= now {
            self.retired = now;
            self.ledger.retire(&self.orders.markets(), self.started, now);
        }
    }

    /// The exchange is there again: what waited for its next attempt need not wait any longer.
    pub(super) fn retry_now(&mut self, key: OrderKey, now: Timestamp) {
        let Some(order) = self.orders.get_mut(key) else { return };
        if let Query::Due { .. } = order.query {
            order.query = Query::Due { at: now, attempt: 0 };
        }
        if let Cancel::Due { .. } = order.cancel {
            order.cancel = Cancel::Due { at: now, attempt: 0 };
        }
    }

    fn send_query(&mut self, key: OrderKey, now: Timestamp, out: &mut Outputs) {
        let Some(order) = self.orders.get_mut(key) else { return };
        let attempt = match order.query {
            Query::Due { at, attempt } if at <= now => attempt,
            Query::Idle | Query::Due { .. } | Query::InFlight { .. } => return,
        };
        let Some(client_order_id) = order.client_order_id.clone() else {
            order.query = Query::Idle;
            return;
        };
        order.query = Query::InFlight { attempt };
        out.requests.push(Request::Find {
            order: key,
            client_order_id,
            ticker: Arc::clone(&order.ticker),
            placed_at: order.created,
        });
    }

    /// While nothing is heard of fills, the orders of agents whose orders are not to work on without:
    /// not at once, as most connections are there again within a second.
    fn cancel_unheard(&mut self, now: Timestamp, out: &mut Outputs) {
        let timing = &self.settings.timing;
        // At the start everybody has the time to come up.
        let grace = if self.sync.compared().is_none() {
            timing.orphan_grace()
        } else {
            timing.disconnect_grace()
        };
        if !self.sync.is_down_since(now, grace) || self.ledger.open_orders() == 0 {
            return;
        }
        let unheard = self.agents_that(|on| on.disconnect == Leave::Cancel);
        let idle = |order: &Order| unheard.contains(&order.agent) && order.cancel == Cancel::Idle;
        self.cancel_where(idle, now, out);
    }

    /// After a restart, the orders of agents that did not come up again. A desk that is not ready
    /// cancels them all the same: nobody else does.
    fn cancel_orphans(&mut self, now: Timestamp, out: &mut Outputs) {
        if self.ledger.open_orders() == 0 {
            return;
        }
        let grace = self.settings.timing.orphan_grace();
        let orphaned: Vec<_> = self
            .ledger
            .agents
            .iter()
            .filter(|(_, agent)| !agent.live && agent.limits.on.stop == Leave::Cancel)
            .filter(|(_, agent)| agent.open_orders > 0 && agent.since + grace <= now)
            .map(|(slot, _)| slot)
            .collect();
        for slot in orphaned {
            let idle = |order: &Order| order.agent == slot && order.cancel == Cancel::Idle;
            self.cancel_where(idle, now, out);
        }
    }
}
