//! [`Record`]: what the desk writes down before it acts, and [`Recovered`]: what it reads back.
//!
//! Plain values: markets go by ticker and agents by name, because handles are valid for one run
//! alone. How they are stored is the business of the [`Journal`]; what they mean is decided here.
//!
//! Promise: the records of a run, applied in order, give [`Recovered`] without asking anybody. A
//! record says what *is* after it (state, filled, holding), so applying it needs no arithmetic.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use super::loss::Equity;
use crate::model::{AgentId, ClientOrderId, OrderId, OrderState, TimeInForce, VenueOrderId};

/// How many of an agent's own order numbers are remembered: the highest ones. A number at or
/// below the ones that were forgotten is refused, as it may have been used.
pub const ORDER_IDS_KEPT: usize = 10_000;

/// Where records go. Called on the desk's thread, before anything that follows from the records
/// leaves the host.
pub trait Journal {
    /// Writes the records, all or none, in order, and returns when they would survive the end of
    /// this process.
    ///
    /// # Errors
    /// When they are not written. The desk halts then, and sends nothing but cancels.
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError>;

    /// An order by our name for it, whatever its state; none: there is none, or it was deleted for
    /// its age.
    ///
    /// # Errors
    /// When it cannot be read.
    fn find(&self, client_order_id: &ClientOrderId)
    -> Result<Option<RecoveredOrder>, JournalError>;
}

/// The journal failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It could not write.
    #[error("the journal cannot write: {reason}")]
    Write {
        /// What happened.
        reason: String,
    },
    /// It could not read.
    #[error("the journal cannot be read: {reason}")]
    Read {
        /// What happened.
        reason: String,
    },
}

/// One thing that happened at the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The desk started; the first record of a run.
    Started(Started),
    /// An agent wanted an order, and what the risk manager said. An approved one is an order from
    /// here on, in state `sent`, and its request may be on the wire.
    Intent(Intent),
    /// Something was heard of an order.
    Order(OrderEvent),
    /// A fill was booked. At most one for each `fill_id`.
    Fill(FillBooked),
    /// A market paid out, or a position was taken over: a holding changed without a fill.
    Holding(HoldingChanged),
    /// An agent or an operator asked for something that is not an order.
    Command(CommandGiven),
    /// New orders are stopped, or accepted again. The last one of each scope holds over a restart.
    Halt(Halt),
    /// An agent came or went.
    Agent(AgentChanged),
    /// The desk may trade, or may not, by what it knows of the exchange. Does not hold over a
    /// restart: every run starts not ready.
    Ready(Readiness),
    /// The exchange and the desk did not agree.
    Difference(Difference),
    /// What losses are measured from changed. The last one of each scope holds over a restart.
    Equity(EquityChanged),
    /// An agent's orders on a shard are in another order group, or in none. The last one of each
    /// holds over a restart.
    Group(GroupChanged),
}

/// The desk started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub ts: Timestamp,
    /// The beginning of every client order id of this run.
    pub nonce: String,
}

/// An agent wanted an order, and what the risk manager said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// When it was decided.
    pub ts: Timestamp,
    /// Whose.
    pub agent: AgentId,
    /// The agent's number for it. Used up by this record, whatever the decision. (Of the denied
    /// ones of an agent that sends very many some have no record, and theirs are used for this run
    /// alone.)
    pub order: OrderId,
    /// The market; none: the agent named a handle that stands for nothing.
    pub ticker: Option<Arc<str>>,
    /// Buy or sell YES.
    pub side: Side,
    /// The limit.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
    /// Never take liquidity.
    pub post_only: bool,
    /// When the exchange shall cancel it.
    pub expires: Option<Timestamp>,
    /// What the risk manager said.
    pub decision: Decision,
}

/// What the risk manager said to an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It is an order now.
    Approved {
        /// The host's name for it.
        client_order_id: ClientOrderId,
        /// The shard of its market.
        exchange_index: i32,
    },
    /// It never was an order.
    Denied {
        /// The reason code with its numbers.
        reason: String,
    },
}

