//! [`claim`]: a state folder belongs to one exchange.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};

/// The file that names the exchange.
const VENUE: &str = "venue";

/// Makes the folder this exchange's, or refuses one that is another's: orders and positions of
/// one exchange mean nothing at the next, and would be repaired into nonsense there.
pub(super) fn claim(folder: &Path, venue: &str) -> anyhow::Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .with_context(|| format!("the state folder {shown} cannot be made"))?;
    if is_claimed(folder, venue)? {
        return Ok(());
    }
    let path = folder.join(VENUE);
    fs::write(&path, format!("{venue}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Whether the folder is this exchange's; if not, it is nobody's.
///
/// # Errors
/// When it is another's, or cannot be read.
pub(super) fn is_claimed(folder: &Path, venue: &str) -> anyhow::Result<bool> {
    let shown = folder.display();
    let path = folder.join(VENUE);
    match fs::read_to_string(&path) {
        Ok(owner) if owner.trim() == venue => Ok(true),
        Ok(owner) => bail!(
            "the state folder {shown} has the books of venue `{}`, and this is `{venue}`: set \
             another `state_folder` for each venue",
            owner.trim()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_one_venue_is_refused_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        claim(&state, "demo").unwrap();
        claim(&state, "demo").unwrap();
        let error = claim(&state, "kalshi").unwrap_err().to_string();
        assert!(error.contains("the books of venue `demo`, and this is `kalshi`"), "{error}");
    }
}
