//! Another program on the bus: the one that the page for Redis shows.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::redis::RedisServer;
use crate::support::{Floor, MAKER, PATIENCE, Setup};

const PAGE: &str = include_str!("../../REDIS.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subscriber_of_the_page_reads_trades() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    if !python.is_file() {
        eprintln!("left out: {} is missing: run `make python-tests`", python.display());
        return;
    }
    let redis = RedisServer::start().await;
    let program = PAGE.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let program = program.replace("redis://127.0.0.1:6379", &redis.url());
    assert!(program.contains(&redis.url()));
    let mut subscriber = Command::new(python)
        .args(["-c", &program])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(subscriber.stdout.take().unwrap()).lines();
    let mut floor = Floor::trading(&Setup::with(&MAKER).over(&redis)).await;
    let read = async {
        loop {
            // Trades that were before it subscribed are nobody's.
            let next = tokio::time::timeout(Duration::from_millis(500), lines.next_line()).await;
            match next {
                Ok(line) => return line.unwrap().expect("it goes on"),
                Err(_) => drop(floor.hit().await),
            }
        }
    };
    let line = tokio::time::timeout(PATIENCE, read).await.unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let [ticker, taker, _, "at", price] = words.as_slice() else { panic!("{line}") };
    assert!(ticker.starts_with("KXNFLGAME-") && matches!(*taker, "bid" | "ask"), "{line}");
    assert!(price.parse::<hotpit_units::Price>().is_ok(), "{line}");
    floor.stop().await;
}
