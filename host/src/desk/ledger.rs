//! [`Ledger`]: who holds what, what orders may still do to it, and the cash.
//!
//! Sums are kept as things change, so that a risk decision adds nothing up. Two identities hold
//! after every call, and the tests recompute both from nothing:
//!
//! - **Cash is conserved**: cash + Σ cost of holdings + Σ collateral of the account's net
//!   positions − Σ realized + Σ fees is what it was at the beginning. (The exchange nets the
//!   agents' positions in a market, so collateral is kept for the net position alone.)
//! - **Exposure is never under-counted**: the total is the sum over agents and markets of the
//!   worst case of holding and orders.
//!
//! Cash lies on the exchange's shards, and an order is paid from that of its market alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::agent_table::{AgentSlot, AgentTable};
use super::exposure::{Ends, Working, worst_case};
use super::groups::{GroupRisk, Groups};
use super::holding::{collateral, signed};
use super::market_table::{MarketSlot, MarketState, MarketTable, MarketView};
use super::record::Holding;

/// One agent in one market.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stake {
    pub(super) holding: Holding,
    pub(super) working: Working,
    /// The worst case of both.
    exposure: Dollars,
}

/// How long a market that has paid out, or that nobody knows any more, stays after the last thing
/// that happened in it. What is late comes within minutes.
const RETIRE_AFTER: Duration = Duration::from_secs(60 * 60);

/// The cash of one shard.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShardCash {
    /// What the exchange said last, moved by what happened since.
    pub(super) cash: Dollars,
    /// What the working orders of its markets may take.
    reserved: Dollars,
    /// The most that this was since [`Ledger::watch_reserved`].
    pub(super) most_reserved: Dollars,
}

impl ShardCash {
    /// What no working order may take.
    pub(super) fn free(&self) -> Dollars {
        self.cash - self.reserved
    }

    fn reserve(&mut self, before: Dollars, after: Dollars) {
        self.reserved = self.reserved - before + after;
        self.most_reserved = self.most_reserved.max(self.reserved);
    }
}

