//! How time is taken, and how a figure is printed.

use std::time::{Duration, Instant};

/// How long one sample takes at least: far more than the clock's own time.
const SAMPLE: Duration = Duration::from_millis(2);
const SAMPLES: usize = 101;

/// The median time of one run of `work`, in nanoseconds.
pub(crate) fn median_ns(mut work: impl FnMut()) -> f64 {
    let mut time = |runs: u32| {
        let began = Instant::now();
        (0..runs).for_each(|_| work());
        began.elapsed()
    };
    let mut runs = 1;
    while time(runs) < SAMPLE {
        runs *= 2;
    }
    let mut samples: Vec<Duration> = (0..SAMPLES).map(|_| time(runs)).collect();
    nanos(percentile(&mut samples, 50)) / f64::from(runs)
}

/// The sample that this many of 100 are at most as long as.
pub(crate) fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort_unstable();
    let last = samples.len().checked_sub(1).expect("there are samples");
    samples[(samples.len() * percent / 100).min(last)]
}

pub(crate) fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Prints a figure.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    let decimals = if value < 100.0 { 1 } else { 0 };
    println!("{name} {value:.decimals$} {unit}");
}
