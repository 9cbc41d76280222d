//! [`Store`]: writes the desk's records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, params};

use super::error::{OpenError, explain};
use super::open::{Lock, open};
use super::recover;
use super::settings::Settings;
use super::words::{Word, nanos, order_id};
use crate::desk::record::{
    AgentChanged, CommandGiven, Decision, Difference, EquityChanged, FillBooked, GroupChanged,
    Halt, HoldingCause, HoldingChanged, Intent, OrderEvent, Readiness, RecoveredOrder, Started,
};
use crate::desk::{Journal, JournalError, Record};
use crate::model::{AgentId, ClientOrderId, OrderState, VenueOrderId};
use crate::units::{Quantity, Timestamp};

/// The journal's database, open for writing. One host at a time has it.
///
/// It belongs to the desk's thread, and every [`append`](Journal::append) is one transaction of
/// prepared statements.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    /// The number of the last row written, over all tables.
    last_seq: i64,
    /// Transactions since the host started: tells the upkeep when to checkpoint.
    appended: Arc<AtomicU64>,
    /// Released last, when the connection is closed.
    _lock: Lock,
}

impl Store {
    /// Opens the journal, and makes it if there is none, with the folder that it is in.
    ///
    /// # Errors
    /// When another host has it, it is not a journal of ours or of a newer version, or the disk
    /// refuses.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|cause| OpenError::Io { path: folder.into(), cause })?;
        }
        let lock = Lock::take(path)?;
        let connection = open(path, settings)?;
        let last_seq =
            last_seq(&connection).map_err(|error| OpenError::Sqlite(explain(path, &error)))?;
        let appended = Arc::default();
        Ok(Self { connection, path: path.into(), last_seq, appended, _lock: lock })
    }

    /// How many times something was appended, for the [`Upkeep`](super::Upkeep).
    pub(super) fn appended(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.appended)
    }

    fn write_all(&mut self, records: &[Record]) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let mut seq = self.last_seq;
        let written = records.iter().try_for_each(|record| {
            seq += 1;
            write(&self.connection, seq, record)
        });
        let ended = match written {
            Ok(()) => self.connection.prepare_cached("COMMIT")?.execute(()),
            Err(error) => Err(error),
        };
        match ended {
            Ok(_) => {
                self.last_seq = seq;
                Ok(())
            }
            Err(error) => {
                // Some errors (a full disk) have rolled back already, and then this one says
                // that there is nothing to roll back.
                let _ = self.connection.prepare_cached("ROLLBACK")?.execute(());
                Err(error)
            }
        }
    }
}

impl Journal for Store {
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if records.is_empty() {
            return Ok(());
        }
        self.write_all(records)
            .map_err(|error| JournalError::Write { reason: explain(&self.path, &error) })?;
        self.appended.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn find(
        &self,
        client_order_id: &ClientOrderId,
    ) -> Result<Option<RecoveredOrder>, JournalError> {
        recover::find(&self.connection, client_order_id)
            .map_err(|error| JournalError::Read { reason: explain(&self.path, &error) })
    }
}

/// The number of the last row over all tables that are numbered.
fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let tables = [
        "runs",
        "intents",
        "order_events",
        "fills",
        "holding_changes",
        "commands",
        "halts",
        "agent_changes",
        "readiness",
        "differences",
    ];
    tables.iter().try_fold(0, |last, table| {
        let sql = format!("SELECT coalesce(max(seq), 0) FROM {table}");
        connection.query_row(&sql, (), |row| row.get(0)).map(|seq: i64| last.max(seq))
    })
}

