//! [`Settings`] of the Kalshi feed.

use std::time::Duration;

use serde::Deserialize;

use crate::streams::Policy;

/// How the feed follows Kalshi.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Ask for `no` levels in prices of the YES leg. Kalshi plans to make that the rule; both
    /// are read.
    pub use_yes_price: bool,
    /// The most markets that one command names.
    pub markets_per_command: usize,
    /// The most markets that are followed over one connection; for more, more are opened. Kalshi
    /// allows 500,000.
    pub markets_per_connection: usize,
    /// The most connections. Kalshi allows 200 for an account at the basic tier.
    pub connections_max: usize,
    /// How long opening a connection may take, handshakes included, in ms.
    pub connect_timeout_ms: u64,
    /// How long the exchange may take to answer a command, in ms. After that the connection is
    /// made anew.
    pub command_timeout_ms: u64,
    /// How long the snapshot of a book may take, in ms. After that it is asked for again.
    pub snapshot_timeout_ms: u64,
    /// How long nothing at all may come, in ms; the exchange pings every 10 s. After that the
    /// connection is made anew.
    pub silence_timeout_ms: u64,
    /// How long nothing but pings may come over the first connection, in ms: the lifecycle of the
    /// whole exchange comes over it, so longer quiet is a dead stream. After that it is made anew.
    pub data_timeout_ms: u64,
    /// How much later than it could a frame may come, in ms, by the exchange's own times and
    /// whatever our clock shows. After 5 s of that the connection is made anew.
    pub delay_max_ms: u64,
    /// The pause before the second try to connect, in ms; it doubles from there.
    pub backoff_base_ms: u64,
    /// The longest pause before a try to connect, in ms.
    pub backoff_cap_ms: u64,
    /// How long a connection must have lasted to count as healthy, in ms. The try after a healthy
    /// connection has no pause.
    pub healthy_after_ms: u64,
    /// How long after a break missed trades are read over REST, in ms: reads lag.
    pub trade_recovery_delay_ms: u64,
    /// Up to so many markets, missed trades are read market by market; beyond, all trades of the
    /// exchange since the break are read.
    pub trade_recovery_markets: usize,
    /// How often everything known of the wanted markets is read again, in s.
    pub catalog_refresh_secs: u64,
    /// How far ahead the games of a league are followed, in hours.
    pub league_hours_ahead: u64,
    /// How long after its start a game of a league is followed, in hours.
    pub league_hours_behind: u64,
    /// Without a key: the shortest pause between two rounds over all books, in ms.
    pub poll_interval_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            use_yes_price: true,
            markets_per_command: 500,
            markets_per_connection: 10_000,
            connections_max: 16,
            connect_timeout_ms: 10_000,
            command_timeout_ms: 5_000,
            snapshot_timeout_ms: 5_000,
            silence_timeout_ms: 25_000,
            data_timeout_ms: 120_000,
            delay_max_ms: 5_000,
            backoff_base_ms: 250,
            backoff_cap_ms: 15_000,
            healthy_after_ms: 10_000,
            trade_recovery_delay_ms: 1_500,
            trade_recovery_markets: 20,
            catalog_refresh_secs: 300,
            league_hours_ahead: 72,
            league_hours_behind: 24,
            poll_interval_ms: 2_000,
        }
    }
}

impl Settings {
    /// Adds what is wrong with the settings to `problems`, one line for each.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        check(
            (1..=10_000).contains(&self.markets_per_command),
            "feeds.kalshi.markets_per_command: must be between 1 and 10000",
        );
        let not_zero = [
            (self.delay_max_ms, "feeds.kalshi.delay_max_ms: must be more than 0"),
            (self.connect_timeout_ms, "feeds.kalshi.connect_timeout_ms: must be more than 0"),
            (self.command_timeout_ms, "feeds.kalshi.command_timeout_ms: must be more than 0"),
            (self.snapshot_timeout_ms, "feeds.kalshi.snapshot_timeout_ms: must be more than 0"),
            (self.backoff_base_ms, "feeds.kalshi.backoff_base_ms: must be more than 0"),
            (self.catalog_refresh_secs, "feeds.kalshi.catalog_refresh_secs: must be more than 0"),
            (self.league_hours_ahead, "feeds.kalshi.league_hours_ahead: must be more than 0"),
        ];
        for (value, problem) in not_zero {
            check(value > 0, problem);
        }
        check(
            (1..=500_000).contains(&self.markets_per_connection),
            "feeds.kalshi.markets_per_connection: must be between 1 and 500000",
        );
        check(
            (1..=200).contains(&self.connections_max),
            "feeds.kalshi.connections_max: must be between 1 and 200",
        );
        check(
            self.silence_timeout_ms >= 11_000,
            "feeds.kalshi.silence_timeout_ms: must be at least 11000, because the exchange pings \
             every 10 s",
        );
        check(
            self.data_timeout_ms >= self.silence_timeout_ms,
            "feeds.kalshi.data_timeout_ms: must be at least feeds.kalshi.silence_timeout_ms",
        );
        check(
            self.backoff_cap_ms >= self.backoff_base_ms,
            "feeds.kalshi.backoff_cap_ms: must be at least feeds.kalshi.backoff_base_ms",
        );
        check(self.poll_interval_ms >= 500, "feeds.kalshi.poll_interval_ms: must be at least 500");
    }

    /// How connections are made, and made again.
    pub(super) const fn policy(&self) -> Policy {
        Policy {
            backoff_base: Duration::from_millis(self.backoff_base_ms),
            backoff_cap: Duration::from_millis(self.backoff_cap_ms),
            healthy_after: Duration::from_millis(self.healthy_after_ms),
            is_kalshi: true,
        }
    }

    pub(super) const fn command_timeout(&self) -> Duration {
        Duration::from_millis(self.command_timeout_ms)
    }

    pub(super) const fn snapshot_timeout(&self) -> Duration {
        Duration::from_millis(self.snapshot_timeout_ms)
    }

    pub(super) const fn data_timeout(&self) -> Duration {
        Duration::from_millis(self.data_timeout_ms)
    }

    pub(super) const fn silence_timeout(&self) -> Duration {
        Duration::from_millis(self.silence_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_every_problem_is_reported() {
        let mut problems = Vec::new();
        Settings::default().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let settings = Settings {
            markets_per_command: 0,
            silence_timeout_ms: 1,
            backoff_cap_ms: 1,
            ..Settings::default()
        };
        settings.validate(&mut problems);
        assert_eq!(problems.len(), 3);
    }
}
