//! [`doctor`]: whether a host would run with this configuration, on this machine and now; a line
//! for each thing that it depends on.
//!
//! Every check ends in bounded time, changes nothing, and shows no secret.

mod local;
mod remote;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::bus::Kind;
use crate::config::{Config, ConfigError, DEFAULT_PATH};
use crate::ops::Role;
use remote::Exchange;

/// How long a check may take that asks somebody.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How long the check of all agents may take: what was never compiled takes a second and more.
const AGENTS_TIMEOUT: Duration = Duration::from_secs(120);

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// How it is.
    pub found: String,
    /// What to do about it; none where it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How something is; or what is wrong with it, and what to do.
type Verdict = Result<String, Wrong>;

/// What is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    found: String,
    advice: String,
}

impl Wrong {
    fn new(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { found: found.into(), advice: advice.into() }
    }
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict) -> Self {
        // A finding is one line, whoever worded it.
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match verdict {
            Ok(found) => Self { check, ok: true, found: line(found), advice: None },
            Err(Wrong { found, advice }) => {
                Self { check, ok: false, found: line(found), advice: Some(line(advice)) }
            }
        }
    }
}

/// Checks everything that a host with this configuration depends on. Where the configuration itself
/// is wrong, that alone: what else to look at is not known.
pub async fn doctor(path: Option<&Path>) -> Vec<Finding> {
    let config = match configured(path) {
        Ok(config) => config,
        Err(wrong) => return vec![Finding::new("configuration", Err(wrong))],
    };
    let exchange = Exchange::new(&config);
    let (state, agents, key, clock, status, redis, espn, traces) = tokio::join!(
        within(TIMEOUT, blocking(&config, local::state_folder)),
        within(AGENTS_TIMEOUT, blocking(&config, local::agents)),
        within(TIMEOUT, exchange.key()),
        within(TIMEOUT, exchange.clock()),
        within(TIMEOUT, exchange.status()),
        within(TIMEOUT, remote::redis(&config)),
        within(TIMEOUT, remote::espn(&config)),
        within(TIMEOUT, remote::traces(&config)),
    );
    let mut findings = vec![
        Finding::new("configuration", Ok(words(&config, path))),
        Finding::new("state folder", state),
    ];
    if config.role != Role::Ingest {
        findings.push(Finding::new("agents", agents));
    }
    findings.extend([
        Finding::new("api key", key),
        Finding::new("clock", clock),
        Finding::new("exchange", status),
    ]);
    if config.bus.kind == Kind::Redis {
        findings.push(Finding::new("redis", redis));
    }
    if config.role != Role::Agents {
        findings.push(Finding::new("espn", espn));
    }
    if config.role != Role::Ingest && config.traces.is_on() {
        findings.push(Finding::new("traces", traces));
    }
    findings
}

/// Runs a check for no longer than it may take.
async fn within(longest: Duration, check: impl Future<Output = Verdict>) -> Verdict {
    tokio::time::timeout(longest, check).await.unwrap_or_else(|_| {
        let found = format!("no answer within {} s", longest.as_secs());
        Err(Wrong::new(found, "look at the network and the load of this machine, and try again"))
    })
}

/// Runs a check that reads files, beside those that ask somebody.
async fn blocking(config: &Config, check: fn(&Config) -> Verdict) -> Verdict {
    let config = config.clone();
    tokio::task::spawn_blocking(move || check(&config)).await.unwrap_or_else(|error| {
        Err(Wrong::new(format!("the check ended by itself: {error}"), "report this as a mistake"))
    })
}

fn configured(path: Option<&Path>) -> Result<Config, Wrong> {
    let advice = "correct it; `hotpit config` prints every key explained";
    let mut config = Config::load(path).map_err(|error| match error {
        ConfigError::Invalid(problems) => Wrong::new(problems.join("; "), advice),
        ConfigError::Unreadable { .. } => Wrong::new(error.to_string(), advice),
    })?;
    config.read_secrets().map_err(|error| Wrong::new(error.to_string(), "correct it"))?;
    Ok(config)
}

fn words(config: &Config, path: Option<&Path>) -> String {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    let file = if file.exists() { file.display().to_string() } else { "the defaults".to_owned() };
    let variables = Config::variables();
    let variables =
        if variables.is_empty() { String::new() } else { format!(" and {}", variables.join(", ")) };
    let orders = if config.sends_orders() { "orders are sent" } else { "orders are only logged" };
    format!("{file}{variables}: role {}, venue {}, {orders}", config.role, config.venue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let wrong = Wrong::new("two\n  lines", "do\nthis");
        let finding = Finding::new("agents", Err(wrong));
        assert_eq!((finding.found.as_str(), finding.ok), ("two lines", false));
        assert_eq!(finding.advice.as_deref(), Some("do this"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_wrong_in_time() {
        let wrong = within(TIMEOUT, std::future::pending()).await.unwrap_err();
        assert_eq!(wrong.found, "no answer within 15 s");
    }

    #[tokio::test]
    async fn of_a_wrong_configuration_nothing_else_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotpit.toml");
        std::fs::write(&path, "lvie = true\n[desks]\n").unwrap();
        let findings = doctor(Some(&path)).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(!findings[0].ok);
        let found = &findings[0].found;
        assert!(found.contains("lvie") && found.contains("desks"), "{found}");
    }
}
