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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     for market in ctx.markets() {
    ///         ctx.sell(market, Price::from_cents(99), Quantity::from_contracts(1)).send();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-1").market("KX-2");
    /// assert_eq!(placed(&harness.batch(&[])).len(), 2);
    /// ```
    #[must_use]
    pub fn markets(&self) -> Vec<MarketId> {
        self.host.markets()
    }

    /// What is known of a market; none if the agent is not subscribed to it. Kept until the
    /// market changes: cheap to call on every event.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Bids one step of the grid above the best bid.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let (Some(bid), Some(market)) = (quote.bid, ctx.market(quote.market)) else { return };
    ///     if let Some(price) = market.grid.above(bid.price) {
    ///         ctx.buy(quote.market, price, Quantity::from_contracts(1)).post_only().send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let actions = harness.quote("KX-1", cents(40), cents(44));
    /// assert_eq!(placed(&actions)[0].price, cents(41));
    /// ```
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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { #[serde(skip)] hedge: Option<MarketId> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     self.hedge = ctx.market_id("KX-2");
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-1").market("KX-2");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// assert_eq!(harness.agent().hedge, Some(harness.market_id("KX-2")));
    /// ```
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> Option<MarketId> {
        let is_it = |id: &MarketId| self.market(*id).is_some_and(|market| market.ticker == ticker);
        self.markets().into_iter().find(is_it)
    }

    /// Up to `depth` levels of each side of a book; none if the agent is not subscribed to the
    /// market. The agent's own orders are part of it.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Buys what the two best levels offer, where the book is whole.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let Some(book) = ctx.book(quote.market, 2).filter(|book| book.synced) else { return };
    ///     let offered: Quantity = book.asks.iter().map(|level| level.quantity).sum();
    ///     if let Some(worst) = book.asks.last() {
    ///         ctx.buy(quote.market, worst.price, offered).immediate_or_cancel().send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let asks = [level(42, 10), level(43, 20), level(44, 30)];
    /// let order = placed(&harness.book("KX-1", &[], &asks))[0];
    /// assert_eq!((order.price, order.quantity), (cents(43), contracts(30)));
    /// ```
    #[must_use]
    pub fn book(&self, market: MarketId, depth: u32) -> Option<OrderBook> {
        self.host.book(market, depth)
    }

    /// The numbers of a market's trading; none if the agent is not subscribed to it, or they were
    /// not heard yet. No event tells of their change: ask when they matter.
    ///
    /// ```
    /// # use hotpit_agent::{Statistics, prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Bids where others trade: nobody does in most markets.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let volume = ctx.statistics(quote.market).map_or(Quantity::ZERO, |it| it.volume);
    ///     if volume >= Quantity::from_contracts(1_000) {
    ///         ctx.buy(quote.market, Price::from_cents(40), Quantity::from_contracts(1)).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert!(harness.quote("KX-1", cents(40), cents(42)).is_empty(), "not heard yet");
    /// # let (open_interest, ts) = (contracts(500), harness.now());
    /// # let volume = contracts(2_000);
    /// # let statistics = Statistics { last_price: None, volume, open_interest, ts };
    /// harness.set_statistics("KX-1", statistics); // a volume of 2,000
    /// assert_eq!(harness.quote("KX-1", cents(40), cents(42)).len(), 1);
    /// ```
    #[must_use]
    pub fn statistics(&self, market: MarketId) -> Option<Statistics> {
        self.host.statistics(market)
    }

    /// Every game this agent is subscribed to.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { leagues: Vec<String> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     let games = ctx.games().into_iter().filter_map(|game| ctx.game(game));
    ///     self.leagues = games.map(|game| game.league.clone()).collect();
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.batch(&[]);
    /// assert_eq!(harness.agent().leagues, ["nfl"]);
    /// ```
    #[must_use]
    pub fn games(&self) -> Vec<GameId> {
        self.host.games()
    }

    /// What is known of a game; none if the agent is not subscribed to it. Kept until the game
    /// changes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { last_period: bool }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     self.last_period = ctx.game(game.game).is_some_and(|info| game.period >= info.periods);
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.score(3, Duration::from_secs(10), 21, 20);
    /// assert!(!harness.agent().last_period);
    /// harness.score(4, Duration::from_secs(900), 21, 20);
    /// assert!(harness.agent().last_period);
    /// ```
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
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { home_threatens: bool }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     let Some(situation) = ctx.situation(game.game) else { return };
    ///     let home_has_it = situation.possession == Some(Possession::Home);
    ///     self.home_threatens = home_has_it && situation.red_zone == Some(true);
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// # let possession = Some(Possession::Home);
    /// let near = Situation { possession, red_zone: Some(true), ..Situation::default() };
    /// harness.set_situation(near);
    /// harness.score(1, Duration::from_secs(600), 0, 0);
    /// assert!(harness.agent().home_threatens);
    /// ```
    #[must_use]
    pub fn situation(&self, game: GameId) -> Option<Situation> {
        self.host.situation(game)
    }

    /// The game that a market is on; none where the host is not certain of one.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { on_games: u32 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     if ctx.game_of(quote.market).is_some() {
    ///         self.on_games += 1;
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-RAIN").game("KX-HOM", "KX-AWY");
    /// harness.quote("KX-RAIN", cents(40), cents(42));
    /// harness.quote("KX-HOM", cents(40), cents(42));
    /// assert_eq!(harness.agent().on_games, 1);
    /// ```
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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Buys up to ten contracts.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let room = Quantity::from_contracts(10) - ctx.position(quote.market).quantity;
    ///     if let Some(ask) = quote.ask && room.is_positive() {
    ///         ctx.buy(quote.market, ask.price, room).immediate_or_cancel().send();
    ///     }
    /// }
    /// # }
    /// let harness = Harness::<Mine>::new().market("KX-1");
    /// let mut harness = harness.holding("KX-1", contracts(7), cents(40));
    /// assert_eq!(placed(&harness.quote("KX-1", cents(40), cents(42)))[0].quantity, contracts(3));
    /// ```
    #[must_use]
    pub fn position(&self, market: MarketId) -> Position {
        self.host.position(market)
    }

    /// This agent's orders that may still trade, or that traded and whose fills its account does
    /// not have yet: those are in a final state. Orders of this very batch, and of one that the
    /// host has not worked off yet, are not among them.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, quote.bid.unwrap().price, contracts(1)).send();
    /// # }
    /// /// Cancels what works above a price at which somebody sold.
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     for open in ctx.open_orders() {
    ///         if open.market == trade.market && open.price > trade.price {
    ///             ctx.cancel(open.order);
    ///         }
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// let actions = harness.trade("KX-1", cents(39), contracts(1), Side::Ask);
    /// assert_eq!(canceled(&actions), [order]);
    /// ```
    #[must_use]
    pub fn open_orders(&self) -> Vec<OpenOrder> {
        self.host.open_orders()
    }

    /// What this agent may still put at risk before its exposure limit.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Buys ten contracts if they can be paid.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let (Some(ask), ten) = (quote.ask, Quantity::from_contracts(10)) else { return };
    ///     if ask.price * ten <= ctx.budget() {
    ///         ctx.buy(quote.market, ask.price, ten).send();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-1").budget(Dollars::from_dollars(4));
    /// assert!(harness.quote("KX-1", cents(40), cents(42)).is_empty(), "$4.20 are too much");
    /// assert_eq!(harness.quote("KX-1", cents(38), cents(39)).len(), 1);
    /// ```
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
