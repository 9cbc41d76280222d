//! [`Working`]: one order, followed from its sending to its end.

use std::time::Duration;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::codes::OrderState;
use crate::event::{Fill, OrderUpdate};
use crate::ids::OrderId;
use crate::info::OpenOrder;
use crate::{Context, NewOrder};

/// How long an order may be silent before [`Working::check`] asks the host for it: well above the
/// time that an answer of the exchange takes.
const SILENCE: Duration = Duration::from_secs(2);

/// An order of the agent that may still move its position. Three things make this more than a
/// number to remember:
///
/// - An order counts from the moment it is sent: [`Context::open_orders`] learns of it later.
/// - An order can be final before its last fill was heard of, while the position still lacks that
///   fill: [`Working::is_done`] waits for both.
/// - News can be lost in a gap or with a restart: [`Working::check`] finds out.
///
/// Made by [`OrderBuilder::track`](crate::OrderBuilder::track). It has a serde form and survives
/// a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Working {
    order: OrderId,
    side: Side,
    price: Price,
    remaining: Quantity,
    /// Filled, as the order's updates say.
    filled: Quantity,
    /// Filled, as the fills say.
    traded: Quantity,
    resting: bool,
    canceling: bool,
    ended: bool,
    heard: Timestamp,
}

impl Working {
    pub(crate) fn new(order: &NewOrder, now: Timestamp) -> Self {
        Self {
            order: order.order,
            side: order.side,
            price: order.price,
            remaining: order.quantity,
            filled: Quantity::ZERO,
            traded: Quantity::ZERO,
            resting: false,
            canceling: false,
            ended: false,
            heard: now,
        }
    }

    /// Takes up an order that the host knows and this agent has forgotten.
    #[must_use]
    pub fn adopt(open: &OpenOrder, now: Timestamp) -> Self {
        Self {
            order: open.order,
            side: open.side,
            price: open.price,
            remaining: open.remaining,
            filled: Quantity::ZERO,
            traded: Quantity::ZERO,
            resting: matches!(open.state, OrderState::Resting | OrderState::PartlyFilled),
            canceling: false,
            ended: false,
            heard: now,
        }
    }

    /// The agent's number for it.
    #[must_use]
    pub fn order(&self) -> OrderId {
        self.order
    }

    /// Its side.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Its limit.
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// What may still trade.
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        self.remaining
    }

    /// Whether it is known to be in the book.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// Whether a cancel was asked for.
    #[must_use]
    pub fn is_canceling(&self) -> bool {
        self.canceling
    }

    /// Whether it is over and the agent's position has all of it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ended && self.traded >= self.filled
    }

    /// Cancels it, once.
    pub fn cancel(&mut self, ctx: &mut Context) {
        if !self.canceling && !self.ended {
            ctx.cancel(self.order);
            self.canceling = true;
        }
    }

    /// Notes that the agent canceled it with others, by [`Context::cancel_all_in`] or
    /// [`Context::cancel_all`].
    pub fn canceled_with_others(&mut self) {
        self.canceling = true;
    }

    /// Takes an update. Updates of other orders are ignored.
    pub fn on_order(&mut self, update: &OrderUpdate, now: Timestamp) {
        if update.order != self.order {
            return;
        }
        self.heard = now;
        self.filled = self.filled.max(update.filled);
        self.remaining = update.remaining;
        self.resting = matches!(update.state, OrderState::Resting | OrderState::PartlyFilled);
        self.ended |= update.state.is_final();
    }

    /// Takes a fill. Fills of other orders are ignored.
    pub fn on_fill(&mut self, fill: &Fill, now: Timestamp) {
        if fill.order == self.order {
            self.heard = now;
            self.traded = self.traded.saturating_add(fill.quantity);
        }
    }

    /// Asks the host for the order when it was silent for two seconds: an order that the host does
    /// not have any more is done, and a cancel of one that it still has is sent again. Cheap
    /// otherwise, so it may be called on every event.
    pub fn check(&mut self, ctx: &mut Context) {
        if ctx.now().since(self.heard) < SILENCE {
            return;
        }
        self.heard = ctx.now();
        match ctx.open_orders().iter().find(|open| open.order == self.order) {
            Some(open) => {
                self.remaining = open.remaining;
                // One that is over and still listed has fills that are to come.
                if !open.state.is_final() {
                    self.ended = false;
                    if self.canceling {
                        ctx.cancel(self.order);
                    }
                }
            }
            None => {
                self.remaining = Quantity::ZERO;
                self.ended = true;
                self.filled = self.traded;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cents, contracts};
    use crate::{MarketId, TimeInForce};

    fn working() -> Working {
        let order = NewOrder {
            order: OrderId(7),
            market: MarketId(0),
            side: Side::Bid,
            price: cents(40),
            quantity: contracts(10),
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: false,
            expires: None,
        };
        Working::new(&order, Timestamp::EPOCH)
    }

    fn update(order: u64, state: OrderState, filled: i64, remaining: i64) -> OrderUpdate {
        OrderUpdate {
            order: OrderId(order),
            market: MarketId(0),
            state,
            filled: contracts(filled),
            remaining: contracts(remaining),
            reason: String::new(),
            ts: Timestamp::EPOCH,
        }
    }

    fn fill(quantity: i64) -> Fill {
        Fill {
            order: OrderId(7),
            market: MarketId(0),
            side: Side::Bid,
            price: cents(40),
            quantity: contracts(quantity),
            fee: hotpit_units::Dollars::ZERO,
            taker: false,
            position: contracts(quantity),
            ts: Timestamp::EPOCH,
        }
    }

    #[test]
    fn an_order_is_not_done_before_its_fills_are_heard() {
        let mut order = working();
        order.on_order(&update(7, OrderState::Filled, 10, 0), Timestamp::EPOCH);
        assert!(!order.is_done());
        order.on_fill(&fill(6), Timestamp::EPOCH);
        assert!(!order.is_done());
        order.on_fill(&fill(4), Timestamp::EPOCH);
        assert!(order.is_done());
    }

    #[test]
    fn fills_alone_do_not_end_an_order() {
        let mut order = working();
        order.on_fill(&fill(4), Timestamp::EPOCH);
        assert!(!order.is_done());
        order.on_order(&update(7, OrderState::Canceled, 4, 0), Timestamp::EPOCH);
        assert!(order.is_done());
    }

    #[test]
    fn news_of_other_orders_change_nothing() {
        let mut order = working();
        order.on_order(&update(8, OrderState::Canceled, 0, 0), Timestamp::from_secs(9));
        assert_eq!(order, working());
    }
}
