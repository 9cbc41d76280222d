//! Whether the intent looks like a mistake that repeats itself: a duplicate, an unusual size, fills
//! that follow each other too fast. None of it keeps an agent from closing what it holds.

use super::{Case, Denial};

/// The same order again while the first one may still trade.
pub(super) fn duplicate(case: &Case<'_>) -> Result<(), Denial> {
    match case.question.duplicate {
        Some(of) if !case.reduces() => {
            let window = case.question.limits.duplicate_window();
            Err(Denial::Duplicate { market: case.ticker(), of, window })
        }
        Some(_) | None => Ok(()),
    }
}

/// Many times what the agent usually orders.
pub(super) fn size(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order.quantity;
    let multiple = case.question.limits.size_multiple_max;
    let Some(largest) = case.agent.recent.largest() else { return Ok(()) };
    if !case.reduces() && order.raw() > largest.raw().saturating_mul(i64::from(multiple)) {
        return Err(Denial::SizeUnusual { order, largest, multiple });
    }
    Ok(())
}

/// An agent that trades in a market again and again: it may be chasing itself.
pub(super) fn fills(case: &Case<'_>) -> Result<(), Denial> {
    let limits = case.question.limits;
    let (window, limit) = (limits.fills_window(), limits.fills_per_market);
    let fills = case.agent.recent.fills_within(case.slot, window, case.question.now);
    if fills >= limit && !case.reduces() {
        return Err(Denial::RepeatedFills { market: case.ticker(), fills, window, limit });
    }
    Ok(())
}
