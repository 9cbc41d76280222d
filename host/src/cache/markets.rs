//! Markets and their books, by handle.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use hotpit_units::Timestamp;

use super::{View, lock, read, write};
use crate::bus::{Delta, Snapshot};
use crate::model::{Book, BookError, Market, MarketId, MarketStatus, Quote, Statistics};
use std::sync::RwLock;

/// All markets. Grows, never shrinks: a handle stays good for the run.
#[derive(Debug, Default)]
pub(super) struct Markets {
    ids: HashMap<Arc<str>, MarketId>,
    slots: Vec<Slot>,
    by_event: BTreeMap<Arc<str>, Vec<MarketId>>,
    by_series: BTreeMap<Arc<str>, Vec<MarketId>>,
}

/// One market.
#[derive(Debug)]
pub(super) struct Slot {
    ticker: Arc<str>,
    info: RwLock<Option<Arc<Market>>>,
    statistics: Mutex<Option<Statistics>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    book: Book,
    quote: Quote,
    synced: bool,
    ts: Timestamp,
    received: Timestamp,
}

/// What a delta did.
pub(super) enum Applied {
    /// The book is not synced: nothing.
    Unsynced,
    /// Moved a level behind the best.
    Deep,
    /// Moved a best level.
    Top,
    /// Did not fit: the book is stale now.
    Broken(Break),
}

/// What a snapshot did.
pub(super) enum Replaced {
    /// The best levels are what they were, and the book was synced.
    Same,
    /// The best levels changed, or the book is synced again.
    Top,
    /// It is no book. Whether there was a synced one before.
    Broken { why: Break, was_synced: bool },
}

/// Why a book broke.
pub(super) enum Break {
    Book(BookError),
    Crossed(Quote),
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Book(error) => error.fmt(f),
            Self::Crossed(Quote { bid: Some(bid), ask: Some(ask) }) => {
                write!(f, "crossed: bid {} ask {}", bid.price, ask.price)
            }
            Self::Crossed(_) => f.write_str("crossed"),
        }
    }
}

impl Markets {
    pub(super) fn id(&self, ticker: &str) -> Option<MarketId> {
        self.ids.get(ticker).copied()
    }

    pub(super) fn slot(&self, id: MarketId) -> Option<&Slot> {
        self.slots.get(id.0 as usize)
    }

    pub(super) fn find(&self, ticker: &str) -> Option<(MarketId, &Slot)> {
        let id = self.id(ticker)?;
        Some((id, self.slot(id)?))
    }

    /// The handle of a ticker, given now if it has none.
    pub(super) fn intern(&mut self, ticker: &Arc<str>) -> MarketId {
        if let Some(id) = self.id(ticker) {
            return id;
        }
        #[expect(clippy::expect_used, reason = "4 billion slots do not fit into memory")]
        let id = MarketId(u32::try_from(self.slots.len()).expect("fewer than 2^32 markets"));
        self.slots.push(Slot {
            ticker: Arc::clone(ticker),
            info: RwLock::default(),
            statistics: Mutex::default(),
            state: Mutex::default(),
        });
        self.ids.insert(Arc::clone(ticker), id);
        id
    }

    /// Takes in what is known of a market; whether that is news.
    pub(super) fn describe(&mut self, market: &Arc<Market>) -> (MarketId, bool) {
        let id = self.intern(&market.ticker);
        let Some(slot) = self.slots.get(id.0 as usize) else { return (id, false) };
        let before = write(&slot.info).replace(Arc::clone(market));
        let Some(before) = before else {
            index(&mut self.by_event, &market.event_ticker, id);
            index(&mut self.by_series, &market.series_ticker, id);
            return (id, true);
        };
        if before.event_ticker != market.event_ticker {
            unindex(&mut self.by_event, &before.event_ticker, id);
            index(&mut self.by_event, &market.event_ticker, id);
        }
        if before.series_ticker != market.series_ticker {
            unindex(&mut self.by_series, &before.series_ticker, id);
            index(&mut self.by_series, &market.series_ticker, id);
        }
        (id, *before != **market)
    }

