//! The auditor: what host and exchange say, compared.

use std::collections::BTreeMap;
use std::path::Path;

use hotpit::desk::Report;
use hotpit_exchange::core::OrderStatus;
use hotpit_units::{Dollars, Quantity};
use rusqlite::Connection;

use super::exchange::Truth;
use super::facts::{Broken, Facts, Promise};

/// What must hold at every moment.
pub fn check_moment(report: &Report, truth: &Truth, facts: &mut Facts) {
    if let Some(violation) = &truth.violation {
        facts.breaks(Promise::Mismatched, format!("the exchange itself: {violation}"));
    }
    if truth.unnamed > 0 {
        facts.breaks(Promise::Lost, "the exchange has an order of ours without a name");
    }
    let strangers = truth.orders.keys().find(|name| !facts.intents.contains_key(*name));
    if let Some(name) = strangers.cloned() {
        facts.breaks(Promise::Doubled, format!("{name} is at the exchange and nobody's wish"));
    }
    check_fills(facts, truth);
    let counted = report.exposure - report.realized;
    if counted < truth.worst_loss {
        let how = format!(
            "the desk counts {counted}, and {} can be lost: {:?}",
            truth.worst_loss, report.working
        );
        facts.breaks(Promise::Uncounted, how);
    }
}

/// Every fill that was booked is the exchange's, as it was.
pub fn check_fills(facts: &mut Facts, truth: &Truth) {
    let wrong = facts.fills.iter().find(|(id, ours)| {
        truth.fills.get(&***id).is_none_or(|(name, quantity, price)| {
            let ours_name = ours.client_order_id.as_ref().map_or("", |name| name.as_str());
            (name.as_str(), *quantity, *price) != (ours_name, ours.quantity, ours.price)
        })
    });
    if let Some((id, fill)) = wrong {
        let how = format!("fill {id} was booked as {fill:?}, which the exchange does not have");
        facts.breaks(Promise::Doubled, how);
    }
}

/// Where the desk's books are not the exchange's. Nothing tells how much resting orders hold, so
/// cash is what the exchange has once none rests.
pub fn differences(report: &Report, truth: &Truth, is_end: bool) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(why) = &report.not_ready {
        found.push(format!("the desk is not ready: {why}"));
    }
    if let Some(why) = report.halted.as_ref().filter(|_| !is_end) {
        found.push(format!("the desk is halted: {why}"));
    }
    if report.unknown > 0 {
        found.push(format!("{} orders of unknown outcome", report.unknown));
    }
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{what}: the desk has {ours}, the exchange {theirs}"));
        }
    };
    let cash: BTreeMap<i32, Dollars> =
        report.shards.iter().map(|line| (line.shard, line.cash)).collect();
    if is_end {
        compare("cash", format!("{cash:?}"), format!("{:?}", truth.cash));
        compare("working orders", report.working.len().to_string(), "0".to_owned());
    }
    compare("fees", report.fees.to_string(), truth.fees.to_string());
    let mut positions: BTreeMap<String, Quantity> = BTreeMap::new();
    for line in &report.positions {
        *positions.entry(line.ticker.to_string()).or_default() += line.quantity;
    }
    positions.retain(|_, quantity| !quantity.is_zero());
    compare("positions", format!("{positions:?}"), format!("{:?}", truth.positions));
    let mut working: Vec<&str> = report
        .working
        .iter()
        .map(|line| line.client_order_id.as_ref().map_or("nameless", |name| name.as_str()))
        .collect();
    working.sort_unstable();
    let resting = truth.orders.iter().filter(|(_, (_, status))| *status == OrderStatus::Resting);
    let mut resting: Vec<&str> = resting.map(|(name, _)| name.as_str()).collect();
    resting.sort_unstable();
    compare("working orders", format!("{working:?}"), format!("{resting:?}"));
    if report.positions.iter().any(|line| line.agent.is_none()) {
        found.push("something was booked on nobody".to_owned());
    }
    found
}

/// Which promise such differences break: an order that is not accounted for is a lost one.
pub fn promise_of(differences: &[String]) -> Promise {
    let is_lost = |difference: &String| difference.contains("order");
    if differences.iter().any(is_lost) { Promise::Lost } else { Promise::Mismatched }
}

/// The journal at the end: every order of ours that the exchange has is in it as it ended, and
/// every order in it is the exchange's, or never was.
pub fn compare_journal(path: &Path, truth: &Truth) -> Result<(), Broken> {
    let lost = |how: String| Err(Broken { promise: Promise::Lost, how });
    let journal = Connection::open(path).unwrap();
    let mut statement =
        journal.prepare("SELECT client_order_id, booked_e2, filled_e2, state FROM orders").unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
    });
    let ours: BTreeMap<String, (i64, i64, String)> = rows.unwrap().map(Result::unwrap).collect();
    for (name, (filled, status)) in &truth.orders {
        let Some((booked, said, state)) = ours.get(name) else {
            return lost(format!("{name} is at the exchange and not in the journal"));
        };
        if (*booked, *said) != (filled.raw(), filled.raw()) {
            return lost(format!(
                "{name} ({state}): {filled} traded, {booked} booked and {said} filled in hundredths"
            ));
        }
        let fits = match status {
            OrderStatus::Resting => false,
            OrderStatus::Executed => state == "filled",
            OrderStatus::Canceled => state == "canceled" || state == "expired",
        };
        if !fits {
            return lost(format!(
                "{name} is {state} in the journal and {status:?} at the exchange"
            ));
        }
    }
    for (name, (booked, _, state)) in &ours {
        let never_was = matches!(state.as_str(), "rejected" | "denied") && *booked == 0;
        if !truth.orders.contains_key(name) && !never_was {
            return lost(format!("{name} is {state} in the journal, and the exchange has none"));
        }
    }
    let booked: i64 =
        journal.query_row("SELECT count(*) FROM fills", [], |row| row.get(0)).unwrap();
    if usize::try_from(booked).unwrap() != truth.fills.len() {
        let how = format!("{booked} fills are booked, {} happened", truth.fills.len());
        return Err(Broken { promise: Promise::Mismatched, how });
    }
    Ok(())
}
