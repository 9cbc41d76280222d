//! The host's process is killed in the middle of trading, and started again.

use hotpit_units::Dollars;

use crate::support::{BOTH, Floor, Setup, books};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_finds_the_truth_before_it_trades_again() {
    let floor = Floor::open(&Setup::with(&BOTH)).await;
    let mut program = floor.spawn();
    for kill in 1..=3_u64 {
        let fills = books::read::<u64>(&floor.audit().await, "fills_count");
        floor
            .until_so("it trades", async || {
                floor.hit().await;
                let audit = floor.audit().await;
                let open = audit["open_orders"].as_array().unwrap().len();
                books::read::<u64>(&audit, "fills_count") >= fills + 2 && open >= 2
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
    // The balance that it was told at its start had the money of its working orders taken off;
    // what it has is certain once nothing is under way.
    floor.text_of(&["halt"]).await;
    floor
        .until_so("its cash agrees", async || {
            let cash: Dollars = books::read(&floor.audit().await, "cash_total");
            floor.told().await.is_some_and(|status| status.desk.cash == cash)
        })
        .await;
    floor.compare(&program.stop()).await;
}
