//! The one seam to the outside: the clock, randomness, sockets and threads.
//!
//! Host and practice exchange reach the machine through this crate and no other way, so that
//! both can run, whole and unchanged, on a simulated network and a simulated clock:
//!
//! - [`Clock`] tells the time of day. Waiting goes through `tokio::time`, whose clock a
//!   simulation pauses and advances; a [`Clock::simulated`] follows it.
//! - [`Entropy`] makes random number generators, from the machine or from a seed.
//! - [`net`] has the stream and listener types; a simulation swaps them in that one place.
//! - [`Backoff`] and [`Breaker`] say when a peer that failed is asked again.
//! - [`dedicated`] runs a future on a thread of its own.
//! - [`user`] says who this process runs as, and [`Parent`] who started it.
//!
//! What cannot run on a simulated network (an HTTP client with sockets of its own) sits behind
//! a trait right above it, in the crate that uses it.

mod backoff;
mod breaker;
mod clock;
mod entropy;
pub mod net;
mod parent;
mod thread;
pub mod user;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerState};
pub use clock::{Clock, ClockHand, ClockJump};
pub use entropy::{Entropy, Rng};
pub use parent::Parent;
pub use thread::{dedicated, thread_cpu_time};
