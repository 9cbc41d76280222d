//! Whether the intent is one that the exchange would understand.

use super::{Case, Denial};
use crate::model::TimeInForce;

pub(super) fn order_id(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order.order;
    if case.agent.order_ids.is_used(order) {
        return Err(Denial::OrderIdUsed { order });
    }
    Ok(())
}

pub(super) fn price(case: &Case<'_>) -> Result<(), Denial> {
    let price = case.question.order.price;
    if !case.view.market.grid.contains(price) {
        return Err(Denial::PriceOffGrid { market: case.ticker(), price });
    }
    Ok(())
}

pub(super) fn lifetime(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    let resting = match order.time_in_force {
        TimeInForce::GoodTillCanceled => true,
        TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill => false,
    };
    if order.post_only && !resting {
        return Err(Denial::PostOnlyInvalid);
    }
    match order.expires {
        None => Ok(()),
        Some(_) if !resting => {
            Err(Denial::ExpiryInvalid { why: "only a good-till-canceled order can expire" })
        }
        // The exchange counts in whole seconds, so an expiry within this second is over.
        Some(expires) if expires.as_secs() <= case.question.now.as_secs() => {
            Err(Denial::ExpiryInvalid { why: "the expiry is over" })
        }
        Some(_) => Ok(()),
    }
}
