use std::collections::BTreeMap;

use hotpit_units::{Price, Quantity, Side};
use proptest::prelude::*;

use super::*;
use crate::bus::Stale;
use crate::model::{
    FeeSchedule, GameMarket, GameStatus, Level, MarketStatus, Outcome, PriceGrid, Team,
};

fn level(price: u32, quantity: i64) -> Level {
    Level { price: Price::from_raw(price), quantity: Quantity::from_raw(quantity) }
}

fn snapshot(ticker: &str, bids: Vec<Level>, asks: Vec<Level>) -> Message {
    Message::Snapshot(Snapshot { ticker: ticker.into(), bids, asks, ts: Timestamp::from_secs(1) })
}

fn delta(ticker: &str, side: Side, price: u32, quantity: i64) -> Message {
    Message::Delta(Delta {
        ticker: ticker.into(),
        side,
        price: Price::from_raw(price),
        delta: Quantity::from_raw(quantity),
        ts: Timestamp::from_secs(2),
    })
}

fn stale(tickers: &[&str]) -> Message {
    let tickers = tickers.iter().map(|ticker| Arc::from(*ticker)).collect();
    Message::Stale(Stale { tickers, reason: String::new() })
}

fn market(ticker: &str, event: &str, status: MarketStatus) -> Message {
    Message::Market(Arc::new(Market {
        ticker: ticker.into(),
        event_ticker: event.into(),
        series_ticker: "S".into(),
        title: String::new(),
        yes_title: String::new(),
        status,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: false,
        strike_target: None,
    }))
}

fn game_info(espn_id: &str, tickers: &[&str]) -> Message {
    let team =
        || Team { name: String::new(), location: String::new(), abbreviation: String::new() };
    let on = |ticker: &&str| GameMarket { ticker: (*ticker).into(), outcome: Outcome::HomeWins };
    Message::GameInfo(Arc::new(GameInfo {
        espn_id: espn_id.into(),
        league: League("nfl".into()),
        home: team(),
        away: team(),
        start: Timestamp::EPOCH,
        periods: 4,
        period_ms: 900_000,
        markets: tickers.iter().map(on).collect(),
    }))
}

fn game(espn_id: &str, home_score: u32, ts: u64) -> Message {
    Message::Game(Game {
        espn_id: espn_id.into(),
        status: GameStatus::InProgress,
        period: 1,
        clock_ms: 0,
        home_score,
        away_score: 0,
        situation: None,
        ts: Timestamp::from_secs(ts),
    })
}

fn apply(cache: &Cache, message: &Message) -> Option<Change> {
    cache.apply(message, Timestamp::from_secs(3))
}

const A: MarketId = MarketId(0);

#[test]
fn a_book_is_synced_from_its_snapshot_on() {
    let cache = Cache::default();
    assert_eq!(apply(&cache, &delta("A", Side::Bid, 40, 5)), None);
    assert_eq!(cache.market_id("A"), None);
    assert_eq!(
        apply(&cache, &snapshot("A", vec![level(40, 5)], vec![level(60, 5)])),
        Some(Change::Quote(A))
    );
    let view = cache.view(A).unwrap();
    assert!(view.synced);
    assert_eq!(view.quote.bid, Some(level(40, 5)));
    assert_eq!((view.ts, view.received), (Timestamp::from_secs(1), Timestamp::from_secs(3)));
    assert_eq!(cache.counters().deltas_unsynced, 1);
}

#[test]
fn only_a_change_of_the_best_levels_is_told_and_every_change_is_applied() {
    let cache = Cache::default();
    let fresh = snapshot("A", vec![level(40, 5)], vec![level(60, 5)]);
    apply(&cache, &fresh);
    assert_eq!(apply(&cache, &fresh), None);
    assert_eq!(apply(&cache, &delta("A", Side::Bid, 30, 7)), None);
    assert_eq!(cache.view(A).unwrap().ts, Timestamp::from_secs(2));
    assert_eq!(apply(&cache, &delta("A", Side::Bid, 40, 1)), Some(Change::Quote(A)));
    assert_eq!(apply(&cache, &delta("A", Side::Bid, 40, -6)), Some(Change::Quote(A)));
    assert_eq!(cache.view(A).unwrap().quote.bid, Some(level(30, 7)));
}

