//! The host's process is killed in the middle of trading, and started again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hotpit_rt::Entropy;
use hotpit_units::Dollars;
use rand::RngExt;

use crate::support::{BOTH, Floor, MAKER, Setup, books};

/// How often the host is killed, and how long it lives at most.
const KILLS: u32 = 50;
const LIFE_MS: u64 = 1_500;

impl Floor {
    /// Waits until the host's cash is what the exchange says, with new orders halted: the balance
    /// that it was told at its start had the money of its working orders taken off, and what it has
    /// is certain once nothing is under way.
    async fn until_cash_agrees(&self) {
        self.text_of(&["halt"]).await;
        self.until_so("its cash agrees", async || {
            let cash: Dollars = books::read(&self.audit().await, "cash_total");
            self.told().await.is_some_and(|status| status.desk.cash == cash)
        })
        .await;
    }

    /// Every order that the exchange has was written down before it was sent.
    async fn assert_all_written(&self) {
        let audit = self.audit().await;
        let theirs = audit["orders_by_client_order_id"].as_object().unwrap();
        if theirs.is_empty() {
            return;
        }
        let journal = self.journal();
        let mut names = journal
            .prepare("SELECT client_order_id FROM intents WHERE client_order_id IS NOT NULL")
            .unwrap();
        let names: BTreeSet<String> =
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for name in theirs.keys() {
            assert!(names.contains(name), "{name} was sent and is not in the journal");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_at_any_instant_doubles_and_forgets_no_order() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let mut rng = Entropy::seeded(11).rng("kills");
    for _ in 0..KILLS {
        let program = floor.spawn();
        let end = Instant::now() + Duration::from_millis(rng.random_range(0..LIFE_MS));
        while Instant::now() < end {
            floor.hit().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        program.kill();
        floor.assert_all_written().await;
    }
    let program = floor.spawn();
    floor.until_told("it is ready", |status| status.desk.not_ready.is_none()).await;
    let (runs, fills) = (
        floor.ask_journal("SELECT count(*) FROM runs"),
        floor.ask_journal("SELECT count(*) FROM fills"),
    );
    println!("{KILLS} kills, of which {runs} runs got to the desk: {fills} fills");
    assert!(runs > u64::from(KILLS) / 2 && fills > 10, "{runs} runs, {fills} fills");
    floor.until_cash_agrees().await;
    floor.compare(&program.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_finds_the_truth_before_it_trades_again() {
    let floor = Floor::open(&Setup::with(&BOTH)).await;
    let mut program = floor.spawn();
    for kill in 1..=3_u64 {
        let fills = books::read::<u64>(&floor.audit().await, "fills_count");
        floor
            .until_so("it trades", async || {
                let audit = floor.audit().await;
                let open = audit["open_orders"].as_array().unwrap().len();
                // No more than it takes: each costs the agent something, and one that lost too much
                // is halted.
                let has_traded = books::read::<u64>(&audit, "fills_count") >= fills + 2;
                if !has_traded {
                    floor.hit().await;
                }
                has_traded && open >= 2
            })
            .await;
        program.kill();
        let left = floor.audit().await["open_orders"].as_array().unwrap().len();
        println!("kill {kill}: {left} orders are left at the exchange");
        floor
            .until_so("an order trades while nobody is there", async || {
                !floor.hit().await.is_zero()
                    || floor.audit().await["open_orders"].as_array().unwrap().is_empty()
            })
            .await;
        let fills = books::read::<u64>(&floor.audit().await, "fills_count");

        program = floor.spawn();
        floor.until_told("it is ready", |status| status.desk.not_ready.is_none()).await;
        assert!(floor.ask_journal("SELECT count(*) FROM fills") >= fills);
        let run = "(SELECT max(ts_ns) FROM runs)";
        let ready =
            format!("(SELECT min(ts_ns) FROM readiness WHERE not_ready IS NULL AND ts_ns > {run})");
        let early = format!(
            "SELECT count(*) FROM intents WHERE client_order_id IS NOT NULL \
             AND ts_ns > {run} AND ts_ns < {ready}"
        );
        assert_eq!(floor.ask_journal(&early), 0, "an order before the books agreed");
        let late =
            format!("SELECT count(*) FROM fills WHERE venue_ts_ns < {run} AND ts_ns > {ready}");
        assert_eq!(floor.ask_journal(&late), 0, "a fill was missing when it said that it is ready");
        assert_eq!(floor.ask_journal("SELECT count(*) FROM runs"), kill + 1);
    }
    floor
        .until_so("it trades again", async || {
            floor.hit().await;
            floor.told().await.is_some_and(|status| status.desk.fills >= 3)
        })
        .await;
    floor.until_cash_agrees().await;
    floor.compare(&program.stop()).await;
}
