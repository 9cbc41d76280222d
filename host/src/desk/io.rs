//! What goes into the desk and what comes out of it.

use std::sync::Arc;

use hotpit_units::{Quantity, Timestamp};

use super::inbox::AgentLimits;
use super::market_table::MarketView;
use super::orders::OrderKey;
use super::record::{Halted, JournalError, OrderGroup, Record, RecoveredOrder};
use super::risk::Approved;
use super::venue::{AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, ReadError};
use crate::model::{Action, AgentId, ClientOrderId, Notice, VenueFill, VenueOrder, VenuePosition};

/// How the exchange itself stands, whatever becomes of its markets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExchangeState {
    /// Why it takes no orders, if it says so.
    pub paused: Option<String>,
    /// By how much this machine's clock is ahead of its own, in milliseconds; none: not known.
    pub skew_ms: Option<i64>,
}

/// Something happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A market as the cache has it now.
    Market(MarketView),
    /// What an agent returned from one batch. The markets that it names were sent before as
    /// [`Input::Market`].
    Actions {
        /// Whose.
        agent: AgentId,
        /// What it wants, in its order.
        actions: Vec<Action>,
    },
    /// An agent went live, or its limits changed.
    AgentUp {
        /// Which.
        agent: AgentId,
        /// Its limits.
        limits: AgentLimits,
    },
    /// An agent is gone: its orders are canceled.
    AgentDown {
        /// Which.
        agent: AgentId,
        /// Why.
        reason: String,
    },
    /// How a [`Request::Place`] ended.
    Placed {
        /// The order.
        order: OrderKey,
        /// The outcome.
        outcome: PlaceOutcome,
    },
    /// How a [`Request::Cancel`] ended.
    Canceled {
        /// The order.
        order: OrderKey,
        /// The outcome.
        outcome: CancelOutcome,
    },
    /// What became of a [`Request::Group`].
    Grouped {
        /// Whose orders will be in it.
        agent: AgentId,
        /// The shard that it is on.
        exchange_index: i32,
        /// The group, or why there is none.
        result: Result<OrderGroup, String>,
    },
    /// The exchange canceled the orders of a group, and takes no others.
    GroupStopped {
        /// The exchange's name for the group.
        id: Arc<str>,
    },
    /// What a [`Request::Find`] found.
    Found {
        /// The order.
        order: OrderKey,
        /// When the exchange was asked.
        asked_at: Timestamp,
        /// What it said.
        result: Result<Option<VenueOrder>, ReadError>,
    },
    /// What the journal has for a [`Request::Recall`].
    Recalled {
        /// What was heard of the order.
        heard: Heard,
        /// The order; none: the journal does not have it (any more).
        result: Result<Option<RecoveredOrder>, JournalError>,
    },
    /// What a [`Request::ReadAccount`] read.
    Account(Result<AccountSnapshot, ReadError>),
    /// The exchange reported on an order.
    Order(VenueOrder),
    /// The exchange reported a fill.
    Fill(VenueFill),
    /// The exchange told of a position.
    Position(VenuePosition),
    /// The private channel is subscribed again.
    Connected,
    /// The private channel broke.
    Disconnected {
        /// What happened.
        reason: String,
    },
    /// What comes out of the bus can be traded on again, or cannot.
    Bus {
        /// Why not; none: it can.
        down: Option<String>,
    },
    /// New orders are to stop, and the working ones to be canceled.
    Halt {
        /// One agent, or all.
        agent: Option<AgentId>,
        /// What is stopped, and why.
        halted: Halted,
    },
    /// How the exchange itself stands.
    Exchange(ExchangeState),
    /// New orders are welcome again. Of all: the exchange's word is taken on the positions that do
    /// not agree, as the report shows them.
    Resume {
        /// One agent, or all.
        agent: Option<AgentId>,
    },
    /// Every order is to be canceled; no new one is accepted any more.
    Shutdown,
    /// The journal does not write: nothing that it should have can be relied on.
    JournalFailed {
        /// What happened.
        reason: String,
    },
    /// The clock was set: what it showed before cannot be compared with what it shows now.
    ClockSet {
        /// Its new time less the time that it would have shown, in milliseconds.
        by_ms: i64,
    },
    /// Time passed.
    Tick,
}

/// What is heard of an order that nobody here knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It works.
    Order(VenueOrder),
    /// It traded.
    Fill(VenueFill),
}

/// What follows from an input. To be carried out in this order: records are written; only then
/// requests are sent and notices delivered.
#[derive(Debug, Default)]
pub struct Outputs {
    /// What is to be written down.
    pub records: Vec<Record>,
    /// What is to be asked of the exchange.
    pub requests: Vec<Request>,
    /// What agents are to be told, in order.
    pub notices: Vec<(AgentId, Notice)>,
}

impl Outputs {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.requests.clear();
        self.notices.clear();
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.requests.is_empty() && self.notices.is_empty()
    }
}

/// Something to ask of the exchange, or of the journal. The answer comes back as an [`Input`].
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Place an order: [`Input::Placed`].
    Place {
        /// The order.
        order: OrderKey,
        /// The request, with the proof that it may be sent.
        approved: Approved,
    },
    /// Make an order group: [`Input::Grouped`].
    Group {
        /// Whose orders will be in it.
        agent: AgentId,
        /// The shard that it is on.
        exchange_index: i32,
        /// How many contracts may trade within 15 seconds.
        limit: Quantity,
    },
    /// Cancel an order: [`Input::Canceled`].
    Cancel {
        /// The order.
        order: OrderKey,
        /// The request.
        request: CancelRequest,
    },
    /// Look for an order: [`Input::Found`].
    Find {
        /// The order.
        order: OrderKey,
        /// Our name for it.
        client_order_id: ClientOrderId,
        /// Its market.
        ticker: Arc<str>,
        /// When it was approved.
        placed_at: Timestamp,
    },
    /// Look in the journal for an order that works or trades at the exchange under a name of ours,
    /// and that is not known any more: [`Input::Recalled`].
    Recall {
        /// What was heard of the order.
        heard: Heard,
        /// Our name for it.
        client_order_id: ClientOrderId,
    },
    /// Read the account: [`Input::Account`].
    ReadAccount {
        /// Fills and settlements since when.
        since: Timestamp,
    },
}
