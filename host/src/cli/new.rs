//! `hotpit new`: an agent to begin with. It builds, its tests pass, and it trades in the practice
//! run as it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;

use super::text;

/// The folder of the SDK in hotpit's sources.
const SDK: &str = "guest-sdk";

/// The files of the Python SDK: an agent in Python has a copy of them.
const PYTHON_SDK: [(&str, &str); 8] = [
    ("__init__.py", include_str!("../../../guest-sdk/python/hotpit_agent/__init__.py")),
    ("agent.py", include_str!("../../../guest-sdk/python/hotpit_agent/agent.py")),
    ("component.py", include_str!("../../../guest-sdk/python/hotpit_agent/component.py")),
    ("context.py", include_str!("../../../guest-sdk/python/hotpit_agent/context.py")),
    ("log.py", include_str!("../../../guest-sdk/python/hotpit_agent/log.py")),
    ("model.py", include_str!("../../../guest-sdk/python/hotpit_agent/model.py")),
    ("testing.py", include_str!("../../../guest-sdk/python/hotpit_agent/testing.py")),
    ("units.py", include_str!("../../../guest-sdk/python/hotpit_agent/units.py")),
];

/// What an agent is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// The fastest, checked by the compiler.
    Rust,
    /// The shortest; a call takes some microseconds more.
    Python,
}

/// Makes an agent in the folder `path`, whose name is the agent's.
pub(super) fn new(path: &Path, language: Language, sdk: Option<&Path>) -> anyhow::Result<()> {
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
    let (files, test) = match language {
        Language::Rust => {
            (rust(sdk)?, format!("cargo test --manifest-path {}/Cargo.toml", path.display()))
        }
        Language::Python => {
            ensure!(sdk.is_none(), "--sdk is for Rust: an agent in Python has a copy of the SDK");
            (python(), format!("python3 -m unittest discover {}", path.display()))
        }
    };
    for (file, text) in files {
        let file = path.join(file);
        let folder = file.parent().unwrap_or(path);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let text = text.replace("{{name}}", name).replace("{{type}}", &type_name(name));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let path = path.display();
    text::print(&format!(
        "{path}: an agent. Its tests: {test}\n\
         Into the agents' folder, and live: hotpit build {path}\n"
    ))
}

fn rust(sdk: Option<&Path>) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let sdk = match sdk {
        Some(sdk) => {
            ensure!(is_sdk(sdk), "{} is not hotpit's SDK", sdk.display());
            sdk.canonicalize()?
        }
        None => find_sdk()?,
    };
    let sdk = sdk.to_str().context("the path of the SDK is no text")?;
    Ok(vec![
        ("Cargo.toml".into(), include_str!("template/rust/Cargo.toml.txt").replace("{{sdk}}", sdk)),
        ("src/lib.rs".into(), include_str!("template/rust/lib.rs.txt").to_owned()),
        (".gitignore".into(), "/target\n".to_owned()),
    ])
}

fn python() -> Vec<(PathBuf, String)> {
    let own = [
        ("agent.py", include_str!("template/python/agent.py.txt")),
        ("test_agent.py", include_str!("template/python/test_agent.py.txt")),
        (".gitignore", "__pycache__/\n"),
    ];
    let own = own.map(|(file, text)| (PathBuf::from(file), text.to_owned()));
    let sdk =
        PYTHON_SDK.map(|(file, text)| (Path::new("hotpit_agent").join(file), text.to_owned()));
    own.into_iter().chain(sdk).collect()
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
        let new = |path: &Path, sdk: &Path| new(path, Language::Rust, Some(sdk));
        for wrong in ["", "Sniper", "2fast", "a b", "a-", "../x/Y"] {
            let error = new(&folder.path().join(wrong), &sdk).unwrap_err().to_string();
            assert!(error.contains("no name for an agent"), "{wrong}: {error}");
        }
        let path = folder.path().join("my-sniper");
        new(&path, &sdk).unwrap();
        let manifest: toml::Table =
            fs::read_to_string(path.join("Cargo.toml")).unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("my-sniper"));
        let source = fs::read_to_string(path.join("src/lib.rs")).unwrap();
        assert!(source.contains("hotpit_agent::export!(MySniper);"), "{source}");
        assert!(!source.contains("{{"), "{source}");
        assert!(new(&path, &sdk).unwrap_err().to_string().contains("exists already"));
        let nowhere = folder.path().join("other");
        let error = new(&nowhere, folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not hotpit's SDK") && !nowhere.exists(), "{error}");
    }

    #[test]
    fn an_agent_in_python_has_the_whole_sdk_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my-sniper");
        new(&path, Language::Python, None).unwrap();
        for (file, text) in [("agent.py", "class MySniper(Agent)"), ("test_agent.py", "my-sniper")]
        {
            let source = fs::read_to_string(path.join(file)).unwrap();
            assert!(source.contains(text) && !source.contains("{{"), "{source}");
        }
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/python/hotpit_agent");
        for file in fs::read_dir(sdk).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "py") {
                let copy = path.join("hotpit_agent").join(file.file_name().unwrap());
                assert_eq!(fs::read(&copy).unwrap(), fs::read(&file).unwrap(), "{file:?}");
            }
        }
    }
}
