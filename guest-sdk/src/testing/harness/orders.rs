//! What becomes of the agent's orders.

use hotpit_units::{Dollars, Quantity, Timestamp};

use super::Harness;
use crate::testing::TestOrder;
use crate::{Action, Agent, Event, Fill, OrderId, OrderState, OrderUpdate, TimeInForce};

impl<A: Agent> Harness<A> {
    /// Lets the exchange answer everything that is under way, in one batch: orders rest
    /// (immediate ones are canceled unfilled), and what the agent canceled is canceled.
    pub fn acknowledge(&mut self) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let mut events = Vec::new();
        for order in world.orders.values_mut().filter(|order| !order.state.is_final()) {
            let rests = order.order.time_in_force == TimeInForce::GoodTillCanceled;
            let state = match (order.cancel_wanted || !rests, order.state) {
                (true, _) => OrderState::Canceled,
                (false, OrderState::Sent) => OrderState::Resting,
                (false, _) => continue,
            };
            order.state = state;
            events.push(update(order, "", self.now));
        }
        drop(world);
        if events.is_empty() { Vec::new() } else { self.batch(&events) }
    }

    /// Fills an order at its price, in part or in whole: the agent hears of the order, then of the
    /// fill. Resting orders are filled as a maker, others as a taker; there are no fees.
    ///
    /// # Panics
    /// When the order was never placed, is done, or has not that much left.
    pub fn fill(&mut self, order: OrderId, quantity: Quantity) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let placed = world.order(order);
        let left = placed.remaining();
        assert!(quantity <= left, "{order:?} has {left} left, not {quantity}");
        let taker = placed.state == OrderState::Sent;
        placed.filled += quantity;
        placed.state = if quantity == left { OrderState::Filled } else { OrderState::PartlyFilled };
        let update = update(placed, "", self.now);
        let new = placed.order;
        world.trade(new.market, new.side, new.price, quantity);
        let position =
            world.positions.get(&new.market).map_or(Quantity::ZERO, |held| held.quantity);
        drop(world);
        let fill = Fill {
            order,
            market: new.market,
            side: new.side,
            price: new.price,
            quantity,
            fee: Dollars::ZERO,
            taker,
            position,
            ts: self.now,
        };
        self.batch(&[update, Event::Fill(fill)])
    }

    /// Has the host's risk manager deny an order.
    pub fn deny(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Denied, reason)
    }

    /// Has the exchange refuse an order.
    pub fn reject(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Rejected, reason)
    }

    /// Moves an order to a state and tells the agent.
    ///
    /// # Panics
    /// When the order was never placed.
    pub fn order_state(&mut self, order: OrderId, state: OrderState, reason: &str) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let placed = world.order(order);
        placed.state = state;
        let update = update(placed, reason, self.now);
        drop(world);
        self.event(update)
    }

    /// Moves an order to a state without telling the agent, as if the news were lost.
    ///
    /// # Panics
    /// When the order was never placed.
    pub fn lose_order(&mut self, order: OrderId, state: OrderState) {
        self.world.0.borrow_mut().order(order).state = state;
    }

    /// The agent's orders that may still trade, oldest first.
    #[must_use]
    pub fn working(&self) -> Vec<TestOrder> {
        let world = self.world.0.borrow();
        world.orders.values().filter(|order| !order.state.is_final()).cloned().collect()
    }
}

fn update(placed: &TestOrder, reason: &str, ts: Timestamp) -> Event {
    Event::Order(OrderUpdate {
        order: placed.order.order,
        market: placed.order.market,
        state: placed.state,
        filled: placed.filled,
        remaining: placed.remaining(),
        reason: reason.into(),
        ts,
    })
}
