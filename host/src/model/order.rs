//! What agents ask for and what they are told.

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{MarketId, OrderId};

/// How long an order works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until it is filled or canceled.
    GoodTillCanceled,
    /// What can be filled at once; the rest is canceled.
    ImmediateOrCancel,
    /// All at once or nothing.
    FillOrKill,
}

/// An order intent, as an agent returned it: not checked, not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// The agent's number for it.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit, price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Never take liquidity.
    pub post_only: bool,
    /// When the exchange shall cancel it; with good-till-canceled alone.
    pub expires: Option<Timestamp>,
}

/// What an agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Place an order.
    Place(NewOrder),
    /// Cancel one of its orders.
    Cancel(OrderId),
    /// Cancel its orders in a market, or everywhere.
    CancelAll(Option<MarketId>),
    /// Wake it at this time.
    WakeAt(Timestamp),
}

/// The state of an order, as agents and users see it. The numbers are those of the agents'
/// contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Refused by the risk manager: it never was an order.
    Denied = 0,
    /// On its way to the exchange.
    Sent = 1,
    /// In the book.
    Resting = 2,
    /// In the book, filled in part.
    PartlyFilled = 3,
    /// Done.
    Filled = 4,
    /// Canceled; what was filled stays.
    Canceled = 5,
    /// Canceled by the exchange at its expiry.
    Expired = 6,
    /// Refused by the exchange.
    Rejected = 7,
    /// The exchange's answer is missing: it may or may not exist, and counts as if it did.
    Unknown = 8,
}

impl OrderState {
    /// Whether nothing more can happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Denied | Self::Filled | Self::Canceled | Self::Expired | Self::Rejected => true,
            Self::Sent | Self::Resting | Self::PartlyFilled | Self::Unknown => false,
        }
    }
}

/// An order changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The agent's number for it.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// Its state now.
    pub state: OrderState,
    /// Filled so far.
    pub filled: Quantity,
    /// Still working.
    pub remaining: Quantity,
    /// Why, with numbers; empty where there is nothing to say.
    pub reason: String,
    /// When the host learned of it.
    pub ts: Timestamp,
}

/// One of an agent's orders traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// The agent's number for the order.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// The side of the order.
    pub side: Side,
    /// The price of the YES leg.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// What the exchange charged.
    pub fee: Dollars,
    /// Whether the order took liquidity.
    pub taker: bool,
    /// The agent's position in the market after the fill.
    pub position: Quantity,
    /// When it happened.
    pub ts: Timestamp,
}

/// What an agent is told of its own orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// An order changed.
    Order(OrderUpdate),
    /// An order traded.
    Fill(Fill),
}

/// An agent's account as of one moment: what its `portfolio` import reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Its positions, where it traded, by market: each market once, ascending. One in a market that
    /// has paid out goes after an hour.
    pub positions: Vec<Position>,
    /// Its orders that may still trade.
    pub open_orders: Vec<OpenOrder>,
    /// What it may still put at risk.
    pub budget: Dollars,
}

impl Account {
    /// The position in a market; none: it has not traded there.
    #[must_use]
    pub fn position(&self, market: MarketId) -> Option<&Position> {
        let index = self.positions.binary_search_by_key(&market, |position| position.market);
        index.ok().and_then(|index| self.positions.get(index))
    }
}

/// A position of an agent in a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The market.
    pub market: MarketId,
    /// Signed: more than zero is long YES.
    pub quantity: Quantity,
    /// What a contract cost on average, fees apart; price of the YES leg.
    pub average_price: Price,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Fees paid.
    pub fees: Dollars,
}

/// An order that may still trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOrder {
    /// The agent's number for it.
    pub order: OrderId,
    /// The market.
    pub market: MarketId,
    /// The side.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// Still working.
    pub remaining: Quantity,
    /// Its state.
    pub state: OrderState,
}
