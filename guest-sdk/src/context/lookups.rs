//! What an agent can look up, and what is kept of it.

use std::rc::Rc;

use hotpit_units::Dollars;

use super::Context;
use crate::event::Event;
use crate::ids::{GameId, MarketId};
use crate::info::{GameInfo, Market, OpenOrder, OrderBook, Position, Situation, Statistics};
use crate::sorted::Sorted;

/// What was looked up before. A lookup brings strings over from the host, so that each is made
/// once, until an event says that the answer may be another.
#[derive(Default)]
pub(super) struct Cache {
    markets: Sorted<MarketId, Rc<Market>>,
    games: Sorted<GameId, Rc<GameInfo>>,
    games_of: Sorted<MarketId, GameId>,
}

impl Context {
    /// Every market this agent is subscribed to.
    #[must_use]
    pub fn markets(&self) -> Vec<MarketId> {
        self.host.markets()
    }

    /// What is known of a market; none if the agent is not subscribed to it. Kept until the
    /// market changes: cheap to call on every event.
    #[must_use]
    pub fn market(&self, market: MarketId) -> Option<Rc<Market>> {
        if let Some(known) = self.cache.borrow().markets.get(market) {
            return Some(Rc::clone(known));
        }
        let described = Rc::new(self.host.market(market)?);
        self.cache.borrow_mut().markets.insert(market, Rc::clone(&described));
        Some(described)
    }

    /// The market with this ticker; none if the agent is not subscribed to it. Goes through all of
    /// them: look it up once and keep the handle.
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> Option<MarketId> {
        let is_it = |id: &MarketId| self.market(*id).is_some_and(|market| market.ticker == ticker);
        self.markets().into_iter().find(is_it)
    }

    /// Up to `depth` levels of each side of a book; none if the agent is not subscribed to the
    /// market. The agent's own orders are part of it.
    #[must_use]
    pub fn book(&self, market: MarketId, depth: u32) -> Option<OrderBook> {
        self.host.book(market, depth)
    }

    /// The numbers of a market's trading; none if the agent is not subscribed to it, or they were
    /// not heard yet. No event tells of their change: ask when they matter.
    ///
    /// ```
    /// use hotpit_agent::prelude::*;
    ///
    /// /// Whether a market is worth quoting: nobody trades in most.
    /// fn is_busy(ctx: &Context, market: MarketId) -> bool {
    ///     ctx.statistics(market).is_some_and(|it| it.volume >= Quantity::from_contracts(1_000))
    /// }
    /// ```
    #[must_use]
    pub fn statistics(&self, market: MarketId) -> Option<Statistics> {
        self.host.statistics(market)
    }

    /// Every game this agent is subscribed to.
    #[must_use]
    pub fn games(&self) -> Vec<GameId> {
        self.host.games()
    }

    /// What is known of a game; none if the agent is not subscribed to it. Kept until the game
    /// changes.
    #[must_use]
    pub fn game(&self, game: GameId) -> Option<Rc<GameInfo>> {
        if let Some(known) = self.cache.borrow().games.get(game) {
            return Some(Rc::clone(known));
        }
        let described = Rc::new(self.host.game(game)?);
        self.cache.borrow_mut().games.insert(game, Rc::clone(&described));
        Some(described)
    }

    /// What goes on in a game; none if the agent is not subscribed to it, or the scoreboard says
    /// nothing at this moment. A [`Game`](crate::Game) event tells of its change.
    ///
    /// ```
    /// use hotpit_agent::prelude::*;
    ///
    /// /// Whether the home team is about to score.
    /// fn home_threatens(ctx: &Context, game: GameId) -> bool {
    ///     let Some(situation) = ctx.situation(game) else { return false };
    ///     situation.possession == Some(Possession::Home) && situation.red_zone == Some(true)
    /// }
    /// ```
    #[must_use]
    pub fn situation(&self, game: GameId) -> Option<Situation> {
        self.host.situation(game)
    }

    /// The game that a market is on; none where the host is not certain of one.
    #[must_use]
    pub fn game_of(&self, market: MarketId) -> Option<GameId> {
        if let Some(known) = self.cache.borrow().games_of.get(market) {
            return Some(*known);
        }
        let game = self.host.game_of(market)?;
        self.cache.borrow_mut().games_of.insert(market, game);
        Some(game)
    }

    /// This agent's position in a market.
    #[must_use]
    pub fn position(&self, market: MarketId) -> Position {
        self.host.position(market)
    }

    /// This agent's orders that may still trade. Orders of this very batch, and of one that the
    /// host has not worked off yet, are not among them.
    #[must_use]
    pub fn open_orders(&self) -> Vec<OpenOrder> {
        self.host.open_orders()
    }

    /// What this agent may still put at risk before its exposure limit.
    #[must_use]
    pub fn budget(&self) -> Dollars {
        self.host.budget()
    }
}

impl Cache {
    pub(super) fn forget_what_changed(&mut self, event: &Event) {
        match event {
            Event::Market(change) => {
                self.markets.remove(change.market);
                self.games_of.remove(change.market);
            }
            Event::Game(game) => {
                self.games.remove(game.game);
                self.games_of.retain(|known| *known != game.game);
            }
            Event::Gap(gap) => match gap.market {
                Some(market) => {
                    self.markets.remove(market);
                }
                None => *self = Self::default(),
            },
            Event::Quote(_)
            | Event::Trade(_)
            | Event::Order(_)
            | Event::Fill(_)
            | Event::Timer(_) => {}
        }
    }
}
