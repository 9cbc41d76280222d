//! [`Store::recover`]: what the desk knows again at the start of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::{OpenError, explain};
use super::store::Store;
use super::words::{
    Word, read_dollars, read_price, read_quantity, read_ts, stored_order_id, stored_ts,
};
use crate::desk::record::{
    Decision, Halted, Holding, Intent, ORDER_IDS_KEPT, OrderGroup, RecoveredHolding,
    RecoveredOrder, UsedOrderIds,
};
use crate::desk::{Equity, Recovered};
use crate::model::{AgentId, ClientOrderId, OrderId, OrderState, TimeInForce};
use crate::units::{Side, Timestamp};

impl Store {
    /// What the runs before this one left behind. Asked once, before the first append.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what no hotpit wrote.
    pub fn recover(&self) -> Result<Recovered, OpenError> {
        recover(&self.connection).map_err(|error| OpenError::Sqlite(explain(&self.path, &error)))
    }
}

fn recover(connection: &Connection) -> rusqlite::Result<Recovered> {
    let (halted, halted_agents) = halts(connection)?;
    let (equity, equities) = equities(connection)?;
    Ok(Recovered {
        runs: connection.query_row("SELECT count(*) FROM runs", (), |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })?,
        since: since(connection)?,
        orders: rows(
            connection,
            "SELECT * FROM orders JOIN intents ON intents.seq = orders.intent_seq
             WHERE is_final = 0 OR filled_e2 > booked_e2 ORDER BY intent_seq",
            order,
        )?,
        fill_ids: rows(connection, "SELECT fill_id FROM fills ORDER BY seq", |row| row.get(0))?,
        last_fill: last_fill(connection)?,
        holdings: rows(connection, "SELECT * FROM holdings ORDER BY agent, ticker", holding)?,
        halted,
        halted_agents,
        equity,
        equities,
        groups: groups(connection)?,
        order_ids: used_order_ids(connection)?,
    })
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map((), read)?.collect()
}

fn order(row: &Row<'_>) -> rusqlite::Result<RecoveredOrder> {
    let text = |column: &str| row.get::<_, Option<String>>(column);
    Ok(RecoveredOrder {
        intent: Intent {
            ts: read_ts(row, "ts_ns")?,
            agent: row.get::<_, String>("agent")?.into(),
            order: stored_order_id(row.get("order_id")?),
            ticker: row.get::<_, Option<Arc<str>>>("ticker")?,
            side: Side::read(row, "side")?,
            price: read_price(row, "price_e4")?,
            quantity: read_quantity(row, "quantity_e2")?,
            time_in_force: TimeInForce::read(row, "time_in_force")?,
            post_only: row.get("post_only")?,
            expires: row.get::<_, Option<i64>>("expires_ns")?.map(stored_ts).transpose()?,
            decision: Decision::Approved {
                client_order_id: row.get::<_, String>("client_order_id")?.into(),
                exchange_index: row.get("exchange_index")?,
            },
        },
        venue_order_id: text("venue_order_id")?.map(Into::into),
        state: OrderState::read(row, "state")?,
        filled: read_quantity(row, "filled_e2")?,
        booked: read_quantity(row, "booked_e2")?,
    })
}

/// An order by our name for it, whatever its state.
pub(super) fn find(
    connection: &Connection,
    client_order_id: &ClientOrderId,
) -> rusqlite::Result<Option<RecoveredOrder>> {
    connection
        .prepare_cached(
            "SELECT * FROM orders JOIN intents ON intents.seq = orders.intent_seq
             WHERE orders.client_order_id = ?",
        )?
        .query_row([client_order_id.as_str()], order)
        .optional()
}

fn holding(row: &Row<'_>) -> rusqlite::Result<RecoveredHolding> {
    let agent: String = row.get("agent")?;
    Ok(RecoveredHolding {
        agent: (!agent.is_empty()).then(|| agent.into()),
        ticker: row.get("ticker")?,
        holding: Holding {
            quantity: read_quantity(row, "held_e2")?,
            cost: read_dollars(row, "cost_e6")?,
            realized: read_dollars(row, "realized_e6")?,
            fees: read_dollars(row, "fees_e6")?,
        },
    })
}

/// The halts that hold: of all, and of each agent.
fn halts(connection: &Connection) -> rusqlite::Result<(Option<Halted>, BTreeMap<AgentId, Halted>)> {
    let last = rows(
        connection,
        "SELECT agent, reason, reducing FROM halts
         WHERE seq IN (SELECT max(seq) FROM halts GROUP BY agent)",
        |row| {
            let reducing = row.get("reducing")?;
            let reason = row.get::<_, Option<String>>("reason")?;
            let halted = reason.map(|reason| Halted { reducing, reason });
            Ok((row.get::<_, Option<String>>("agent")?, halted))
        },
    )?;
    let mut of_all = None;
    let mut of_agents = BTreeMap::new();
    for (agent, halted) in last {
        match (agent, halted) {
            (None, halted) => of_all = halted,
            (Some(agent), Some(halted)) => {
                of_agents.insert(agent.into(), halted);
            }
            (Some(_), None) => {}
        }
    }
    Ok((of_all, of_agents))
}

