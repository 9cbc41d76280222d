//! What happens in markets and games.

use std::time::Duration;

use hotpit_units::{Price, Quantity, Side};

use super::Harness;
use crate::{
    Action, Agent, Event, Game, GameStatus, Gap, GapCause, Level, MarketChange, MarketStatus,
    OrderBook, Quote, Situation, Statistics, Trade,
};

/// What a level of [`Harness::quote`] offers.
const QUOTED: Quantity = Quantity::from_contracts(100);

impl<A: Agent> Harness<A> {
    /// Sets the book to one level of 100 contracts on each side, and tells the agent.
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
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
    /// assert_eq!(orders[0].price, cents(42));
    /// ```
    pub fn quote(&mut self, ticker: &str, bid: Price, ask: Price) -> Vec<Action> {
        let level = |price| Level { price, quantity: QUOTED };
        self.book(ticker, &[level(bid)], &[level(ask)])
    }

    /// Sets the book, best levels first, and tells the agent its quote.
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
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let asks = [level(43, 10), level(44, 20)];
    /// let orders = placed(&harness.book("KX-1", &[level(40, 5)], &asks));
    /// assert_eq!(orders[0].price, cents(43));
    /// ```
    pub fn book(&mut self, ticker: &str, bids: &[Level], asks: &[Level]) -> Vec<Action> {
        let market = self.market_id(ticker);
        self.set_book(ticker, OrderBook { bids: bids.into(), asks: asks.into(), synced: true });
        let (bid, ask) = (bids.first().copied(), asks.first().copied());
        self.event(Event::Quote(Quote { market, bid, ask, ts: self.now }))
    }

    /// Sets the book without telling the agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Looks at the book when others trade.
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     if ctx.book(trade.market, 1).is_some_and(|book| !book.synced) {
    ///         ctx.cancel_all_in(trade.market);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.set_book("KX-1", OrderBook { synced: false, ..OrderBook::default() });
    /// let actions = harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
    /// assert_eq!(actions, [Action::CancelAll(Some(harness.market_id("KX-1")))]);
    /// ```
    pub fn set_book(&mut self, ticker: &str, book: OrderBook) {
        let market = self.market_id(ticker);
        self.world.0.borrow_mut().books.insert(market, book);
    }

    /// Sets the numbers of a market's trading, of which no event tells.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     let last = ctx.statistics(quote.market).and_then(|statistics| statistics.last_price);
    ///     if let Some(last) = last {
    ///         ctx.buy(quote.market, last, contracts(1)).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let (volume, open_interest, ts) = (contracts(9), contracts(9), harness.now());
    /// let last_price = Some(cents(41));
    /// harness.set_statistics("KX-1", Statistics { last_price, volume, open_interest, ts });
    /// assert_eq!(placed(&harness.quote("KX-1", cents(40), cents(42)))[0].price, cents(41));
    /// ```
    pub fn set_statistics(&mut self, ticker: &str, statistics: Statistics) {
        let market = self.market_id(ticker);
        self.world.0.borrow_mut().statistics.insert(market, statistics);
    }

    /// Tells the agent of a trade between others.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     ctx.order(trade.market, trade.taker, trade.price, contracts(1)).send();
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let orders = placed(&harness.trade("KX-1", cents(40), contracts(9), Side::Ask));
    /// assert_eq!((orders[0].side, orders[0].price), (Side::Ask, cents(40)));
    /// ```
    pub fn trade(
        &mut self,
        ticker: &str,
        price: Price,
        quantity: Quantity,
        taker: Side,
    ) -> Vec<Action> {
        let market = self.market_id(ticker);
        self.event(Event::Trade(Trade { market, price, quantity, taker, ts: self.now }))
    }

    /// Sets what one YES contract of a market pays; its next status tells the agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { won: bool }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_market(&mut self, _: &mut Context, change: &MarketChange) {
    ///     self.won = change.settlement == Some(Price::ONE);
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.set_settlement("KX-1", Price::ONE);
    /// harness.status("KX-1", MarketStatus::Determined);
    /// assert!(harness.agent().won);
    /// ```
    pub fn set_settlement(&mut self, ticker: &str, pays: Price) {
        let market = self.market_id(ticker);
        self.world.0.borrow_mut().settlements.insert(market, pays);
    }

    /// Changes the status of a market and tells the agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     if change.status != MarketStatus::Active {
    ///         ctx.cancel_all_in(change.market);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert_eq!(harness.status("KX-1", MarketStatus::Inactive).len(), 1);
    /// assert!(harness.status("KX-1", MarketStatus::Active).is_empty());
    /// ```
    pub fn status(&mut self, ticker: &str, status: MarketStatus) -> Vec<Action> {
        let market = self.market_id(ticker);
        let mut world = self.world.0.borrow_mut();
        if let Some(known) = world.markets.get_mut(&market) {
            known.status = status;
        }
        let settlement = world.settlements.get(&market).copied();
        drop(world);
        self.event(Event::Market(MarketChange { market, status, settlement, ts: self.now }))
    }

    /// Tells the agent the state of the game that was added first: period, what is left of it,
    /// score of home and away. Without a period it is scheduled.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { lead: i64 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, _: &mut Context, game: &Game) {
    ///     self.lead = i64::from(game.home_score) - i64::from(game.away_score);
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.score(2, Duration::from_secs(300), 14, 17); // five minutes to half-time
    /// assert_eq!(harness.agent().lead, -3);
    /// ```
    pub fn score(&mut self, period: u16, left: Duration, home: u32, away: u32) -> Vec<Action> {
        let status = if period == 0 { GameStatus::Scheduled } else { GameStatus::InProgress };
        self.game_state(status, period, left, home, away)
    }

    /// Like [`Harness::score`], with a status.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     if !game.status.is_live() {
    ///         ctx.cancel_all();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// let actions = harness.game_state(GameStatus::Final, 4, Duration::ZERO, 27, 24);
    /// assert_eq!(actions, [Action::CancelAll(None)]);
    /// ```
    ///
    /// # Panics
    /// When the harness has no game.
    pub fn game_state(
        &mut self,
        status: GameStatus,
        period: u16,
        left: Duration,
        home: u32,
        away: u32,
    ) -> Vec<Action> {
        let first = self.world.0.borrow().games.keys().next().copied();
        let game = first.unwrap_or_else(|| panic!("the harness has no game"));
        self.event(Event::Game(Game {
            game,
            status,
            period,
            clock_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX),
            home_score: home,
            away_score: away,
            ts: self.now,
        }))
    }

