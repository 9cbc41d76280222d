//! [`OrderBuilder`]: an order that is being written.

use hotpit_units::Timestamp;

use super::Context;
use crate::Working;
use crate::action::{Action, NewOrder, TimeInForce};
use crate::ids::OrderId;

/// An order that is being written. It works until it is filled or canceled, unless told
/// otherwise.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// let order = ctx.buy(quote.market, Price::from_cents(40), Quantity::from_contracts(5));
/// order.post_only().send();
/// # }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # let actions = harness.quote("KX-1", cents(40), cents(42));
/// # assert!(placed(&actions)[0].post_only);
/// assert_eq!(placed(&actions)[0].time_in_force, TimeInForce::GoodTillCanceled);
/// ```
#[derive(Debug)]
#[must_use = "an order that is not sent does nothing"]
pub struct OrderBuilder<'a> {
    pub(super) context: &'a mut Context,
    pub(super) order: NewOrder,
}

impl OrderBuilder<'_> {
    /// Never take liquidity: the exchange cancels the order if it would.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// if let Some(bid) = quote.bid {
    ///     ctx.buy(quote.market, bid.price, Quantity::from_contracts(5)).post_only().send();
    /// }
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
    /// assert!(order.post_only);
    /// ```
    pub fn post_only(mut self) -> Self {
        self.order.post_only = true;
        self
    }

    /// Fill what can be filled at once, cancel the rest.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// if let Some(ask) = quote.ask {
    ///     ctx.buy(quote.market, ask.price, ask.quantity).immediate_or_cancel().send();
    /// }
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
    /// assert_eq!(order.time_in_force, TimeInForce::ImmediateOrCancel);
    /// harness.acknowledge(); // nothing was there
    /// assert!(harness.working().is_empty());
    /// ```
    pub fn immediate_or_cancel(mut self) -> Self {
        self.order.time_in_force = TimeInForce::ImmediateOrCancel;
        self
    }

    /// Fill all of it at once, or nothing.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// if let Some(ask) = quote.ask {
    ///     ctx.buy(quote.market, ask.price, Quantity::from_contracts(50)).fill_or_kill().send();
    /// }
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
    /// assert_eq!(order.time_in_force, TimeInForce::FillOrKill);
    /// ```
    pub fn fill_or_kill(mut self) -> Self {
        self.order.time_in_force = TimeInForce::FillOrKill;
        self
    }

    /// Let the exchange cancel it at this time, in whole seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// let in_a_minute = ctx.now() + Duration::from_secs(60);
    /// ctx.buy(quote.market, Price::from_cents(40), Quantity::from_contracts(5))
    ///     .expires_at(in_a_minute)
    ///     .send();
    /// # }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0];
    /// assert_eq!(order.expires, Some(harness.now() + Duration::from_secs(60)));
    /// ```
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.order.expires = Some(at);
        self
    }

    /// Sends the order, to be checked by the host's risk manager when the batch is done. Updates
    /// and fills will name this number.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { mine: Option<OrderId> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let five = Quantity::from_contracts(5);
    ///     self.mine = Some(ctx.buy(quote.market, Price::from_cents(40), five).send());
    /// }
    /// fn on_fill(&mut self, _: &mut Context, fill: &Fill) {
    ///     assert_eq!(self.mine, Some(fill.order));
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// # harness.fill(order, contracts(5));
    /// # assert_eq!(harness.agent().mine, Some(order));
    /// ```
    pub fn send(self) -> OrderId {
        self.context.last_order = self.order.order;
        self.context.actions.push(Action::Place(self.order));
        self.order.order
    }

    /// Sends the order and follows what becomes of it.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bid: Option<Working> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     if self.bid.is_none() {
    ///         let five = Quantity::from_contracts(5);
    ///         self.bid = Some(ctx.buy(quote.market, Price::from_cents(40), five).track());
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert_eq!(harness.quote("KX-1", cents(40), cents(42)).len(), 1);
    /// assert!(harness.quote("KX-1", cents(40), cents(42)).is_empty(), "one at a time");
    /// ```
    #[must_use = "a working order is to be kept and told its updates and fills"]
    pub fn track(self) -> Working {
        let working = Working::new(&self.order, self.context.now);
        self.send();
        working
    }
}
