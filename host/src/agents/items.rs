//! [`Item`]: one thing that waits in a mailbox; and the [`Marks`] of what waits already.

use std::sync::Arc;

use hotpit_units::Timestamp;

use crate::model::{Game, GameId, Market, MarketId, Notice, Trade};

/// A place among the agents: one for each loaded agent, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u64);

/// Why an agent is told that what it knows may be stale: the codes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GapCause {
    /// The agent was restarted after a fault, and what it was at is lost.
    Restarted = 0,
    /// The stream broke.
    StreamBroke = 1,
    /// The agent was too slow.
    TooSlow = 2,
}

/// One thing that waits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// The quote of a market, as it is when the batch is made.
    Quote(MarketId),
    /// The status and the quote of a market, as they are when the batch is made.
    MarketState(MarketId),
    /// The state of a game, as it is when the batch is made.
    GameState(GameId),
    /// A trade.
    Trade(MarketId, Arc<Trade>),
    /// A market as it was at this time.
    Market(MarketId, Arc<Market>, Timestamp),
    /// A game as it was.
    Game(GameId, Box<Game>),
    /// Word on an own order.
    Notice(Box<Notice>),
    /// What was known of a market, or of everything, may be stale.
    Gap(Option<MarketId>, GapCause, u64),
}

/// What is queued for each market: a byte each, by handle, because handles are dense.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<u8>);

impl Marks {
    pub(super) const QUOTE: u8 = 1;
    pub(super) const STATE: u8 = 2;
    pub(super) const GAP: u8 = 4;

    /// Sets a mark; whether it was not set. The state of a market has its quote in it.
    pub(super) fn set(&mut self, market: MarketId, mark: u8) -> bool {
        let index = market.0 as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, 0);
        }
        let marks = &mut self.0[index];
        let covered = if mark == Self::QUOTE { Self::QUOTE | Self::STATE } else { mark };
        let is_new = *marks & covered == 0;
        if is_new {
            *marks |= mark;
        }
        is_new
    }

    pub(super) fn clear(&mut self, market: MarketId, mark: u8) {
        if let Some(marks) = self.0.get_mut(market.0 as usize) {
            *marks &= !mark;
        }
    }
}
