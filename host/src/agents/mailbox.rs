//! [`Mailbox`]: what waits for one agent. Bounded, whatever the feed does and however slow the
//! agent is:
//!
//! - A quote is a mark on its market. Marked twice is marked once; the quote itself is read when
//!   the batch is made. There are never more marks than markets.
//! - Trades, market changes and game states are kept one by one, up to a bound. What comes beyond
//!   it is dropped and counted, and the agent is told by one gap, followed by the present state
//!   of all it follows.
//! - Order updates and fills have a bound of their own, so that no flood of market data ever
//!   costs an agent the word on its own orders.
//!
//! All of it comes out in the order it went in, and none of it while the actions of the last batch
//! are at the desk: what comes meanwhile waits here, and the desk's [`Receipt`] brings it out.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotpit_units::Timestamp;

use super::items::{GapCause, Item, Marks, Slot};
use super::run_queue::RunQueue;
use super::scope::Scope;
use crate::desk::{Receipt, Taken as TakenByDesk};
use crate::model::{Account, Game, GameId, Market, MarketId, Notice, Trade};

/// How much may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) notices: usize,
    pub(crate) timers: usize,
}

/// Where the actions of an agent's last batch are, and so, whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// The agent's: none are at the desk.
    #[default]
    Own,
    /// The desk's; the worker has not left the agent yet, or nobody runs it.
    Desk,
    /// The desk's; after it the agent runs if something waits.
    After,
    /// The desk's; after it the agent runs, because it was to run already.
    Next,
}

/// What waits for one agent, and what it may see.
#[derive(Debug)]
pub(crate) struct Mailbox {
    slot: Slot,
    runs: Arc<RunQueue>,
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The run queue knows that there is work, or the agent is being run, or it must not be run.
    scheduled: bool,
    turn: Turn,
    queue: VecDeque<Item>,
    marks: Marks,
    games_marked: BTreeSet<GameId>,
    events: usize,
    notices: usize,
    /// Dropped since the gap that waits in the queue was put there.
    lagging: Option<u64>,
    /// A gap for a stream that broke everywhere waits.
    all_stale: bool,
    timers: BTreeSet<Timestamp>,
    scope: Arc<Scope>,
    account: Arc<Account>,
    dropped: u64,
}

/// A batch's worth, apart from the items.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) scope: Arc<Scope>,
    pub(crate) account: Arc<Account>,
    /// Wake times that have come.
    pub(crate) timers: Vec<Timestamp>,
}

impl Mailbox {
    /// An empty mailbox whose agent is not live yet: nothing wakes a worker until
    /// [`open`](Self::open).
    pub(crate) fn new(slot: Slot, runs: Arc<RunQueue>, bounds: Bounds) -> Self {
        let inner = Mutex::new(Inner { scheduled: true, ..Inner::default() });
        Self { slot, runs, bounds, inner }
    }

    pub(crate) fn slot(&self) -> Slot {
        self.slot
    }

    /// The best levels of a market changed.
    pub(crate) fn quote(&self, market: MarketId) {
        self.put(|inner| inner.mark(market, Marks::QUOTE, Item::Quote(market)));
    }

    /// Somebody traded.
    pub(crate) fn trade(&self, market: MarketId, trade: &Arc<Trade>) {
        self.event(|| Item::Trade(market, Arc::clone(trade)));
    }

    /// What is known of a market changed.
    pub(crate) fn market(&self, id: MarketId, market: &Arc<Market>, now: Timestamp) {
        self.event(|| Item::Market(id, Arc::clone(market), now));
    }

    /// The state of a game changed.
    pub(crate) fn game(&self, id: GameId, game: &Game) {
        self.event(|| Item::Game(id, Box::new(game.clone())));
    }

    /// Word on an own order, with the account as it is now.
    pub(crate) fn notice(&self, notice: Notice, account: Arc<Account>) {
        let bound = self.bounds.notices;
        self.put(|inner| {
            inner.account = account;
            if inner.notices >= bound {
                inner.lag();
            } else {
                inner.notices += 1;
                inner.queue.push_back(Item::Notice(Box::new(notice)));
            }
            true
        });
    }

    /// The account as it is now.
    pub(crate) fn set_account(&self, account: Arc<Account>) {
        self.lock().account = account;
    }

    /// The stream broke for these markets, all of them among the agent's; for all at once if
    /// these are all it has.
    pub(crate) fn stale(&self, markets: &[MarketId]) {
        self.put(|inner| {
            if markets.len() > 1 && markets.len() >= inner.scope.markets.len() {
                if !std::mem::replace(&mut inner.all_stale, true) {
                    inner.queue.push_back(Item::Gap(None, GapCause::StreamBroke, 0));
                    inner.present_games();
                }
            } else {
                for &market in markets {
                    let gap = Item::Gap(Some(market), GapCause::StreamBroke, 0);
                    inner.mark(market, Marks::GAP, gap);
                }
            }
            for &market in markets {
                inner.mark(market, Marks::STATE, Item::MarketState(market));
            }
            !markets.is_empty()
        });
    }

