//! How large a position may become if every order of its side is filled.

use hotpit_units::{Quantity, Side};

use super::size::tighter;
use super::{Case, Denial};
use crate::desk::exposure::Working;

pub(super) fn worst_case(case: &Case<'_>) -> Result<(), Denial> {
    let question = case.question;
    let desk = case.limits.position;
    let own = tighter(case.agent.limits.position_per_market, desk);
    check(case, "agent", question.holding.quantity, &question.working, own)?;
    check(case, "all", case.market.held, &case.market.working, desk)
}

/// In the reducing state.
pub(super) fn reduces(case: &Case<'_>) -> Result<(), Denial> {
    let question = case.question;
    let is_asked = question.halted.is_some() || case.agent.halted.is_some();
    if !is_asked || case.reduces() {
        return Ok(());
    }
    let (position, order) = (question.holding.quantity, question.order.quantity);
    Err(Denial::ReduceOnly { market: case.ticker(), position, order })
}

fn check(
    case: &Case<'_>,
    scope: &'static str,
    held: Quantity,
    working: &Working,
    limit: Quantity,
) -> Result<(), Denial> {
    let order = case.question.order;
    let (position, after) = match order.side {
        Side::Bid => (held + working.buy, held + working.buy + order.quantity),
        Side::Ask => (held - working.sell, held - working.sell - order.quantity),
    };
    let too_far = match order.side {
        Side::Bid => after > limit,
        Side::Ask => after < -limit,
    };
    if too_far {
        let order = order.quantity;
        return Err(Denial::Position { scope, market: case.ticker(), position, order, limit });
    }
    Ok(())
}
