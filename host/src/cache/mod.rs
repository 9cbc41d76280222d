//! [`Cache`]: the one place with the books, the markets and the games of this host.
//!
//! What comes out of the bus is applied here first; what changed goes to the agents, and the
//! desk and the agents read the state back by handle, each reader when it needs it. Nothing here
//! waits, and nothing here knows a socket, an agent or an order.
//!
//! What it promises:
//! - A book is synced only from a snapshot on. A delta for any other book is counted and ignored.
//! - A book that a delta does not fit, or that is crossed, is not the exchange's book: it goes
//!   stale, its market is named in [`Cache::next_broken`], and it stays stale until a snapshot.
//! - Handles are dense, given once and never used again for something else.
//! - Each book has its own lock, held for one change or one copy: a reader of one market does
//!   not hold up the writer of another.

mod games;
mod markets;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use hotpit_units::Timestamp;
use tokio::sync::Notify;

use self::games::Games;
use self::markets::{Markets, Slot};
use crate::bus::{Delta, Message, Snapshot};
use crate::model::{
    Book, Game, GameId, GameInfo, League, Market, MarketId, Quote, Statistics, Subscription, Trade,
};

/// What a message really changed. A message that says what was known already changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A market is new, or what is known of it apart from its book changed.
    Market(MarketId),
    /// The best levels of a book changed, or the book is synced again. Changes deeper in the
    /// book are applied without a word.
    Quote(MarketId),
    /// Somebody traded.
    Trade(MarketId, Arc<Trade>),
    /// A game is new, or what is known of it apart from its state changed.
    GameInfo(GameId),
    /// The state of a game changed.
    Game(GameId),
    /// These books were synced, and are not any more.
    Stale(Vec<MarketId>),
}

/// A market at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// The best levels; of a stale book, those it had last.
    pub quote: Quote,
    /// Whether the book is the exchange's. Nobody may trade on it while it is not.
    pub synced: bool,
    /// When the exchange changed the book last, any level of it.
    pub ts: Timestamp,
    /// When the host received that change.
    pub received: Timestamp,
}

/// How often what happened, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Deltas applied to a synced book.
    pub deltas: u64,
    /// Deltas ignored, because their book was not synced.
    pub deltas_unsynced: u64,
    /// Snapshots applied.
    pub snapshots: u64,
    /// Books that went stale because a delta or a snapshot did not fit.
    pub book_errors: u64,
    /// Books that went stale because they were crossed.
    pub crossed: u64,
    /// Books that went stale because the feed or the bus said so.
    pub stale: u64,
    /// Trades.
    pub trades: u64,
}

/// How far the clock of a host that publishes may be ahead of ours.
const AHEAD_MAX: Duration = Duration::from_secs(2);

/// Books, markets and games. Shared by [`Arc`]; every method takes `&self`.
#[derive(Debug, Default)]
pub struct Cache {
    markets: RwLock<Markets>,
    games: RwLock<Games>,
    broken: Mutex<BTreeSet<Arc<str>>>,
    broken_added: Notify,
    /// In nanoseconds.
    proved: AtomicU64,
    tally: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    deltas: AtomicU64,
    deltas_unsynced: AtomicU64,
    snapshots: AtomicU64,
    book_errors: AtomicU64,
    crossed: AtomicU64,
    stale: AtomicU64,
    trades: AtomicU64,
}

impl Cache {
    /// Applies one message of the bus and tells what it really changed; a message changes at
    /// most one thing. Messages about one market must come from one thread at a time, in order.
    pub fn apply(&self, message: &Message, now: Timestamp) -> Option<Change> {
        match message {
            Message::Delta(delta) => self.apply_delta(delta, now),
            Message::Snapshot(snapshot) => self.apply_snapshot(snapshot, now),
            Message::Trade(trade) => {
                count(&self.tally.trades);
                Some(Change::Trade(self.intern(&trade.ticker), Arc::new(trade.clone())))
            }
            Message::Statistics(statistics) => {
                let id = self.intern(&statistics.ticker);
                read(&self.markets).slot(id)?.count(statistics);
                None
            }
            Message::Market(market) => {
                let (id, changed) = write(&self.markets).describe(market);
                changed.then_some(Change::Market(id))
            }
            Message::Stale(stale) => self.apply_stale(&stale.tickers),
            Message::GameInfo(info) => {
                let (id, changed) = write(&self.games).describe(info);
                changed.then_some(Change::GameInfo(id))
            }
            Message::Game(game) => {
                let (id, changed) = write(&self.games).update(game);
                changed.then_some(Change::Game(id))
            }
            Message::BoardRead(board) => {
                write(&self.games).board_was_read(board, now);
                None
            }
            Message::Proof(proof) => {
                // From a clock far ahead it proves nothing. The last one counts, also if it says
                // less: a publisher that takes over may know less than the one before.
                let is_usable = proof.as_of <= now + AHEAD_MAX;
                let as_of = if is_usable { proof.as_of.min(now) } else { Timestamp::EPOCH };
                self.proved.store(as_of.as_nanos(), Ordering::Relaxed);
                None
            }
        }
    }

