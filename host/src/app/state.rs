//! [`claim`]: a state folder belongs to one subaccount at one exchange.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};

/// The file that names the exchange, and the subaccount unless it is the primary account.
const VENUE: &str = "venue";

/// Makes the folder this subaccount's at this exchange, or refuses one that is another's: orders and
/// positions of one mean nothing at the next, and would be repaired into nonsense there.
pub(super) fn claim(folder: &Path, venue: &str, subaccount: u8) -> anyhow::Result<()> {
    let shown = folder.display();
    fs::create_dir_all(folder)
        .with_context(|| format!("the state folder {shown} cannot be made"))?;
    if is_claimed(folder, venue, subaccount)? {
        return Ok(());
    }
    let path = folder.join(VENUE);
    fs::write(&path, format!("{}\n", owner_of(venue, subaccount)))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Whether the folder is this subaccount's; if not, it is nobody's.
///
/// # Errors
/// When it is another's, or cannot be read.
pub(super) fn is_claimed(folder: &Path, venue: &str, subaccount: u8) -> anyhow::Result<bool> {
    let shown = folder.display();
    let path = folder.join(VENUE);
    let claimed = owner_of(venue, subaccount);
    match fs::read_to_string(&path) {
        Ok(owner) if owner.trim() == claimed => Ok(true),
        Ok(owner) => bail!(
            "the state folder {shown} has the books of venue `{}`, and this is `{claimed}`: set \
             another `state_folder` for each venue and each `kalshi.subaccount`",
            owner.trim()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn owner_of(venue: &str, subaccount: u8) -> String {
    match subaccount {
        0 => venue.to_owned(),
        number => format!("{venue} subaccount {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_one_venue_or_subaccount_is_refused_to_another() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        claim(&state, "demo", 0).unwrap();
        claim(&state, "demo", 0).unwrap();
        let error = claim(&state, "kalshi", 0).unwrap_err().to_string();
        assert!(error.contains("the books of venue `demo`, and this is `kalshi`"), "{error}");
        let error = claim(&state, "demo", 2).unwrap_err().to_string();
        assert!(error.contains("`demo`, and this is `demo subaccount 2`"), "{error}");
        let second = folder.path().join("second");
        claim(&second, "demo", 2).unwrap();
        claim(&second, "demo", 2).unwrap();
        assert!(claim(&second, "demo", 1).is_err());
        assert!(claim(&second, "demo", 0).is_err());
    }
}
