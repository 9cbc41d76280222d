//! [`Desk`]: the state machine that everything that moves money goes through.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::agent_table::{AgentSlot, OrderIds};
use super::exposure::Working;
use super::fees::{self, Rounding};
use super::fills::Parked;
use super::inbox::{AgentLimits, Leave, OnTrouble};
use super::io::{ExchangeState, Input, Outputs};
use super::ledger::Ledger;
use super::loss::Equity;
use super::market_table::{MarketSlot, MarketView};
use super::order_groups::OrderGroups;
use super::orders::{ARRIVAL_MAX, Cancel, Order, OrderKey, Orders, Query};
use super::record::{
    AgentChanged, CommandGiven, Decision, Halt, Halted, Record, Recovered, RecoveredOrder, Started,
};
use super::settings::{Settings, Timing};
use super::sync::Sync;
use super::told::Told;
use crate::model::{AgentId, MarketStatus, OrderState};

/// How many fill ids are remembered. The exchange's fills are read again from a few minutes
/// before the last one, so those that are forgotten are never seen again.
const FILL_IDS_KEPT: usize = 500_000;

/// The desk. Pure and synchronous: what it does depends on its inputs alone, and what it wants
/// done comes out as [`Outputs`], so the same inputs always give the same decisions.
#[derive(Debug)]
pub struct Desk {
    pub(super) settings: Settings,
    /// The beginning of every client order id of this run.
    pub(super) nonce: String,
    /// The number of the next order in it.
    pub(super) next_name: u64,
    pub(super) ledger: Ledger,
    pub(super) orders: Orders,
    pub(super) fills: FillIds,
    pub(super) groups: OrderGroups,
    /// Fills of which it is not known yet whose they are.
    pub(super) parked: Vec<Parked>,
    pub(super) halted: Option<Halted>,
    /// Why the journal does not write, from the moment that it did not until an operator resumes.
    pub(super) journal_down: Option<String>,
    /// What the losses of all are measured from.
    pub(super) equity: Option<Equity>,
    pub(super) exchange: ExchangeState,
    pub(super) stopping: bool,
    pub(super) sync: Sync,
    pub(super) told: Told,
    pub(super) counts: Counts,
    pub(super) started: Timestamp,
    /// When what is over was dropped last.
    pub(super) retired: Timestamp,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) intents: u64,
    pub(super) denied: u64,
    /// Records of what agents asked for to no effect that were not written.
    pub(super) left_out: u64,
    pub(super) orders: u64,
    pub(super) fills: u64,
}

impl Desk {
    /// A desk that goes on from where earlier runs were. `nonce` begins every client order id of
    /// this run and must be unlike that of every other run: see
    /// [`run_nonce`](super::run_nonce).
    #[must_use]
    pub fn new(
        settings: Settings,
        nonce: String,
        recovered: Recovered,
        now: Timestamp,
        out: &mut Outputs,
    ) -> Self {
        out.records.push(Record::Started(Started { ts: now, nonce: nonce.clone() }));
        let sync = Sync::new(&recovered, now);
        let mut desk = Self {
            settings,
            nonce,
            next_name: 1,
            ledger: Ledger::new(),
            orders: Orders::default(),
            fills: FillIds::default(),
            groups: OrderGroups::default(),
            parked: Vec::new(),
            halted: recovered.halted,
            journal_down: None,
            equity: recovered.equity,
            exchange: ExchangeState::default(),
            stopping: false,
            sync,
            told: Told::default(),
            counts: Counts::default(),
            started: now,
            retired: now,
        };
        for fill_id in recovered.fill_ids {
            desk.fills.insert(fill_id);
        }
        for held in recovered.holdings {
            let agent = desk.ledger.agents.slot_of(held.agent.as_ref());
            let market = desk.ledger.markets.slot(&held.ticker);
            desk.ledger.restore(agent, market, held.holding);
        }
        for (name, ids) in &recovered.order_ids {
            let slot = desk.ledger.agents.slot(name);
            desk.ledger.agents.get_mut(slot).order_ids = OrderIds::restore(ids);
        }
        for (name, halted) in recovered.halted_agents {
            let slot = desk.ledger.agents.slot(&name);
            desk.ledger.agents.get_mut(slot).halted = Some(halted);
        }
        for ((name, shard), group) in recovered.groups {
            let slot = desk.ledger.agents.slot(&name);
            desk.groups.restore(slot, shard, group);
        }
        for (name, equity) in recovered.equities {
            let slot = desk.ledger.agents.slot(&name);
            desk.ledger.agents.get_mut(slot).equity = Some(equity);
        }
        for order in recovered.orders {
            desk.take_over(order, now);
        }
        // A halt holds over a restart, and so does what it means for working orders.
        desk.cancel_halted(now, out);
        desk
    }

