//! [`Settings`] of the REST client.

use std::time::Duration;

use serde::Deserialize;

use crate::streams::Policy;

/// The highest number of a subaccount. Source: Kalshi, `CreateSubaccount`.
const SUBACCOUNT_MAX: u8 = 63;

/// How to talk to Kalshi's REST API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The address of the API, version included. Not a key of its own: `venue` says it.
    #[serde(skip)]
    pub rest_url: String,
    /// The address of the WebSocket. Not a key of its own: `venue` says it.
    #[serde(skip)]
    pub ws_url: String,
    /// The subaccount that everything is done in: 0 is the primary account, 1 to 63 are those
    /// that were opened beside it. Each has cash, positions and orders of its own, so that hosts
    /// with one key share nothing but its rate limits.
    pub subaccount: u8,
    /// How long opening a connection may take, in ms. Less than the other timeouts, so that an
    /// order that found no connection is known not to have been sent.
    pub connect_timeout_ms: u64,
    /// How long the answer to an order or a cancel may take, in ms. After that its outcome is
    /// unknown.
    pub order_timeout_ms: u64,
    /// How long the answer to a read may take, in ms.
    pub read_timeout_ms: u64,
    /// How often a read is tried in all, when the exchange fails or does not answer.
    pub read_attempts: u32,
    /// The most pages that are read of one listing. A longer one is an error, never cut short.
    pub pages_max: usize,
    /// The oldest signature that an order may carry, in ms. Kalshi does not document how old a
    /// signature it accepts; 0 signs each order by itself.
    pub signature_max_age_ms: u64,
    /// How often the ready signature is made anew, in ms. Less than its greatest age.
    pub signature_refresh_ms: u64,
    /// How many connections are kept warm: so many orders can be under way at once without
    /// opening a connection.
    pub warm_connections: usize,
    /// How often an idle connection is used to keep it, in ms.
    pub keep_warm_ms: u64,
    /// How long the API is left alone after five failures in a row, in ms, at most; after more, up
    /// to twice as long. Then one read tries it. Cancels are sent all the same.
    pub left_alone_ms: u64,
    /// How long a read may wait for the rate limit, in ms.
    pub read_wait_ms: u64,
    /// How long a cancel may wait for the rate limit, in ms. Orders never wait.
    pub cancel_wait_ms: u64,
    /// How many tokens of the write budget new orders leave for cancels. At the basic tier a
    /// cancel costs 2 of 100.
    pub cancel_reserve_tokens: u32,
    /// How often the limits of the account are read anew, in s.
    pub limits_refresh_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rest_url: "https://external-api.kalshi.com/trade-api/v2".into(),
            ws_url: "wss://external-api-ws.kalshi.com/trade-api/ws/v2".into(),
            subaccount: 0,
            connect_timeout_ms: 2_000,
            order_timeout_ms: 5_000,
            read_timeout_ms: 10_000,
            read_attempts: 3,
            pages_max: 200,
            signature_max_age_ms: 1_000,
            signature_refresh_ms: 250,
            warm_connections: 2,
            keep_warm_ms: 15_000,
            left_alone_ms: 5_000,
            read_wait_ms: 5_000,
            cancel_wait_ms: 500,
            cancel_reserve_tokens: 20,
            limits_refresh_secs: 600,
        }
    }
}

impl Settings {
    /// The settings for Kalshi's demo environment.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            rest_url: "https://external-api.demo.kalshi.co/trade-api/v2".into(),
            ws_url: "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2".into(),
            ..Self::default()
        }
    }

    /// Adds what is wrong with the settings to `problems`, one line for each.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let mut check = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let address = |text: &str, schemes: [&str; 2]| {
            reqwest::Url::parse(text)
                .is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
        };
        check(
            address(&self.rest_url, ["http", "https"]),
            "kalshi.rest_url: must be an http or https address",
        );
        check(address(&self.ws_url, ["ws", "wss"]), "kalshi.ws_url: must be a ws or wss address");
        check(self.subaccount <= SUBACCOUNT_MAX, "kalshi.subaccount: must be between 0 and 63");
        check(self.connect_timeout_ms > 0, "kalshi.connect_timeout_ms: must be more than 0");
        check(
            self.order_timeout_ms > self.connect_timeout_ms,
            "kalshi.order_timeout_ms: must be more than kalshi.connect_timeout_ms",
        );
        check(
            self.read_timeout_ms > self.connect_timeout_ms,
            "kalshi.read_timeout_ms: must be more than kalshi.connect_timeout_ms",
        );
        check(
            (1..=10).contains(&self.read_attempts),
            "kalshi.read_attempts: must be between 1 and 10",
        );
        check(self.pages_max > 0, "kalshi.pages_max: must be more than 0");
        check(
            self.signature_max_age_ms <= 10_000,
            "kalshi.signature_max_age_ms: must be at most 10000",
        );
        check(
            self.signature_max_age_ms == 0
                || (1..=self.signature_max_age_ms).contains(&self.signature_refresh_ms),
            "kalshi.signature_refresh_ms: must be between 1 and kalshi.signature_max_age_ms",
        );
        check(self.warm_connections <= 16, "kalshi.warm_connections: must be at most 16");
        check(
            (1_000..=45_000).contains(&self.keep_warm_ms),
            "kalshi.keep_warm_ms: must be between 1000 and 45000",
        );
        check(self.left_alone_ms > 0, "kalshi.left_alone_ms: must be more than 0");
        check(self.limits_refresh_secs > 0, "kalshi.limits_refresh_secs: must be more than 0");
    }

    /// When the API is left alone.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        Policy {
            backoff_base: Duration::from_millis(200),
            backoff_cap: Duration::from_millis(self.left_alone_ms),
            healthy_after: Duration::from_secs(10),
            is_kalshi: true,
        }
    }

    /// [`connect_timeout_ms`](Self::connect_timeout_ms) as a duration.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// [`order_timeout_ms`](Self::order_timeout_ms) as a duration.
    #[must_use]
    pub const fn order_timeout(&self) -> Duration {
        Duration::from_millis(self.order_timeout_ms)
    }

    /// [`read_timeout_ms`](Self::read_timeout_ms) as a duration.
    #[must_use]
    pub const fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.read_timeout_ms)
    }

    /// [`signature_max_age_ms`](Self::signature_max_age_ms) as a duration.
    #[must_use]
    pub const fn signature_max_age(&self) -> Duration {
        Duration::from_millis(self.signature_max_age_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_of_both_environments_are_valid() {
        let mut problems = Vec::new();
        Settings::default().validate(&mut problems);
        Settings::demo().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_reported_with_its_key() {
        let settings = Settings {
            rest_url: "ftp://x".into(),
            subaccount: 64,
            order_timeout_ms: 1,
            signature_refresh_ms: 0,
            ..Settings::default()
        };
        let mut problems = Vec::new();
        settings.validate(&mut problems);
        let keys: Vec<_> =
            problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(
            keys,
            [
                "kalshi.rest_url",
                "kalshi.subaccount",
                "kalshi.order_timeout_ms",
                "kalshi.signature_refresh_ms",
            ]
        );
    }
}
