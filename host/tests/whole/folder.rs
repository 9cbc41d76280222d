//! The folder of agents while the host runs: files that come, change and go.

use std::time::{Duration, Instant};

use hotpit_units::Quantity;

use crate::support::redis::RedisServer;
use crate::support::{Floor, MAKER, Setup, agent, guest_bytes, is_running, logs};

/// The longest that a complete file may take until its agent runs, on a machine that tests.
const SOON: Duration = Duration::from_secs(5);

/// The same program in another file: with a custom section that nobody reads.
fn another_file_of(guest: &str, number: u8) -> Vec<u8> {
    let mut bytes = guest_bytes(guest);
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', number]);
    bytes
}

/// Where a trade of this quantity is in what a counter logged; the rest of each line is its count
/// and its price.
fn logged(counter: &str) -> Vec<(u64, u32, i64)> {
    let numbers = |line: String| {
        let mut words = line.split(' ').map(|word| word.split_once('=').unwrap().1.to_owned());
        let count = words.next().unwrap().parse().unwrap();
        (count, words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap())
    };
    let lines = logs::lines_of(counter).into_iter();
    lines.filter(|line| line.starts_with("trades=")).map(numbers).collect()
}

async fn until_logged(floor: &Floor, counter: &str, mark: Quantity) {
    floor
        .until_so("the counter was told of the mark", async || {
            logged(counter).iter().any(|(_, _, quantity)| *quantity == mark.raw())
        })
        .await;
}

/// An agent that counts trades is dropped, replaced three times and deleted; between two marks in
/// its market it must have been told of each trade once, in order, and have kept count.
async fn a_counter_comes_changes_and_goes(setup: Setup, counter: &str) {
    let mut floor = Floor::open(&setup).await;
    floor.start_host().await;
    let home = floor.home().await;
    let options = format!(
        "markets = [\"{home}\"]\n[params]\nmode = \"count-trades\"\n\
         [limits]\nlog_lines_per_second = 100000\n"
    );
    floor.put_file(&format!("{counter}.toml"), options.as_bytes());
    let file = format!("{counter}.wasm");

    floor.put_file(&file, &guest_bytes("hostile"));
    let complete = Instant::now();
    floor.until("the counter runs", |status| is_running(status, counter)).await;
    let took = complete.elapsed();
    println!("{counter}: live {took:?} after its file was complete");
    assert!(took < SOON, "{took:?}");
    floor.until("it was told something", |s| agent(s, counter).unwrap().events > 0).await;

    let (first, last) = (Quantity::from_contracts(1_001), Quantity::from_contracts(1_002));
    floor.mark(&home, first).await;
    until_logged(&floor, counter, first).await;
    for swap in 1..=3 {
        floor.put_file(&file, &another_file_of("hostile", swap));
        let complete = Instant::now();
        loop {
            // Trades at every moment of the swap, and more than the world makes by itself.
            floor.mark(&home, Quantity::from_contracts(3)).await;
            let status = floor.status().await;
            if agent(&status, counter).unwrap().swaps >= u64::from(swap) {
                break;
            }
            assert!(complete.elapsed() < SOON, "{status:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("{counter}: swapped {:?} after its file was complete", complete.elapsed());
    }
    floor.mark(&home, last).await;
    until_logged(&floor, counter, last).await;

    let told = logged(counter);
    let counts: Vec<u64> = told.iter().map(|(count, ..)| *count).collect();
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "its count broke: {counts:?}");
    let between = |trades: Vec<(u32, i64)>| -> Vec<(u32, i64)> {
        let at = |mark: Quantity| trades.iter().position(|trade| trade.1 == mark.raw()).unwrap();
        trades[at(first)..=at(last)].to_vec()
    };
    let told = between(told.into_iter().map(|(_, price, quantity)| (price, quantity)).collect());
    let happened = floor.trades(&home).await.into_iter();
    let happened = between(happened.map(|trade| (trade.0.raw(), trade.1.raw())).collect());
    assert!(happened.len() > 10, "{happened:?}");
    assert_eq!(told, happened);
    println!("{counter}: {} trades told over three swaps, each once", told.len());

    std::fs::remove_file(floor.agent_path(&file)).unwrap();
    floor.until("the counter is gone", |status| agent(status, counter).is_none()).await;
    floor.stop().await;
}

/// The market maker is replaced while its orders work, and deleted while they work.
async fn a_market_maker_changes_and_goes(setup: Setup) {
    let mut floor = Floor::trading(&setup).await;
    for swap in 1..=2 {
        floor.until("orders work", |status| status.desk.working.len() >= 2).await;
        floor.put_file("market-maker.wasm", &another_file_of("market_maker", swap));
        let is_swapped = |status: &hotpit::ops::Status| {
            agent(status, "market-maker").unwrap().swaps >= u64::from(swap)
        };
        floor.until("it is swapped", is_swapped).await;
        floor.until_fills(2).await;
        // Had it forgotten its orders, it would quote beside them.
        let audit = floor.audit().await;
        let orders = audit["open_orders"].as_array().unwrap();
        let mut places: Vec<String> =
            orders.iter().map(|order| format!("{} {}", order["ticker"], order["side"])).collect();
        places.sort();
        assert!(places.windows(2).all(|pair| pair[0] != pair[1]), "{places:?}");
    }
    floor
        .until_so("orders work at the exchange", async || {
            floor.audit().await["open_orders"].as_array().unwrap().len() >= 2
        })
        .await;
    std::fs::remove_file(floor.agent_path("market-maker.wasm")).unwrap();
    floor
        .until_so("its orders are canceled at the exchange", async || {
            floor.audit().await["open_orders"].as_array().unwrap().is_empty()
        })
        .await;
    let status = floor.until("it is gone", |status| status.agents.is_empty()).await;
    let intents = status.desk.intents;
    assert_eq!(floor.stop().await.desk.intents, intents, "who is gone wants nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_told_each_trade_once_over_three_swaps() {
    a_counter_comes_changes_and_goes(Setup::with(&[]), "counter-embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_told_each_trade_once_over_three_swaps_through_redis() {
    let redis = RedisServer::start().await;
    a_counter_comes_changes_and_goes(Setup::with(&[]).over(&redis), "counter-redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_maker_is_swapped_with_its_orders_and_deleted_without_them() {
    a_market_maker_changes_and_goes(Setup::with(&MAKER)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_market_maker_is_swapped_and_deleted_through_redis() {
    let redis = RedisServer::start().await;
    a_market_maker_changes_and_goes(Setup::with(&MAKER).over(&redis)).await;
}
