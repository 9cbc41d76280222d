//! One host takes in the feeds, two others run agents on them and trade.

use std::time::Instant;

use hotpit::desk::record::Halted;
use hotpit::ops::{Role, Source as _};

use crate::support::redis::RedisServer;
use crate::support::roles::Desk;
use crate::support::{BOTH, Floor, Setup, counter, is_running};

/// Waits until this host has traded some more, and has orders at work.
async fn trades(floor: &Floor, desk: &Desk) {
    let before = desk.status().await.desk.fills;
    floor
        .until_so("it trades", async || {
            let status = desk.status().await;
            status.desk.fills > before && desk.working(floor).await > 0
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_takes_in_the_feeds_and_two_trade_on_them() {
    let mut redis = RedisServer::start().await;
    let floor = Floor::open(&Setup::with(&[]).over(&redis)).await;
    let folder = tempfile::tempdir().unwrap();
    let ingest = floor.start_ingest(folder.path()).await;
    let told = ingest.source().status().await.unwrap();
    assert_eq!((told.role, told.books.synced), (Role::Ingest, 0), "nobody wants anything yet");
    let desks = [floor.start_desk(&BOTH).await, floor.start_desk(&BOTH).await];
    for desk in &desks {
        trades(&floor, desk).await;
        let status = desk.status().await;
        assert_eq!(status.role, Role::Agents);
        assert!(BOTH.iter().all(|(name, _)| is_running(&status, name)));
        assert_eq!(counter(&status, "hotpit_messages_dropped_total", "redis_missed"), 0);
        assert!(status.streams.iter().any(|it| it.name == "redis wants"));
    }
    assert!(ingest.source().status().await.unwrap().books.synced > 0);
    let refused = ingest.source().halt(None, Halted::all("lunch")).await.unwrap_err();
    assert!(refused.contains("has no desk"), "{refused}");

    redis.kill();
    for desk in &desks {
        floor
            .until_so("it opens nothing", async || {
                let not_ready = desk.status().await.desk.not_ready;
                not_ready.is_some_and(|reason| reason.starts_with("the bus is down"))
            })
            .await;
    }
    let orders = [desks[0].status().await.desk.orders, desks[1].status().await.desk.orders];
    let back = Instant::now();
    redis.restart().await;
    for (desk, before) in desks.iter().zip(orders) {
        floor
            .until_so("it goes on", async || {
                let desk = desk.status().await.desk;
                desk.not_ready.is_none() && desk.orders > before
            })
            .await;
        println!("ordered again {} ms after Redis was back", back.elapsed().as_millis());
    }
    for desk in desks {
        desk.stop(&floor).await;
    }
    let told = ingest.stop().await;
    assert!(told.events > 0);
    assert_eq!(counter(&told, "hotpit_books_stale_total", "misfit"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_with_one_key_trade_on_subaccounts_and_leave_each_other_alone() {
    let redis = RedisServer::start().await;
    let floor = Floor::open(&Setup::with(&[]).over(&redis)).await;
    let folder = tempfile::tempdir().unwrap();
    let ingest = floor.start_ingest(folder.path()).await;
    let first = floor.start_desk_in(1, &BOTH).await;
    trades(&floor, &first).await;
    // It compares its books with the exchange's while the other's orders work there.
    let second = floor.start_desk_in(2, &BOTH).await;
    for desk in [&second, &first, &second] {
        trades(&floor, desk).await;
    }
    for desk in [&first, &second] {
        floor
            .until_so("it has heard of the other", async || {
                let status = desk.status().await;
                counter(&status, "hotpit_messages_dropped_total", "other_subaccount") > 0
            })
            .await;
        assert_eq!(desk.met_of_others(), 0);
    }
    // An end cancels what works: its own alone.
    first.stop(&floor).await;
    trades(&floor, &second).await;
    assert_eq!(second.met_of_others(), 0);
    second.stop(&floor).await;
    assert_eq!(floor.audit().await["orders_count"], 0, "nobody traded on the primary account");
    ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_breaks_at_the_one_host_stops_the_others_until_it_is_back() {
    let redis = RedisServer::start().await;
    let floor = Floor::open(&Setup::with(&[]).over(&redis)).await;
    let folder = tempfile::tempdir().unwrap();
    let ingest = floor.start_ingest(folder.path()).await;
    let desk = floor.start_desk(&BOTH).await;
    trades(&floor, &desk).await;
    ingest.stop().await;
    floor
        .until_so("no book is trusted", async || {
            let status = desk.status().await;
            status.books.synced == 0 && status.desk.not_ready.is_some()
        })
        .await;
    // Another one, of which nobody told this host.
    let ingest = floor.start_ingest(folder.path()).await;
    trades(&floor, &desk).await;
    desk.stop(&floor).await;
    ingest.stop().await;
}
