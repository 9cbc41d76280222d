//! [`Status`]: how a running host stands, as plain values that travel as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hotpit_units::{Dollars, Quantity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::desk::Report;
use crate::model::{AgentId, Durations};
use crate::streams::{StreamPhase, StreamReport, Window};

/// How a running host stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The version of the host.
    pub version: String,
    /// Which part of the work it does.
    pub role: Role,
    /// The exchange, as the configuration names it.
    pub venue: String,
    /// Whether orders go to the exchange, or are only logged.
    pub sends_orders: bool,
    /// When the host started.
    pub started: Timestamp,
    /// When this was true.
    pub now: Timestamp,
    /// Messages that came out of the bus.
    pub events: u64,
    /// The agents, by name.
    pub agents: Vec<AgentLine>,
    /// The connections to the outside.
    pub streams: Vec<StreamReport>,
    /// The books.
    pub books: BooksLine,
    /// The games of each league that an agent wants.
    pub leagues: Vec<LeagueLine>,
    /// The exchange's maintenance that is under way, or the next that is known of.
    pub maintenance: Option<Window>,
    /// What else is counted, for `/metrics`.
    pub counters: Vec<Counter>,
    /// What the desk knows.
    pub desk: Report,
}

/// Which part of the work a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// All of it.
    #[default]
    All,
    /// It takes in the feeds, and publishes them over Redis.
    Ingest,
    /// It runs agents on what another host publishes, and trades.
    Agents,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Ingest => "ingest",
            Self::Agents => "agents",
        })
    }
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLine {
    /// The name of its file, without `.wasm`.
    pub agent: AgentId,
    /// The version it gives itself.
    pub version: String,
    /// The SHA-256 of the code that runs or ran last, in hex.
    pub hash: String,
    /// Where it is in its life.
    pub phase: AgentPhase,
    /// Why it is there, where there is something to say.
    pub reason: Option<String>,
    /// How many markets it hears of.
    pub markets: u64,
    /// Events given to it.
    pub events: u64,
    /// Events in the last second that is over.
    pub events_per_second: u64,
    /// Calls made to it.
    pub calls: u64,
    /// Actions taken from it.
    pub actions: u64,
    /// Events that it was too slow for.
    pub dropped: u64,
    /// Times that it trapped, ran out of time or out of memory.
    pub failures: u64,
    /// How often its code was replaced while it ran.
    pub swaps: u64,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
    /// The most memory that it may have, in bytes; 0: not known yet.
    pub memory_bytes_max: u64,
    /// Half of its calls took at most this long, in nanoseconds.
    pub call_p50_ns: u64,
    /// 99 of 100 calls took at most this long, in nanoseconds.
    pub call_p99_ns: u64,
    /// How long its calls took.
    pub call_times: Durations,
    /// How much processor time a call may take, in milliseconds; 0: not known yet.
    pub call_ms_max: u64,
    /// The most actions that a call returned.
    pub actions_most: u64,
    /// The most actions that a call may return; 0: not known yet.
    pub actions_max: u64,
    /// Log lines dropped because there were too many a second.
    pub log_lines_dropped: u64,
    /// What it has made: realized and at the mid, less fees; none: a position is unpriceable.
    pub profit: Option<Dollars>,
}

/// Where an agent is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentPhase {
    /// Its file is being compiled or started.
    Loading,
    /// It is given events.
    Running,
    /// It failed and is started again soon.
    Restarting,
    /// It failed too often: it stays out until its file changes.
    Quarantined,
    /// Its file cannot be run, its start refused, or it is switched off.
    Stopped,
}

impl fmt::Display for AgentPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loading => "loading",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
        })
    }
}

/// The books of this host at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BooksLine {
    /// How many are the exchange's.
    pub synced: u64,
    /// How many wait for a snapshot.
    pub stale: u64,
    /// Half of the synced ones changed at most this long ago, in ms.
    pub quiet_p50_ms: u64,
    /// 99 of 100 synced ones changed at most this long ago, in ms.
    pub quiet_p99_ms: u64,
    /// The one that did not change for longest, and for how long, in ms.
    pub quietest: Option<(Arc<str>, u64)>,
}

/// The games of a league.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LeagueLine {
    /// The league, as ESPN addresses it.
    pub league: String,
    /// Games on its board.
    pub games: u64,
    /// How many of them are mapped to markets.
    pub mapped: u64,
    /// How many are not, by reason; those that are over, apart.
    pub unmapped: BTreeMap<String, u64>,
}

