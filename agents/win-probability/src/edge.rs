//! Whether a book offers enough against a fair price, the fee included.

use hotpit_agent::Level;
use hotpit_agent::prelude::*;

/// What there is to gain from taking a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Our side: a bid takes the best ask.
    pub(crate) side: Side,
    /// The level to take.
    pub(crate) level: Level,
    /// What a contract gains against the fair price after the fee.
    pub(crate) gain: Price,
}

/// Kalshi's taker fee of one contract: factor × price × (1 - price), rounded up to 1e-4 dollars.
/// (The exchange rounds the fee of the whole fill, which is never more.)
pub(crate) fn taker_fee(price: Price, factor_thousandths: u32) -> Price {
    let (raw, one) = (u64::from(price.raw()), u64::from(Price::ONE.raw()));
    let variance = raw * one.saturating_sub(raw);
    let fee = (variance * u64::from(factor_thousandths)).div_ceil(one * 1_000);
    Price::from_raw(u32::try_from(fee).unwrap_or(u32::MAX))
}

/// The better of buying at the best ask and selling at the best bid, if it gains at least `edge`
/// after the fee.
pub(crate) fn best_offer(
    fair: Price,
    book: &OrderBook,
    edge: Price,
    fee_thousandths: u32,
) -> Option<Offer> {
    let offer = |side: Side| {
        let level = book.best(side.opposite())?;
        let gross = match side {
            Side::Bid => fair.checked_sub(level.price),
            Side::Ask => level.price.checked_sub(fair),
        };
        let gain = gross?.checked_sub(taker_fee(level.price, fee_thousandths))?;
        (gain >= edge).then_some(Offer { side, level, gain })
    };
    [offer(Side::Bid), offer(Side::Ask)].into_iter().flatten().max_by_key(|offer| offer.gain)
}

#[cfg(test)]
mod tests {
    use hotpit_agent::testing::{cents, level};

    use super::*;

    #[test]
    fn the_fee_is_that_of_kalshis_schedule() {
        let cases = [
            (5_000, 175), // 0.07 × 0.25
            (1_000, 63),
            (9_000, 63),
            (100, 7), // 0.000693, rounded up
            (0, 0),
            (10_000, 0),
        ];
        for (price, fee) in cases {
            assert_eq!(taker_fee(Price::from_raw(price), 70).raw(), fee, "{price}");
        }
    }

    #[test]
    fn an_offer_gains_the_edge_after_the_fee() {
        let book = OrderBook { bids: vec![level(48, 7)], asks: vec![level(50, 9)], synced: true };
        let offer = |fair| best_offer(Price::from_raw(fair), &book, cents(3), 70);
        // The fee at 50 cents is 1.75 cents, at 48 cents 1.7472, rounded up to 1.75.
        assert_eq!(offer(5_474), None);
        let bought = offer(5_475).unwrap();
        assert_eq!((bought.side, bought.level, bought.gain), (Side::Bid, level(50, 9), cents(3)));
        assert_eq!(offer(4_326), None);
        let sold = offer(4_325).unwrap();
        assert_eq!((sold.side, sold.level), (Side::Ask, level(48, 7)));
    }

    #[test]
    fn an_empty_book_offers_nothing() {
        assert_eq!(best_offer(cents(99), &OrderBook::default(), Price::ZERO, 0), None);
    }
}
