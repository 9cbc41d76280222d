//! The journal as a whole: what was appended is what the next run finds.

mod model;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use tempfile::TempDir;

use super::open::connect;
use super::retention::{Tidied, tidy};
use super::{Durability, OpenError, Settings, Store};
use crate::desk::record::{
    Decision, Difference, FillBooked, Halt, Halted, Holding, Intent, ORDER_IDS_KEPT, OrderEvent,
    UsedOrderIds,
};
use crate::desk::{Journal, Record, Recovered};
use crate::model::{AgentId, OrderId, OrderState, TimeInForce};

const DAY: u64 = 24 * 60 * 60;

/// A journal in a folder that goes away with it.
struct Floor {
    folder: TempDir,
    store: Store,
}

impl Floor {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&path(&folder), &Settings::default()).unwrap();
        Self { folder, store }
    }

    /// The same journal in a new process.
    fn reopened(self) -> Self {
        let Self { folder, store } = self;
        drop(store);
        let store = Store::open(&path(&folder), &Settings::default()).unwrap();
        Self { folder, store }
    }

    /// What a new process finds after this one was killed at this moment: the files as they are,
    /// without anything that closing the database would still do.
    fn after_kill(&self) -> Recovered {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        Store::open(&path(&copy), &Settings::default()).unwrap().recover().unwrap()
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut statement = self.store.connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map((), |row| {
            (0..columns).map(|column| row.get_ref(column).map(|value| text(&value))).collect()
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn tidy(&self, settings: &Settings, now: Timestamp) -> Tidied {
        tidy(&mut connect(&self.store.path, settings).unwrap(), settings, now).unwrap()
    }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("journal.db")
}

fn text(value: &rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "-".into(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into(),
    }
}

fn intent(secs: u64, agent: &str, order: u64, client_order_id: Option<&str>) -> Record {
    Record::Intent(Intent {
        ts: Timestamp::from_secs(secs),
        agent: agent.into(),
        order: OrderId(order),
        ticker: Some("KX-1".into()),
        side: Side::Bid,
        price: Price::from_cents(55),
        quantity: Quantity::from_contracts(10),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: true,
        expires: None,
        decision: match client_order_id {
            Some(id) => Decision::Approved { client_order_id: id.into(), exchange_index: 0 },
            None => Decision::Denied { reason: "RATE_LIMIT: orders=11 limit=10".into() },
        },
    })
}

fn order_event(secs: u64, client_order_id: &str, state: OrderState, filled: i64) -> Record {
    Record::Order(OrderEvent {
        ts: Timestamp::from_secs(secs),
        client_order_id: Some(client_order_id.into()),
        venue_order_id: Some("venue-1".into()),
        agent: Some("maker".into()),
        order: Some(OrderId(1)),
        ticker: "KX-1".into(),
        event: "accepted".into(),
        from: OrderState::Sent,
        state,
        filled: Quantity::from_contracts(filled),
        reason: String::new(),
    })
}

fn fill(secs: u64, fill_id: &str, client_order_id: Option<&str>, contracts: i64) -> Record {
    Record::Fill(FillBooked {
        ts: Timestamp::from_secs(secs),
        fill_id: fill_id.into(),
        venue_order_id: "venue-1".into(),
        client_order_id: client_order_id.map(Into::into),
        agent: client_order_id.map(|_| "maker".into()),
        order: client_order_id.map(|_| OrderId(1)),
        ticker: "KX-1".into(),
        side: Side::Bid,
        price: Price::from_cents(55),
        quantity: Quantity::from_contracts(contracts),
        fee: Dollars::from_raw(17_300),
        taker: false,
        venue_ts: Timestamp::from_secs(secs),
        holding: Holding {
            quantity: Quantity::from_contracts(contracts),
            cost: Dollars::from_raw(contracts * 550_000),
            realized: Dollars::ZERO,
            fees: Dollars::from_raw(17_300),
        },
    })
}

/// An order that was filled and booked.
fn done(secs: u64, order: u64, name: &str) -> [Record; 3] {
    [
        intent(secs, "maker", order, Some(name)),
        fill(secs, &format!("fill of {name}"), Some(name), 10),
        order_event(secs, name, OrderState::Filled, 10),
    ]
}

#[test]
fn a_new_journal_knows_nothing() {
    assert_eq!(Floor::new().store.recover().unwrap(), Recovered::default());
}

#[test]
fn an_append_is_there_after_a_kill() {
    let mut floor = Floor::new();
    floor.store.append(&[intent(1, "maker", 7, Some("a"))]).unwrap();
    let found = floor.after_kill();
    assert_eq!(found.orders.len(), 1);
    assert_eq!(found.orders[0].state, OrderState::Sent);
    assert_eq!(found.order_ids[&AgentId::from("maker")].used, [OrderId(7)]);
}

#[test]
fn an_order_that_has_ended_is_found_by_its_name() {
    let mut floor = Floor::new();
    floor.store.append(&done(1, 7, "a")).unwrap();
    assert_eq!(floor.store.recover().unwrap().orders, []);
    let found = floor.store.find(&"a".into()).unwrap().unwrap();
    assert_eq!((found.intent.order, found.state), (OrderId(7), OrderState::Filled));
    assert_eq!(found.booked, Quantity::from_contracts(10));
    assert_eq!(floor.store.find(&"b".into()).unwrap(), None);
}

#[test]
fn an_append_that_fails_leaves_nothing() {
    let mut floor = Floor::new();
    floor.store.append(&[fill(1, "f", None, 1)]).unwrap();
    let before = floor.store.recover().unwrap();
    let twice = [intent(2, "maker", 7, Some("a")), fill(2, "f", None, 1)];
    let error = floor.store.append(&twice).unwrap_err().to_string();
    assert!(error.starts_with("the journal cannot write: "), "{error}");
    assert!(error.contains("fills.fill_id"), "{error}");
    assert_eq!(floor.store.recover().unwrap(), before);
    floor.store.append(&[fill(3, "g", None, 1)]).unwrap();
    assert_eq!(floor.after_kill().fill_ids, ["f".into(), "g".into()] as [Arc<str>; 2]);
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let mut floor = Floor::new();
    floor.store.append(&done(1, 1, "a")).unwrap();
    let before = floor.store.recover().unwrap();
    let pages: i64 =
        floor.store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let limit = |pages: i64| {
        floor
            .store
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    limit(pages);
    let long = Record::Difference(Difference {
        ts: Timestamp::from_secs(2),
        kind: "cash".into(),
        ticker: None,
        detail: "x".repeat(100_000),
    });
    let records = [intent(2, "maker", 2, Some("b")), long];
    let error = floor.store.append(&records).unwrap_err();
    assert!(error.to_string().contains("no space is left"), "{error}");
    assert_eq!(floor.after_kill(), before);
    floor
        .store
        .connection
        .pragma_update_and_check(None, "max_page_count", pages + 1_000, |_| Ok(()))
        .unwrap();
    floor.store.append(&records).unwrap();
}

#[test]
fn a_second_host_is_told_that_the_first_one_runs() {
    let floor = Floor::new();
    let error = Store::open(&path(&floor.folder), &Settings::default()).unwrap_err();
    let pid = std::process::id().to_string();
    assert!(
        matches!(&error, OpenError::InUse { pid: Some(found), .. } if *found == pid),
        "{error}"
    );
    let _again = floor.reopened();
}

#[test]
fn what_is_not_a_journal_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Store::open(path, &Settings::default());

    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "no database at all, but long enough for a header".repeat(9)).unwrap();
    let error = open(&garbage).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");

    let foreign = folder.path().join("foreign.db");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(other);
    assert!(matches!(open(&foreign).unwrap_err(), OpenError::Foreign { .. }));

    let newer = folder.path().join("newer.db");
    drop(open(&newer).unwrap());
    let other = rusqlite::Connection::open(&newer).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    drop(other);
    assert!(matches!(open(&newer).unwrap_err(), OpenError::TooNew { found: 99, known: 2, .. }));
}

#[test]
fn full_durability_is_asked_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let synchronous = |durability| {
        let settings = Settings { durability, ..Settings::default() };
        let store = Store::open(&path(&folder), &settings).unwrap();
        store.connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))
    };
    assert_eq!(synchronous(Durability::Normal).unwrap(), 1);
    assert_eq!(synchronous(Durability::Full).unwrap(), 2);
}

