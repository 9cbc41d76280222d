//! What a call of an agent costs: of a guest that only counts, so that it is the host's part, and
//! of the market maker.

use std::hint::black_box;

use hotpit::agents::Trial;
use hotpit_agent::testing::Harness;
use hotpit_agent::{Event, Level, MarketId, Price, Quantity, Quote, Timestamp};
use market_maker::MarketMaker;

use crate::guest::Guest;
use crate::guests::guest_file;
use crate::measure::{figure, median_ns};

pub(crate) fn print() {
    let counting = Guest::counting(1).build();
    figure("agent_call_empty", call_ns(&counting, 0), "ns");
    figure("agent_call_1_event", call_ns(&counting, 1), "ns");
    for (events, name) in
        [(8, "agent_call_8_events"), (64, "agent_call_64_events"), (256, "agent_call_256_events")]
    {
        figure(name, call_ns(&counting, events) / f64::from(events), "ns_per_event");
    }
    let market_maker = std::fs::read(guest_file("market_maker")).unwrap();
    figure("market_maker_call_64_events", call_ns(&market_maker, 64) / 64.0, "ns_per_event");
    figure("market_maker_native_64_events", native_ns(64) / 64.0, "ns_per_event");
}

/// The same agent compiled for this machine, in the SDK's harness: what wasm costs is the
/// difference.
fn native_ns(events: u32) -> f64 {
    let mut harness = Harness::<MarketMaker>::new();
    let level = |cents| {
        let quantity = Quantity::from_contracts(10);
        Some(Level { price: Price::from_cents(cents), quantity })
    };
    let quote = |number: u32| {
        let (bid, ask) = (level(40 + number % 10), level(55 + number % 10));
        let ts = Timestamp::from_secs(1);
        Event::Quote(Quote { market: MarketId(number % 16), bid, ask, ts })
    };
    let batch: Vec<Event> = (0..events).map(quote).collect();
    median_ns(|| {
        black_box(harness.batch(&batch));
    })
}

fn call_ns(wasm: &[u8], events: u32) -> f64 {
    let mut trial = Trial::new(wasm).unwrap();
    median_ns(|| {
        black_box(trial.batch(events).unwrap());
    })
}
