//! [`Working`]: one order, followed from its sending to its end.

mod news;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::codes::OrderState;
use crate::ids::OrderId;
use crate::info::OpenOrder;
use crate::{Context, NewOrder};

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
///
/// `Bidder`, here and below, bids for five contracts at 40 cents:
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Bidder { bid: Option<Working> }
/// # impl Agent for Bidder {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     let order = ctx.buy(quote.market, cents(40), contracts(5));
/// #     self.bid.get_or_insert_with(|| order.track());
/// # }
/// fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
///     self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
/// }
/// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
///     self.bid.iter_mut().for_each(|bid| bid.on_fill(fill, ctx.now()));
/// }
/// fn after_events(&mut self, _: &mut Context) {
///     self.bid.take_if(|bid| bid.is_done());
/// }
/// # }
/// # let mut harness = Harness::<Bidder>::new().market("KX-1");
/// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
/// harness.fill(order, contracts(5));
/// assert!(harness.agent().bid.is_none());
/// ```
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
    /// Whether it was taken up: what it traded before, its fills need not say.
    #[serde(default)]
    adopted: bool,
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
            adopted: false,
            resting: false,
            canceling: false,
            ended: false,
            heard: now,
        }
    }

    /// Takes up an order that the host knows and this agent has forgotten. Its updates count what
    /// it traded before, its fills do not tell of it: [`Working::check`] says when it is done.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bid: Option<Working> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
    /// # }
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     let open = ctx.open_orders();
    ///     self.bid = open.first().map(|open| Working::adopt(open, ctx.now()));
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.start()?; // its state is lost
    /// harness.batch(&[]);
    /// assert_eq!(harness.agent().bid.as_ref().map(Working::order), Some(order));
    /// # Ok::<(), String>(())
    /// ```
    #[must_use]
    pub fn adopt(open: &OpenOrder, now: Timestamp) -> Self {
        Self {
            order: open.order,
            side: open.side,
            price: open.price,
            remaining: open.remaining,
            filled: Quantity::ZERO,
            traded: Quantity::ZERO,
            adopted: true,
            resting: matches!(open.state, OrderState::Resting | OrderState::PartlyFilled),
            canceling: false,
            ended: false,
            heard: now,
        }
    }

    /// The agent's number for it.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// let bid = harness.agent().bid.as_ref();
    /// assert_eq!(bid.map(|bid| bid.order()), Some(order));
    /// ```
    #[must_use]
    pub fn order(&self) -> OrderId {
        self.order
    }

    /// Its side.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// let bid = harness.agent().bid.as_ref();
    /// assert_eq!(bid.map(|bid| bid.side()), Some(Side::Bid));
    /// ```
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Its limit.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     // Nobody sells near the bid.
    ///     if let Some(bid) = &mut self.bid && trade.price > bid.price() {
    ///         bid.cancel(ctx);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// assert!(harness.trade("KX-1", cents(40), contracts(1), Side::Ask).is_empty());
    /// assert_eq!(canceled(&harness.trade("KX-1", cents(41), contracts(1), Side::Ask)), [order]);
    /// ```
    #[must_use]
    pub fn price(&self) -> Price {
        self.price
    }

    /// What may still trade.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// #     fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    /// #     }
    /// #     fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_fill(fill, ctx.now()));
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.fill(order, contracts(2));
    /// let bid = harness.agent().bid.as_ref();
    /// assert_eq!(bid.map(|bid| bid.remaining()), Some(contracts(3)));
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        self.remaining
    }

    /// Whether it is known to be in the book.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// #     fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    /// #     }
    /// #     fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_fill(fill, ctx.now()));
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// let bid = harness.agent().bid.as_ref();
    /// assert!(bid.is_some_and(|bid| !bid.is_resting()), "on its way");
    /// harness.acknowledge();
    /// let bid = harness.agent().bid.as_ref();
    /// assert!(bid.is_some_and(|bid| bid.is_resting()));
    /// ```
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// Whether a cancel was asked for.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// fn on_market(&mut self, ctx: &mut Context, _: &MarketChange) {
    ///     self.bid.iter_mut().for_each(|bid| bid.cancel(ctx));
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.status("KX-1", MarketStatus::Inactive);
    /// let bid = harness.agent().bid.as_ref();
    /// assert!(bid.is_some_and(|bid| bid.is_canceling() && !bid.is_done()), "not canceled yet");
    /// ```
    #[must_use]
    pub fn is_canceling(&self) -> bool {
        self.canceling
    }

    /// Whether it is over and the agent's position has all of it.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// #     fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    /// #     }
    /// #     fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    /// #         self.bid.iter_mut().for_each(|bid| bid.on_fill(fill, ctx.now()));
    /// #     }
    /// fn after_events(&mut self, _: &mut Context) {
    ///     self.bid.take_if(|bid| bid.is_done());
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.fill(order, contracts(2));
    /// assert!(harness.agent().bid.is_some());
    /// harness.fill(order, contracts(3));
    /// assert!(harness.agent().bid.is_none());
    /// ```
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.ended && self.traded >= self.filled
    }

    /// Cancels it, once.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// fn on_market(&mut self, ctx: &mut Context, _: &MarketChange) {
    ///     self.bid.iter_mut().for_each(|bid| bid.cancel(ctx));
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// assert_eq!(canceled(&harness.status("KX-1", MarketStatus::Inactive)), [order]);
    /// assert!(harness.status("KX-1", MarketStatus::Closed).is_empty(), "once");
    /// ```
    pub fn cancel(&mut self, ctx: &mut Context) {
        if !self.canceling && !self.ended {
            ctx.cancel(self.order);
            self.canceling = true;
        }
    }

    /// Notes that the agent canceled it with others, by [`Context::cancel_all_in`] or
    /// [`Context::cancel_all`].
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Bidder { bid: Option<Working> }
    /// # impl Agent for Bidder {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let order = ctx.buy(quote.market, cents(40), contracts(5));
    /// #         self.bid.get_or_insert_with(|| order.track());
    /// #     }
    /// fn on_gap(&mut self, ctx: &mut Context, _: &Gap) {
    ///     ctx.cancel_all();
    ///     self.bid.iter_mut().for_each(Working::canceled_with_others);
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
    /// assert!(harness.agent().bid.as_ref().is_some_and(Working::is_canceling));
    /// ```
    pub fn canceled_with_others(&mut self) {
        self.canceling = true;
    }
}

#[cfg(test)]
mod tests;