#[test]
fn the_history_of_an_order_reads_as_a_story() {
    let mut floor = Floor::new();
    floor.store.append(&[intent(1, "maker", 1, Some("a"))]).unwrap();
    floor.store.append(&[order_event(2, "a", OrderState::Resting, 0)]).unwrap();
    let filled = order_event(3, "a", OrderState::PartlyFilled, 4);
    floor.store.append(&[fill(3, "f1", Some("a"), 4), filled]).unwrap();
    floor.store.append(&[intent(4, "maker", 2, None)]).unwrap();
    let history = floor.rows(
        "SELECT time, event, state, detail FROM order_history WHERE agent = 'maker' ORDER BY seq",
    );
    let lines: Vec<String> = history.iter().map(|row| row.join(" | ")).collect();
    assert_eq!(
        lines,
        [
            "1970-01-01 00:00:01.000 | approved | sent | bid 10.00 at 0.5500 good_till_canceled post_only",
            "1970-01-01 00:00:02.000 | accepted | resting | filled 0.00",
            "1970-01-01 00:00:03.000 | booked | - | bid 4.00 at 0.5500 as maker, fee 0.017300, fill f1",
            "1970-01-01 00:00:03.000 | accepted | partly_filled | filled 4.00",
            "1970-01-01 00:00:04.000 | denied | denied | bid 10.00 at 0.5500 good_till_canceled \
             post_only: RATE_LIMIT: orders=11 limit=10",
        ]
    );
    let positions = floor.rows("SELECT agent, contracts, average_price, fees FROM positions");
    assert_eq!(positions, [["maker", "4.00", "0.5500", "0.017300"]]);
}

