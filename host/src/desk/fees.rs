//! What a trade will cost, before it happens. After it, the `fee` of the fill is the truth; where it
//! is not what the formula gives, that is told, because the next order is decided by the formula.
//!
//! Kalshi's formula: a taker pays `0.07 × multiplier × C × P × (1 − P)`, rounded up to
//! $0.000001; a maker pays nothing, a quarter or half of that, as the series says. The balance
//! moves in steps of $0.0001 (direct members) or $0.01, in Kalshi's favour, and an accumulator on
//! each order gives back what adds up to a step: an order pays at most one step too much.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::plausible::DOLLARS_MAX;
use crate::model::{FeeSchedule, FeeType, VenueFill};

/// The largest step of a balance, so the most that rounding can add to the fees of one order.
pub const ROUNDING_MAX: Dollars = Dollars::from_raw(10_000);

/// The step of the balance of a direct member of the exchange.
pub const BALANCE_STEP: Dollars = Dollars::from_raw(100);

/// 0.07 in hundredths.
const RATE_HUNDREDTHS: i128 = 7;

/// Multiplier 1 in thousandths.
const MULTIPLIER_ONE_MILLI: u32 = 1_000;

/// Hundredths (rate) × thousandths (multiplier) × 1e-2 contracts × 1e-4 × 1e-4 dollars are 1e-15
/// dollars; this takes them to 1e-6 dollars.
const TO_MICRODOLLARS: i128 = 1_000_000_000;

/// What taking `quantity` at `price` costs, rounding of the balance apart.
#[must_use]
pub fn taker(schedule: FeeSchedule, price: Price, quantity: Quantity) -> Dollars {
    in_quarters(schedule, price, quantity, 4)
}

/// The fee by the formula, of so many quarters of what a taker pays.
fn in_quarters(schedule: FeeSchedule, price: Price, quantity: Quantity, quarters: i128) -> Dollars {
    let chance = i128::from(price.raw().min(Price::ONE.raw()));
    let other = i128::from(Price::ONE.raw()) - chance;
    let exact = RATE_HUNDREDTHS
        * i128::from(multiplier(schedule))
        * i128::from(quantity.raw().max(0))
        * chance
        * other
        * quarters;
    let unit = 4 * TO_MICRODOLLARS;
    let rounded_up = (exact + unit - 1) / unit;
    // By an absurd schedule: enough to fail every limit, and sums of it stay sums.
    i64::try_from(rounded_up).map_or(DOLLARS_MAX, |raw| Dollars::from_raw(raw).min(DOLLARS_MAX))
}

/// The most that an order can cost in fees, rounding included, which costs where no fee does: a
/// taker's fee. An order that only
/// makes pays at most as much, and until it trades the exchange may hold a taker's fee for it: what
/// it holds is not published. At a better price than its limit the fee may be higher, but by less
/// than the price is better.
#[must_use]
pub fn worst(schedule: FeeSchedule, price: Price, quantity: Quantity) -> Dollars {
    if quantity.is_zero() {
        return Dollars::ZERO;
    }
    taker(schedule, price, quantity).saturating_add(ROUNDING_MAX)
}

/// What the rounding of the balance took from the fills of one order and did not give back yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rounding(Dollars);

impl Rounding {
    /// What the order's next fill costs: the formula, rounded so that the balance stays on its step,
    /// less the whole steps that more than a step of it has come to, as far as the fee goes. None
    /// where the schedule is not known. Kalshi, "Fee Rounding".
    pub fn fee(&mut self, schedule: FeeSchedule, fill: &VenueFill) -> Option<Dollars> {
        let quarters = match (schedule.fee_type, fill.taker) {
            (FeeType::Other, _) => return None,
            (_, true) => 4,
            (FeeType::Quadratic, false) => 0,
            (FeeType::QuadraticWithMakerFees, false) => 1,
            (FeeType::QuadraticWithComboMakerFees, false) => 2,
        };
        let step = BALANCE_STEP.raw();
        let formula = in_quarters(schedule, fill.price, fill.quantity, quarters);
        let paid = fill.price * fill.quantity;
        // A dollar for each contract, which the other leg adds, is on the step.
        let change = match fill.side {
            Side::Bid => -paid - formula,
            Side::Ask => paid - formula,
        };
        let charged = formula + Dollars::from_raw(change.raw().rem_euclid(step));
        self.0 += charged - formula;
        let due = (self.0.raw() - 1).max(0) / step;
        let back = Dollars::from_raw(due.min(charged.raw() / step) * step);
        self.0 -= back;
        Some(charged - back)
    }
}

