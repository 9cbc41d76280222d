//! Whoever answers: the exchange, Redis and ESPN.

use std::time::Duration;

use hotpit_rt::{Clock, Entropy};

use super::{Verdict, Wrong};
use crate::app::account::Account;
use crate::bus::Kind;
use crate::bus::redis::{Examined, examine};
use crate::config::{Config, Credentials, CredentialsError, Exchange as Venue};
use crate::feeds::espn::{Fetch, HttpFetch, LEAGUES};
use crate::kalshi::CallError;
use crate::kalshi::client::Filter;
use crate::kalshi::http::ahead_ms;
use crate::kalshi::wire::account::ExchangeStatus;
use crate::ops::Role;
use crate::streams::{Calendar, Streams, Window};
use crate::traces::probe;
use crate::units::{Dollars, Timestamp};

/// What to do where the exchange does not answer.
const UNREACHABLE: &str = "look at `venue`, the network, and whether a firewall is in the way";

/// What to do where there is no key.
const MAKE_A_KEY: &str = "make one at the exchange, and set KALSHI_KEY_ID and \
                          KALSHI_PRIVATE_KEY_FILE (the path of its PEM file)";

/// The exchange as a host with this configuration would ask it.
pub(super) struct Exchange {
    venue: Venue,
    clock: Clock,
    skew_ms_max: u64,
    /// Our account, or why there is no key to ask with.
    account: Result<Account, Wrong>,
    /// What anybody may ask, unsigned: a wrong key must not make the exchange look away.
    public: Result<Account, Wrong>,
}

impl Exchange {
    pub(super) fn new(config: &Config) -> Self {
        let (clock, entropy) = (Clock::system(), Entropy::os());
        let open = |credentials: Option<&Credentials>| {
            let streams = Streams::new(clock, entropy);
            Account::new(config, credentials, &streams, clock, entropy)
                .map_err(|error| format!("{error:#}"))
        };
        let account = match Credentials::from_env() {
            Ok(credentials) => open(Some(&credentials)),
            Err(CredentialsError::Missing(missing)) if missing.len() == 2 => {
                Err("no key: agents run on what is public, and nothing can be sent".to_owned())
            }
            Err(error) => Err(error.to_string()),
        };
        let certificates = "install the certificates of trusted authorities";
        Self {
            venue: config.venue.clone(),
            clock,
            skew_ms_max: config.desk.limits.clock_skew_ms_max,
            account: account.map_err(|found| Wrong::new(found, MAKE_A_KEY)),
            public: open(None).map_err(|found| Wrong::new(found, certificates)),
        }
    }

    /// Whether the exchange takes our key: by a read that is signed.
    pub(super) async fn key(&self) -> Verdict {
        let account = self.account.as_ref().map_err(Wrong::clone)?;
        let cash = account.client.balances(&Filter::default()).await;
        let cash: Dollars = cash.map_err(|error| refused(&error, &self.venue))?.into_values().sum();
        Ok(format!("{} takes it: {cash} dollars are free", self.venue))
    }

    /// How far our clock is from the exchange's.
    pub(super) async fn clock(&self) -> Verdict {
        let client = &self.public.as_ref().map_err(Wrong::clone)?.client;
        let asked = self.clock.now();
        let date = client.exchange_date().await;
        let date = date.map_err(|error| Wrong::new(error.to_string(), UNREACHABLE))?;
        skew(date, asked, self.clock.now(), self.skew_ms_max)
    }

    /// Whether the exchange takes orders, and when it is away next.
    pub(super) async fn status(&self) -> Verdict {
        let client = &self.public.as_ref().map_err(Wrong::clone)?.client;
        let unknown = |error: CallError| Wrong::new(error.to_string(), UNREACHABLE);
        let status = client.exchange_status().await.map_err(unknown)?;
        let calendar = Calendar::default();
        let windows = client.maintenance().await.map_err(unknown)?.into_iter();
        calendar.announce(windows.map(|(start, end)| Window { start, end }).collect());
        let now = self.clock.now();
        standing(&status, calendar.next(now).map(|window| window.words(now)))
    }
}

