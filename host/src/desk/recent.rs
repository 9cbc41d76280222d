//! [`Recent`]: what one agent did a moment ago, as far as a check asks for it. Bounded, whatever
//! the agent does.

use std::collections::VecDeque;
use std::time::Duration;

use hotpit_units::{Price, Quantity, Side, Timestamp};

use super::market_table::MarketSlot;
use super::orders::OrderKey;

/// How many approved intents are remembered.
const INTENTS_KEPT: usize = 32;

/// How many fills are remembered: no limit can ask for more.
pub(super) const FILLS_KEPT: usize = 1_024;

/// How many orders must have been sent before the next one can be unusual.
const USUAL_AFTER: usize = 5;

/// An approved intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Timestamp,
    pub(super) key: OrderKey,
    pub(super) market: MarketSlot,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) quantity: Quantity,
}

/// The last intents and fills of an agent.
#[derive(Debug, Default)]
pub(super) struct Recent {
    sent: VecDeque<Sent>,
    fills: VecDeque<(Timestamp, MarketSlot)>,
    /// Orders that the exchange refused since it took one.
    pub(super) refused: u32,
}

impl Recent {
    pub(super) fn sent(&mut self, intent: Sent) {
        if self.sent.len() == INTENTS_KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back(intent);
    }

    /// Times that were remembered mean nothing any more.
    pub(super) fn forget_when(&mut self) {
        self.fills.clear();
        self.sent.iter_mut().for_each(|it| it.at = Timestamp::EPOCH);
    }

    pub(super) fn filled(&mut self, market: MarketSlot, at: Timestamp) {
        if self.fills.len() == FILLS_KEPT {
            self.fills.pop_front();
        }
        self.fills.push_back((at, market));
    }

    /// The intents of the last `window`, newest first.
    pub(super) fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &Sent> {
        self.sent.iter().rev().take_while(move |it| now.since(it.at) < window)
    }

    /// The largest order among the last ones; none: too few were sent to say what is usual.
    pub(super) fn largest(&self) -> Option<Quantity> {
        let largest = self.sent.iter().map(|it| it.quantity).max();
        largest.filter(|_| self.sent.len() >= USUAL_AFTER)
    }

    /// How many fills there were in a market in the last `window`.
    pub(super) fn fills_within(&self, market: MarketSlot, window: Duration, now: Timestamp) -> u32 {
        let recent = self.fills.iter().rev().take_while(|(at, _)| now.since(*at) < window);
        let count = recent.filter(|(_, of)| *of == market).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn what_is_usual_is_known_after_some_orders() {
        let mut recent = Recent::default();
        for contracts in [1, 9, 2, 3, 4] {
            assert_eq!(recent.largest(), None);
            recent.sent(Sent {
                at: NOW,
                key: OrderKey::numbered(1),
                market: MarketSlot::FIRST,
                side: Side::Bid,
                price: Price::from_cents(40),
                quantity: Quantity::from_contracts(contracts),
            });
        }
        assert_eq!(recent.largest(), Some(Quantity::from_contracts(9)));
        assert_eq!(recent.within(Duration::from_millis(1), NOW).count(), 5);
        let later = NOW + Duration::from_millis(1);
        assert_eq!(recent.within(Duration::from_millis(1), later).count(), 0);
    }

    #[test]
    fn fills_are_counted_by_market_and_window() {
        let mut recent = Recent::default();
        for millis in 0..2_000 {
            recent.filled(MarketSlot::FIRST, NOW + Duration::from_millis(millis));
        }
        recent.filled(MarketSlot::LAST, NOW + Duration::from_millis(2_000));
        let now = NOW + Duration::from_millis(2_000);
        let count = |market| recent.fills_within(market, Duration::from_millis(100), now);
        assert_eq!((count(MarketSlot::FIRST), count(MarketSlot::LAST)), (99, 1));
        assert_eq!(recent.fills.len(), FILLS_KEPT);
    }
}
