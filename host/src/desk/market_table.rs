//! The markets that the desk has to do with, by handle and by ticker.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};

use super::agent_table::AgentSlot;
use super::exposure::{Ends, Working};
use crate::model::{FeeSchedule, Market, MarketId, MarketStatus, Quote};

/// A market as the rest of the host sees it at one moment.
#[derive(Debug, Clone)]
pub struct MarketView {
    /// Its handle in this run.
    pub id: MarketId,
    /// What is known of it apart from its book.
    pub market: Arc<Market>,
    /// The best levels of its book.
    pub quote: Quote,
    /// Whether the book is the exchange's: false while it is rebuilt after a break.
    pub synced: bool,
    /// When the book was last known to be right: its last change, or a later proof that the
    /// stream it comes from is alive.
    pub as_of: Timestamp,
    /// When the state of the game that the market is on was received; none: not on a game that
    /// the host follows.
    pub game_as_of: Option<Timestamp>,
}

/// The desk's own handle for a market: restored positions and reports of the exchange name
/// markets by ticker, before (or without) the cache knowing them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MarketSlot(u32);

impl MarketSlot {
    pub(super) const FIRST: Self = Self(0);
    pub(super) const LAST: Self = Self(u32::MAX);

    #[cfg(test)]
    pub(super) const fn numbered(number: u32) -> Self {
        Self(number)
    }
}

/// What the desk knows of a market.
#[derive(Debug)]
pub(super) struct MarketState {
    pub(super) ticker: Arc<str>,
    /// The latest view; none: the cache does not know the market (yet).
    pub(super) view: Option<MarketView>,
    /// The position of the account: what all agents hold, netted as the exchange nets it.
    pub(super) held: Quantity,
    /// Orders of all agents.
    pub(super) working: Working,
    /// Prices at which own orders may rest, with how many.
    bids: BTreeMap<Price, u32>,
    asks: BTreeMap<Price, u32>,
    /// What all agents together lose at either end, fees of orders included.
    pub(super) ends: Ends,
    /// What a contract was worth when that could be told last.
    pub(super) last_mark: Option<Price>,
    /// What positions here were closed at, when the market paid out.
    pub(super) closed_at: Option<Price>,
    /// It was told that fees are not what the formula gives.
    pub(super) fees_differ: bool,
    /// When a fill was booked here last.
    pub(super) traded: Timestamp,
    /// When it was seen or traded last.
    pub(super) touched: Timestamp,
    /// The shard that it lives on; 0, which is where most do, until it is known.
    pub(super) shard: i32,
    /// Who has a stake here.
    pub(super) holders: Vec<AgentSlot>,
}

impl MarketState {
    fn new(ticker: Arc<str>) -> Self {
        Self {
            ticker,
            view: None,
            held: Quantity::ZERO,
            working: Working::default(),
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            ends: Ends::default(),
            last_mark: None,
            closed_at: None,
            fees_differ: false,
            traded: Timestamp::EPOCH,
            touched: Timestamp::EPOCH,
            shard: 0,
            holders: Vec::new(),
        }
    }

    pub(super) fn id(&self) -> Option<MarketId> {
        self.view.as_ref().map(|view| view.id)
    }

    /// How fees are charged here; where it is not known, the dearest way is assumed.
    pub(super) fn fees(&self) -> FeeSchedule {
        self.view.as_ref().map_or(
            FeeSchedule { fee_type: crate::model::FeeType::Other, multiplier_milli: 1_000 },
            |view| view.market.fees,
        )
    }

    /// What a contract is worth: what it will pay where that is known, else the middle of a
    /// synced book with both sides. None: it cannot be told, and is not guessed.
    pub(super) fn mark(&self) -> Option<Price> {
        let view = self.view.as_ref()?;
        if let Some(price) = self.settlement() {
            return Some(price);
        }
        match (view.synced, view.quote.bid, view.quote.ask) {
            (true, Some(bid), Some(ask)) => {
                Some(Price::from_raw(u32::midpoint(bid.price.raw(), ask.price.raw())))
            }
            (true, _, None) | (true, None, _) | (false, _, _) => None,
        }
    }

    /// What a contract is worth by the last that was known: the mark, or the last one held within
    /// what a synced book still says. Nobody sells for less than the best bid pays, and an ask alone,
    /// as in a market that goes to nothing, is the most that it is worth.
    fn marked_now(&self) -> Option<Price> {
        let now = self.mark();
        let Some(view) = self.view.as_ref().filter(|view| now.is_none() && view.synced) else {
            return now.or(self.last_mark);
        };
        let [bid, ask] =
            [view.quote.bid, view.quote.ask].map(|level| level.map(|level| level.price));
        let last = self.last_mark.or(bid).or(ask)?;
        let held_down = ask.map_or(last, |ask| last.min(ask));
        Some(bid.map_or(held_down, |bid| held_down.max(bid)))
    }

