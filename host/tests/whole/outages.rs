//! The exchange or Redis goes away while the host trades.

use std::time::Duration;

use hotpit::model::OrderState;

use crate::support::redis::RedisServer;
use crate::support::{BOTH, Floor, MAKER, Setup, agent, books, counter, is_up, logs, stream};

/// How long an outage lasts: long enough for several attempts to connect.
const OUTAGE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_goes_away_comes_back_to_right_books() {
    let setup = Setup::with(&BOTH);
    let mut floor = Floor::open(&setup).await;
    let options = "series = [\"KXNFLGAME\"]\n[params]\nmode = \"count-trades\"\n\
                   [limits]\nlog_lines_per_second = 100000\n";
    floor.put_file("watcher.toml", options.as_bytes());
    floor.put_agent("watcher", "hostile");
    floor.start_host().await;
    floor.until_fills(3).await;
    let ready = |status: &hotpit::ops::Status| {
        let watches = agent(status, "watcher").is_some_and(|line| line.markets >= 2);
        watches && status.desk.working.len() >= 2
    };
    let before = floor.until("orders work and the watcher watches", ready).await;
    let gaps = logs::lines_of("watcher").iter().filter(|line| *line == "gap").count();

    floor.exchange.go_down().await;
    let down = floor
        .until("the host says so", |status| {
            let under_way = status.desk.working.iter().any(|it| it.state == OrderState::Sent);
            !is_up(status, "kalshi") && status.desk.not_ready.is_some() && !under_way
        })
        .await;
    assert!(!down.troubles().is_empty());
    let fills = books::read::<u64>(&floor.audit().await, "fills_count");
    floor
        .until_so("our orders trade meanwhile", async || {
            floor.hit().await;
            books::read::<u64>(&floor.audit().await, "fills_count") > fills
        })
        .await;
    tokio::time::sleep(OUTAGE).await;
    let still = floor.status().await;
    assert_eq!(still.desk.orders, down.desk.orders, "nothing is sent into the dark");
    assert!(stream(&still, "kalshi").reason.is_some());
    assert!(still.desk.fills < books::read::<u64>(&floor.audit().await, "fills_count"));
    floor
        .until_so("the agents were told", async || {
            logs::lines_of("watcher").iter().filter(|line| *line == "gap").count() > gaps
        })
        .await;

    floor.exchange.come_back().await;
    let back = floor
        .until("it is back", |status| is_up(status, "kalshi") && status.desk.not_ready.is_none())
        .await;
    assert!(stream(&back, "kalshi").connects > stream(&before, "kalshi").connects);
    let snapshots =
        |status: &hotpit::ops::Status| counter(status, "hotpit_book_changes_total", "snapshot");
    floor.until("books are fresh", |status| snapshots(status) >= snapshots(&before) + 2).await;

    floor.until_marked_right().await;
    floor
        .until_so("fills of the outage are booked", async || {
            let audit = floor.audit().await;
            floor.status().await.desk.fills == books::read::<u64>(&audit, "fills_count")
        })
        .await;
    floor.until_fills(3).await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_stops_orders_until_it_is_back() {
    let mut redis = RedisServer::start().await;
    let mut floor = Floor::trading(&Setup::with(&MAKER).over(&redis)).await;
    redis.kill();
    floor
        .until("the host says so and its quotes are gone", |status| {
            !is_up(status, "redis") && status.desk.working.is_empty()
        })
        .await;
    let down = floor.status().await;
    assert!(down.troubles().iter().any(|trouble| trouble.contains("redis")));
    tokio::time::sleep(OUTAGE).await;
    let still = floor.status().await;
    assert_eq!(still.desk.orders, down.desk.orders, "no order on books that nobody keeps");
    assert_eq!(floor.audit().await["open_orders"].as_array().unwrap().len(), 0);

    redis.restart().await;
    floor.until("it is back", |status| is_up(status, "redis")).await;
    floor.until_fills(3).await;
    let status = floor.stop().await;
    assert!(stream(&status, "redis").connects > 1);
}
