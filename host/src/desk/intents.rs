//! What agents want: intents go to the risk manager, cancels always pass.

use std::sync::Arc;

use hotpit_units::{Dollars, Quantity, Timestamp};

use super::agent_table::AgentSlot;
use super::exposure::{Ends, Working};
use super::fees::Rounding;
use super::io::{Outputs, Request};
use super::ledger::Stake;
use super::market_table::MarketSlot;
use super::orders::{ARRIVAL_MAX, Cancel, Order, OrderKey, Query};
use super::recent::Sent;
use super::record::{CommandGiven, Decision, Holding, Intent, OrderEvent, Record};
use super::risk::{self, Approved, Denial, Question};
use super::state::Desk;
use super::venue::CancelRequest;
use crate::model::{
    Action, AgentId, ClientOrderId, MarketId, NewOrder, Notice, OrderId, OrderState, OrderUpdate,
};

impl Desk {
    pub(super) fn act(
        &mut self,
        agent: &AgentId,
        actions: &[Action],
        now: Timestamp,
        out: &mut Outputs,
    ) {
        for action in actions {
            match action {
                Action::Place(order) => self.place(agent, order, now, out),
                Action::Cancel(order) => self.cancel_one(agent, *order, now, out),
                Action::CancelAll(market) => self.cancel_all(agent, *market, now, out),
                // Timers are the agents' own affair.
                Action::WakeAt(_) => {}
            }
        }
    }

    fn place(&mut self, agent: &AgentId, order: &NewOrder, now: Timestamp, out: &mut Outputs) {
        self.counts.intents += 1;
        match self.decide(agent, order, now) {
            Ok(approved) => self.send(agent, order, approved, now, out),
            Err(denial) => self.deny(agent, order, &denial, now, out),
        }
    }

    /// What the risk manager says to an intent, without anything following from it: none is
    /// yes.
    #[must_use]
    pub fn would_deny(&self, agent: &AgentId, order: &NewOrder, now: Timestamp) -> Option<Denial> {
        risk::check(&self.question(agent, order, now)).err()
    }

    /// Asks the risk manager. Changes nothing but the number of the next order.
    fn decide(
        &mut self,
        agent: &AgentId,
        order: &NewOrder,
        now: Timestamp,
    ) -> Result<Approved, Denial> {
        let name = || client_order_id(&self.nonce, self.next_name);
        let approved = risk::decide(&self.question(agent, order, now), name)?;
        self.next_name += 1;
        Ok(approved)
    }

    fn question<'a>(&'a self, name: &AgentId, order: &'a NewOrder, now: Timestamp) -> Question<'a> {
        let agent = self.ledger.agents.find(name);
        let market = self.ledger.markets.by_id(order.market);
        let stake = match (agent, market) {
            (Some(agent), Some(market)) => self.ledger.stake(agent, market),
            (Some(_), None) | (None, Some(_)) | (None, None) => Stake::default(),
        };
        Question {
            now,
            order,
            limits: &self.settings.limits,
            stopping: if self.stopping {
                Some("shutting down")
            } else {
                self.journal_down.as_deref()
            },
            halted: self.halted.as_ref(),
            exchange: &self.exchange,
            not_ready: self.sync.not_ready(),
            agent: agent.map(|slot| self.ledger.agents.get(slot)),
            market: market.map(|slot| self.ledger.markets.get(slot)),
            holding: stake.holding,
            working: stake.working,
            slot: market,
            group_risk: market.map(|slot| self.ledger.group_risk(slot, ends_of(order))),
            duplicate: agent.and_then(|agent| self.duplicate(agent, market, order, now)),
            exposure: self.ledger.exposure(),
            open_orders: self.ledger.open_orders(),
            free_cash: market.map_or(Dollars::ZERO, |slot| {
                self.ledger.shard(self.ledger.markets.get(slot).shard).free()
            }),
        }
    }

    /// The agent's order that this one repeats, while that may still trade.
    fn duplicate(
        &self,
        agent: AgentSlot,
        market: Option<MarketSlot>,
        order: &NewOrder,
        now: Timestamp,
    ) -> Option<OrderId> {
        let window = self.settings.limits.duplicate_window();
        let recent = &self.ledger.agents.get(agent).recent;
        let is_same = |it: &&Sent| {
            Some(it.market) == market
                && (it.side, it.price, it.quantity) == (order.side, order.price, order.quantity)
        };
        let working = |it: &Sent| self.orders.get(it.key).filter(|it| !it.state.is_final());
        recent.within(window, now).filter(is_same).find_map(working)?.order
    }

