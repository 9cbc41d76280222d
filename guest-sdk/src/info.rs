//! What an agent can look up through its [`Context`](crate::Context).

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::codes::{MarketStatus, OrderState, Outcome};
use crate::event::{Level, mid};
use crate::grid::PriceGrid;
use crate::ids::{GameId, MarketId, OrderId};

/// What is known of a market.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { closes: Option<Timestamp> }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
///     let Some(market) = ctx.market(change.market) else { return };
///     self.closes = market.close_time;
///     info!("{}: {} is {:?}", market.title, market.yes_title, market.status);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.status("KX-1", MarketStatus::Active);
/// assert_eq!(harness.logs()[0].1, "What becomes of KX-1?: KX-1 is Active");
/// # assert_eq!(harness.agent().closes, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// The handle.
    pub id: MarketId,
    /// Kalshi's name for the market.
    pub ticker: String,
    /// The event it belongs to.
    pub event_ticker: String,
    /// The series that the event belongs to.
    pub series_ticker: String,
    /// The question.
    pub title: String,
    /// What YES stands for, such as the name of a team.
    pub yes_title: String,
    /// Where it is in its life.
    pub status: MarketStatus,
    /// The prices an order may have.
    pub grid: PriceGrid,
    /// When trading ends, where that is known.
    pub close_time: Option<Timestamp>,
}

/// The levels of a book, best first, as they were when it was asked for.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// /// What can be bought up to a price.
/// fn offered(book: &OrderBook, limit: Price) -> Quantity {
///     let within = book.asks.iter().take_while(|level| level.price <= limit);
///     within.map(|level| level.quantity).sum()
/// }
///
/// let asks = vec![level(42, 10), level(43, 20), level(44, 30)];
/// let book = OrderBook { bids: vec![], asks, synced: true };
/// assert_eq!(offered(&book, cents(43)), contracts(30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderBook {
    /// Who buys YES.
    pub bids: Vec<Level>,
    /// Who sells YES.
    pub asks: Vec<Level>,
    /// False while the book is being rebuilt after a break: do not trade on it.
    pub synced: bool,
}

impl OrderBook {
    /// The levels of a side, best first.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// /// What is offered at the best two prices of a side.
    /// fn depth(book: &OrderBook, side: Side) -> Quantity {
    ///     book.levels(side).iter().take(2).map(|level| level.quantity).sum()
    /// }
    ///
    /// let asks = vec![level(42, 10), level(43, 20), level(44, 30)];
    /// let book = OrderBook { bids: vec![level(40, 7)], asks, synced: true };
    /// assert_eq!(depth(&book, Side::Bid), contracts(7));
    /// assert_eq!(depth(&book, Side::Ask), contracts(30));
    /// ```
    #[must_use]
    pub fn levels(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The best level of a side.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// let book = OrderBook { bids: vec![level(40, 7), level(39, 5)], asks: vec![], synced: true };
    /// assert_eq!(book.best(Side::Bid), Some(level(40, 7)));
    /// assert_eq!(book.best(Side::Ask), None);
    /// ```
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).first().copied()
    }

    /// The price halfway between the best bid and the best ask, rounded down to 1e-4 dollars.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// let book = OrderBook { bids: vec![level(40, 7)], asks: vec![level(43, 9)], synced: true };
    /// assert_eq!(book.mid(), Some("0.4150".parse()?));
    /// assert_eq!(OrderBook::default().mid(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        mid(self.best(Side::Bid), self.best(Side::Ask))
    }
}

/// The numbers of a market's trading, as the exchange told them last.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// /// Bids where a thousand contracts are held.
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     let Some(statistics) = ctx.statistics(quote.market) else { return };
///     if statistics.open_interest >= Quantity::from_contracts(1_000) {
///         ctx.buy(quote.market, Price::from_cents(40), Quantity::from_contracts(1)).send();
///     }
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # let (volume, ts) = (contracts(5_000), harness.now());
/// let statistics = Statistics { last_price: None, volume, open_interest: contracts(1_200), ts };
/// harness.set_statistics("KX-1", statistics);
/// assert_eq!(harness.quote("KX-1", cents(40), cents(42)).len(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// The price of the last trade; none: there was none.
    pub last_price: Option<Price>,
    /// How much was traded since the market opened.
    pub volume: Quantity,
    /// How many contracts are held.
    pub open_interest: Quantity,
    /// When the exchange said so.
    pub ts: Timestamp,
}

/// What is known of a game, its state apart.
///
/// ```
/// # use std::time::Duration;
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { left_ms: u32 }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
///     let Some(info) = ctx.game(game.game) else { return };
///     let to_come = u32::from(info.periods.saturating_sub(game.period)) * info.period_ms;
///     self.left_ms = to_come + game.clock_ms;
/// }
/// # }
/// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
/// harness.score(2, Duration::from_secs(60), 7, 3);
/// assert_eq!(harness.agent().left_ms, (60 + 2 * 15 * 60) * 1_000);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameInfo {
    /// The handle.
    pub id: GameId,
    /// As ESPN names it: `nfl`, `college-football`, `nba`, ...
    pub league: String,
    /// The home team.
    pub home: Team,
    /// The away team.
    pub away: Team,
    /// The scheduled start.
    pub start: Timestamp,
    /// Periods of a game without overtime; 0 where the league has none.
    pub periods: u16,
    /// The length of one period in milliseconds; 0 where periods are not timed.
    pub period_ms: u32,
    /// The markets that the host is certain belong to this game. Empty: unmapped.
    pub markets: Vec<GameMarket>,
}

