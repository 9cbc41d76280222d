//! Order groups: a breaker at the exchange, which holds when this host is dead.
//!
//! The orders of an agent on a shard are in one group. Once more of its contracts traded within 15
//! seconds than its limit, the exchange cancels its orders and takes no others (Kalshi, order
//! groups). The desk then halts the agent. An agent that is resumed gets a new group, whatever it was
//! halted for: that a group was stopped may have been told to nobody. A group is made for the first
//! order that needs it, which waits for it, and outlives the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::agent_table::AgentSlot;
use super::io::{Outputs, Request};
use super::orders::{ARRIVAL_MAX, OrderKey};
use super::record::{GroupChanged, Halted, OrderGroup, Record};
use super::risk::Approved;
use super::state::Desk;
use super::venue::PlaceOutcome;
use crate::model::AgentId;

/// How long an order may wait for its group: the market that it was decided on is gone then.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The code of a halt because the exchange stopped a group.
const ORDER_GROUP: &str = "ORDER_GROUP";

/// The groups of this host, by agent and shard.
#[derive(Debug, Default)]
pub(super) struct OrderGroups {
    all: BTreeMap<(AgentSlot, i32), Group>,
    /// Those that an agent's orders may still be in, while new ones go into another. One at most for
    /// each resume and each limit that was changed.
    former: BTreeMap<Arc<str>, (AgentSlot, i32)>,
}

#[derive(Debug)]
enum Group {
    /// Asked for. Of those that wait an agent has no more than it may have open orders.
    Asked { waiting: Vec<(OrderKey, Approved)> },
    /// The exchange has it.
    Made(OrderGroup),
}

impl OrderGroups {
    pub(super) fn restore(&mut self, agent: AgentSlot, shard: i32, group: OrderGroup) {
        self.all.insert((agent, shard), Group::Made(group));
    }

    fn whose(&self, id: &str) -> Option<(AgentSlot, i32)> {
        let is_it = |group: &Group| matches!(group, Group::Made(group) if *group.id == *id);
        let current = self.all.iter().find(|(_, group)| is_it(group)).map(|(whose, _)| *whose);
        current.or_else(|| self.former.get(id).copied())
    }

    /// New orders go into another group; whether there was one.
    fn retire(&mut self, whose: (AgentSlot, i32)) -> bool {
        let Some(Group::Made(group)) = self.all.get(&whose) else { return false };
        self.former.insert(Arc::clone(&group.id), whose);
        self.all.remove(&whose);
        true
    }

    fn waiting(&self) -> impl Iterator<Item = OrderKey> + '_ {
        self.all
            .values()
            .flat_map(|group| match group {
                Group::Asked { waiting } => waiting.as_slice(),
                Group::Made(_) => &[],
            })
            .map(|(key, _)| *key)
    }
}

/// What a refusal of the exchange says of the order's group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It takes no orders any more.
    Stopped,
    /// There is no such group.
    Gone,
}

impl Refused {
    /// None: nothing. Kalshi publishes the code for FIX alone, `EXCEEDED_ORDER_GROUP_RISK_LIMIT`.
    pub(super) fn read(reason: &str) -> Option<Self> {
        let reason = reason.to_ascii_lowercase().replace([' ', '-'], "_");
        if !reason.contains("order_group") {
            return None;
        }
        Some(if reason.contains("not_found") { Self::Gone } else { Self::Stopped })
    }
}

impl Desk {
    /// Sends an approved order in the group of its agent, which may have to be made first.
    pub(super) fn send_grouped(
        &mut self,
        key: OrderKey,
        (agent, name): (AgentSlot, &AgentId),
        approved: Approved,
        out: &mut Outputs,
    ) {
        let limit = self.settings.limits.group_contracts;
        if limit.is_zero() {
            out.requests.push(Request::Place { order: key, approved });
            return;
        }
        let exchange_index = approved.request().exchange_index;
        match self.groups.all.get_mut(&(agent, exchange_index)) {
            Some(Group::Made(group)) if group.limit == limit => {
                if let Some(order) = self.orders.get_mut(key) {
                    order.group = Some(Arc::clone(&group.id));
                }
                let approved = approved.in_group(&group.id);
                out.requests.push(Request::Place { order: key, approved });
            }
            Some(Group::Asked { waiting }) => waiting.push((key, approved)),
            // One with another limit is of an earlier run: its orders stay in it.
            Some(Group::Made(_)) | None => {
                self.groups.retire((agent, exchange_index));
                let asked = Group::Asked { waiting: vec![(key, approved)] };
                self.groups.all.insert((agent, exchange_index), asked);
                out.requests.push(Request::Group { agent: name.clone(), exchange_index, limit });
            }
        }
    }

