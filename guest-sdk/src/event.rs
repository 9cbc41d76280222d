//! What an agent hears.

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::codes::{GameStatus, GapCause, MarketStatus, OrderState};
use crate::ids::{GameId, MarketId, OrderId};
use crate::{Agent, Context};

/// Something happened.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The price of the YES leg.
    pub price: Price,
    /// The quantity; more than zero.
    pub quantity: Quantity,
}

/// The best levels of a book. Conflated: an agent that is slow sees the latest, not every step.
/// The agent's own resting orders are part of the book.
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
    #[must_use]
    pub fn covers(&self, market: MarketId) -> bool {
        self.market.is_none_or(|gapped| gapped == market)
    }
}
