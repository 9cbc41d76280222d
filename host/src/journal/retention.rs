//! What is deleted, and what never.
//!
//! An intent goes with all that is known of its order once both are older than the bound, and so
//! does every other row of that age. Never deleted are: an order that is not final, or of whose
//! fills some were never booked; holdings; the halts that hold; runs; the last day, and the day
//! before the last fill; and every fill since the day before the oldest order that is unfinished.
//! The desk asks the exchange again for the fills of that time, knows them by their rows here, and
//! would book one a second time whose row is gone. Of a deleted intent the agent's number is kept
//! (`old_order_ids`), or the floor under it.
//!
//! Everything happens in small transactions, so that the desk never waits long for one.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::recover::{last_fill, oldest_unfinished};
use super::settings::Settings;
use super::words::{nanos, stored_order_id};
use crate::desk::record::ORDER_IDS_KEPT;
use crate::units::Timestamp;

/// How many rows of a table one transaction deletes: about a millisecond of the write lock.
const BATCH: i64 = 200;

/// What stays before the last fill and before now, whatever the settings.
const ALWAYS_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Up to when rows go.
#[derive(Debug, Clone, Copy)]
struct Cutoff {
    rows: Timestamp,
    /// Fills that happened before this, by the exchange's clock, are never asked for again.
    fills: Timestamp,
}

/// Rows that go by their age alone, and which of them do not.
const BY_AGE: &[(&str, &str)] = &[
    (
        "order_events",
        "NOT EXISTS (SELECT 1 FROM orders o WHERE o.client_order_id = t.client_order_id)",
    ),
    (
        "fills",
        "t.venue_ts_ns < ?1
         AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.client_order_id = t.client_order_id)",
    ),
    ("holding_changes", "true"),
    ("commands", "true"),
    ("agent_changes", "true"),
    ("readiness", "true"),
    ("differences", "true"),
    ("halts", "seq NOT IN (SELECT max(seq) FROM halts GROUP BY agent)"),
];

/// What one round of deletions did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tidied {
    /// Rows deleted, of intents and of the tables that go by age.
    pub(super) deleted: usize,
    /// The database is larger than it should be, and nothing more may be deleted.
    pub(super) too_large: bool,
}

/// Deletes what is over the bounds.
pub(super) fn tidy(
    connection: &mut Connection,
    settings: &Settings,
    now: Timestamp,
) -> rusqlite::Result<Tidied> {
    let last_fill = last_fill(connection)?.unwrap_or(now);
    let newest = before(now.min(last_fill), ALWAYS_KEPT);
    let fills = match oldest_unfinished(connection)? {
        Some(oldest) => before(oldest, ALWAYS_KEPT).min(newest),
        None => newest,
    };
    let cutoff = |rows| Cutoff { rows, fills };
    let mut tidied = Tidied::default();
    if settings.retention_days > 0 {
        let age = Duration::from_secs(u64::from(settings.retention_days) * 24 * 60 * 60);
        let oldest_kept = before(now, age).min(newest);
        while let deleted @ 1.. = batch(connection, cutoff(oldest_kept))? {
            tidied.deleted += deleted;
        }
    }
    let limit = i64::from(settings.max_size_mib) << 20;
    while limit > 0 && used_bytes(connection)? > limit {
        let deleted = batch(connection, cutoff(newest))?;
        tidied.deleted += deleted;
        if deleted == 0 {
            tidied.too_large = true;
            break;
        }
    }
    if tidied.deleted > 0 {
        trim_old_order_ids(connection)?;
    }
    Ok(tidied)
}

fn before(ts: Timestamp, duration: Duration) -> Timestamp {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_nanos(ts.as_nanos().saturating_sub(nanos))
}

/// What the data takes, free pages apart: they are used again before the file grows.
fn used_bytes(connection: &Connection) -> rusqlite::Result<i64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

