//! What becomes of the agent's orders.

use hotpit_units::{Dollars, Quantity, Timestamp};

use super::Harness;
use crate::testing::TestOrder;
use crate::{Action, Agent, Event, Fill, OrderId, OrderState, OrderUpdate, TimeInForce};

impl<A: Agent> Harness<A> {
    /// Lets the exchange answer everything that is under way, in one batch: orders rest
    /// (immediate ones are canceled unfilled), and what the agent canceled is canceled.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// assert_eq!(harness.working()[0].state, OrderState::Sent);
    /// harness.acknowledge();
    /// assert_eq!(harness.working()[0].state, OrderState::Resting);
    /// ```
    pub fn acknowledge(&mut self) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let mut events = Vec::new();
        for order in world.orders.values_mut().filter(|order| !order.state.is_final()) {
            let state = match (order.cancel_wanted || !may_rest(order), order.state) {
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
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.fill(order, contracts(2));
    /// assert_eq!(harness.working()[0].remaining(), contracts(3));
    /// harness.fill(order, contracts(3));
    /// assert!(harness.working().is_empty());
    /// assert_eq!(harness.position("KX-1").quantity, contracts(5));
    /// ```
    ///
    /// # Panics
    /// When the order was never placed, is done, or has not that much left.
    pub fn fill(&mut self, order: OrderId, quantity: Quantity) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let placed = world.order(order);
        let left = placed.remaining();
        assert!(quantity <= left, "{order:?} has {left} left, not {quantity}");
        let taker = placed.state == OrderState::Sent || !may_rest(placed);
        placed.filled += quantity;
        placed.state = if quantity == left { OrderState::Filled } else { OrderState::PartlyFilled };
        let update = update(placed, "", self.now);
        let new = placed.order;
        world.trade(new.market, new.side, new.price, quantity);
        let position = world.position(new.market).quantity;
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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// let actions = harness.deny(order, "ORDER_RATE: limit=1");
    /// assert!(actions.is_empty(), "not sent again at once");
    /// assert!(harness.working().is_empty());
    /// ```
    pub fn deny(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Denied, reason)
    }

    /// Has the exchange refuse an order.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { refused: Vec<String> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
    /// # }
    /// fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
    ///     if update.state.is_refused() {
    ///         self.refused.push(update.reason.clone());
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.reject(order, "insufficient_balance");
    /// assert_eq!(harness.agent().refused, ["insufficient_balance"]);
    /// ```
    pub fn reject(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Rejected, reason)
    }

    /// Moves an order to a state and tells the agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.order_state(order, OrderState::Canceled, "PostOnlyCrossCancel");
    /// assert!(harness.working().is_empty());
    /// ```
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
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { updates: u32 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
    /// # }
    /// fn on_order(&mut self, _: &mut Context, _: &OrderUpdate) {
    ///     self.updates += 1;
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.lose_order(order, OrderState::Canceled);
    /// assert!(harness.working().is_empty());
    /// assert_eq!(harness.agent().updates, 0);
    /// ```
    ///
    /// # Panics
    /// When the order was never placed.
    pub fn lose_order(&mut self, order: OrderId, state: OrderState) {
        self.world.0.borrow_mut().order(order).state = state;
    }

    /// The agent's orders that may still trade, oldest first.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.quote("KX-1", cents(40), cents(43));
    /// let prices: Vec<_> = harness.working().iter().map(|order| order.order.price).collect();
    /// assert_eq!(prices, [cents(42), cents(43)]);
    /// ```
    #[must_use]
    pub fn working(&self) -> Vec<TestOrder> {
        let world = self.world.0.borrow();
        world.orders.values().filter(|order| !order.state.is_final()).cloned().collect()
    }
}

fn may_rest(placed: &TestOrder) -> bool {
    placed.order.time_in_force == TimeInForce::GoodTillCanceled
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
