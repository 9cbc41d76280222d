//! [`Folder`]: a fresh place for one practice run.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// What says that a folder is ours to empty, and that nobody else is using it.
const LOCK: &str = ".practice.lock";

/// The folder of a practice run, ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder, or empties the one of a run before. A folder with anything that no
    /// practice run put there is left alone.
    pub(crate) fn fresh(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("cannot make {shown}"))?;
        // The host is given names in it and may run in another folder.
        let path = path.canonicalize().with_context(|| format!("cannot find {shown}"))?;
        let lock_path = path.join(LOCK);
        let is_empty = fs::read_dir(&path)?.next().is_none();
        if !is_empty && !lock_path.exists() {
            bail!("{shown} has files in it that no practice run made: name another --folder");
        }
        let lock = File::create(&lock_path).with_context(|| format!("cannot write to {shown}"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("a practice run is using {shown}: end it, or name another --folder");
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the folder"),
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?.path();
            if entry != lock_path {
                remove(&entry).with_context(|| format!("cannot remove {}", entry.display()))?;
            }
        }
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a configuration for a host on the exchange at `exchange`.
    pub(crate) fn write_config(
        &self,
        exchange: SocketAddr,
        espn_url: &str,
        agents: &Path,
        redis: Option<&str>,
    ) -> anyhow::Result<PathBuf> {
        let agents = agents
            .canonicalize()
            .with_context(|| format!("there is no folder of agents {}", agents.display()))?;
        let state = self.path.join("state");
        let bus = redis.map_or(String::new(), |url| {
            format!("\n[bus]\nkind = \"redis\"\nurl = {}\n", quoted(url))
        });
        let text = format!(
            "venue = \"http://{exchange}\"\n\
             state_folder = {}\n\
             \n[agents]\nfolder = {}\n\
             \n[feeds.espn]\nurl = {}\n\
             \n[ops]\nbind = \"127.0.0.1:0\"\n{bus}",
            quoted(&state.to_string_lossy()),
            quoted(&agents.to_string_lossy()),
            quoted(espn_url),
        );
        let path = self.path.join("hotpit.toml");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::IsADirectory => fs::remove_dir_all(path),
        result => result,
    }
}

/// A text as TOML has it. JSON's escapes are among those of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
