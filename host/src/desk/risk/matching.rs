//! What the order would trade with.

use hotpit_units::{Price, Side};

use super::{Case, Denial};

/// Whether `price` on `side` would trade with an order at `other` on the other side.
fn crosses(side: Side, price: Price, other: Price) -> bool {
    match side {
        Side::Bid => price >= other,
        Side::Ask => price <= other,
    }
}

/// No order may meet another one of this account: buying from oneself costs two fees and looks
/// like manipulation. Orders that may be resting count as resting.
pub(super) fn own_orders(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    match case.market.own_best(order.side.opposite()) {
        Some(own) if crosses(order.side, order.price, own) => {
            Err(Denial::SelfMatch { market: case.ticker(), price: order.price, own })
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn post_only(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    if !order.post_only {
        return Ok(());
    }
    let best = match order.side {
        Side::Bid => case.view.quote.ask,
        Side::Ask => case.view.quote.bid,
    };
    match best.map(|level| level.price) {
        Some(best) if crosses(order.side, order.price, best) => {
            Err(Denial::PostOnlyCross { market: case.ticker(), price: order.price, best })
        }
        Some(_) | None => Ok(()),
    }
}
