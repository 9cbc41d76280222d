//! What the agent finds: parameters, markets, games, a budget, a position.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::Harness;
use crate::testing::build;
use crate::{Agent, GameId, GameInfo, GameMarket, Market, MarketId, Outcome};

impl<A: Agent> Harness<A> {
    /// Sets a parameter, as the operator would. Set again, it has the last value.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # parameters! {
    /// #     /// Of the example.
    /// #     struct Params {
    /// #         /// How much to buy, in contracts.
    /// #         size: Quantity = contracts(1),
    /// #     }
    /// # }
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { #[serde(skip)] params: Params }
    /// # impl Agent for Buyer {
    /// #     type Params = Params;
    /// #     fn configure(&mut self, params: Params) -> Result<(), String> {
    /// #         self.params = params;
    /// #         Ok(())
    /// #     }
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, self.params.size).send();
    /// #     }
    /// # }
    /// let mut harness = Harness::<Buyer>::new().param("size", "3").market("KX-1");
    /// let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
    /// assert_eq!(orders[0].quantity, contracts(3));
    /// ```
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(set, _)| set != name);
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Adds an active market with a grid of whole cents.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// let mut harness = Harness::<Buyer>::new().market("KX-1").market("KX-2");
    /// assert_eq!(placed(&harness.quote("KX-2", cents(40), cents(42))).len(), 1);
    /// ```
    #[must_use]
    pub fn market(self, ticker: &str) -> Self {
        self.market_with(build::market(ticker))
    }

    /// Adds a market. The harness gives it its handle.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         let market = ctx.market(quote.market).unwrap();
    /// #         let price = market.grid.above(quote.bid.unwrap().price).unwrap();
    /// #         ctx.buy(quote.market, price, contracts(1)).send();
    /// #     }
    /// # }
    /// # use hotpit_agent::PriceRange;
    /// // The agent bids one step of the grid above the best bid.
    /// let fine = PriceRange { start: Price::ZERO, end: Price::ONE, step: Price::from_raw(10) };
    /// let fine = Market { grid: PriceGrid(vec![fine]), ..market("KX-1") };
    /// let mut harness = Harness::<Mine>::new().market_with(fine);
    /// let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
    /// assert_eq!(orders[0].price, Price::from_raw(4_010));
    /// ```
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
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     let Some(info) = ctx.game(game.game) else { return };
    ///     info!("{} {}", info.home.abbreviation, game.home_score);
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.score(1, Duration::from_secs(600), 7, 0);
    /// assert_eq!(harness.logs()[0].1, "HOM 7");
    /// ```
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
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { league: String }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     self.league = ctx.game(game.game).map(|info| info.league.clone()).unwrap_or_default();
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game_with(game("nba", "BOS", "LAL"));
    /// harness.score(1, Duration::from_secs(600), 7, 0);
    /// assert_eq!(harness.agent().league, "nba");
    /// ```
    #[must_use]
    pub fn game_with(self, game: GameInfo) -> Self {
        let mut world = self.world.0.borrow_mut();
        let id = GameId(u32::try_from(world.games.len()).unwrap_or(u32::MAX));
        world.games.insert(id, GameInfo { id, ..game });
        drop(world);
        self
    }

    /// Sets what the agent may still put at risk.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     if ctx.budget() >= Dollars::from_dollars(10) {
    ///         ctx.buy(quote.market, cents(40), contracts(5)).send();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-1").budget(Dollars::from_dollars(9));
    /// assert!(harness.quote("KX-1", cents(40), cents(42)).is_empty());
    /// ```
    #[must_use]
    pub fn budget(self, budget: Dollars) -> Self {
        self.world.0.borrow_mut().budget = budget;
        self
    }

    /// Gives the agent a position, as if from an earlier trade at this price.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let held = ctx.position(quote.market).quantity;
    ///     if let Some(bid) = quote.bid && held.is_positive() {
    ///         ctx.sell(quote.market, bid.price, held).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let mut harness = harness.holding("KX-1", contracts(3), cents(35));
    /// let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
    /// assert_eq!(orders[0].quantity, contracts(3));
    /// ```
    #[must_use]
    pub fn holding(self, ticker: &str, quantity: Quantity, price: Price) -> Self {
        let market = self.market_id(ticker);
        let side = if quantity.is_negative() { Side::Ask } else { Side::Bid };
        self.world.0.borrow_mut().trade(market, side, price, quantity.abs());
        self
    }
}
