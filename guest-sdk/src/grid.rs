//! The prices an order may have.

use hotpit_units::Price;

/// A part of a price grid: prices from `start` to `end` are multiples of `step` away from
/// `start`.
///
/// ```
/// use hotpit_agent::{Price, PriceGrid, PriceRange};
///
/// // Cents in the middle, tenths of a cent below 10 cents.
/// let [tenth, cent] = [Price::from_raw(10), Price::from_cents(1)];
/// let grid = PriceGrid(vec![
///     PriceRange { start: Price::ZERO, end: Price::from_cents(10), step: tenth },
///     PriceRange { start: Price::from_cents(10), end: Price::ONE, step: cent },
/// ]);
/// assert_eq!(grid.below(Price::from_cents(10)), Some("0.0990".parse()?));
/// assert_eq!(grid.above(Price::from_cents(10)), Some("0.1100".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRange {
    /// The first price.
    pub start: Price,
    /// The last price.
    pub end: Price,
    /// The distance between two prices.
    pub step: Price,
}

/// The prices an order may have in a market.
///
/// ```
/// use hotpit_agent::{Price, PriceGrid};
///
/// let grid = PriceGrid::cents();
/// let price: Price = "0.5350".parse()?;
/// assert_eq!(grid.floor(price), Some(Price::from_cents(53)));
/// assert_eq!(grid.ceil(price), Some(Price::from_cents(54)));
/// assert_eq!(grid.below(Price::from_cents(1)), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceGrid(pub Vec<PriceRange>);

impl PriceGrid {
    /// Whole cents, the grid of most markets.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// let grid = PriceGrid::cents();
    /// assert_eq!(grid.above(Price::from_cents(98)), Some(Price::from_cents(99)));
    /// assert_eq!(grid.above(Price::from_cents(99)), None);
    /// ```
    #[must_use]
    pub fn cents() -> Self {
        Self(vec![PriceRange { start: Price::ZERO, end: Price::ONE, step: Price::from_cents(1) }])
    }

    /// Whether an order may have this price. $0 and $1 never are.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// let grid = PriceGrid::cents();
    /// assert!(grid.contains("0.53".parse()?));
    /// assert!(!grid.contains("0.535".parse()?));
    /// assert!(!grid.contains(Price::ONE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn contains(&self, price: Price) -> bool {
        self.floor(price) == Some(price)
    }

    /// The highest price of the grid that is not above `price`.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// // A bid is rounded down: it never pays more than it meant to.
    /// let ideal: Price = "0.5350".parse()?;
    /// assert_eq!(PriceGrid::cents().floor(ideal), Some(Price::from_cents(53)));
    /// assert_eq!(PriceGrid::cents().floor(Price::ONE), Some(Price::from_cents(99)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn floor(&self, price: Price) -> Option<Price> {
        let highest = price.raw().min(Price::ONE.raw() - 1);
        let in_range = |range: &PriceRange| {
            let up_to = highest.min(range.end.raw());
            let steps = up_to.checked_sub(range.start.raw())?.checked_div(range.step.raw())?;
            Some(range.start.raw() + steps * range.step.raw()).filter(|raw| *raw > 0)
        };
        self.0.iter().filter_map(in_range).max().map(Price::from_raw)
    }

    /// The lowest price of the grid that is not below `price`.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// // An ask is rounded up: it never gets less than it meant to.
    /// let ideal: Price = "0.5350".parse()?;
    /// assert_eq!(PriceGrid::cents().ceil(ideal), Some(Price::from_cents(54)));
    /// assert_eq!(PriceGrid::cents().ceil(Price::ONE), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ceil(&self, price: Price) -> Option<Price> {
        let lowest = price.raw().max(1);
        let in_range = |range: &PriceRange| {
            let from = lowest.max(range.start.raw());
            if range.step == Price::ZERO {
                return None;
            }
            let steps = (from - range.start.raw()).div_ceil(range.step.raw());
            let raw = range.start.raw().checked_add(steps.checked_mul(range.step.raw())?)?;
            (raw <= range.end.raw() && raw < Price::ONE.raw()).then_some(raw)
        };
        self.0.iter().filter_map(in_range).min().map(Price::from_raw)
    }

    /// The highest price of the grid below `price`.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// // The highest bid that does not take an ask at 54 cents:
    /// let best_ask = Price::from_cents(54);
    /// assert_eq!(PriceGrid::cents().below(best_ask), Some(Price::from_cents(53)));
    /// ```
    #[must_use]
    pub fn below(&self, price: Price) -> Option<Price> {
        self.floor(price.checked_sub(Price::from_raw(1))?)
    }

    /// The lowest price of the grid above `price`.
    ///
    /// ```
    /// # use hotpit_agent::{Price, PriceGrid};
    /// // The lowest ask that does not take a bid at 50 cents:
    /// let best_bid = Price::from_cents(50);
    /// assert_eq!(PriceGrid::cents().above(best_bid), Some(Price::from_cents(51)));
    /// ```
    #[must_use]
    pub fn above(&self, price: Price) -> Option<Price> {
        self.ceil(price.checked_add(Price::from_raw(1))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_neighbour_on_a_tapered_grid_is_the_one_a_search_finds() {
        let range = |start, end, step| PriceRange {
            start: Price::from_raw(start),
            end: Price::from_raw(end),
            step: Price::from_raw(step),
        };
        let grid = PriceGrid(vec![
            range(0, 1_000, 10),
            range(1_000, 9_000, 100),
            range(9_000, 10_000, 10),
        ]);
        let on_grid = |raw: u32| match raw {
            0 | 10_000.. => false,
            1..1_000 | 9_000..10_000 => raw.is_multiple_of(10),
            1_000..9_000 => raw.is_multiple_of(100),
        };
        for raw in 0..=10_001 {
            let price = Price::from_raw(raw);
            let floor = (0..=raw).rev().find(|raw| on_grid(*raw)).map(Price::from_raw);
            let ceil = (raw..10_000).find(|raw| on_grid(*raw)).map(Price::from_raw);
            assert_eq!(grid.contains(price), on_grid(raw), "{price}");
            assert_eq!(grid.floor(price), floor, "{price}");
            assert_eq!(grid.ceil(price), ceil, "{price}");
        }
    }

    #[test]
    fn a_range_without_a_step_offers_no_price() {
        let stuck = PriceRange { start: Price::ZERO, end: Price::ONE, step: Price::ZERO };
        let grid = PriceGrid(vec![stuck]);
        assert_eq!(grid.floor(Price::from_cents(50)), None);
        assert_eq!(grid.ceil(Price::from_cents(50)), None);
    }

    #[test]
    fn the_edges_of_the_grid_have_no_neighbour_beyond() {
        let grid = PriceGrid::cents();
        assert_eq!(grid.below(Price::ZERO), None);
        assert_eq!(grid.above(Price::from_cents(99)), None);
        assert_eq!(grid.above(Price::from_cents(98)), Some(Price::from_cents(99)));
    }
}