    /// The described ones of these tickers, ascending.
    pub(super) fn described<'a>(
        &self,
        tickers: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Vec<MarketId> {
        let mut ids: Vec<MarketId> = tickers
            .into_iter()
            .filter_map(|ticker| self.find(ticker))
            .filter(|(_, slot)| read(&slot.info).is_some())
            .map(|(id, _)| id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub(super) fn of_event(&self, event: &str) -> Vec<MarketId> {
        self.by_event.get(event).cloned().unwrap_or_default()
    }

    /// Those of a series that can still trade: a series has years of settled markets.
    pub(super) fn of_series(&self, series: &str) -> Vec<MarketId> {
        let mut ids = self.by_series.get(series).cloned().unwrap_or_default();
        ids.retain(|id| {
            let info = self.slot(*id).and_then(Slot::info);
            info.is_some_and(|market| !is_over(market.status))
        });
        ids
    }

    /// Those that ever had a book and can still trade.
    pub(super) fn books(&self) -> Vec<(Arc<str>, View)> {
        let books = self.slots.iter().map(|slot| (slot, slot.view()));
        books
            .filter(|(_, view)| view.received > Timestamp::EPOCH)
            .filter(|(slot, _)| !slot.info().is_some_and(|market| is_over(market.status)))
            .map(|(slot, view)| (Arc::clone(&slot.ticker), view))
            .collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<Market>> {
        self.slots.iter().filter_map(Slot::info).collect()
    }
}

/// Whether a market in this state never trades again.
fn is_over(status: MarketStatus) -> bool {
    match status {
        MarketStatus::Determined
        | MarketStatus::Disputed
        | MarketStatus::Amended
        | MarketStatus::Finalized => true,
        MarketStatus::Initialized
        | MarketStatus::Active
        | MarketStatus::Inactive
        | MarketStatus::Closed
        | MarketStatus::Unknown => false,
    }
}

fn index(map: &mut BTreeMap<Arc<str>, Vec<MarketId>>, key: &Arc<str>, id: MarketId) {
    let ids = map.entry(Arc::clone(key)).or_default();
    if let Err(place) = ids.binary_search(&id) {
        ids.insert(place, id);
    }
}

fn unindex(map: &mut BTreeMap<Arc<str>, Vec<MarketId>>, key: &Arc<str>, id: MarketId) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|other| *other != id);
    }
}

impl Slot {
    pub(super) fn ticker(&self) -> &Arc<str> {
        &self.ticker
    }

    pub(super) fn info(&self) -> Option<Arc<Market>> {
        read(&self.info).clone()
    }

    /// Takes in the numbers of its trading, unless later ones are known.
    pub(super) fn count(&self, statistics: &Statistics) {
        let mut known = lock(&self.statistics);
        if known.as_ref().is_none_or(|known| known.ts <= statistics.ts) {
            *known = Some(statistics.clone());
        }
    }

    pub(super) fn statistics(&self) -> Option<Statistics> {
        lock(&self.statistics).clone()
    }

    pub(super) fn view(&self) -> View {
        let state = lock(&self.state);
        View { quote: state.quote, synced: state.synced, ts: state.ts, received: state.received }
    }

    pub(super) fn with_book<T>(&self, look: impl FnOnce(&Book, bool) -> T) -> T {
        let state = lock(&self.state);
        look(&state.book, state.synced)
    }

    pub(super) fn apply(&self, delta: &Delta, now: Timestamp) -> Applied {
        let mut state = lock(&self.state);
        if !state.synced {
            return Applied::Unsynced;
        }
        if let Err(error) = state.book.apply(delta.side, delta.price, delta.delta) {
            state.synced = false;
            return Applied::Broken(Break::Book(error));
        }
        state.ts = state.ts.max(delta.ts);
        state.received = now;
        let quote = state.book.quote();
        if quote == state.quote {
            return Applied::Deep;
        }
        if state.book.is_crossed() {
            // The quote stays what it was: nobody is shown a market that cannot be.
            state.synced = false;
            return Applied::Broken(Break::Crossed(quote));
        }
        state.quote = quote;
        Applied::Top
    }

    pub(super) fn replace(&self, snapshot: &Snapshot, now: Timestamp) -> Replaced {
        let book = Book::from_snapshot(snapshot.bids.clone(), snapshot.asks.clone());
        let mut state = lock(&self.state);
        let was_synced = state.synced;
        let book = match book {
            Ok(book) if book.is_crossed() => Err(Break::Crossed(book.quote())),
            Ok(book) => Ok(book),
            Err(error) => Err(Break::Book(error)),
        };
        match book {
            Err(why) => {
                state.synced = false;
                Replaced::Broken { why, was_synced }
            }
            Ok(book) => {
                let quote = book.quote();
                let same = was_synced && quote == state.quote;
                *state = State { book, quote, synced: true, ts: snapshot.ts, received: now };
                if same { Replaced::Same } else { Replaced::Top }
            }
        }
    }

    /// Makes the book stale; whether it was synced.
    pub(super) fn invalidate(&self) -> bool {
        std::mem::replace(&mut lock(&self.state).synced, false)
    }
}
