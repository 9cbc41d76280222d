//! What the desk tells: an agent its [`Account`], people the [`Report`].

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::Dollars;

use super::agent_table::{AgentSlot, EXTERNAL, Retired};
use super::report::{OrderLine, PositionLine, ProfitLine, Report, ShardLine};
use super::risk::tighter;
use super::state::Desk;
use crate::model::{Account, AgentId, Durations, OpenOrder, OrderState, Position};

impl Desk {
    /// An agent's account as of now; of an agent that the desk does not know, an empty one.
    #[must_use]
    pub fn account(&self, agent: &AgentId) -> Account {
        let Some(slot) = self.ledger.agents.find(agent) else { return Account::default() };
        let mut positions: Vec<Position> = self
            .ledger
            .stakes_of(slot)
            .filter_map(|(market, stake)| {
                let market = self.ledger.markets.get(market).id()?;
                let holding = &stake.holding;
                Some(Position {
                    market,
                    quantity: holding.quantity,
                    average_price: holding.average_price(),
                    realized: holding.realized,
                    fees: holding.fees,
                })
            })
            .collect();
        positions.sort_unstable_by_key(|position| position.market);
        let open_orders = self
            .orders
            // One that is over counts until its fills are booked: the position lacks them.
            .open_of(slot)
            .filter_map(|order| {
                Some(OpenOrder {
                    order: order.order?,
                    market: self.ledger.markets.get(order.market).id()?,
                    side: order.side,
                    price: order.price,
                    remaining: order.remaining(),
                    state: order.state,
                })
            })
            .collect();
        let state = self.ledger.agents.get(slot);
        let limits = &self.settings.limits;
        let own = tighter(state.limits.exposure, limits.exposure_per_agent);
        let budget = own
            .saturating_sub(state.exposure)
            .min(limits.exposure.saturating_sub(self.ledger.exposure()))
            .max(Dollars::ZERO);
        Account { positions, open_orders, budget }
    }

    /// What the desk knows, for people.
    #[must_use]
    pub fn report(&self) -> Report {
        let positions: Vec<PositionLine> = self
            .ledger
            .stakes()
            .filter(|(_, _, stake)| stake.holding != super::record::Holding::default())
            .map(|(agent, market, stake)| {
                let market = self.ledger.markets.get(market);
                let (holding, mark) = (&stake.holding, market.mark());
                let unrealized = if holding.quantity.is_zero() {
                    Some(Dollars::ZERO)
                } else {
                    mark.map(|mark| holding.unrealized(mark))
                };
                PositionLine {
                    agent: self.agent_name(agent),
                    ticker: Arc::clone(&market.ticker),
                    quantity: holding.quantity,
                    average_price: holding.average_price(),
                    mark,
                    realized: holding.realized,
                    unrealized,
                    fees: holding.fees,
                }
            })
            .collect();
        let open = || self.orders.open().map(|(_, order)| order);
        let working = open()
            .filter(|order| !order.state.is_final())
            .map(|order| OrderLine {
                agent: self.agent_name(order.agent),
                client_order_id: order.client_order_id.clone(),
                ticker: Arc::clone(&order.ticker),
                side: order.side,
                price: order.price,
                quantity: order.quantity,
                filled: order.filled,
                state: order.state,
                created: order.created,
            })
            .collect();
        let retired = self.ledger.agents.retired();
        let unknown = open().filter(|order| order.state == OrderState::Unknown).count();
        Report {
            halted: if self.stopping {
                Some("shutting down".to_owned())
            } else {
                let halted = self.halted.as_ref().map(|halted| halted.reason.clone());
                self.journal_down.clone().or(halted)
            },
            halted_agents: self
                .ledger
                .agents
                .iter()
                .filter(|(_, agent)| agent.halted.is_some())
                .filter_map(|(_, agent)| agent.name.clone())
                .collect(),
            not_ready: self.sync.not_ready().map(str::to_owned),
            compared: self.sync.compared(),
            compare_error: self.sync.error().map(str::to_owned),
            intents: self.counts.intents,
            denied: self.counts.denied,
            left_out: self.counts.left_out,
            orders: self.counts.orders,
            // Time passes in the loop around the desk, and is known there.
            tick_to_order: Durations::EMPTY,
            fills: self.counts.fills,
            unknown: u64::try_from(unknown).unwrap_or(u64::MAX),
            cash: self.ledger.cash(),
            shards: self
                .ledger
                .shards()
                .map(|(shard, of)| ShardLine { shard, cash: of.cash, free: of.free() })
                .collect(),
            realized: retired.realized + positions.iter().map(|line| line.realized).sum(),
            unrealized: total(positions.iter().map(|line| line.unrealized)),
            fees: retired.fees + positions.iter().map(|line| line.fees).sum(),
            profits: self.profits(&positions),
            exposure: self.ledger.exposure(),
            positions,
            working,
        }
    }
}

impl Desk {
    /// What each has made, by the positions and by what was retired.
    fn profits(&self, positions: &[PositionLine]) -> Vec<ProfitLine> {
        let mut of_agent: BTreeMap<Option<&AgentId>, (Dollars, Option<Dollars>, Dollars)> =
            BTreeMap::new();
        for line in positions {
            let sum = of_agent.entry(line.agent.as_ref()).or_insert((
                Dollars::ZERO,
                Some(Dollars::ZERO),
                Dollars::ZERO,
            ));
            sum.0 += line.realized;
            sum.1 = sum.1.zip(line.unrealized).map(|(sum, more)| sum + more);
            sum.2 += line.fees;
        }
        let of = |slot: AgentSlot| {
            let agent = self.agent_name(slot);
            let Retired { realized, fees } = self.ledger.agents.get(slot).retired;
            let nothing = (Dollars::ZERO, Some(Dollars::ZERO), Dollars::ZERO);
            let open = of_agent.get(&agent.as_ref()).copied().unwrap_or(nothing);
            ProfitLine {
                agent,
                realized: realized + open.0,
                unrealized: open.1,
                fees: fees + open.2,
            }
        };
        let nothing = |line: &ProfitLine| {
            line.net() == Some(Dollars::ZERO) && line.fees.is_zero() && line.realized.is_zero()
        };
        let agents = self.ledger.agents.iter().map(|(slot, _)| of(slot));
        let outside = Some(of(EXTERNAL)).filter(|line| !nothing(line));
        agents.chain(outside).collect()
    }
}

/// The sum, or none if a part is not known.
fn total(mut parts: impl Iterator<Item = Option<Dollars>>) -> Option<Dollars> {
    parts.try_fold(Dollars::ZERO, |sum, part| part.map(|part| sum + part))
}
