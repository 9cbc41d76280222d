//! [`OrderBuilder`]: an order that is being written.

use hotpit_units::Timestamp;

use super::Context;
use crate::Working;
use crate::action::{Action, NewOrder, TimeInForce};
use crate::ids::OrderId;

/// An order that is being written. It works until it is filled or canceled, unless told
/// otherwise.
#[derive(Debug)]
#[must_use = "an order that is not sent does nothing"]
pub struct OrderBuilder<'a> {
    pub(super) context: &'a mut Context,
    pub(super) order: NewOrder,
}

impl OrderBuilder<'_> {
    /// Never take liquidity: the exchange cancels the order if it would.
    pub fn post_only(mut self) -> Self {
        self.order.post_only = true;
        self
    }

    /// Fill what can be filled at once, cancel the rest.
    pub fn immediate_or_cancel(mut self) -> Self {
        self.order.time_in_force = TimeInForce::ImmediateOrCancel;
        self
    }

    /// Fill all of it at once, or nothing.
    pub fn fill_or_kill(mut self) -> Self {
        self.order.time_in_force = TimeInForce::FillOrKill;
        self
    }

    /// Let the exchange cancel it at this time, in whole seconds.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.order.expires = Some(at);
        self
    }

    /// Sends the order, to be checked by the host's risk manager when the batch is done. Updates
    /// and fills will name this number.
    pub fn send(self) -> OrderId {
        self.context.last_order = self.order.order;
        self.context.actions.push(Action::Place(self.order));
        self.order.order
    }

    /// Sends the order and follows what becomes of it.
    #[must_use = "a working order is to be kept and told its updates and fills"]
    pub fn track(self) -> Working {
        let working = Working::new(&self.order, self.context.now);
        self.send();
        working
    }
}