/// A number that only grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// `hotpit_<noun>_<unit>_total`.
    pub name: String,
    /// What is counted, in a few words.
    pub help: String,
    /// What tells this from others of the same name, such as a reason.
    pub labels: Vec<(String, String)>,
    /// How many.
    pub value: u64,
}

impl Status {
    /// Why the host is not trading although it runs; empty: it is.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let halted = self.desk.halted.iter().map(|reason| format!("halted: {reason}"));
        let agents = self.desk.halted_agents.iter().map(|agent| format!("{agent} halted"));
        let desk = self.desk.not_ready.iter().map(|reason| format!("not ready: {reason}"));
        let streams = self.streams.iter().filter(|stream| stream.phase != StreamPhase::Up).map(
            |StreamReport { name: stream, phase, reason, .. }| match reason {
                Some(reason) => format!("{stream} {phase}: {reason}"),
                None => format!("{stream} {phase}"),
            },
        );
        halted.chain(desk).chain(streams).chain(agents).collect()
    }

    /// What is left to say at the end.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            events: self.events,
            intents: self.desk.intents,
            denied: self.desk.denied,
            orders: self.desk.orders,
            fills: self.desk.fills,
            position: self.desk.positions.iter().map(|line| line.quantity).sum(),
            realized: self.desk.realized,
            unrealized: self.desk.unrealized,
            fees: self.desk.fees,
        }
    }
}

/// What is left to say at the end of a run: `events=N intents=N …` on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Messages that came out of the bus.
    pub events: u64,
    /// Intents of agents.
    pub intents: u64,
    /// Intents that the risk manager denied.
    pub denied: u64,
    /// Orders sent.
    pub orders: u64,
    /// Fills received.
    pub fills: u64,
    /// All positions added up, in contracts.
    pub position: Quantity,
    /// Profit and loss of what was closed, fees apart.
    pub realized: Dollars,
    /// Profit and loss of open positions at the mid, fees apart; none: a market cannot be priced.
    pub unrealized: Option<Dollars>,
    /// Fees paid.
    pub fees: Dollars,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, intents, denied, orders, fills, position, realized, fees, .. } = self;
        write!(f, "events={events} intents={intents} denied={denied} orders={orders} ")?;
        write!(f, "fills={fills} position={position} realized={realized} ")?;
        match self.unrealized {
            Some(unrealized) => write!(f, "unrealized={unrealized} ")?,
            None => write!(f, "unrealized=unknown ")?,
        }
        write!(f, "fees={fees}")
    }
}

#[cfg(test)]
mod tests {
    use hotpit_rt::{Clock, Entropy};

    use super::*;
    use crate::streams::{Policy, Streams};

    #[test]
    fn the_summary_is_one_line_of_names_and_numbers() {
        let mut summary = Summary {
            events: 12_345,
            intents: 20,
            denied: 1,
            orders: 19,
            fills: 7,
            position: Quantity::from_raw(-250),
            realized: Dollars::from_raw(1_500_000),
            unrealized: Some(Dollars::from_raw(-20_000)),
            fees: Dollars::from_raw(70_100),
        };
        assert_eq!(
            summary.to_string(),
            "events=12345 intents=20 denied=1 orders=19 fills=7 position=-2.50 \
             realized=1.500000 unrealized=-0.020000 fees=0.070100"
        );
        summary.unrealized = None;
        assert!(summary.to_string().contains(" unrealized=unknown fees="));
    }

    #[test]
    fn whatever_keeps_the_host_from_trading_is_named() {
        let mut status = Status::default();
        assert_eq!(status.troubles(), Vec::<String>::new());
        status.desk.halted = Some("lunch".into());
        status.desk.not_ready = Some("reading the account".into());
        status.desk.halted_agents = vec!["maker".into()];
        let streams = Streams::new(Clock::system(), Entropy::seeded(1));
        let stream = streams.open("kalshi", Policy::default());
        stream.lost("connection refused");
        status.streams = streams.reports();
        assert_eq!(
            status.troubles(),
            [
                "halted: lunch",
                "not ready: reading the account",
                "kalshi connecting: connection refused",
                "maker halted"
            ]
        );
    }

    #[test]
    fn a_status_survives_json() {
        let status = Status { version: "0.1.0".into(), events: 3, ..Status::default() };
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status);
    }
}
