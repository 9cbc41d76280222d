//! [`check`]: `hotpit check`, from the agent's words to the operator's.

use std::path::Path;

use anyhow::anyhow;
use hotpit_rt::Clock;

use crate::agents;
use crate::cli::CheckReport;
use crate::config::Config;
use crate::model::Subscription;

/// Looks at a file as the host would load it.
///
/// # Errors
/// When it is no agent that can be loaded, with why.
pub fn check(config: &Config, file: &Path) -> anyhow::Result<CheckReport> {
    let checked = agents::check(file, &config.agent_settings(), Clock::system())
        .map_err(|reason| anyhow!(reason))?;
    let mut warnings = Vec::new();
    if checked.needs_wasi {
        warnings.push(
            "imports WASI: it gets one without files, sockets and environment, with the time of \
             the events for a clock"
                .to_owned(),
        );
    }
    if !checked.plan.enabled {
        warnings.push("`enabled = false`: it would not be run".to_owned());
    }
    Ok(CheckReport {
        name: checked.manifest.name,
        version: checked.manifest.version,
        hash: checked.hash,
        bytes: checked.bytes,
        memory_bytes: checked.memory_bytes,
        imports: checked.imports.into_iter().map(|import| import.name).collect(),
        subscribes: checked.plan.subscriptions.iter().map(words).collect(),
        parameters: checked.plan.parameters,
        warnings,
    })
}

fn words(subscription: &Subscription) -> String {
    match subscription {
        Subscription::Market(ticker) => format!("market {ticker}"),
        Subscription::Event(ticker) => format!("event {ticker}"),
        Subscription::Series(ticker) => format!("series {ticker}"),
        Subscription::League(league) => format!("league {}", league.0),
    }
}
