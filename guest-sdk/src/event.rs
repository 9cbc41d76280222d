//! What an agent hears.

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::codes::{GameStatus, GapCause, MarketStatus, OrderState};
use crate::ids::{GameId, MarketId, OrderId};
use crate::{Agent, Context};

/// Something happened.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { halts: u32 }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
///     for event in events {
///         match event {
///             Event::Market(change) if change.status != MarketStatus::Active => self.halts += 1,
///             other => other.dispatch(self, ctx),
///         }
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.status("KX-1", MarketStatus::Inactive);
/// assert_eq!(harness.agent().halts, 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The best levels of a book changed.
    Quote(Quote),
    /// Somebody traded.
    Trade(Trade),
    /// The status of a market changed, or the market is new to this agent.
    Market(MarketChange),
    /// The state of a game changed, or the game is new to this agent.
    Game(Game),
    /// An order of this agent changed.
    Order(OrderUpdate),
    /// An order of this agent traded.
    Fill(Fill),
    /// A [`Context::wake_at`] came due; carries the time that was asked for.
    Timer(Timestamp),
    /// What the agent knows may be stale. Fresh state follows.
    Gap(Gap),
}

impl Event {
    /// Calls the handler of `agent` that this event belongs to.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_gap(&mut self, ctx: &mut Context, _: &Gap) { ctx.cancel_all(); }
    /// /// Handles gaps before all else.
    /// fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
    ///     let (gaps, others): (Vec<_>, Vec<_>) =
    ///         events.iter().partition(|event| matches!(event, Event::Gap(_)));
    ///     for event in gaps.into_iter().chain(others) {
    ///         event.dispatch(self, ctx);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new();
    /// assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
    /// ```
    pub fn dispatch<A: Agent>(&self, agent: &mut A, ctx: &mut Context) {
        match self {
            Self::Quote(quote) => agent.on_quote(ctx, quote),
            Self::Trade(trade) => agent.on_trade(ctx, trade),
            Self::Market(change) => agent.on_market(ctx, change),
            Self::Game(game) => agent.on_game(ctx, game),
            Self::Order(update) => agent.on_order(ctx, update),
            Self::Fill(fill) => agent.on_fill(ctx, fill),
            Self::Timer(due) => agent.on_timer(ctx, *due),
            Self::Gap(gap) => agent.on_gap(ctx, gap),
        }
    }
}

/// A price with what is offered there.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// let best = level(42, 10);
/// assert_eq!((best.price, best.quantity), (cents(42), contracts(10)));
/// assert_eq!(best.price * best.quantity, "4.20".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price of the YES leg.
    pub price: Price,
    /// The quantity; more than zero.
    pub quantity: Quantity,
}

/// The best levels of a book. Conflated: an agent that is slow sees the latest, not every step.
/// The agent's own resting orders are part of the book.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// /// Bids in markets that are wide.
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { return };
///     if ask.price.abs_diff(bid.price) >= Price::from_cents(5) {
///         ctx.buy(quote.market, bid.price, Quantity::from_contracts(1)).send();
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// assert!(harness.quote("KX-1", cents(40), cents(44)).is_empty());
/// assert_eq!(harness.quote("KX-1", cents(40), cents(45)).len(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// The market.
    pub market: MarketId,
    /// The best bid; none: nobody buys.
    pub bid: Option<Level>,
    /// The best ask; none: nobody sells.
    pub ask: Option<Level>,
    /// When the exchange made the change, or, where it does not say, when the host received it.
    pub ts: Timestamp,
}

impl Quote {
    /// The price halfway between bid and ask, rounded down to 1e-4 dollars; none if a side is
    /// empty. It need not be on the market's price grid.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { mid: Option<Price> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, _: &mut Context, quote: &Quote) {
    ///     self.mid = quote.mid();
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(43));
    /// assert_eq!(harness.agent().mid, Some("0.4150".parse()?));
    /// harness.book("KX-1", &[], &[level(43, 10)]);
    /// assert_eq!(harness.agent().mid, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        mid(self.bid, self.ask)
    }
}

/// The price halfway between two levels, rounded down.
pub(crate) fn mid(bid: Option<Level>, ask: Option<Level>) -> Option<Price> {
    let sum = bid?.price.checked_add(ask?.price)?;
    Some(Price::from_raw(sum.raw() / 2))
}

/// Somebody traded. Never conflated: if one is lost, a [`Gap`] tells.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { bought: Quantity }
/// # impl Agent for Mine {
/// #     type Params = ();
/// /// Adds up what takers bought.
/// fn on_trade(&mut self, _: &mut Context, trade: &Trade) {
///     if trade.taker == Side::Bid {
///         self.bought += trade.quantity;
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.trade("KX-1", cents(40), contracts(3), Side::Bid);
/// harness.trade("KX-1", cents(39), contracts(8), Side::Ask);
/// assert_eq!(harness.agent().bought, contracts(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The market.
    pub market: MarketId,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// The side of the order that took liquidity.
    pub taker: Side,
    /// When it happened.
    pub ts: Timestamp,
}

