//! `hotpit build`: from a crate to a running agent in one command.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::check::describe_problem;
use super::text;
use crate::agents::component_of;
use crate::app;
use crate::config::Config;

/// What agents are compiled for: it has no WASI, so that nothing is imported but the contract.
const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the crate in `path`, checks what came out as the host would load it, and puts it
/// whole into the agents' folder, under the crate's name.
pub(super) fn build(config: &Config, path: &Path) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let manifest = path.join("Cargo.toml");
    ensure!(
        manifest.is_file(),
        "{} is no crate: there is no {} (make one with `hotpit new`)",
        path.display(),
        manifest.display()
    );
    must_have_target()?;
    let Built { name, file } = compile(&manifest)?;
    let module = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let component = component_of(&module).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;

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

/// What cargo made.
struct Built {
    name: String,
    file: PathBuf,
}

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

/// Has cargo compile it; what it says goes to the terminal.
fn compile(manifest: &Path) -> anyhow::Result<Built> {
    let manifest = manifest.canonicalize()?;
    let output = Command::new(cargo())
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&manifest)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo: install Rust with https://rustup.rs")?;
    ensure!(output.status.success(), "it does not compile");
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let messages = lines.filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let is_of_it = |message: &Message| {
        message.reason == "compiler-artifact"
            && message.manifest_path.as_ref() == Some(&manifest)
            && message
                .target
                .as_ref()
                .is_some_and(|it| it.crate_types.iter().any(|it| it == "cdylib"))
    };
    let files = messages.filter(is_of_it).flat_map(|message| message.filenames);
    let is_wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let Some(file) = files.into_iter().find(is_wasm) else {
        bail!(
            "{} makes no agent: it needs `crate-type = [\"cdylib\", \"rlib\"]` under [lib]",
            manifest.display()
        );
    };
    let text = fs::read_to_string(&manifest)?;
    let table: toml::Table = text.parse().context("Cargo.toml is no TOML")?;
    let name = table.get("package").and_then(|package| package.get("name")?.as_str());
    let name = name.context("Cargo.toml names no package")?.to_owned();
    Ok(Built { name, file })
}