/// Deletes the oldest rows before `cutoff`, a few of each table. They are looked for before the
/// transaction begins: what is final and old does not change any more.
fn batch(connection: &mut Connection, cutoff: Cutoff) -> rusqlite::Result<usize> {
    let intents: Vec<(i64, Option<String>)> = connection
        .prepare_cached(
            "SELECT i.seq, i.client_order_id FROM intents i
             LEFT JOIN orders o ON o.client_order_id = i.client_order_id
             WHERE i.ts_ns < ?1 AND (o.client_order_id IS NULL
               OR (o.is_final AND o.filled_e2 <= o.booked_e2 AND o.updated_ns < ?1))
             AND NOT EXISTS (SELECT 1 FROM fills f
               WHERE f.client_order_id = i.client_order_id AND f.venue_ts_ns >= ?3)
             ORDER BY i.seq LIMIT ?2",
        )?
        .query_map(params![nanos(cutoff.rows), BATCH, nanos(cutoff.fills)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut others = Vec::new();
    for (table, condition) in BY_AGE {
        let sql = format!(
            "SELECT seq FROM {table} t WHERE ts_ns < ?1 AND {condition} ORDER BY seq LIMIT ?2"
        );
        let until = if *table == "fills" { cutoff.fills.min(cutoff.rows) } else { cutoff.rows };
        let mut statement = connection.prepare_cached(&sql)?;
        let seqs = statement.query_map(params![nanos(until), BATCH], |row| row.get(0))?;
        others.push((table, seqs.collect::<rusqlite::Result<Vec<i64>>>()?));
    }
    let deleted = intents.len() + others.iter().map(|(_, seqs)| seqs.len()).sum::<usize>();
    if deleted == 0 {
        return Ok(0);
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (seq, client_order_id) in &intents {
        if let Some(client_order_id) = client_order_id {
            for table in ["orders", "order_events", "fills"] {
                let sql = format!("DELETE FROM {table} WHERE client_order_id = ?");
                transaction.prepare_cached(&sql)?.execute([client_order_id])?;
            }
        }
        transaction
            .prepare_cached(
                "INSERT OR IGNORE INTO old_order_ids SELECT agent, order_id FROM intents
                 WHERE seq = ?",
            )?
            .execute([seq])?;
        transaction.prepare_cached("DELETE FROM intents WHERE seq = ?")?.execute([seq])?;
    }
    for (table, seqs) in &others {
        let mut delete =
            transaction.prepare_cached(&format!("DELETE FROM {table} WHERE seq = ?"))?;
        for seq in seqs {
            delete.execute([seq])?;
        }
    }
    transaction.commit()?;
    Ok(deleted)
}

/// Keeps the highest [`ORDER_IDS_KEPT`] numbers of deleted intents of each agent, and a floor for
/// the others.
fn trim_old_order_ids(connection: &mut Connection) -> rusqlite::Result<()> {
    let kept = i64::try_from(ORDER_IDS_KEPT).unwrap_or(i64::MAX);
    let crowded: Vec<(String, i64)> = connection
        .prepare_cached(
            "SELECT agent, count(*) - ?1 FROM old_order_ids GROUP BY agent HAVING count(*) > ?1",
        )?
        .query_map([kept], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (agent, mut surplus) in crowded {
        while surplus > 0 {
            trim_lowest(connection, &agent, surplus.min(BATCH))?;
            surplus -= BATCH;
        }
    }
    Ok(())
}

/// Puts the `count` lowest old numbers of an agent under its floor, in one transaction.
fn trim_lowest(connection: &mut Connection, agent: &str, count: i64) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut lowest: Vec<i64> = Vec::new();
    // Numbers from 2^63 on are stored as negative ones and are the highest. Each half is in the
    // order of its index, so that a batch reads no more than it deletes.
    for (low, high) in [(0, i64::MAX), (i64::MIN, -1)] {
        let left = count - i64::try_from(lowest.len()).unwrap_or(i64::MAX);
        let mut statement = transaction.prepare_cached(
            "SELECT order_id FROM old_order_ids
             WHERE agent = ? AND order_id BETWEEN ? AND ? ORDER BY order_id LIMIT ?",
        )?;
        for order_id in statement.query_map(params![agent, low, high, left], |row| row.get(0))? {
            lowest.push(order_id?);
        }
    }
    let floor: Option<i64> = transaction
        .query_row("SELECT floor FROM order_id_floors WHERE agent = ?", [agent], |row| row.get(0))
        .optional()?;
    let floor = lowest.iter().copied().chain(floor).max_by_key(|id| stored_order_id(*id));
    transaction.execute(
        "INSERT OR REPLACE INTO order_id_floors (agent, floor) VALUES (?, ?)",
        params![agent, floor],
    )?;
    for order_id in lowest {
        transaction
            .prepare_cached("DELETE FROM old_order_ids WHERE agent = ? AND order_id = ?")?
            .execute(params![agent, order_id])?;
    }
    transaction.commit()
}