#[tokio::test]
async fn a_book_that_cannot_be_goes_stale_and_asks_for_a_snapshot() {
    let broken = [
        delta("A", Side::Bid, 40, -6),
        delta("A", Side::Bid, 60, 1),
        snapshot("A", vec![level(50, 1)], vec![level(50, 1)]),
        snapshot("A", vec![level(50, 1), level(50, 2)], vec![]),
    ];
    for message in broken {
        let cache = Cache::default();
        let fresh = snapshot("A", vec![level(40, 5)], vec![level(60, 5)]);
        apply(&cache, &fresh);
        let quote = cache.view(A).unwrap().quote;
        assert_eq!(apply(&cache, &message), Some(Change::Stale(vec![A])), "{message:?}");
        let view = cache.view(A).unwrap();
        assert_eq!((view.synced, view.quote), (false, quote), "{message:?}");
        assert_eq!(cache.next_broken().await, [Arc::<str>::from("A")]);
        // The same quote is news again.
        assert_eq!(apply(&cache, &delta("A", Side::Bid, 41, 5)), None);
        assert_eq!(apply(&cache, &fresh), Some(Change::Quote(A)));
    }
}

#[test]
fn stale_is_told_once_and_for_books_that_were_synced() {
    let cache = Cache::default();
    apply(&cache, &snapshot("A", vec![level(40, 5)], vec![]));
    apply(&cache, &market("B", "E", MarketStatus::Active));
    assert_eq!(apply(&cache, &stale(&["B", "A", "C"])), Some(Change::Stale(vec![A])));
    assert_eq!(apply(&cache, &stale(&["A"])), None);
    assert!(cache.book(A).is_some_and(|(book, synced)| !synced && book.quote().bid.is_some()));
}

#[test]
fn subscriptions_mean_the_described_markets_that_they_name() {
    let cache = Cache::default();
    apply(&cache, &snapshot("X", vec![], vec![]));
    apply(&cache, &market("A", "E", MarketStatus::Active));
    apply(&cache, &market("B", "E", MarketStatus::Finalized));
    apply(&cache, &market("C", "F", MarketStatus::Initialized));
    apply(&cache, &game_info("1", &["C", "X", "unheard"]));
    let tickers = |subscription: Subscription| -> Vec<String> {
        let ids = cache.markets_matching(&subscription);
        ids.into_iter().map(|id| cache.ticker(id).unwrap().to_string()).collect()
    };
    assert_eq!(tickers(Subscription::Market("A".into())), ["A"]);
    assert_eq!(tickers(Subscription::Market("X".into())), Vec::<String>::new());
    assert_eq!(tickers(Subscription::Event("E".into())), ["A", "B"]);
    assert_eq!(tickers(Subscription::Series("S".into())), ["A", "C"]);
    assert_eq!(tickers(Subscription::League(League("nfl".into()))), ["C"]);
    assert_eq!(cache.games_matching(&Subscription::League(League("nfl".into()))), [GameId(0)]);
}

#[test]
fn a_game_is_told_when_it_changes_and_not_when_only_its_time_does() {
    let cache = Cache::default();
    let id = GameId(0);
    assert_eq!(apply(&cache, &game("1", 0, 1)), Some(Change::Game(id)));
    assert_eq!(apply(&cache, &game("1", 0, 2)), None);
    assert_eq!(cache.game(id).unwrap().ts, Timestamp::from_secs(2));
    assert_eq!(apply(&cache, &game("1", 7, 3)), Some(Change::Game(id)));
    assert_eq!(apply(&cache, &game_info("1", &["A"])), Some(Change::GameInfo(id)));
    assert_eq!(apply(&cache, &game_info("1", &["A"])), None);
    apply(&cache, &market("A", "E", MarketStatus::Active));
    assert_eq!(cache.game_of_market(A), Some(id));
    assert_eq!(apply(&cache, &game_info("1", &[])), Some(Change::GameInfo(id)));
    assert_eq!(cache.game_of_market(A), None);
}

#[test]
fn a_market_that_moves_to_another_event_is_found_there_alone() {
    let cache = Cache::default();
    apply(&cache, &market("A", "E", MarketStatus::Active));
    assert_eq!(apply(&cache, &market("A", "F", MarketStatus::Active)), Some(Change::Market(A)));
    assert_eq!(cache.markets_matching(&Subscription::Event("E".into())), []);
    assert_eq!(cache.markets_matching(&Subscription::Event("F".into())), [A]);
}

