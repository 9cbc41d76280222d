//! [`Harness`].

use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::build;
use super::world::{SharedWorld, TestOrder};
use crate::log::{Level as LogLevel, sink};
use crate::runner::Runner;
use crate::{
    Action, Agent, Event, Fill, Game, GameId, GameInfo, GameMarket, GameStatus, Gap, GapCause,
    Level, Market, MarketChange, MarketId, MarketStatus, OrderBook, OrderId, OrderState,
    OrderUpdate, Outcome, Position, Quote, Situation, Statistics, TimeInForce, Trade,
};

/// How much time passes before each batch: enough that no two batches have the same time.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);

/// What a level of [`Harness::quote`] offers.
const QUOTED: Quantity = Quantity::from_contracts(100);

/// Drives an agent. Made with [`Harness::new`] and the methods that give it parameters, markets
/// and games; the agent starts with the first event, or with [`Harness::start`].
pub struct Harness<A: Agent> {
    world: SharedWorld,
    parameters: Vec<(String, String)>,
    runner: Option<Runner<A>>,
    now: Timestamp,
    actions: Vec<Action>,
    logs: Vec<(LogLevel, String)>,
}

impl<A: Agent> Default for Harness<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Agent> Harness<A> {
    /// A harness without markets, on 2026-01-01 at midnight UTC, with a budget of $1,000.
    #[must_use]
    pub fn new() -> Self {
        sink::take();
        let world = SharedWorld::default();
        world.0.borrow_mut().budget = Dollars::from_dollars(1_000);
        Self {
            world,
            parameters: Vec::new(),
            runner: None,
            now: Timestamp::from_secs(1_767_225_600),
            actions: Vec::new(),
            logs: Vec::new(),
        }
    }

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

    /// Starts the agent.
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start(&mut self) -> Result<(), String> {
        self.start_from(None)
    }

    /// Starts the agent with saved state, whatever it is.
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start_from(&mut self, restored: Option<&[u8]>) -> Result<(), String> {
        let host = Box::new(self.world.clone());
        self.runner = Some(Runner::start(host, "0.0.0", &self.parameters, restored)?);
        Ok(())
    }

