//! [`check`]: `hotpit check`, from the agent's words to the operator's.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::agents::{self, Checked, Parameter, Plan};
use crate::cli::{CheckReport, ImportLine, ParameterLine};
use crate::config::Config;
use crate::model::Subscription;

/// Looks at a file as the host would load it, with the options beside it.
///
/// # Errors
/// When it is no agent that can be loaded, with everything that is in the way.
pub fn check(config: &Config, file: &Path) -> anyhow::Result<CheckReport> {
    check_with_options(config, file, &file.with_extension("toml"))
}

/// The same with options that are elsewhere, or nowhere.
///
/// # Errors
/// As [`check`].
pub fn check_with_options(
    config: &Config,
    file: &Path,
    options: &Path,
) -> anyhow::Result<CheckReport> {
    let (checked, bytes) = checked(config, file, options)?;
    let (Some(manifest), Some(plan)) = (checked.manifest, checked.plan) else {
        bail!("{}", checked.problems.join("; "));
    };
    let mut warnings = Vec::new();
    if checked.surface.needs_wasi() {
        warnings.push(
            "imports WASI: it gets one without files, sockets and environment, with the time of \
             the events for a clock"
                .to_owned(),
        );
    }
    if config.agent_settings().costs_money && !plan.live {
        let word = "`live = true` does not stand in its file: where orders cost real money, as this \
                    configuration has it, it would not be run";
        warnings.push(word.to_owned());
    }
    if !plan.enabled {
        warnings.push("`enabled = false`: it would not be run".to_owned());
    }
    Ok(CheckReport {
        name: manifest.name,
        version: manifest.version,
        hash: checked.hash,
        bytes,
        imports: checked
            .surface
            .imports
            .into_iter()
            .map(|import| ImportLine { grants: import.grants().to_owned(), name: import.name })
            .collect(),
        subscribes: plan.subscriptions.iter().map(words).collect(),
        requires: manifest.requires,
        parameters: plan
            .parameters
            .into_iter()
            .zip(manifest.parameters)
            .map(|((name, value), Parameter { description, .. })| ParameterLine {
                name,
                value,
                description,
            })
            .collect(),
        warnings,
    })
}

/// The files in a folder that a host would take for agents.
///
/// # Errors
/// When the folder cannot be read.
pub(super) fn agent_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let context = || format!("cannot read the agents' folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let is_hidden = path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// How a file would run.
///
/// # Errors
/// As [`check`].
pub(super) fn plan(config: &Config, file: &Path) -> anyhow::Result<Plan> {
    let (checked, _) = checked(config, file, &file.with_extension("toml"))?;
    checked.plan.with_context(|| checked.problems.join("; "))
}

/// What the agents' part says of a file, and its size.
fn checked(config: &Config, file: &Path, options: &Path) -> anyhow::Result<(Checked, u64)> {
    let wasm = std::fs::read(file).context("cannot be read")?;
    let beside = options;
    let options = match std::fs::read_to_string(beside) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", beside.display()));
        }
    };
    let checked = agents::check(&wasm, options.as_deref(), &config.agent_settings())?;
    Ok((checked, u64::try_from(wasm.len()).unwrap_or(u64::MAX)))
}

fn words(subscription: &Subscription) -> String {
    match subscription {
        Subscription::Market(ticker) => format!("market {ticker}"),
        Subscription::Event(ticker) => format!("event {ticker}"),
        Subscription::Series(ticker) => format!("series {ticker}"),
        Subscription::League(league) => format!("league {}", league.0),
    }
}
