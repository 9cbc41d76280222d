//! A market maker: one bid and one ask around the mid of each market, within an inventory limit.
//!
//! What it promises:
//! - At most one working order on each side of a market: an order is replaced when the one before
//!   is over, never beside it.
//! - Its position never goes beyond the inventory limit: an order never asks for more than the
//!   room that is left.
//! - It quotes only on what it knows to be fresh: after a gap it cancels and waits for a quote.
//! - A refused order is not sent again at once: the side is quiet for a time that doubles.
//!
//! Prices are in [`pricing`], which knows nothing of orders.

mod pricing;
mod side;

use std::collections::BTreeSet;
use std::time::Duration;

use hotpit_agent::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pricing::Terms;
use crate::side::{Place, QuotedSide};

/// How often every market is looked at without an event: ends quiet times, and finds orders whose
/// end was never told.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Levels of the book that are read: the agent's own order can be alone on the best one.
const DEPTH: u32 = 2;

parameters! {
    /// What the operator can set.
    pub struct Params {
        /// The distance of each quote from the mid, in dollars.
        pub half_spread: Price = Price::from_cents(1),
        /// The size of each quote, in contracts.
        pub order_quantity: Quantity = Quantity::from_contracts(10),
        /// The largest position in a market, long or short, in contracts.
        pub inventory_limit: Quantity = Quantity::from_contracts(50),
        /// A quote is replaced when it is at least this far from where it should be, in dollars.
        pub requote_distance: Price = Price::from_cents(1),
        /// How far a full inventory moves both quotes, in dollars: down when long, up when short.
        pub skew: Price = Price::from_cents(2),
    }
}

impl Params {
    fn problems(&self) -> Vec<&'static str> {
        let checks = [
            (
                self.half_spread == Price::ZERO || self.half_spread >= Price::ONE,
                "`half_spread` must be more than 0 and less than 1 dollar",
            ),
            (
                self.order_quantity < Quantity::from_contracts(1),
                "`order_quantity` must be at least 1",
            ),
            (!self.inventory_limit.is_positive(), "`inventory_limit` must be more than 0"),
            (
                self.requote_distance == Price::ZERO || self.requote_distance >= Price::ONE,
                "`requote_distance` must be more than 0 and less than 1 dollar",
            ),
            (self.skew >= Price::ONE, "`skew` must be less than 1 dollar"),
        ];
        checks.into_iter().filter_map(|(wrong, problem)| wrong.then_some(problem)).collect()
    }
}

/// The agent. Its state is its working orders, by market.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct MarketMaker {
    markets: MarketMap<Quoted>,
    #[serde(skip)]
    params: Params,
    /// Markets that this batch changed.
    #[serde(skip)]
    dirty: BTreeSet<MarketId>,
    /// The heartbeat that this instance asked for: others are of an instance before it.
    #[serde(skip)]
    next_heartbeat: Timestamp,
}

/// What the agent has in one market.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Quoted {
    bid: QuotedSide,
    ask: QuotedSide,
    /// A gap came, and no quote since.
    stale: bool,
}

impl Quoted {
    fn side_mut(&mut self, side: Side) -> &mut QuotedSide {
        match side {
            Side::Bid => &mut self.bid,
            Side::Ask => &mut self.ask,
        }
    }

    fn sides_mut(&mut self) -> [&mut QuotedSide; 2] {
        [&mut self.bid, &mut self.ask]
    }

    fn has(&self, order: OrderId) -> bool {
        self.bid.is_working(order) || self.ask.is_working(order)
    }
}

impl Agent for MarketMaker {
    type Params = Params;

    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::Series("KXNFLGAME".into())]
    }

    fn configure(&mut self, params: Params) -> Result<(), String> {
        let problems = params.problems();
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        self.params = params;
        Ok(())
    }

    /// Takes up the orders that still work from an earlier run, the host's word before its own.
    fn on_start(&mut self, ctx: &mut Context, _: bool) {
        self.markets.adopt(ctx);
        for open in ctx.open_orders() {
            let quoted = self.markets.entry(ctx, open.market);
            if !quoted.has(open.order) {
                quoted.side_mut(open.side).adopt(&open, ctx);
            }
            self.dirty.insert(open.market);
        }
        self.next_heartbeat = ctx.now() + HEARTBEAT;
        ctx.wake_at(self.next_heartbeat);
    }

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        self.markets.entry(ctx, quote.market).stale = false;
        self.dirty.insert(quote.market);
    }

    fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
        if change.status == MarketStatus::Finalized {
            self.markets.remove(ctx, change.market);
            self.dirty.remove(&change.market);
        } else {
            self.dirty.insert(change.market);
        }
    }

    fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let quoted = self.markets.entry(ctx, update.market);
        if quoted.has(update.order) {
            quoted.sides_mut().into_iter().for_each(|side| side.on_order(update, ctx.now()));
        } else if !update.state.is_final() {
            // An order of an earlier run that its saved state did not have.
            ctx.cancel(update.order);
        }
        self.dirty.insert(update.market);
    }

    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        let quoted = self.markets.entry(ctx, fill.market);
        quoted.sides_mut().into_iter().for_each(|side| side.on_fill(fill, ctx.now()));
        self.dirty.insert(fill.market);
    }

    fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
        if due == self.next_heartbeat {
            self.next_heartbeat = ctx.now() + HEARTBEAT;
            ctx.wake_at(self.next_heartbeat);
            self.dirty.extend(self.markets.iter().map(|(market, _)| market));
        }
    }

    fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
        match gap.market {
            Some(market) => ctx.cancel_all_in(market),
            None => ctx.cancel_all(),
        }
        for (_, quoted) in self.markets.iter_mut().filter(|(market, _)| gap.covers(*market)) {
            quoted.stale = true;
            quoted.sides_mut().into_iter().for_each(QuotedSide::canceled_with_others);
        }
    }

    fn after_events(&mut self, ctx: &mut Context) {
        for market in std::mem::take(&mut self.dirty) {
            self.requote(ctx, market);
        }
    }
}

impl MarketMaker {
    /// Moves both quotes of a market to where they should be.
    fn requote(&mut self, ctx: &mut Context, market: MarketId) {
        let position = ctx.position(market).quantity;
        let quoted = self.markets.entry(ctx, market);
        quoted.sides_mut().into_iter().for_each(|side| side.check(ctx));
        let (Some(known), Some(book)) = (ctx.market(market), ctx.book(market, DEPTH)) else {
            // The operator took the market away; the orders in it are still this agent's.
            quoted.sides_mut().into_iter().for_each(|side| side.withdraw(ctx));
            return;
        };

        let may_quote = known.status == MarketStatus::Active && book.synced && !quoted.stale;
        let best_bid = quoted.bid.best_of_others(&book.bids);
        let best_ask = quoted.ask.best_of_others(&book.asks);
        let (Some(best_bid), Some(best_ask), true) = (best_bid, best_ask, may_quote) else {
            quoted.sides_mut().into_iter().for_each(|side| side.withdraw(ctx));
            return;
        };
        let terms = Terms { best_bid, best_ask, position, grid: &known.grid, params: &self.params };

        let distance = self.params.requote_distance;
        for (side, target) in [(Side::Bid, terms.bid()), (Side::Ask, terms.ask())] {
            let facing = quoted.side_mut(side.opposite()).price();
            quoted.side_mut(side).move_to(ctx, Place { market, side, target, facing, distance });
        }
    }
}

hotpit_agent::export!(MarketMaker);

#[cfg(test)]
mod tests;