    /// What a contract will pay, once the result is known.
    pub(super) fn settlement(&self) -> Option<Price> {
        let market = &self.view.as_ref()?.market;
        match market.status {
            MarketStatus::Determined | MarketStatus::Amended | MarketStatus::Finalized => {
                market.settlement
            }
            MarketStatus::Initialized
            | MarketStatus::Active
            | MarketStatus::Inactive
            | MarketStatus::Closed
            | MarketStatus::Disputed
            | MarketStatus::Unknown => None,
        }
    }

    /// What a contract has paid: the exchange has moved the money.
    pub(super) fn paid(&self) -> Option<Price> {
        let finalized = self.view.as_ref()?.market.status == MarketStatus::Finalized;
        if finalized { self.settlement() } else { None }
    }

    /// The best price at which an own order on `side` may rest.
    pub(super) fn own_best(&self, side: Side) -> Option<Price> {
        match side {
            Side::Bid => self.bids.last_key_value().map(|(price, _)| *price),
            Side::Ask => self.asks.first_key_value().map(|(price, _)| *price),
        }
    }

    pub(super) fn add_level(&mut self, side: Side, price: Price) {
        *self.levels(side).entry(price).or_default() += 1;
    }

    pub(super) fn remove_level(&mut self, side: Side, price: Price) {
        let levels = self.levels(side);
        if let Some(count) = levels.get_mut(&price) {
            *count -= 1;
            if *count == 0 {
                levels.remove(&price);
            }
        }
    }

    fn levels(&mut self, side: Side) -> &mut BTreeMap<Price, u32> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// All markets that the desk has to do with. A slot stays valid until its market is removed.
#[derive(Debug, Default)]
pub(super) struct MarketTable {
    all: Vec<MarketState>,
    /// Slots of removed markets, to be used again.
    free: Vec<MarketSlot>,
    by_ticker: BTreeMap<Arc<str>, MarketSlot>,
    by_id: BTreeMap<MarketId, MarketSlot>,
}

impl MarketTable {
    /// The slot of a ticker, made if there is none.
    pub(super) fn slot(&mut self, ticker: &Arc<str>) -> MarketSlot {
        if let Some(slot) = self.by_ticker.get(ticker) {
            return *slot;
        }
        let state = MarketState::new(Arc::clone(ticker));
        let slot = if let Some(slot) = self.free.pop() {
            *self.get_mut(slot) = state;
            slot
        } else {
            self.all.push(state);
            MarketSlot(u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX))
        };
        self.by_ticker.insert(Arc::clone(ticker), slot);
        slot
    }

    /// Forgets a market in which nobody has anything and to which nothing refers.
    pub(super) fn remove(&mut self, slot: MarketSlot) {
        let state = std::mem::replace(self.get_mut(slot), MarketState::new(Arc::from("")));
        self.by_ticker.remove(&state.ticker);
        if let Some(id) = state.id() {
            self.by_id.remove(&id);
        }
        self.free.push(slot);
    }

    /// Takes in a view.
    pub(super) fn see(&mut self, view: MarketView, now: Timestamp) -> MarketSlot {
        let slot = match self.by_id.get(&view.id) {
            Some(slot) => *slot,
            None => {
                let slot = self.slot(&view.market.ticker);
                self.by_id.insert(view.id, slot);
                slot
            }
        };
        let state = self.get_mut(slot);
        state.view = Some(view);
        state.touched = now;
        state.last_mark = state.marked_now();
        slot
    }

    pub(super) fn find(&self, ticker: &str) -> Option<MarketSlot> {
        self.by_ticker.get(ticker).copied()
    }

    pub(super) fn by_id(&self, id: MarketId) -> Option<MarketSlot> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn get(&self, slot: MarketSlot) -> &MarketState {
        &self.all[slot.0 as usize]
    }

    pub(super) fn get_mut(&mut self, slot: MarketSlot) -> &mut MarketState {
        &mut self.all[slot.0 as usize]
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut MarketState> {
        self.all.iter_mut()
    }

    /// By ticker, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (MarketSlot, &MarketState)> {
        self.by_ticker.values().map(|slot| (*slot, self.get(*slot)))
    }
}
