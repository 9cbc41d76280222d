//! [`Settings`] of the operator's port. Section `[ops]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

/// The operator's port. Section `[ops]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// How long the desk may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// How often a status line is logged where there is no terminal, in seconds; 0: never.
    pub status_log_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 7700)),
            timeout_ms: 5_000,
            status_log_seconds: 10,
        }
    }
}

impl Settings {
    /// Adds what is wrong, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if !(10..=60_000).contains(&self.timeout_ms) {
            problems
                .push(format!("ops.timeout_ms: {} is not between 10 and 60000", self.timeout_ms));
        }
    }

    /// [`timeout_ms`](Self::timeout_ms) as a duration.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}
