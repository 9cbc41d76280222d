//! placeholder
pub mod espn;
pub mod kalshi;
pub mod wanted;
pub use wanted::{Wanted, Wants};
