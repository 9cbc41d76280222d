//! The Redis bus against a real `redis-server`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends with what it did not expect; helpers are outside of #[test]"
)]

mod archive;
mod publishers;
#[path = "../support/redis.rs"]
mod redis_server;
mod rights;
mod sentinel;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotpit::bus::redis::{PUBLISHER_KEY, Publisher, Subscriber};
use hotpit::bus::{Bus, BusState, Delta, Kind, Message, Settings, Sink, Snapshot, Stale, Way};
use hotpit::cache::Cache;
use hotpit::feeds::Publish;
use hotpit::model::{
    FeeSchedule, Game, GameInfo, GameMarket, GameStatus, League, Level, Market, MarketStatus,
    Outcome, PriceGrid, Team, Trade,
};
use hotpit::streams::Streams;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use rand::RngExt;

use redis_server::RedisServer;

/// What one subscriber heard, and the cache that it fed.
#[derive(Default)]
struct Listener {
    cache: Cache,
    heard: Mutex<Vec<Message>>,
}

impl Sink for Listener {
    fn deliver(&self, message: Message, received: Timestamp) {
        self.cache.apply(&message, received);
        // Each load brings a proof of its own: the cache shows what it says.
        if !matches!(message, Message::Proof(_)) {
            self.heard.lock().unwrap().push(message);
        }
    }
}

impl Listener {
    fn heard(&self) -> Vec<Message> {
        self.heard.lock().unwrap().clone()
    }

    fn book(&self, ticker: &str) -> Option<(Vec<Level>, Vec<Level>)> {
        book(&self.cache, ticker)
    }
}

/// A synced book, best first.
fn book(cache: &Cache, ticker: &str) -> Option<(Vec<Level>, Vec<Level>)> {
    let id = cache.market_id(ticker)?;
    cache.with_book(id, |book, synced| {
        let levels = |side| book.levels(side).collect::<Vec<_>>();
        synced.then(|| (levels(Side::Bid), levels(Side::Ask)))
    })?
}

fn settings(server: &RedisServer) -> Settings {
    Settings {
        kind: Kind::Redis,
        url: server.url(),
        flush_ms: 20,
        heartbeat_ms: 100,
        timeout_ms: 500,
        ..Settings::default()
    }
}

fn streams() -> Streams {
    Streams::new(Clock::system(), Entropy::seeded(4))
}

fn publisher(settings: &Settings) -> Publisher {
    Publisher::start(settings, &streams(), Clock::system()).unwrap()
}

fn subscriber(settings: &Settings) -> (Subscriber, Arc<Listener>) {
    let listener = Arc::<Listener>::default();
    let sink = Arc::clone(&listener) as Arc<dyn Sink>;
    let subscriber =
        Subscriber::start(settings, sink, &streams(), Clock::system(), &Entropy::seeded(2))
            .unwrap();
    (subscriber, listener)
}

/// Waits until it is so; fails after ten seconds.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "never: {what}");
}

async fn live(state: tokio::sync::watch::Receiver<BusState>) {
    until("live", || *state.borrow() == BusState::Live).await;
}

/// A publisher, and a subscriber that hears it.
async fn joined(settings: &Settings) -> (Publisher, Subscriber, Arc<Listener>) {
    let publisher = publisher(settings);
    let (subscriber, listener) = subscriber(settings);
    live(subscriber.state()).await;
    (publisher, subscriber, listener)
}

fn level(cents: u32, contracts: i64) -> Level {
    Level { price: Price::from_cents(cents), quantity: Quantity::from_contracts(contracts) }
}

fn snapshot(ticker: &str, bids: &[Level], asks: &[Level]) -> Message {
    let (bids, asks) = (bids.to_vec(), asks.to_vec());
    let ts = Timestamp::from_millis(1);
    Message::Snapshot(Snapshot { ticker: ticker.into(), bids, asks, ts })
}

