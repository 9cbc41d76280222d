//! Agents in Python: the same contract as those in Rust. `make python-tests` compiles them; where
//! componentize-py cannot be installed, these tests say so and check nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::agents::{AgentState, AgentStatus, Settings, check};
use hotpit::app;
use hotpit::config::Config;
use hotpit::desk::ToDesk;
use hotpit::model::{Account, AgentId, Fill, MarketId, Notice};
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

#[path = "support/floor.rs"]
mod floor;
#[path = "support/guest.rs"]
mod guest;
#[path = "support/logs.rs"]
mod logs;
#[path = "support/market.rs"]
mod market;
#[path = "support/quotes.rs"]
mod quotes;
use floor::Floor;
use logs::lines_of;
use quotes::quotes_both_sides;

/// How long compiling eighteen megabytes may take on a busy machine.
const COMPILING: Duration = Duration::from_secs(180);

/// What penny does on the kept recording, on every machine.
const DIGEST: &str = "3c2d52705aa93e2fd2e5d8208d8bd12bf388e78caecc2f659c792c7121839a86";

/// Where a compiled agent is, if it is.
fn built(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python");
    let path = folder.join(format!("{name}.wasm"));
    let is_there = path.is_file();
    if !is_there {
        eprintln!("left out: {} is missing: run `make python-tests`", path.display());
    }
    is_there.then_some(path)
}

fn bytes(name: &str) -> Option<Vec<u8>> {
    built(name).map(|path| std::fs::read(path).unwrap())
}

fn floor() -> Floor {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1 << 12, |settings| {
        settings.save_every_s = 1;
        settings.budget.batch_ms = 100;
    });
    floor.patience = COMPILING;
    floor
}

