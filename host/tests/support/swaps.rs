//! [`swap_under_load`]: an agent replaced again and again while events pour in, with an account of
//! every one of them.

#![allow(unreachable_pub, dead_code, reason = "each that includes this uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helper")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotpit::agents::AgentState;
use hotpit::bus::Message;
use hotpit::desk::ToDesk;
use hotpit::model::{Action, OrderId};
use hotpit_rt::Clock;

use super::floor::Floor;
use super::guest::{Guest, total_of};
use super::market::trade;

/// What is put into the mailbox at once; a thousand times a second.
const EVENTS_PER_MS: u64 = 50;

/// Swaps before memory is looked at: by then every buffer has its size.
const WARM_UP: u64 = 100;

/// What came of it.
pub struct Swapped {
    /// From the last action of each version to the first of the next.
    pub pauses: Vec<Duration>,
    /// Events that were sent, and how long that took.
    pub events: u64,
    pub took: Duration,
    /// By how much this process grew after the first swaps, in bytes.
    pub growth: u64,
}

/// Swaps an agent this many times under 50,000 events a second.
///
/// # Panics
/// If an event reached no version, or two, or out of order, or a version spoke after the next one.
pub async fn swap_under_load(swaps: u64) -> Swapped {
    let folder = tempfile::tempdir().unwrap();
    let mut floor = Floor::with(folder, 1 << 16, |settings| {
        // Whatever the machine does meanwhile, nothing is dropped for want of room.
        settings.mailbox_events_max = 1 << 20;
        settings.settle_ms = 1;
    });
    let versions = [Guest::counting(1).build(), Guest::counting(2).build()];
    floor.drop_file("counter.wasm", &versions[0]);
    let mut last = floor.counted("counter").await;
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let source = pour(&floor, Arc::clone(&sent), Arc::clone(&stop));
    let began = Instant::now();
    let (mut pauses, mut before) = (vec![], 0);
    for swap in 1..=swaps {
        if swap == WARM_UP.min(swaps) {
            before = resident_bytes();
        }
        let next = usize::try_from(swap % 2).unwrap();
        floor.drop_file("counter.wasm", &versions[next]);
        let mut spoke = Instant::now();
        loop {
            let counted = next_count(&mut floor, last).await;
            let now = Instant::now();
            let is_new = counted.0 != last.0;
            last = counted;
            if is_new {
                pauses.push(now - spoke);
                break;
            }
            spoke = now;
        }
    }
    stop.store(true, Ordering::Relaxed);
    source.join().unwrap();
    let (took, events) = (began.elapsed(), sent.load(Ordering::Relaxed));
    // Each version is told the state of the market and its quote before anything else.
    let expected = 2 * (swaps + 1) + events;
    while last.1 < expected {
        last = next_count(&mut floor, last).await;
    }
    let growth = resident_bytes().saturating_sub(before);
    let status = floor.until_state("counter", AgentState::Running).await;
    assert_eq!((status.events, status.dropped), (expected, 0));
    assert_eq!((status.swaps, status.faults, last.1), (swaps, 0, expected));
    floor.close().await;
    Swapped { pauses, events, took, growth }
}

/// The next count of the agent, from which version; it must go on from the last one.
async fn next_count(floor: &mut Floor, last: (u64, u64)) -> (u64, u64) {
    loop {
        let ToDesk::Actions { actions, .. } = floor.heard().await else { continue };
        let [Action::Cancel(OrderId(id))] = actions[..] else { panic!("{actions:?}") };
        let now = (id >> 32, total_of(id));
        assert!(now.1 > last.1, "{last:?} then {now:?}");
        return now;
    }
}

/// Has a thread send trades until it is told to stop.
fn pour(floor: &Floor, sent: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (cache, router) = (Arc::clone(&floor.cache), Arc::clone(&floor.router));
    std::thread::spawn(move || {
        let began = Instant::now();
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let due = u64::try_from(began.elapsed().as_millis()).unwrap() * EVENTS_PER_MS;
            while count < due {
                count += 1;
                let message = Message::Trade(trade(count));
                if let Some(change) = cache.apply(&message, Clock::system().now()) {
                    router.route(&change);
                }
            }
            sent.store(count, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}

/// What this process holds of the machine's memory.
pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