/// What goes on in a game, as far as its sport has it and the scoreboard says it at this moment:
/// what is not said is none.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// /// Whether a field goal is in reach: 35 yards from the goal line that is attacked.
/// fn in_reach(situation: &Situation) -> bool {
///     match (situation.possession, situation.yard_line) {
///         (Some(Possession::Home), Some(yard)) => yard >= 65,
///         (Some(Possession::Away), Some(yard)) => yard <= 35,
///         _ => false,
///     }
/// }
///
/// let possession = Some(Possession::Away);
/// assert!(in_reach(&Situation { possession, yard_line: Some(30), ..Situation::default() }));
/// assert!(!in_reach(&Situation::default()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Situation {
    /// Football: who has the ball.
    pub possession: Option<Possession>,
    /// Football: the down, 1 to 4.
    pub down: Option<u8>,
    /// Football: yards to go for a first down.
    pub distance: Option<u8>,
    /// Football: where the ball is: yards from the home team's goal line, 0, to the away team's,
    /// 100, whoever has it.
    pub yard_line: Option<u8>,
    /// Football: within 20 yards of the goal line.
    pub red_zone: Option<bool>,
    /// Timeouts that the home team has left in the half.
    pub home_timeouts: Option<u8>,
    /// Timeouts that the away team has left in the half.
    pub away_timeouts: Option<u8>,
    /// Baseball: balls.
    pub balls: Option<u8>,
    /// Baseball: strikes.
    pub strikes: Option<u8>,
    /// Baseball: outs.
    pub outs: Option<u8>,
    /// Baseball: whether somebody is on first, second and third base.
    pub bases: [Option<bool>; 3],
    /// Baseball: whether it is the top half of the inning, in which the visitors bat.
    pub top_of_inning: Option<bool>,
}

/// Who has the ball.
///
/// ```
/// # use std::time::Duration;
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { home_ball: bool }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
///     let possession = ctx.situation(game.game).and_then(|situation| situation.possession);
///     self.home_ball = possession == Some(Possession::Home);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
/// let possession = Some(Possession::Home);
/// harness.set_situation(Situation { possession, ..Situation::default() });
/// harness.score(1, Duration::from_secs(800), 0, 0);
/// assert!(harness.agent().home_ball);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Possession {
    /// The home team.
    Home,
    /// The away team.
    Away,
}

/// A team.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// let game = game("nfl", "SEA", "NE");
/// let title = format!("{} at {}", game.away.abbreviation, game.home.abbreviation);
/// assert_eq!(title, "NE at SEA");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Such as `Seattle Seahawks`.
    pub name: String,
    /// Such as `SEA`.
    pub abbreviation: String,
}

/// A market on a game.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # use hotpit_agent::GameMarket;
/// /// The market that pays when the home team wins.
/// fn home_market(game: &GameInfo) -> Option<MarketId> {
///     let home = game.markets.iter().find(|it| it.outcome == Outcome::HomeWins);
///     home.map(|it| it.market)
/// }
///
/// let mut game = game("nfl", "SEA", "NE");
/// assert_eq!(home_market(&game), None);
/// game.markets.push(GameMarket { market: MarketId(3), outcome: Outcome::HomeWins });
/// assert_eq!(home_market(&game), Some(MarketId(3)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GameMarket {
    /// The market.
    pub market: MarketId,
    /// What its YES pays for.
    pub outcome: Outcome,
}

/// This agent's position in a market.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { profit: Dollars }
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     let Some(bid) = quote.bid else { return };
///     let held = ctx.position(quote.market);
///     // What closing at the bid would bring, and what was closed before.
///     let gain = bid.price * held.quantity - held.average_price * held.quantity;
///     self.profit = gain + held.realized - held.fees;
/// }
/// # }
/// # let harness = Harness::<Mine>::new().market("KX-1");
/// let mut harness = harness.holding("KX-1", contracts(10), cents(40));
/// harness.quote("KX-1", cents(45), cents(47));
/// assert_eq!(harness.agent().profit, "0.50".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The market.
    pub market: MarketId,
    /// Signed: more than zero is long YES.
    pub quantity: Quantity,
    /// What one contract cost on average, fees apart; price of the YES leg.
    pub average_price: Price,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Fees paid.
    pub fees: Dollars,
}

impl Position {
    /// No position, and never had one.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// /// Whether the agent ever traded in a market.
    /// fn is_new(position: &Position) -> bool {
    ///     *position == Position::flat(position.market)
    /// }
    ///
    /// let harness = Harness::<Idle>::new().market("KX-1").market("KX-2");
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)] struct Idle;
    /// # impl Agent for Idle { type Params = (); }
    /// let harness = harness.holding("KX-2", contracts(5), cents(40));
    /// assert!(is_new(&harness.position("KX-1")));
    /// assert!(!is_new(&harness.position("KX-2")));
    /// ```
    #[must_use]
    pub const fn flat(market: MarketId) -> Self {
        Self {
            market,
            quantity: Quantity::ZERO,
            average_price: Price::ZERO,
            realized: Dollars::ZERO,
            fees: Dollars::ZERO,
        }
    }
}

/// An order of this agent that may still trade, or whose fills its account does not have yet.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine { working: Quantity }
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, quote.bid.unwrap().price, contracts(5)).send();
/// # }
/// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
///     let open = ctx.open_orders();
///     let here = open.iter().filter(|open| open.market == fill.market && open.side == Side::Bid);
///     self.working = here.map(|open| open.remaining).sum();
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.fill(order, contracts(2));
/// assert_eq!(harness.agent().working, contracts(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOrder {
    /// The order.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// The side.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// Still working.
    pub remaining: Quantity,
    /// Where it is.
    pub state: OrderState,
}