fn delta(ticker: &str, side: Side, cents: u32, contracts: i64) -> Message {
    Message::Delta(Delta {
        ticker: ticker.into(),
        side,
        price: Price::from_cents(cents),
        delta: Quantity::from_contracts(contracts),
        ts: Timestamp::from_millis(2),
    })
}

fn trade(number: u32) -> Message {
    Message::Trade(Trade {
        trade_id: format!("t{number}").into(),
        ticker: "KX-1".into(),
        price: Price::from_cents(50),
        quantity: Quantity::from_contracts(1),
        taker: Side::Ask,
        ts: Timestamp::from_millis(3),
    })
}

fn market(ticker: &str) -> Message {
    Message::Market(Arc::new(Market {
        ticker: ticker.into(),
        event_ticker: "KX".into(),
        series_ticker: "K".into(),
        title: "Who wins?".into(),
        yes_title: "Seattle".into(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: Some(Timestamp::from_secs(9)),
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: true,
        strike_target: Some("uuid".into()),
    }))
}

fn team(name: &str) -> Team {
    Team { name: name.into(), location: name.into(), abbreviation: name.into() }
}

fn game_info() -> Message {
    Message::GameInfo(Arc::new(GameInfo {
        espn_id: "401".into(),
        league: League("nfl".into()),
        home: team("SEA"),
        away: team("NE"),
        start: Timestamp::from_secs(5),
        periods: 4,
        period_ms: 900_000,
        markets: vec![GameMarket { ticker: "KX-1".into(), outcome: Outcome::HomeWins }],
    }))
}

fn game(home_score: u32) -> Message {
    Message::Game(Game {
        espn_id: "401".into(),
        status: GameStatus::InProgress,
        period: 2,
        clock_ms: 48_000,
        home_score,
        away_score: 3,
        situation: None,
        ts: Timestamp::from_millis(4),
    })
}

#[tokio::test]
async fn every_message_comes_back_as_it_was_published() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let (publisher, subscriber, listener) = joined(&settings).await;

    let stale = Stale { tickers: vec!["KX-1".into()], reason: "gap".into() };
    let messages = [
        market("KX-1"),
        snapshot("KX-1", &[level(40, 5)], &[level(50, 6)]),
        delta("KX-1", Side::Bid, 41, 2),
        trade(1),
        game_info(),
        game(7),
        Message::Stale(stale),
    ];
    for message in &messages {
        publisher.publish(message.clone(), Timestamp::from_secs(1));
    }
    until("all messages", || listener.heard().len() >= messages.len()).await;
    // Channels are ordered each for itself.
    for message in &messages {
        assert!(listener.heard().contains(message), "{message:?}");
    }
    assert_eq!(listener.heard().len(), messages.len());
    assert_eq!(subscriber.stats().gaps, 0);
}

#[tokio::test]
async fn a_bus_of_either_kind_delivers_what_a_feed_publishes() {
    let server = RedisServer::start().await;
    for kind in [Kind::Embedded, Kind::Redis] {
        let settings = Settings { kind, ..settings(&server) };
        let listener = Arc::<Listener>::default();
        let sink = Arc::clone(&listener) as Arc<dyn Sink>;
        let bus = Bus::start(
            &settings,
            Way::Both,
            sink,
            &streams(),
            Clock::system(),
            &Entropy::seeded(3),
        )
        .unwrap();
        live(bus.state()).await;
        bus.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
        bus.publish(delta("KX-1", Side::Bid, 41, 1), Timestamp::EPOCH);
        let bids = vec![level(41, 1), level(40, 5)];
        until("the book", || listener.book("KX-1") == Some((bids.clone(), vec![]))).await;
        let published = if kind == Kind::Redis { 2 } else { 0 };
        until("counted", || bus.stats().publisher.published == published).await;
        bus.close().await;
    }
}

