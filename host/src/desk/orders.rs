//! The orders of this run and those that were taken over, by every name they have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Price, Quantity, Side, Timestamp};

use super::agent_table::{AgentSlot, EXTERNAL};
use super::exposure::Working;
use super::fees::Rounding;
use super::market_table::MarketSlot;
use super::table::Progress;
use crate::model::{ClientOrderId, OrderId, OrderState, VenueOrderId};

/// How many orders that have ended are remembered, so that late reports find them. Reports that
/// come later than ten thousand orders later are those of somebody else.
const ENDED_KEPT: usize = 10_000;

/// How long a request may be on its way, whatever its sender has given up: in the buffers of this
/// machine and of what lies between it and the exchange. Twice as long as the exchange's client
/// waits for an answer.
pub(super) const ARRIVAL_MAX: Duration = Duration::from_secs(10);

/// The desk's handle for an order, valid for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey(u64);

#[cfg(test)]
impl OrderKey {
    pub(super) const fn numbered(number: u64) -> Self {
        Self(number)
    }
}

/// An order, as the desk knows it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) agent: AgentSlot,
    pub(super) market: MarketSlot,
    pub(super) ticker: Arc<str>,
    /// The agent's number; none: placed outside this host.
    pub(super) order: Option<OrderId>,
    pub(super) client_order_id: Option<ClientOrderId>,
    pub(super) venue_order_id: Option<VenueOrderId>,
    pub(super) exchange_index: i32,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) state: OrderState,
    /// Filled, by everything that is known: reports and fills, whichever says more.
    pub(super) filled: Quantity,
    /// The sum of the fills that were booked.
    pub(super) booked: Quantity,
    /// The order group that it was sent in.
    pub(super) group: Option<Arc<str>>,
    /// What rounding took from its fills.
    pub(super) rounding: Rounding,
    pub(super) created: Timestamp,
    /// When the exchange was last heard of it, or it was sent: a read that was asked for before
    /// this (and a margin) proves nothing about it.
    pub(super) heard: Timestamp,
    /// When its request has arrived or never will: a read that was asked for before this does not
    /// prove that it is absent.
    pub(super) arrived_by: Timestamp,
    pub(super) cancel: Cancel,
    pub(super) query: Query,
    /// Taken over from an earlier run and not heard of yet.
    pub(super) recovered: bool,
    /// It is taken to have ended because the exchange did not know it, or ended in an earlier run:
    /// the exchange's word that it is there is believed all the same.
    pub(super) presumed: bool,
    /// What of it the ledger counts.
    pub(super) committed: Working,
    /// Whether its price is among the own levels of its market.
    pub(super) listed: bool,
}

/// Whether an order is to be canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    /// Nobody wants it.
    Idle,
    /// It is to be sent as soon as this time has come and the exchange's name is known.
    Due { at: Timestamp, attempt: u32 },
    /// It is on its way.
    InFlight { attempt: u32 },
}

/// Whether the exchange is to be asked about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    /// No.
    Idle,
    /// At this time.
    Due { at: Timestamp, attempt: u32 },
    /// The answer is awaited.
    InFlight { attempt: u32 },
}

impl Order {
    pub(super) fn progress(&self) -> Progress {
        Progress::of(self.filled, self.quantity)
    }

    pub(super) fn is_external(&self) -> bool {
        self.agent == EXTERNAL
    }

    /// Contracts that the exchange says were filled and no fill has come for. Of an order from
    /// outside none is missing: some of its fills may be older than this host's knowledge of it.
    pub(super) fn missing(&self) -> Quantity {
        if self.is_external() {
            return Quantity::ZERO;
        }
        Quantity::from_raw((self.filled - self.booked).raw().max(0))
    }

    /// Contracts that may still change the position: what works, and fills that are missing.
    pub(super) fn open(&self) -> Quantity {
        if self.state.is_final() {
            self.missing()
        } else if self.is_external() {
            self.remaining()
        } else {
            Quantity::from_raw((self.quantity - self.booked).raw().max(0))
        }
    }

    /// What works at the exchange, as far as is known.
    pub(super) fn remaining(&self) -> Quantity {
        if self.state.is_final() {
            Quantity::ZERO
        } else {
            Quantity::from_raw((self.quantity - self.filled).raw().max(0))
        }
    }
}