    /// As of when every book is as it was told, by the last [`Message::Proof`]; the epoch: none
    /// came.
    #[must_use]
    pub fn proved(&self) -> Timestamp {
        Timestamp::from_nanos(self.proved.load(Ordering::Relaxed))
    }

    /// When the scoreboard of a league was read last.
    #[must_use]
    pub fn board_read(&self, league: &League) -> Option<Timestamp> {
        read(&self.games).board_read(league)
    }

    /// What is known of a market; none until its first [`Message::Market`].
    #[must_use]
    pub fn market(&self, id: MarketId) -> Option<Arc<Market>> {
        read(&self.markets).slot(id)?.info()
    }

    /// The numbers of a market's trading, as far as they were heard.
    #[must_use]
    pub fn statistics(&self, id: MarketId) -> Option<Statistics> {
        read(&self.markets).slot(id)?.statistics()
    }

    /// The best levels of a market and how fresh they are; none for a handle that was never
    /// given.
    #[must_use]
    pub fn view(&self, id: MarketId) -> Option<View> {
        read(&self.markets).slot(id).map(Slot::view)
    }

    /// Every market that ever had a book, with how fresh it is.
    #[must_use]
    pub fn books(&self) -> Vec<(Arc<str>, View)> {
        read(&self.markets).books()
    }

    /// A copy of a book, and whether it is synced.
    #[must_use]
    pub fn book(&self, id: MarketId) -> Option<(Book, bool)> {
        self.with_book(id, |book, synced| (book.clone(), synced))
    }

    /// Reads a book in place: the book, and whether it is synced. The market's lock is held for
    /// as long as `look` runs: copy what is needed, and call nothing that waits or that reads
    /// the cache.
    pub fn with_book<T>(&self, id: MarketId, look: impl FnOnce(&Book, bool) -> T) -> Option<T> {
        read(&self.markets).slot(id).map(|slot| slot.with_book(look))
    }

    /// The handle of a market, if the cache ever heard of it.
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> Option<MarketId> {
        read(&self.markets).id(ticker)
    }

    /// The ticker of a market; none for a handle that was never given.
    #[must_use]
    pub fn ticker(&self, id: MarketId) -> Option<Arc<str>> {
        read(&self.markets).slot(id).map(|slot| Arc::clone(slot.ticker()))
    }

    /// The state of a game; none until its first [`Message::Game`].
    #[must_use]
    pub fn game(&self, id: GameId) -> Option<Game> {
        read(&self.games).game(id)
    }

    /// What is known of a game apart from its state; none until its first
    /// [`Message::GameInfo`].
    #[must_use]
    pub fn game_info(&self, id: GameId) -> Option<Arc<GameInfo>> {
        read(&self.games).info(id)
    }

    /// The handle of a game, if the cache ever heard of it.
    #[must_use]
    pub fn game_id(&self, espn_id: &str) -> Option<GameId> {
        read(&self.games).id(espn_id)
    }

    /// The game that a market is certain to be on.
    #[must_use]
    pub fn game_of_market(&self, id: MarketId) -> Option<GameId> {
        let ticker = self.ticker(id)?;
        read(&self.games).of_market(&ticker)
    }

    /// The markets that a subscription means now, ascending. A market counts once it is
    /// described: agents look its name up. One of a series counts while it can still trade,
    /// which is until it is determined.
    #[must_use]
    pub fn markets_matching(&self, subscription: &Subscription) -> Vec<MarketId> {
        match subscription {
            Subscription::Market(ticker) => read(&self.markets).described([ticker]),
            Subscription::Event(event) => read(&self.markets).of_event(event),
            Subscription::Series(series) => read(&self.markets).of_series(series),
            Subscription::League(league) => {
                let tickers = read(&self.games).markets_of(league);
                read(&self.markets).described(&tickers)
            }
        }
    }

