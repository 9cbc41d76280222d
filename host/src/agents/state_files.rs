//! [`StateFiles`]: the agents' saved states on disk: one file each, replaced whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::AgentId;

/// The folder of saved states.
#[derive(Debug, Clone)]
pub(crate) struct StateFiles(PathBuf);

impl StateFiles {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// The last saved state; none if there is none, or it is larger than a state may be.
    ///
    /// # Errors
    /// When there is one that cannot be read.
    pub(crate) fn load(&self, agent: &AgentId, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.path(agent)) {
            Ok(state) => Ok(Some(state).filter(|state| state.len() <= bytes_max)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves a state; an empty one means that there is none.
    ///
    /// # Errors
    /// When the disk does not take it. The state before is still there then.
    pub(crate) fn save(&self, agent: &AgentId, state: &[u8]) -> io::Result<()> {
        let path = self.path(agent);
        if state.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        fs::create_dir_all(&self.0)?;
        let partial = path.with_extension("state.partial");
        fs::write(&partial, state)?;
        fs::rename(&partial, &path)
    }

    /// Keeps a state that its agent did not start with, so that what follows cannot overwrite it;
    /// where.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub(crate) fn set_aside(&self, agent: &AgentId, state: &[u8]) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.0)?;
        let kept = self.path(agent).with_extension("state.refused");
        fs::write(&kept, state)?;
        Ok(kept)
    }

    fn path(&self, agent: &AgentId) -> PathBuf {
        // The name is the name of a file in the agents' folder: it has no separator in it.
        self.0.join(format!("{agent}.state"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_there_until_it_is_replaced_or_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let files = StateFiles::new(&folder.path().join("deep"));
        let agent = AgentId::from("maker");
        assert_eq!(files.load(&agent, 10).unwrap(), None);
        files.save(&agent, b"one").unwrap();
        files.save(&agent, b"two").unwrap();
        assert_eq!(files.load(&agent, 10).unwrap(), Some(b"two".to_vec()));
        assert_eq!(files.load(&agent, 2).unwrap(), None);
        let kept = files.set_aside(&agent, b"two").unwrap();
        files.save(&agent, b"").unwrap();
        assert_eq!(files.load(&agent, 10).unwrap(), None);
        assert_eq!(fs::read(kept).unwrap(), b"two");
    }
}
