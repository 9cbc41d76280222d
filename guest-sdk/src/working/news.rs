//! What the order's updates and fills say, and what the host says when they do not.

use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::Working;
use crate::Context;
use crate::codes::OrderState;
use crate::event::{Fill, OrderUpdate};

/// How long an order may be silent before [`Working::check`] asks the host for it: well above the
/// time that an answer of the exchange takes.
const SILENCE: Duration = Duration::from_secs(2);

impl Working {
    /// Takes an update. Updates of other orders are ignored.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bids: Vec<Working> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     self.bids.push(ctx.buy(quote.market, cents(40), contracts(5)).track());
    /// # }
    /// fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
    ///     // Each picks its own.
    ///     self.bids.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    ///     self.bids.retain(|bid| !bid.is_done());
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.quote("KX-1", cents(41), cents(43));
    /// harness.reject(order, "insufficient_balance");
    /// assert_eq!(harness.agent().bids.len(), 1);
    /// ```
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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { bid: Option<Working> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     self.bid = Some(ctx.buy(quote.market, cents(40), contracts(5)).track());
    /// # }
    /// # fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
    /// #     self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    /// # }
    /// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    ///     if let Some(bid) = &mut self.bid {
    ///         bid.on_fill(fill, ctx.now());
    ///     }
    ///     self.bid.take_if(|bid| bid.is_done());
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.fill(order, contracts(5));
    /// assert!(harness.agent().bid.is_none());
    /// ```
    pub fn on_fill(&mut self, fill: &Fill, now: Timestamp) {
        if fill.order == self.order {
            self.heard = now;
            self.traded = self.traded.saturating_add(fill.quantity);
        }
    }

    /// Asks the host for the order when it was silent for two seconds: an order that the host does
    /// not have any more is done, and a cancel of one that it still has is sent again. Of an
    /// adopted order that is over it asks at once. Cheap otherwise, so it may be called on every
    /// event.
    ///
    /// ```
    /// # use std::time::Duration;
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
    /// fn on_trade(&mut self, ctx: &mut Context, _: &Trade) {
    ///     self.bid.iter_mut().for_each(|bid| bid.check(ctx));
    ///     self.bid.take_if(|bid| bid.is_done());
    /// }
    /// # }
    /// # let mut harness = Harness::<Bidder>::new().market("KX-1");
    /// # let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
    /// harness.lose_order(order, OrderState::Canceled); // no update tells
    /// harness.advance(Duration::from_secs(2));
    /// harness.trade("KX-1", cents(42), contracts(1), Side::Bid);
    /// assert!(harness.agent().bid.is_none());
    /// ```
    pub fn check(&mut self, ctx: &mut Context) {
        // Which of its fills are to come, its news do not say; the host lists it until none is.
        let is_unsure = self.adopted && self.remaining.is_zero() && !self.is_done();
        if !is_unsure && ctx.now().since(self.heard) < SILENCE {
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
