//! How much could be lost if the order were one more of those that go wrong.

use hotpit_units::Dollars;

use super::size::tighter;
use super::{Case, Denial};
use crate::desk::exposure::{Ends, Working};

/// An order that adds nothing to what can be lost passes even above the limit: it is how one
/// gets below it again. Its fees are counted against the limits of those that add something.
pub(super) fn worst_case(case: &Case<'_>) -> Result<(), Denial> {
    let question = case.question;
    let order = question.order;
    let before = Ends::of(&question.holding, &question.working).worst();
    let mut working = question.working;
    working.add(&Working::of(order.side, order.price, order.quantity, Dollars::ZERO));
    let adds = Ends::of(&question.holding, &working).worst().saturating_sub(before);
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

/// The same for the market where it has a limit of its own, for its event, whose outcomes may
/// exclude each other, and its series.
pub(super) fn of_groups(case: &Case<'_>) -> Result<(), Denial> {
    let Some([now, with]) = &case.question.group_risk else { return Ok(()) };
    let limits = &case.limits;
    for (scope, exposure, with, limit) in [
        ("market", now.market, with.market, limits.exposure.unwrap_or(Dollars::MAX)),
        ("event", now.event, with.event, limits.exposure_of_event),
        ("series", now.series, with.series, limits.exposure_of_series),
    ] {
        let adds = with - exposure;
        if adds.is_positive() && with.saturating_add(case.fees) > limit {
            let order = adds.saturating_add(case.fees);
            return Err(Denial::Exposure { scope, exposure, order, limit });
        }
    }
    Ok(())
}
