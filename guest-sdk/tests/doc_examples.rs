//! Every public item of the SDK, and of the units that it hands on, shows how it is used: its doc
//! comment has an example.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// How the items begin that need one. Methods of public traits do, too.
const ITEMS: [&str; 8] = [
    "pub fn ",
    "pub const fn ",
    "pub const ",
    "pub struct ",
    "pub enum ",
    "pub trait ",
    "pub type ",
    "macro_rules! ",
];

#[test]
fn every_public_item_has_an_example() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let [sdk, units] = ["guest-sdk/src", "host/units/src"].map(|source| workspace.join(source));
    let mut items = 0;
    let mut bare = Vec::new();
    for path in files(&sdk).into_iter().chain(files(&units)) {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for index in public_items(&lines) {
            items += 1;
            if !is_shown(&about(&lines, index)) {
                let path = path.strip_prefix(workspace).unwrap().display();
                bare.push(format!("{path}:{}: {}", index + 1, lines[index].trim()));
            }
        }
    }
    assert!(bare.is_empty(), "without an example that asserts:\n{}", bare.join("\n"));
    assert!(items > 190, "only {items} public items were found: does this test still see them?");
}

/// The source files, in a fixed order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// The lines on which public items begin.
fn public_items(lines: &[&str]) -> Vec<usize> {
    let mut in_trait = false;
    let mut items = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_item = ITEMS.iter().any(|item| code.starts_with(item))
            // What a macro of this crate declares has its doc comment where it is called.
            && !code.contains("$name")
            && (!code.starts_with("macro_rules!") || about(lines, index).contains("macro_export"));
        if is_item || in_trait && line.starts_with("    fn ") {
            items.push(index);
        }
        in_trait = line.starts_with("pub trait ") || in_trait && *line != "}";
    }
    items
}

/// Whether a doc comment has an example that runs and asserts, or is hidden.
fn is_shown(about: &str) -> bool {
    let runs = !about.contains("```ignore") && !about.contains("```no_run");
    about.contains("```") && about.contains("assert") && runs || about.contains("#[doc(hidden)]")
}

/// The doc comment and the attributes above an item.
fn about(lines: &[&str], item: usize) -> String {
    let first = lines[..item].iter().rposition(|line| {
        let line = line.trim();
        line.is_empty() || line.ends_with(['{', '}', ';']) && !line.starts_with(['/', '#'])
    });
    lines[first.map_or(0, |first| first + 1)..item].join("\n")
}