/// Something was heard of an order: one row of its history, and where it is after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEvent {
    /// When the desk learned of it.
    pub ts: Timestamp,
    /// The host's name for the order; none: placed outside this host without one.
    pub client_order_id: Option<ClientOrderId>,
    /// The exchange's name for the order, once known.
    pub venue_order_id: Option<VenueOrderId>,
    /// Whose; none: placed outside this host.
    pub agent: Option<AgentId>,
    /// The agent's number for it.
    pub order: Option<OrderId>,
    /// The market.
    pub ticker: Arc<str>,
    /// What was heard, as a stable word: `acknowledged`, `canceled`, `expired`, `executed`,
    /// `refused`, `not_sent`, `lost`, `fill`, `absent`, `cancel_sent`, `cancel_failed`, `recovered`.
    pub event: Cow<'static, str>,
    /// The state before.
    pub from: OrderState,
    /// The state after.
    pub state: OrderState,
    /// Filled, as the exchange says: never less than the sum of the fills that were booked.
    pub filled: Quantity,
    /// Why, where there is a reason; empty otherwise.
    pub reason: String,
}

/// A fill was booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillBooked {
    /// When the desk learned of it.
    pub ts: Timestamp,
    /// The exchange's unique key of it.
    pub fill_id: Arc<str>,
    /// The order, as the exchange names it.
    pub venue_order_id: VenueOrderId,
    /// The order, as the host names it; none: placed outside this host.
    pub client_order_id: Option<ClientOrderId>,
    /// Whose; none: placed outside this host.
    pub agent: Option<AgentId>,
    /// The agent's number for the order.
    pub order: Option<OrderId>,
    /// The market.
    pub ticker: Arc<str>,
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
    /// When it happened, by the exchange's clock.
    pub venue_ts: Timestamp,
    /// What the agent holds in the market after it.
    pub holding: Holding,
}

/// What somebody holds in a market, with what it cost, exactly. Keyed by (agent, ticker).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Holding {
    /// Signed: more than zero is long YES.
    pub quantity: Quantity,
    /// What the open part cost, signed like the quantity: the sum of price × quantity in terms of
    /// the YES leg. The average price is this over the quantity.
    pub cost: Dollars,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Fees paid.
    pub fees: Dollars,
}

/// A holding changed without a fill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingChanged {
    /// When.
    pub ts: Timestamp,
    /// Whose; none: positions that were made outside this host.
    pub agent: Option<AgentId>,
    /// The market.
    pub ticker: Arc<str>,
    /// Why.
    pub cause: HoldingCause,
    /// What is held after it.
    pub holding: Holding,
}

/// Why a holding changed without a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum HoldingCause {
    /// The market paid out.
    Settled {
        /// What one YES contract paid.
        price: Price,
    },
    /// The exchange has this position, and the journal, which is new, knows nothing of it; or
    /// an operator took the exchange's word.
    Adopted,
}

/// Something was asked for that is not an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandGiven {
    /// When.
    pub ts: Timestamp,
    /// By which agent; none: by an operator.
    pub agent: Option<AgentId>,
    /// What, for people: `cancel 17`, `cancel-all`, `shutdown`; or how many denied intents and
    /// cancels of nothing have no record: `left out: 120 …`.
    pub command: String,
}

/// New orders are stopped, or accepted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// When.
    pub ts: Timestamp,
    /// Of one agent; none: of all.
    pub agent: Option<AgentId>,
    /// Why they are stopped; none: they are accepted again.
    pub halted: Option<Halted>,
}

/// What new orders are stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// Only those that do not reduce a position.
    pub reducing: bool,
    /// Why.
    pub reason: String,
}

impl Halted {
    /// Every new order.
    #[must_use]
    pub fn all(reason: impl Into<String>) -> Self {
        Self { reducing: false, reason: reason.into() }
    }
}

/// What losses are measured from: changed with the day, and with each better moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityChanged {
    /// When.
    pub ts: Timestamp,
    /// Of one agent; none: of all together.
    pub agent: Option<AgentId>,
    /// What they are measured from now.
    pub equity: Equity,
}