#[derive(Debug, Clone)]
enum Op {
    Snapshot(usize, Vec<(bool, u32, i64)>),
    Delta(usize, bool, u32, i64),
    Stale(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let levels = prop::collection::vec((any::<bool>(), 1_u32..12, -1_i64..6), 0..6);
    prop_oneof![
        2 => (0_usize..3, levels).prop_map(|(at, levels)| Op::Snapshot(at, levels)),
        20 => (0_usize..3, any::<bool>(), 1_u32..12, -6_i64..9)
            .prop_map(|(at, bid, price, delta)| Op::Delta(at, bid, price, delta)),
        1 => (0_usize..3).prop_map(Op::Stale),
    ]
}

/// A book as a map; none while it is not synced.
type Naive = Option<BTreeMap<(bool, u32), i64>>;

fn is_sound(book: &BTreeMap<(bool, u32), i64>) -> bool {
    let best_bid = book.keys().filter(|key| key.0).map(|key| key.1).max();
    let best_ask = book.keys().filter(|key| !key.0).map(|key| key.1).min();
    let crossed = matches!((best_bid, best_ask), (Some(bid), Some(ask)) if bid >= ask);
    !crossed && book.values().all(|quantity| *quantity > 0)
}

fn naive_snapshot(levels: &[(bool, u32, i64)]) -> Naive {
    let mut book = BTreeMap::new();
    for (bid, price, quantity) in levels {
        if *quantity != 0 && book.insert((*bid, *price), *quantity).is_some() {
            return None;
        }
    }
    is_sound(&book).then_some(book)
}

fn naive_delta(book: &Naive, bid: bool, price: u32, delta: i64) -> Naive {
    let mut book = book.clone()?;
    *book.entry((bid, price)).or_insert(0) += delta;
    book.retain(|_, quantity| *quantity != 0);
    is_sound(&book).then_some(book)
}

proptest! {
    #[test]
    fn every_book_equals_a_naive_one_whatever_arrives(ops in prop::collection::vec(op(), 0..200)) {
        let cache = Cache::default();
        let names = ["A", "B", "C"];
        let mut naive: [Naive; 3] = Default::default();
        for op in ops {
            let (at, message, next) = match op {
                Op::Snapshot(at, levels) => {
                    let side = |wanted| {
                        levels.iter().filter(move |row| row.0 == wanted)
                            .map(|row| level(row.1, row.2)).collect::<Vec<_>>()
                    };
                    let next = naive_snapshot(&levels);
                    (at, snapshot(names[at], side(true), side(false)), next)
                }
                Op::Delta(at, bid, price, quantity) => {
                    let side = if bid { Side::Bid } else { Side::Ask };
                    let next = naive_delta(&naive[at], bid, price, quantity);
                    (at, delta(names[at], side, price, quantity), next)
                }
                Op::Stale(at) => (at, stale(&[names[at]]), None),
            };
            let quote = |cache: &Cache| {
                let view = cache.market_id(names[at]).and_then(|id| cache.view(id));
                view.filter(|view| view.synced).map(|view| view.quote)
            };
            let before = quote(&cache);
            let change = apply(&cache, &message);
            naive[at] = next;
            let after = quote(&cache);
            prop_assert_eq!(after.is_some(), naive[at].is_some());
            let expected = match (before, after) {
                (Some(_), None) => "stale",
                (before, Some(after)) if before != Some(after) => "quote",
                (None, None) | (_, Some(_)) => "nothing",
            };
            let told = match change {
                None => "nothing",
                Some(Change::Quote(_)) => "quote",
                Some(Change::Stale(_)) => "stale",
                Some(other) => panic!("{other:?}"),
            };
            prop_assert_eq!(told, expected);
            if let Some(naive) = &naive[at] {
                let (book, _) = cache.book(cache.market_id(names[at]).unwrap()).unwrap();
                let levels: BTreeMap<(bool, u32), i64> = [Side::Bid, Side::Ask].into_iter()
                    .flat_map(|side| book.levels(side).map(move |level| {
                        ((side == Side::Bid, level.price.raw()), level.quantity.raw())
                    })).collect();
                prop_assert_eq!(&levels, naive);
            }
        }
    }
}

#[test]
fn a_proof_is_never_later_than_now_and_one_from_a_clock_ahead_is_none() {
    let cache = Cache::default();
    let prove = |as_of, now| {
        let proof = crate::bus::Proof { as_of: Timestamp::from_secs(as_of) };
        cache.apply(&Message::Proof(proof), Timestamp::from_secs(now));
        cache.proved()
    };
    assert_eq!(cache.proved(), Timestamp::EPOCH);
    assert_eq!(prove(1_001, 1_000), Timestamp::from_secs(1_000));
    // Who takes over may know less.
    assert_eq!(prove(990, 1_003), Timestamp::from_secs(990));
    assert_eq!(prove(1_010, 1_010), Timestamp::from_secs(1_010));
    // Ten minutes ahead; as it is when our own clock was set back.
    assert_eq!(prove(1_610, 1_010), Timestamp::EPOCH);
}
