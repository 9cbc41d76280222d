//! placeholder
pub mod agents;
pub mod app;
pub mod bus;
pub mod cache;
pub mod cli;
pub mod config;
pub mod desk;
pub mod feeds;
pub mod journal;
pub mod kalshi;
pub mod model;
pub mod ops;
pub use hotpit_units as units;
