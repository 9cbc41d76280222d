//! Agents as the SDK builds them: `make agents` puts them where these tests look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::agents::{AgentState, Settings, check};
use hotpit::desk::ToDesk;
use hotpit::model::{Account, Action, AgentId, MarketId, Notice, OrderId, OrderState, OrderUpdate};
use hotpit_units::{Quantity, Timestamp};

#[path = "support/floor.rs"]
mod floor;
#[path = "support/guest.rs"]
mod guest;
#[path = "support/market.rs"]
mod market;
#[path = "support/quotes.rs"]
mod quotes;
use floor::{Floor, PATIENCE};
use guest::Guest;
use quotes::quotes_both_sides;

fn compiled(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = folder.join(format!("../target/wasm32-unknown-unknown/agent/{name}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make agents` first", path.display()))
}

#[test]
fn an_agent_of_the_sdk_imports_nothing_but_the_contract() {
    for name in ["market_maker", "win_probability", "hostile"] {
        let checked = check(&compiled(name), None, &Settings::default()).unwrap();
        assert_eq!(checked.problems, Vec::<String>::new(), "{name}");
        assert!(!checked.surface.needs_wasi(), "{name}: {:?}", checked.surface.imports);
        assert!(checked.componentized, "{name}");
        let ours = |name: &str| name.starts_with("hotpit:agent/");
        assert!(checked.surface.imports.iter().all(|import| ours(&import.name)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_market_maker_quotes_both_sides_of_a_market() {
    let mut floor = Floor::open();
    quotes_both_sides(&mut floor, "maker", &compiled("market_maker")).await;
    floor.close().await;
}

/// Kept as it was compiled: if the contract changes so that this one does not run any more, it is
/// another version of the contract.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_was_compiled_for_the_first_release_still_trades() {
    let mut floor = Floor::open();
    let maker = include_bytes!("fixtures/market-maker-of-0.1.0.wasm");
    quotes_both_sides(&mut floor, "maker", maker).await;
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hostile_mode_hurts_only_itself_and_has_its_name() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1 << 16, |settings| {
        settings.workers = 1;
        settings.save_every_s = 1;
        settings.budget.log_lines_per_second = 10;
    });
    // What each mode ends in, and what its last fault or its reason says.
    let modes = [
        ("loop", AgentState::Quarantined, "on-events ran longer than 20 ms"),
        ("loop-in-start", AgentState::Quarantined, "start ran longer than 250 ms"),
        ("loop-in-save", AgentState::Quarantined, "save ran longer than 50 ms"),
        ("memory-bomb", AgentState::Quarantined, "on-events asked for"),
        ("panic", AgentState::Quarantined, "hostile: panic in on-events"),
        ("trap-in-start", AgentState::Quarantined, "trap in start"),
        ("error-from-start", AgentState::Stopped, "hostile: does not want to start"),
        ("recursion", AgentState::Quarantined, "in on-events"),
        ("flood", AgentState::Quarantined, "on-events"),
        ("huge-state", AgentState::Quarantined, "save gave the host more than 1048576 bytes"),
        ("order-then-trap", AgentState::Quarantined, "trap in on-events"),
    ];
    floor.drop_guest("healthy", &Guest::counting(1));
    floor.until_state("healthy", AgentState::Running).await;
    for (mode, ..) in modes {
        let amount = if mode == "huge-state" { 2_000_000 } else { 200_000 };
        // Little enough memory that it is full before the time is over.
        let text = format!(
            "markets = [\"KX-1\"]\n[params]\nmode = \"{mode}\"\namount = {amount}\n\
             [limits]\nmemory_mib = 8"
        );
        floor.drop_file(&format!("{mode}.toml"), text.as_bytes());
        floor.drop_file(&format!("{mode}.wasm"), &compiled("hostile"));
    }
    let began = Instant::now();
    let is_over = |floor: &Floor| {
        let is = |(mode, state, _): &(&str, AgentState, &str)| {
            floor.status(mode).is_some_and(|status| status.state == *state)
        };
        modes.iter().all(is)
    };
    while !is_over(&floor) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", floor.agents.status());
        floor.trade();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (mode, _, line) in modes {
        let status = floor.status(mode).unwrap();
        let told = status.last_fault.or(status.reason).unwrap();
        assert!(told.contains(line), "{mode}: {told}");
        assert!(!told.contains('\n'), "{mode}: {told}");
    }
    let expected = 2 + floor.trades;
    let healthy = floor.until("healthy", "done", |status| status.events >= expected).await;
    assert_eq!((healthy.events, healthy.faults, healthy.dropped), (expected, 0, 0));
    for message in floor.drain().await {
        if let ToDesk::Actions { agent, .. } = message {
            assert_eq!(agent, AgentId::from("healthy"), "actions leaked");
        }
    }
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_cannot_be_reach_the_desk_as_they_are() {
    let mut floor = Floor::open();
    floor.drop_file("bad.toml", b"markets = [\"KX-1\"]\n[params]\nmode = \"nonsense-orders\"");
    floor.drop_file("bad.wasm", &compiled("hostile"));
    let actions = loop {
        if let ToDesk::Actions { actions, .. } = floor.heard().await {
            break actions;
        }
    };
    // The two wake times stay with the agents.
    assert_eq!(actions.len(), 8);
    let prices: Vec<u32> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Place(order) => Some(order.price.raw()),
            Action::Cancel(_) | Action::CancelAll(_) | Action::WakeAt(_) => None,
        })
        .collect();
    assert!(prices.contains(&u32::MAX), "{prices:?}");
    floor.until_state("bad", AgentState::Running).await;
    floor.close().await;
}

/// A denial of the one order that tells the agent that there is something to answer.
fn denial() -> Notice {
    Notice::Order(OrderUpdate {
        order: OrderId(1),
        market: MarketId(0),
        state: OrderState::Denied,
        filled: Quantity::ZERO,
        remaining: Quantity::ZERO,
        reason: "no".to_owned(),
        ts: Timestamp::from_secs(1),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_each_denial_with_new_orders_is_quarantined_and_crowds_out_nobody() {
    let mut floor = Floor::bare(tempfile::tempdir().unwrap(), 4, |settings| {
        settings.workers = 1;
        settings.budget.actions_per_second = 500;
    });
    // One action for each batch: slow enough for any budget.
    floor.drop_file("healthy.toml", b"[limits]\nactions_per_second = 1000000");
    floor.drop_guest("healthy", &Guest::counting(1));
    assert!(matches!(floor.heard().await, ToDesk::AgentUp { .. }));
    floor.until_state("healthy", AgentState::Running).await;
    floor.drop_file("fool.toml", b"markets = [\"KX-1\"]\n[params]\nmode = \"nonsense-orders\"");
    floor.drop_file("fool.wasm", &compiled("hostile"));
    let fool = AgentId::from("fool");
    let is_out = |floor: &Floor| {
        floor.status("fool").is_some_and(|status| status.state == AgentState::Quarantined)
    };
    let began = Instant::now();
    let mut foolish = 0;
    while !is_out(&floor) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", floor.agents.status());
        floor.trade();
        tokio::time::sleep(Duration::from_micros(100)).await;
        // What waits at one moment. A receipt is dropped only after all of it was looked at.
        let waiting: Vec<_> = std::iter::from_fn(|| floor.desk.try_recv().ok()).collect();
        let mut agents = vec![];
        for message in &waiting {
            let ToDesk::Actions { agent, actions, .. } = message else { continue };
            assert!(!agents.contains(&agent), "two messages of {agent} wait");
            agents.push(agent);
            if *agent == fool {
                foolish += actions.len();
                floor.router.notify(agent, denial(), Arc::new(Account::default()));
            }
        }
    }
    let status = floor.status("fool").unwrap();
    let line = "on-events returned more than 500 actions in one second";
    assert_eq!((status.faults, status.last_fault.as_deref()), (3, Some(line)));
    assert_eq!(status.reason.unwrap(), format!("quarantined after 3 faults, the last: {line}"));
    // Each of its three lives ended at its budget, of which the wake times took their part.
    assert!(foolish <= 3 * 500, "{foolish}");
    let done = 2 + floor.trades;
    while floor.status("healthy").is_none_or(|status| status.events < done) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", floor.agents.status());
        floor.drain().await;
    }
    let healthy = floor.status("healthy").unwrap();
    assert_eq!((healthy.faults, healthy.dropped, healthy.desk_waits), (0, 0, 0));
    assert_eq!(healthy.state, AgentState::Running);
    floor.close().await;
}
