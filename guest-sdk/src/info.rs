//! What an agent can look up through its [`Context`](crate::Context).

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use crate::codes::{MarketStatus, OrderState, Outcome};
use crate::event::{Level, mid};
use crate::grid::PriceGrid;
use crate::ids::{GameId, MarketId, OrderId};

/// What is known of a market.
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
    #[must_use]
    pub fn levels(&self, side: Side) -> &[Level] {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.levels(side).first().copied()
    }

    /// The price halfway between the best bid and the best ask, rounded down to 1e-4 dollars.
    #[must_use]
    pub fn mid(&self) -> Option<Price> {
        mid(self.best(Side::Bid), self.best(Side::Ask))
    }
}

/// The numbers of a market's trading, as the exchange told them last.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Possession {
    /// The home team.
    Home,
    /// The away team.
    Away,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Such as `Seattle Seahawks`.
    pub name: String,
    /// Such as `SEA`.
    pub abbreviation: String,
}

/// A market on a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GameMarket {
    /// The market.
    pub market: MarketId,
    /// What its YES pays for.
    pub outcome: Outcome,
}

/// This agent's position in a market.
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

/// An order of this agent that may still trade.
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
