//! Losses that are too large halt whoever made them, until an operator lets it go on.

use super::agent_table::AgentSlot;
use super::io::Outputs;
use super::loss::{Equity, LOSS_LIMIT, LossLimits};
use super::record::{EquityChanged, Halted, Record};
use super::state::Desk;
use crate::model::AgentId;
use crate::units::{Dollars, Timestamp};

impl Desk {
    /// Looks at what everybody has made by now. Who holds something that was never marked in this run
    /// waits for its mark: without it the profit of the run before would look like a loss.
    pub(super) fn check_losses(&mut self, now: Timestamp, out: &mut Outputs) {
        let limits = &self.settings.limits;
        let each =
            LossLimits { day: limits.daily_loss_per_agent, drawdown: limits.drawdown_per_agent };
        let all = LossLimits { day: limits.daily_loss, drawdown: limits.drawdown };
        let agents: Vec<(AgentSlot, Option<AgentId>)> =
            self.ledger.agents.iter().map(|(slot, agent)| (slot, agent.name.clone())).collect();
        let (mut sum, mut are_all_marked) = (Dollars::ZERO, true);
        for (slot, name) in agents {
            if !self.ledger.is_marked(slot) {
                are_all_marked = false;
                continue;
            }
            let made = self.ledger.made(slot);
            sum += made;
            let agent = self.ledger.agents.get_mut(slot);
            let is_halted = agent.halted.is_some();
            let lost = measure(&mut agent.equity, made, each, name.clone(), now, out);
            if let (Some(reason), false) = (lost, is_halted) {
                self.halt(name, Halted::all(reason), now, out);
            }
        }
        if !are_all_marked {
            return;
        }
        let lost = measure(&mut self.equity, sum, all, None, now, out);
        if let (Some(reason), None) = (lost, &self.halted) {
            self.halt(None, Halted::all(reason), now, out);
        }
    }

    /// An operator lets go on who was halted for losses: they are measured from here. Whatever else is
    /// lifted forgives nothing.
    pub(super) fn forgive(
        &mut self,
        agent: Option<&AgentId>,
        lifted: Option<&Halted>,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        if !lifted.is_some_and(|halted| halted.reason.starts_with(LOSS_LIMIT)) {
            return;
        }
        let slot = agent.and_then(|name| self.ledger.agents.find(name));
        let made = match slot {
            Some(slot) => self.ledger.made(slot),
            None => self.ledger.agents.iter().map(|(slot, _)| self.ledger.made(slot)).sum(),
        };
        let equity = Equity::starting(made, now);
        match slot {
            Some(slot) => self.ledger.agents.get_mut(slot).equity = Some(equity),
            None => self.equity = Some(equity),
        }
        out.records.push(Record::Equity(EquityChanged { ts: now, agent: agent.cloned(), equity }));
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
