//! What can be lost: positions and orders at their worst case.
//!
//! The exposure of one agent in one market is the most that it can lose from here if the market
//! goes entirely against it and exactly the wrong ones of its orders are filled. A market pays
//! between $0 and $1, and a loss is linear in between, so the worst case is at one of the ends:
//!
//! - it pays $0, and every buy was filled and no sell: `cost + Σ buys price × quantity`;
//! - it pays $1, and every sell was filled and no buy:
//!   `cost − quantity × $1 + Σ sells (1 − price) × quantity`.
//!
//! Orders count from the moment of their approval until the exchange's word ends them; an
//! order whose outcome is unknown counts whole, and one that has ended counts with what the
//! exchange says was filled and no fill has come for. The sum over agents and markets is never
//! less than the exposure of the account, because the maximum of sums is at most the sum of
//! maxima.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::record::Holding;

/// What orders may still trade, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Working {
    /// Contracts that may be bought.
    pub(super) buy: Quantity,
    /// Contracts that may be sold.
    pub(super) sell: Quantity,
    /// What those that may be bought cost at their limits.
    pub(super) buy_cost: Dollars,
    /// What those that may be sold tie up at their limits: $1 minus the price, each.
    pub(super) sell_cost: Dollars,
    /// The most that all of them cost in fees.
    pub(super) fees: Dollars,
    /// How many orders.
    pub(super) orders: u32,
}

impl Working {
    /// What one order may still trade.
    pub(super) fn of(side: Side, price: Price, quantity: Quantity, fees: Dollars) -> Self {
        let cost = leg_cost(side, price, quantity);
        match side {
            Side::Bid => Self { buy: quantity, buy_cost: cost, fees, orders: 1, ..Self::default() },
            Side::Ask => {
                Self { sell: quantity, sell_cost: cost, fees, orders: 1, ..Self::default() }
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.buy += other.buy;
        self.sell += other.sell;
        self.buy_cost += other.buy_cost;
        self.sell_cost += other.sell_cost;
        self.fees += other.fees;
        self.orders += other.orders;
    }

    pub(super) fn remove(&mut self, other: &Self) {
        self.buy -= other.buy;
        self.sell -= other.sell;
        self.buy_cost -= other.buy_cost;
        self.sell_cost -= other.sell_cost;
        self.fees -= other.fees;
        self.orders = self.orders.saturating_sub(other.orders);
    }

    /// The cash that they need if all of them trade.
    pub(super) fn reserved(&self) -> Dollars {
        self.buy_cost.saturating_add(self.sell_cost).saturating_add(self.fees)
    }
}

/// What a quantity costs on its own leg: YES at the price, or NO at $1 minus the price.
#[must_use]
pub(super) fn leg_cost(side: Side, price: Price, quantity: Quantity) -> Dollars {
    match side {
        Side::Bid => price * quantity,
        Side::Ask => Price::from_raw(Price::ONE.raw().saturating_sub(price.raw())) * quantity,
    }
}

/// What is lost at either end, with exactly the wrong orders filled; less than nothing is a gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ends {
    /// If the market pays $0.
    pub(super) pays_nothing: Dollars,
    /// If it pays $1.
    pub(super) pays_one: Dollars,
}

impl Ends {
    /// Of a holding with these orders, fees apart.
    pub(super) fn of(holding: &Holding, working: &Working) -> Self {
        Self {
            pays_nothing: holding.cost.saturating_add(working.buy_cost),
            pays_one: holding
                .cost
                .saturating_sub(Price::ONE * holding.quantity)
                .saturating_add(working.sell_cost),
        }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            pays_nothing: self.pays_nothing.saturating_add(other.pays_nothing),
            pays_one: self.pays_one.saturating_add(other.pays_one),
        }
    }

    /// What is left without the other.
    pub(super) fn without(self, other: Self) -> Self {
        Self {
            pays_nothing: self.pays_nothing.saturating_sub(other.pays_nothing),
            pays_one: self.pays_one.saturating_sub(other.pays_one),
        }
    }

    /// The same with fees, which are lost at both.
    pub(super) fn with_fees(self, fees: Dollars) -> Self {
        self.and(Self { pays_nothing: fees, pays_one: fees })
    }

    /// The worse of both, if that is a loss.
    pub(super) fn worst(self) -> Dollars {
        self.pays_nothing.max(self.pays_one).max(Dollars::ZERO)
    }
}

/// The most that a holding with these orders can lose, the fees of the orders included.
#[must_use]
pub(super) fn worst_case(holding: &Holding, working: &Working) -> Dollars {
    Ends::of(holding, working).worst().saturating_add(working.fees)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn price(raw: u32) -> Price {
        Price::from_raw(raw)
    }

    #[test]
    fn a_long_can_lose_its_cost_and_a_short_its_collateral() {
        let mut long = Holding::default();
        long.trade(Side::Bid, price(4_000), Quantity::from_raw(100), Dollars::ZERO);
        assert_eq!(worst_case(&long, &Working::default()), Dollars::from_raw(400_000));
        let mut short = Holding::default();
        short.trade(Side::Ask, price(4_000), Quantity::from_raw(100), Dollars::ZERO);
        assert_eq!(worst_case(&short, &Working::default()), Dollars::from_raw(600_000));
    }

    #[test]
    fn an_order_that_closes_does_not_lower_the_worst_case_before_it_trades() {
        let mut long = Holding::default();
        long.trade(Side::Bid, price(4_000), Quantity::from_raw(100), Dollars::ZERO);
        let selling = Working::of(Side::Ask, price(5_000), Quantity::from_raw(100), Dollars::ZERO);
        assert_eq!(worst_case(&long, &selling), Dollars::from_raw(400_000));
    }

    proptest! {
        #[test]
        fn no_subset_of_fills_and_no_payout_loses_more(
            trades in prop::collection::vec((any::<bool>(), 1_u32..10_000, 1_i64..500), 0..6),
            orders in prop::collection::vec((any::<bool>(), 1_u32..10_000, 1_i64..500), 0..7),
            payout in 0_u32..=10_000,
        ) {
            let side = |is_bid| if is_bid { Side::Bid } else { Side::Ask };
            let mut holding = Holding::default();
            for (is_bid, at, quantity) in trades {
                let quantity = Quantity::from_raw(quantity);
                holding.trade(side(is_bid), price(at), quantity, Dollars::ZERO);
            }
            let mut working = Working::default();
            for &(is_bid, at, quantity) in &orders {
                let quantity = Quantity::from_raw(quantity);
                working.add(&Working::of(side(is_bid), price(at), quantity, Dollars::ZERO));
            }
            let bound = worst_case(&holding, &working);
            for subset in 0_u32..1 << orders.len() {
                let mut after = holding;
                for (index, &(is_bid, at, quantity)) in orders.iter().enumerate() {
                    if subset & (1 << index) != 0 {
                        let quantity = Quantity::from_raw(quantity);
                        after.trade(side(is_bid), price(at), quantity, Dollars::ZERO);
                    }
                }
                after.settle(price(payout));
                prop_assert!(holding.realized - after.realized <= bound);
            }
        }
    }
}
