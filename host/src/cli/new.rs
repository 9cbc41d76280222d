//! `hotpit new`: the crate of an agent to begin with. It builds, its tests pass, and it trades in
//! the practice run as it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::text;

const CARGO: &str = include_str!("template/Cargo.toml.txt");
const LIB: &str = include_str!("template/lib.rs.txt");

/// The folder of the SDK in hotpit's sources.
const SDK: &str = "guest-sdk";

/// Makes the crate in the folder `path`, whose name is the agent's.
pub(super) fn new(path: &Path, sdk: Option<&Path>) -> anyhow::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_name = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
        && !name.ends_with('-');
    ensure!(
        is_name,
        "`{name}` is no name for an agent: use lower case letters, digits and `-`, such as \
         my-agent"
    );
    ensure!(!path.exists(), "{} exists already", path.display());
    let sdk = match sdk {
        Some(sdk) => {
            ensure!(is_sdk(sdk), "{} is not hotpit's SDK", sdk.display());
            sdk.canonicalize()?
        }
        None => find_sdk()?,
    };
    let sdk = sdk.to_str().context("the path of the SDK is no text")?;
    let fill = |template: &str| {
        template
            .replace("{{name}}", name)
            .replace("{{type}}", &type_name(name))
            .replace("{{sdk}}", sdk)
    };
    let source = path.join("src");
    fs::create_dir_all(&source).with_context(|| format!("cannot make {}", source.display()))?;
    for (file, text) in [
        (path.join("Cargo.toml"), fill(CARGO)),
        (source.join("lib.rs"), fill(LIB)),
        (path.join(".gitignore"), "/target\n".to_owned()),
    ] {
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let path = path.display();
    text::print(&format!(
        "{path}: an agent. Its tests: cargo test --manifest-path {path}/Cargo.toml\n\
         Into the agents' folder, and live: hotpit build {path}\n"
    ))
}

/// `my-agent` as `MyAgent`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    });
    words.collect()
}

fn is_sdk(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|manifest| manifest.contains("name = \"hotpit-agent\""))
}

/// The SDK of the sources that this folder, or this program, lies in.
fn find_sdk() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("there is no current folder")?;
    let program = std::env::current_exe().and_then(|program| program.canonicalize());
    let places = [Some(here), program.ok()];
    let found = places.iter().flatten().find_map(|place| {
        place.ancestors().map(|folder| folder.join(SDK)).find(|folder| is_sdk(folder))
    });
    let Some(found) = found else {
        bail!(
            "the SDK is not found: say where hotpit's sources are, with --sdk \
             path/to/hotpit/{SDK}"
        );
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_type() {
        for (name, expected) in [("sniper", "Sniper"), ("my-2nd-agent", "My2ndAgent")] {
            assert_eq!(type_name(name), expected);
        }
    }

    #[test]
    fn a_crate_is_made_once_and_under_a_proper_name() {
        let folder = tempfile::tempdir().unwrap();
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
        for wrong in ["", "Sniper", "2fast", "a b", "a-", "../x/Y"] {
            let error = new(&folder.path().join(wrong), Some(&sdk)).unwrap_err().to_string();
            assert!(error.contains("no name for an agent"), "{wrong}: {error}");
        }
        let path = folder.path().join("my-sniper");
        new(&path, Some(&sdk)).unwrap();
        let manifest: toml::Table =
            fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-sniper"));
        let source = fs::read_to_string(path.join("src/lib.rs")).unwrap();
        assert!(source.contains("hotpit_agent::export!(MySniper);"), "{source}");
        assert!(!source.contains("{{"), "{source}");
        assert!(new(&path, Some(&sdk)).unwrap_err().to_string().contains("exists already"));
        let nowhere = folder.path().join("other");
        let error = new(&nowhere, Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("is not hotpit's SDK") && !nowhere.exists(), "{error}");
    }
}
