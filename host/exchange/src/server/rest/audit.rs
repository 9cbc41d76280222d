//! The audit of an account, which no real exchange offers.

use std::collections::BTreeMap;

use hotpit_units::{Dollars, Price, Quantity, Side};
use serde_json::{Value, json};

use super::super::floor::Floor;
use super::super::frames::no_price;
use super::portfolio::{order_json, position_json};
use crate::core::{AccountId, Fill, Order, OrderStatus, Position};

/// What an account really has, for comparing a host's own books with it.
pub(in crate::server) fn audit(floor: &Floor, account: AccountId) -> Value {
    let exchange = &floor.exchange;
    let owner = exchange.account(account);
    let cash: BTreeMap<String, Value> = owner
        .balances()
        .map(|(shard, balance)| {
            let available = balance.available();
            let amounts = json!({ "cash": balance.cash, "reserved": balance.reserved, "available": available });
            (shard.to_string(), amounts)
        })
        .collect();
    let positions: Vec<Value> = owner
        .positions()
        .map(|(market, position)| position_json(exchange, market, &position))
        .collect();
    let sum = |of: fn(&Position) -> Dollars| -> Dollars {
        owner.positions().map(|(_, position)| of(&position)).sum()
    };
    let orders: Vec<&Order> = exchange.orders_of(account).collect();
    let resting = orders.iter().filter(|order| order.status == OrderStatus::Resting);
    let by_name: BTreeMap<&str, Value> = orders
        .iter()
        .filter_map(|order| Some((order.client_order_id.as_deref()?, order_json(exchange, order))))
        .collect();
    let filled: Quantity = owner.fills().iter().map(|fill| fill.count).sum();
    let bought = |fill: &Fill| -> Price {
        if fill.side == Side::Bid { fill.price } else { no_price(fill.price) }
    };
    let turnover: Dollars = owner.fills().iter().map(|fill| bought(fill) * fill.count).sum();
    json!({
        "user_id": owner.user_id.to_string(),
        "cash": cash,
        "cash_total": owner.balances().map(|(_, balance)| balance.cash).sum::<Dollars>(),
        "positions": positions,
        "fees_paid": sum(|position| position.fees_paid),
        "realized_pnl": sum(|position| position.realized_pnl),
        "fills_count": owner.fills().len(),
        "fills_quantity": filled,
        "turnover": turnover,
        "fill_ids": owner.fills().iter().map(|fill| fill.trade_id.to_string()).collect::<Vec<_>>(),
        "open_orders": resting.map(|order| order_json(exchange, order)).collect::<Vec<_>>(),
        "orders_count": orders.len(),
        "orders_by_client_order_id": by_name,
    })
}
