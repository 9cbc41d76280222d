//! [`Subscription`]: what somebody wants to hear about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::game::League;

/// What an agent, or the host for an agent, wants to hear about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscription {
    /// One market, by ticker.
    Market(Arc<str>),
    /// Every market of an event, by event ticker.
    Event(Arc<str>),
    /// Every open market of a series, by series ticker.
    Series(Arc<str>),
    /// Every game of a league, and the markets that are on them.
    League(League),
}
