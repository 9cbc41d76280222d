//! What the desks do, as a Redis Stream.

use std::time::Duration;

use hotpit::bus::Settings;
use hotpit::bus::redis::{ARCHIVE_GROUP, ARCHIVE_KEY, Archive};
use hotpit_rt::Clock;

use crate::redis_server::RedisServer;
use crate::{connect, settings, streams};

/// The entries of the archive, in order: the number of each, and what is in it.
async fn archived(connection: &mut redis::aio::MultiplexedConnection) -> Vec<(u64, String)> {
    type Entries = Vec<(String, std::collections::BTreeMap<String, String>)>;
    let entries: Entries = redis::cmd("XREADGROUP")
        .arg(&["GROUP", ARCHIVE_GROUP, "watcher", "COUNT", "1000", "STREAMS", ARCHIVE_KEY, "0"])
        .query_async::<Vec<(String, Entries)>>(connection)
        .await
        .map(|streams| streams.into_iter().flat_map(|(_, entries)| entries).collect())
        .unwrap_or_default();
    entries.into_iter().map(|(_, it)| (it["n"].parse().unwrap(), it["entry"].clone())).collect()
}

#[tokio::test]
async fn the_archive_is_read_by_its_group_and_goes_on_after_an_outage() {
    let mut server = RedisServer::start().await;
    let settings = Settings { archive_entries_max: 1_000, ..settings(&server) };
    let started = Archive::start::<String>(&settings, &streams(), Clock::system());
    let (mut archive, mut sender) = started.unwrap();
    for round in 0..2 {
        // Numbers go on; whatever Redis held before it was killed is gone with it.
        let expected: Vec<(u64, String)> =
            (1..=300).map(|number| (round * 300 + number, format!("\"{number}\""))).collect();
        (1..=300).for_each(|number| sender.put(number.to_string()));
        let mut connection = connect(&server).await;
        let began = std::time::Instant::now();
        loop {
            // What is new goes to the watcher, who then has it until it says that it is done.
            let new: redis::Value = redis::cmd("XREADGROUP")
                .arg(&["GROUP", ARCHIVE_GROUP, "watcher", "STREAMS", ARCHIVE_KEY, ">"])
                .query_async(&mut connection)
                .await
                .unwrap_or(redis::Value::Nil);
            if new == redis::Value::Nil && archived(&mut connection).await == expected {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "round {round}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.restart().await;
    }
    assert_eq!(archive.dropped().load(std::sync::atomic::Ordering::Relaxed), 0);
    drop(sender);
    archive.close().await;
}

#[tokio::test]
async fn what_the_archive_has_no_room_for_is_counted_and_seen_to_be_missing() {
    let mut server = RedisServer::start().await;
    let settings = settings(&server);
    server.kill();
    let started = Archive::start::<u64>(&settings, &streams(), Clock::system());
    let (archive, mut sender) = started.unwrap();
    (0..20_000).for_each(|number| sender.put(number));
    let dropped = archive.dropped().load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(dropped, 20_000 - 16_384);
    server.restart().await;
    let mut connection = connect(&server).await;
    let began = std::time::Instant::now();
    loop {
        let kept: usize =
            redis::cmd("XLEN").arg(ARCHIVE_KEY).query_async(&mut connection).await.unwrap();
        if kept == 16_384 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{kept}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sender.put(0);
    let began = std::time::Instant::now();
    loop {
        let last: redis::Value = redis::cmd("XREVRANGE")
            .arg(&[ARCHIVE_KEY, "+", "-", "COUNT", "1"])
            .query_async(&mut connection)
            .await
            .unwrap();
        if format!("{last:?}").contains("20001") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{last:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
