//! Whether anybody, this agent, and this desk may trade at all.

use super::{Denial, Question};
use crate::desk::agent_table::AgentState;

pub(super) fn not_halted(question: &Question<'_>) -> Result<(), Denial> {
    match question.halted {
        Some(reason) => Err(Denial::Halted { reason: reason.to_owned() }),
        None => Ok(()),
    }
}

pub(super) fn agent<'a>(question: &Question<'a>) -> Result<&'a AgentState, Denial> {
    let agent = question.agent.ok_or(Denial::AgentNotLive)?;
    if let Some(reason) = &agent.halted {
        return Err(Denial::AgentHalted { reason: reason.clone() });
    }
    if agent.live { Ok(agent) } else { Err(Denial::AgentNotLive) }
}

pub(super) fn ready(question: &Question<'_>) -> Result<(), Denial> {
    match question.not_ready {
        Some(reason) => Err(Denial::NotReady { reason: reason.to_owned() }),
        None => Ok(()),
    }
}