/// The status of a market changed, or the market is new to this agent.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { paid: Option<Price> }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_market(&mut self, _: &mut Context, change: &MarketChange) {
///     self.paid = change.settlement;
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.set_settlement("KX-1", Price::ONE);
/// harness.status("KX-1", MarketStatus::Determined);
/// assert_eq!(harness.agent().paid, Some(Price::ONE));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketChange {
    /// The market.
    pub market: MarketId,
    /// Its status now.
    pub status: MarketStatus,
    /// What one YES contract pays, from [`MarketStatus::Determined`] on.
    pub settlement: Option<Price>,
    /// When it changed.
    pub ts: Timestamp,
}

/// The state of a game changed, or the game is new to this agent.
///
/// ```
/// # use std::time::Duration;
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { late_and_close: bool }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_game(&mut self, _: &mut Context, game: &Game) {
///     let late = game.period >= 4 && game.clock_ms < 2 * 60 * 1_000;
///     self.late_and_close = late && game.home_score.abs_diff(game.away_score) <= 3;
/// }
/// # }
/// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
/// harness.score(4, Duration::from_secs(90), 20, 17);
/// assert!(harness.agent().late_and_close);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Game {
    /// The game.
    pub game: GameId,
    /// What goes on.
    pub status: GameStatus,
    /// The period, counted from 1; 0 before the start. Overtime goes on counting.
    pub period: u16,
    /// What is left of the period on the game clock, in milliseconds; 0 in games without one.
    pub clock_ms: u32,
    /// Points of the home team.
    pub home_score: u32,
    /// Points of the away team.
    pub away_score: u32,
    /// When the host received this state.
    pub ts: Timestamp,
}

/// An order of this agent changed.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { why: String }
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, cents(40), contracts(1)).send();
/// # }
/// fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
///     if update.state == OrderState::Denied {
///         // The code without its numbers.
///         self.why = update.reason.split(':').next().unwrap_or_default().into();
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # let order = placed(&harness.quote("KX-1", cents(39), cents(41)))[0].order;
/// harness.deny(order, "POSITION_LIMIT: market=KX-1 position=90.00 order=20.00 limit=100.00");
/// assert_eq!(harness.agent().why, "POSITION_LIMIT");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The order.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// Its state now.
    pub state: OrderState,
    /// Filled so far.
    pub filled: Quantity,
    /// Still working; zero in a final state.
    pub remaining: Quantity,
    /// Why, where there is a reason: a stable code, then its numbers, as in
    /// `POSITION_LIMIT: market=KX-1 position=90.00 order=20.00 limit=100.00`. Else empty.
    pub reason: String,
    /// When the host learned of it.
    pub ts: Timestamp,
}

/// An order of this agent traded.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { paid: Dollars, held: Quantity }
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
/// # }
/// fn on_fill(&mut self, _: &mut Context, fill: &Fill) {
///     self.paid += fill.price * fill.quantity + fill.fee;
///     self.held = fill.position;
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(39), cents(41)))[0].order;
/// harness.fill(order, contracts(5));
/// let agent = harness.agent();
/// assert_eq!((agent.paid, agent.held), (Dollars::from_dollars(2), contracts(5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The order.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// The side of the order.
    pub side: Side,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// What the exchange charged for it.
    pub fee: Dollars,
    /// Whether the order took liquidity.
    pub taker: bool,
    /// This agent's position in the market after the fill.
    pub position: Quantity,
    /// When it happened.
    pub ts: Timestamp,
}

/// What the agent knows may be stale. Fresh state follows: a [`MarketChange`] and a [`Quote`] for
/// each market; [`Context::open_orders`] and [`Context::position`] are right at once.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { stale: MarketMap<bool> }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     *self.stale.entry(ctx, quote.market) = false;
/// }
/// fn on_gap(&mut self, _: &mut Context, gap: &Gap) {
///     let missed = self.stale.iter_mut().filter(|(market, _)| gap.covers(*market));
///     missed.for_each(|(_, stale)| *stale = true);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.quote("KX-1", cents(40), cents(42));
/// harness.gap(None);
/// assert_eq!(harness.agent().stale.get(harness.market_id("KX-1")), Some(&true));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The market, or none for everything.
    pub market: Option<MarketId>,
    /// What made it.
    pub cause: GapCause,
    /// How many events were dropped, where that is known.
    pub dropped: u64,
}

impl Gap {
    /// Whether the gap concerns `market`.
    ///
    /// ```
    /// # use hotpit_agent::{GapCause, prelude::*};
    /// let gap = |market| Gap { market, cause: GapCause::TooSlow, dropped: 3 };
    /// assert!(gap(Some(MarketId(1))).covers(MarketId(1)));
    /// assert!(!gap(Some(MarketId(1))).covers(MarketId(2)));
    /// assert!(gap(None).covers(MarketId(2)));
    /// ```
    #[must_use]
    pub fn covers(&self, market: MarketId) -> bool {
        self.market.is_none_or(|gapped| gapped == market)
    }
}
