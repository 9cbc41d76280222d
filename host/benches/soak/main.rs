//! Long runs of the program as it is run, against the practice exchange. Not run by `cargo test`.
//!
//! - `make soak FOR=10m`: a fleet of hosts, and everything that can befall it. See [`fleet`].
//! - `make flood FOR=10m`: one host, and as many frames as there can be. See [`flood`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]

#[allow(unreachable_pub, reason = "shared with tests")]
#[path = "../../tests/support/books.rs"]
mod books;
mod fleet;
mod flood;
#[path = "../support/guest.rs"]
mod guests;
mod market;
mod process;
#[allow(dead_code, reason = "shared with tests")]
#[path = "../../tests/support/redis.rs"]
mod redis_server;

use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` runs it too, with nothing to say.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let length = std::env::var("FOR").ok().filter(|text| !text.is_empty());
    let length = length.map_or(Duration::from_secs(600), |text| duration(&text));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if arguments.iter().any(|argument| argument == "flood") {
        runtime.block_on(flood::run_for(length));
    } else {
        runtime.block_on(fleet::run_for(length));
    }
}

/// A time such as `90s` or `10m`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().expect("FOR is a time such as 90s or 10m");
    match unit {
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(60 * number),
        _ => panic!("FOR is a time such as 90s or 10m"),
    }
}
