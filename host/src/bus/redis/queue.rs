//! [`Queue`]: what waits to be published, and the state that snapshot keys are made of.
//!
//! When it is full, or Redis is away:
//! - Book data is conflated: the market's changes are no longer queued, and as soon as there is
//!   room one snapshot of its book takes their place. No sequence number is missed.
//! - A trade, a market or a game is dropped and counted, and its sequence number is missed: every
//!   subscriber sees the gap.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotpit_units::{Side, Timestamp};
use tokio::sync::Notify;

use super::VERSION;
use super::envelope::{Channel, Seqs};
use super::keys::{BookKey, GameKey, MarketKey, Subject};
use crate::bus::{Message, Snapshot, Stale};
use crate::cache::Cache;
use crate::model::Level;

/// How many conflated books become snapshots at once.
const RECOVER_MAX: usize = 256;

/// One envelope to be.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) channel: Channel,
    pub(super) seq: u64,
    pub(super) ts: Timestamp,
    /// None in a heartbeat.
    pub(super) body: Option<Message>,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) queued: u64,
    pub(super) conflated: u64,
    pub(super) dropped_full: u64,
    pub(super) dropped_down: u64,
}

/// Shared by the feeds, which publish, and the one writer.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Books, markets and games as of the last message that was published, trades apart.
    shadow: Cache,
    wake: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// The last sequence number of each channel.
    seqs: Seqs,
    connected: bool,
    /// Markets whose changes are not queued until a snapshot is.
    conflated: BTreeSet<Arc<str>>,
    /// Keys that are not what they should be.
    dirty: HashSet<Subject>,
    /// Every key there is.
    known: HashSet<Subject>,
    counts: Counts,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), shadow: Cache::default(), wake: Notify::new(), capacity }
    }

    /// Takes a message in; never waits for the writer.
    pub(super) fn publish(&self, message: Message, received: Timestamp) {
        let mut state = self.lock();
        if matches!(message, Message::Proof(_)) && !state.conflated.is_empty() {
            // Changes of these books are held back, so that it is not so. The next one will be.
            return;
        }
        self.track(&mut state, &message, received);
        let channel = Channel::of(&message);
        let book = book_of(&message);
        if !state.connected {
            // With the connection every book is sent anew.
            *state.seqs.of(channel) += 1;
            state.counts.dropped_down += 1;
        } else if book.is_some_and(|ticker| state.conflated.contains(ticker)) {
            state.counts.conflated += 1;
        } else if state.items.len() < self.capacity {
            state.push(channel, received, Some(message));
            drop(state);
            self.wake.notify_one();
        } else if channel == Channel::Markets {
            state.counts.conflated += 1;
            match message {
                Message::Stale(stale) => state.conflated.extend(stale.tickers),
                Message::Snapshot(Snapshot { ticker, .. })
                | Message::Delta(crate::bus::Delta { ticker, .. }) => {
                    state.conflated.insert(ticker);
                }
                // The next one says as much.
                Message::Proof(_)
                | Message::Market(_)
                | Message::Trade(_)
                | Message::Statistics(_)
                | Message::GameInfo(_)
                | Message::Game(_)
                | Message::BoardRead(_) => {}
            }
        } else {
            *state.seqs.of(channel) += 1;
            state.counts.dropped_full += 1;
        }
    }

    /// Waits until something was published since the last wait.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// Redis is there: from now on messages are queued, every book first.
    pub(super) fn connected(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.connected = true;
        state.dirty.clone_from(&state.known);
        state.conflated.clear();
        for subject in &state.known {
            if let Subject::Book(ticker) = subject {
                state.conflated.insert(Arc::clone(ticker));
            }
        }
    }

    /// Redis is away: what waits is dropped.
    pub(super) fn disconnected(&self) {
        let mut state = self.lock();
        state.connected = false;
        let dropped = state.items.iter().filter(|item| item.body.is_some()).count();
        state.counts.dropped_down += u64::try_from(dropped).unwrap_or(u64::MAX);
        state.items.clear();
    }

    /// Queues a heartbeat for each channel.
    pub(super) fn heartbeat(&self, now: Timestamp) {
        let mut state = self.lock();
        for channel in Channel::ALL {
            let seq = *state.seqs.of(channel);
            state.items.push_back(Item { channel, seq, ts: now, body: None });
        }
    }

    /// Moves up to `max` items to `batch`, oldest first.
    pub(super) fn take(&self, batch: &mut Vec<Item>, max: usize, now: Timestamp) {
        let mut state = self.lock();
        if !state.conflated.is_empty() && state.items.len() <= self.capacity / 2 {
            self.recover(&mut state, now);
        }
        let count = state.items.len().min(max);
        batch.extend(state.items.drain(..count));
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The keys to write now, ascending; the last sequence numbers as of which all others are right
    /// already; and as of when books are proved.
    pub(super) fn take_dirty(&self) -> (Vec<Subject>, Seqs, Timestamp) {
        let mut state = self.lock();
        let mut dirty: Vec<Subject> = std::mem::take(&mut state.dirty).into_iter().collect();
        let (seqs, proved) = (state.seqs, self.shadow.proved());
        drop(state);
        dirty.sort_unstable();
        (dirty, seqs, proved)
    }

    /// Every key there is, ascending.
    pub(super) fn known(&self) -> Vec<Subject> {
        let mut known: Vec<Subject> = self.lock().known.iter().cloned().collect();
        known.sort_unstable();
        known
    }

    /// The value of a key as it is now; none if there is nothing to say.
    pub(super) fn value(
        &self,
        subject: &Subject,
        epoch: u64,
    ) -> Result<Option<Vec<u8>>, serde_json::Error> {
        // Held while the shadow is read: state and sequence number belong together.
        let state = self.lock();
        let Seqs { markets, lifecycle, games, trades: _ } = state.seqs;
        let v = VERSION;
        match subject {
            Subject::Book(ticker) => {
                let Some((snapshot, synced)) = self.snapshot(ticker) else { return Ok(None) };
                let seq = markets;
                drop(state);
                let Snapshot { bids, asks, ts, .. } = snapshot;
                serde_json::to_vec(&BookKey { v, epoch, seq, synced, ts, bids, asks }).map(Some)
            }
            Subject::Market(ticker) => {
                let Some(id) = self.shadow.market_id(ticker) else { return Ok(None) };
                let Some(market) = self.shadow.market(id) else { return Ok(None) };
                let (seq, statistics) = (lifecycle, self.shadow.statistics(id));
                serde_json::to_vec(&MarketKey { v, epoch, seq, market, statistics }).map(Some)
            }
            Subject::Game(espn_id) => {
                let Some(id) = self.shadow.game_id(espn_id) else { return Ok(None) };
                let (info, game) = (self.shadow.game_info(id), self.shadow.game(id));
                let seq = games;
                serde_json::to_vec(&GameKey { v, epoch, seq, info, game }).map(Some)
            }
        }
    }

    /// Applies a message to the shadow and notes which keys it changes.
    fn track(&self, state: &mut State, message: &Message, received: Timestamp) {
        match message {
            Message::Trade(_) | Message::BoardRead(_) => return,
            Message::Proof(_) => {}
            Message::Market(market) => state.touch(Subject::Market(Arc::clone(&market.ticker))),
            Message::Statistics(statistics) => {
                state.touch(Subject::Market(Arc::clone(&statistics.ticker)));
            }
            Message::Snapshot(Snapshot { ticker, .. })
            | Message::Delta(crate::bus::Delta { ticker, .. }) => {
                state.touch(Subject::Book(Arc::clone(ticker)));
            }
            Message::Stale(stale) => {
                for ticker in &stale.tickers {
                    state.touch(Subject::Book(Arc::clone(ticker)));
                }
            }
            Message::GameInfo(info) => state.touch(Subject::Game(Arc::clone(&info.espn_id))),
            Message::Game(game) => state.touch(Subject::Game(Arc::clone(&game.espn_id))),
        }
        self.shadow.apply(message, received);
    }

    /// Queues the books of conflated markets as they are now.
    fn recover(&self, state: &mut State, now: Timestamp) {
        let mut stale = vec![];
        for _ in 0..RECOVER_MAX {
            let Some(ticker) = state.conflated.pop_first() else { break };
            match self.snapshot(&ticker) {
                Some((snapshot, true)) => {
                    state.push(Channel::Markets, now, Some(Message::Snapshot(snapshot)));
                }
                Some((_, false)) => stale.push(ticker),
                None => {}
            }
        }
        if !stale.is_empty() {
            let reason = "broke while the bus was behind".to_owned();
            let message = Message::Stale(Stale { tickers: stale, reason });
            state.push(Channel::Markets, now, Some(message));
        }
    }

    /// A book of the shadow, and whether it is synced.
    fn snapshot(&self, ticker: &Arc<str>) -> Option<(Snapshot, bool)> {
        let id = self.shadow.market_id(ticker)?;
        let ts = self.shadow.view(id)?.ts;
        self.shadow.with_book(id, |book, synced| {
            let levels = |side| book.levels(side).collect::<Vec<Level>>();
            let (bids, asks) = (levels(Side::Bid), levels(Side::Ask));
            (Snapshot { ticker: Arc::clone(ticker), bids, asks, ts }, synced)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, channel: Channel, ts: Timestamp, body: Option<Message>) {
        let seq = self.seqs.of(channel);
        *seq += 1;
        self.items.push_back(Item { channel, seq: *seq, ts, body });
        self.counts.queued += 1;
    }

    fn touch(&mut self, subject: Subject) {
        if !self.dirty.contains(&subject) {
            if !self.known.contains(&subject) {
                self.known.insert(subject.clone());
            }
            self.dirty.insert(subject);
        }
    }
}

/// The one book that a message is about.
fn book_of(message: &Message) -> Option<&Arc<str>> {
    match message {
        Message::Snapshot(snapshot) => Some(&snapshot.ticker),
        Message::Delta(delta) => Some(&delta.ticker),
        Message::Market(_)
        | Message::Stale(_)
        | Message::Proof(_)
        | Message::Trade(_)
        | Message::Statistics(_)
        | Message::GameInfo(_)
        | Message::Game(_)
        | Message::BoardRead(_) => None,
    }
}