    /// The games that a subscription means now, ascending: those of the league, once they are
    /// described. Other subscriptions mean no game.
    #[must_use]
    pub fn games_matching(&self, subscription: &Subscription) -> Vec<GameId> {
        match subscription {
            Subscription::League(league) => read(&self.games).of_league(league),
            Subscription::Market(_) | Subscription::Event(_) | Subscription::Series(_) => vec![],
        }
    }

    /// Every market that is described, ascending by handle.
    #[must_use]
    pub fn markets(&self) -> Vec<Arc<Market>> {
        read(&self.markets).all()
    }

    /// Every game of a league that is described, ascending by handle.
    #[must_use]
    pub fn games_of(&self, league: &League) -> Vec<Arc<GameInfo>> {
        let games = read(&self.games);
        games.of_league(league).into_iter().filter_map(|id| games.info(id)).collect()
    }

    /// How often what happened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            deltas: get(&self.tally.deltas),
            deltas_unsynced: get(&self.tally.deltas_unsynced),
            snapshots: get(&self.tally.snapshots),
            book_errors: get(&self.tally.book_errors),
            crossed: get(&self.tally.crossed),
            stale: get(&self.tally.stale),
            trades: get(&self.tally.trades),
        }
    }

    /// Waits until books broke by themselves (not because the feed said so), and takes their
    /// tickers, ascending: whoever feeds this cache must fetch fresh snapshots of them. Dropping
    /// the future loses nothing.
    pub async fn next_broken(&self) -> Vec<Arc<str>> {
        loop {
            // Made before the look, so that what breaks between look and wait still wakes us.
            let added = self.broken_added.notified();
            let broken = std::mem::take(&mut *lock(&self.broken));
            if !broken.is_empty() {
                return broken.into_iter().collect();
            }
            added.await;
        }
    }

    /// The handle of a ticker, given now if it has none.
    fn intern(&self, ticker: &Arc<str>) -> MarketId {
        let known = read(&self.markets).id(ticker);
        known.unwrap_or_else(|| write(&self.markets).intern(ticker))
    }

    fn apply_delta(&self, delta: &Delta, now: Timestamp) -> Option<Change> {
        let markets = read(&self.markets);
        let Some((id, slot)) = markets.find(&delta.ticker) else {
            count(&self.tally.deltas_unsynced);
            return None;
        };
        match slot.apply(delta, now) {
            markets::Applied::Unsynced => {
                count(&self.tally.deltas_unsynced);
                None
            }
            markets::Applied::Deep => {
                count(&self.tally.deltas);
                None
            }
            markets::Applied::Top => {
                count(&self.tally.deltas);
                Some(Change::Quote(id))
            }
            markets::Applied::Broken(why) => {
                self.note_broken(slot.ticker(), why);
                Some(Change::Stale(vec![id]))
            }
        }
    }

    fn apply_snapshot(&self, snapshot: &Snapshot, now: Timestamp) -> Option<Change> {
        let id = self.intern(&snapshot.ticker);
        let markets = read(&self.markets);
        let slot = markets.slot(id)?;
        match slot.replace(snapshot, now) {
            markets::Replaced::Same => {
                count(&self.tally.snapshots);
                None
            }
            markets::Replaced::Top => {
                count(&self.tally.snapshots);
                Some(Change::Quote(id))
            }
            markets::Replaced::Broken { why, was_synced } => {
                self.note_broken(slot.ticker(), why);
                was_synced.then(|| Change::Stale(vec![id]))
            }
        }
    }

    fn apply_stale(&self, tickers: &[Arc<str>]) -> Option<Change> {
        let markets = read(&self.markets);
        let find = |ticker: &Arc<str>| markets.find(ticker);
        let stale: Vec<MarketId> = tickers
            .iter()
            .filter_map(find)
            .filter_map(|(id, slot)| slot.invalidate().then_some(id))
            .collect();
        let added = u64::try_from(stale.len()).unwrap_or(u64::MAX);
        self.tally.stale.fetch_add(added, Ordering::Relaxed);
        (!stale.is_empty()).then_some(Change::Stale(stale))
    }

    fn note_broken(&self, ticker: &Arc<str>, why: markets::Break) {
        match &why {
            markets::Break::Book(_) => count(&self.tally.book_errors),
            markets::Break::Crossed(_) => count(&self.tally.crossed),
        }
        tracing::warn!(%ticker, %why, "book broke: it is stale until its next snapshot");
        lock(&self.broken).insert(Arc::clone(ticker));
        self.broken_added.notify_one();
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

// A panic while a lock is held is a defect that ends in the log; what the lock guards is whole
// at every step, so the others go on.

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
