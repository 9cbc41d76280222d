//! What is on this machine: the state folder and the agents.

use std::io;
use std::path::Path;

use super::{Verdict, Wrong};
use crate::app::check::{agent_files, check};
use crate::app::state::is_claimed;
use crate::config::Config;
use crate::journal::{self, OpenError};
use crate::ops::Role;

/// Whether the state folder can be written, is this exchange's, and no other host has it.
pub(super) fn state_folder(config: &Config) -> Verdict {
    let folder = config.state_folder.as_path();
    let shown = folder.display();
    let exists = folder.exists();
    writable(folder).map_err(|error| {
        let advice = "give it to the user who runs hotpit, or set another `state_folder`";
        Wrong::new(format!("{shown} cannot be written: {error}"), advice)
    })?;
    if !exists {
        return Ok(format!("{shown} will be made"));
    }
    let claimed = is_claimed(folder, &config.venue.to_string(), config.kalshi.subaccount)
        .map_err(|error| Wrong::new(format!("{error:#}"), "set another `state_folder`"))?;
    if config.role != Role::Ingest {
        journal::probe(&config.journal_path()).map_err(in_the_way)?;
    }
    let whose = if claimed { "has the books of this venue" } else { "has no books yet" };
    Ok(format!("{shown} can be written, {whose}, and no host has it"))
}

fn in_the_way(error: OpenError) -> Wrong {
    let advice = match &error {
        OpenError::InUse { .. } => "`hotpit status` shows how that one stands",
        _ => "give its files to the user who runs hotpit",
    };
    Wrong::new(error.to_string(), advice)
}

/// Tries to make a file without a name in a folder, or where the folder would be made.
fn writable(folder: &Path) -> io::Result<()> {
    let mut place = folder;
    while !place.exists() {
        place = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    tempfile::tempfile_in(place).map(drop)
}

/// Whether every file in the agents' folder could be loaded.
pub(super) fn agents(config: &Config) -> Verdict {
    let folder = config.agents.folder.display();
    let files = agent_files(&config.agents.folder).map_err(|error| {
        let advice = "make it, let the user who runs hotpit read it, or set `agents.folder`";
        Wrong::new(format!("{error:#}"), advice)
    })?;
    if files.is_empty() {
        return Ok(format!("none in {folder} yet"));
    }
    let refused: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let error = check(config, file).err()?;
            let name = file.file_name().unwrap_or_default().display();
            Some(format!("{name}: {error:#}"))
        })
        .collect();
    if refused.is_empty() {
        return Ok(format!("{} in {folder} can be loaded", files.len()));
    }
    let found = format!(
        "{} of {} in {folder} cannot be loaded: {}",
        refused.len(),
        files.len(),
        refused.join("; ")
    );
    Err(Wrong::new(found, "build them anew, or take them away; `hotpit check FILE` tells more"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::Store;

    fn config(folder: &Path) -> Config {
        let mut config = Config { state_folder: folder.join("state"), ..Config::default() };
        config.agents.folder = folder.join("agents");
        config
    }

    #[test]
    fn a_state_folder_is_told_from_one_that_another_host_or_venue_has() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let state = || state_folder(&config);
        assert!(state().unwrap().ends_with("will be made"));
        assert!(!config.state_folder.exists(), "a look makes nothing");

        let store = Store::open(&config.journal_path(), &config.journal).unwrap();
        let wrong = state().unwrap_err();
        let expected = format!("(process {})", std::process::id());
        assert!(wrong.found.contains(&expected), "{}", wrong.found);
        drop(store);
        assert!(state().unwrap().contains("no books yet"));

        fs::write(config.state_folder.join("venue"), "kalshi\n").unwrap();
        assert!(state().unwrap_err().found.contains("venue `kalshi`"));
        fs::write(config.state_folder.join("venue"), "demo\n").unwrap();
        assert!(state().unwrap().contains("the books of this venue"));
    }

    #[test]
    fn a_state_folder_that_is_a_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        fs::write(&config.state_folder, "").unwrap();
        assert!(state_folder(&config).unwrap_err().found.contains("cannot be written"));
    }

    #[test]
    fn agents_are_counted_and_those_that_cannot_be_loaded_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        assert!(agents(&config).unwrap_err().found.contains("cannot read the agents' folder"));
        fs::create_dir(&config.agents.folder).unwrap();
        assert!(agents(&config).unwrap().starts_with("none in "));
        for name in ["bad.wasm", ".bad.wasm.part", "bad.toml"] {
            fs::write(config.agents.folder.join(name), "no wasm").unwrap();
        }
        let found = agents(&config).unwrap_err().found;
        assert!(found.starts_with("1 of 1 in ") && found.contains("bad.wasm: "), "{found}");
    }
}