fn write(connection: &Connection, seq: i64, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Started(Started { ts, nonce }) => run(
            connection,
            "INSERT INTO runs (seq, ts_ns, nonce) VALUES (?, ?, ?)",
            params![seq, nanos(*ts), nonce],
        ),
        Record::Intent(intent) => write_intent(connection, seq, intent),
        Record::Order(event) => write_order_event(connection, seq, event),
        Record::Fill(fill) => write_fill(connection, seq, fill),
        Record::Holding(changed) => write_holding_changed(connection, seq, changed),
        Record::Command(CommandGiven { ts, agent, command }) => run(
            connection,
            "INSERT INTO commands (seq, ts_ns, agent, command) VALUES (?, ?, ?, ?)",
            params![seq, nanos(*ts), agent_name(agent.as_ref()), command],
        ),
        Record::Halt(Halt { ts, agent, halted }) => run(
            connection,
            "INSERT INTO halts (seq, ts_ns, agent, reason, reducing) VALUES (?, ?, ?, ?, ?)",
            params![
                seq,
                nanos(*ts),
                agent_name(agent.as_ref()),
                halted.as_ref().map(|halted| &halted.reason),
                halted.as_ref().is_some_and(|halted| halted.reducing),
            ],
        ),
        Record::Equity(EquityChanged { ts, agent, equity }) => run(
            connection,
            "INSERT OR REPLACE INTO equities (agent, day, at_start_e6, best_e6, updated_ns)
             VALUES (?, ?, ?, ?, ?)",
            params![
                agent_name(agent.as_ref()).unwrap_or_default(),
                equity.day.cast_signed(),
                equity.at_start.raw(),
                equity.best.raw(),
                nanos(*ts),
            ],
        ),
        Record::Group(changed) => write_group(connection, changed),
        Record::Agent(AgentChanged { ts, agent, down }) => run(
            connection,
            "INSERT INTO agent_changes (seq, ts_ns, agent, down) VALUES (?, ?, ?, ?)",
            params![seq, nanos(*ts), agent.as_str(), down],
        ),
        Record::Ready(Readiness { ts, not_ready }) => run(
            connection,
            "INSERT INTO readiness (seq, ts_ns, not_ready) VALUES (?, ?, ?)",
            params![seq, nanos(*ts), not_ready],
        ),
        Record::Difference(Difference { ts, kind, ticker, detail }) => run(
            connection,
            "INSERT INTO differences (seq, ts_ns, kind, ticker, detail) VALUES (?, ?, ?, ?, ?)",
            params![seq, nanos(*ts), kind, ticker.as_deref(), detail],
        ),
    }
}

fn write_group(connection: &Connection, changed: &GroupChanged) -> rusqlite::Result<()> {
    let GroupChanged { ts, agent, exchange_index, group } = changed;
    match group {
        Some(group) => run(
            connection,
            "INSERT OR REPLACE INTO order_groups
               (agent, exchange_index, group_id, limit_e2, updated_ns)
             VALUES (?, ?, ?, ?, ?)",
            params![agent.as_str(), exchange_index, &*group.id, group.limit.raw(), nanos(*ts)],
        ),
        None => run(
            connection,
            "DELETE FROM order_groups WHERE agent = ? AND exchange_index = ?",
            params![agent.as_str(), exchange_index],
        ),
    }
}

fn write_intent(connection: &Connection, seq: i64, intent: &Intent) -> rusqlite::Result<()> {
    let (client_order_id, exchange_index, denied) = match &intent.decision {
        Decision::Approved { client_order_id, exchange_index } => {
            (Some(client_order_id.as_str()), Some(exchange_index), None)
        }
        Decision::Denied { reason } => (None, None, Some(reason)),
    };
    run(
        connection,
        "INSERT INTO intents (seq, ts_ns, agent, order_id, ticker, side, price_e4, quantity_e2,
           time_in_force, post_only, expires_ns, client_order_id, exchange_index, denied)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            seq,
            nanos(intent.ts),
            intent.agent.as_str(),
            order_id(intent.order),
            intent.ticker.as_deref(),
            intent.side.word(),
            intent.price.raw(),
            intent.quantity.raw(),
            intent.time_in_force.word(),
            intent.post_only,
            intent.expires.map(nanos),
            client_order_id,
            exchange_index,
            denied,
        ],
    )?;
    let Some(client_order_id) = client_order_id else { return Ok(()) };
    run(
        connection,
        "INSERT INTO orders
           (client_order_id, intent_seq, state, is_final, filled_e2, booked_e2, updated_ns)
         VALUES (?, ?, ?, 0, 0, 0, ?)",
        params![client_order_id, seq, OrderState::Sent.word(), nanos(intent.ts)],
    )
}