/// An agent's orders on a shard are in another order group, or in none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChanged {
    /// When.
    pub ts: Timestamp,
    /// Which agent.
    pub agent: AgentId,
    /// The shard.
    pub exchange_index: i32,
    /// The group; none: the exchange stopped it, or does not have it any more.
    pub group: Option<OrderGroup>,
}

/// An order group of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderGroup {
    /// The exchange's name for it.
    pub id: Arc<str>,
    /// How many contracts may trade within 15 seconds.
    pub limit: Quantity,
}

/// An agent came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentChanged {
    /// When.
    pub ts: Timestamp,
    /// Which.
    pub agent: AgentId,
    /// Why it went; none: it came.
    pub down: Option<String>,
}

/// Whether the desk knows the exchange's state well enough to trade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// When.
    pub ts: Timestamp,
    /// Why it does not; none: it does.
    pub not_ready: Option<String>,
}

/// The exchange and the desk did not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// When it was found.
    pub ts: Timestamp,
    /// What differs, as a stable word: `missed_fill`, `order_gone`, `external_order`,
    /// `stray_order`, `position`, `cash`, `overfill`, `order_back`, `contradiction`, `bad_report`,
    /// `settlement`, `fee`, `clock`.
    pub kind: Cow<'static, str>,
    /// The market, where it is about one.
    pub ticker: Option<Arc<str>>,
    /// Both sides of it and what is done about it, for people.
    pub detail: String,
}

/// What a new run knows from the runs before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// How many runs the journal has seen before this one; 0: the journal is new, so what the
    /// exchange says of positions is taken over.
    pub runs: u64,
    /// When the first of them started; none: this one is the first. What traded before that is
    /// part of the positions that were found then.
    pub since: Option<Timestamp>,
    /// Orders that are not final, and final ones of whose fills some were never booked.
    pub orders: Vec<RecoveredOrder>,
    /// Every fill that was booked.
    pub fill_ids: Vec<Arc<str>>,
    /// The exchange's time of the latest of them.
    pub last_fill: Option<Timestamp>,
    /// The last holding of each (agent, market).
    pub holdings: Vec<RecoveredHolding>,
    /// Why new orders are stopped, if they are.
    pub halted: Option<Halted>,
    /// Agents whose new orders are stopped, and why.
    pub halted_agents: BTreeMap<AgentId, Halted>,
    /// What the losses of all are measured from.
    pub equity: Option<Equity>,
    /// What the losses of each agent are measured from.
    pub equities: BTreeMap<AgentId, Equity>,
    /// The order groups at the exchange, by agent and shard.
    pub groups: BTreeMap<(AgentId, i32), OrderGroup>,
    /// The numbers that each agent has used for its intents.
    pub order_ids: BTreeMap<AgentId, UsedOrderIds>,
}

impl Recovered {
    /// Whether no order is unfinished and no position is open.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.orders.is_empty() && self.holdings.iter().all(|held| held.holding.quantity.is_zero())
    }
}

/// An order that a new run has to care for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredOrder {
    /// Its intent, whose decision is `approved`.
    pub intent: Intent,
    /// The exchange's name for it, if it was ever learned.
    pub venue_order_id: Option<VenueOrderId>,
    /// Its last state.
    pub state: OrderState,
    /// Filled, as the exchange said last.
    pub filled: Quantity,
    /// The sum of its fills that were booked.
    pub booked: Quantity,
}

/// What an agent held in a market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredHolding {
    /// Whose; none: positions that were made outside this host.
    pub agent: Option<AgentId>,
    /// The market.
    pub ticker: Arc<str>,
    /// What.
    pub holding: Holding,
}

/// The order numbers that an agent has used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsedOrderIds {
    /// The highest number that is not listed any more; everything up to it counts as used.
    pub floor: Option<OrderId>,
    /// The highest [`ORDER_IDS_KEPT`] numbers, ascending.
    pub used: Vec<OrderId>,
}
