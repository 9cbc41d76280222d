//! Both example agents trade; what is not live sends nothing.

use hotpit::ops::AgentPhase;

use crate::support::redis::RedisServer;
use crate::support::{BOTH, Floor, LOOK, MAKER, Setup, agent, counter, is_running, logs};

/// Lets both example agents trade, and compares the books at the end.
async fn both_agents_trade(setup: Setup) {
    let mut floor = Floor::open(&setup).await;
    floor.start_host().await;
    floor
        .until("both agents run", |status| BOTH.iter().all(|(name, _)| is_running(status, name)))
        .await;
    for (name, _) in BOTH {
        let fills = format!("SELECT count(*) FROM fills WHERE agent = '{name}'");
        floor.until_so(&format!("{name} has fills"), async || floor.ask_journal(&fills) > 0).await;
    }
    // The first orders wait for their group, and are not timed.
    floor.until("an order is timed", |status| status.desk.tick_to_order.count() > 0).await;
    let status = floor.stop().await;
    assert!(status.desk.fills >= 2);
    assert_eq!(status.desk.positions.iter().filter(|line| line.agent.is_none()).count(), 0);
    assert!(counter(&status, "hotpit_book_changes_total", "delta") > 0);
    assert!(status.desk.tick_to_order.sum_ns() > 0);
    assert_eq!(counter(&status, "hotpit_books_stale_total", "misfit"), 0);
    assert_eq!(counter(&status, "hotpit_books_stale_total", "crossed"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_example_agents_trade_and_the_books_agree() {
    both_agents_trade(Setup::with(&BOTH)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_example_agents_trade_through_redis_and_the_books_agree() {
    let redis = RedisServer::start().await;
    both_agents_trade(Setup::with(&BOTH).over(&redis)).await;
}

/// Agents see the numbers of a market's trading as the exchange has them, and what goes on in a
/// game.
async fn statistics_are_the_exchanges(setup: Setup, name: &str) {
    let mut floor = Floor::open(&setup).await;
    let options = "series = [\"KXNFLGAME\"]\nleagues = [\"nfl\"]\n\
                   params.mode = \"tell-statistics\"\n\
                   limits.log_lines_per_second = 100000\n";
    floor.put_file(&format!("{name}.toml"), options.as_bytes());
    floor.put_agent(name, "hostile");
    floor.start_host().await;
    floor.until_fills(2).await;
    floor
        .until_so("an agent sees who has the ball", async || {
            logs::lines_of(name)
                .iter()
                .any(|line| line.starts_with("possession=Some") && line.contains("down=Some"))
        })
        .await;
    let home = floor.home().await;
    let world = floor.freeze().await;
    floor
        .until_so("what an agent is told last is what the exchange has", async || {
            floor.mark(&home, hotpit_units::Quantity::from_contracts(1)).await;
            let (volume, open) = floor.numbers(&home).await;
            let told = format!("{home} volume={volume} open_interest={open}");
            // They are told with the next change of the book: not each mark is followed by one.
            for _ in 0..50 {
                if logs::lines_of(name).iter().rev().take(50).any(|line| *line == told) {
                    return true;
                }
                tokio::time::sleep(LOOK).await;
            }
            false
        })
        .await;
    floor.wake(world).await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_reach_agents() {
    statistics_are_the_exchanges(Setup::with(&MAKER), "teller").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statistics_reach_agents_through_redis() {
    let redis = RedisServer::start().await;
    statistics_are_the_exchanges(Setup::with(&MAKER).over(&redis), "redis-teller").await;
}

/// The address is this machine's to the system, and not to the host: to it, real money may be
/// behind it.
async fn on_an_address_that_may_cost_money(live: bool) -> Floor {
    let mut floor = Floor::open(&Setup::with(&MAKER)).await;
    let text = std::fs::read_to_string(floor.config_path()).unwrap();
    let elsewhere = text.replacen("127.0.0.1", "0.0.0.0", 1);
    std::fs::write(floor.config_path(), format!("live = {live}\n{elsewhere}")).unwrap();
    floor.start_host().await;
    floor
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_live_the_desk_decides_and_nothing_leaves() {
    let floor = on_an_address_that_may_cost_money(false).await;
    let status = floor.until("it decides", |status| status.desk.intents >= 4).await;
    assert!(!status.sends_orders);
    assert!(agent(&status, "market-maker").unwrap().actions > 0);
    assert_eq!(floor.audit().await["orders_count"], 0);
    floor.end().await;
}

/// There are no private channels to wait for, and an account is pretended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_the_desk_is_ready_to_decide() {
    let mut floor = Floor::open(&Setup::with(&MAKER)).await;
    floor.start_host_with(None).await;
    let status = floor.until("it is ready", |status| status.desk.not_ready.is_none()).await;
    assert!(!status.sends_orders);
    assert!(status.desk.shards.iter().all(|line| line.free.is_positive()));
    floor.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_live_the_same_address_gets_orders() {
    let mut floor = on_an_address_that_may_cost_money(true).await;
    assert!(floor.status().await.sends_orders);
    let stopped = |status: &hotpit::ops::Status| {
        agent(status, "market-maker").is_some_and(|line| line.phase == AgentPhase::Stopped)
    };
    let status = floor.until("nobody said that this agent may cost money", stopped).await;
    let reason = agent(&status, "market-maker").unwrap().reason.clone().unwrap();
    assert!(reason.contains("`live = true` in market-maker.toml"), "{reason}");
    floor.put_file("market-maker.toml", b"live = true\n");
    floor.until_fills(1).await;
    floor.stop().await;
}