#[test]
fn what_it_imports_beside_the_contract_is_wasi_and_gives_it_nothing_outside() {
    let Some(wasm) = bytes("penny") else { return };
    let checked = check(&wasm, None, &Settings::default()).unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
    assert!(checked.surface.needs_wasi());
    for import in &checked.surface.imports {
        let is_known = ["hotpit:agent/", "wasi:"].iter().any(|it| import.name.starts_with(it));
        assert!(is_known, "{}", import.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn penny_quotes_both_sides_and_keeps_its_mind_over_a_swap() {
    let Some(wasm) = bytes("penny") else { return };
    let mut floor = floor();
    let orders = quotes_both_sides(&mut floor, "penny", &wasm).await;
    assert_eq!(
        orders.iter().map(|order| (order.side, order.price)).collect::<Vec<_>>(),
        [(Side::Bid, Price::from_cents(41)), (Side::Ask, Price::from_cents(47))]
    );
    let fill = Notice::Fill(Fill {
        order: orders[0].order,
        market: MarketId(0),
        side: Side::Bid,
        price: Price::from_cents(41),
        quantity: Quantity::from_contracts(5),
        fee: Dollars::ZERO,
        taker: false,
        position: Quantity::from_contracts(5),
        ts: Timestamp::from_secs(3),
    });
    floor.router.notify(&AgentId::from("penny"), fill, Arc::new(Account::default()));
    let state = floor.folder.path().join("state/penny.state");
    let has_one = || std::fs::read_to_string(&state).is_ok_and(|it| it.contains("\"fills\":1"));
    let began = Instant::now();
    while !has_one() {
        assert!(began.elapsed() < floor.patience, "{:?}", floor.status("penny"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    floor.drop_file("penny.toml", b"markets = [\"KX-1\"]\n[params]\nspread = \"0.02\"");
    let swapped = |status: &AgentStatus| status.swaps == 1;
    let status = floor.until("penny", "swapped", swapped).await;
    assert_eq!((status.faults, status.state), (0, AgentState::Running));
    assert!(has_one());
    // What it is not to be told is told to the operator.
    floor.drop_file("penny.toml", b"markets = [\"KX-1\"]\n[params]\nsize = \"0\"");
    let told = |status: &AgentStatus| {
        let line = "`size` must be more than 0, and `limit` at least `size`";
        status.reason.as_ref().is_some_and(|reason| reason.contains(line))
    };
    let status = floor.until("penny", "told", told).await;
    assert_eq!((status.state, status.swaps), (AgentState::Running, 1));
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_to_misbehave_has_its_name_and_leaks_no_action() {
    let Some(wasm) = bytes("snake") else { return };
    let mut floor = floor();
    let drop = |floor: &Floor, mode: &str| {
        let options = format!("markets = [\"KX-1\"]\n[params]\nmode = \"{mode}\"");
        floor.drop_file(&format!("{mode}.toml"), options.as_bytes());
        floor.drop_file(&format!("{mode}.wasm"), &wasm);
    };
    // Compiled once, the others find it.
    drop(&floor, "count");
    floor.until_state("count", AgentState::Running).await;
    let modes = [
        ("fail", "panic in on-events: ValueError: as asked, at agent.py:"),
        ("float_price", "panic in on-events: TypeError: price must be an int, not 0.45: money has"),
        ("leave", "panic in on-events: SystemExit: 3, at agent.py:"),
        ("loop", "on-events ran longer than 100 ms"),
        ("memory", "MiB of memory, the limit is 64 MiB"),
        ("recursion", "RecursionError"),
        ("flood", "actions, the limit is 256"),
    ];
    for (mode, _) in modes {
        drop(&floor, mode);
    }
    let began = Instant::now();
    let is_out = |floor: &Floor, mode: &str| {
        floor.status(mode).is_some_and(|status| status.state == AgentState::Quarantined)
    };
    while !modes.iter().all(|(mode, _)| is_out(&floor, mode)) {
        assert!(began.elapsed() < floor.patience, "{:#?}", floor.agents.status());
        floor.trade();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (mode, line) in modes {
        let fault = floor.status(mode).unwrap().last_fault.unwrap();
        assert!(fault.contains(line) && !fault.contains('\n'), "{mode}: {fault}");
    }
    let status = floor.status("count").unwrap();
    assert_eq!((status.faults, status.state), (0, AgentState::Running));
    for message in floor.drain().await {
        if let ToDesk::Actions { agent, .. } = message {
            assert_eq!(agent, AgentId::from("count"), "actions leaked");
        }
    }
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reaches_nothing_outside_and_its_randomness_is_the_same_each_time() {
    let Some(wasm) = bytes("snake") else { return };
    logs::keep();
    let mut floor = floor();
    let mut told = vec![];
    for name in ["world", "world-again"] {
        floor.drop_file(
            &format!("{name}.toml"),
            b"markets = [\"KX-1\"]\n[params]\nmode = \"world\"",
        );
        floor.drop_file(&format!("{name}.wasm"), &wasm);
        floor.until_state(name, AgentState::Running).await;
        floor.trade();
        floor.until(name, "told", |_| lines_of(name).len() >= 9).await;
        let mut lines = lines_of(name);
        lines.truncate(9);
        told.push(lines);
    }
    for line in [
        "printed",
        "printed as an error",
        "clock follows=True",
        "environment={}",
        "files=none (",
        "writing=none (",
        "network=none (",
        "names=none (",
    ] {
        assert!(told[0].iter().any(|it| it.starts_with(line)), "{line}: {:#?}", told[0]);
    }
    assert_eq!(told[0], told[1]);
    floor.close().await;
}

#[test]
fn the_same_recording_gives_the_same_actions() {
    let Some(penny) = built("penny") else { return };
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/practice.jsonl.zst");
    let play = || {
        let mut out = vec![];
        let (recordings, agents) = ([recording.clone()], [penny.clone()]);
        let replayed = app::replay(&Config::default(), &recordings, &agents, &mut out).unwrap();
        assert_eq!((replayed.failures, replayed.unreadable), (0, 0));
        assert!(replayed.actions > 0);
        replayed.digest
    };
    assert_eq!(play(), DIGEST);
    assert_eq!(play(), DIGEST);
}