fn write_order_event(
    connection: &Connection,
    seq: i64,
    event: &OrderEvent,
) -> rusqlite::Result<()> {
    let client_order_id = event.client_order_id.as_ref().map(ClientOrderId::as_str);
    let venue_order_id = event.venue_order_id.as_ref().map(VenueOrderId::as_str);
    run(
        connection,
        "INSERT INTO order_events (seq, ts_ns, client_order_id, venue_order_id, agent, order_id,
           ticker, event, from_state, state, filled_e2, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            seq,
            nanos(event.ts),
            client_order_id,
            venue_order_id,
            agent_name(event.agent.as_ref()),
            event.order.map(order_id),
            &*event.ticker,
            event.event,
            event.from.word(),
            event.state.word(),
            event.filled.raw(),
            event.reason,
        ],
    )?;
    // An order that was placed elsewhere has no row: only its events are kept.
    run(
        connection,
        "UPDATE orders SET venue_order_id = coalesce(?2, venue_order_id), state = ?3,
           is_final = ?4, filled_e2 = ?5, updated_ns = ?6
         WHERE client_order_id = ?1",
        params![
            client_order_id,
            venue_order_id,
            event.state.word(),
            event.state.is_final(),
            event.filled.raw(),
            nanos(event.ts),
        ],
    )
}

fn write_fill(connection: &Connection, seq: i64, fill: &FillBooked) -> rusqlite::Result<()> {
    let client_order_id = fill.client_order_id.as_ref().map(ClientOrderId::as_str);
    run(
        connection,
        "INSERT INTO fills (seq, ts_ns, venue_ts_ns, fill_id, venue_order_id, client_order_id,
           agent, order_id, ticker, side, price_e4, quantity_e2, fee_e6, is_taker,
           held_e2, held_cost_e6, held_realized_e6, held_fees_e6)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            seq,
            nanos(fill.ts),
            nanos(fill.venue_ts),
            &*fill.fill_id,
            fill.venue_order_id.as_str(),
            client_order_id,
            agent_name(fill.agent.as_ref()),
            fill.order.map(order_id),
            &*fill.ticker,
            fill.side.word(),
            fill.price.raw(),
            fill.quantity.raw(),
            fill.fee.raw(),
            fill.taker,
            fill.holding.quantity.raw(),
            fill.holding.cost.raw(),
            fill.holding.realized.raw(),
            fill.holding.fees.raw(),
        ],
    )?;
    book(connection, client_order_id, fill.quantity)?;
    write_holding(connection, fill.ts, fill.agent.as_ref(), &fill.ticker, &fill.holding)
}

fn book(
    connection: &Connection,
    client_order_id: Option<&str>,
    quantity: Quantity,
) -> rusqlite::Result<()> {
    let Some(client_order_id) = client_order_id else { return Ok(()) };
    run(
        connection,
        "UPDATE orders SET booked_e2 = booked_e2 + ?2 WHERE client_order_id = ?1",
        params![client_order_id, quantity.raw()],
    )
}

fn write_holding_changed(
    connection: &Connection,
    seq: i64,
    changed: &HoldingChanged,
) -> rusqlite::Result<()> {
    let settled = match changed.cause {
        HoldingCause::Settled { price } => Some(price.raw()),
        HoldingCause::Adopted => None,
    };
    let HoldingChanged { ts, agent, ticker, holding, .. } = changed;
    run(
        connection,
        "INSERT INTO holding_changes
           (seq, ts_ns, agent, ticker, settled_e4, held_e2, cost_e6, realized_e6, fees_e6)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            seq,
            nanos(*ts),
            agent_name(agent.as_ref()),
            &**ticker,
            settled,
            holding.quantity.raw(),
            holding.cost.raw(),
            holding.realized.raw(),
            holding.fees.raw(),
        ],
    )?;
    write_holding(connection, *ts, agent.as_ref(), ticker, holding)
}

fn write_holding(
    connection: &Connection,
    ts: Timestamp,
    agent: Option<&AgentId>,
    ticker: &str,
    holding: &crate::desk::record::Holding,
) -> rusqlite::Result<()> {
    run(
        connection,
        "INSERT OR REPLACE INTO holdings
           (agent, ticker, held_e2, cost_e6, realized_e6, fees_e6, updated_ns)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            agent_name(agent).unwrap_or_default(),
            ticker,
            holding.quantity.raw(),
            holding.cost.raw(),
            holding.realized.raw(),
            holding.fees.raw(),
            nanos(ts),
        ],
    )
}

fn agent_name(agent: Option<&AgentId>) -> Option<&str> {
    agent.map(AgentId::as_str)
}

fn run(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(|_| ())
}
