//! More than one publisher: which one is followed, and which one stops.

use std::time::Duration;

use hotpit::bus::redis::{PUBLISHER_KEY, Publisher};
use hotpit::bus::{BusState, Message, Proof, Settings};
use hotpit_rt::Clock;
use hotpit_units::Timestamp;

use crate::redis_server::RedisServer;
use crate::{
    connect, joined, level, live, publisher, settings, snapshot, streams, subscriber, until,
};

/// Says a heartbeat on every channel, as a publisher of this epoch would.
async fn beat(connection: &mut redis::aio::MultiplexedConnection, epoch: u64) {
    for channel in ["kalshi:markets", "kalshi:trades", "kalshi:lifecycle", "espn:games"] {
        let beat = format!(r#"{{"v":1,"epoch":{epoch},"seq":1,"ts":0}}"#);
        redis::cmd("PUBLISH").arg(channel).arg(beat).exec_async(connection).await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_the_publisher_is_seen_although_an_earlier_one_goes_on() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let (publisher, _subscriber, listener) = joined(&settings).await;
    publisher.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    until("the book", || listener.book("KX-1").is_some()).await;
    drop(publisher);
    let mut connection = connect(&server).await;
    let began = std::time::Instant::now();
    while listener.book("KX-1").is_some() {
        beat(&mut connection, 1).await;
        assert!(began.elapsed() < Duration::from_secs(20), "the book is trusted still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_publisher_that_is_overtaken_stops_and_goes_on_when_the_other_is_gone() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let first = publisher(&settings);
    live(first.state()).await;
    let second = publisher(&settings);
    live(second.state()).await;
    let state = first.state();
    until("the first stops", || match &*state.borrow() {
        BusState::Down { reason } => reason.contains("started later publishes here"),
        BusState::Starting | BusState::Live => false,
    })
    .await;
    // It asks again and again, and stays away; the second does not notice.
    let (mut first_state, mut second_state) = (first.state(), second.state());
    second_state.borrow_and_update();
    for _ in 0..3 {
        let asked = tokio::time::timeout(Duration::from_secs(10), first_state.changed());
        asked.await.expect("it asks again").unwrap();
        assert!(matches!(*first_state.borrow_and_update(), BusState::Down { .. }));
    }
    assert!(!second_state.has_changed().unwrap() && *second_state.borrow() == BusState::Live);
    let (subscriber, listener) = subscriber(&settings);
    live(subscriber.state()).await;
    second.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    until("the book of the second", || listener.book("KX-1").is_some()).await;
    drop(second);
    live(first.state()).await;
    first.publish(snapshot("KX-2", &[level(30, 5)], &[]), Timestamp::EPOCH);
    until("the book of the first", || listener.book("KX-2").is_some()).await;
    assert_eq!(listener.book("KX-1"), None);
}

#[tokio::test]
async fn a_proof_comes_with_the_books_and_ends_with_its_publisher() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let first = publisher(&settings);
    live(first.state()).await;
    first.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    let as_of = Timestamp::from_secs(1_000);
    first.publish(Message::Proof(Proof { as_of }), as_of);
    // It is in the keys, for who comes later.
    let mut connection = connect(&server).await;
    let began = std::time::Instant::now();
    loop {
        let get = redis::cmd("GET").arg(PUBLISHER_KEY).query_async::<String>(&mut connection).await;
        if get.unwrap().contains(&format!(r#""proved":{}"#, serde_json::json!(as_of))) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the key has no proof");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (subscriber, listener) = subscriber(&settings);
    live(subscriber.state()).await;
    assert_eq!(listener.cache.proved(), as_of);
    // One that takes over has proved nothing yet.
    let second = publisher(&settings);
    second.publish(snapshot("KX-1", &[level(41, 5)], &[]), Timestamp::EPOCH);
    let of_second = Some((vec![level(41, 5)], vec![]));
    until("the book of the second", || listener.book("KX-1") == of_second).await;
    assert_eq!(listener.cache.proved(), Timestamp::EPOCH);
}

#[tokio::test]
async fn publishers_that_begin_at_once_have_epochs_of_their_own() {
    let server = RedisServer::start().await;
    let settings = settings(&server);
    let mut connection = connect(&server).await;
    // Ahead of every clock: each begins with the one after the last.
    let last = u64::MAX / 4;
    redis::cmd("SET").arg("hotpit:epoch").arg(last).exec_async(&mut connection).await.unwrap();
    let publishers: Vec<_> = (0..4).map(|_| publisher(&settings)).collect();
    let is_live = |publisher: &Publisher| *publisher.state().borrow() == BusState::Live;
    let overtaken = |publisher: &Publisher| match &*publisher.state().borrow() {
        BusState::Down { reason } => reason.contains("started later publishes here"),
        BusState::Starting | BusState::Live => false,
    };
    until("one is left", || {
        let live = publishers.iter().filter(|publisher| is_live(publisher)).count();
        live == 1 && publishers.iter().filter(|publisher| overtaken(publisher)).count() == 3
    })
    .await;
}

#[tokio::test]
async fn hosts_of_another_venue_neither_listen_nor_publish() {
    let server = RedisServer::start().await;
    let demo = Settings { venue: "demo".to_owned(), ..settings(&server) };
    let kalshi = Settings { venue: "kalshi".to_owned(), ..settings(&server) };
    let publisher = publisher(&demo);
    live(publisher.state()).await;
    publisher.publish(snapshot("KX-1", &[level(40, 5)], &[]), Timestamp::EPOCH);
    let (subscriber, listener) = subscriber(&kalshi);
    let other = Publisher::start(&kalshi, &streams(), Clock::system()).unwrap();
    for state in [subscriber.state(), other.state()] {
        until("it keeps away", || match &*state.borrow() {
            BusState::Down { reason } => reason.contains("the books of venue `demo`"),
            BusState::Starting | BusState::Live => false,
        })
        .await;
    }
    assert_eq!(listener.book("KX-1"), None);
    assert_eq!(*publisher.state().borrow(), BusState::Live);
}
