//! What the exchange can possibly say: amounts beyond it are not taken in, so that no sum of those
//! that are ever comes near the limit of its integer, where it would be wrong for ever.

use hotpit_units::{Dollars, Price, Quantity};

use super::venue::AccountSnapshot;
use crate::model::{VenueFill, VenueOrder};

/// A thousand million contracts, which may cost as many dollars.
const QUANTITY_MAX: Quantity = Quantity::from_contracts(1_000_000_000);

/// What that many contracts can be worth.
pub(super) const DOLLARS_MAX: Dollars = Dollars::from_dollars(1_000_000_000);

/// Whether a quantity can be one: of either sign.
fn quantity(quantity: Quantity) -> bool {
    quantity.abs() <= QUANTITY_MAX
}

fn price(price: Price) -> bool {
    price <= Price::ONE
}

/// What can be filled of an order, at most.
pub(super) fn filled(reported: Quantity) -> Quantity {
    reported.min(QUANTITY_MAX)
}

/// Whether there can be such an order.
pub(super) fn order(order: &VenueOrder) -> bool {
    let amount = |amount: Quantity| !amount.is_negative() && quantity(amount);
    price(order.price) && amount(order.filled) && amount(order.remaining)
}

/// Whether there can be such a fill.
pub(super) fn fill(fill: &VenueFill) -> bool {
    fill.quantity.is_positive()
        && quantity(fill.quantity)
        && price(fill.price)
        && fill.fee.abs() <= DOLLARS_MAX
}

/// The first thing in an account that cannot be; fills apart, each of which stands for itself.
pub(super) fn problem(account: &AccountSnapshot) -> Option<String> {
    let order = account.resting.iter().find(|report| !order(report)).map(|order| {
        format!(
            "order {} in {} of {} filled and {} working contracts at {}",
            order.venue_order_id, order.ticker, order.filled, order.remaining, order.price
        )
    });
    let position =
        account.positions.iter().find(|position| !quantity(position.quantity)).map(|position| {
            format!("a position of {} contracts in {}", position.quantity, position.ticker)
        });
    let cash = account.balances.iter().find(|(_, cash)| cash.abs() > DOLLARS_MAX);
    let cash = cash.map(|(shard, cash)| format!("cash of {cash} dollars on shard {shard}"));
    let settlement = account.settlements.iter().find(|settlement| !price(settlement.price));
    let settlement = settlement
        .map(|settlement| format!("a payout of {} in {}", settlement.price, settlement.ticker));
    order.or(position).or(cash).or(settlement)
}
