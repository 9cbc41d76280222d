//! What a trade will cost, before it happens. After it, the `fee` of the fill is the truth and
//! nothing here is asked.
//!
//! Kalshi's formula: a taker pays `0.07 × multiplier × C × P × (1 − P)`, rounded up to
//! $0.000001; a maker pays nothing, a quarter or half of that, as the series says. The balance
//! moves in steps of $0.0001 (direct members) or $0.01, in Kalshi's favour, and an accumulator on
//! each order gives back what adds up to a step: an order pays at most one step too much.

use hotpit_units::{Dollars, Price, Quantity};

use super::plausible::DOLLARS_MAX;
use crate::model::{FeeSchedule, FeeType};

/// The largest step of a balance, so the most that rounding can add to the fees of one order.
pub const ROUNDING_MAX: Dollars = Dollars::from_raw(10_000);

/// 0.07 in hundredths.
const RATE_HUNDREDTHS: i128 = 7;

/// Multiplier 1 in thousandths.
const MULTIPLIER_ONE_MILLI: u32 = 1_000;

/// Hundredths (rate) × thousandths (multiplier) × 1e-2 contracts × 1e-4 × 1e-4 dollars are 1e-15
/// dollars; this takes them to 1e-6 dollars.
const TO_MICRODOLLARS: i128 = 1_000_000_000;

/// What taking `quantity` at `price` costs.
#[must_use]
pub fn taker(schedule: FeeSchedule, price: Price, quantity: Quantity) -> Dollars {
    let chance = i128::from(price.raw().min(Price::ONE.raw()));
    let other = i128::from(Price::ONE.raw()) - chance;
    let exact = RATE_HUNDREDTHS
        * i128::from(multiplier(schedule))
        * i128::from(quantity.raw().max(0))
        * chance
        * other;
    let rounded_up = (exact + TO_MICRODOLLARS - 1) / TO_MICRODOLLARS;
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

    proptest! {
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
