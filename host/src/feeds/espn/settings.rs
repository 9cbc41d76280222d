//! [`Settings`] of the ESPN feed.

use serde::Deserialize;

/// The least time between two readings of ESPN itself, in milliseconds: it has no published
/// limit, and its own push service is no faster.
const FLOOR_MS: u64 = 2_000;

/// The section `[feeds.espn]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the scoreboards are.
    pub url: String,
    /// The time between two readings while a game of the league is played, in milliseconds; at
    /// least 2000 unless `url` is on this machine.
    pub live_ms: u64,
    /// The same while a game begins soon, in milliseconds.
    pub soon_ms: u64,
    /// The same otherwise, in milliseconds.
    pub idle_ms: u64,
    /// How long one reading may take, in milliseconds.
    pub timeout_ms: u64,
    /// Without a successful reading for so long, in milliseconds, the games of a league are
    /// stale while one is played.
    pub stale_ms: u64,
    /// How often Kalshi is asked which markets are on games that are not mapped yet, in
    /// milliseconds.
    pub map_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "https://site.api.espn.com".to_owned(),
            live_ms: 5_000,
            soon_ms: 30_000,
            idle_ms: 600_000,
            timeout_ms: 5_000,
            stale_ms: 30_000,
            map_ms: 300_000,
        }
    }
}

impl Settings {
    /// Adds what is wrong with the settings, each naming its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let url = reqwest::Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        if host.is_none() {
            problems.push(format!("feeds.espn.url: `{}` is not an http address", self.url));
        }
        let is_local = matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"));
        let floor = if is_local { 10 } else { FLOOR_MS };
        let least = [
            ("live_ms", self.live_ms, floor),
            ("soon_ms", self.soon_ms, self.live_ms),
            ("idle_ms", self.idle_ms, self.soon_ms),
            ("timeout_ms", self.timeout_ms, 100),
            ("stale_ms", self.stale_ms, self.live_ms.saturating_mul(2)),
            ("map_ms", self.map_ms, if is_local { 10 } else { 10_000 }),
        ];
        for (key, value, least) in least {
            if value < least {
                problems.push(format!("feeds.espn.{key}: {value} is less than {least}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(settings: &Settings) -> Vec<String> {
        let mut problems = vec![];
        settings.validate(&mut problems);
        problems
    }

    #[test]
    fn espn_itself_is_not_read_faster_than_the_floor_and_a_local_server_may_be() {
        let fast = Settings { live_ms: 100, ..Settings::default() };
        assert_eq!(problems(&Settings::default()), Vec::<String>::new());
        assert_eq!(problems(&fast), ["feeds.espn.live_ms: 100 is less than 2000"]);
        let local = Settings { url: "http://127.0.0.1:8080".to_owned(), ..fast };
        assert_eq!(problems(&local), Vec::<String>::new());
    }
}