/// Holdings, commitments and cash.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) markets: MarketTable,
    pub(super) agents: AgentTable,
    stakes: BTreeMap<(AgentSlot, MarketSlot), Stake>,
    shards: BTreeMap<i32, ShardCash>,
    groups: Groups,
    exposure: Dollars,
    open_orders: u32,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            markets: MarketTable::default(),
            agents: AgentTable::new(),
            stakes: BTreeMap::new(),
            shards: BTreeMap::new(),
            groups: Groups::default(),
            exposure: Dollars::ZERO,
            open_orders: 0,
        }
    }

    /// The cash of all shards.
    pub(super) fn cash(&self) -> Dollars {
        self.shards.values().map(|shard| shard.cash).sum()
    }

    /// Every shard on which there is cash or an order.
    pub(super) fn shards(&self) -> impl Iterator<Item = (i32, &ShardCash)> {
        self.shards.iter().map(|(shard, cash)| (*shard, cash))
    }

    /// The cash of one shard; of one that was never heard of, none.
    pub(super) fn shard(&self, shard: i32) -> ShardCash {
        self.shards.get(&shard).copied().unwrap_or_default()
    }

    /// Takes the exchange's word for the cash of a shard.
    pub(super) fn set_cash(&mut self, shard: i32, cash: Dollars) {
        self.shards.entry(shard).or_default().cash = cash;
    }

    /// From now on [`ShardCash::most_reserved`] is watched anew.
    pub(super) fn watch_reserved(&mut self) {
        for shard in self.shards.values_mut() {
            shard.most_reserved = shard.reserved;
        }
    }

    /// What can be lost in the market's event and series, and what could be with this order.
    pub(super) fn group_risk(&self, market: MarketSlot, order: Ends) -> [GroupRisk; 2] {
        [self.groups.risk(market), self.groups.risk_with(market, order)]
    }

    /// Whether every open position of an agent was marked once in this run.
    pub(super) fn is_marked(&self, agent: AgentSlot) -> bool {
        let is_marked = |(market, stake): (MarketSlot, &Stake)| {
            stake.holding.quantity.is_zero() || self.markets.get(market).last_mark.is_some()
        };
        self.stakes_of(agent).all(is_marked)
    }

    /// What an agent has made, less fees, at the last marks there were; at cost where there was none.
    pub(super) fn made(&self, agent: AgentSlot) -> Dollars {
        let retired = self.agents.get(agent).retired;
        let of_stake = |(market, stake): (MarketSlot, &Stake)| {
            let Holding { quantity, cost, realized, fees } = stake.holding;
            let mark = self.markets.get(market).last_mark;
            let open = mark.map_or(Dollars::ZERO, |mark| mark * quantity - cost);
            realized - fees + open
        };
        self.stakes_of(agent).map(of_stake).sum::<Dollars>() + retired.realized - retired.fees
    }

    /// Takes in a view of a market.
    pub(super) fn see(&mut self, view: MarketView, now: Timestamp) -> MarketSlot {
        let shard = view.market.exchange_index;
        let market = Arc::clone(&view.market);
        let slot = self.markets.see(view, now);
        self.put_on(slot, shard);
        self.groups.see(slot, &market, self.markets.get(slot).ends);
        slot
    }

    /// Learns the shard of a market from an order in it, where no view tells.
    pub(super) fn put_on_by_order(&mut self, slot: MarketSlot, shard: i32) {
        if self.markets.get(slot).view.is_none() {
            self.put_on(slot, shard);
        }
    }

    /// What orders of the market take is taken from this shard. What moved before that was known
    /// is found by the next comparison.
    fn put_on(&mut self, slot: MarketSlot, shard: i32) {
        let market = self.markets.get_mut(slot);
        let before = std::mem::replace(&mut market.shard, shard);
        if before == shard {
            return;
        }
        let reserved = market.working.reserved();
        self.shards.entry(before).or_default().reserve(reserved, Dollars::ZERO);
        self.shards.entry(shard).or_default().reserve(Dollars::ZERO, reserved);
    }

    /// What everybody together can lose.
    pub(super) fn exposure(&self) -> Dollars {
        self.exposure
    }

    /// Orders that may still trade.
    pub(super) fn open_orders(&self) -> u32 {
        self.open_orders
    }

    pub(super) fn stake(&self, agent: AgentSlot, market: MarketSlot) -> Stake {
        self.stakes.get(&(agent, market)).copied().unwrap_or_default()
    }

    /// Every stake, by agent and market.
    pub(super) fn stakes(&self) -> impl Iterator<Item = (AgentSlot, MarketSlot, &Stake)> {
        self.stakes.iter().map(|((agent, market), stake)| (*agent, *market, stake))
    }

    /// The stakes of one agent.
    pub(super) fn stakes_of(&self, agent: AgentSlot) -> impl Iterator<Item = (MarketSlot, &Stake)> {
        let all = (agent, MarketSlot::FIRST)..=(agent, MarketSlot::LAST);
        self.stakes.range(all).map(|((_, market), stake)| (*market, stake))
    }

    /// An order may now trade `after` instead of `before`.
    pub(super) fn commit(
        &mut self,
        agent: AgentSlot,
        market: MarketSlot,
        before: &Working,
        after: &Working,
    ) {
        let of_market = &mut self.markets.get_mut(market).working;
        of_market.remove(before);
        of_market.add(after);
        let shard = self.shards.entry(self.markets.get(market).shard).or_default();
        shard.reserve(before.reserved(), after.reserved());
        let of_agent = self.agents.get_mut(agent);
        of_agent.open_orders = of_agent.open_orders.saturating_sub(before.orders) + after.orders;
        self.open_orders = self.open_orders.saturating_sub(before.orders) + after.orders;
        self.change(agent, market, |stake| {
            stake.working.remove(before);
            stake.working.add(after);
        });
    }

    /// Books a fill; returns what the agent holds after it.
    pub(super) fn trade(&mut self, agent: AgentSlot, market: MarketSlot, trade: Trade) -> Holding {
        let Trade { side, price, quantity, fee, now } = trade;
        let change = signed(side, quantity);
        let of_market = self.markets.get_mut(market);
        let kept = collateral(of_market.held);
        of_market.held += change;
        of_market.traded = now;
        of_market.touched = now;
        let keeps = collateral(of_market.held);
        let cash = &mut self.shards.entry(of_market.shard).or_default().cash;
        *cash = *cash - price * change - (keeps - kept) - fee;
        self.change(agent, market, |stake| stake.holding.trade(side, price, quantity, fee))
    }

    /// A market paid out: closes every holding in it. Returns who held what after it.
    pub(super) fn settle(&mut self, market: MarketSlot, price: Price) -> Vec<(AgentSlot, Holding)> {
        let stakes = &self.stakes;
        let of_market = self.markets.get_mut(market);
        let holds = |agent: &AgentSlot| {
            stakes.get(&(*agent, market)).is_some_and(|stake| !stake.holding.quantity.is_zero())
        };
        let holders: Vec<AgentSlot> =
            of_market.holders.iter().copied().filter(|agent| holds(agent)).collect();
        if holders.is_empty() {
            return Vec::new();
        }
        let paid = price * of_market.held + collateral(of_market.held);
        of_market.held = Quantity::ZERO;
        self.shards.entry(of_market.shard).or_default().cash += paid;
        holders
            .into_iter()
            .map(|agent| (agent, self.change(agent, market, |stake| stake.holding.settle(price))))
            .collect()
    }

    /// Puts a holding in place that was made before this run, or outside this host: the cash of
    /// it has moved already.
    pub(super) fn restore(&mut self, agent: AgentSlot, market: MarketSlot, holding: Holding) {
        let before = self.stake(agent, market).holding.quantity;
        let of_market = self.markets.get_mut(market);
        of_market.held = of_market.held - before + holding.quantity;
        self.change(agent, market, |stake| stake.holding = holding);
    }

    /// Drops what is over: stakes in markets that have paid out, or of which nobody knows anything,
    /// once nothing happened in them for an hour since `started`; then such markets, unless they
    /// are `named` elsewhere. What was made there stays in the sums.
    pub(super) fn retire(
        &mut self,
        named: &BTreeSet<MarketSlot>,
        started: Timestamp,
        now: Timestamp,
    ) {
        let is_over = |market: &MarketState| {
            market.held.is_zero()
                && market.working == Working::default()
                && market.touched.max(started) + RETIRE_AFTER <= now
        };
        let over: Vec<MarketSlot> = self
            .markets
            .iter()
            .filter(|(_, market)| is_over(market))
            .map(|(slot, _)| slot)
            .collect();
        for slot in over {
            let market = self.markets.get(slot);
            if market.view.is_none() || market.paid().is_some() {
                self.retire_stakes(slot);
            }
            if self.markets.get(slot).holders.is_empty() && !named.contains(&slot) {
                self.groups.remove(slot);
                self.markets.remove(slot);
            }
        }
    }

    fn retire_stakes(&mut self, market: MarketSlot) {
        let (stakes, agents) = (&mut self.stakes, &mut self.agents);
        self.markets.get_mut(market).holders.retain(|agent| {
            let key = (*agent, market);
            // Two agents may hold what cancels out.
            let flat = |stake: &&Stake| stake.holding.quantity.is_zero();
            let Some(stake) = stakes.get(&key).filter(flat) else { return true };
            let retired = &mut agents.get_mut(*agent).retired;
            retired.realized += stake.holding.realized;
            retired.fees += stake.holding.fees;
            stakes.remove(&key);
            false
        });
    }

    fn change(
        &mut self,
        agent: AgentSlot,
        market: MarketSlot,
        change: impl FnOnce(&mut Stake),
    ) -> Holding {
        let stake = self.stakes.entry((agent, market)).or_insert_with(|| {
            self.markets.get_mut(market).holders.push(agent);
            Stake::default()
        });
        let ends = |it: &Stake| Ends::of(&it.holding, &it.working).with_fees(it.working.fees);
        let (before, before_ends) = (stake.exposure, ends(stake));
        change(stake);
        stake.exposure = worst_case(&stake.holding, &stake.working);
        let by = stake.exposure - before;
        self.exposure += by;
        self.agents.get_mut(agent).exposure += by;
        let (holding, after_ends) = (stake.holding, ends(stake));
        let of_market = self.markets.get_mut(market);
        of_market.ends = of_market.ends.without(before_ends).and(after_ends);
        self.groups.set(market, of_market.ends);
        holding
    }
}

