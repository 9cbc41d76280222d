//! What a fill costs. Source: Kalshi, fee schedule and "Fee Rounding" page.

use hotpit_units::{Dollars, Price, Quantity};

use super::market::{FeeSchedule, FeeType};

/// The precision of balances: $0.0001.
pub const BALANCE_STEP: Dollars = Dollars::from_raw(100);

/// 0.07, the rate of the general schedule, in hundredths.
const RATE_HUNDREDTHS: i128 = 7;

/// The trade fee before any rounding of balances: `0.07 × multiplier × C × P × (1 − P)` for a
/// taker, a part of it for a maker, rounded up to $0.000001.
#[must_use]
pub fn trade_fee(schedule: FeeSchedule, is_taker: bool, price: Price, count: Quantity) -> Dollars {
    let price = i128::from(price.raw());
    let complement = i128::from(Price::ONE.raw()) - price;
    // 1e-2 (rate) × 1e-3 (multiplier) × 1e-2 (count) × 1e-4 (price) × 1e-4 (complement) = 1e-15,
    // which is 1e-9 of the 1e-6 that Dollars count. A maker pays a part in quarters.
    let exact = RATE_HUNDREDTHS
        * i128::from(schedule.multiplier_milli)
        * i128::from(count.raw())
        * price
        * complement
        * quarters(schedule.fee_type, is_taker);
    let unit = 1_000_000_000 * 4;
    let micros = (exact + unit - 1).div_euclid(unit);
    Dollars::from_raw(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The part of a taker's fee that is paid, in quarters.
const fn quarters(fee_type: FeeType, is_taker: bool) -> i128 {
    match (fee_type, is_taker) {
        (_, true) => 4,
        (FeeType::Quadratic, false) => 0,
        (FeeType::QuadraticWithMakerFees, false) => 1,
        (FeeType::QuadraticWithComboMakerFees, false) => 2,
    }
}

/// The rounding fees that the fills of one order paid and did not get back. Kept for the whole
/// life of the order, whether it makes or takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundingAccumulator(Dollars);

/// What one fill costs in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetFee {
    /// The fee by the formula.
    pub trade_fee: Dollars,
    /// What brings the balance back to its precision.
    pub rounding_fee: Dollars,
    /// What earlier fills of the order paid too much.
    pub rebate: Dollars,
}

impl NetFee {
    /// The fee that is charged and shown (`fee_cost`); never negative.
    #[must_use]
    pub fn total(self) -> Dollars {
        self.trade_fee + self.rounding_fee - self.rebate
    }
}

impl RoundingAccumulator {
    /// The fee of a fill that moves the balance by `revenue` (negative for a payment), with
    /// balances kept to `step`. Once more than a step has come together, steps are paid back, as
    /// far as the fee of this fill allows.
    pub fn charge(&mut self, revenue: Dollars, trade_fee: Dollars, step: Dollars) -> NetFee {
        let rounding_fee = Dollars::from_raw((revenue - trade_fee).raw().rem_euclid(step.raw()));
        self.0 += rounding_fee;
        let overpaid_steps = (self.0.raw() - 1).max(0) / step.raw();
        let payable_steps = (trade_fee + rounding_fee).raw() / step.raw();
        let rebate = Dollars::from_raw(overpaid_steps.min(payable_steps) * step.raw());
        self.0 -= rebate;
        NetFee { trade_fee, rounding_fee, rebate }
    }
}

/// The amount rounded up to the precision of balances.
#[must_use]
pub fn ceil_to_step(amount: Dollars) -> Dollars {
    let step = BALANCE_STEP.raw();
    let over = amount.raw().rem_euclid(step);
    if over == 0 { amount } else { amount.saturating_add(Dollars::from_raw(step - over)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn schedule(fee_type: FeeType, multiplier_milli: u32) -> FeeSchedule {
        FeeSchedule { fee_type, multiplier_milli }
    }

    fn dollars(text: &str) -> Dollars {
        text.parse().unwrap()
    }

    #[test]
    fn the_formula_gives_the_fees_of_the_schedule() {
        use FeeType::{Quadratic, QuadraticWithComboMakerFees, QuadraticWithMakerFees};
        let cases = [
            (Quadratic, 1_000, true, "0.50", "100", "1.75"),
            (Quadratic, 1_000, true, "0.50", "1", "0.0175"),
            (Quadratic, 500, true, "0.50", "1", "0.00875"),
            (Quadratic, 1_000, true, "0.01", "1", "0.000693"),
            (Quadratic, 1_000, true, "0.99", "1", "0.000693"),
            (Quadratic, 1_000, true, "0.055", "1", "0.003639"),
            (Quadratic, 1_000, true, "0.50", "0.01", "0.000175"),
            (Quadratic, 1_000, true, "0.33", "0.01", "0.000155"),
            (Quadratic, 0, true, "0.50", "100", "0"),
            (Quadratic, 1_000, false, "0.50", "100", "0"),
            (QuadraticWithMakerFees, 1_000, true, "0.50", "100", "1.75"),
            (QuadraticWithMakerFees, 1_000, false, "0.50", "100", "0.4375"),
            (QuadraticWithMakerFees, 1_000, false, "0.33", "1", "0.003870"),
            (QuadraticWithComboMakerFees, 1_000, false, "0.50", "100", "0.875"),
        ];
        for (fee_type, multiplier, is_taker, price, count, expected) in cases {
            let fee = trade_fee(
                schedule(fee_type, multiplier),
                is_taker,
                price.parse().unwrap(),
                count.parse().unwrap(),
            );
            assert_eq!(
                fee,
                dollars(expected),
                "{fee_type:?} {multiplier} {is_taker} {price} {count}"
            );
        }
    }

    /// The worked examples of Kalshi's page, for a balance precision of $0.01.
    #[test]
    fn rounding_is_charged_and_paid_back_as_kalshi_works_it_out() {
        let cases = [
            ("-0.055", "0.0085", ["0.0150", "0.0050", "0.0150"]),
            ("-0.15", "0.0041", ["0.0100", "0.0000", "0.0100"]),
        ];
        for (revenue, trade_fee, expected) in cases {
            let mut accumulator = RoundingAccumulator::default();
            let fees = [(); 3].map(|()| {
                accumulator.charge(dollars(revenue), dollars(trade_fee), dollars("0.01")).total()
            });
            assert_eq!(fees, expected.map(dollars), "{revenue}");
        }
    }

    proptest! {
        #[test]
        fn balances_stay_on_their_step_and_no_fee_is_negative(
            fills in prop::collection::vec((-1_000_000_i64..1_000_000, 0_i64..2_000), 1..50)
        ) {
            let mut accumulator = RoundingAccumulator::default();
            let mut balance = Dollars::ZERO;
            for (revenue, trade_fee) in fills {
                let (revenue, trade_fee) = (Dollars::from_raw(revenue), Dollars::from_raw(trade_fee));
                let fee = accumulator.charge(revenue, trade_fee, BALANCE_STEP).total();
                prop_assert!(!fee.is_negative());
                balance += revenue - fee;
                prop_assert_eq!(balance.raw() % BALANCE_STEP.raw(), 0);
            }
        }

        #[test]
        fn many_small_fills_that_pay_a_step_each_cost_what_one_large_fill_costs(
            price in 1_u32..100, fills in 1_i64..60
        ) {
            let price = Price::from_cents(price);
            let schedule = schedule(FeeType::Quadratic, 1_000);
            let one = Quantity::from_contracts(1);
            let mut accumulator = RoundingAccumulator::default();
            let total: Dollars = (0..fills)
                .map(|_| {
                    let fee = trade_fee(schedule, true, price, one);
                    accumulator.charge(-(price * one), fee, BALANCE_STEP).total()
                })
                .sum();
            let at_once = trade_fee(schedule, true, price, Quantity::from_contracts(fills));
            // Up to a step that is not paid back yet, one that is due, and 1e-6 of each fill.
            let slack = 2 * BALANCE_STEP.raw() + fills;
            prop_assert!(total >= at_once);
            prop_assert!((total - at_once).raw() <= slack, "{total} for {at_once}");
        }
    }
}
