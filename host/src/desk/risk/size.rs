//! How large an order may be: in contracts, in dollars, in cash, in number.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::{Case, Denial};
use crate::desk::exposure::leg_cost;

pub(super) fn quantity(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order.quantity;
    if !order.is_positive() {
        return Err(Denial::QuantityInvalid { order });
    }
    // What closes a position is held to what is one order by mistake, and to no scope of the market.
    let desk = if case.reduces() {
        case.question.limits.order_quantity
    } else {
        case.limits.order_quantity
    };
    let limit = tighter(case.agent.limits.order_quantity, desk);
    if order > limit {
        return Err(Denial::OrderLimit { order, limit });
    }
    Ok(())
}

pub(super) fn cost(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    let cost = leg_cost(order.side, order.price, order.quantity);
    let limit = case.limits.order_cost;
    // What closes a position ties up nothing.
    if cost > limit && !case.reduces() {
        return Err(Denial::CostLimit { cost, limit });
    }
    Ok(())
}

/// Whether the cash is there, on the shard of the market: the exchange takes none from another. The
/// part of an order that certainly closes a position of the
/// account needs none: it frees the other leg.
pub(super) fn cash(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    let closable = match order.side {
        Side::Bid => case.market.held + case.market.working.buy,
        Side::Ask => case.market.working.sell - case.market.held,
    };
    let closing = order.quantity.min(Quantity::from_raw(closable.raw().min(0).saturating_neg()));
    let opening = order.quantity - closing;
    let freed = Price::ONE * closing;
    let cost = leg_cost(order.side, order.price, opening)
        .saturating_add(leg_cost(order.side, order.price, closing))
        .saturating_add(case.fees)
        .saturating_sub(freed);
    let free = case.question.free_cash;
    if cost > Dollars::ZERO && cost > free {
        let shard = case.market.shard;
        return Err(Denial::Cash { shard, cost, free });
    }
    Ok(())
}

pub(super) fn open_orders(case: &Case<'_>) -> Result<(), Denial> {
    let limits = case.question.limits;
    let all = [
        ("market", case.market.working.orders, case.limits.open_orders),
        ("agent", case.agent.open_orders, limits.open_orders_per_agent),
        ("all", case.question.open_orders, limits.open_orders),
    ];
    for (scope, open, limit) in all {
        // Others' orders in the market keep nobody from closing what it holds.
        if scope == "market" && case.reduces() {
            continue;
        }
        if open >= limit {
            return Err(Denial::OpenOrders { scope, open, limit });
        }
    }
    Ok(())
}

/// An agent's own limit can only tighten the desk's.
pub(in crate::desk) fn tighter<T: Ord>(own: Option<T>, desk: T) -> T {
    match own {
        Some(own) => own.min(desk),
        None => desk,
    }
}
