//! Arithmetic of a [`Holding`]: what a trade, a settlement or a mark makes of it.
//!
//! Average cost, kept exact: a holding stores what its open part cost as one amount, and the
//! average price is computed for display alone. Closing a part takes its share of the cost,
//! rounded to 1e-6 dollars; what rounding takes from the part stays in the rest, so no money
//! appears or vanishes: `cost − realized` moves by exactly price × signed quantity, always.

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::record::Holding;

/// The signed quantity of a trade: a bid adds to the YES position, an ask takes from it.
#[must_use]
pub(super) fn signed(side: Side, quantity: Quantity) -> Quantity {
    match side {
        Side::Bid => quantity,
        Side::Ask => -quantity,
    }
}

/// The dollars that the exchange keeps for a position: $1 for each contract short of YES.
#[must_use]
pub(super) fn collateral(position: Quantity) -> Dollars {
    Price::ONE * Quantity::from_raw(position.raw().min(0).saturating_neg())
}

impl Holding {
    /// Books a trade.
    pub(super) fn trade(&mut self, side: Side, price: Price, quantity: Quantity, fee: Dollars) {
        let change = signed(side, quantity);
        self.fees += fee;
        let closing = if self.quantity.raw().signum() * change.raw().signum() < 0 {
            Quantity::from_raw(change.raw().abs().min(self.quantity.raw().abs()))
        } else {
            Quantity::ZERO
        };
        if !closing.is_zero() {
            let closed = signed(side, closing);
            let cost = share(self.cost, closing, self.quantity.abs());
            self.realized = self.realized - (price * closed) - cost;
            self.cost -= cost;
            self.quantity += closed;
        }
        let opened = change - signed(side, closing);
        self.cost += price * opened;
        self.quantity += opened;
    }

    /// Closes everything at what the market pays.
    pub(super) fn settle(&mut self, price: Price) {
        self.realized += price * self.quantity - self.cost;
        self.cost = Dollars::ZERO;
        self.quantity = Quantity::ZERO;
    }

    /// Profit and loss of the open part at a mark.
    #[must_use]
    pub fn unrealized(&self, mark: Price) -> Dollars {
        mark * self.quantity - self.cost
    }

    /// What an open contract cost on average, rounded to the nearest 1e-4 dollars.
    #[must_use]
    pub fn average_price(&self) -> Price {
        let quantity = self.quantity.raw().unsigned_abs();
        if quantity == 0 {
            return Price::ZERO;
        }
        let average = (self.cost.raw().unsigned_abs() + quantity / 2) / quantity;
        Price::from_raw(u32::try_from(average).unwrap_or(u32::MAX))
    }

    /// The dollars that are tied up in it: what it cost, and the collateral of a short.
    #[must_use]
    pub fn tied(&self) -> Dollars {
        self.cost + collateral(self.quantity)
    }
}

/// `whole × part / of`, rounded towards zero.
fn share(whole: Dollars, part: Quantity, of: Quantity) -> Dollars {
    let exact = i128::from(whole.raw()) * i128::from(part.raw()) / i128::from(of.raw());
    Dollars::from_raw(i64::try_from(exact).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holding(trades: &[(Side, u32, i64)]) -> Holding {
        let mut holding = Holding::default();
        for &(side, price, quantity) in trades {
            holding.trade(
                side,
                Price::from_raw(price),
                Quantity::from_raw(quantity),
                Dollars::ZERO,
            );
        }
        holding
    }

    #[test]
    fn positions_are_averaged_closed_and_turned() {
        use Side::{Ask, Bid};
        // trades, then quantity, cost, realized (1e-6 dollars), average price
        type Case = (&'static [(Side, u32, i64)], i64, i64, i64, u32);
        let cases: [Case; 6] = [
            (&[(Bid, 4_000, 100), (Bid, 6_000, 100)], 200, 1_000_000, 0, 5_000),
            (&[(Bid, 4_000, 200), (Ask, 5_000, 100)], 100, 400_000, 100_000, 4_000),
            (&[(Bid, 4_000, 100), (Ask, 5_000, 300)], -200, -1_000_000, 100_000, 5_000),
            (&[(Ask, 6_000, 100), (Bid, 5_000, 100)], 0, 0, 100_000, 0),
            (&[(Ask, 6_000, 100), (Bid, 7_000, 200)], 100, 700_000, -100_000, 7_000),
            // A third of a cost that three does not divide.
            (&[(Bid, 1, 1), (Bid, 1, 2), (Bid, 2, 0), (Ask, 1, 1)], 2, 2, 0, 1),
        ];
        for (trades, quantity, cost, realized, average) in cases {
            let holding = holding(trades);
            assert_eq!(holding.quantity.raw(), quantity, "{trades:?}");
            assert_eq!(holding.cost.raw(), cost, "{trades:?}");
            assert_eq!(holding.realized.raw(), realized, "{trades:?}");
            assert_eq!(holding.average_price().raw(), average, "{trades:?}");
        }
    }

    #[test]
    fn a_winning_long_and_a_winning_short_pay_out() {
        let mut long = holding(&[(Side::Bid, 4_000, 100)]);
        long.settle(Price::ONE);
        assert_eq!(long.realized, Dollars::from_raw(600_000));
        let mut short = holding(&[(Side::Ask, 4_000, 100)]);
        assert_eq!(short.tied(), Dollars::from_raw(600_000));
        short.settle(Price::ZERO);
        assert_eq!(short.realized, Dollars::from_raw(400_000));
        assert_eq!(short.quantity, Quantity::ZERO);
    }

    proptest! {
        #[test]
        fn cost_minus_realized_moves_by_what_was_paid(
            trades in prop::collection::vec((any::<bool>(), 1_u32..10_000, 1_i64..100_000), 0..60),
        ) {
            let mut holding = Holding::default();
            let mut paid = Dollars::ZERO;
            let mut position = Quantity::ZERO;
            for (is_bid, price, quantity) in trades {
                let side = if is_bid { Side::Bid } else { Side::Ask };
                let (price, quantity) = (Price::from_raw(price), Quantity::from_raw(quantity));
                holding.trade(side, price, quantity, Dollars::ZERO);
                paid += price * signed(side, quantity);
                position += signed(side, quantity);
                prop_assert_eq!(holding.cost - holding.realized, paid);
                prop_assert_eq!(holding.quantity, position);
                prop_assert!(holding.average_price() <= Price::ONE);
                prop_assert!(!holding.quantity.is_zero() || holding.cost.is_zero());
            }
        }
    }
}