/// What a refused read says of the key.
fn refused(error: &CallError, venue: &Venue) -> Wrong {
    let CallError::Refused { status: 401 | 403, refusal } = error else {
        return Wrong::new(error.to_string(), UNREACHABLE);
    };
    let said = refusal.to_string();
    let has = |word| said.to_ascii_uppercase().contains(word);
    if has("NOT_FOUND") {
        return Wrong::new(
            format!("wrong key, or wrong environment: {venue} does not know this KALSHI_KEY_ID"),
            "keys of `demo` and `kalshi` are not the same: set the `venue` that it was made at, or \
             make one at this",
        );
    }
    if has("TIMESTAMP") {
        let found = format!("{venue} does not take the time of our signatures: {said}");
        return Wrong::new(found, "set this machine's clock, with NTP");
    }
    if has("SIGNATURE") {
        return Wrong::new(
            format!("wrong key: the private key is not the one of this KALSHI_KEY_ID at {venue}"),
            "set the PEM file that was saved when the key was made, or make another key",
        );
    }
    Wrong::new(format!("{venue} refuses the key: {said}"), MAKE_A_KEY)
}

/// What the date of an answer says of our clock. It is wrong only where it must be.
fn skew(date: Option<Timestamp>, asked: Timestamp, now: Timestamp, limit_ms: u64) -> Verdict {
    let bounds = date.and_then(|date| ahead_ms(date, asked, now));
    let Some((least, most)) = bounds else {
        let found = "the exchange does not say what time it has";
        return Err(Wrong::new(found, "look whether a proxy answers in its place"));
    };
    let between = format!("{least:+} to {most:+} ms from the exchange's, +: ahead");
    let limit = i64::try_from(limit_ms).unwrap_or(i64::MAX);
    if least <= limit && most >= -limit {
        return Ok(between);
    }
    let found = format!("{between}; the limit is {limit_ms} ms (desk.limits.clock_skew_ms_max)");
    Err(Wrong::new(found, "set this machine's clock, with NTP"))
}

/// What the exchange says of itself.
fn standing(status: &ExchangeStatus, maintenance: Option<String>) -> Verdict {
    let maintenance = maintenance.unwrap_or_else(|| "not announced".to_owned());
    let state = match (status.exchange_active, status.trading_active) {
        (true, true) => return Ok(format!("takes orders; maintenance: {maintenance}")),
        (true, false) => "has paused trading",
        (false, _) => "is closed",
    };
    let until = status.exchange_estimated_resume_time.as_deref();
    let until = until.map_or_else(String::new, |until| format!(", until about {until}"));
    let found = format!("it {state}{until}; maintenance: {maintenance}");
    Err(Wrong::new(found, "wait: a host waits as well, and trades when it is back"))
}

/// Whether Redis is there, and fit for the bus.
pub(super) async fn redis(config: &Config) -> Verdict {
    if config.bus.kind == Kind::Embedded {
        return Ok("not used".to_owned());
    }
    let found = examine(&config.bus).await.map_err(|error| {
        let advice = "start it, or correct `bus.url`, HOTPIT_REDIS_PASSWORD and the network";
        Wrong::new(error.to_string(), advice)
    })?;
    fit(&found, config.role)
}

fn fit(found: &Examined, role: Role) -> Verdict {
    let Examined { version, master, is_published, dangers } = found;
    if !dangers.is_empty() {
        let advice = "redis-cli config set, and the file that it is started with";
        return Err(Wrong::new(dangers.join("; "), advice));
    }
    let version = match master {
        Some(master) => format!("{version}, master {master}"),
        None => version.clone(),
    };
    match (role, is_published) {
        (Role::Agents, false) => Err(Wrong::new(
            format!("version {version}; nobody publishes"),
            "start a host with `role = \"ingest\"` on this Redis",
        )),
        (Role::Agents, true) => Ok(format!("version {version}; a host publishes")),
        (Role::All | Role::Ingest, false) => Ok(format!("version {version}; nobody publishes yet")),
        (Role::All | Role::Ingest, true) => {
            Ok(format!("version {version}; a host publishes, and this one would take over from it"))
        }
    }
}

/// Whether the collector takes spans.
pub(super) async fn traces(config: &Config) -> Verdict {
    if !config.traces.is_on() {
        return Ok("off".to_owned());
    }
    // Nothing that keeps a host from trading.
    Ok(match probe(&config.traces).await {
        Ok(url) => format!("{url} takes spans"),
        Err(error) => format!("no spans are taken, and orders are traded without: {error}"),
    })
}

