//! [`World`]: what a test's agent can look up, and what became of what it wanted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::holding::Holding;
use crate::host::Host;
use crate::{
    Action, GameId, GameInfo, Level, Market, MarketId, NewOrder, OpenOrder, OrderBook, OrderId,
    OrderState, Position, Situation, Statistics,
};

/// How long after it was asked for a wake time comes due at the earliest, as with the host.
const WAKE_DELAY: Duration = Duration::from_millis(1);

/// An order of the agent under test, with what became of it.
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
/// harness.quote("KX-1", cents(40), cents(42));
/// harness.acknowledge();
/// let order = &harness.working()[0];
/// assert_eq!((order.order.price, order.state), (cents(42), OrderState::Resting));
/// assert!(!order.cancel_wanted);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOrder {
    /// As the agent placed it.
    pub order: NewOrder,
    /// Where it is.
    pub state: OrderState,
    /// Filled so far.
    pub filled: Quantity,
    /// Whether the agent asked to cancel it.
    pub cancel_wanted: bool,
}

impl TestOrder {
    /// Still working; zero in a final state.
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
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.fill(order, contracts(2));
    /// assert_eq!(harness.working()[0].remaining(), contracts(3));
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Quantity {
        if self.state.is_final() { Quantity::ZERO } else { self.order.quantity - self.filled }
    }
}

/// The host in small. One value, shared by the harness, which changes it, and the agent's context,
/// which reads it.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) markets: BTreeMap<MarketId, Market>,
    pub(super) books: BTreeMap<MarketId, OrderBook>,
    pub(super) statistics: BTreeMap<MarketId, Statistics>,
    pub(super) settlements: BTreeMap<MarketId, Price>,
    pub(super) games: BTreeMap<GameId, GameInfo>,
    pub(super) situations: BTreeMap<GameId, Situation>,
    pub(super) holdings: BTreeMap<MarketId, Holding>,
    pub(super) orders: BTreeMap<OrderId, TestOrder>,
    /// When each wake time that was asked for comes due.
    pub(super) timers: BTreeMap<Timestamp, Timestamp>,
    pub(super) budget: Dollars,
}

impl World {
    pub(super) fn market_id(&self, ticker: &str) -> MarketId {
        let found = self.markets.values().find(|market| market.ticker == ticker);
        found.map_or_else(|| panic!("the harness has no market `{ticker}`"), |market| market.id)
    }

    pub(super) fn order(&mut self, order: OrderId) -> &mut TestOrder {
        self.orders.get_mut(&order).unwrap_or_else(|| panic!("{order:?} was never placed"))
    }