    /// Sets what goes on in the game that was added first; the next state of it tells the agent.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { down: Option<u8> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     self.down = ctx.situation(game.game).and_then(|situation| situation.down);
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// harness.set_situation(Situation { down: Some(4), ..Situation::default() });
    /// harness.score(2, Duration::from_secs(300), 14, 17);
    /// assert_eq!(harness.agent().down, Some(4));
    /// ```
    ///
    /// # Panics
    /// When the harness has no game.
    pub fn set_situation(&mut self, situation: Situation) {
        let mut world = self.world.0.borrow_mut();
        let first = world.games.keys().next().copied();
        let game = first.unwrap_or_else(|| panic!("the harness has no game"));
        world.situations.insert(game, situation);
    }

    /// Tells the agent that it missed something, in one market or everywhere.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { missed: usize }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
    ///     self.missed += ctx.markets().iter().filter(|market| gap.covers(**market)).count();
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().market("KX-1").market("KX-2");
    /// harness.gap(Some("KX-1"));
    /// assert_eq!(harness.agent().missed, 1);
    /// harness.gap(None);
    /// assert_eq!(harness.agent().missed, 3);
    /// ```
    pub fn gap(&mut self, ticker: Option<&str>) -> Vec<Action> {
        let market = ticker.map(|ticker| self.market_id(ticker));
        self.event(Event::Gap(Gap { market, cause: GapCause::StreamBroke, dropped: 0 }))
    }

    /// Lets time pass. Timers that come due are sent, each at its time; one that was asked for a
    /// time in the past, 1 ms after that.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { ticks: u32 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_start(&mut self, ctx: &mut Context, _: bool) {
    /// #     ctx.wake_after(Duration::from_secs(10));
    /// # }
    /// fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
    ///     self.ticks += 1;
    ///     ctx.wake_at(due + Duration::from_secs(10));
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new();
    /// # harness.batch(&[]);
    /// harness.advance(Duration::from_secs(25));
    /// assert_eq!(harness.agent().ticks, 2);
    /// ```
    pub fn advance(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = Vec::new();
        loop {
            let timer = self.world.0.borrow_mut().take_timer(end);
            let Some((asked, due)) = timer else { break };
            self.now = self.now.max(due);
            actions.extend(self.event(Event::Timer(asked)));
        }
        self.now = self.now.max(end);
        actions
    }
}