    /// The agent begins anew: it is told so, and then the present state of everything.
    pub(crate) fn restarted(&self, events_lost: u64) {
        self.put(|inner| {
            inner.queue.push_front(Item::Gap(None, GapCause::Restarted, events_lost));
            inner.present_all();
            true
        });
    }

    /// The agent has a new instance that was told nothing yet: it is told the present state of
    /// everything.
    pub(crate) fn present(&self) {
        self.put(|inner| {
            inner.present_all();
            true
        });
    }

    /// Forgets the wake times: they were an instance's that is gone.
    pub(crate) fn forget_timers(&self) {
        self.lock().timers.clear();
    }

    /// Gives the agent this scope: it is told the present state of what is new in it, and hears
    /// no more of what is not in it.
    pub(crate) fn set_scope(&self, scope: Scope) {
        self.put(|inner| {
            let before = std::mem::replace(&mut inner.scope, Arc::new(scope));
            let now = Arc::clone(&inner.scope);
            if !before.markets.is_subset(&now.markets) || !before.games.is_subset(&now.games) {
                inner.retain(&now);
            }
            inner.present(&now, Some(&before))
        });
    }

    /// Adds to the scope.
    pub(crate) fn add_to_scope(&self, markets: &[MarketId], games: &[GameId]) {
        let mut scope = Scope::clone(&self.lock().scope);
        scope.markets.extend(markets);
        scope.games.extend(games);
        self.set_scope(scope);
    }

    /// A time at which to wake the agent. Tells whether there was room.
    pub(crate) fn add_timer(&self, at: Timestamp) -> bool {
        let mut inner = self.lock();
        if inner.timers.len() >= self.bounds.timers && !inner.timers.contains(&at) {
            inner.dropped += 1;
            return false;
        }
        inner.timers.insert(at);
        true
    }

    /// Has the agent run, whatever is known of it: it has a new instance, or was held up. While
    /// the desk has its actions, it runs after that.
    pub(crate) fn open(&self) {
        {
            let mut inner = self.lock();
            inner.scheduled = true;
            if matches!(inner.turn, Turn::After | Turn::Next) {
                inner.turn = Turn::Next;
                return;
            }
        }
        self.runs.ready(self.slot);
    }

    /// What goes to the desk with the agent's actions: until it is dropped, it is the desk's turn.
    pub(crate) fn receipt(self: &Arc<Self>) -> Receipt {
        self.lock().turn = Turn::Desk;
        Receipt::to(Arc::<Self>::clone(self))
    }

    /// Whether the desk has the agent's actions. If so, the agent is not to be run now; it is,
    /// as soon as the desk is done.
    pub(crate) fn waits_for_desk(&self) -> bool {
        let mut inner = self.lock();
        if inner.turn == Turn::Own {
            return false;
        }
        inner.turn = Turn::Next;
        true
    }

    /// Throws away what waits, the wake times too.
    pub(crate) fn clear(&self) {
        let mut inner = self.lock();
        let account = Arc::clone(&inner.account);
        let dropped = inner.dropped;
        // What is at the desk is there still.
        let turn = if inner.turn == Turn::Own { Turn::Own } else { Turn::Desk };
        *inner = Inner { scheduled: true, turn, account, dropped, ..Inner::default() };
    }

    /// Takes up to `most` items, in order, and the wake times that have come.
    pub(crate) fn take(&self, most: usize, now: Timestamp, items: &mut Vec<Item>) -> Taken {
        let mut inner = self.lock();
        for _ in 0..most {
            let Some(item) = inner.queue.pop_front() else { break };
            items.push(inner.taken(item));
        }
        let timers = if inner.timers.first().is_some_and(|first| *first <= now) {
            let later = inner.timers.split_off(&Timestamp::from_nanos(now.as_nanos() + 1));
            std::mem::replace(&mut inner.timers, later).into_iter().collect()
        } else {
            vec![]
        };
        Taken { scope: Arc::clone(&inner.scope), account: Arc::clone(&inner.account), timers }
    }

    /// The agent has run: if something waits, it is to run again after the others,
    /// and not before the desk is done with its actions.
    pub(crate) fn finish(&self) {
        let again = {
            let mut inner = self.lock();
            if inner.turn != Turn::Own {
                inner.turn = Turn::After;
                return;
            }
            inner.scheduled = !inner.queue.is_empty();
            inner.scheduled
        };
        if again {
            self.runs.ready(self.slot);
        }
    }