/// Whether scoreboards can be read.
pub(super) async fn espn(config: &Config) -> Verdict {
    let settings = &config.feeds.espn;
    let unread = |error: String| {
        Wrong::new(
            format!("{} cannot be read: {error}", settings.url),
            "look at `feeds.espn.url` and the network; markets are traded without it, games are not",
        )
    };
    let fetch = HttpFetch::new(&settings.url, Duration::from_millis(settings.timeout_ms))
        .map_err(|error| unread(error.to_string()))?;
    let league = &LEAGUES[0];
    fetch.get(&league.scoreboard(None), None).await.map_err(|error| unread(error.to_string()))?;
    Ok(format!("{} shows the scoreboard of {}", settings.url, league.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kalshi::wire::error::Refusal;

    fn refusal(details: &str) -> CallError {
        let (code, message) =
            ("authentication_error".to_owned(), "authentication_error".to_owned());
        let refusal = Refusal::Said { code, message, details: details.to_owned() };
        CallError::Refused { status: 401, refusal }
    }

    #[test]
    fn a_refused_key_is_told_from_a_wrong_clock_and_a_dead_network() {
        let cases = [
            (refusal("NOT_FOUND"), "wrong key, or wrong environment: demo does not know"),
            (refusal("INCORRECT_API_KEY_SIGNATURE"), "wrong key: the private key is not the one"),
            (refusal("INVALID_TIMESTAMP"), "demo does not take the time of our signatures"),
            (refusal("SUSPENDED"), "demo refuses the key: "),
            (CallError::LeftAlone(Duration::from_secs(1)), "not sent: the API keeps failing"),
        ];
        for (error, expected) in cases {
            let found = refused(&error, &Venue::Demo).found;
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_clock_is_wrong_only_where_the_date_proves_it() {
        let at = |ms: u64| Timestamp::from_millis(1_000_000 + ms);
        let date = Some(at(0));
        assert!(skew(date, at(2_900), at(3_100), 2_000).is_ok(), "it may be 1.9 s ahead");
        assert!(skew(date, at(3_100), at(3_200), 2_000).is_err());
        let behind = skew(Some(at(3_000)), at(800), at(900), 2_000).unwrap_err();
        assert!(behind.found.starts_with("-3200 to -2100 ms"), "{}", behind.found);
        assert!(skew(None, at(0), at(0), 2_000).is_err());
    }

    #[test]
    fn an_exchange_that_takes_no_orders_is_wrong_and_says_until_when() {
        let status = |exchange_active, trading_active| ExchangeStatus {
            exchange_active,
            trading_active,
            exchange_estimated_resume_time: Some("2026-11-26T10:00:00Z".to_owned()),
            exchange_index_statuses: vec![],
        };
        let ok = standing(&status(true, true), Some("in 3 h 05 min".into())).unwrap();
        assert_eq!(ok, "takes orders; maintenance: in 3 h 05 min");
        assert!(standing(&status(true, false), None).unwrap_err().found.contains("paused trading"));
        let closed = standing(&status(false, false), None).unwrap_err().found;
        assert!(closed.contains("closed, until about 2026-11-26T10:00:00Z"), "{closed}");
    }

    #[test]
    fn a_redis_that_nobody_publishes_over_is_wrong_for_a_host_that_listens() {
        let mut found = Examined {
            version: "7.2.4".into(),
            master: None,
            is_published: false,
            dangers: vec![],
        };
        assert_eq!(fit(&found, Role::Ingest).unwrap(), "version 7.2.4; nobody publishes yet");
        assert!(fit(&found, Role::Agents).unwrap_err().found.contains("nobody publishes"));
        found.is_published = true;
        found.master = Some("10.0.0.2:6379".to_owned());
        let words = fit(&found, Role::Agents).unwrap();
        assert_eq!(words, "version 7.2.4, master 10.0.0.2:6379; a host publishes");
        assert!(fit(&found, Role::All).unwrap().contains("would take over"));
        found.dangers.push("maxmemory-policy is allkeys-lru".to_owned());
        assert!(fit(&found, Role::Agents).is_err());
    }
}
