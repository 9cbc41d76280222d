//! Agents in Python: folders with an `agent.py` and the SDK beside it, compiled by
//! componentize-py.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Built;

/// What makes a folder an agent in Python.
pub(super) const SOURCE: &str = "agent.py";

/// The compiler, as pip knows it.
const COMPILER: &str = include_str!("../../../../guest-sdk/python/requirements.txt");

/// The contract that it is compiled against.
const WIT: &str = include_str!("../../../../wit/agent.wit");

/// The module of the SDK that has the component's exports.
const MODULE: &str = "hotpit_agent.component";

/// Has componentize-py compile the folder. The agent has the folder's name.
pub(super) fn compile(path: &Path) -> anyhow::Result<Built> {
    let path = path.canonicalize()?;
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.context("the agent's folder has no name")?.to_owned();
    ensure!(
        path.join("hotpit_agent").is_dir(),
        "{} has no folder hotpit_agent, the SDK: copy guest-sdk/python/hotpit_agent of hotpit's \
         sources into it",
        path.display()
    );
    let work = tempfile::tempdir().context("no room for a temporary folder")?;
    let wit = work.path().join("agent.wit");
    fs::write(&wit, WIT)?;
    let file = work.path().join("agent.wasm");
    let output = Command::new(compiler())
        .args(["-q", "-w", "agent", "-d"])
        .arg(&wit)
        .args(["componentize", "-p"])
        .arg(&path)
        .args([MODULE, "-o"])
        .arg(&file)
        .output()
        .with_context(|| {
            format!(
                "cannot run componentize-py: run `pip install {}`, or activate the environment \
                 that has it",
                COMPILER.trim()
            )
        })?;
    ensure!(
        output.status.success(),
        "it does not compile:\n{}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    let component = fs::read(&file).context("componentize-py made no file")?;
    Ok(Built { name, component })
}

/// That of the active environment, or else the one on the path.
fn compiler() -> PathBuf {
    let name = "componentize-py";
    let active = std::env::var_os("VIRTUAL_ENV").map(|it| Path::new(&it).join("bin").join(name));
    active.filter(|it| it.is_file()).unwrap_or_else(|| name.into())
}