#[tokio::test]
async fn a_late_subscriber_gets_the_books_the_markets_and_the_games() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let publisher = publisher(&settings);
    live(publisher.state()).await;
    publisher.publish(market("KX-1"), Timestamp::EPOCH);
    publisher.publish(snapshot("KX-1", &[level(40, 5)], &[level(50, 6)]), Timestamp::EPOCH);
    publisher.publish(game_info(), Timestamp::EPOCH);
    publisher.publish(game(14), Timestamp::EPOCH);
    publisher.publish(delta("KX-1", Side::Ask, 50, -6), Timestamp::EPOCH);

    let (subscriber, listener) = subscriber(&settings);
    // Goes on while the subscriber loads.
    for cents in 41..49 {
        publisher.publish(delta("KX-1", Side::Bid, cents, 1), Timestamp::EPOCH);
    }
    live(subscriber.state()).await;
    let bids: Vec<Level> =
        (41..49).rev().map(|cents| level(cents, 1)).chain([level(40, 5)]).collect();
    until("the book", || listener.book("KX-1") == Some((bids.clone(), vec![]))).await;
    let cache = &listener.cache;
    assert!(cache.market(cache.market_id("KX-1").unwrap()).is_some());
    let game = cache.game_id("401").unwrap();
    assert_eq!(cache.game(game).unwrap().home_score, 14);
    assert_eq!(cache.game_of_market(cache.market_id("KX-1").unwrap()), Some(game));
    assert_eq!(cache.counters().book_errors, 0);
}

#[tokio::test]
async fn a_killed_redis_makes_books_stale_and_its_return_makes_them_fresh() {
    let mut server = RedisServer::start().await;
    let settings = settings(&server);
    let (publisher, subscriber, listener) = joined(&settings).await;
    publisher.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    until("the book", || listener.book("KX-1").is_some()).await;

    server.kill();
    let state = subscriber.state();
    until("down", || matches!(*state.borrow(), BusState::Down { .. })).await;
    until("stale", || listener.book("KX-1").is_none()).await;
    let state = publisher.state();
    until("publisher down", || matches!(*state.borrow(), BusState::Down { .. })).await;
    publisher.publish(delta("KX-1", Side::Bid, 41, 2), Timestamp::EPOCH);
    assert!(publisher.stats().dropped_down >= 1);

    server.restart().await;
    live(subscriber.state()).await;
    live(publisher.state()).await;
    let expected = Some((vec![level(41, 2), level(40, 5)], vec![]));
    until("the fresh book", || listener.book("KX-1") == expected).await;
    let heard = listener.heard();
    let stale = heard.iter().position(|message| matches!(message, Message::Stale(_))).unwrap();
    let last = heard.iter().rposition(|message| matches!(message, Message::Snapshot(_))).unwrap();
    assert!(stale < last, "{heard:?}");
    assert_eq!(listener.cache.counters().book_errors, 0);
}