/// What is booked of a fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trade {
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
    pub(super) fee: Dollars,
    pub(super) now: Timestamp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::desk::agent_table::EXTERNAL;

    fn price(raw: u32) -> Price {
        Price::from_raw(raw)
    }

    /// The left side of the identity in the module's documentation.
    fn conserved(ledger: &Ledger) -> Dollars {
        let kept: Dollars = ledger.markets.iter().map(|(_, market)| collateral(market.held)).sum();
        let held: Dollars = ledger
            .stakes()
            .map(|(_, _, stake)| stake.holding.cost - stake.holding.realized + stake.holding.fees)
            .sum();
        ledger.cash() + held + kept
    }

    #[test]
    fn agents_on_both_sides_tie_up_no_collateral() {
        let mut ledger = Ledger::new();
        ledger.set_cash(0, Dollars::from_dollars(10));
        let market = ledger.markets.slot(&Arc::from("KX-1"));
        let (long, short) =
            (ledger.agents.slot(&"long".into()), ledger.agents.slot(&"short".into()));
        let trade = |side| Trade {
            side,
            price: price(4_000),
            quantity: Quantity::from_contracts(5),
            fee: Dollars::ZERO,
            now: Timestamp::EPOCH,
        };
        ledger.trade(long, market, trade(Side::Bid));
        assert_eq!(ledger.cash(), Dollars::from_dollars(8));
        ledger.trade(short, market, trade(Side::Ask));
        assert_eq!(ledger.cash(), Dollars::from_dollars(10));
        assert_eq!(ledger.exposure(), Dollars::from_dollars(5));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Trade { agent: u8, market: u8, is_bid: bool, price: u32, quantity: i64, fee: i64 },
        Settle { market: u8, price: u32 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            9 => (0_u8..3, 0_u8..3, any::<bool>(), 1_u32..10_000, 1_i64..50_000, 0_i64..10_000)
                .prop_map(|(agent, market, is_bid, price, quantity, fee)| Step::Trade {
                    agent, market, is_bid, price, quantity, fee,
                }),
            1 => (0_u8..3, 0_u32..=10_000)
                .prop_map(|(market, price)| Step::Settle { market, price }),
        ]
    }

    proptest! {
        #[test]
        fn cash_is_conserved(steps in prop::collection::vec(step(), 0..80)) {
            let mut ledger = Ledger::new();
            ledger.set_cash(0, Dollars::from_dollars(1_000));
            let agents =
                [EXTERNAL, ledger.agents.slot(&"a".into()), ledger.agents.slot(&"b".into())];
            let markets: Vec<_> =
                (0..3).map(|n| ledger.markets.slot(&Arc::from(format!("KX-{n}")))).collect();
            for step in steps {
                match step {
                    Step::Trade { agent, market, is_bid, price: at, quantity, fee } => {
                        let trade = Trade {
                            side: if is_bid { Side::Bid } else { Side::Ask },
                            price: price(at),
                            quantity: Quantity::from_raw(quantity),
                            fee: Dollars::from_raw(fee),
                            now: Timestamp::EPOCH,
                        };
                        ledger.trade(agents[agent as usize], markets[market as usize], trade);
                    }
                    Step::Settle { market, price: at } => {
                        ledger.settle(markets[market as usize], price(at));
                    }
                }
                prop_assert_eq!(conserved(&ledger), Dollars::from_dollars(1_000));
                for (slot, market) in ledger.markets.iter() {
                    let sum: Quantity = ledger.stakes()
                        .filter(|(_, at, _)| *at == slot)
                        .map(|(_, _, stake)| stake.holding.quantity)
                        .sum();
                    prop_assert_eq!(sum, market.held);
                }
            }
        }
    }
}