/// What losses are measured from: of all, and of each agent.
fn equities(
    connection: &Connection,
) -> rusqlite::Result<(Option<Equity>, BTreeMap<AgentId, Equity>)> {
    let all = rows(connection, "SELECT * FROM equities", |row| {
        let equity = Equity {
            day: row.get::<_, i64>("day")?.cast_unsigned(),
            at_start: read_dollars(row, "at_start_e6")?,
            best: read_dollars(row, "best_e6")?,
        };
        Ok((row.get::<_, String>("agent")?, equity))
    })?;
    let mut of_agents: BTreeMap<AgentId, Equity> =
        all.into_iter().map(|(agent, equity)| (agent.into(), equity)).collect();
    let of_all = of_agents.remove(&AgentId::from(""));
    Ok((of_all, of_agents))
}

/// The order groups, by agent and shard.
fn groups(connection: &Connection) -> rusqlite::Result<BTreeMap<(AgentId, i32), OrderGroup>> {
    let all = rows(connection, "SELECT * FROM order_groups", |row| {
        let agent: String = row.get("agent")?;
        let group = OrderGroup { id: row.get("group_id")?, limit: read_quantity(row, "limit_e2")? };
        Ok(((agent.into(), row.get("exchange_index")?), group))
    })?;
    Ok(all.into_iter().collect())
}

/// The numbers that each agent has used: the highest [`ORDER_IDS_KEPT`], and a floor for the
/// others.
fn used_order_ids(connection: &Connection) -> rusqlite::Result<BTreeMap<AgentId, UsedOrderIds>> {
    let floors: BTreeMap<String, OrderId> =
        rows(connection, "SELECT agent, floor FROM order_id_floors", |row| {
            Ok((row.get("agent")?, stored_order_id(row.get("floor")?)))
        })?
        .into_iter()
        .collect();
    let agents: BTreeSet<String> = floors
        .keys()
        .cloned()
        .chain(agents_of(connection, "intents")?)
        .chain(agents_of(connection, "old_order_ids")?)
        .collect();
    agents
        .into_iter()
        .map(|agent| {
            let mut numbers = BTreeSet::new();
            for table in ["intents", "old_order_ids"] {
                highest(connection, table, &agent, ORDER_IDS_KEPT + 1, &mut numbers)?;
            }
            let mut floor = floors.get(&agent).copied();
            while numbers.len() > ORDER_IDS_KEPT {
                floor = floor.max(numbers.pop_first());
            }
            let used = numbers.into_iter().filter(|number| Some(*number) > floor).collect();
            Ok((agent.into(), UsedOrderIds { floor, used }))
        })
        .collect()
}

/// The agents of a table, one jump through its index each, however many rows an agent has.
fn agents_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!("SELECT min(agent) FROM {table} WHERE agent > ?");
    let mut next = connection.prepare(&sql)?;
    let mut agents: Vec<String> = Vec::new();
    loop {
        let last = agents.last().map_or("", String::as_str);
        match next.query_row([last], |row| row.get::<_, Option<String>>(0)).optional()?.flatten() {
            Some(agent) => agents.push(agent),
            None => return Ok(agents),
        }
    }
}

/// Adds the `limit` highest different numbers of an agent in a table. Numbers from 2^63 on are
/// stored as negative ones and come first.
fn highest(
    connection: &Connection,
    table: &str,
    agent: &str,
    limit: usize,
    numbers: &mut BTreeSet<OrderId>,
) -> rusqlite::Result<()> {
    let mut found = 0;
    for (low, high) in [(i64::MIN, -1), (0, i64::MAX)] {
        let sql = format!(
            "SELECT DISTINCT order_id FROM {table}
             WHERE agent = ? AND order_id BETWEEN ? AND ? ORDER BY order_id DESC LIMIT ?"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let left = i64::try_from(limit - found).unwrap_or(i64::MAX);
        let stored = statement.query_map((agent, low, high, left), |row| row.get::<_, i64>(0))?;
        for number in stored {
            numbers.insert(stored_order_id(number?));
            found += 1;
        }
    }
    Ok(())
}

/// When the first run started. Runs are never deleted.
fn since(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let stored: Option<i64> =
        connection.query_row("SELECT min(ts_ns) FROM runs", (), |row| row.get(0))?;
    stored.map(stored_ts).transpose()
}

/// The last time that a fill happened, by the exchange's clock.
pub(super) fn last_fill(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let stored: Option<i64> =
        connection.query_row("SELECT max(venue_ts_ns) FROM fills", (), |row| row.get(0))?;
    stored.map(stored_ts).transpose()
}

/// When the oldest order was decided that is not final, or of whose fills some were never booked:
/// a new run reads the exchange's fills from before this.
pub(super) fn oldest_unfinished(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let stored: Option<i64> = connection.query_row(
        "SELECT min(intents.ts_ns) FROM orders JOIN intents ON intents.seq = orders.intent_seq
         WHERE is_final = 0 OR filled_e2 > booked_e2",
        (),
        |row| row.get(0),
    )?;
    stored.map(stored_ts).transpose()
}