/// A day before the oldest unfinished order is where the next run begins to read fills: one that
/// is not here any more would be booked again.
#[test]
fn fills_that_the_next_run_reads_again_stay() {
    let mut floor = Floor::new();
    let ids = |floor: &Floor| floor.store.recover().unwrap().fill_ids.len();
    floor.store.append(&[intent(10 * DAY, "maker", 1, Some("working"))]).unwrap();
    floor.store.append(&[order_event(10 * DAY, "working", OrderState::Resting, 0)]).unwrap();
    floor.store.append(&done(10 * DAY + 1, 2, "after it")).unwrap();
    floor.store.append(&[fill(10 * DAY + 2, "elsewhere", None, 1)]).unwrap();
    floor.store.append(&done(8 * DAY, 3, "long before it")).unwrap();
    floor.store.append(&[intent(10 * DAY + 3, "maker", 4, None)]).unwrap();
    floor.store.append(&done(199 * DAY, 5, "young")).unwrap();

    let now = Timestamp::from_secs(200 * DAY);
    let small = Settings { max_size_mib: 0, ..Settings::default() };
    let tidied = floor.tidy(&small, now);
    assert_eq!(tidied.deleted, 2, "the one long before it, and what was denied");
    assert_eq!(ids(&floor), 3);

    let filled = order_event(199 * DAY, "working", OrderState::Canceled, 0);
    floor.store.append(&[filled]).unwrap();
    assert_eq!(floor.tidy(&small, now).deleted, 2, "nobody asks for them any more");
    assert_eq!(ids(&floor), 1);
}