    /// The agent's state, as the host would save it.
    ///
    /// # Panics
    /// When the agent was not started.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.runner.as_ref().map_or_else(|| panic!("the agent was not started"), Runner::save)
    }

    /// Swaps the agent for a new instance of itself, with its state saved and restored, as when
    /// its file is replaced.
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn swap(&mut self) {
        let saved = self.save();
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the swap failed: {error}"));
    }

    /// Like [`Harness::swap`], in another run of the host: every market and game has another
    /// handle, and timers are gone.
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn restart(&mut self) {
        let saved = self.save();
        let mut world = self.world.0.borrow_mut();
        world.renumber();
        world.timers.clear();
        drop(world);
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the restart failed: {error}"));
    }

    /// Sends a batch of events. Like every method that sends events, it lets 1 ms pass before, and
    /// gives back what the agent wants.
    ///
    /// # Panics
    /// When the agent does not start.
    pub fn batch(&mut self, events: &[Event]) -> Vec<Action> {
        if self.runner.is_none() {
            self.start().unwrap_or_else(|error| panic!("the agent does not start: {error}"));
        }
        self.now = self.now + BATCH_INTERVAL;
        let runner = self.runner.as_mut();
        let actions = runner.map(|runner| runner.on_events(self.now, events)).unwrap_or_default();
        self.logs.extend(sink::take());
        self.world.0.borrow_mut().note(&actions);
        self.actions.extend(&actions);
        actions
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.batch(&[event])
    }

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

    /// Lets the exchange answer everything that is under way, in one batch: orders rest
    /// (immediate ones are canceled unfilled), and what the agent canceled is canceled.
    pub fn acknowledge(&mut self) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let mut events = Vec::new();
        for order in world.orders.values_mut().filter(|order| !order.state.is_final()) {
            let rests = order.order.time_in_force == TimeInForce::GoodTillCanceled;
            let state = match (order.cancel_wanted || !rests, order.state) {
                (true, _) => OrderState::Canceled,
                (false, OrderState::Sent) => OrderState::Resting,
                (false, _) => continue,
            };
            order.state = state;
            events.push(update(order, "", self.now));
        }
        drop(world);
        if events.is_empty() { Vec::new() } else { self.batch(&events) }
    }

    /// Fills an order at its price, in part or in whole: the agent hears of the order, then of the
    /// fill. Resting orders are filled as a maker, others as a taker; there are no fees.
    ///
    /// # Panics
    /// When the order was never placed, is done, or has not that much left.
    pub fn fill(&mut self, order: OrderId, quantity: Quantity) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let placed = world.order(order);
        let left = placed.remaining();
        assert!(quantity <= left, "{order:?} has {left} left, not {quantity}");
        let taker = placed.state == OrderState::Sent;
        placed.filled += quantity;
        placed.state = if quantity == left { OrderState::Filled } else { OrderState::PartlyFilled };
        let update = update(placed, "", self.now);
        let new = placed.order;
        world.trade(new.market, new.side, new.price, quantity);
        let position =
            world.positions.get(&new.market).map_or(Quantity::ZERO, |held| held.quantity);
        drop(world);
        let fill = Fill {
            order,
            market: new.market,
            side: new.side,
            price: new.price,
            quantity,
            fee: Dollars::ZERO,
            taker,
            position,
            ts: self.now,
        };
        self.batch(&[update, Event::Fill(fill)])
    }

    /// Has the host's risk manager deny an order.
    pub fn deny(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Denied, reason)
    }

    /// Has the exchange refuse an order.
    pub fn reject(&mut self, order: OrderId, reason: &str) -> Vec<Action> {
        self.order_state(order, OrderState::Rejected, reason)
    }

    /// Moves an order to a state and tells the agent.
    ///
    /// # Panics
    /// When the order was never placed.
    pub fn order_state(&mut self, order: OrderId, state: OrderState, reason: &str) -> Vec<Action> {
        let mut world = self.world.0.borrow_mut();
        let placed = world.order(order);
        placed.state = state;
        let update = update(placed, reason, self.now);
        drop(world);
        self.event(update)
    }

    /// Moves an order to a state without telling the agent, as if the news were lost.
    ///
    /// # Panics
    /// When the order was never placed.
    pub fn lose_order(&mut self, order: OrderId, state: OrderState) {
        self.world.0.borrow_mut().order(order).state = state;
    }

    /// The time of the last batch.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The agent.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn agent(&self) -> &A {
        self.runner.as_ref().map_or_else(|| panic!("the agent was not started"), Runner::agent)
    }

    /// The handle of a market.
    ///
    /// # Panics
    /// When the harness has no such market.
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> MarketId {
        self.world.0.borrow().market_id(ticker)
    }

    /// The agent's position in a market.
    #[must_use]
    pub fn position(&self, ticker: &str) -> Position {
        let market = self.market_id(ticker);
        let world = self.world.0.borrow();
        world.positions.get(&market).copied().unwrap_or(Position::flat(market))
    }

    /// The agent's orders that may still trade, oldest first.
    #[must_use]
    pub fn working(&self) -> Vec<TestOrder> {
        let world = self.world.0.borrow();
        world.orders.values().filter(|order| !order.state.is_final()).cloned().collect()
    }

    /// Everything the agent wanted so far.
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Everything the agent logged so far.
    #[must_use]
    pub fn logs(&self) -> &[(LogLevel, String)] {
        &self.logs
    }
}

impl<A: Agent> std::fmt::Debug for Harness<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("now", &self.now)
            .field("world", &self.world)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

fn update(placed: &TestOrder, reason: &str, ts: Timestamp) -> Event {
    Event::Order(OrderUpdate {
        order: placed.order.order,
        market: placed.order.market,
        state: placed.state,
        filled: placed.filled,
        remaining: placed.remaining(),
        reason: reason.into(),
        ts,
    })
}
