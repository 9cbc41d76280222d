//! [`QuotedSide`]: the one order of a side, and when the next may be sent.

use std::time::Duration;

use hotpit_agent::prelude::*;
use hotpit_agent::{Level, OpenOrder};
use serde::{Deserialize, Serialize};

use crate::pricing::Target;

/// How long a side is quiet after its first refusal. Doubled by each that follows.
const FIRST_QUIET: Duration = Duration::from_secs(1);

/// How often the quiet time doubles: at most 64 s.
const DOUBLINGS: u32 = 6;

/// One side of one market: at most one order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct QuotedSide {
    working: Option<Working>,
    /// Refusals since an order last rested.
    refusals: u32,
    /// No order is sent before this.
    quiet_until: Timestamp,
}

impl QuotedSide {
    pub(crate) fn is_working(&self, order: OrderId) -> bool {
        self.working.as_ref().is_some_and(|working| working.order() == order)
    }

    /// The price of the working order.
    pub(crate) fn price(&self) -> Option<Price> {
        self.working.as_ref().map(Working::price)
    }

    /// Takes up an order of an earlier run. A saved order in its place is not open any more, or is
    /// one more than there should be: it is canceled.
    pub(crate) fn adopt(&mut self, open: &OpenOrder, ctx: &mut Context) {
        if let Some(mut before) = self.working.replace(Working::adopt(open, ctx.now())) {
            before.cancel(ctx);
        }
    }

    pub(crate) fn on_order(&mut self, update: &OrderUpdate, now: Timestamp) {
        let Some(working) = self.working.as_mut().filter(|it| it.order() == update.order) else {
            return;
        };
        working.on_order(update, now);
        // The exchange cancels a post-only order that would take: as good as refused.
        let thrown_out = update.state == OrderState::Canceled && !working.is_canceling();
        if update.state.is_refused() || thrown_out {
            self.quiet_until = now + FIRST_QUIET * (1 << self.refusals.min(DOUBLINGS));
            self.refusals = self.refusals.saturating_add(1);
            warn!("order {} is {:?}: {}", update.order.0, update.state, update.reason);
        } else if working.is_resting() || update.state == OrderState::Filled {
            self.refusals = 0;
        }
        self.drop_if_done();
    }

    pub(crate) fn on_fill(&mut self, fill: &Fill, now: Timestamp) {
        if let Some(working) = &mut self.working {
            working.on_fill(fill, now);
        }
        self.drop_if_done();
    }

    /// Finds out about an order that was silent for long.
    pub(crate) fn check(&mut self, ctx: &mut Context) {
        if let Some(working) = &mut self.working {
            working.check(ctx);
        }
        self.drop_if_done();
    }

    fn drop_if_done(&mut self) {
        self.working.take_if(|working| working.is_done());
    }

    /// Cancels the working order.
    pub(crate) fn withdraw(&mut self, ctx: &mut Context) {
        if let Some(working) = &mut self.working {
            working.cancel(ctx);
        }
    }

    pub(crate) fn canceled_with_others(&mut self) {
        if let Some(working) = &mut self.working {
            working.canceled_with_others();
        }
    }

    /// The best price at which somebody else is in the book: quoting around one's own quotes would
    /// chase them.
    pub(crate) fn best_of_others(&self, levels: &[Level]) -> Option<Price> {
        let own = self.working.as_ref().filter(|working| working.is_resting());
        let others = |level: &&Level| match own {
            Some(own) if own.price() == level.price => level.quantity > own.remaining(),
            Some(_) | None => true,
        };
        levels.iter().find(others).map(|level| level.price)
    }

    /// Keeps the working order if it is near enough to its place, cancels it if not, and sends a
    /// new one once nothing works.
    pub(crate) fn move_to(&mut self, ctx: &mut Context, place: Place) {
        match (&mut self.working, place.target) {
            (Some(working), Some(target))
                if working.price().abs_diff(target.price) < place.distance
                    && working.remaining() <= target.room => {}
            (Some(working), _) => working.cancel(ctx),
            (None, Some(target)) if ctx.now() >= self.quiet_until && !place.meets_itself() => {
                let order = ctx.order(place.market, place.side, target.price, target.quantity);
                self.working = Some(order.post_only().track());
            }
            (None, _) => {}
        }
    }
}

/// Where a quote belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) market: MarketId,
    pub(crate) side: Side,
    /// Where it should be; none: nowhere.
    pub(crate) target: Option<Target>,
    /// The price of the agent's own order on the other side.
    pub(crate) facing: Option<Price>,
    /// How far from its target a quote is replaced.
    pub(crate) distance: Price,
}

impl Place {
    /// Whether a new order would trade with the agent's own: it waits for that one to move.
    fn meets_itself(&self) -> bool {
        let (Some(target), Some(facing)) = (self.target, self.facing) else { return false };
        match self.side {
            Side::Bid => target.price >= facing,
            Side::Ask => target.price <= facing,
        }
    }
}
