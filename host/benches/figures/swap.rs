//! How long an agent that is replaced under load says nothing.

use crate::measure::{figure, micros, percentile};
use crate::swaps::swap_under_load;

const SWAPS: u64 = 1_000;

pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut swapped = runtime.block_on(swap_under_load(SWAPS));
    let rate = swapped.events as f64 / swapped.took.as_secs_f64();
    figure("swaps_under_load_events", rate, "events_per_s");
    figure("swap_pause_p50", micros(percentile(&mut swapped.pauses, 50)), "us");
    figure("swap_pause_p99", micros(percentile(&mut swapped.pauses, 99)), "us");
    figure("swaps_under_load_growth", swapped.growth as f64 / 1_024.0, "KiB");
}
