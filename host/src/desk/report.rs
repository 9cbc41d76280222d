//! [`Report`]: what the desk knows, for people: `hotpit positions`, `hotpit orders`, the summary.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{AgentId, ClientOrderId, Durations, OrderState};

/// The desk at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Whether new orders are accepted, and if not, why.
    pub halted: Option<String>,
    /// Agents that are halted by themselves.
    pub halted_agents: Vec<AgentId>,
    /// Whether the desk knows the exchange's state well enough to trade, and if not, why.
    pub not_ready: Option<String>,
    /// When these books were last compared with the exchange's; none: never yet.
    pub compared: Option<Timestamp>,
    /// Why the last try to compare them failed, if it did.
    pub compare_error: Option<String>,
    /// Intents received.
    pub intents: u64,
    /// Intents denied.
    pub denied: u64,
    /// Denied intents and cancels of nothing that were not written down, as their agent sent too
    /// many.
    pub left_out: u64,
    /// Orders that were sent, as soon as their answer came or is known to be missing.
    pub orders: u64,
    /// How long it took from a frame that was read to the order that follows from it, with its
    /// record on disk and its request on the connection; of orders that waited for nothing.
    pub tick_to_order: Durations,
    /// Fills received.
    pub fills: u64,
    /// Orders whose outcome is not known at this moment.
    pub unknown: u64,
    /// Cash over all shards as the exchange told last, moved by what happened since.
    pub cash: Dollars,
    /// The same by shard: an order is paid from that of its market alone.
    pub shards: Vec<ShardLine>,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Profit and loss of open positions at the mid, fees apart; none: some market cannot be
    /// priced.
    pub unrealized: Option<Dollars>,
    /// Fees paid.
    pub fees: Dollars,
    /// What each has made: agents by name, then what was made outside this host, if anything.
    pub profits: Vec<ProfitLine>,
    /// What can be lost at worst: positions, and what orders may still trade, those of unknown
    /// outcome included.
    pub exposure: Dollars,
    /// Positions by agent and market. One in a market that has paid out goes after an hour, and
    /// stays in the sums.
    pub positions: Vec<PositionLine>,
    /// Orders that may still trade.
    pub working: Vec<OrderLine>,
}

/// The cash of one shard of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardLine {
    /// The shard, as the exchange numbers them (`exchange_index`).
    pub shard: i32,
    /// What is there, with what working orders hold.
    pub cash: Dollars,
    /// What no working order may take.
    pub free: Dollars,
}

/// What one agent has made, over all its markets, those that have paid out as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfitLine {
    /// Whose; none: placed outside this host.
    pub agent: Option<AgentId>,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Profit and loss of open positions at the mid; none: some market cannot be priced.
    pub unrealized: Option<Dollars>,
    /// Fees paid.
    pub fees: Dollars,
}

impl ProfitLine {
    /// All of it, less fees; none: a position is unpriceable.
    #[must_use]
    pub fn net(&self) -> Option<Dollars> {
        self.unrealized.map(|unrealized| self.realized + unrealized - self.fees)
    }
}

/// A position of one agent in one market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionLine {
    /// Whose; none: placed outside this host.
    pub agent: Option<AgentId>,
    /// The market.
    pub ticker: Arc<str>,
    /// Signed: more than zero is long YES.
    pub quantity: Quantity,
    /// What a contract cost on average.
    pub average_price: Price,
    /// The mid that the position is marked at; none: unpriceable.
    pub mark: Option<Price>,
    /// Profit and loss of what was closed.
    pub realized: Dollars,
    /// Profit and loss at the mark.
    pub unrealized: Option<Dollars>,
    /// Fees paid.
    pub fees: Dollars,
}

/// An order that may still trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLine {
    /// Whose; none: placed outside this host.
    pub agent: Option<AgentId>,
    /// The host's name for it.
    pub client_order_id: Option<ClientOrderId>,
    /// The market.
    pub ticker: Arc<str>,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// How much in all.
    pub quantity: Quantity,
    /// Filled so far.
    pub filled: Quantity,
    /// Where it is.
    pub state: OrderState,
    /// When it was approved.
    pub created: Timestamp,
}
