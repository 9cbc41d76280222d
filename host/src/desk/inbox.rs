//! What reaches the desk, and from whom. Everything that may move money comes through here.

use std::fmt;
use std::sync::Arc;

use hotpit_units::Timestamp;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::io::ExchangeState;
use super::record::Halted;
use crate::model::{Action, AgentId, VenueFill, VenueOrder, VenuePosition};

/// How many messages may wait for the desk. Of each agent there is at most one with actions (see
/// [`Receipt`]), so that no agent can fill it and the exchange's reports find room beside as many
/// agents as anybody runs. They find it full only if the desk has stalled, which the session
/// reports and answers with a reconciliation; an agent that finds it full tries again.
pub const INBOX_CAPACITY: usize = 4_096;

/// A message to the desk.
#[derive(Debug)]
pub enum ToDesk {
    /// What an agent returned from one batch.
    Actions {
        /// Whose.
        agent: AgentId,
        /// What it wants, in its order.
        actions: Vec<Action>,
        /// When the agent was called.
        call: CallTimes,
        /// Dropped when the desk has carried them out and told what became of them: only then is
        /// the agent given its next batch.
        receipt: Receipt,
    },
    /// An agent went live (first start, swap or restart), with the limits of its settings.
    AgentUp {
        /// Which.
        agent: AgentId,
        /// Its limits.
        limits: AgentLimits,
        /// Answered once the agent was told its account: orders and positions of earlier runs are
        /// in it, so the agent is given no event before it.
        told: oneshot::Sender<()>,
    },
    /// An agent was unloaded or quarantined: its orders are to be canceled.
    AgentDown {
        /// Which.
        agent: AgentId,
        /// Why, for the journal.
        reason: String,
    },
    /// The exchange reported on an order (private WebSocket channel).
    Order(VenueOrder),
    /// The exchange reported a fill (private WebSocket channel).
    Fill(VenueFill),
    /// The exchange told of a position as it changed (private WebSocket channel).
    Position(VenuePosition),
    /// The exchange canceled the orders of an order group, and takes no others (private WebSocket
    /// channel).
    GroupStopped {
        /// The exchange's name for the group.
        id: Arc<str>,
    },
    /// The private channel is subscribed again: what was missed must be read over REST.
    Connected,
    /// The private channel broke: reports are missing from now on.
    Disconnected {
        /// What happened.
        reason: String,
    },
    /// What comes out of the bus can be traded on again, or cannot, and why.
    Bus {
        /// Why not; none: it can.
        down: Option<String>,
    },
    /// How the exchange itself stands, by what was read last.
    Exchange(ExchangeState),
    /// An operator's command.
    Command(Command),
}

/// The call of an agent that actions follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallTimes {
    /// When the newest quote that it was given was read off the wire; none: it was given none.
    pub tick: Option<Timestamp>,
    /// When it was called.
    pub began: Timestamp,
    /// When it had answered.
    pub ended: Timestamp,
}

/// Who is told that the desk is done with a message.
pub trait Taken: Send + Sync {
    /// The desk is done with it, or it never got there. Called on the thread that drops the
    /// [`Receipt`], the desk's as a rule, so it must not wait.
    fn taken(&self);
}

/// Goes with a message, and tells by being dropped that the desk is done with it. However the
/// message ends, it is told: a refused one, and one that waited for a desk that is gone, as well.
#[derive(Default)]
pub struct Receipt(Option<Arc<dyn Taken>>);

impl Receipt {
    /// A receipt for this one. [`Receipt::default`] is for messages that nobody waits for.
    #[must_use]
    pub fn to(whom: Arc<dyn Taken>) -> Self {
        Self(Some(whom))
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(whom) = self.0.take() {
            whom.taken();
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "receipt" } else { "no receipt" })
    }
}

/// An operator's command, with where to send the answer.
#[derive(Debug)]
pub enum Command {
    /// Stop new orders and cancel the working ones; of one agent, or of all.
    Halt {
        /// One agent, or all.
        agent: Option<AgentId>,
        /// What is stopped, and why.
        halted: Halted,
        /// Answered when the halt is on disk and the cancels are on their way.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Accept orders again.
    Resume {
        /// One agent, or all.
        agent: Option<AgentId>,
        /// Answered when it is on disk.
        done: oneshot::Sender<Result<(), String>>,
    },
    /// Tell that the desk does what it is told.
    Ping {
        /// Receives nothing but that.
        reply: oneshot::Sender<()>,
    },
    /// Tell what the desk knows.
    Report {
        /// Receives the report.
        reply: oneshot::Sender<super::report::Report>,
    },
    /// Cancel every working order and stop.
    Shutdown {
        /// Answered when no order works any more, or when the time given for it is over.
        done: oneshot::Sender<()>,
    },
}

/// What an agent may do, from its settings; zero is nothing, and a missing limit takes the
/// desk's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentLimits {
    /// The largest position in one market, either direction, working orders included.
    pub position_per_market: Option<hotpit_units::Quantity>,
    /// The most dollars at risk over all markets.
    pub exposure: Option<hotpit_units::Dollars>,
    /// The largest single order.
    pub order_quantity: Option<hotpit_units::Quantity>,
    /// Orders per second.
    pub orders_per_second: Option<u32>,
    /// The agent cannot trade while its game is stale.
    pub requires_game_feed: bool,
    /// What becomes of its working orders when nobody looks after them.
    pub on: OnTrouble,
}

/// What becomes of an agent's working orders when nobody looks after them: they are canceled, unless
/// its operator lets them work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnTrouble {
    /// The private channel of the account broke, and did not come back for a while.
    pub disconnect: Leave,
    /// The host shuts down in order.
    pub shutdown: Leave,
    /// The agent was quarantined, deleted or switched off.
    pub stop: Leave,
    /// The exchange pauses trading: it cancels them itself.
    pub pause: Leave,
}

/// What becomes of working orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// They are canceled.
    #[default]
    Cancel,
    /// They work on.
    Keep,
}

/// The sending half of the desk's inbox.
pub type DeskSender = mpsc::Sender<ToDesk>;
