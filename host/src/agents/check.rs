//! [`check`]: a file as the host would load it, without running it on any market.

use std::path::Path;
use std::sync::Arc;

use hotpit_rt::Clock;

use super::contract::Item;
use super::engine::AgentEngine;
use super::instance::World;
use super::loader::Loader;
use super::settings::Settings;
use super::version::{Manifest, Plan, load};
use crate::cache::Cache;
use crate::model::AgentId;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Who it says it is.
    pub manifest: Manifest,
    /// How it would run, with the options in the file beside it.
    pub plan: Plan,
    /// The SHA-256 of the file, in hex.
    pub hash: String,
    /// The size of the file.
    pub bytes: u64,
    /// The memory that it begins with.
    pub memory_bytes: u64,
    /// What it imports.
    pub imports: Vec<Item>,
    /// Whether some of that is WASI.
    pub needs_wasi: bool,
}

/// Loads an agent's file as the host would, with the options beside it, and asks it who it is.
///
/// # Errors
/// Why it cannot be loaded, in one line.
pub fn check(file: &Path, settings: &Settings, clock: Clock) -> Result<Checked, String> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or("not the name of a file")?;
    let wasm = std::fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    let beside = file.with_extension("toml");
    let options = match std::fs::read_to_string(&beside) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("{} cannot be read: {error}", beside.display())),
    };
    let engine = AgentEngine::new().map_err(|error| error.to_string())?;
    let loader = Loader::new(Arc::new(engine), settings.file_bytes_max());
    let world = World {
        cache: Arc::new(Cache::default()),
        clock,
        state_bytes_max: settings.state_bytes_max(),
    };
    let agent = AgentId::from(name);
    let version = load(&agent, &wasm, options.as_deref(), settings.budget, &loader, &world)?;
    let surface = version.prepared.surface();
    Ok(Checked {
        hash: version.hash().to_string(),
        bytes: u64::try_from(wasm.len()).unwrap_or(u64::MAX),
        memory_bytes: version.prepared.memory_min(),
        imports: surface.imports.clone(),
        needs_wasi: surface.needs_wasi(),
        manifest: version.manifest,
        plan: version.plan,
    })
}
