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
    pub fn quote(&mut self, ticker: &str, bid: Price, ask: Price) -> Vec<Action> {
        let level = |price| Level { price, quantity: QUOTED };
        self.book(ticker, &[level(bid)], &[level(ask)])
    }

    /// Sets the book, best levels first, and tells the agent its quote.
    pub fn book(&mut self, ticker: &str, bids: &[Level], asks: &[Level]) -> Vec<Action> {
        let market = self.market_id(ticker);
        self.set_book(ticker, OrderBook { bids: bids.into(), asks: asks.into(), synced: true });
        let (bid, ask) = (bids.first().copied(), asks.first().copied());
        self.event(Event::Quote(Quote { market, bid, ask, ts: self.now }))
    }

    /// Sets the book without telling the agent.
    pub fn set_book(&mut self, ticker: &str, book: OrderBook) {
        let market = self.market_id(ticker);
        self.world.0.borrow_mut().books.insert(market, book);
    }

    /// Sets the numbers of a market's trading, of which no event tells.
    pub fn set_statistics(&mut self, ticker: &str, statistics: Statistics) {
        let market = self.market_id(ticker);
        self.world.0.borrow_mut().statistics.insert(market, statistics);
    }

    /// Tells the agent of a trade between others.
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

    /// Changes the status of a market and tells the agent.
    pub fn status(&mut self, ticker: &str, status: MarketStatus) -> Vec<Action> {
        let market = self.market_id(ticker);
        if let Some(known) = self.world.0.borrow_mut().markets.get_mut(&market) {
            known.status = status;
        }
        self.event(Event::Market(MarketChange { market, status, settlement: None, ts: self.now }))
    }

    /// Tells the agent the state of the game that was added first: period, what is left of it,
    /// score of home and away. Without a period it is scheduled.
    pub fn score(&mut self, period: u16, left: Duration, home: u32, away: u32) -> Vec<Action> {
        let status = if period == 0 { GameStatus::Scheduled } else { GameStatus::InProgress };
        self.game_state(status, period, left, home, away)
    }

    /// Like [`Harness::score`], with a status.
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
    /// # Panics
    /// When the harness has no game.
    pub fn set_situation(&mut self, situation: Situation) {
        let mut world = self.world.0.borrow_mut();
        let first = world.games.keys().next().copied();
        let game = first.unwrap_or_else(|| panic!("the harness has no game"));
        world.situations.insert(game, situation);
    }

    /// Tells the agent that it missed something, in one market or everywhere.
    pub fn gap(&mut self, ticker: Option<&str>) -> Vec<Action> {
        let market = ticker.map(|ticker| self.market_id(ticker));
        self.event(Event::Gap(Gap { market, cause: GapCause::StreamBroke, dropped: 0 }))
    }

    /// Lets time pass. Timers that come due are sent, each at its time.
    pub fn advance(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = Vec::new();
        loop {
            let due = self.world.0.borrow().timers.first().copied().filter(|due| *due <= end);
            let Some(due) = due else { break };
            self.world.0.borrow_mut().timers.remove(&due);
            self.now = self.now.max(due);
            actions.extend(self.event(Event::Timer(due)));
        }
        self.now = self.now.max(end);
        actions
    }
}
