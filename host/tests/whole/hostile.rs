//! Agents that misbehave beside one that trades.

use hotpit::ops::AgentPhase;

use crate::support::{Floor, MAKER, Setup, agent, is_running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_agents_hurt_themselves_alone() {
    // Each with a part of what its reason must say.
    let hostile = [
        ("order-then-trap", "trap in on-events"),
        ("loop", "on-events ran longer than 50 ms"),
        ("panic", "hostile: panic in on-events"),
        ("memory-bomb", "MiB of memory, the limit is"),
        ("flood", "on-events returned 5000 actions"),
    ];
    let setup = Setup::with(&MAKER);
    let mut floor = Floor::open(&setup).await;
    for (mode, _) in hostile {
        let options = format!(
            "[params]\nmode = \"{mode}\"\namount = 5000\n[limits]\nbatch_ms = 50\nmemory_mib = 16\n"
        );
        floor.put_file(&format!("{mode}.toml"), options.as_bytes());
        floor.put_agent(mode, "hostile");
    }
    floor.put_file("garbage.wasm", b"\0asm is how it begins, and no more");
    floor.start_host().await;
    floor.until_fills(2).await;
    let is_out = |status: &hotpit::ops::Status, name: &str| {
        agent(status, name).is_some_and(|line| line.phase == AgentPhase::Quarantined)
    };
    // A file that never was an agent is not given up: it is not run.
    let refused = |status: &hotpit::ops::Status| {
        let garbage = agent(status, "garbage")?;
        (garbage.phase != AgentPhase::Running).then(|| garbage.reason.clone())?
    };
    let status = floor
        .until("all of them are quarantined", |status| {
            refused(status).is_some() && hostile.iter().all(|(mode, _)| is_out(status, mode))
        })
        .await;
    for (mode, why) in hostile {
        let line = agent(&status, mode).unwrap();
        let reason = line.reason.as_deref().unwrap_or_default();
        println!("{mode}: {reason}");
        assert!(reason.contains(why), "{mode}: {reason}");
        assert!(!reason.contains('\n') && reason.len() < 300, "{mode}: {reason}");
        assert!(line.failures > 0, "{line:?}");
        assert_eq!(line.actions, 0, "{line:?}");
    }
    let garbage = refused(&status).unwrap_or_default();
    println!("garbage: {garbage}");
    assert!(!garbage.is_empty() && !garbage.contains('\n'), "{garbage}");

    let before = status.desk.fills;
    let status = floor.until_fills(3).await;
    assert!(status.desk.fills >= before + 3 && is_running(&status, "market-maker"));
    assert_eq!(agent(&status, "market-maker").unwrap().failures, 0);
    let others = "SELECT count(*) FROM intents WHERE agent != 'market-maker'";
    assert_eq!(floor.ask_journal(others), 0, "no wish of a faulted batch reached the desk");
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_denied_and_never_sent_and_ends_with_the_budget() {
    let mut floor = Floor::open(&Setup::with(&[])).await;
    floor.put_file("fool.toml", b"[params]\nmode = \"nonsense-orders\"\n");
    floor.put_agent("fool", "hostile");
    floor.start_host().await;
    // It answers each denial with more of the same, until that is more than its budget.
    let is_out = |status: &hotpit::ops::Status| {
        agent(status, "fool").is_some_and(|line| line.phase == AgentPhase::Quarantined)
    };
    let status = floor.until("it is quarantined", is_out).await;
    let reason = agent(&status, "fool").unwrap().reason.clone().unwrap_or_default();
    assert!(reason.contains("returned more than 500 actions in one second"), "{reason}");
    let status = floor.until("it was denied", |status| status.desk.denied >= 20).await;
    assert_eq!(status.desk.intents, status.desk.denied);
    assert_eq!(floor.audit().await["orders_count"], 0);
    floor.stop().await;
}
