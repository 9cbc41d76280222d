//! The resting orders of one market, by price and time.

use std::collections::BTreeMap;

use hotpit_units::{Price, Quantity, Side};

use super::ids::Uuid;

/// A price with what rests there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price of the YES leg.
    pub price: Price,
    /// The quantity; more than zero.
    pub quantity: Quantity,
}

/// The resting orders of one market. Never crossed, never with an empty level.
#[derive(Debug, Default)]
pub struct Book {
    bids: BTreeMap<Price, Queue>,
    asks: BTreeMap<Price, Queue>,
}

/// The orders of one level, first come first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    total: Quantity,
    orders: BTreeMap<u64, Uuid>,
}

impl Book {
    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).next()
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        self.queues(side).map(|(price, queue)| Level { price, quantity: queue.total })
    }

    /// Whether nothing rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bids.is_empty() && self.asks.is_empty()
    }

    /// The level that an order of `side` with this limit trades with first, and the order that
    /// is first there.
    pub(super) fn first_match(&self, side: Side, limit: Price) -> Option<(Price, Uuid)> {
        let (price, queue) = self.queues(side.opposite()).next()?;
        let crosses = match side {
            Side::Bid => price <= limit,
            Side::Ask => price >= limit,
        };
        let first = queue.orders.values().next()?;
        crosses.then_some((price, *first))
    }

    /// The orders that an order of `side` with this limit would trade with, in order.
    pub(super) fn matches(&self, side: Side, limit: Price) -> impl Iterator<Item = Uuid> + '_ {
        self.queues(side.opposite())
            .take_while(move |(price, _)| match side {
                Side::Bid => *price <= limit,
                Side::Ask => *price >= limit,
            })
            .flat_map(|(_, queue)| queue.orders.values().copied())
    }

    /// All resting orders: bids, then asks, best first.
    pub(super) fn orders(&self) -> impl Iterator<Item = Uuid> + '_ {
        [Side::Bid, Side::Ask]
            .into_iter()
            .flat_map(|side| self.queues(side))
            .flat_map(|(_, queue)| queue.orders.values().copied())
    }

    /// Puts an order at its place.
    pub(super) fn insert(
        &mut self,
        side: Side,
        price: Price,
        place: u64,
        id: Uuid,
        count: Quantity,
    ) {
        let queue = self.side_mut(side).entry(price).or_default();
        queue.total += count;
        queue.orders.insert(place, id);
    }

    /// Takes quantity out of an order, and the order out of the book if nothing remains of it.
    pub(super) fn reduce(
        &mut self,
        side: Side,
        price: Price,
        place: u64,
        by: Quantity,
        remaining: Quantity,
    ) {
        let levels = self.side_mut(side);
        let Some(queue) = levels.get_mut(&price) else { return };
        queue.total -= by;
        if remaining.is_zero() {
            queue.orders.remove(&place);
        }
        if queue.orders.is_empty() {
            levels.remove(&price);
        }
    }

    pub(super) fn queues(&self, side: Side) -> Box<dyn Iterator<Item = (Price, &Queue)> + '_> {
        match side {
            Side::Bid => Box::new(self.bids.iter().rev().map(|(price, queue)| (*price, queue))),
            Side::Ask => Box::new(self.asks.iter().map(|(price, queue)| (*price, queue))),
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, Queue> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

impl Queue {
    /// What the level shows.
    pub(super) const fn total(&self) -> Quantity {
        self.total
    }

    /// Its orders with their places, first come first.
    pub(super) fn orders(&self) -> impl Iterator<Item = (u64, Uuid)> + '_ {
        self.orders.iter().map(|(place, id)| (*place, *id))
    }
}
