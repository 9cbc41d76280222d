//! What a healthy agent notices of a hostile one beside it: from an event until its answer is at
//! the desk, alone, and beside each way to misbehave. Those that fault do so three times and are in
//! quarantine then; the slow one goes on.

use std::time::{Duration, Instant};

use hotpit::agents::AgentState;
use hotpit::desk::ToDesk;
use hotpit::model::AgentId;

use crate::floor::Floor;
use crate::guest::{Guest, bodies};
use crate::guests::guest_file;
use crate::measure::{figure, micros, percentile};

/// Events, a millisecond apart.
const EVENTS: usize = 3_000;

pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tell = |name: &str, wasm: Option<(&[u8], &str)>| {
        let mut times = runtime.block_on(measure(wasm));
        for percent in [50, 99] {
            let time = micros(percentile(&mut times, percent));
            figure(&format!("neighbor_of_{name}_p{percent}"), time, "us");
        }
    };
    tell("nobody", None);
    let ways = [
        ("trap", bodies::TRAP),
        ("loop", bodies::LOOP),
        ("recursion", bodies::RECURSE),
        ("memory", bodies::GROW),
        ("log_flood", bodies::LOG_FLOOD),
        ("action_flood", bodies::ACTION_FLOOD),
        ("huge_result", bodies::HUGE_RESULT),
        ("lying_pointer", bodies::LYING_POINTER),
    ];
    for (name, body) in ways {
        tell(name, Some((&Guest::counting(1).with_on_events(body).build(), "")));
    }
    let slow = std::fs::read(guest_file("hostile")).unwrap();
    let options = "markets = [\"KX-1\"]\n[params]\nmode = \"slow\"\namount = 3000000";
    tell("slow", Some((&slow, options)));
}

/// How long each event took, with a hostile agent that hears them, too.
async fn measure(hostile: Option<(&[u8], &str)>) -> Vec<Duration> {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1 << 12, |settings| {
        settings.workers = 1;
        settings.budget.batch_ms = 10;
    });
    floor.drop_guest("healthy", &Guest::counting(1));
    floor.until_state("healthy", AgentState::Running).await;
    if let Some((wasm, options)) = hostile {
        floor.drop_file("hostile.toml", options.as_bytes());
        floor.drop_file("hostile.wasm", wasm);
        let is_up = |floor: &Floor| floor.status("hostile").is_some_and(|it| !it.hash.is_empty());
        while !is_up(&floor) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    floor.drain().await;
    let healthy = AgentId::from("healthy");
    let mut times = Vec::with_capacity(EVENTS);
    for _ in 0..EVENTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let began = Instant::now();
        floor.trade();
        while !matches!(floor.heard().await, ToDesk::Actions { agent, .. } if agent == healthy) {}
        times.push(began.elapsed());
    }
    floor.close().await;
    times
}
