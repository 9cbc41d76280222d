//! [`Price`], [`Quantity`] and [`Dollars`].

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

use crate::decimal::decimal_unit;

/// A price of the YES leg in 1e-4 dollars: 5500 is $0.55. A contract pays $1, so prices of a
/// binary market lie between [`Price::ZERO`] and [`Price::ONE`].
///
/// ```
/// # use hotpit_units::{Dollars, Price, Quantity};
/// let price: Price = "0.55".parse()?;
/// assert_eq!(price.to_string(), "0.5500");
/// assert_eq!(price * Quantity::from_contracts(20), Dollars::from_dollars(11));
/// # Ok::<(), hotpit_units::ParseDecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Price(u32);

decimal_unit!(Price, u32, 4, "a price in dollars with up to four decimal places");

impl Price {
    /// $0.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::ZERO.raw(), 0);
    /// ```
    pub const ZERO: Self = Self(0);

    /// $1, what a winning contract pays.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::ONE, Price::from_cents(100));
    /// ```
    pub const ONE: Self = Self(10_000);

    /// A price of `raw` × 1e-4 dollars.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::from_raw(5_500), Price::from_cents(55));
    /// ```
    #[must_use]
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// A price of `cents` × $0.01.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::from_cents(55).to_string(), "0.5500");
    /// ```
    #[must_use]
    pub const fn from_cents(cents: u32) -> Self {
        Self(cents * 100)
    }