#[test]
fn old_orders_go_and_what_is_needed_stays() {
    let mut floor = Floor::new();
    let old = 3 * DAY;
    floor.store.append(&done(DAY, 1, "done")).unwrap();
    floor.store.append(&[intent(old, "maker", u64::MAX, None)]).unwrap();
    floor.store.append(&[intent(old, "maker", 3, Some("working"))]).unwrap();
    floor.store.append(&[order_event(old, "working", OrderState::Resting, 0)]).unwrap();
    floor.store.append(&[intent(old, "maker", 4, Some("unbooked"))]).unwrap();
    floor.store.append(&[order_event(old, "unbooked", OrderState::Filled, 10)]).unwrap();
    let halt = |agent: Option<&str>, reason: Option<&str>| {
        Record::Halt(Halt {
            ts: Timestamp::from_secs(old),
            agent: agent.map(Into::into),
            halted: reason.map(Halted::all),
        })
    };
    floor.store.append(&[halt(None, Some("first")), halt(None, Some("lunch"))]).unwrap();
    let before = floor.store.recover().unwrap();

    // The day before the last fill always stays, so without a later fill nothing goes.
    let now = Timestamp::from_secs(200 * DAY);
    assert_eq!(floor.tidy(&Settings::default(), now).deleted, 0);
    floor.store.append(&done(199 * DAY, 5, "young")).unwrap();
    let tidied = floor.tidy(&Settings::default(), now);
    assert_eq!(tidied, Tidied { deleted: 3, too_large: false }, "done, denied and the first halt");

    let count = |sql: &str| floor.rows(sql)[0][0].clone();
    assert_eq!(count("SELECT count(*) FROM order_history WHERE client_order_id = 'done'"), "0");
    assert_eq!(count("SELECT count(*) FROM orders"), "3");
    let after = floor.after_kill();
    assert_eq!(after.orders, before.orders);
    assert_eq!(after.halted, Some(Halted::all("lunch")));
    assert_eq!(after.fill_ids, ["fill of young".into()] as [Arc<str>; 1]);
    assert_eq!(
        after.order_ids[&AgentId::from("maker")].used,
        [1, 3, 4, 5, u64::MAX].map(OrderId),
        "numbers stay used"
    );
}

#[test]
fn a_journal_that_is_too_large_loses_its_oldest_orders_first() {
    let mut floor = Floor::new();
    for order in 0..3_000_u64 {
        let secs = DAY + order * 600;
        floor.store.append(&done(secs, order, &format!("order {order:05}"))).unwrap();
    }
    let now = Timestamp::from_secs(DAY + 3_000 * 600);
    let settings = Settings { retention_days: 0, max_size_mib: 1, ..Settings::default() };
    let tidied = floor.tidy(&settings, now);
    assert!(tidied.deleted > 0 && !tidied.too_large, "{tidied:?}");
    let left = floor.rows("SELECT min(client_order_id), max(client_order_id) FROM orders");
    assert!(left[0][0].as_str() > "order 00000", "{left:?}");
    assert_eq!(left[0][1], "order 02999");

    // The last day stays even then.
    let tiny = Settings { retention_days: 0, max_size_mib: 1, ..Settings::default() };
    let mut crowd = Floor::new();
    for order in 0..3_000_u64 {
        crowd.store.append(&done(DAY + order, order, &format!("order {order}"))).unwrap();
    }
    let tidied = crowd.tidy(&tiny, Timestamp::from_secs(DAY + 3_000));
    assert_eq!(tidied, Tidied { deleted: 0, too_large: true });
}

#[test]
fn of_very_many_numbers_the_highest_are_listed_and_the_others_have_a_floor() {
    let mut floor = Floor::new();
    let kept = u64::try_from(ORDER_IDS_KEPT).unwrap();
    // Those beyond what is kept are more than one transaction deletes.
    let records: Vec<Record> =
        (1..=kept + 505).map(|order| intent(DAY, "maker", order, None)).collect();
    floor.store.append(&records).unwrap();
    let expected =
        UsedOrderIds { floor: Some(OrderId(505)), used: (506..=kept + 505).map(OrderId).collect() };
    let maker = AgentId::from("maker");
    assert_eq!(floor.store.recover().unwrap().order_ids[&maker], expected);
    // The same when the intents themselves are deleted.
    let now = Timestamp::from_secs(200 * DAY);
    assert_eq!(floor.tidy(&Settings::default(), now).deleted, records.len());
    assert_eq!(floor.store.recover().unwrap().order_ids[&maker], expected);
    floor.store.append(&[intent(200 * DAY, "maker", 9_999_999, None)]).unwrap();
    let used = floor.store.recover().unwrap().order_ids[&maker].clone();
    assert_eq!(used.floor, Some(OrderId(506)));
    assert_eq!(used.used.len(), ORDER_IDS_KEPT);
}

#[test]
fn the_upkeep_starts_and_ends() {
    let floor = Floor::new();
    let clock = hotpit_rt::Clock::system();
    super::Upkeep::start(&floor.store, &Settings::default(), clock).unwrap().stop();
}