    /// Takes in one input; what follows from it is added to `out`.
    pub fn apply(&mut self, input: Input, now: Timestamp, out: &mut Outputs) {
        match input {
            Input::Market(view) => self.see(view, now, out),
            Input::Actions { agent, actions } => self.act(&agent, &actions, now, out),
            Input::AgentUp { agent, limits } => self.agent_up(agent, limits, now, out),
            Input::AgentDown { agent, reason } => self.agent_down(agent, reason, now, out),
            Input::Placed { order, outcome } => self.placed(order, outcome, now, out),
            Input::Canceled { order, outcome } => self.canceled(order, outcome, now, out),
            Input::Grouped { agent, exchange_index, result } => {
                self.grouped(&agent, exchange_index, result, now, out);
            }
            Input::GroupStopped { id } => self.group_stopped(&id, now, out),
            Input::Found { order, asked_at, result } => {
                self.found(order, asked_at, result, now, out);
            }
            Input::Recalled { heard, result } => self.recalled(heard, result, now, out),
            Input::Account(result) => self.account_read(result, now, out),
            Input::Order(order) => self.report_order(&order, now, out),
            Input::Fill(fill) => self.book(fill, now, out),
            Input::Position(position) => self.position_told(position, now),
            Input::Connected => self.connected(now, out),
            Input::Disconnected { reason } => self.disconnected(reason, now, out),
            Input::Bus { down } => self.bus_changed(down, now, out),
            Input::Halt { agent, halted } => self.halt(agent, halted, now, out),
            Input::Exchange(state) => self.exchange = state,
            Input::Resume { agent } => self.resume(agent, now, out),
            Input::Shutdown => self.shutdown(now, out),
            Input::JournalFailed { reason } => self.journal_failed(&reason, now, out),
            Input::ClockSet { by_ms } => self.clock_set(by_ms, now, out),
            Input::Tick => self.tick(now, out),
        }
    }

    /// The tickers of the markets in which there is a position or an order.
    #[must_use]
    pub fn interests(&self) -> BTreeSet<Arc<str>> {
        let held = self
            .ledger
            .stakes()
            .filter(|(_, _, stake)| !stake.holding.quantity.is_zero())
            .map(|(_, market, _)| Arc::clone(&self.ledger.markets.get(market).ticker));
        let worked = self.orders.open().map(|(_, order)| Arc::clone(&order.ticker));
        held.chain(worked).collect()
    }

