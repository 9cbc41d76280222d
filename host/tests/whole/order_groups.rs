//! The breaker at the exchange: it stops an agent that trades too much, and the host heeds it.

use crate::support::{Floor, MAKER, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_trades_too_much_is_stopped_by_the_exchange_until_it_is_resumed() {
    let setup = Setup::with(&MAKER).line("desk.limits", "group_contracts = \"1\"");
    let floor = Floor::open(&setup).await;
    let program = floor.spawn();
    floor.until_told("orders work", |status| !status.desk.working.is_empty()).await;
    let halts = "SELECT count(*) FROM halts WHERE agent = 'market-maker'
                 AND reason LIKE 'ORDER_GROUP: %'";
    floor
        .until_so("the exchange stops it", async || {
            floor.hit().await;
            floor.ask_journal(halts) > 0
        })
        .await;
    floor
        .until_so("nothing works at the exchange", async || {
            floor.audit().await["open_orders"].as_array().unwrap().is_empty()
        })
        .await;
    let status = floor.until_told("it is halted", |it| it.desk.halted_agents.len() == 1).await;
    assert!(status.desk.working.is_empty());
    assert_eq!(status.desk.halted, None);

    let groups = "SELECT count(*) FROM order_groups";
    assert_eq!(floor.ask_journal(groups), 0);
    floor.text_of(&["resume", "--agent", "market-maker"]).await;
    floor.until_so("it has a new group", async || floor.ask_journal(groups) == 1).await;
    floor.compare(&program.stop()).await;
}
