//! Whether anybody, this agent, and this desk may trade at all.

use super::{Denial, Question};
use crate::desk::agent_table::AgentState;

pub(super) fn not_halted(question: &Question<'_>) -> Result<(), Denial> {
    if let Some(reason) = question.stopping {
        return Err(Denial::Halted { reason: reason.to_owned() });
    }
    match question.halted {
        Some(halted) if !halted.reducing => Err(Denial::Halted { reason: halted.reason.clone() }),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn agent<'a>(question: &Question<'a>) -> Result<&'a AgentState, Denial> {
    let agent = question.agent.ok_or(Denial::AgentNotLive)?;
    match &agent.halted {
        Some(halted) if !halted.reducing => {
            Err(Denial::AgentHalted { reason: halted.reason.clone() })
        }
        Some(_) | None if agent.live => Ok(agent),
        Some(_) | None => Err(Denial::AgentNotLive),
    }
}

pub(super) fn ready(question: &Question<'_>) -> Result<(), Denial> {
    match question.not_ready {
        Some(reason) => Err(Denial::NotReady { reason: reason.to_owned() }),
        None => Ok(()),
    }
}

/// A clock that is far off makes every age and every expiry wrong.
pub(super) fn clock(question: &Question<'_>) -> Result<(), Denial> {
    let limit_ms = question.limits.clock_skew_ms_max;
    match question.exchange.skew_ms {
        Some(skew_ms) if skew_ms.unsigned_abs() > limit_ms => {
            Err(Denial::ClockSkew { skew_ms, limit_ms })
        }
        Some(_) | None => Ok(()),
    }
}