    /// What the agent may see now.
    pub(crate) fn view(&self) -> (Arc<Scope>, Arc<Account>) {
        let inner = self.lock();
        (Arc::clone(&inner.scope), Arc::clone(&inner.account))
    }

    /// Events, notices and wake times dropped so far, because too much waited.
    pub(crate) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Items that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    fn event(&self, item: impl FnOnce() -> Item) {
        let bound = self.bounds.events;
        self.put(|inner| {
            if inner.lagging.is_some() || inner.events >= bound {
                inner.lag();
            } else {
                inner.events += 1;
                inner.queue.push_back(item());
            }
            true
        });
    }

    /// Changes the queue; if that gave it something, the run queue learns of it.
    fn put(&self, change: impl FnOnce(&mut Inner) -> bool) {
        let wake = {
            let mut inner = self.lock();
            change(&mut inner) && !std::mem::replace(&mut inner.scheduled, true)
        };
        if wake {
            self.runs.ready(self.slot);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakenByDesk for Mailbox {
    fn taken(&self) {
        let again = {
            let mut inner = self.lock();
            match std::mem::take(&mut inner.turn) {
                // Whoever runs it, or will, goes on from here.
                Turn::Own | Turn::Desk => false,
                Turn::After => {
                    inner.scheduled = !inner.queue.is_empty();
                    inner.scheduled
                }
                Turn::Next => true,
            }
        };
        if again {
            self.runs.ready(self.slot);
        }
    }
}

impl Inner {
    /// Marks a market and queues the item, unless it is marked already; whether it was queued.
    fn mark(&mut self, market: MarketId, mark: u8, item: Item) -> bool {
        let is_new = self.marks.set(market, mark);
        if is_new {
            self.queue.push_back(item);
        }
        is_new
    }

    /// Drops one thing: behind all that waits there is a gap that counts it.
    fn lag(&mut self) {
        self.dropped += 1;
        match &mut self.lagging {
            Some(dropped) => *dropped += 1,
            None => {
                self.lagging = Some(1);
                self.queue.push_back(Item::Gap(None, GapCause::TooSlow, 0));
            }
        }
    }

    /// Accounts for an item that leaves the queue.
    fn taken(&mut self, item: Item) -> Item {
        match item {
            Item::Quote(market) => self.marks.clear(market, Marks::QUOTE),
            Item::MarketState(market) => self.marks.clear(market, Marks::STATE),
            Item::Gap(Some(market), ..) => self.marks.clear(market, Marks::GAP),
            Item::GameState(game) => {
                self.games_marked.remove(&game);
            }
            Item::Trade(..) | Item::Market(..) | Item::Game(..) => self.events -= 1,
            Item::Notice(_) => self.notices -= 1,
            Item::Gap(None, GapCause::TooSlow, _) => {
                let dropped = self.lagging.take().unwrap_or(0);
                self.present_all();
                return Item::Gap(None, GapCause::TooSlow, dropped);
            }
            Item::Gap(None, GapCause::StreamBroke, _) => self.all_stale = false,
            Item::Gap(None, GapCause::Restarted, _) => {}
        }
        item
    }

    /// Queues the present state of all that the agent follows.
    fn present_all(&mut self) {
        let scope = Arc::clone(&self.scope);
        self.present(&scope, None);
    }

    /// Queues the present state of all games that the agent follows.
    fn present_games(&mut self) {
        let scope = Arc::clone(&self.scope);
        let markets = BTreeSet::new();
        self.present(&Scope { markets, games: scope.games.clone() }, None);
    }

    /// Queues the present state of what is in the scope and was not `before`; whether there was
    /// anything.
    fn present(&mut self, scope: &Scope, before: Option<&Scope>) -> bool {
        let mut any = false;
        for &market in &scope.markets {
            if !before.is_some_and(|before| before.markets.contains(&market)) {
                any |= self.mark(market, Marks::STATE, Item::MarketState(market));
            }
        }
        for &game in &scope.games {
            let is_new = !before.is_some_and(|before| before.games.contains(&game));
            if is_new && self.games_marked.insert(game) {
                self.queue.push_back(Item::GameState(game));
                any = true;
            }
        }
        any
    }

    /// Takes out what is not in the scope; word on own orders stays.
    fn retain(&mut self, scope: &Scope) {
        let queue = std::mem::take(&mut self.queue);
        for item in queue {
            let stays = match &item {
                Item::Quote(market)
                | Item::MarketState(market)
                | Item::Trade(market, _)
                | Item::Market(market, ..)
                | Item::Gap(Some(market), ..) => scope.markets.contains(market),
                Item::GameState(game) | Item::Game(game, _) => scope.games.contains(game),
                Item::Notice(_) | Item::Gap(None, ..) => true,
            };
            if stays {
                self.queue.push_back(item);
            } else {
                self.taken(item);
            }
        }
    }
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
