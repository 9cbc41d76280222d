//! Where the quotes belong. Pure integer arithmetic on what the market shows.

use hotpit_agent::prelude::*;

use crate::Params;

/// A quote as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where.
    pub(crate) price: Price,
    /// How much.
    pub(crate) quantity: Quantity,
    /// The most that may work at this price: the room that the inventory limit leaves.
    pub(crate) room: Quantity,
}

/// What decides on both quotes.
pub(crate) struct Terms<'a> {
    /// The best bid of others.
    pub(crate) best_bid: Price,
    /// The best ask of others.
    pub(crate) best_ask: Price,
    /// The agent's position.
    pub(crate) position: Quantity,
    /// The prices an order may have.
    pub(crate) grid: &'a PriceGrid,
    /// The operator's terms.
    pub(crate) params: &'a Params,
}

impl Terms<'_> {
    /// The bid: half a spread below the center, rounded down to the grid, and never so high that
    /// it would take the best ask. None where there is no price or no room for it.
    pub(crate) fn bid(&self) -> Option<Target> {
        let ideal = (self.doubled_center() - 2 * i64::from(self.params.half_spread.raw())) >> 1;
        let ideal = self.grid.floor(price(ideal))?;
        let price = ideal.min(self.grid.below(self.best_ask)?);
        self.target(price, self.params.inventory_limit.saturating_sub(self.position))
    }

    /// The ask: half a spread above the center, rounded up to the grid, and never so low that it
    /// would take the best bid. None where there is no price or no room for it.
    pub(crate) fn ask(&self) -> Option<Target> {
        let ideal = (self.doubled_center() + 2 * i64::from(self.params.half_spread.raw()) + 1) >> 1;
        let ideal = self.grid.ceil(price(ideal))?;
        let price = ideal.max(self.grid.above(self.best_bid)?);
        self.target(price, self.params.inventory_limit.saturating_add(self.position))
    }

    /// Twice the price around which to quote, in 1e-4 dollars: the mid, moved against the
    /// inventory. Doubled, so that the mid of an odd spread is exact.
    fn doubled_center(&self) -> i64 {
        let limit = self.params.inventory_limit.raw();
        let held = self.position.raw().clamp(-limit, limit);
        let shift = i128::from(self.params.skew.raw()) * 2 * i128::from(held) / i128::from(limit);
        // At most twice a price: the inventory is held at its limit above.
        let shift = i64::try_from(shift).unwrap_or(0);
        i64::from(self.best_bid.raw()) + i64::from(self.best_ask.raw()) - shift
    }

    /// Whole contracts alone: not every market trades parts of one.
    fn target(&self, price: Price, room: Quantity) -> Option<Target> {
        let wanted = self.params.order_quantity.min(room);
        let quantity = Quantity::from_contracts(wanted.raw().div_euclid(100));
        quantity.is_positive().then_some(Target { price, quantity, room })
    }
}

/// A price from a result that may lie outside of $0 and $1: held at the end.
fn price(raw: i64) -> Price {
    let one = Price::ONE.raw();
    Price::from_raw(u32::try_from(raw.clamp(0, i64::from(one))).unwrap_or(one))
}

#[cfg(test)]
mod tests {
    use hotpit_agent::testing::{cents, contracts};

    use super::*;

    /// Bid and ask price for best bid, best ask and position, in cents and contracts.
    fn quotes(best_bid: u32, best_ask: u32, position: i64) -> (Option<Price>, Option<Price>) {
        let terms = Terms {
            best_bid: cents(best_bid),
            best_ask: cents(best_ask),
            position: contracts(position),
            grid: &PriceGrid::cents(),
            params: &Params::default(),
        };
        (terms.bid().map(|bid| bid.price), terms.ask().map(|ask| ask.price))
    }

    #[test]
    fn quotes_stand_around_the_mid_on_the_grid() {
        let cases = [
            // best bid, best ask, position -> bid, ask
            (50, 56, 0, Some(52), Some(54)),
            (50, 55, 0, Some(51), Some(54)), // the mid is 52.5: both are rounded away from it
            (50, 51, 0, Some(49), Some(52)),
            (50, 56, 25, Some(51), Some(53)), // half the limit moves both by half the skew
            (50, 56, -25, Some(53), Some(55)),
            (50, 56, 50, None, Some(52)), // full: sells alone
            (50, 56, -50, Some(54), None),
            (50, 56, 99, None, Some(52)), // beyond the limit: not moved further
            (1, 2, 0, None, Some(3)),     // no price below one cent
            (98, 99, 0, Some(97), None),
            (50, 51, 40, Some(47), Some(51)), // would be 50: never takes the bid
        ];
        for (best_bid, best_ask, position, bid, ask) in cases {
            let expected = (bid.map(cents), ask.map(cents));
            assert_eq!(
                quotes(best_bid, best_ask, position),
                expected,
                "{best_bid} {best_ask} {position}"
            );
        }
    }

    #[test]
    fn no_order_asks_for_more_than_the_room_that_is_left() {
        let (grid, params) = (PriceGrid::cents(), Params::default());
        let terms = |hundredths| Terms {
            best_bid: cents(50),
            best_ask: cents(56),
            position: Quantity::from_raw(hundredths),
            grid: &grid,
            params: &params,
        };
        assert_eq!(terms(4_700).bid().unwrap().quantity, contracts(3));
        assert_eq!(terms(4_650).bid().unwrap().quantity, contracts(3));
        assert_eq!(terms(4_950).bid(), None);
        assert_eq!(terms(4_700).ask().unwrap().quantity, contracts(10));
    }

    #[test]
    fn no_position_and_no_book_overflows() {
        for position in [i64::MIN, i64::MAX] {
            let params = Params { inventory_limit: Quantity::MAX, ..Params::default() };
            let terms = Terms {
                best_bid: Price::from_raw(u32::MAX),
                best_ask: Price::from_raw(u32::MAX),
                position: Quantity::from_raw(position),
                grid: &PriceGrid::cents(),
                params: &params,
            };
            let _ = (terms.bid(), terms.ask());
        }
    }
}