    /// The price in 1e-4 dollars.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::from_cents(55).raw(), 5_500);
    /// ```
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The same trade seen from the NO leg: $1 minus this. `None` above $1.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// assert_eq!(Price::from_cents(55).complement(), Some(Price::from_cents(45)));
    /// assert_eq!(Price::from_cents(101).complement(), None);
    /// ```
    #[must_use]
    pub const fn complement(self) -> Option<Self> {
        match Self::ONE.0.checked_sub(self.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The sum, or `None` if it does not fit.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// let sum = Price::from_cents(55).checked_add(Price::from_cents(45));
    /// assert_eq!(sum, Some(Price::ONE));
    /// assert_eq!(Price::ONE.checked_add(Price::from_raw(u32::MAX)), None);
    /// ```
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The difference, or `None` if it would be negative.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// let (low, high) = (Price::from_cents(40), Price::from_cents(42));
    /// assert_eq!(high.checked_sub(low), Some(Price::from_cents(2)));
    /// assert_eq!(low.checked_sub(high), None);
    /// ```
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The distance between two prices.
    ///
    /// ```
    /// # use hotpit_units::Price;
    /// let (low, high) = (Price::from_cents(40), Price::from_cents(42));
    /// assert_eq!(low.abs_diff(high), Price::from_cents(2));
    /// ```
    #[must_use]
    pub const fn abs_diff(self, other: Self) -> Self {
        Self(self.0.abs_diff(other.0))
    }
}

/// A number of contracts in 1e-2 contracts, signed: 100 is one contract, and a position of -100
/// is one contract short the YES leg (one NO contract).
///
/// ```
/// # use hotpit_units::Quantity;
/// let held = Quantity::from_contracts(3) - Quantity::from_contracts(5);
/// assert!(held.is_negative(), "short");
/// assert_eq!(held.abs(), Quantity::from_contracts(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Quantity(i64);

decimal_unit!(Quantity, i64, 2, "a number of contracts with up to two decimal places");

/// An amount of money in 1e-6 dollars, signed.
///
/// ```
/// # use hotpit_units::{Dollars, Price, Quantity};
/// let cost = Price::from_cents(40) * Quantity::from_contracts(5);
/// let fee: Dollars = "0.084".parse()?;
/// assert_eq!((cost + fee).to_string(), "2.084000");
/// # Ok::<(), hotpit_units::ParseDecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Dollars(i64);

decimal_unit!(Dollars, i64, 6, "an amount in dollars with up to six decimal places");

/// What [`Quantity`] and [`Dollars`] share: both are signed sums of whole units.
///
/// A sum that does not fit is held at the limit, as a product is: an absurd amount, which only
/// somebody else's word can be, then fails every limit, and ends neither the process nor wraps
/// past it.
macro_rules! signed_unit {
    ($unit:ident, $what:literal) => {
        impl $unit {
            /// None at all.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert_eq!(Amount::ZERO, Amount::default());
            /// ```
            pub const ZERO: Self = Self(0);

            /// The largest amount the unit can hold.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert!(Amount::MAX > Amount::ZERO);
            /// ```
            pub const MAX: Self = Self(i64::MAX);

            #[doc = concat!("An amount of `raw` × ", $what, ".")]
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert!(Amount::from_raw(5) > Amount::from_raw(-5));
            /// ```
            #[must_use]
            pub const fn from_raw(raw: i64) -> Self {
                Self(raw)
            }

            #[doc = concat!("The amount in ", $what, ".")]
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert_eq!(Amount::from_raw(-5).raw(), -5);
            /// ```
            #[must_use]
            pub const fn raw(self) -> i64 {
                self.0
            }

            /// The amount without its sign; the largest amount for the one value that has none.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert_eq!(Amount::from_raw(-5).abs(), Amount::from_raw(5));
            /// ```
            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }

            /// Whether there is none.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert!(Amount::ZERO.is_zero());
            /// ```
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// Whether there is more than none.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert!(Amount::from_raw(5).is_positive());
            /// assert!(!Amount::ZERO.is_positive());
            /// ```
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// Whether there is less than none.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// assert!(Amount::from_raw(-5).is_negative());
            /// assert!(!Amount::ZERO.is_negative());
            /// ```
            #[must_use]
            pub const fn is_negative(self) -> bool {
                self.0 < 0
            }

            /// The sum, or `None` if it does not fit.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// let five = Amount::from_raw(5);
            /// assert_eq!(five.checked_add(five), Some(Amount::from_raw(10)));
            /// assert_eq!(five.checked_add(Amount::MAX), None);
            /// ```
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }

            /// The sum, held at the limit where it does not fit.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// let five = Amount::from_raw(5);
            /// assert_eq!(five.saturating_add(five), Amount::from_raw(10));
            /// assert_eq!(five.saturating_add(Amount::MAX), Amount::MAX);
            /// ```
            #[must_use]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, held at the limit where it does not fit.
            ///
            /// ```
            #[doc = concat!("use hotpit_units::", stringify!($unit), " as Amount;")]
            /// let five = Amount::from_raw(5);
            /// assert_eq!(five.saturating_sub(five), Amount::ZERO);
            /// assert_eq!(Amount::MAX.saturating_sub(-five), Amount::MAX);
            /// ```
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Add for $unit {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl Sub for $unit {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl Neg for $unit {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.saturating_neg())
            }
        }

        impl AddAssign for $unit {
            fn add_assign(&mut self, other: Self) {
                self.0 = self.0.saturating_add(other.0);
            }
        }

        impl SubAssign for $unit {
            fn sub_assign(&mut self, other: Self) {
                self.0 = self.0.saturating_sub(other.0);
            }
        }

        impl Sum for $unit {
            fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
                amounts.fold(Self::ZERO, Self::add)
            }
        }
    };
}

signed_unit!(Quantity, "1e-2 contracts");
signed_unit!(Dollars, "1e-6 dollars");

impl Quantity {
    /// `contracts` whole contracts.
    ///
    /// ```
    /// # use hotpit_units::Quantity;
    /// assert_eq!(Quantity::from_contracts(5).to_string(), "5.00");
    /// ```
    #[must_use]
    pub const fn from_contracts(contracts: i64) -> Self {
        Self(contracts * 100)
    }
}

impl Dollars {
    /// `dollars` whole dollars.
    ///
    /// ```
    /// # use hotpit_units::Dollars;
    /// assert_eq!(Dollars::from_dollars(5).to_string(), "5.000000");
    /// ```
    #[must_use]
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars * 1_000_000)
    }
}

