//! [`Context`]: everything an agent can see and do while it handles a batch.

mod lookups;
mod order;

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use hotpit_units::{Price, Quantity, Side, Timestamp};

use self::lookups::Cache;
pub use self::order::OrderBuilder;
use crate::action::{Action, NewOrder, TimeInForce};
use crate::event::Event;
use crate::host::Host;
use crate::ids::{MarketId, OrderId};

/// What an agent can see and do. Its own account is as of the batch, markets, books and games are
/// as they are when it asks; what it is asked to do is sent when the batch is done.
pub struct Context {
    host: Box<dyn Host>,
    now: Timestamp,
    actions: Vec<Action>,
    last_order: OrderId,
    cache: RefCell<Cache>,
}

impl Context {
    pub(crate) fn new(host: Box<dyn Host>, last_order: OrderId) -> Self {
        Self {
            host,
            now: Timestamp::EPOCH,
            actions: Vec::new(),
            last_order,
            cache: RefCell::default(),
        }
    }

    pub(crate) fn begin(&mut self, now: Timestamp, events: &[Event]) {
        self.now = now;
        let cache = self.cache.get_mut();
        for event in events {
            cache.forget_what_changed(event);
        }
    }

    pub(crate) fn finish(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn last_order(&self) -> OrderId {
        self.last_order
    }

    /// When the batch was made. The only clock there is: the same events give the same actions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Begins an order to buy YES. Nothing is sent before [`OrderBuilder::send`].
    pub fn buy(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Bid, price, quantity)
    }

    /// Begins an order to sell YES, which is the same as buying NO at $1 minus the price.
    pub fn sell(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Ask, price, quantity)
    }

    /// Begins an order on a side that is known at run time alone.
    pub fn order(
        &mut self,
        market: MarketId,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> OrderBuilder<'_> {
        let order = NewOrder {
            order: self.last_order.next(self.now),
            market,
            side,
            price,
            quantity,
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: false,
            expires: None,
        };
        OrderBuilder { context: self, order }
    }

    /// Cancels an order of this agent. It may still trade until an update says that it is done.
    pub fn cancel(&mut self, order: OrderId) {
        self.actions.push(Action::Cancel(order));
    }

    /// Cancels all orders of this agent.
    pub fn cancel_all(&mut self) {
        self.actions.push(Action::CancelAll(None));
    }

    /// Cancels all orders of this agent in a market.
    pub fn cancel_all_in(&mut self, market: MarketId) {
        self.actions.push(Action::CancelAll(Some(market)));
    }

    /// Asks for a timer event at a time. Each comes due once; none survives a swap or a restart.
    pub fn wake_at(&mut self, at: Timestamp) {
        self.actions.push(Action::WakeAt(at));
    }

    /// Asks for a timer event after a time.
    pub fn wake_after(&mut self, delay: Duration) {
        self.wake_at(self.now + delay);
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("actions", &self.actions)
            .field("last_order", &self.last_order)
            .finish_non_exhaustive()
    }
}
