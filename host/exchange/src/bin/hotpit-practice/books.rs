//! The books of host and exchange, and where they differ. Exact: the last hundredth of a
//! contract, the last millionth of a dollar.

use std::collections::{BTreeMap, BTreeSet};

use hotpit_units::{Dollars, Quantity};
use serde::Deserialize;
use serde_json::Value;

/// What the host says of itself at the end: the part of its status that an exchange can judge.
#[derive(Debug, Deserialize)]
pub(crate) struct HostBooks {
    desk: Desk,
}

#[derive(Debug, Deserialize)]
struct Desk {
    fills: u64,
    cash: Dollars,
    fees: Dollars,
    positions: Vec<HostPosition>,
    working: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct HostPosition {
    ticker: String,
    quantity: Quantity,
    fees: Dollars,
}

/// What the exchange says of the account: its audit.
#[derive(Debug, Deserialize)]
pub(crate) struct ExchangeBooks {
    cash_total: Dollars,
    fees_paid: Dollars,
    fills_count: u64,
    positions: Vec<ExchangePosition>,
    open_orders: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct ExchangePosition {
    ticker: String,
    #[serde(rename = "position_fp")]
    quantity: Quantity,
    #[serde(rename = "fees_paid_dollars")]
    fees: Dollars,
}

/// Position and fees of one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Holding {
    quantity: Quantity,
    fees: Dollars,
}

impl HostBooks {
    /// By market: what several agents have in it is added up.
    fn holdings(&self) -> BTreeMap<&str, Holding> {
        let mut holdings: BTreeMap<&str, Holding> = BTreeMap::new();
        for line in &self.desk.positions {
            let holding = holdings.entry(&line.ticker).or_default();
            holding.quantity += line.quantity;
            holding.fees += line.fees;
        }
        holdings
    }
}

impl ExchangeBooks {
    fn holdings(&self) -> BTreeMap<&str, Holding> {
        let holding =
            |line: &ExchangePosition| Holding { quantity: line.quantity, fees: line.fees };
        self.positions.iter().map(|line| (line.ticker.as_str(), holding(line))).collect()
    }
}

/// Every difference, one on a line; none: the books agree.
pub(crate) fn differences(host: &HostBooks, exchange: &ExchangeBooks) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: String, host: String, exchange: String| {
        if host != exchange {
            found.push(format!("{what}: the host has {host}, the exchange {exchange}"));
        }
    };
    compare("cash".into(), host.desk.cash.to_string(), exchange.cash_total.to_string());
    compare("fees".into(), host.desk.fees.to_string(), exchange.fees_paid.to_string());
    compare("fills".into(), host.desk.fills.to_string(), exchange.fills_count.to_string());
    compare(
        "working orders".into(),
        host.desk.working.len().to_string(),
        exchange.open_orders.len().to_string(),
    );
    let (ours, theirs) = (host.holdings(), exchange.holdings());
    let markets: BTreeSet<&str> = ours.keys().chain(theirs.keys()).copied().collect();
    for market in markets {
        let (ours, theirs) = (
            ours.get(market).copied().unwrap_or_default(),
            theirs.get(market).copied().unwrap_or_default(),
        );
        compare(
            format!("position in {market}"),
            ours.quantity.to_string(),
            theirs.quantity.to_string(),
        );
        compare(format!("fees in {market}"), ours.fees.to_string(), theirs.fees.to_string());
    }
    found
}

/// What both say, where they agree.
pub(crate) fn agreement(books: &ExchangeBooks) -> String {
    let mut text = format!(
        "the books of host and exchange agree: cash {}, fees {}, {} fills",
        books.cash_total, books.fees_paid, books.fills_count
    );
    for (market, Holding { quantity, fees }) in books.holdings() {
        text.push_str(&format!("\n  {market}: position {quantity}, fees {fees}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn host(cash: &str, positions: Value) -> HostBooks {
        let report = json!({
            "version": "0.1.0",
            "desk": {
                "fills": 3, "cash": cash, "fees": "0.070000", "working": [], "intents": 9,
                "positions": positions,
            },
        });
        serde_json::from_value(report).unwrap()
    }

    fn exchange(positions: Value) -> ExchangeBooks {
        let audit = json!({
            "cash": {}, "cash_total": "9990.500000", "fees_paid": "0.070000", "fills_count": 3,
            "positions": positions, "open_orders": [],
        });
        serde_json::from_value(audit).unwrap()
    }

    fn line(agent: &str, ticker: &str, quantity: &str, fees: &str) -> Value {
        json!({ "agent": agent, "ticker": ticker, "quantity": quantity, "fees": fees })
    }

    fn theirs(ticker: &str, quantity: &str, fees: &str) -> Value {
        json!({ "ticker": ticker, "position_fp": quantity, "fees_paid_dollars": fees })
    }

    #[test]
    fn what_agents_have_in_one_market_is_added_up() {
        let host = host(
            "9990.500000",
            json!([
                line("maker", "KX-1", "12.00", "0.060000"),
                line("taker", "KX-1", "-2.50", "0.010000"),
                line("taker", "KX-2", "0.00", "0.000000"),
            ]),
        );
        let exchange = exchange(json!([theirs("KX-1", "9.50", "0.070000")]));
        assert_eq!(differences(&host, &exchange), Vec::<String>::new());
        assert_eq!(
            agreement(&exchange),
            "the books of host and exchange agree: cash 9990.500000, fees 0.070000, 3 fills\n  \
             KX-1: position 9.50, fees 0.070000"
        );
    }

    #[test]
    fn the_last_unit_makes_a_difference() {
        let host = host("9990.500001", json!([line("maker", "KX-1", "9.51", "0.070000")]));
        let exchange = exchange(json!([
            theirs("KX-1", "9.50", "0.070000"),
            theirs("KX-2", "-1.00", "0.000000"),
        ]));
        assert_eq!(
            differences(&host, &exchange),
            [
                "cash: the host has 9990.500001, the exchange 9990.500000",
                "position in KX-1: the host has 9.51, the exchange 9.50",
                "position in KX-2: the host has 0.00, the exchange -1.00",
            ]
        );
    }
}
