//! How far from the market a price may be, on the side that trades at once.

use hotpit_units::{Price, Side};

use super::{Case, Denial};

/// A buy at most so far above the best ask, a sell at most so far below the best bid. Where that
/// side of the book is empty the last mark stands for it; where there is none either, nobody can
/// say what the price is worth. A collar of a whole dollar is none.
pub(super) fn price(case: &Case<'_>) -> Result<(), Denial> {
    let order = case.question.order;
    let quote = case.view.quote;
    let opposite = match order.side {
        Side::Bid => quote.ask,
        Side::Ask => quote.bid,
    };
    let own = match order.side {
        Side::Bid => quote.bid,
        Side::Ask => quote.ask,
    };
    let price_of = |level: crate::model::Level| level.price;
    let reference = opposite.map(price_of).or(case.market.last_mark).or_else(|| own.map(price_of));
    let (price, limit) = (order.price, case.question.limits.price_collar);
    if limit >= Price::ONE {
        return Ok(());
    }
    let is_within = reference.is_some_and(|reference| match order.side {
        Side::Bid => price.raw() <= reference.raw().saturating_add(limit.raw()),
        Side::Ask => price.raw().saturating_add(limit.raw()) >= reference.raw(),
    });
    if is_within {
        return Ok(());
    }
    Err(Denial::PriceCollar { market: case.ticker(), price, reference, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::{Floor, ask, bid, lenient, view};
    use crate::desk::{Input, Limits, MarketView};
    use crate::model::Quote;

    fn limits() -> Limits {
        Limits { price_collar: Price::from_cents(10), ..lenient() }
    }

    fn floor() -> Floor {
        Floor::with_limits(limits())
    }

    fn denied(change: impl Fn(&mut MarketView), order: crate::model::NewOrder) -> Option<String> {
        let mut floor = floor();
        let mut seen = view(floor.now);
        change(&mut seen);
        floor.apply(Input::Market(seen));
        floor
            .desk
            .would_deny(&crate::desk::tests::agent(), &order, floor.now)
            .map(|it| it.to_string())
    }

    #[test]
    fn a_price_is_held_to_the_other_side_or_the_last_mark() {
        // The book is 40 at 60, the collar ten cents.
        assert_eq!(denied(|_| {}, bid(1, 70, 1)), None);
        assert_eq!(denied(|_| {}, ask(1, 30, 1)), None);
        let told = denied(|_| {}, bid(1, 71, 1)).unwrap();
        assert_eq!(told, "PRICE_COLLAR: market=KX-1 price=0.7100 reference=0.6000 limit=0.1000");
        assert!(denied(|_| {}, ask(1, 29, 1)).unwrap().contains("reference=0.4000"));
        // Without an ask the last mark, 50, stands for it.
        let no_ask = |view: &mut MarketView| view.quote.ask = None;
        assert_eq!(denied(no_ask, bid(1, 60, 1)), None);
        assert!(denied(no_ask, bid(1, 61, 1)).unwrap().contains("reference=0.5000"));
    }

    #[test]
    fn where_nothing_says_what_the_price_is_worth_the_answer_is_no() {
        let mut floor = Floor::cold_market(limits());
        let mut seen = view(floor.now);
        seen.quote = Quote::default();
        floor.apply(Input::Market(seen));
        let told = floor.denied(bid(1, 1, 1));
        assert_eq!(told, "PRICE_COLLAR: market=KX-1 price=0.0100 reference=none limit=0.1000");
    }
}