    /// Whether no order of this host can trade any more, those that are to work on over a shutdown
    /// apart, and every fill is booked that the exchange has told of.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let ours = |order: &Order| {
            let kept = order.is_external() || self.on(order.agent).shutdown == Leave::Keep;
            !kept || order.cancel != Cancel::Idle
        };
        self.parked.is_empty() && !self.orders.open().any(|(_, order)| ours(order))
    }

    /// Why an order that waited for its turn may not leave any more, if it may not: what was true
    /// when it was approved may have changed. (A halt and the end of its agent cancel it.)
    #[must_use]
    pub fn may_not_leave(&self, order: OrderKey, now: Timestamp) -> Option<String> {
        let order = self.orders.get(order)?;
        if order.cancel != Cancel::Idle {
            return Some("canceled before it was sent".to_owned());
        }
        if self.stopping {
            return Some("shutting down".to_owned());
        }
        if !self.ledger.agents.get(order.agent).live {
            return Some("its agent does not run any more".to_owned());
        }
        if let Some(reason) = self.sync.not_ready() {
            return Some(format!("not ready any more: {reason}"));
        }
        let view = self.ledger.markets.get(order.market).view.as_ref();
        let longest = Duration::from_millis(self.settings.limits.book_age_ms_max);
        let trades = |view: &MarketView| view.market.status == MarketStatus::Active;
        if !view.is_some_and(trades) {
            return Some("its market does not trade any more".to_owned());
        }
        let is_good = view.is_some_and(|view| view.synced && now.since(view.as_of) <= longest);
        (!is_good).then(|| "its market's book is not true any more".to_owned())
    }

    /// When it does what.
    #[must_use]
    pub fn timing(&self) -> &Timing {
        &self.settings.timing
    }

    /// The agent's name for records and notices; none: outside this host.
    pub(super) fn agent_name(&self, agent: AgentSlot) -> Option<AgentId> {
        self.ledger.agents.name(agent).cloned()
    }

    /// Makes the ledger and the indexes count what an order is now. To be called after every
    /// change of an order.
    pub(super) fn recount(&mut self, key: OrderKey) {
        let Some(order) = self.orders.get_mut(key) else { return };
        let market = self.ledger.markets.get_mut(order.market);
        let open = order.open();
        let mut after = Working::default();
        if open.is_positive() || !order.state.is_final() {
            let fees = fees::worst(market.fees(), order.price, open);
            after = Working::of(order.side, order.price, open, fees);
        }
        after.orders = u32::from(!order.state.is_final());
        if order.listed && order.state.is_final() {
            market.remove_level(order.side, order.price);
            order.listed = false;
        } else if !order.listed && !order.state.is_final() {
            market.add_level(order.side, order.price);
            order.listed = true;
        }
        let before = std::mem::replace(&mut order.committed, after);
        if before != after {
            self.ledger.commit(order.agent, order.market, &before, &after);
        }
        self.orders.refile(key);
    }

    /// The fees of a market changed, or were not known before.
    fn recount_market(&mut self, market: MarketSlot) {
        let of_it = self.orders.open().filter(|(_, order)| order.market == market);
        let keys: Vec<OrderKey> = of_it.map(|(key, _)| key).collect();
        for key in keys {
            self.recount(key);
        }
    }

    /// An order of which the journal alone knows. Whether its request went out, and whether it
    /// truly ended, is known to nobody here.
    pub(super) fn take_over(
        &mut self,
        recovered: RecoveredOrder,
        now: Timestamp,
    ) -> Option<OrderKey> {
        let RecoveredOrder { intent, venue_order_id, state, filled, booked } = recovered;
        let (Decision::Approved { client_order_id, exchange_index }, Some(ticker)) =
            (intent.decision, intent.ticker)
        else {
            return None;
        };
        let state = match state {
            OrderState::Sent => OrderState::Unknown,
            OrderState::Denied
            | OrderState::Resting
            | OrderState::PartlyFilled
            | OrderState::Filled
            | OrderState::Canceled
            | OrderState::Expired
            | OrderState::Rejected
            | OrderState::Unknown => state,
        };
        let agent = self.ledger.agents.slot(&intent.agent);
        let of_agent = self.ledger.agents.get_mut(agent);
        if !of_agent.live && of_agent.since == Timestamp::default() {
            of_agent.since = now;
        }
        of_agent.order_ids.insert(intent.order);
        let market = self.ledger.markets.slot(&ticker);
        self.ledger.put_on_by_order(market, exchange_index);
        let unknown = state == OrderState::Unknown;
        let first_query = now + self.settings.timing.first_query();
        let order = Order {
            agent,
            market,
            ticker,
            order: Some(intent.order),
            client_order_id: Some(client_order_id),
            venue_order_id,
            exchange_index,
            side: intent.side,
            price: intent.price,
            quantity: intent.quantity,
            state,
            filled: filled.max(booked),
            booked,
            group: None,
            rounding: Rounding::default(),
            created: intent.ts,
            // The request may have left just before the last run ended.
            heard: now,
            arrived_by: now + ARRIVAL_MAX,
            cancel: Cancel::Idle,
            query: if unknown { Query::Due { at: first_query, attempt: 0 } } else { Query::Idle },
            recovered: unknown,
            presumed: state.is_final(),
            committed: Working::default(),
            listed: false,
        };
        let key = self.orders.insert(order);
        self.recount(key);
        Some(key)
    }

    fn cancel_halted(&mut self, now: Timestamp, out: &mut Outputs) {
        if self.halted.is_some() {
            self.cancel_where(|_| true, now, out);
        }
        let halted = self.ledger.agents.iter().filter(|(_, agent)| agent.halted.is_some());
        let halted: BTreeSet<AgentSlot> = halted.map(|(slot, _)| slot).collect();
        self.cancel_where(|order| halted.contains(&order.agent), now, out);
    }

    fn see(&mut self, view: MarketView, now: Timestamp, out: &mut Outputs) {
        let markets = &self.ledger.markets;
        let before = markets.by_id(view.id).map(|slot| markets.get(slot).fees());
        let fees = view.market.fees;
        let slot = self.ledger.see(view, now);
        if before != Some(fees) {
            self.recount_market(slot);
        }
        if let Some(price) = self.ledger.markets.get(slot).paid() {
            self.settle(slot, price, now, out);
        }
    }

    fn agent_up(&mut self, name: AgentId, limits: AgentLimits, now: Timestamp, out: &mut Outputs) {
        let slot = self.ledger.agents.slot(&name);
        let agent = self.ledger.agents.get_mut(slot);
        agent.live = true;
        agent.since = now;
        agent.limits = limits;
        out.records.push(Record::Agent(AgentChanged { ts: now, agent: name, down: None }));
    }

    fn agent_down(&mut self, name: AgentId, reason: String, now: Timestamp, out: &mut Outputs) {
        let slot = self.ledger.agents.slot(&name);
        let agent = self.ledger.agents.get_mut(slot);
        agent.live = false;
        agent.since = now;
        let down = Some(reason);
        out.records.push(Record::Agent(AgentChanged { ts: now, agent: name, down }));
        if self.on(slot).stop == Leave::Cancel {
            self.cancel_where(|order| order.agent == slot, now, out);
        }
    }

    /// Those of whose orders this is to become.
    pub(super) fn agents_that(&self, is: impl Fn(&OnTrouble) -> bool) -> BTreeSet<AgentSlot> {
        let agents = self.ledger.agents.iter().filter(|(_, agent)| is(&agent.limits.on));
        agents.map(|(slot, _)| slot).collect()
    }

    /// What becomes of an agent's orders when nobody looks after them.
    pub(super) fn on(&self, agent: AgentSlot) -> OnTrouble {
        self.ledger.agents.get(agent).limits.on
    }

    pub(super) fn halt(
        &mut self,
        agent: Option<AgentId>,
        halted: Halted,
        now: Timestamp,
        out: &mut Outputs,
    ) {
        let halted = Some(halted);
        let kept = halted.clone();
        match &agent {
            None => {
                self.halted = kept;
                self.cancel_where(|_| true, now, out);
            }
            Some(name) => {
                let slot = self.ledger.agents.slot(name);
                self.ledger.agents.get_mut(slot).halted = kept;
                self.cancel_where(|order| order.agent == slot, now, out);
            }
        }
        // First, so that a halt is on disk even where a cancel's record is what fails.
        out.records.insert(0, Record::Halt(Halt { ts: now, agent, halted }));
    }

    fn resume(&mut self, agent: Option<AgentId>, now: Timestamp, out: &mut Outputs) {
        if agent.is_none() && self.journal_down.take().is_some() {
            // What else stopped orders holds on: it was not this that it was stopped for.
            let command = "resume after the journal failed".to_owned();
            out.records.push(Record::Command(CommandGiven { ts: now, agent, command }));
            return;
        }
        let lifted = match &agent {
            None => {
                self.sync.accept_drift(now);
                self.halted.take()
            }
            Some(name) => {
                let slot = self.ledger.agents.slot(name);
                let agent = self.ledger.agents.get_mut(slot);
                agent.recent.refused = 0;
                let lifted = agent.halted.take();
                self.leave_groups(slot, now, out);
                lifted
            }
        };
        self.forgive(agent.as_ref(), lifted.as_ref(), now, out);
        out.records.push(Record::Halt(Halt { ts: now, agent, halted: None }));
    }

    fn shutdown(&mut self, now: Timestamp, out: &mut Outputs) {
        self.stopping = true;
        let command = "shutdown".to_owned();
        out.records.push(Record::Command(CommandGiven { ts: now, agent: None, command }));
        let left = self.agents_that(|on| on.shutdown == Leave::Cancel);
        self.cancel_where(|order| left.contains(&order.agent), now, out);
    }

    /// Not written down as a halt, for want of a journal: a restart with a journal that works
    /// starts without it.
    fn journal_failed(&mut self, reason: &str, now: Timestamp, out: &mut Outputs) {
        self.journal_down = Some(format!("journal: {reason}"));
        self.cancel_where(|_| true, now, out);
    }
}

/// The ids of the fills that were booked, so that none is booked twice.
#[derive(Debug, Default)]
pub(super) struct FillIds {
    known: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl FillIds {
    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    pub(super) fn insert(&mut self, id: Arc<str>) {
        if self.known.insert(Arc::clone(&id)) {
            self.order.push_back(id);
        }
        if self.order.len() > FILL_IDS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// What may have been filled of an order that the exchange canceled after `reduced_by` was left.
pub(super) fn filled_of(quantity: Quantity, left: Quantity) -> Quantity {
    Quantity::from_raw((quantity - left).raw().max(0))
}
