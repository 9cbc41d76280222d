//! Handles and order numbers.

use serde::{Deserialize, Serialize};

/// A handle for a market, valid for one run of the host: [`Context::market`] tells its ticker.
///
/// It has no serde form on purpose. In another run the same number may be another market, so
/// state that is kept per market belongs in a [`MarketMap`], which is saved by ticker.
///
/// [`Context::market`]: crate::Context::market
/// [`MarketMap`]: crate::MarketMap
///
/// ```
/// use std::collections::BTreeMap;
/// # use hotpit_agent::{prelude::*, testing::*};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Mine {
///     #[serde(skip)] // for this run of the host
///     last: BTreeMap<MarketId, Price>,
/// }
/// # impl Agent for Mine {
/// #     type Params = ();
/// #     fn on_trade(&mut self, _: &mut Context, trade: &Trade) {
/// #         self.last.insert(trade.market, trade.price);
/// #     }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
/// assert_eq!(harness.agent().last[&harness.market_id("KX-1")], cents(40));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketId(pub u32);

/// A handle for a game, valid for one run of the host: [`Context::game`] tells who plays. It has
/// no serde form, for the reason that [`MarketId`] has none.
///
/// [`Context::game`]: crate::Context::game
///
/// ```
/// # use std::time::Duration;
/// use std::collections::BTreeMap;
/// # use hotpit_agent::{prelude::*, testing::*};
///
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Mine {
///     #[serde(skip)] // for this run of the host
///     scores: BTreeMap<GameId, (u32, u32)>,
/// }
/// # impl Agent for Mine {
/// #     type Params = ();
/// #     fn on_game(&mut self, _: &mut Context, game: &Game) {
/// #         self.scores.insert(game.game, (game.home_score, game.away_score));
/// #     }
/// # }
/// # let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
/// harness.score(2, Duration::from_secs(300), 14, 10);
/// assert_eq!(harness.agent().scores.values().next(), Some(&(14, 10)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GameId(pub u32);

/// The agent's own number for an order, never used twice by it. Given by
/// [`OrderBuilder::send`](crate::OrderBuilder::send).
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { bid: Option<OrderId> }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     match self.bid.take() {
///         Some(bid) => ctx.cancel(bid),
///         None => self.bid = Some(ctx.buy(quote.market, cents(40), contracts(5)).send()),
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.swap(); // the number is saved with the agent
/// assert_eq!(canceled(&harness.quote("KX-1", cents(40), cents(42))), [order]);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct OrderId(pub u64);

impl OrderId {
    /// The next number: the time of the batch, or one more than the last where that is not
    /// later. The time keeps numbers apart across restarts that lost the agent's state; the last
    /// number keeps them apart within a batch and under a clock that stood still.
    pub(crate) fn next(self, now: hotpit_units::Timestamp) -> Self {
        Self(now.as_nanos().max(self.0.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use hotpit_units::Timestamp;

    use super::*;

    #[test]
    fn order_numbers_rise_even_if_the_clock_does_not() {
        let at = Timestamp::from_nanos;
        let first = OrderId::default().next(at(100));
        let second = first.next(at(100));
        let third = second.next(at(50));
        let fourth = third.next(at(200));
        assert_eq!([first.0, second.0, third.0, fourth.0], [100, 101, 102, 200]);
    }
}
