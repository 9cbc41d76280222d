//! How much could be lost if the order were one more of those that go wrong.

use hotpit_units::Dollars;

use super::size::tighter;
use super::{Case, Denial};
use crate::desk::exposure::{Working, market_risk};

/// An order that adds nothing to what can be lost passes even above the limit: it is how one
/// gets below it again. Its fees are counted against the limits of those that add something.
pub(super) fn worst_case(case: &Case<'_>) -> Result<(), Denial> {
    let question = case.question;
    let order = question.order;
    let before = market_risk(&question.holding, &question.working);
    let mut working = question.working;
    working.add(&Working::of(order.side, order.price, order.quantity, Dollars::ZERO));
    let adds = market_risk(&question.holding, &working).saturating_sub(before);
    if !adds.is_positive() {
        return Ok(());
    }
    let adds = adds.saturating_add(case.fees);
    let own = tighter(case.agent.limits.exposure, question.limits.exposure_per_agent);
    for (scope, exposure, limit) in
        [("agent", case.agent.exposure, own), ("all", question.exposure, question.limits.exposure)]
    {
        if exposure.saturating_add(adds) > limit {
            return Err(Denial::Exposure { scope, exposure, order: adds, limit });
        }
    }
    Ok(())
}
