//! What must always hold.

use std::collections::BTreeMap;

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::Exchange;
use super::fees::BALANCE_STEP;
use super::ledger::Account;
use super::market::{Market, Shard};
use super::order::OrderStatus;

/// Something that must hold does not: a defect of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

/// Reports a violation unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(Violation(format!($($what)+)));
        }
    };
}

impl Exchange {
    /// Verifies the promises of this module over everything. Takes time in proportion to all
    /// accounts and orders: for tests.
    ///
    /// # Errors
    /// The first promise that is broken, with the values.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        for market in &self.markets {
            self.check_book(market)?;
            self.check_positions(market)?;
        }
        for account in &self.accounts {
            self.check_account(account)?;
            self.check_groups(account)?;
        }
        self.check_money()
    }

    fn check_book(&self, market: &Market) -> Result<(), Violation> {
        let ticker = &market.spec.ticker;
        let quote = (market.book.best(Side::Bid), market.book.best(Side::Ask));
        if let (Some(bid), Some(ask)) = quote {
            hold!(bid.price < ask.price, "{ticker} is crossed: {} {}", bid.price, ask.price);
        }
        for side in [Side::Bid, Side::Ask] {
            for (price, queue) in market.book.queues(side) {
                let mut sum = Quantity::ZERO;
                for (place, id) in queue.orders() {
                    let order = self.orders.get(&id);
                    let Some(order) = order else {
                        return Err(Violation(format!(
                            "{ticker}: order {id} is in the book alone"
                        )));
                    };
                    let fits = order.status == OrderStatus::Resting
                        && (order.side, order.price, order.place) == (side, price, place)
                        && order.remaining_count.is_positive()
                        && order.fill_count + order.remaining_count <= order.initial_count;
                    hold!(fits, "{ticker}: {order:?} does not fit its level {side} {price}");
                    sum += order.remaining_count;
                }
                hold!(
                    sum == queue.total() && sum.is_positive(),
                    "{ticker} {side} {price} has {} of {sum}",
                    queue.total()
                );
            }
        }
        Ok(())
    }

    fn check_positions(&self, market: &Market) -> Result<(), Violation> {
        let ticker = &market.spec.ticker;
        let positions =
            || self.accounts.iter().map(|account| account.position(market.key).quantity);
        let net: Quantity = positions().sum();
        hold!(net.is_zero(), "{ticker}: positions add up to {net}");
        let long: Quantity = positions().map(|held| held.max(Quantity::ZERO)).sum();
        let open = market.tape.open_interest;
        hold!(long == open, "{ticker}: {long} are held long, open interest is {open}");
        Ok(())
    }

    fn check_account(&self, account: &Account) -> Result<(), Violation> {
        let name = account.user_id;
        let mut reserved: BTreeMap<Shard, Dollars> = BTreeMap::new();
        let mut resting_orders = 0;
        for (key, resting) in &account.resting {
            let market = self.market(*key);
            let position = account.position(*key).quantity;
            let required = resting.required(position, market.fees, None);
            hold!(
                required == resting.reserved,
                "{name}: {} is reserved, {required} required",
                resting.reserved
            );
            *reserved.entry(market.exchange_index).or_default() += required;
            for slot in resting.bids.iter().chain(&resting.asks) {
                let rests = self.orders.get(&slot.id).is_some_and(|order| {
                    order.account == account.id && order.remaining_count == slot.count
                });
                hold!(rests, "{name}: collateral for {} without its order", slot.id);
                resting_orders += 1;
            }
        }
        let in_books = self
            .orders
            .values()
            .filter(|order| order.account == account.id && order.status == OrderStatus::Resting);
        let in_books = in_books.count();
        hold!(
            in_books == resting_orders,
            "{name}: {in_books} orders rest, {resting_orders} have collateral"
        );
        for (shard, balance) in account.balances() {
            let expected = reserved.get(&shard).copied().unwrap_or_default();
            hold!(
                balance.reserved == expected,
                "{name}: shard {shard} reserves {}, its markets {expected}",
                balance.reserved
            );
            let on_step = balance.cash.raw() % BALANCE_STEP.raw() == 0;
            hold!(on_step, "{name}: cash {} is not on its step", balance.cash);
            // Rounding is not reserved: up to a step and 1e-6 for each fill.
            let rounding = i64::try_from(account.fill_count).unwrap_or(i64::MAX / 200)
                * (BALANCE_STEP.raw() + 1);
            let short = balance.available().raw() < -rounding;
            hold!(!short || self.fees_changed, "{name}: overdrawn by {}", balance.available());
        }
        Ok(())
    }

    fn check_groups(&self, account: &Account) -> Result<(), Violation> {
        let name = account.user_id;
        let mut known = 0;
        for (id, group) in &account.groups {
            let stopped = !group.is_triggered || group.orders.is_empty();
            hold!(stopped, "{name}: orders of group {id} rest though it is triggered");
            for order in &group.orders {
                let fits = self.orders.get(order).is_some_and(|order| {
                    order.status == OrderStatus::Resting
                        && (order.account, order.order_group_id) == (account.id, Some(*id))
                        && order.exchange_index == group.exchange_index
                });
                hold!(fits, "{name}: order {order} does not belong in group {id}");
                known += 1;
            }
        }
        let resting = self.orders.values().filter(|order| {
            order.account == account.id
                && order.order_group_id.is_some()
                && order.status == OrderStatus::Resting
        });
        let resting = resting.count();
        hold!(resting == known, "{name}: {resting} orders of groups rest, its groups know {known}");
        Ok(())
    }

    fn check_money(&self) -> Result<(), Violation> {
        for (shard, totals) in &self.totals {
            let cash: Dollars =
                self.accounts.iter().map(|account| account.balance(*shard).cash).sum();
            let on_shard = || self.markets.iter().filter(|market| market.exchange_index == *shard);
            let open: Dollars =
                on_shard().map(|market| Price::ONE * market.tape.open_interest).sum();
            let accounted = cash + open + totals.fees + totals.residue;
            hold!(
                accounted == totals.deposits,
                "shard {shard}: {} was deposited, {accounted} is accounted for",
                totals.deposits
            );
            let paid: Dollars = on_shard()
                .flat_map(|market| {
                    self.accounts.iter().map(|account| account.position(market.key).fees_paid)
                })
                .sum();
            hold!(
                paid == totals.fees,
                "shard {shard}: fees {} are {paid} in positions",
                totals.fees
            );
        }
        let realized: Dollars = self.positions_sum(|position| position.realized_pnl);
        let cost: Dollars = self.positions_sum(|position| position.cost);
        let fees: Dollars = self.totals.values().map(|totals| totals.fees).sum();
        let deposits: Dollars = self.totals.values().map(|totals| totals.deposits).sum();
        let cash: Dollars = self
            .accounts
            .iter()
            .flat_map(|account| account.balances.values())
            .map(|balance| balance.cash)
            .sum();
        hold!(
            cash == deposits + realized - cost - fees,
            "cash {cash} is not {deposits} + realized {realized} - cost {cost} - fees {fees}"
        );
        Ok(())
    }

    fn positions_sum(&self, amount: impl Fn(&super::Position) -> Dollars) -> Dollars {
        self.accounts.iter().flat_map(|account| account.positions.values()).map(amount).sum()
    }
}
