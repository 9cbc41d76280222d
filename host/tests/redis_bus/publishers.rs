//! More than one publisher: which one is followed, and which one stops.

use std::time::Duration;

use hotpit::bus::redis::Publisher;
use hotpit::bus::{BusState, Settings};
use hotpit_rt::Clock;
use hotpit_units::Timestamp;

use crate::redis_server::RedisServer;
use crate::{connect, level, live, publisher, settings, snapshot, streams, subscriber, until};

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
    let publisher = publisher(&settings);
    let (subscriber, listener) = subscriber(&settings);
    live(subscriber.state()).await;
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
