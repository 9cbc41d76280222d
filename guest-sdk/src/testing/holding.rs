//! [`Holding`]: what a market's trades make of a position, with the arithmetic of the host.

use hotpit_units::{Dollars, Price, Quantity, Side};

use crate::{MarketId, Position};

/// The cost is kept, not the average price, so that rounding loses no money.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Holding {
    quantity: Quantity,
    /// What the open part cost, signed like the quantity.
    cost: Dollars,
    realized: Dollars,
}

impl Holding {
    pub(super) fn trade(&mut self, side: Side, price: Price, quantity: Quantity) {
        let signed = |quantity: Quantity| if side == Side::Bid { quantity } else { -quantity };
        let closes = self.quantity.raw().signum() * signed(quantity).raw().signum() < 0;
        let closing = if closes { quantity.min(self.quantity.abs()) } else { Quantity::ZERO };
        if closes {
            let cost = share(self.cost, closing, self.quantity.abs());
            self.realized = self.realized - price * signed(closing) - cost;
            self.cost -= cost;
        }
        self.cost += price * signed(quantity - closing);
        self.quantity += signed(quantity);
    }

    pub(super) fn position(&self, market: MarketId) -> Position {
        Position {
            quantity: self.quantity,
            average_price: self.average_price(),
            realized: self.realized,
            ..Position::flat(market)
        }
    }

    /// Rounded to the nearest 1e-4 dollars.
    fn average_price(&self) -> Price {
        let quantity = self.quantity.raw().unsigned_abs();
        if quantity == 0 {
            return Price::ZERO;
        }
        let average = (self.cost.raw().unsigned_abs() + quantity / 2) / quantity;
        Price::from_raw(u32::try_from(average).unwrap_or(u32::MAX))
    }
}

/// `whole × part / of`, rounded towards zero.
fn share(whole: Dollars, part: Quantity, of: Quantity) -> Dollars {
    let exact = i128::from(whole.raw()) * i128::from(part.raw()) / i128::from(of.raw());
    Dollars::from_raw(i64::try_from(exact).unwrap_or(i64::MAX))
}