/// The cost of a quantity at a price. Exact: 1e-4 × 1e-2 is 1e-6. Held at the limit where the
/// product does not fit, so that an absurd cost fails every limit instead of wrapping past it.
impl Mul<Quantity> for Price {
    type Output = Dollars;
    fn mul(self, quantity: Quantity) -> Dollars {
        Dollars(i64::from(self.0).saturating_mul(quantity.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ParseDecimalError;

    #[test]
    fn texts_are_read_exactly() {
        let cases = [
            ("0.5500", Ok(5_500)),
            ("0.55", Ok(5_500)),
            (".55", Ok(5_500)),
            ("1", Ok(10_000)),
            ("1.", Ok(10_000)),
            ("0.00010000", Ok(1)),
            ("", Err(ParseDecimalError::NotANumber(String::new()))),
            (".", Err(ParseDecimalError::NotANumber(".".into()))),
            ("0.5x", Err(ParseDecimalError::NotANumber("0.5x".into()))),
            ("1.2.3", Err(ParseDecimalError::NotANumber("1.2.3".into()))),
            ("-0.01", Err(ParseDecimalError::OutOfRange("-0.01".into()))),
            ("0.00001", Err(ParseDecimalError::TooPrecise { text: "0.00001".into(), places: 4 })),
            (
                "99999999999999999999",
                Err(ParseDecimalError::OutOfRange("99999999999999999999".into())),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Price>().map(Price::raw), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_accepted_where_strings_are_expected() {
        let read = |json| serde_json::from_str::<Quantity>(json).map(Quantity::raw);
        assert_eq!(read("\"-72.71\"").unwrap(), -7_271);
        assert_eq!(read("-72.71").unwrap(), -7_271);
        assert_eq!(read("29986.84").unwrap(), 2_998_684);
        assert_eq!(read("3").unwrap(), 300);
        assert!(read("1e30").is_err());
        assert!(read("null").is_err());
        assert!(read("[]").is_err());
    }

    #[test]
    fn amounts_are_written_with_all_their_places() {
        assert_eq!(Price::from_raw(5_500).to_string(), "0.5500");
        assert_eq!(Quantity::from_raw(-5).to_string(), "-0.05");
        assert_eq!(Dollars::from_raw(1_234_567).to_string(), "1.234567");
        assert_eq!(format!("{:>8}", Price::ONE), "  1.0000");
    }

    #[test]
    fn a_cost_beyond_the_integer_is_held_at_the_limit() {
        assert_eq!(Price::ONE * Quantity::MAX, Dollars::MAX);
    }

    #[test]
    fn sums_are_held_at_the_limits() {
        let (max, min) = (Dollars::MAX, Dollars::from_raw(i64::MIN));
        assert_eq!(max + max, max);
        assert_eq!(min - max, min);
        assert_eq!(-min, max);
        assert_eq!([max, max].into_iter().sum::<Dollars>(), max);
        let mut sum = Quantity::MAX;
        sum += Quantity::from_contracts(1);
        assert_eq!(sum, Quantity::MAX);
        sum -= Quantity::from_raw(-1);
        assert_eq!(sum, Quantity::MAX);
    }

    proptest! {
        #[test]
        fn text_and_value_are_one(raw in any::<i64>()) {
            let amount = Dollars::from_raw(raw);
            if raw != i64::MIN {
                prop_assert_eq!(amount.to_string().parse::<Dollars>().unwrap(), amount);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Price>();
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn a_cost_is_exact(price in 0_u32..=10_000, hundredths in -1_000_000_000_i64..1_000_000_000) {
            let cost = Price::from_raw(price) * Quantity::from_raw(hundredths);
            prop_assert_eq!(i128::from(cost.raw()), i128::from(price) * i128::from(hundredths));
        }

        #[test]
        fn both_legs_of_a_contract_cost_one_dollar(price in 0_u32..=10_000) {
            let yes = Price::from_raw(price);
            prop_assert_eq!(yes.checked_add(yes.complement().unwrap()), Some(Price::ONE));
        }
    }
}