    /// Takes note of what the agent wants after a batch.
    ///
    /// # Panics
    /// When an order number is used twice: a host would deny the order.
    pub(super) fn note(&mut self, now: Timestamp, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Place(order) => {
                    let placed = TestOrder {
                        order: *order,
                        state: OrderState::Sent,
                        filled: Quantity::ZERO,
                        cancel_wanted: false,
                    };
                    let before = self.orders.insert(order.order, placed);
                    assert!(before.is_none(), "{:?} was used twice", order.order);
                }
                Action::Cancel(order) => self.want_canceled(|placed| placed.order.order == *order),
                Action::CancelAll(None) => self.want_canceled(|_| true),
                Action::CancelAll(Some(market)) => {
                    self.want_canceled(|placed| placed.order.market == *market);
                }
                Action::WakeAt(at) => {
                    let due = (*at).max(now + WAKE_DELAY);
                    self.timers.entry(*at).or_insert(due);
                }
            }
        }
    }

    /// Takes out the timer that comes due first, if it does by `end`: the time that was asked for,
    /// and when it comes due.
    pub(super) fn take_timer(&mut self, end: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let first = self.timers.iter().min_by_key(|(_, due)| **due);
        let (asked, due) =
            first.map(|(asked, due)| (*asked, *due)).filter(|(_, due)| *due <= end)?;
        self.timers.remove(&asked);
        Some((asked, due))
    }

    fn want_canceled(&mut self, which: impl Fn(&TestOrder) -> bool) {
        let working = self.orders.values_mut().filter(|order| !order.state.is_final());
        working.filter(|order| which(order)).for_each(|order| order.cancel_wanted = true);
    }

    pub(super) fn trade(&mut self, market: MarketId, side: Side, price: Price, quantity: Quantity) {
        self.holdings.entry(market).or_default().trade(side, price, quantity);
    }

    pub(super) fn position(&self, market: MarketId) -> Position {
        self.holdings.get(&market).copied().unwrap_or_default().position(market)
    }

    /// Gives every market and game another handle, as another run of the host would.
    pub(super) fn renumber(&mut self) {
        let other = |market: MarketId| MarketId(market.0 + 1_000);
        let moved = std::mem::take(&mut self.markets).into_values();
        self.markets = moved
            .map(|market| (other(market.id), Market { id: other(market.id), ..market }))
            .collect();
        self.books = std::mem::take(&mut self.books)
            .into_iter()
            .map(|(id, book)| (other(id), book))
            .collect();
        self.statistics = std::mem::take(&mut self.statistics)
            .into_iter()
            .map(|(id, statistics)| (other(id), statistics))
            .collect();
        self.settlements = std::mem::take(&mut self.settlements)
            .into_iter()
            .map(|(id, settlement)| (other(id), settlement))
            .collect();
        self.holdings = std::mem::take(&mut self.holdings)
            .into_iter()
            .map(|(id, holding)| (other(id), holding))
            .collect();
        for order in self.orders.values_mut() {
            order.order.market = other(order.order.market);
        }
        self.situations = std::mem::take(&mut self.situations)
            .into_iter()
            .map(|(id, situation)| (GameId(id.0 + 1_000), situation))
            .collect();
        let games = std::mem::take(&mut self.games).into_values();
        self.games = games
            .map(|mut game| {
                game.id = GameId(game.id.0 + 1_000);
                game.markets.iter_mut().for_each(|on_game| on_game.market = other(on_game.market));
                (game.id, game)
            })
            .collect();
    }
}

/// The world as an agent's context reads it.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedWorld(pub(super) Rc<RefCell<World>>);

impl Host for SharedWorld {
    fn markets(&self) -> Vec<MarketId> {
        self.0.borrow().markets.keys().copied().collect()
    }

    fn market(&self, market: MarketId) -> Option<Market> {
        self.0.borrow().markets.get(&market).cloned()
    }

    fn book(&self, market: MarketId, depth: u32) -> Option<OrderBook> {
        let world = self.0.borrow();
        world.markets.get(&market)?;
        let book = world.books.get(&market).cloned().unwrap_or_default();
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        let cut = |levels: Vec<Level>| levels.into_iter().take(depth).collect();
        Some(OrderBook { bids: cut(book.bids), asks: cut(book.asks), synced: book.synced })
    }

    fn statistics(&self, market: MarketId) -> Option<Statistics> {
        self.0.borrow().statistics.get(&market).copied()
    }

    fn games(&self) -> Vec<GameId> {
        self.0.borrow().games.keys().copied().collect()
    }

    fn game(&self, game: GameId) -> Option<GameInfo> {
        self.0.borrow().games.get(&game).cloned()
    }

    fn situation(&self, game: GameId) -> Option<Situation> {
        self.0.borrow().situations.get(&game).copied()
    }

    fn game_of(&self, market: MarketId) -> Option<GameId> {
        let world = self.0.borrow();
        let is_on = |game: &&GameInfo| game.markets.iter().any(|on_game| on_game.market == market);
        world.games.values().find(is_on).map(|game| game.id)
    }

    fn position(&self, market: MarketId) -> Position {
        self.0.borrow().position(market)
    }

    fn open_orders(&self) -> Vec<OpenOrder> {
        let world = self.0.borrow();
        let working = world.orders.values().filter(|order| !order.state.is_final());
        working
            .map(|placed| OpenOrder {
                order: placed.order.order,
                market: placed.order.market,
                side: placed.order.side,
                price: placed.order.price,
                remaining: placed.remaining(),
                state: placed.state,
            })
            .collect()
    }

    fn budget(&self) -> Dollars {
        self.0.borrow().budget
    }
}
