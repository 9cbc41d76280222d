//! Queue and inflow together, without Redis: whatever is lost, and whenever keys are written
//! and loaded, a synced book is one that the feed had.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use proptest::prelude::*;

use super::VERSION;
use super::envelope::{Channel, Decoded, Envelope, Place, Seqs, decode, encode};
use super::inflow::{Inflow, Need, Tally};
use super::keys::{Families, Loaded, Subject};
use super::queue::Queue;
use crate::bus::{Delta, Message, Proof, Sink, Snapshot, Stale};
use crate::cache::Cache;
use crate::model::{Book, Level};

const EPOCH: u64 = 5;
const TICKERS: [&str; 3] = ["A", "B", "C"];

#[derive(Default)]
struct Listener(Cache);

impl Sink for Listener {
    fn deliver(&self, message: Message, received: Timestamp) {
        self.0.apply(&message, received);
    }
}

fn synced(cache: &Cache, ticker: &str) -> Option<Book> {
    cache.book(cache.market_id(ticker)?).and_then(|(book, synced)| synced.then_some(book))
}

#[derive(Debug, Clone)]
enum Op {
    Publish(usize, Change),
    Write(usize),
    Flush,
    Hear(usize),
    Lose,
    Load,
    Reconnect,
}

#[derive(Debug, Clone)]
enum Change {
    Snapshot(i64),
    Delta(bool, u32, i64),
    Stale,
}

fn op() -> impl Strategy<Value = Op> {
    let change = prop_oneof![
        3 => (1_i64..5).prop_map(Change::Snapshot),
        20 => (any::<bool>(), 1_u32..9, -1_i64..6)
            .prop_map(|(bid, cents, delta)| Change::Delta(bid, cents, delta)),
        1 => Just(Change::Stale),
    ];
    prop_oneof![
        20 => (0_usize..3, change).prop_map(|(at, change)| Op::Publish(at, change)),
        6 => (1_usize..5).prop_map(Op::Write),
        2 => Just(Op::Flush),
        6 => (1_usize..6).prop_map(Op::Hear),
        1 => Just(Op::Lose),
        3 => Just(Op::Load),
        1 => Just(Op::Reconnect),
    ]
}

fn message(ticker: &str, change: &Change) -> Message {
    let level = |cents: u32, quantity: i64| Level {
        price: Price::from_cents(cents),
        quantity: Quantity::from_raw(quantity),
    };
    let ticker: Arc<str> = ticker.into();
    match *change {
        Change::Snapshot(quantity) => Message::Snapshot(Snapshot {
            ticker,
            bids: vec![level(1, quantity)],
            asks: vec![level(90, quantity)],
            ts: Timestamp::EPOCH,
        }),
        Change::Delta(bid, cents, quantity) => Message::Delta(Delta {
            ticker,
            side: if bid { Side::Bid } else { Side::Ask },
            price: Price::from_cents(if bid { cents } else { 50 + cents }),
            delta: Quantity::from_raw(quantity),
            ts: Timestamp::EPOCH,
        }),
        Change::Stale => Message::Stale(Stale { tickers: vec![ticker], reason: String::new() }),
    }
}

/// A publisher, a Redis and a subscriber.
struct World {
    truth: Cache,
    had: BTreeMap<&'static str, Vec<Book>>,
    queue: Queue,
    keys: BTreeMap<Subject, Vec<u8>>,
    flushes: u32,
    /// The sequence numbers of the last flush.
    seqs: Seqs,
    wire: VecDeque<(Channel, Decoded)>,
    listener: Arc<Listener>,
    inflow: Inflow,
    tally: Tally,
    /// What is to be loaded, and how many flushes there were when that began.
    need: Option<(Families, u32)>,
}

impl World {
    fn new() -> Self {
        let listener = Arc::<Listener>::default();
        let inflow = Inflow::new(Arc::clone(&listener) as Arc<dyn Sink>, 16);
        let queue = Queue::new(6);
        queue.connected();
        let mut world = Self {
            truth: Cache::default(),
            had: BTreeMap::new(),
            queue,
            keys: BTreeMap::new(),
            flushes: 0,
            seqs: Seqs::default(),
            wire: VecDeque::new(),
            listener,
            inflow,
            tally: Tally::default(),
            need: None,
        };
        world.see_need();
        world
    }

    fn see_need(&mut self) {
        if let Need::Load(families) = self.inflow.take_need() {
            self.need = Some((families, self.flushes));
        }
    }

    fn publish(&mut self, ticker: &'static str, change: &Change) {
        let message = message(ticker, change);
        self.truth.apply(&message, Timestamp::EPOCH);
        if let Some(book) = synced(&self.truth, ticker) {
            self.had.entry(ticker).or_default().push(book);
        }
        self.queue.publish(message, Timestamp::EPOCH);
    }