/// Every order that may matter.
#[derive(Debug, Default)]
pub(super) struct Orders {
    next: u64,
    all: BTreeMap<OrderKey, Order>,
    by_client: BTreeMap<ClientOrderId, OrderKey>,
    by_venue: BTreeMap<VenueOrderId, OrderKey>,
    by_agent: BTreeMap<(AgentSlot, OrderId), OrderKey>,
    /// Orders that are not final, or whose fills are not all booked.
    open: BTreeSet<OrderKey>,
    /// The same, by agent.
    open_of: BTreeSet<(AgentSlot, OrderKey)>,
    ended: VecDeque<OrderKey>,
}

impl Orders {
    pub(super) fn insert(&mut self, order: Order) -> OrderKey {
        let key = OrderKey(self.next);
        self.next += 1;
        if let Some(id) = &order.client_order_id {
            self.by_client.insert(id.clone(), key);
        }
        if let Some(id) = &order.venue_order_id {
            self.by_venue.insert(id.clone(), key);
        }
        if let Some(id) = order.order {
            self.by_agent.insert((order.agent, id), key);
        }
        self.open_of.insert((order.agent, key));
        self.all.insert(key, order);
        self.open.insert(key);
        key
    }

    pub(super) fn get(&self, key: OrderKey) -> Option<&Order> {
        self.all.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: OrderKey) -> Option<&mut Order> {
        self.all.get_mut(&key)
    }

    /// Learns the exchange's name for an order.
    pub(super) fn name(&mut self, key: OrderKey, venue_order_id: &VenueOrderId) {
        if let Some(order) = self.all.get_mut(&key)
            && order.venue_order_id.as_ref() != Some(venue_order_id)
        {
            order.venue_order_id = Some(venue_order_id.clone());
            self.by_venue.insert(venue_order_id.clone(), key);
        }
    }

    /// By the exchange's name, else by ours.
    pub(super) fn find(
        &self,
        venue_order_id: &VenueOrderId,
        client_order_id: Option<&ClientOrderId>,
    ) -> Option<OrderKey> {
        self.by_venue
            .get(venue_order_id)
            .or_else(|| client_order_id.and_then(|id| self.by_client.get(id)))
            .copied()
    }

    pub(super) fn of_agent(&self, agent: AgentSlot, order: OrderId) -> Option<OrderKey> {
        self.by_agent.get(&(agent, order)).copied()
    }

    /// Puts an order among the open ones or takes it out, by what it is now.
    pub(super) fn refile(&mut self, key: OrderKey) {
        let Some(order) = self.all.get(&key) else { return };
        if !order.state.is_final() || order.missing().is_positive() {
            self.open_of.insert((order.agent, key));
            self.open.insert(key);
        } else if self.open.remove(&key) {
            self.open_of.remove(&(order.agent, key));
            self.ended.push_back(key);
            self.forget();
        }
    }

    /// Forgets the oldest orders that have ended.
    fn forget(&mut self) {
        while self.ended.len() > ENDED_KEPT {
            let Some(key) = self.ended.pop_front() else { return };
            // It may have come back since.
            if self.open.contains(&key) {
                continue;
            }
            let Some(order) = self.all.remove(&key) else { continue };
            if let Some(id) = &order.client_order_id {
                self.by_client.remove(id);
            }
            if let Some(id) = &order.venue_order_id {
                self.by_venue.remove(id);
            }
            if let Some(id) = order.order {
                self.by_agent.remove(&(order.agent, id));
            }
        }
    }

    /// Orders that are not final, or whose fills are not all booked, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = (OrderKey, &Order)> {
        self.open.iter().filter_map(|key| self.all.get(key).map(|order| (*key, order)))
    }

    /// The same of one agent.
    pub(super) fn open_of(&self, agent: AgentSlot) -> impl Iterator<Item = &Order> {
        let all = (agent, OrderKey(0))..=(agent, OrderKey(u64::MAX));
        self.open_of.range(all).filter_map(|(_, key)| self.all.get(key))
    }

    /// The markets of all orders that are remembered.
    pub(super) fn markets(&self) -> BTreeSet<MarketSlot> {
        self.all.values().map(|order| order.market).collect()
    }

    /// The keys of those that are open, which outlive a change.
    pub(super) fn open_keys(&self) -> Vec<OrderKey> {
        self.open.iter().copied().collect()
    }
}
