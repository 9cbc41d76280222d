//! What the host takes, one figure a line: `name value unit`. `make bench` prints them all;
//! `cargo bench -p hotpit -- NAME...` those whose group has one of the names in its own.
//!
//! Times are medians, and depend on the machine: nothing here passes or fails.

#![allow(missing_docs, reason = "a program, not a library")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken benchmark")]

mod agent;
mod connection;
mod desk;
mod exchange;
mod feed;
mod folder;
mod many;
mod measure;
mod neighbor;
mod path;
mod redis_bus;
mod scoreboard;
mod stream;
mod swap;

#[path = "../../tests/support/floor.rs"]
mod floor;
#[path = "../../tests/support/guest.rs"]
mod guest;
#[path = "../support/guest.rs"]
mod guests;
#[path = "../../tests/support/market.rs"]
mod market;
#[allow(dead_code, reason = "shared with tests")]
#[path = "../../tests/support/redis.rs"]
mod redis_server;
#[path = "../../tests/support/swaps.rs"]
mod swaps;
#[path = "../support/tap.rs"]
mod tap;

/// A group of figures.
type Group = (&'static str, fn());

const GROUPS: [Group; 14] = [
    ("feed", feed::print),
    ("scoreboard", scoreboard::print),
    ("connection", connection::print),
    ("signing", connection::print_signing),
    ("agent", agent::print),
    ("stream", stream::print),
    ("desk", desk::print),
    ("folder", folder::print),
    ("swap", swap::print),
    ("neighbor", neighbor::print),
    ("many", many::print),
    ("redis_bus", redis_bus::print),
    ("tick_to_order_embedded", path::print_embedded),
    ("tick_to_order_redis", path::print_redis),
];

fn main() {
    // Cargo passes options of its own harness.
    let names: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for (group, print) in GROUPS {
        if names.is_empty() || names.iter().any(|name| group.contains(name.as_str())) {
            print();
        }
    }
}
