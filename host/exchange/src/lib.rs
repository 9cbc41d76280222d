//! The practice exchange: Kalshi's protocol over real sockets, for tests, benchmarks and a first
//! run. Never linked into the host.
//!
//! # Layout
//! - [`core`]: the exchange itself, a pure state machine: listings, matching engine, ledger.
//! - [`scenario`]: a small world that trades on it, from a seed.

pub mod core;
pub mod scenario;
