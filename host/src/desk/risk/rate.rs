//! How fast an agent may send.

use super::size::tighter;
use super::{Case, Denial};
use crate::desk::agent_table::AgentState;
use crate::desk::risk::Limits;

/// The orders per second that an agent may send.
pub(in crate::desk) fn limit(agent: &AgentState, limits: &Limits) -> u32 {
    tighter(agent.limits.orders_per_second, limits.orders_per_second)
}

pub(super) fn within(case: &Case<'_>) -> Result<(), Denial> {
    let limit = limit(case.agent, case.question.limits);
    if case.agent.rate.allows(case.question.now, limit) {
        Ok(())
    } else {
        Err(Denial::OrderRate { limit })
    }
}