    fn write(&mut self, max: usize) -> usize {
        let mut batch = vec![];
        self.queue.take(&mut batch, max, Timestamp::EPOCH);
        let count = batch.len();
        for item in batch {
            let mut bytes = vec![];
            let place = Place { epoch: EPOCH, seq: item.seq };
            encode(&mut bytes, place, item.ts, item.body.as_ref()).unwrap();
            self.wire.push_back((item.channel, decode(&bytes)));
        }
        count
    }

    fn flush(&mut self) {
        let (dirty, seqs, _) = self.queue.take_dirty();
        self.seqs = seqs;
        for subject in dirty {
            if let Some(value) = self.queue.value(&subject, EPOCH).unwrap() {
                self.keys.insert(subject, value);
            }
        }
        self.flushes += 1;
    }

    fn hear(&mut self, max: usize) {
        for _ in 0..max {
            let Some((channel, decoded)) = self.wire.pop_front() else { return };
            self.inflow.take(channel, decoded, Timestamp::EPOCH, &self.tally);
            self.see_need();
        }
    }

    fn load(&mut self) {
        let Some((families, at)) = self.need else { return };
        if self.flushes == at {
            return;
        }
        self.need = None;
        let mut loaded = Loaded { epoch: EPOCH, seqs: self.seqs, ..Loaded::default() };
        if families.books {
            for (subject, value) in &self.keys {
                if let Subject::Book(ticker) = subject {
                    loaded.books.push((Arc::clone(ticker), serde_json::from_slice(value).unwrap()));
                }
            }
        }
        self.inflow.loaded(loaded, Timestamp::EPOCH, &self.tally);
        self.see_need();
    }

    /// Both sides lose what is under way.
    fn reconnect(&mut self) {
        self.wire.clear();
        self.inflow.stale("cut", Timestamp::EPOCH);
        self.inflow.restart();
        self.queue.disconnected();
        self.queue.connected();
        self.see_need();
    }

    fn settle(&mut self) {
        while self.write(8) > 0 {}
        self.queue.heartbeat(Timestamp::EPOCH);
        self.write(8);
        self.hear(usize::MAX);
        for _ in 0..2 {
            // The first may be older than what was heard.
            self.flush();
            self.load();
        }
    }
}

proptest! {
    #[test]
    fn a_synced_book_is_one_that_the_feed_had_and_in_the_end_the_last(
        ops in prop::collection::vec(op(), 0..200)
    ) {
        let mut world = World::new();
        for op in ops {
            match op {
                Op::Publish(at, change) => world.publish(TICKERS[at], &change),
                Op::Write(max) => drop(world.write(max)),
                Op::Flush => world.flush(),
                Op::Hear(max) => world.hear(max),
                Op::Lose => drop(world.wire.pop_front()),
                Op::Load => world.load(),
                Op::Reconnect => world.reconnect(),
            }
            for ticker in TICKERS {
                if let Some(book) = synced(&world.listener.0, ticker) {
                    let had = world.had.get(ticker).is_some_and(|had| had.contains(&book));
                    prop_assert!(had, "{ticker}: {book:?}");
                }
            }
        }
        world.settle();
        for ticker in TICKERS {
            prop_assert_eq!(synced(&world.listener.0, ticker), synced(&world.truth, ticker));
        }
    }
}

#[test]
fn a_gap_makes_every_book_stale_before_the_message_behind_it_is_heard() {
    let mut world = World::new();
    world.publish("A", &Change::Snapshot(1));
    world.publish("B", &Change::Snapshot(1));
    world.settle();
    assert!(synced(&world.listener.0, "A").is_some());
    let body = Some(message("A", &Change::Delta(true, 2, 1)));
    let place = Place { epoch: EPOCH, seq: 99 };
    let Place { epoch, seq } = place;
    let envelope = Envelope { v: VERSION, epoch, seq, ts: Timestamp::EPOCH, body };
    world.wire.push_back((Channel::Markets, Decoded::Envelope(envelope)));
    world.hear(1);
    assert!(TICKERS.iter().all(|ticker| synced(&world.listener.0, ticker).is_none()));
    assert_eq!(world.need.map(|need| need.0.books), Some(true));
    assert_eq!(world.tally.stats().gaps, 1);
}

#[test]
fn books_are_not_proved_while_changes_of_one_are_held_back() {
    let queue = Queue::new(4);
    queue.connected();
    let prove = || {
        let proof = Proof { as_of: Timestamp::from_secs(1) };
        queue.publish(Message::Proof(proof), Timestamp::EPOCH);
    };
    let proofs = |most| {
        let mut batch = vec![];
        queue.take(&mut batch, most, Timestamp::EPOCH);
        let is_proof = |body: &Option<Message>| matches!(body, Some(Message::Proof(_)));
        batch.iter().filter(|item| is_proof(&item.body)).count()
    };
    prove();
    assert_eq!(proofs(10), 1);
    for number in 1..=6 {
        queue.publish(message("A", &Change::Delta(true, number, 1)), Timestamp::EPOCH);
    }
    // There is room again, and the last changes are not in it.
    assert_eq!(proofs(1), 0);
    prove();
    assert_eq!(proofs(10), 0);
    proofs(10);
    prove();
    assert_eq!(proofs(10), 1);
}
