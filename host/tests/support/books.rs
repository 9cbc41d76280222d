//! The books of host and exchange, compared to the last unit.

use std::collections::BTreeMap;

use hotpit::ops::Status;
use hotpit_units::{Dollars, Quantity};
use rusqlite::Connection;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Position and fees of one market.
type Holdings = BTreeMap<String, (Quantity, Dollars)>;

/// Cash, fees, fills, working orders, and each market's position and fees are the same. `fills`
/// are those that the host has booked in all its runs: its status counts those of one.
pub fn assert_agree(status: &Status, fills: u64, audit: &Value) {
    let differences = differences(status, fills, audit);
    assert!(differences.is_empty(), "the books differ:\n{}", differences.join("\n"));
}

fn differences(status: &Status, fills: u64, audit: &Value) -> Vec<String> {
    let desk = &status.desk;
    let mut found = vec![];
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{what}: the host has {ours}, the exchange {theirs}"));
        }
    };
    compare("cash", desk.cash.to_string(), read::<Dollars>(audit, "cash_total").to_string());
    compare("fees", desk.fees.to_string(), read::<Dollars>(audit, "fees_paid").to_string());
    compare("fills", fills.to_string(), read::<u64>(audit, "fills_count").to_string());
    let open = audit["open_orders"].as_array().unwrap().len();
    compare("working orders", desk.working.len().to_string(), open.to_string());
    compare("orders of unknown outcome", desk.unknown.to_string(), "0".to_owned());
    let mut ours = Holdings::new();
    for line in &desk.positions {
        let (quantity, fees) = ours.entry(line.ticker.to_string()).or_default();
        *quantity += line.quantity;
        *fees += line.fees;
    }
    let mut theirs = Holdings::new();
    for line in audit["positions"].as_array().unwrap() {
        let holding = (read(line, "position_fp"), read(line, "fees_paid_dollars"));
        theirs.insert(read(line, "ticker"), holding);
    }
    let is_something = |holding: &(Quantity, Dollars)| *holding != <_>::default();
    ours.retain(|_, holding| is_something(holding));
    theirs.retain(|_, holding| is_something(holding));
    compare("positions", format!("{ours:?}"), format!("{theirs:?}"));
    found
}

/// Every order at the exchange is one intent of the journal, written once and sent once, and was
/// filled there as it was booked here; nothing is left open.
pub fn assert_orders_sent_once(journal: &Connection, audit: &Value) {
    let theirs = audit["orders_by_client_order_id"].as_object().unwrap();
    let count: usize = read(audit, "orders_count");
    assert_eq!(theirs.len(), count, "the exchange has orders without a name of their own");

    let number =
        |question: &str| -> i64 { journal.query_row(question, [], |row| row.get(0)).unwrap() };
    let approved = "FROM intents WHERE client_order_id IS NOT NULL";
    assert_eq!(
        number(&format!("SELECT count(*) {approved}")),
        number(&format!("SELECT count(DISTINCT client_order_id) {approved}")),
        "two intents have one name"
    );
    assert_eq!(
        number(&format!("SELECT count(*) {approved}")),
        number(&format!("SELECT count(*) FROM (SELECT DISTINCT agent, order_id {approved})")),
        "one wish of an agent was approved twice"
    );
    assert_eq!(number("SELECT count(*) FROM orders WHERE is_final = 0"), 0, "orders are left open");

    let mut statement =
        journal.prepare("SELECT client_order_id, booked_e2, filled_e2, state FROM orders").unwrap();
    let rows = statement.query_map([], |row| {
        let order: (i64, i64, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get::<_, String>(0)?, order))
    });
    let ours: BTreeMap<String, (i64, i64, String)> = rows.unwrap().map(Result::unwrap).collect();
    for (name, order) in theirs {
        let Some((booked, filled, state)) = ours.get(name) else {
            panic!("the exchange has an order that the journal does not know: {order:#}");
        };
        let traded: Quantity = read(order, "fill_count_fp");
        assert_eq!(*filled, traded.raw(), "{name} ({state}) was filled otherwise: {order:#}");
        assert_eq!(*booked, traded.raw(), "{name} ({state}) was booked otherwise: {order:#}");
    }
    for (name, (booked, _, state)) in &ours {
        let known = theirs.contains_key(name);
        assert!(known || *booked == 0, "{name} ({state}) has fills, and the exchange no order");
    }
}

pub fn read<T: DeserializeOwned>(value: &Value, key: &str) -> T {
    serde_json::from_value(value[key].clone())
        .unwrap_or_else(|error| panic!("{key} of {value:#}: {error}"))
}
