//! `hotpit build`: from an agent's sources to a running agent in one command.

mod python;
mod rust;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use super::check::describe_problem;
use super::text;
use crate::app;
use crate::config::Config;

/// What a compiler made.
struct Built {
    /// The agent's name: that of its file.
    name: String,
    component: Vec<u8>,
}

/// Compiles the agent in the folder `path`, checks what came out as the host would load it, and
/// puts it whole into the agents' folder.
pub(super) fn build(config: &Config, path: &Path) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let Built { name, component } = compile(path)?;

    let folder = &config.agent_settings().folder;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let target = folder.join(format!("{name}.wasm"));
    // Not `*.wasm`: the host must not take it before it is whole.
    let partial = folder.join(format!(".{name}.wasm.part"));
    fs::write(&partial, component)
        .with_context(|| format!("cannot write {}", partial.display()))?;
    let options = folder.join(format!("{name}.toml"));
    let checked = app::check_with_options(config, &partial, &options);
    let report = match checked {
        Ok(report) => report,
        Err(error) => {
            // What is there, if anything, goes on.
            let _ = fs::remove_file(&partial);
            eprint!("{}", describe_problem(&target, &error));
            return Ok(ExitCode::FAILURE);
        }
    };
    fs::rename(&partial, &target)
        .with_context(|| format!("cannot put {} in place", target.display()))?;
    let seconds = began.elapsed().as_millis();
    text::print(&format!(
        "{}: {} {}, {}, hash {:.12}, in {}.{} s; a running host takes it now\n",
        target.display(),
        report.name,
        report.version,
        text::size(report.bytes),
        report.hash,
        seconds / 1_000,
        seconds % 1_000 / 100,
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn compile(path: &Path) -> anyhow::Result<Built> {
    if path.join(rust::MANIFEST).is_file() {
        rust::compile(&path.join(rust::MANIFEST))
    } else if path.join(python::SOURCE).is_file() {
        python::compile(path)
    } else {
        bail!(
            "{} is no agent: there is no {} and no {} (make one with `hotpit new`)",
            path.display(),
            rust::MANIFEST,
            python::SOURCE
        );
    }
}