    /// A group was made, or could not be.
    pub(super) fn grouped(
        &mut self,
        name: &AgentId,
        exchange_index: i32,
        result: Result<OrderGroup, String>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let agent = self.ledger.agents.slot(name);
        let asked = self.groups.all.get_mut(&(agent, exchange_index));
        let Some(Group::Asked { waiting }) = asked else { return };
        let waiting = std::mem::take(waiting);
        self.groups.all.remove(&(agent, exchange_index));
        let group = match result {
            Ok(group) => group,
            Err(reason) => {
                for (key, _) in waiting {
                    self.not_sent(key, &reason, now, out);
                }
                return;
            }
        };
        self.note_group(agent, exchange_index, Some(group.clone()), now, out);
        for (key, approved) in waiting {
            if let Some(reason) = self.may_not_leave(key, now) {
                self.not_sent(key, &reason, now, out);
                continue;
            }
            let Some(order) = self.orders.get_mut(key) else { continue };
            if now.since(order.created) > WAIT_MAX {
                let reason = "it took too long to be made: the next order is in it at once";
                self.not_sent(key, reason, now, out);
                continue;
            }
            order.group = Some(Arc::clone(&group.id));
            order.heard = now;
            order.arrived_by = now + ARRIVAL_MAX;
            let approved = approved.in_group(&group.id);
            out.requests.push(Request::Place { order: key, approved });
        }
        self.groups.restore(agent, exchange_index, group);
    }

    /// The markets of the orders that wait for a group.
    #[must_use]
    pub fn waiting_for_groups(&self) -> Vec<Arc<str>> {
        let orders = self.groups.waiting().filter_map(|key| self.orders.get(key));
        orders.map(|order| Arc::clone(&order.ticker)).collect()
    }

    /// How long an order waits cannot be told over a change of the clock.
    pub(super) fn drop_waiting_for_groups(&mut self, now: Timestamp, out: &mut Outputs) {
        let mut dropped = Vec::new();
        for group in self.groups.all.values_mut() {
            if let Group::Asked { waiting } = group {
                dropped.append(waiting);
            }
        }
        for (key, _) in dropped {
            self.not_sent(key, "the clock was set", now, out);
        }
    }

    /// The exchange canceled the orders of a group, and takes no others.
    pub(super) fn group_stopped(&mut self, id: &str, now: Timestamp, out: &mut Outputs) {
        // Others on the account may have groups as well.
        let Some(whose) = self.groups.whose(id) else { return };
        if self.is_in(whose, id) {
            self.leave_group(whose, now, out);
        }
        self.halt_for_group(whose, now, out);
        // Which of its orders are gone is told by reports that may get lost.
        self.sync.read_soon(now);
    }

    /// The exchange refused an order for its group.
    pub(super) fn group_refused(
        &mut self,
        key: OrderKey,
        refused: Refused,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(order) = self.orders.get(key) else { return };
        let (whose, group) = ((order.agent, order.exchange_index), order.group.clone());
        // A late word on one that new orders are not in any more says nothing of those.
        if !group.is_some_and(|id| self.is_in(whose, &id)) {
            return;
        }
        self.leave_group(whose, now, out);
        if refused == Refused::Stopped {
            self.halt_for_group(whose, now, out);
        }
    }

    /// The agent's next orders go into new groups.
    pub(super) fn leave_groups(&mut self, agent: AgentSlot, now: Timestamp, out: &mut Outputs) {
        let of_agent = self.groups.all.keys().filter(|(whose, _)| *whose == agent);
        for whose in of_agent.copied().collect::<Vec<_>>() {
            self.leave_group(whose, now, out);
        }
    }

    fn leave_group(&mut self, whose: (AgentSlot, i32), now: Timestamp, out: &mut Outputs) {
        if self.groups.retire(whose) {
            self.note_group(whose.0, whose.1, None, now, out);
        }
    }

    /// Whether new orders go into this group.
    fn is_in(&self, whose: (AgentSlot, i32), id: &str) -> bool {
        matches!(self.groups.all.get(&whose), Some(Group::Made(group)) if *group.id == *id)
    }

    fn halt_for_group(
        &mut self,
        (agent, exchange_index): (AgentSlot, i32),
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let halted = self.ledger.agents.get(agent).halted.as_ref();
        if halted.is_some_and(|it| !it.reducing) {
            return;
        }
        let limit = self.settings.limits.group_contracts;
        let reason = format!(
            "{ORDER_GROUP}: the exchange stopped it on shard {exchange_index}: contracts_limit={limit} \
             window_s=15"
        );
        self.halt(self.agent_name(agent), Halted::all(reason), now, out);
    }

    fn note_group(
        &self,
        agent: AgentSlot,
        exchange_index: i32,
        group: Option<OrderGroup>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let Some(agent) = self.agent_name(agent) else { return };
        out.records.push(Record::Group(GroupChanged { ts: now, agent, exchange_index, group }));
    }

    fn not_sent(&mut self, key: OrderKey, reason: &str, now: Timestamp, out: &mut Outputs) {
        let outcome = PlaceOutcome::NotSent { reason: format!("{ORDER_GROUP}: {reason}") };
        self.placed(key, outcome, now, out);
    }
}