/// Publishes an envelope that is `ahead` of what the publisher published last.
async fn forge(server: &RedisServer, channel: &str, seq: u64, body: &Message) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let key: String =
        redis::cmd("GET").arg(PUBLISHER_KEY).query_async(&mut connection).await.unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let envelope =
        serde_json::json!({"v": 1, "epoch": key["epoch"], "seq": seq, "ts": 0, "body": body});
    redis::cmd("PUBLISH")
        .arg(channel)
        .arg(envelope.to_string())
        .exec_async(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_missing_message_makes_books_stale_until_they_are_loaded_again() {
    for channel in ["kalshi:markets", "kalshi:trades"] {
        let server = RedisServer::start().await;
        let settings = settings(&server);
        let publisher = publisher(&settings);
        let (subscriber, listener) = subscriber(&settings);
        live(subscriber.state()).await;
        publisher.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
        publisher.publish(trade(1), Timestamp::EPOCH);
        until("both", || listener.heard().len() == 2).await;

        let of_trades = channel == "kalshi:trades";
        let forged = if of_trades { trade(9) } else { delta("KX-1", Side::Bid, 9, 9) };
        forge(&server, channel, 9, &forged).await;
        let is_stale = |message: &Message| matches!(message, Message::Stale(_));
        until("stale", || listener.heard().iter().any(is_stale)).await;
        let stats = subscriber.stats();
        assert_eq!((stats.gaps, stats.missed), (1, 7), "{channel}");

        // The publisher comes to where the forged message was, and goes on from there.
        for number in 2..=10 {
            let (trade, delta) = (trade(number), delta("KX-1", Side::Bid, 41, 1));
            publisher.publish(if of_trades { trade } else { delta }, Timestamp::EPOCH);
        }
        let bids = if of_trades { vec![level(40, 5)] } else { vec![level(41, 9), level(40, 5)] };
        until("the book", || listener.book("KX-1") == Some((bids.clone(), vec![]))).await;
        assert!(subscriber.stats().loads >= 2, "{channel}");
        assert_eq!(subscriber.stats().gaps, 1, "{channel}");
    }
}

#[tokio::test]
async fn a_publisher_that_starts_again_is_a_new_epoch() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let (first, subscriber, listener) = joined(&settings).await;
    first.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    until("the book", || listener.book("KX-1").is_some()).await;
    first.close().await;

    let second = publisher(&settings);
    second.publish(snapshot("KX-2", &[level(30, 1)], &[]), Timestamp::EPOCH);
    until("the new book", || listener.book("KX-2").is_some()).await;
    assert_eq!(listener.book("KX-1"), None, "nobody follows it any more");
    live(subscriber.state()).await;
}

#[tokio::test]
async fn a_subscriber_without_a_publisher_is_not_live() {
    let server = RedisServer::start().await;
    let (subscriber, _listener) = subscriber(&settings(&server));
    let state = subscriber.state();
    until("down", || match &*state.borrow() {
        BusState::Down { reason } => reason.contains("nobody publishes"),
        BusState::Starting | BusState::Live => false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_that_fills_the_queue_ends_with_the_right_books() {
    let server = RedisServer::start().await;
    let settings = Settings { queue_max: 64, ..settings(&server) };
    let (publisher, subscriber, listener) = joined(&settings).await;

    let truth = Cache::default();
    let mut rng = Entropy::seeded(7).rng("flood");
    let tickers: Vec<String> = (0..20).map(|number| format!("KX-{number}")).collect();
    let publish = |message: Message| {
        truth.apply(&message, Timestamp::EPOCH);
        publisher.publish(message, Timestamp::EPOCH);
    };
    for ticker in &tickers {
        publish(snapshot(ticker, &[level(1, 1)], &[level(99, 1)]));
    }
    for _ in 0..50_000 {
        let ticker = &tickers[rng.random_range(0..tickers.len())];
        let bid = rng.random_bool(0.5);
        let (side, cents) = if bid { (Side::Bid, 2..50) } else { (Side::Ask, 50..99) };
        publish(delta(ticker, side, rng.random_range(cents), rng.random_range(0..9)));
    }
    assert!(publisher.stats().conflated > 0, "the queue never was full");
    until("equal books", || {
        tickers.iter().all(|ticker| listener.book(ticker) == book(&truth, ticker))
    })
    .await;
    assert_eq!(listener.cache.counters().book_errors, 0);
    assert_eq!(subscriber.stats().gaps, 0, "conflated book data is no gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trade_that_does_not_fit_into_the_queue_is_counted_here_and_missed_there() {
    let server = RedisServer::start().await;
    let settings = Settings { queue_max: 64, ..settings(&server) };
    let (publisher, subscriber, listener) = joined(&settings).await;
    for number in 0..20_000 {
        publisher.publish(trade(number), Timestamp::EPOCH);
    }
    let dropped = publisher.stats().dropped_full;
    assert!(dropped > 0, "the queue never was full");
    until("every trade heard or missed", || {
        let trades = u64::try_from(listener.heard().len()).unwrap();
        trades + subscriber.stats().missed == 20_000
    })
    .await;
    assert_eq!(subscriber.stats().missed, dropped);
}

async fn connect(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}
