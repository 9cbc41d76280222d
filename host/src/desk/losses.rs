//! Losses that are too large halt whoever made them, until an operator lets it go on.

use std::time::Duration;

use super::agent_table::AgentSlot;
use super::io::Outputs;
use super::loss::{Equity, LossLimits};
use super::record::{EquityChanged, Halted, Record};
use super::state::Desk;
use crate::model::AgentId;
use crate::units::{Dollars, Timestamp};

/// How long after its start a run waits for the marks of what it holds: without them the profit of
/// the run before would look like a loss.
const MARKS_WITHIN: Duration = Duration::from_secs(60);

impl Desk {
    /// Looks at what everybody has made by now.
    pub(super) fn check_losses(&mut self, now: Timestamp, out: &mut Outputs) {
        let limits = &self.settings.limits;
        let each =
            LossLimits { day: limits.daily_loss_per_agent, drawdown: limits.drawdown_per_agent };
        let all = LossLimits { day: limits.daily_loss, drawdown: limits.drawdown };
        let is_young = now < self.started + MARKS_WITHIN;
        if is_young && self.ledger.agents.iter().any(|(slot, _)| !self.ledger.is_marked(slot)) {
            return;
        }
        let agents: Vec<(AgentSlot, Option<AgentId>)> =
            self.ledger.agents.iter().map(|(slot, agent)| (slot, agent.name.clone())).collect();
        let mut sum = Dollars::ZERO;
        for (slot, name) in agents {
            let made = self.ledger.made(slot);
            sum += made;
            let agent = self.ledger.agents.get_mut(slot);
            let is_halted = agent.halted.is_some();
            let lost = measure(&mut agent.equity, made, each, name.clone(), now, out);
            if let (Some(reason), false) = (lost, is_halted) {
                self.halt(name, Halted::all(reason), now, out);
            }
        }
        let lost = measure(&mut self.equity, sum, all, None, now, out);
        if let (Some(reason), None) = (lost, &self.halted) {
            self.halt(None, Halted::all(reason), now, out);
        }
    }

    /// An operator lets go on in spite of losses: they are measured from here.
    pub(super) fn forgive(&mut self, agent: Option<&AgentId>, now: Timestamp, out: &mut Outputs) {
        let made = |slot| self.ledger.made(slot);
        let (made, name) = match agent.and_then(|name| self.ledger.agents.find(name)) {
            Some(slot) => (made(slot), agent.cloned()),
            None => (self.ledger.agents.iter().map(|(slot, _)| made(slot)).sum(), None),
        };
        let equity = Equity::starting(made, now);
        match name.as_ref().and_then(|name| self.ledger.agents.find(name)) {
            Some(slot) => self.ledger.agents.get_mut(slot).equity = Some(equity),
            None => self.equity = Some(equity),
        }
        out.records.push(Record::Equity(EquityChanged { ts: now, agent: name, equity }));
    }
}

/// Takes in what was made; why that is too little, if it is.
fn measure(
    equity: &mut Option<Equity>,
    made: Dollars,
    limits: LossLimits,
    agent: Option<AgentId>,
    now: Timestamp,
    out: &mut Outputs,
) -> Option<String> {
    let is_news = match equity {
        Some(equity) => equity.update(made, now),
        None => {
            *equity = Some(Equity::starting(made, now));
            true
        }
    };
    let equity = (*equity)?;
    if is_news {
        out.records.push(Record::Equity(EquityChanged { ts: now, agent, equity }));
    }
    equity.check(made, limits).err().map(|too_much| too_much.to_string())
}
