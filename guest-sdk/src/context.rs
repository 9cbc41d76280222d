//! [`Context`]: everything an agent can see and do while it handles a batch.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::action::{Action, NewOrder, TimeInForce};
use crate::event::Event;
use crate::host::Host;
use crate::ids::{GameId, MarketId, OrderId};
use crate::info::{GameInfo, Market, OpenOrder, OrderBook, Position, Situation, Statistics};
use crate::sorted::Sorted;
use crate::working::Working;

/// What an agent can see and do. Its own account is as of the batch, markets, books and games are
/// as they are when it asks; what it is asked to do is sent when the batch is done.
pub struct Context {
    host: Box<dyn Host>,
    now: Timestamp,
    actions: Vec<Action>,
    last_order: OrderId,
    cache: RefCell<Cache>,
}

/// What was looked up before. A lookup brings strings over from the host, so that each is made
/// once, until an event says that the answer may be another.
#[derive(Default)]
struct Cache {
    markets: Sorted<MarketId, Rc<Market>>,
    games: Sorted<GameId, Rc<GameInfo>>,
    games_of: Sorted<MarketId, GameId>,
}

impl Context {
    pub(crate) fn new(host: Box<dyn Host>, last_order: OrderId) -> Self {
        Self {
            host,
            now: Timestamp::EPOCH,
            actions: Vec::new(),
            last_order,
            cache: RefCell::default(),
        }
    }

    pub(crate) fn begin(&mut self, now: Timestamp, events: &[Event]) {
        self.now = now;
        let cache = self.cache.get_mut();
        for event in events {
            cache.forget_what_changed(event);
        }
    }

    pub(crate) fn finish(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) fn last_order(&self) -> OrderId {
        self.last_order
    }

    /// When the batch was made. The only clock there is: the same events give the same actions.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Begins an order to buy YES. Nothing is sent before [`OrderBuilder::send`].
    pub fn buy(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Bid, price, quantity)
    }

    /// Begins an order to sell YES, which is the same as buying NO at $1 minus the price.
    pub fn sell(&mut self, market: MarketId, price: Price, quantity: Quantity) -> OrderBuilder<'_> {
        self.order(market, Side::Ask, price, quantity)
    }

    /// Begins an order on a side that is known at run time alone.
    pub fn order(
        &mut self,
        market: MarketId,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> OrderBuilder<'_> {
        let order = NewOrder {
            order: self.last_order.next(self.now),
            market,
            side,
            price,
            quantity,
            time_in_force: TimeInForce::GoodTillCanceled,
            post_only: false,
            expires: None,
        };
        OrderBuilder { context: self, order }
    }

    /// Cancels an order of this agent. It may still trade until an update says that it is done.
    pub fn cancel(&mut self, order: OrderId) {
        self.actions.push(Action::Cancel(order));
    }

    /// Cancels all orders of this agent.
    pub fn cancel_all(&mut self) {
        self.actions.push(Action::CancelAll(None));
    }

    /// Cancels all orders of this agent in a market.
    pub fn cancel_all_in(&mut self, market: MarketId) {
        self.actions.push(Action::CancelAll(Some(market)));
    }

    /// Asks for a timer event at a time. Each comes due once; none survives a swap or a restart.
    pub fn wake_at(&mut self, at: Timestamp) {
        self.actions.push(Action::WakeAt(at));
    }

    /// Asks for a timer event after a time.
    pub fn wake_after(&mut self, delay: Duration) {
        self.wake_at(self.now + delay);
    }

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
    fn forget_what_changed(&mut self, event: &Event) {
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

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now)
            .field("actions", &self.actions)
            .field("last_order", &self.last_order)
            .finish_non_exhaustive()
    }
}

/// An order that is being written. It works until it is filled or canceled, unless told
/// otherwise.
#[derive(Debug)]
#[must_use = "an order that is not sent does nothing"]
pub struct OrderBuilder<'a> {
    context: &'a mut Context,
    order: NewOrder,
}

impl OrderBuilder<'_> {
    /// Never take liquidity: the exchange cancels the order if it would.
    pub fn post_only(mut self) -> Self {
        self.order.post_only = true;
        self
    }

    /// Fill what can be filled at once, cancel the rest.
    pub fn immediate_or_cancel(mut self) -> Self {
        self.order.time_in_force = TimeInForce::ImmediateOrCancel;
        self
    }

    /// Fill all of it at once, or nothing.
    pub fn fill_or_kill(mut self) -> Self {
        self.order.time_in_force = TimeInForce::FillOrKill;
        self
    }

    /// Let the exchange cancel it at this time, in whole seconds.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.order.expires = Some(at);
        self
    }

    /// Sends the order, to be checked by the host's risk manager when the batch is done. Updates
    /// and fills will name this number.
    pub fn send(self) -> OrderId {
        self.context.last_order = self.order.order;
        self.context.actions.push(Action::Place(self.order));
        self.order.order
    }

    /// Sends the order and follows what becomes of it.
    #[must_use = "a working order is to be kept and told its updates and fills"]
    pub fn track(self) -> Working {
        let working = Working::new(&self.order, self.context.now);
        self.send();
        working
    }
}
