//! [`Inflow`]: decides what is delivered, held or dropped. Knows no socket and no clock.
//!
//! Each channel is *live* (messages pass) or *syncing* (messages are held until the snapshot
//! keys are loaded). A gap or a new epoch makes it sync again. Trades have no snapshot: when
//! some are missing, every book goes stale, so that nobody goes on as if nothing had happened,
//! and the books are loaded again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hotpit_units::Timestamp;

use super::envelope::{Channel, Decoded, Place};
use super::keys::{BookKey, Families, GameKey, Loaded};
use super::sequence::{Step, Track};
use super::subscriber::SubscriberStats;
use crate::bus::{Message, Proof, Sink, Snapshot, Stale};

/// What the subscriber has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// Load these keys; a load that is under way counts no more.
    Load(Families),
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    received: AtomicU64,
    gaps: AtomicU64,
    missed: AtomicU64,
    epochs: AtomicU64,
    old: AtomicU64,
    unreadable: AtomicU64,
    overflows: AtomicU64,
}

impl Tally {
    pub(super) fn stats(&self) -> SubscriberStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SubscriberStats {
            received: get(&self.received),
            gaps: get(&self.gaps),
            missed: get(&self.missed),
            epochs: get(&self.epochs),
            old: get(&self.old),
            unreadable: get(&self.unreadable),
            overflows: get(&self.overflows),
            loads: 0,
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// The way from the channels to the sink.
pub(super) struct Inflow {
    sink: Arc<dyn Sink>,
    buffer_max: usize,
    tracks: [Track; Channel::COUNT],
    phases: [Phase; Channel::COUNT],
    must_load: bool,
    /// The markets whose book was ever delivered.
    books: BTreeSet<Arc<str>>,
}

enum Phase {
    /// Waits for keys that reach up to where the messages held begin.
    Syncing {
        held: Vec<Held>,
        after: Option<Place>,
    },
    Live(Floors),
}

struct Held {
    place: Place,
    message: Message,
    received: Timestamp,
}

/// As of which sequence number each loaded key was: what is not later is in it already.
#[derive(Default)]
struct Floors {
    seqs: HashMap<Arc<str>, u64>,
    highest: u64,
}

impl Floors {
    fn insert(&mut self, subject: Arc<str>, seq: u64) {
        self.highest = self.highest.max(seq);
        self.seqs.insert(subject, seq);
    }

    /// What of a message is later than the keys.
    fn later(&mut self, seq: u64, message: Message) -> Option<Message> {
        if seq > self.highest {
            self.seqs = HashMap::new();
            return Some(message);
        }
        let is_later = |subject: &Arc<str>| self.seqs.get(subject).is_none_or(|&floor| seq > floor);
        match message {
            Message::Stale(mut stale) => {
                stale.tickers.retain(is_later);
                (!stale.tickers.is_empty()).then_some(Message::Stale(stale))
            }
            // Of statistics the latest count, whatever their number.
            Message::Trade(_)
            | Message::Statistics(_)
            | Message::Proof(_)
            | Message::BoardRead(_) => Some(message),
            Message::Market(ref market) => is_later(&market.ticker).then_some(message),
            Message::Snapshot(ref snapshot) => is_later(&snapshot.ticker).then_some(message),
            Message::Delta(ref delta) => is_later(&delta.ticker).then_some(message),
            Message::GameInfo(ref info) => is_later(&info.espn_id).then_some(message),
            Message::Game(ref game) => is_later(&game.espn_id).then_some(message),
        }
    }
}

impl Inflow {
    pub(super) fn new(sink: Arc<dyn Sink>, buffer_max: usize) -> Self {
        let mut inflow = Self {
            sink,
            buffer_max,
            tracks: Default::default(),
            phases: std::array::from_fn(|_| Phase::Live(Floors::default())),
            must_load: false,
            books: BTreeSet::new(),
        };
        inflow.restart();
        inflow
    }

    /// A new subscription begins: nothing is known of what was before.
    pub(super) fn restart(&mut self) {
        self.tracks = Default::default();
        for channel in [Channel::Markets, Channel::Lifecycle, Channel::Games] {
            self.sync(channel);
        }
    }

    /// Whether every channel is live.
    pub(super) fn is_live(&self) -> bool {
        self.phases.iter().all(|phase| matches!(phase, Phase::Live(_)))
    }

    /// What to do now, told once.
    pub(super) fn take_need(&mut self) -> Need {
        if !std::mem::take(&mut self.must_load) {
            return Need::Nothing;
        }
        let syncing =
            |channel: Channel| matches!(self.phases[channel.index()], Phase::Syncing { .. });
        Need::Load(Families {
            books: syncing(Channel::Markets),
            markets: syncing(Channel::Lifecycle),
            games: syncing(Channel::Games),
        })
    }

    /// Takes in what came over a channel. Gives whether the publisher that is followed said it: what
    /// an earlier one still says does not show that this one lives.
    pub(super) fn take(
        &mut self,
        channel: Channel,
        decoded: Decoded,
        now: Timestamp,
        tally: &Tally,
    ) -> bool {
        let track = &mut self.tracks[channel.index()];
        let followed = track.epoch();
        let (place, step, message) = match decoded {
            Decoded::Foreign => {
                add(&tally.unreadable, 1);
                return false;
            }
            Decoded::UnknownType(place) => {
                add(&tally.unreadable, 1);
                (place, track.message(place), None)
            }
            Decoded::Unreadable(place) => {
                add(&tally.unreadable, 1);
                let step = match track.message(place) {
                    Step::Next => Step::Gap { missed: 1 },
                    step @ (Step::Old | Step::Gap { .. } | Step::NewEpoch) => step,
                };
                (place, step, None)
            }
            Decoded::Envelope(envelope) => {
                let place = Place { epoch: envelope.epoch, seq: envelope.seq };
                match envelope.body {
                    None => (place, track.heartbeat(place), None),
                    Some(message) => {
                        add(&tally.received, 1);
                        (place, track.message(place), Some(message))
                    }
                }
            }
        };
        match step {
            Step::Next => {}
            Step::Old => {
                add(&tally.old, u64::from(message.is_some()));
                return Some(place.epoch) == followed;
            }
            Step::Gap { missed } => {
                add(&tally.gaps, 1);
                add(&tally.missed, missed);
                self.broke(channel, &format!("{missed} messages missing"), now);
            }
            Step::NewEpoch => {
                add(&tally.epochs, 1);
                self.broke(channel, "another publisher", now);
            }
        }
        match message {
            Some(message) => self.pass(channel, Held { place, message, received: now }, tally),
            None => self.begin_after(channel, place),
        }
        true
    }

    /// Notes where a syncing channel was when it was heard first.
    fn begin_after(&mut self, channel: Channel, place: Place) {
        if let Phase::Syncing { after: after @ None, .. } = &mut self.phases[channel.index()] {
            *after = Some(place);
        }
    }

    /// Says that no book can be trusted.
    pub(super) fn stale(&mut self, reason: &str, now: Timestamp) {
        if self.books.is_empty() {
            return;
        }
        let tickers = self.books.iter().map(Arc::clone).collect();
        self.sink.deliver(Message::Stale(Stale { tickers, reason: reason.to_owned() }), now);
    }

    /// The keys are there: delivers them, then what was held and is later.
    pub(super) fn loaded(&mut self, loaded: Loaded, now: Timestamp, tally: &Tally) {
        let Loaded { epoch, mut seqs, proved, books, markets, games, venue: _ } = loaded;
        let mut ready = |inflow: &mut Self, channel: Channel| {
            inflow.begin_live(channel, Place { epoch, seq: *seqs.of(channel) })
        };
        if let Some(held) = ready(self, Channel::Lifecycle) {
            let mut floors = Floors::default();
            for key in markets {
                floors.insert(Arc::clone(&key.market.ticker), key.seq);
                self.deliver(Message::Market(key.market), now);
                if let Some(statistics) = key.statistics {
                    self.deliver(Message::Statistics(statistics), now);
                }
            }
            self.replay(Channel::Lifecycle, floors, held, tally);
        }
        if let Some(held) = ready(self, Channel::Games) {
            let mut floors = Floors::default();
            for (espn_id, GameKey { seq, info, game, .. }) in games {
                floors.insert(espn_id, seq);
                let info = info.map(Message::GameInfo);
                for message in info.into_iter().chain(game.map(Message::Game)) {
                    self.deliver(message, now);
                }
            }
            self.replay(Channel::Games, floors, held, tally);
        }
        if let Some(held) = ready(self, Channel::Markets) {
            // Of these books; what was proved of others before counts no more.
            self.deliver(Message::Proof(Proof { as_of: proved }), now);
            let mut floors = Floors::default();
            for (ticker, BookKey { seq, synced, ts, bids, asks, .. }) in books {
                floors.insert(Arc::clone(&ticker), seq);
                if synced {
                    self.deliver(Message::Snapshot(Snapshot { ticker, bids, asks, ts }), now);
                }
            }
            self.replay(Channel::Markets, floors, held, tally);
        }
    }

    /// What a syncing channel held, if keys that reach up to `reached` are enough to go on from;
    /// none if it is not syncing, or if there is a hole between keys and messages: then the next
    /// keys are needed.
    fn begin_live(&mut self, channel: Channel, reached: Place) -> Option<Vec<Held>> {
        let phase = &mut self.phases[channel.index()];
        let Phase::Syncing { held, after } = phase else { return None };
        let track = &mut self.tracks[channel.index()];
        match *after {
            Some(after) if after > reached => {
                self.must_load = true;
                return None;
            }
            Some(after) if after.epoch == reached.epoch => {}
            // Not heard yet, or heard from an earlier publisher alone.
            Some(_) | None => *track = Track::at(reached),
        }
        let mut held = std::mem::take(held);
        held.retain(|held| held.place.epoch == reached.epoch);
        Some(held)
    }

    fn replay(&mut self, channel: Channel, floors: Floors, held: Vec<Held>, tally: &Tally) {
        self.phases[channel.index()] = Phase::Live(floors);
        for held in held {
            self.pass(channel, held, tally);
        }
    }

    /// Messages of a channel are missing.
    fn broke(&mut self, channel: Channel, reason: &str, now: Timestamp) {
        tracing::warn!(channel = channel.name(), reason, "channel broke: loading snapshots");
        match channel {
            Channel::Markets | Channel::Trades => {
                self.stale(&format!("{}: {reason}", channel.name()), now);
                self.sync(Channel::Markets);
            }
            Channel::Lifecycle | Channel::Games => self.sync(channel),
        }
    }

    fn sync(&mut self, channel: Channel) {
        self.phases[channel.index()] = Phase::Syncing { held: vec![], after: None };
        self.must_load = true;
    }

    /// Delivers, holds or drops a message that is due.
    fn pass(&mut self, channel: Channel, held: Held, tally: &Tally) {
        match &mut self.phases[channel.index()] {
            Phase::Live(floors) => match floors.later(held.place.seq, held.message) {
                Some(message) => self.deliver(message, held.received),
                None => add(&tally.old, 1),
            },
            Phase::Syncing { held: buffer, after } => {
                if buffer.len() >= self.buffer_max {
                    add(&tally.overflows, 1);
                    // What is dropped here is in the keys that are written next.
                    buffer.clear();
                    *after = None;
                    self.must_load = true;
                }
                let Place { epoch, seq } = held.place;
                after.get_or_insert(Place { epoch, seq: seq.saturating_sub(1) });
                buffer.push(held);
            }
        }
    }

    fn deliver(&mut self, message: Message, received: Timestamp) {
        if let Message::Snapshot(Snapshot { ticker, .. }) = &message
            && !self.books.contains(ticker)
        {
            self.books.insert(Arc::clone(ticker));
        }
        self.sink.deliver(message, received);
    }
}
