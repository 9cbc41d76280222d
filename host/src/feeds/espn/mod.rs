//! The ESPN feed: scoreboards become games, and games find their markets.
//!
//! Each league that an agent wants is read by a task of its own, one request for all of its
//! games, as often as its games ask for ([`pace`]), and what changed is published. Games are
//! mapped to Kalshi's events by [`mapping`]; the events of mapped games become wanted, so that
//! the Kalshi feed follows their markets, and when those are known the game is published with
//! them.
//!
//! What it promises: no state that ESPN did not show; a market is on a game for certain, or not
//! on it. What never lives here: what a score means for a price.

pub mod fetch;
mod lax;
pub mod league;
pub mod mapping;
#[cfg(test)]
mod mapping_tests;
pub mod pace;
mod reader;
pub mod scoreboard;
#[cfg(test)]
mod scoreboard_tests;
pub mod settings;
mod supervisor;
#[cfg(test)]
mod tests;

pub use fetch::{Fetch, FetchError, HttpFetch};
pub use league::{LEAGUES, LeagueFacts};
pub use mapping::{Doubt, Mapped, Milestone, Milestones, MilestonesError, map_games};
pub use pace::Pace;
pub use settings::Settings;
pub use supervisor::{Espn, LeagueStatus};
