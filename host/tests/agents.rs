//! Agents over real files, threads and components: dropped, replaced, deleted, and misbehaving.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::fs;
use std::time::{Duration, Instant};

use hotpit::agents::{AgentState, AgentStatus, LoadError, inspect};
use hotpit::desk::ToDesk;
use hotpit::model::AgentId;
use hotpit_units::Quantity;

#[path = "support/floor.rs"]
mod floor;
#[path = "support/guest.rs"]
mod guest;
#[path = "support/market.rs"]
mod market;
#[path = "support/swaps.rs"]
mod swaps;
use floor::{Floor, PATIENCE};
use guest::{Guest, bodies};
use swaps::{resident_bytes, swap_under_load};

fn running_version(version: &str) -> impl Fn(&AgentStatus) -> bool + '_ {
    move |status| status.state == AgentState::Running && status.version == version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_file_trades_and_a_deleted_one_has_its_orders_canceled() {
    let mut floor = Floor::open();
    floor.drop_guest("counter", &Guest::counting(1));
    assert!(
        matches!(floor.heard().await, ToDesk::AgentUp { agent, .. } if agent == "counter".into())
    );
    // The market's state and its quote.
    assert_eq!(floor.counted("counter").await, (1, 2));
    floor.trade();
    assert_eq!(floor.counted("counter").await, (1, 3));
    let status = floor.until_state("counter", AgentState::Running).await;
    assert_eq!((status.name.as_str(), status.version.as_str()), ("counting", "1.1"));
    assert_eq!((status.markets, status.events, status.actions), (1, 3, 2));

    fs::remove_file(floor.path("counter.wasm")).unwrap();
    assert_eq!(floor.down("counter").await, "its file was deleted");
    floor.trade();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(floor.drain().await.is_empty());
    assert_eq!(floor.status("counter"), None);

    // Its state is still known.
    floor.drop_guest("counter", &Guest::counting(2));
    assert_eq!(floor.counted("counter").await, (2, 5));
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_or_doubled_over_a_thousand_swaps_under_load() {
    let swapped = swap_under_load(1_000).await;
    println!("{} events, {} KiB more memory", swapped.events, swapped.growth >> 10);
    // Allocators keep a little here and there; an instance that stayed would be 64 KiB each time.
    assert!(swapped.growth < 16 << 20, "{} bytes of growth", swapped.growth);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_cannot_run_leaves_the_old_one_running_and_says_why() {
    let mut floor = Floor::open();
    floor.drop_guest("counter", &Guest::counting(1));
    let good = floor.until("counter", "live", running_version("1.1")).await;
    floor.counted("counter").await;
    let cut = &Guest::counting(2).build()[..900];
    let other = Guest::counting(2).with_wit(|wit| wit.replace("agent@0.1.0", "agent@0.2.0"));
    let cases: [(Vec<u8>, &str); 6] = [
        (b"hello".to_vec(), "the file is text, not wasm"),
        (cut.to_vec(), "the file is cut off"),
        (other.build(), "this host speaks hotpit:agent 0.1.x"),
        (Guest::counting(2).with_start(bodies::START_ERROR).build(), "index out of bounds"),
        (Guest::counting(2).with_start(bodies::TRAP).build(), "trap in start"),
        (Guest::counting(2).with_start(bodies::RESTORE_TRAPS).build(), "trap in start"),
    ];
    for (bytes, line) in cases {
        floor.drop_file("counter.wasm", &bytes);
        let is_told = |status: &AgentStatus| {
            status.reason.as_ref().is_some_and(|reason| reason.contains(line))
        };
        let status = floor.until("counter", line, is_told).await;
        assert_eq!((status.state, &status.hash), (AgentState::Running, &good.hash), "{line}");
        floor.trade();
        assert_eq!(floor.counted("counter").await.0, 1, "{line}");
    }
    floor.drop_guest("counter", &Guest::counting(3));
    let status = floor.until("counter", "swapped", running_version("1.3")).await;
    assert_eq!((status.reason, status.faults), (None, 0));
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_faults_in_its_first_batches_is_rolled_back_with_the_state_before_it() {
    let mut floor = Floor::open();
    floor.drop_guest("counter", &Guest::counting(1));
    let good = floor.until("counter", "live", running_version("1.1")).await;
    let (_, total) = floor.counted("counter").await;
    floor.drop_guest("counter", &Guest::counting(2).with_on_events(bodies::TRAP));
    let is_told = |status: &AgentStatus| {
        status.state == AgentState::Running
            && status
                .reason
                .as_ref()
                .is_some_and(|reason| reason.contains("rolled back to version 1.1"))
    };
    let status = floor.until("counter", "rolled back", is_told).await;
    assert_eq!((&status.hash, status.faults, status.swaps), (&good.hash, 1, 1));
    assert!(status.reason.unwrap().contains("trap in on-events"));
    // It goes on from what it knew, and hears that it missed something.
    let (mark, after) = floor.counted("counter").await;
    assert!(mark == 1 && after > total, "{mark} {after}");
    let orders_canceled =
        floor.drain().await.iter().any(|message| matches!(message, ToDesk::AgentDown { .. }));
    assert!(!orders_canceled, "it is live: its orders work on");
    floor.drop_guest("counter", &Guest::counting(3));
    let status = floor.until("counter", "swapped", running_version("1.3")).await;
    assert_eq!(status.reason, None);
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hostile_agent_is_quarantined_and_a_healthy_neighbour_goes_on() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1 << 16, |settings| {
        settings.workers = 1;
    });
    let hostile = [
        ("trap", bodies::TRAP, "trap in on-events"),
        ("panic", bodies::PANIC, "panic in on-events: index out of bounds"),
        ("loop", bodies::LOOP, "on-events ran longer than 20 ms"),
        ("log-flood", bodies::LOG_FLOOD, "on-events ran longer than 20 ms"),
        ("recursion", bodies::RECURSE, "stack overflow"),
        ("memory", bodies::GROW, "asked for"),
        ("actions", bodies::ACTION_FLOOD, "returned 1000 actions"),
        ("huge", bodies::HUGE_RESULT, "gave the host more than"),
        ("pointer", bodies::LYING_POINTER, "trap in on-events"),
        ("length", bodies::LYING_LENGTH, "in on-events"),
    ];
    let before = resident_bytes();
    floor.drop_guest("healthy", &Guest::counting(1));
    floor.until_state("healthy", AgentState::Running).await;
    for (name, body, _) in hostile {
        floor.drop_guest(name, &Guest::counting(1).with_on_events(body));
    }
    let began = Instant::now();
    let is_over = |floor: &Floor| {
        hostile.iter().all(|(name, ..)| {
            floor.status(name).is_some_and(|status| status.state == AgentState::Quarantined)
        })
    };
    while !is_over(&floor) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", floor.agents.status());
        floor.trade();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for (name, _, line) in hostile {
        let status = floor.status(name).unwrap();
        assert_eq!(status.faults, 3, "{name}");
        assert!(status.last_fault.unwrap().contains(line), "{name}");
        assert!(status.reason.unwrap().starts_with("quarantined after 3 faults"), "{name}");
    }
    let expected = 2 + floor.trades;
    let healthy = floor.until("healthy", "done", |status| status.events >= expected).await;
    assert_eq!((healthy.events, healthy.faults, healthy.dropped), (expected, 0, 0));
    let mut down = vec![];
    for message in floor.drain().await {
        match message {
            ToDesk::Actions { agent, .. } => assert_eq!(agent, "healthy".into(), "actions leaked"),
            ToDesk::AgentDown { agent, .. } => down.push(agent),
            ToDesk::AgentUp { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    down.sort();
    let mut expected: Vec<AgentId> = hostile.iter().map(|(name, ..)| (*name).into()).collect();
    expected.sort();
    assert_eq!(down, expected, "each has its orders canceled, once");
    // Each had up to 64 MiB, one after the other.
    let growth = resident_bytes().saturating_sub(before);
    assert!(growth < 128 << 20, "{growth} bytes of growth");
    // A file that works frees it.
    floor.drop_guest("trap", &Guest::counting(2));
    floor.until_state("trap", AgentState::Running).await;
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_started_is_told_in_one_line() {
    let floor = Floor::with(tempfile::tempdir().unwrap(), 64, |settings| {
        settings.budget.start_ms = 30;
        settings.file_mib_max = 1;
    });
    let guest = || Guest::counting(1);
    let other = |from: &'static str, to: &'static str| {
        guest().with_wit(|wit| wit.replace(from, to)).component()
    };
    let import = r#"(component (import "other:thing/files@1.0.0" (instance)))"#;
    let cases: [(&str, Vec<u8>, AgentState, &str); 12] = [
        ("empty", vec![], AgentState::Stopped, "the file is empty"),
        ("text", b"#!/bin/sh".to_vec(), AgentState::Stopped, "the file is text"),
        ("module", guest().module(), AgentState::Stopped, "without a component type"),
        ("nothing", component("(component)"), AgentState::Stopped, "hotpit:agent/guest"),
        ("import", component(import), AgentState::Stopped, "other:thing/files@1.0.0"),
        ("version", other("@0.1.0", "@0.2.0"), AgentState::Stopped, "speaks hotpit:agent 0.1.x"),
        (
            "type",
            other("fill-or-kill,", "fill-or-kill, good-till-date,"),
            AgentState::Stopped,
            "on-events",
        ),
        ("cut", guest().component()[..1_024].to_vec(), AgentState::Stopped, "is cut off"),
        ("large", vec![0; (1 << 20) + 1], AgentState::Stopped, "the limit is 1048576"),
        (
            "start-error",
            guest().with_start(bodies::START_ERROR).build(),
            AgentState::Stopped,
            "index out of bounds",
        ),
        (
            "start-trap",
            guest().with_start(bodies::TRAP).build(),
            AgentState::Quarantined,
            "quarantined after 3 faults, the last: trap in start",
        ),
        (
            "init-loop",
            guest().with_init(bodies::LOOP).build(),
            AgentState::Stopped,
            "it cannot describe itself: instantiation ran longer than 30 ms",
        ),
    ];
    for (name, bytes, ..) in &cases {
        floor.drop_file(&format!("{name}.wasm"), bytes);
    }
    // Fifty megabytes are not even read.
    fs::File::create(floor.path("vast.wasm")).unwrap().set_len(50 << 20).unwrap();
    let vast = floor.until_state("vast", AgentState::Stopped).await;
    assert!(vast.reason.unwrap().contains("52428800"));
    for (name, _, state, line) in &cases {
        let status = floor.until_state(name, *state).await;
        let reason = status.reason.unwrap();
        assert!(reason.contains(line) && !reason.contains('\n'), "{name}: {reason}");
    }
    floor.close().await;
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_told_as_that() {
    let whole = include_bytes!("fixtures/market-maker-of-0.1.0.wasm");
    for end in (1_024..whole.len()).step_by(1_024) {
        let error = inspect(&whole[..end]).unwrap_err();
        assert!(matches!(error, LoadError::Truncated { .. }), "{end}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_faults_as_it_saves_is_quarantined_like_any_other() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 4_096, |settings| {
        settings.save_every_s = 1;
    });
    let cases = [
        ("trap", bodies::TRAP, "trap in save"),
        ("slow", bodies::LOOP, "save ran longer than 50 ms"),
        ("much", bodies::SAVE_TOO_MUCH, "save gave the host more than 1048576 bytes"),
    ];
    for (name, body, _) in cases {
        floor.drop_guest(name, &Guest::counting(1).with_save(body));
    }
    let began = Instant::now();
    let is_out = |floor: &Floor, name: &str| {
        floor.status(name).is_some_and(|status| status.state == AgentState::Quarantined)
    };
    while !cases.iter().all(|(name, ..)| is_out(&floor, name)) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", floor.agents.status());
        floor.trade();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for (name, _, line) in cases {
        let status = floor.status(name).unwrap();
        assert!(status.last_fault.as_ref().unwrap().contains(line), "{status:?}");
    }
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_written_slowly_is_taken_when_it_is_whole() {
    let mut floor = Floor::open();
    floor.drop_guest("counter", &Guest::counting(1));
    floor.until("counter", "live", running_version("1.1")).await;
    floor.counted("counter").await;
    let bytes = Guest::counting(2).build();
    let mut written = vec![];
    for part in bytes.chunks(bytes.len().div_ceil(6)) {
        written.extend_from_slice(part);
        fs::write(floor.path("counter.wasm"), &written).unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        if written.len() < bytes.len() {
            assert_eq!(floor.status("counter").unwrap().version, "1.1");
        }
    }
    let status = floor.until("counter", "swapped", running_version("1.2")).await;
    assert_eq!((status.swaps, status.reason), (1, None));
    // Gone and back within a moment: nobody's orders are canceled for that.
    fs::remove_file(floor.path("counter.wasm")).unwrap();
    fs::write(floor.path("counter.wasm"), Guest::counting(3).build()).unwrap();
    floor.until("counter", "swapped", running_version("1.3")).await;
    assert!(!floor.drain().await.iter().any(|message| matches!(message, ToDesk::AgentDown { .. })));
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_beside_the_file_are_followed_and_checked() {
    let mut floor = Floor::open();
    floor.drop_file("counter.toml", b"enabled = false");
    floor.drop_guest("counter", &Guest::counting(1));
    let status = floor.until_state("counter", AgentState::Stopped).await;
    assert_eq!(status.reason.as_deref(), Some("disabled in its settings"));
    floor.drop_file("counter.toml", b"[limits]\nposition_contracts = 5\nexposure_dollars = 20");
    let limits = loop {
        if let ToDesk::AgentUp { limits, .. } = floor.heard().await {
            break limits;
        }
    };
    assert_eq!(limits.position_per_market, Some(Quantity::from_contracts(5)));
    floor.counted("counter").await;
    floor.drop_file("counter.toml", b"[params]\nedge = 1\n[limits]\nexposure = 20");
    let is_told = |status: &AgentStatus| status.reason.is_some();
    let status = floor.until("counter", "told", is_told).await;
    assert_eq!(status.state, AgentState::Running);
    let reason = status.reason.unwrap();
    assert!(reason.starts_with("counter.toml: limits.exposure: no such key"), "{reason}");
    floor.drop_file("counter.toml", b"[params]\nedge = 1");
    let names_it = |status: &AgentStatus| {
        status.reason.as_ref().is_some_and(|reason| reason.contains("known are none"))
    };
    floor.until("counter", "told of the parameter", names_it).await;
    floor.drop_file("counter.toml", b"markets = [\"KX-2\"]");
    let status = floor.until("counter", "swapped", |status| status.swaps == 1).await;
    assert_eq!(status.markets, 0);
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_outlives_a_crash_of_the_agent_and_an_end_of_the_host() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 4_096, |settings| {
        settings.save_every_s = 1;
    });
    // Traps on a batch of more than three events: that is, when much comes at once.
    floor.drop_guest("counter", &Guest::counting(1).after(3, bodies::TRAP));
    assert_eq!(floor.counted("counter").await, (1, 2));
    let state = floor.folder.path().join("state/counter.state");
    let began = Instant::now();
    while fs::read(&state).ok().as_deref() != Some(&2_u64.to_le_bytes()) {
        assert!(began.elapsed() < PATIENCE, "no state on disk");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while floor.status("counter").unwrap().state != AgentState::Quarantined {
        for _ in 0..50 {
            floor.trade();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(began.elapsed() < PATIENCE, "not quarantined");
    }
    // The next version goes on from the last good state, not from nothing.
    floor.drain().await;
    floor.drop_guest("counter", &Guest::counting(2));
    let (mark, total) = floor.counted("counter").await;
    assert!(mark == 2 && total >= 4, "{total}");
    let folder = floor.close().await;
    let mut floor = Floor::with(folder, 4_096, |_| {});
    let (mark, after) = floor.counted("counter").await;
    assert!(mark == 2 && after > total, "{after}");
    floor.close().await;
}

/// Two agents, because one alone never fills an inbox.
async fn two_go_live(floor: &mut Floor) {
    for name in ["counter", "other"] {
        floor.drop_guest(name, &Guest::counting(1));
    }
    let mut live = 0;
    while live < 2 {
        live += u32::from(matches!(floor.heard().await, ToDesk::AgentUp { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_waits_for_the_desk_and_hears_the_newest_after_it() {
    let mut floor = Floor::bare(tempfile::tempdir().unwrap(), 64, |_| {});
    floor.drop_guest("counter", &Guest::counting(1));
    let first = loop {
        if let message @ ToDesk::Actions { .. } = floor.heard().await {
            break message;
        }
    };
    for cents in 0..100 {
        floor.quote(1 + cents % 50);
        floor.trade();
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    assert_eq!(floor.status("counter").unwrap().batches, 1);
    drop(first);
    // One hundred trades, and the quote once.
    let status = floor.until("counter", "told", |status| status.events > 2).await;
    assert_eq!((status.batches, status.events, status.dropped), (2, 103, 0));
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_desk_holds_the_agent_up_and_loses_nothing() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1, |_| {});
    two_go_live(&mut floor).await;
    for _ in 0..100 {
        floor.trade();
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let began = Instant::now();
    while !floor.agents.status().iter().any(|status| status.desk_waits > 0) {
        assert!(began.elapsed() < PATIENCE, "nobody is held up");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut last = 0;
    while last < 102 {
        let (_, total) = floor.counted("counter").await;
        assert!(total > last);
        last = total;
    }
    for status in floor.agents.status() {
        assert_eq!(status.faults, 0, "{status:?}");
    }
    floor.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_takes_nothing_is_a_fault_in_the_end() {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1, |settings| {
        settings.desk_wait_ms = 50;
    });
    two_go_live(&mut floor).await;
    let began = Instant::now();
    let fault = loop {
        if let Some(fault) = floor.agents.status().into_iter().find_map(|status| status.last_fault)
        {
            break fault;
        }
        floor.trade();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(began.elapsed() < PATIENCE, "no fault");
    };
    assert!(fault.starts_with("the desk took no actions for"), "{fault}");
    // Someone must take what comes of it, or the supervisor waits for the desk as well.
    let Floor { agents, mut desk, folder: _folder, .. } = floor;
    let read = tokio::spawn(async move { while desk.recv().await.is_some() {} });
    agents.shutdown().await;
    read.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_woken_at_the_time_it_asked_for() {
    let mut floor = Floor::open();
    // Each batch asks to be woken 3 ms later.
    let wake = "
        (i32.store8 (i32.const 512) (i32.const 3))
        (i64.store (i32.const 520) (i64.add (local.get $now) (i64.const 3000000)))
        (i32.store (i32.const 288) (i32.const 512))
        (i32.store (i32.const 292) (i32.const 1))
        (global.set $heap (i32.const 65536))
        (i32.const 288)";
    floor.drop_guest("alarm", &Guest::counting(1).with_on_events(wake));
    let began = Instant::now();
    let status = floor.until("alarm", "woken", |status| status.batches >= 20).await;
    assert!(began.elapsed() >= Duration::from_millis(19 * 3), "woken too early");
    assert_eq!(status.events, 2 + status.batches - 1);
    let told = floor.drain().await;
    assert!(matches!(told[..], [ToDesk::AgentUp { .. }]), "{told:?}");
    floor.close().await;
}
