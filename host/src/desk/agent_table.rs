//! The agents that the desk has to do with, and what each has used up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use hotpit_units::{Dollars, Timestamp};

use super::inbox::AgentLimits;
use super::loss::Equity;
use super::recent::Recent;
use super::record::{Halted, ORDER_IDS_KEPT, UsedOrderIds};
use crate::model::{AgentId, OrderId};

/// The desk's own handle for an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AgentSlot(u32);

/// Whoever trades on the same account outside this host.
pub(super) const EXTERNAL: AgentSlot = AgentSlot(0);

/// What the desk knows of an agent.
#[derive(Debug, Default)]
pub(super) struct AgentState {
    /// Its name; none: outside this host.
    pub(super) name: Option<AgentId>,
    /// Whether it runs.
    pub(super) live: bool,
    /// When it was last seen to come or go.
    pub(super) since: Timestamp,
    pub(super) limits: AgentLimits,
    /// Why its new orders are stopped, or all but those that reduce.
    pub(super) halted: Option<Halted>,
    /// What it can lose, over all markets.
    pub(super) exposure: Dollars,
    /// Its orders that may still trade.
    pub(super) open_orders: u32,
    pub(super) order_ids: OrderIds,
    pub(super) rate: Rate,
    pub(super) idle: IdleNotes,
    pub(super) recent: Recent,
    /// What it made in markets that were retired.
    pub(super) retired: Retired,
    /// What its losses are measured from; none: it has not traded yet.
    pub(super) equity: Option<Equity>,
}

/// What was made in markets that were retired.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retired {
    pub(super) realized: Dollars,
    pub(super) fees: Dollars,
}

/// What an agent asks for to no effect: it costs the agent nothing, so that it is not all written
/// down.
#[derive(Debug, Default)]
pub(super) struct IdleNotes {
    rate: Rate,
    /// Left out since they were told last.
    left_out: u64,
    told: Timestamp,
}

/// How many of them are written down a second, of each agent: some hundred MiB a day at most.
const IDLE_NOTES_PER_SECOND: u32 = 10;

/// How often it is told how many were left out.
const LEFT_OUT_EVERY: Duration = Duration::from_secs(10);

impl IdleNotes {
    /// Whether one more is written down; else it is counted.
    pub(super) fn has_room(&mut self, now: Timestamp) -> bool {
        let has_room = self.rate.allows(now, IDLE_NOTES_PER_SECOND);
        if has_room {
            self.rate.take(now, IDLE_NOTES_PER_SECOND);
        } else {
            self.left_out += 1;
        }
        has_room
    }

