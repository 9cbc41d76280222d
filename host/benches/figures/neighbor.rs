//! What a healthy agent notices of a hostile one beside it: from an event until its answer is at
//! the desk, alone, and beside each way to misbehave. Those that fault do so three times and are in
//! quarantine then; the slow ones go on.

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
    let tell = |name: &str, hostile: &[u8], options: &str, copies: usize| {
        let mut times = runtime.block_on(measure(hostile, options, copies));
        for percent in [50, 99] {
            let time = micros(percentile(&mut times, percent));
            figure(&format!("neighbor_of_{name}_p{percent}"), time, "us");
        }
    };
    tell("nobody", &[], "", 0);
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
        tell(name, &Guest::counting(1).with_on_events(body).build(), "", 1);
    }
    let slow = std::fs::read(guest_file("hostile")).unwrap();
    let options = "markets = [\"KX-1\"]\n[params]\nmode = \"slow\"\namount = 3000000";
    tell("slow", &slow, options, 1);
    tell("two_slow", &slow, options, 2);
    let saver = Guest::counting(1).with_save(bodies::SLOW_SAVE).build();
    tell("20_slow_savers", &saver, "", 20);
}

/// How long each event took, with so many hostile agents that hear them, too.
async fn measure(hostile: &[u8], options: &str, copies: usize) -> Vec<Duration> {
    let mut floor = Floor::with(tempfile::tempdir().unwrap(), 1 << 12, |settings| {
        settings.workers = 1;
        settings.budget.batch_ms = 10;
        settings.save_every_s = 1;
    });
    floor.drop_guest("healthy", &Guest::counting(1));
    floor.until_state("healthy", AgentState::Running).await;
    let names: Vec<String> = (0..copies).map(|copy| format!("hostile-{copy}")).collect();
    for name in &names {
        floor.drop_file(&format!("{name}.toml"), options.as_bytes());
        floor.drop_file(&format!("{name}.wasm"), hostile);
    }
    let is_up = |name: &String| floor.status(name).is_some_and(|it| !it.hash.is_empty());
    while !names.iter().all(is_up) {
        tokio::time::sleep(Duration::from_millis(1)).await;
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
