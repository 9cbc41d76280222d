//! What the agent finds: parameters, markets, games, a budget, a position.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::Harness;
use crate::testing::build;
use crate::{Agent, GameId, GameInfo, GameMarket, Market, MarketId, Outcome};

impl<A: Agent> Harness<A> {
    /// Sets a parameter, as the operator would.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Adds an active market with a grid of whole cents.
    #[must_use]
    pub fn market(self, ticker: &str) -> Self {
        self.market_with(build::market(ticker))
    }

    /// Adds a market. The harness gives it its handle.
    #[must_use]
    pub fn market_with(self, market: Market) -> Self {
        let mut world = self.world.0.borrow_mut();
        let id = MarketId(u32::try_from(world.markets.len()).unwrap_or(u32::MAX));
        world.markets.insert(id, Market { id, ..market });
        drop(world);
        self
    }

    /// Adds an NFL game with a market for each team's win: `home_ticker` and `away_ticker` become
    /// active markets.
    #[must_use]
    pub fn game(self, home_ticker: &str, away_ticker: &str) -> Self {
        let harness = self.market(home_ticker).market(away_ticker);
        let mut game = build::game("nfl", "HOM", "AWY");
        game.markets = vec![
            GameMarket { market: harness.market_id(home_ticker), outcome: Outcome::HomeWins },
            GameMarket { market: harness.market_id(away_ticker), outcome: Outcome::AwayWins },
        ];
        harness.game_with(game)
    }

    /// Adds a game. The harness gives it its handle.
    #[must_use]
    pub fn game_with(self, game: GameInfo) -> Self {
        let mut world = self.world.0.borrow_mut();
        let id = GameId(u32::try_from(world.games.len()).unwrap_or(u32::MAX));
        world.games.insert(id, GameInfo { id, ..game });
        drop(world);
        self
    }

    /// Sets what the agent may still put at risk.
    #[must_use]
    pub fn budget(self, budget: Dollars) -> Self {
        self.world.0.borrow_mut().budget = budget;
        self
    }

    /// Gives the agent a position, as if from an earlier trade at this price.
    #[must_use]
    pub fn holding(self, ticker: &str, quantity: Quantity, price: Price) -> Self {
        let market = self.market_id(ticker);
        let side = if quantity.is_negative() { Side::Ask } else { Side::Bid };
        self.world.0.borrow_mut().trade(market, side, price, quantity.abs());
        self
    }
}