/// A schedule that is not known is taken to be at least the general one.
fn multiplier(schedule: FeeSchedule) -> u32 {
    match schedule.fee_type {
        FeeType::Quadratic
        | FeeType::QuadraticWithMakerFees
        | FeeType::QuadraticWithComboMakerFees => schedule.multiplier_milli,
        FeeType::Other => schedule.multiplier_milli.max(MULTIPLIER_ONE_MILLI),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schedule(fee_type: FeeType, multiplier_milli: u32) -> FeeSchedule {
        FeeSchedule { fee_type, multiplier_milli }
    }

    #[test]
    fn the_formula_is_kalshis() {
        use FeeType::{Other, Quadratic, QuadraticWithComboMakerFees, QuadraticWithMakerFees};
        // (type, multiplier, price, hundredths of a contract, fee), the last in 1e-6 dollars
        let cases = [
            (Quadratic, 1_000, 5_000, 100, 17_500),
            (Quadratic, 1_000, 5_000, 10_000, 1_750_000),
            (Quadratic, 500, 5_000, 100, 8_750),
            // 0.07 × 1 × 0.55 × 0.45 = 0.017325
            (QuadraticWithMakerFees, 1_000, 5_500, 100, 17_325),
            (QuadraticWithComboMakerFees, 1_000, 5_500, 100, 17_325),
            // 0.07 × 0.01 × 0.01 × 0.99 = 0.00000693, rounded up
            (Quadratic, 1_000, 100, 1, 7),
            (Other, 200, 5_000, 100, 17_500),
            (Other, 2_000, 5_000, 100, 35_000),
        ];
        for (fee_type, multiplier, price, quantity, fee) in cases {
            let schedule = schedule(fee_type, multiplier);
            let (price, quantity) = (Price::from_raw(price), Quantity::from_raw(quantity));
            assert_eq!(taker(schedule, price, quantity).raw(), fee, "{schedule:?} {price}");
        }
    }

    fn fill(side: Side, price: u32, quantity: i64, taker: bool) -> VenueFill {
        VenueFill {
            fill_id: "f".into(),
            venue_order_id: "v".into(),
            client_order_id: None,
            ticker: "KX-1".into(),
            side,
            price: Price::from_raw(price),
            quantity: Quantity::from_raw(quantity),
            fee: Dollars::ZERO,
            taker,
            ts: hotpit_units::Timestamp::EPOCH,
        }
    }

    #[test]
    fn rounding_is_taken_and_given_back() {
        let quadratic = schedule(FeeType::Quadratic, 1_000);
        // 0.07 × 0.01 × 0.99 = 0.000693; the balance moves by 0.0107 for each.
        let mut rounding = Rounding::default();
        let fees: Vec<i64> = (0..15)
            .map(|_| rounding.fee(quadratic, &fill(Side::Bid, 100, 100, true)).unwrap().raw())
            .collect();
        // Seven too much each time: the fifteenth brings it over a step of a hundred.
        assert_eq!(fees[..14], [700; 14]);
        assert_eq!(fees[14], 600);
        let maker = |fee_type| {
            let fill = fill(Side::Ask, 5_000, 10_000, false);
            Rounding::default().fee(schedule(fee_type, 1_000), &fill).map(Dollars::raw)
        };
        assert_eq!(maker(FeeType::Quadratic), Some(0));
        assert_eq!(maker(FeeType::QuadraticWithMakerFees), Some(437_500));
        assert_eq!(maker(FeeType::QuadraticWithComboMakerFees), Some(875_000));
        assert_eq!(maker(FeeType::Other), None);
    }

    proptest! {
        #[test]
        fn the_balance_stays_on_its_step_and_at_most_a_step_is_kept(
            fills in prop::collection::vec((any::<bool>(), 1_u32..10_000, 1_i64..500, any::<bool>()), 1..50),
        ) {
            let schedule = schedule(FeeType::QuadraticWithMakerFees, 1_000);
            let (mut rounding, mut balance) = (Rounding::default(), Dollars::ZERO);
            let (mut charged, mut formula) = (Dollars::ZERO, Dollars::ZERO);
            for (is_bid, price, quantity, taker) in fills {
                let side = if is_bid { Side::Bid } else { Side::Ask };
                let fill = fill(side, price, quantity, taker);
                let fee = rounding.fee(schedule, &fill).unwrap();
                prop_assert!(!fee.is_negative());
                let paid = fill.price * fill.quantity;
                balance += if is_bid { -paid } else { paid } - fee;
                prop_assert_eq!(balance.raw() % BALANCE_STEP.raw(), 0);
                charged += fee;
                let quarters = if taker { 4 } else { 1 };
                formula += in_quarters(schedule, fill.price, fill.quantity, quarters);
            }
            // What is kept is what was charged beyond the formula.
            prop_assert_eq!(charged - formula, rounding.0);
        }

        #[test]
        fn cost_and_fee_together_are_worst_at_the_limit(
            limit in 1_u32..10_000, better in 0_u32..10_000, quantity in 1_i64..100_000,
        ) {
            let schedule = schedule(FeeType::Quadratic, 2_000);
            let quantity = Quantity::from_raw(quantity);
            let total = |raw| {
                let price = Price::from_raw(raw);
                price * quantity + taker(schedule, price, quantity)
            };
            // One unit of rounding apart.
            prop_assert!(total(limit.saturating_sub(better)).raw() <= total(limit).raw() + 1);
        }

        #[test]
        fn fills_one_by_one_cost_at_most_the_worst_case(
            price in 1_u32..10_000, parts in prop::collection::vec(1_i64..500, 1..50),
        ) {
            let schedule = FeeSchedule::default();
            let price = Price::from_raw(price);
            let paid: Dollars =
                parts.iter().map(|&part| taker(schedule, price, Quantity::from_raw(part))).sum();
            let whole = Quantity::from_raw(parts.iter().sum());
            prop_assert!(paid <= worst(schedule, price, whole));
        }
    }
}