    /// How many were left out, if it is time to tell.
    pub(super) fn left_out(&mut self, now: Timestamp) -> Option<u64> {
        if self.left_out == 0 || now < self.told + LEFT_OUT_EVERY {
            return None;
        }
        self.told = now;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// All agents. None is ever removed: slots stay valid.
#[derive(Debug)]
pub(super) struct AgentTable {
    all: Vec<AgentState>,
    by_name: BTreeMap<AgentId, AgentSlot>,
}

impl AgentTable {
    pub(super) fn new() -> Self {
        Self { all: vec![AgentState::default()], by_name: BTreeMap::new() }
    }

    pub(super) fn slot(&mut self, name: &AgentId) -> AgentSlot {
        if let Some(slot) = self.by_name.get(name) {
            return *slot;
        }
        let slot = AgentSlot(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(AgentState { name: Some(name.clone()), ..AgentState::default() });
        self.by_name.insert(name.clone(), slot);
        slot
    }

    /// The slot of an agent's name, or of the outside.
    pub(super) fn slot_of(&mut self, name: Option<&AgentId>) -> AgentSlot {
        name.map_or(EXTERNAL, |name| self.slot(name))
    }

    pub(super) fn find(&self, name: &AgentId) -> Option<AgentSlot> {
        self.by_name.get(name).copied()
    }

    pub(super) fn get(&self, slot: AgentSlot) -> &AgentState {
        &self.all[slot.0 as usize]
    }

    pub(super) fn get_mut(&mut self, slot: AgentSlot) -> &mut AgentState {
        &mut self.all[slot.0 as usize]
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut AgentState> {
        self.all.iter_mut()
    }

    pub(super) fn name(&self, slot: AgentSlot) -> Option<&AgentId> {
        self.get(slot).name.as_ref()
    }

    /// What everybody made in markets that were retired, the outside as well.
    pub(super) fn retired(&self) -> Retired {
        let all = self.all.iter().map(|agent| agent.retired);
        all.fold(Retired::default(), |sum, it| Retired {
            realized: sum.realized + it.realized,
            fees: sum.fees + it.fees,
        })
    }

    /// By name, in order; the outside is not among them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (AgentSlot, &AgentState)> {
        self.by_name.values().map(|slot| (*slot, self.get(*slot)))
    }
}

/// The order numbers that an agent has used: the highest ones exactly, everything below as one
/// bound. Numbers usually grow, so a new one usually goes to the end.
#[derive(Debug, Default)]
pub(super) struct OrderIds {
    floor: Option<OrderId>,
    used: VecDeque<OrderId>,
}

impl OrderIds {
    pub(super) fn restore(ids: &UsedOrderIds) -> Self {
        let mut used: Vec<OrderId> = ids.used.clone();
        used.sort_unstable();
        used.dedup();
        Self { floor: ids.floor, used: used.into() }
    }

    pub(super) fn is_used(&self, id: OrderId) -> bool {
        if self.floor.is_some_and(|floor| id <= floor) {
            return true;
        }
        match self.used.back() {
            Some(highest) if id <= *highest => self.used.binary_search(&id).is_ok(),
            Some(_) | None => false,
        }
    }

    pub(super) fn insert(&mut self, id: OrderId) {
        if self.floor.is_some_and(|floor| id <= floor) {
            return;
        }
        match self.used.binary_search(&id) {
            Ok(_) => return,
            Err(index) => self.used.insert(index, id),
        }
        if self.used.len() > ORDER_IDS_KEPT {
            self.floor = self.floor.max(self.used.pop_front());
        }
    }
}

/// How fast an agent sends orders: a bucket that holds one second's worth and refills
/// continuously. Counted in nanoseconds of waiting, so it needs no fractions.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// The time at which the bucket will be full again.
    full_at: Timestamp,
}

/// The size of the bucket in time.
const RATE_WINDOW_NANOS: u64 = 1_000_000_000;

impl Rate {
    /// Whether one more order is within `per_second`.
    pub(super) fn allows(&self, now: Timestamp, per_second: u32) -> bool {
        let Some(step) = RATE_WINDOW_NANOS.checked_div(u64::from(per_second)) else {
            return false;
        };
        self.full_at.as_nanos().saturating_sub(now.as_nanos()) + step <= RATE_WINDOW_NANOS
    }

    /// Counts an order.
    pub(super) fn take(&mut self, now: Timestamp, per_second: u32) {
        let step = RATE_WINDOW_NANOS / u64::from(per_second.max(1));
        self.full_at = Timestamp::from_nanos(self.full_at.as_nanos().max(now.as_nanos()) + step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_its_orders_and_no_more() {
        let mut rate = Rate::default();
        let start = Timestamp::from_secs(1_000);
        let mut sent = 0;
        for millis in 0..1_000 {
            let now = start + std::time::Duration::from_millis(millis);
            if rate.allows(now, 10) {
                rate.take(now, 10);
                sent += 1;
            }
        }
        // A full bucket at the start, and what flows in during the second.
        assert_eq!(sent, 19);
        assert!(!Rate::default().allows(start, 0));
    }

    #[test]
    fn a_number_is_used_once_even_when_it_is_forgotten() {
        let mut ids = OrderIds::default();
        for id in 1..=ORDER_IDS_KEPT as u64 + 5 {
            assert!(!ids.is_used(OrderId(id)));
            ids.insert(OrderId(id));
        }
        assert_eq!(ids.used.len(), ORDER_IDS_KEPT);
        for id in 0..=ORDER_IDS_KEPT as u64 + 5 {
            assert!(ids.is_used(OrderId(id)), "{id}");
        }
        // One from below the floor, as an old order that is taken over has it, lowers nothing.
        ids.insert(OrderId(1));
        ids.insert(OrderId(ORDER_IDS_KEPT as u64 + 6));
        for id in 0..=ORDER_IDS_KEPT as u64 + 6 {
            assert!(ids.is_used(OrderId(id)), "{id}");
        }
        let restored = OrderIds::restore(&UsedOrderIds {
            floor: Some(OrderId(7)),
            used: vec![OrderId(12), OrderId(9)],
        });
        for (id, used) in [(3, true), (7, true), (8, false), (9, true), (12, true), (13, false)] {
            assert_eq!(restored.is_used(OrderId(id)), used, "{id}");
        }
    }
}