    fn send(
        &mut self,
        name: &AgentId,
        order: &NewOrder,
        approved: Approved,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let request = approved.request();
        let decision = Decision::Approved {
            client_order_id: request.client_order_id.clone(),
            exchange_index: request.exchange_index,
        };
        let ticker = Arc::clone(&request.ticker);
        let agent = self.ledger.agents.slot(name);
        let of_agent = self.ledger.agents.get_mut(agent);
        of_agent.order_ids.insert(order.order);
        let per_second = risk::rate::limit(of_agent, &self.settings.limits);
        of_agent.rate.take(now, per_second);
        let key = self.orders.insert(Order {
            agent,
            market: self.ledger.markets.slot(&ticker),
            ticker: Arc::clone(&ticker),
            order: Some(order.order),
            client_order_id: Some(request.client_order_id.clone()),
            venue_order_id: None,
            exchange_index: request.exchange_index,
            side: order.side,
            price: order.price,
            quantity: order.quantity,
            state: OrderState::Sent,
            filled: Quantity::ZERO,
            booked: Quantity::ZERO,
            group: None,
            rounding: Rounding::default(),
            created: now,
            heard: now,
            arrived_by: now + ARRIVAL_MAX,
            cancel: Cancel::Idle,
            query: Query::Idle,
            recovered: false,
            presumed: false,
            committed: Working::default(),
            listed: false,
        });
        let market = self.ledger.markets.slot(&ticker);
        let (side, price, quantity) = (order.side, order.price, order.quantity);
        let sent = Sent { at: now, key, market, side, price, quantity };
        self.ledger.agents.get_mut(agent).recent.sent(sent);
        self.recount(key);
        out.records.push(intent(name, order, Some(ticker), now, decision));
        self.send_grouped(key, (agent, name), approved, out);
        let update = update(order, OrderState::Sent, order.quantity, String::new(), now);
        out.notices.push((name.clone(), update));
    }

    fn deny(
        &mut self,
        name: &AgentId,
        order: &NewOrder,
        denial: &Denial,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        self.counts.denied += 1;
        let agent = self.ledger.agents.slot(name);
        let agent = self.ledger.agents.get_mut(agent);
        agent.order_ids.insert(order.order);
        let is_noted = agent.idle.has_room(now);
        let reason = denial.to_string();
        if is_noted {
            let ticker = self.ledger.markets.by_id(order.market);
            let ticker = ticker.map(|slot| Arc::clone(&self.ledger.markets.get(slot).ticker));
            let decision = Decision::Denied { reason: reason.clone() };
            out.records.push(intent(name, order, ticker, now, decision));
        }
        let update = update(order, OrderState::Denied, Quantity::ZERO, reason, now);
        out.notices.push((name.clone(), update));
    }

    fn cancel_one(&mut self, name: &AgentId, order: OrderId, now: Timestamp, out: &mut Outputs) {
        let before = out.records.len();
        let agent = self.ledger.agents.slot(name);
        let key = self.orders.of_agent(agent, order);
        let is_news = key.is_some_and(|key| self.want_cancel(key, now, out));
        if is_news || self.ledger.agents.get_mut(agent).idle.has_room(now) {
            // Before what follows from it.
            out.records.insert(before, command_given(name, format!("cancel {}", order.0), now));
        }
    }

    fn cancel_all(
        &mut self,
        name: &AgentId,
        market: Option<MarketId>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let before = out.records.len();
        let agent = self.ledger.agents.slot(name);
        let (command, is_news) = match market {
            None => {
                let is_news = self.cancel_where(|order| order.agent == agent, now, out);
                ("cancel-all".to_owned(), is_news)
            }
            Some(id) => {
                let slot = self.ledger.markets.by_id(id);
                let theirs = |order: &Order| order.agent == agent && Some(order.market) == slot;
                let is_news = self.cancel_where(theirs, now, out);
                (format!("cancel-all market={}", id.0), is_news)
            }
        };
        if is_news || self.ledger.agents.get_mut(agent).idle.has_room(now) {
            out.records.insert(before, command_given(name, command, now));
        }
    }

