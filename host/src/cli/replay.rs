//! `hotpit replay`.

use std::io::{BufWriter, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app;
use crate::config::Config;

use super::text;

/// Plays, prints what the agents did, and at the end how much, with its digest. Fails if an agent
/// did.
pub(super) fn replay(
    config: &Config,
    recordings: &[PathBuf],
    agents: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(stdout().lock());
    let replayed = app::replay(config, recordings, agents, &mut out)?;
    drop(out);
    if replayed.markets == 0 {
        eprintln!(
            "the recording does not say what its markets are, so the agents heard of none: it was \
             not made by `hotpit record`, or its first file is missing"
        );
    }
    text::print(&format!(
        "summary: messages={} actions={} failures={} unreadable={} digest={}\n",
        replayed.messages,
        replayed.actions,
        replayed.failures,
        replayed.unreadable,
        replayed.digest
    ))?;
    Ok(if replayed.failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
