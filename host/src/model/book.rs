//! The order book of one market: a snapshot, then deltas.

use hotpit_units::{Price, Quantity, Side};

use super::market::{Level, Quote};

/// A book of the YES leg. Built from a snapshot and moved by signed deltas; it never holds a
/// level without quantity.
///
/// Levels are kept best last, because nearly every change is near the best price: it moves few
/// elements of the vector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    /// Ascending: the best bid is last.
    bids: Vec<Level>,
    /// Descending: the best ask is last.
    asks: Vec<Level>,
}

/// Why a change does not fit the book: it is no longer the exchange's book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// A delta takes more than the level has.
    #[error("{side} level {price} has {has}, the delta takes it to {becomes}")]
    NegativeLevel {
        /// The side of the level.
        side: Side,
        /// The price of the level.
        price: Price,
        /// What the level has.
        has: Quantity,
        /// What it would have.
        becomes: Quantity,
    },
    /// A snapshot names a price twice.
    #[error("the snapshot has the {side} level {price} twice")]
    DuplicateLevel {
        /// The side of the level.
        side: Side,
        /// The price of the level.
        price: Price,
    },
}

impl Book {
    /// A book from the levels of a snapshot, in any order. Levels without quantity are left out.
    ///
    /// # Errors
    /// When a price stands twice on a side, or a quantity is negative.
    pub fn from_snapshot(bids: Vec<Level>, asks: Vec<Level>) -> Result<Self, BookError> {
        Ok(Self { bids: sorted(Side::Bid, bids)?, asks: sorted(Side::Ask, asks)? })
    }

    /// Moves a level by a signed quantity.
    ///
    /// # Errors
    /// When the level would become negative. The book is unchanged then.
    pub fn apply(&mut self, side: Side, price: Price, delta: Quantity) -> Result<(), BookError> {
        let levels = self.side_mut(side);
        let found = levels.binary_search_by(|level| worst_first(side, level.price, price));
        let has = found.map_or(Quantity::ZERO, |index| levels[index].quantity);
        let becomes = has.saturating_add(delta);
        if becomes.is_negative() {
            return Err(BookError::NegativeLevel { side, price, has, becomes });
        }
        match found {
            Ok(index) if becomes.is_zero() => {
                levels.remove(index);
            }
            Ok(index) => levels[index].quantity = becomes,
            Err(_) if becomes.is_zero() => {}
            Err(index) => levels.insert(index, Level { price, quantity: becomes }),
        }
        Ok(())
    }

    /// The best levels.
    #[must_use]
    pub fn quote(&self) -> Quote {
        Quote { bid: self.bids.last().copied(), ask: self.asks.last().copied() }
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = Level> + '_ {
        match side {
            Side::Bid => self.bids.iter().rev().copied(),
            Side::Ask => self.asks.iter().rev().copied(),
        }
    }

    /// Whether the best bid is at or above the best ask: a book that the exchange would have
    /// matched, so one that is not the exchange's.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bids.last(), self.asks.last()), (Some(bid), Some(ask)) if bid.price >= ask.price)
    }

    fn side_mut(&mut self, side: Side) -> &mut Vec<Level> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// The order in which levels are kept: the worst price first, the best last.
fn worst_first(side: Side, left: Price, right: Price) -> std::cmp::Ordering {
    match side {
        Side::Bid => left.cmp(&right),
        Side::Ask => right.cmp(&left),
    }
}

fn sorted(side: Side, mut levels: Vec<Level>) -> Result<Vec<Level>, BookError> {
    levels.retain(|level| !level.quantity.is_zero());
    levels.sort_unstable_by(|left, right| worst_first(side, left.price, right.price));
    for pair in levels.windows(2) {
        if pair[0].price == pair[1].price {
            return Err(BookError::DuplicateLevel { side, price: pair[0].price });
        }
    }
    if let Some(level) = levels.iter().find(|level| level.quantity.is_negative()) {
        let (price, becomes) = (level.price, level.quantity);
        return Err(BookError::NegativeLevel { side, price, has: Quantity::ZERO, becomes });
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn level(price: u32, quantity: i64) -> Level {
        Level { price: Price::from_raw(price), quantity: Quantity::from_raw(quantity) }
    }

    #[test]
    fn the_quote_is_the_best_of_each_side() {
        let book =
            Book::from_snapshot(vec![level(10, 1), level(40, 2)], vec![level(60, 3), level(50, 4)])
                .unwrap();
        assert_eq!(book.quote(), Quote { bid: Some(level(40, 2)), ask: Some(level(50, 4)) });
        assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), [level(50, 4), level(60, 3)]);
    }

    #[test]
    fn an_empty_side_has_no_quote() {
        assert_eq!(Book::from_snapshot(vec![], vec![]).unwrap().quote(), Quote::default());
    }

    #[test]
    fn a_delta_below_zero_is_refused_and_changes_nothing() {
        let mut book = Book::from_snapshot(vec![level(40, 5)], vec![]).unwrap();
        let before = book.clone();
        let error = book.apply(Side::Bid, Price::from_raw(40), Quantity::from_raw(-6)).unwrap_err();
        assert!(matches!(error, BookError::NegativeLevel { .. }), "{error}");
        assert_eq!(book, before);
    }

    #[test]
    fn a_price_that_stands_twice_is_refused() {
        let error = Book::from_snapshot(vec![level(40, 5), level(40, 1)], vec![]).unwrap_err();
        assert!(matches!(error, BookError::DuplicateLevel { .. }), "{error}");
    }

    fn change() -> impl Strategy<Value = (bool, u32, i64)> {
        (any::<bool>(), 1_u32..40, -50_i64..100)
    }

    proptest! {
        #[test]
        fn replayed_deltas_equal_a_naive_book(changes in prop::collection::vec(change(), 0..400)) {
            let mut book = Book::default();
            let mut naive: BTreeMap<(bool, u32), i64> = BTreeMap::new();
            for (is_bid, price, delta) in changes {
                let side = if is_bid { Side::Bid } else { Side::Ask };
                let has = naive.get(&(is_bid, price)).copied().unwrap_or(0);
                let applied = book.apply(side, Price::from_raw(price), Quantity::from_raw(delta));
                prop_assert_eq!(applied.is_ok(), has + delta >= 0);
                if applied.is_ok() {
                    naive.insert((is_bid, price), has + delta);
                    naive.retain(|_, quantity| *quantity != 0);
                }
                let side_of = |wanted: bool| {
                    naive.iter().filter(move |((is_bid, _), _)| *is_bid == wanted)
                        .map(|((_, price), quantity)| level(*price, *quantity))
                };
                let asks: Vec<_> = side_of(false).collect();
                let mut bids: Vec<_> = side_of(true).collect();
                bids.reverse();
                prop_assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), bids);
                prop_assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), asks);
            }
        }
    }
}
