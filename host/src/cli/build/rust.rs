//! Agents in Rust: crates, compiled by cargo.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::Built;
use crate::agents::component_of;

/// What makes a folder an agent in Rust.
pub(super) const MANIFEST: &str = "Cargo.toml";

/// What agents are compiled for: it has no WASI, so that nothing is imported but the contract.
const TARGET: &str = "wasm32-unknown-unknown";

/// A line of cargo's messages, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

/// Has cargo compile the crate; what it says goes to the terminal. The agent has the crate's name.
pub(super) fn compile(manifest: &Path) -> anyhow::Result<Built> {
    must_have_target()?;
    let manifest = manifest.canonicalize()?;
    let output = Command::new(cargo())
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo: install Rust with https://rustup.rs")?;
    ensure!(output.status.success(), "it does not compile");
    let Some(file) = library(&output.stdout, &manifest) else {
        bail!(
            "{} makes no agent: it needs `crate-type = [\"cdylib\", \"rlib\"]` under [lib]",
            manifest.display()
        );
    };
    let text = fs::read_to_string(&manifest)?;
    let table: toml::Table = text.parse().context("Cargo.toml is no TOML")?;
    let name = table.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name.context("Cargo.toml names no package")?.to_owned();
    let module = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let component = component_of(&module).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
    Ok(Built { name, component })
}

/// The wasm file that cargo's messages say it made of this crate.
fn library(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let lines = messages.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let is_of_it = |message: &Message| {
        message.reason == "compiler-artifact"
            && message.manifest_path.as_deref() == Some(manifest)
            && message
                .target
                .as_ref()
                .is_some_and(|it| it.crate_types.iter().any(|it| it == "cdylib"))
    };
    let files = messages.filter(is_of_it).flat_map(|message| message.filenames);
    let is_wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    files.into_iter().find(is_wasm)
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn must_have_target() -> anyhow::Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot run rustc: install Rust with https://rustup.rs")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    ensure!(
        output.status.success() && Path::new(&folder).is_dir(),
        "the compiler has no library for {TARGET}: run `rustup target add {TARGET}`"
    );
    Ok(())
}