    /// Writes down how many records of what agents asked for to no effect were left out.
    pub(super) fn note_left_out(&mut self, now: Timestamp, out: &mut Outputs) {
        for agent in self.ledger.agents.all_mut() {
            let Some(left_out) = agent.idle.left_out(now) else { continue };
            let Some(name) = &agent.name else { continue };
            self.counts.left_out += left_out;
            let command = format!("left out: {left_out} denied intents and cancels of nothing");
            out.records.push(command_given(name, command, now));
        }
    }

    /// Cancels the orders of this host that `which` picks; those from outside are never touched.
    /// Gives whether that was news to any of them.
    pub(super) fn cancel_where(
        &mut self,
        which: impl Fn(&Order) -> bool,
        now: Timestamp,
        out: &mut Outputs,
    ) -> bool {
        let keys: Vec<OrderKey> = self
            .orders
            .open()
            .filter(|(_, order)| !order.is_external() && which(order))
            .map(|(key, _)| key)
            .collect();
        let mut is_news = false;
        for key in keys {
            is_news |= self.want_cancel(key, now, out);
        }
        is_news
    }

    /// From here on the order is to be canceled: at once if the exchange's name for it is known,
    /// else as soon as it is. Gives whether that is news.
    pub(super) fn want_cancel(&mut self, key: OrderKey, now: Timestamp, out: &mut Outputs) -> bool {
        let Some(order) = self.orders.get_mut(key) else { return false };
        // Asking again does not make the exchange any faster: the next attempt has its time.
        if order.state.is_final() || order.cancel != Cancel::Idle {
            return false;
        }
        order.cancel = Cancel::Due { at: now, attempt: 0 };
        self.send_cancel(key, now, out);
        true
    }

    /// Sends the cancel of an order if it is due and can be sent.
    pub(super) fn send_cancel(&mut self, key: OrderKey, now: Timestamp, out: &mut Outputs) {
        let Some(order) = self.orders.get_mut(key) else { return };
        let attempt = match order.cancel {
            Cancel::Due { at, attempt } if at <= now && !order.state.is_final() => attempt,
            Cancel::Idle | Cancel::Due { .. } | Cancel::InFlight { .. } => return,
        };
        let Some(venue_order_id) = order.venue_order_id.clone() else { return };
        order.cancel = Cancel::InFlight { attempt };
        let request = CancelRequest {
            venue_order_id,
            ticker: Arc::clone(&order.ticker),
            exchange_index: order.exchange_index,
        };
        self.note(key, "cancel_sent", String::new(), now, out);
        out.requests.push(Request::Cancel { order: key, request });
    }

    /// Writes a row of an order's history that does not change its state.
    pub(super) fn note(
        &self,
        key: OrderKey,
        event: &'static str,
        reason: String,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get(key) else { return };
        out.records.push(Record::Order(OrderEvent {
            ts: now,
            client_order_id: order.client_order_id.clone(),
            venue_order_id: order.venue_order_id.clone(),
            agent: self.agent_name(order.agent),
            order: order.order,
            ticker: Arc::clone(&order.ticker),
            event: event.into(),
            from: order.state,
            state: order.state,
            filled: order.filled,
            reason,
        }));
    }
}

/// What the order adds to what can be lost at either end, fees apart.
fn ends_of(order: &NewOrder) -> Ends {
    let order = Working::of(order.side, order.price, order.quantity, Dollars::ZERO);
    Ends::of(&Holding::default(), &order)
}

/// Our name for an order: what no other run begins with, and a number that no other order of this
/// run has.
fn client_order_id(nonce: &str, number: u64) -> ClientOrderId {
    format!("{nonce}-{number}").into()
}

fn command_given(name: &AgentId, command: String, now: Timestamp) -> Record {
    Record::Command(CommandGiven { ts: now, agent: Some(name.clone()), command })
}

fn intent(
    agent: &AgentId,
    order: &NewOrder,
    ticker: Option<Arc<str>>,
    now: Timestamp,
    decision: Decision,
) -> Record {
    Record::Intent(Intent {
        ts: now,
        agent: agent.clone(),
        order: order.order,
        ticker,
        side: order.side,
        price: order.price,
        quantity: order.quantity,
        time_in_force: order.time_in_force,
        post_only: order.post_only,
        expires: order.expires,
        decision,
    })
}

fn update(
    order: &NewOrder,
    state: OrderState,
    remaining: Quantity,
    reason: String,
    now: Timestamp,
) -> Notice {
    Notice::Order(OrderUpdate {
        order: order.order,
        market: order.market,
        state,
        filled: Quantity::ZERO,
        remaining,
        reason,
        ts: now,
    })
}
