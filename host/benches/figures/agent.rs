//! What a call of an agent costs: of a guest that only counts, so that it is the host's part, and
//! of the market maker.

use std::hint::black_box;
use std::path::PathBuf;

use hotpit::agents::Trial;

use crate::guest::Guest;
use crate::measure::{figure, median_ns};

pub(crate) fn print() {
    let counting = Guest::counting(1).build();
    figure("agent_call_1_event", call_ns(&counting, 1), "ns");
    figure("agent_call_64_events", call_ns(&counting, 64) / 64.0, "ns_per_event");
    let market_maker = std::fs::read(guest_file("market_maker")).unwrap();
    figure("market_maker_call_64_events", call_ns(&market_maker, 64) / 64.0, "ns_per_event");
}

fn call_ns(wasm: &[u8], events: u32) -> f64 {
    let mut trial = Trial::new(wasm).unwrap();
    median_ns(|| {
        black_box(trial.batch(events).unwrap());
    })
}

/// A guest that `make guests` has built.
pub(crate) fn guest_file(name: &str) -> PathBuf {
    let built = format!("../target/wasm32-unknown-unknown/agent/{name}.wasm");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(built);
    assert!(path.is_file(), "{} is missing: run `make guests`", path.display());
    path
}
