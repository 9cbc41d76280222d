//! `hotpit check`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::text::{print, print_json, size};
use crate::app;
use crate::config::Config;

/// What a file is, as the host would load it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CheckReport {
    /// The name that the agent gives itself.
    pub name: String,
    /// The version that it gives itself.
    pub version: String,
    /// The hash of the file.
    pub hash: String,
    /// The size of the file.
    pub bytes: u64,
    /// What it imports, and what that gives it.
    pub imports: Vec<ImportLine>,
    /// What it subscribes to.
    pub subscribes: Vec<String>,
    /// What it cannot trade without.
    pub requires: Vec<String>,
    /// Its parameters.
    pub parameters: Vec<ParameterLine>,
    /// What does not keep it from being loaded, but should be known.
    pub warnings: Vec<String>,
}

/// An import of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportLine {
    /// The interface.
    pub name: String,
    /// What the host gives to an agent that imports it.
    pub grants: String,
}

/// A parameter of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ParameterLine {
    /// Its name.
    pub name: String,
    /// Its value: the default, or what the file beside the agent says.
    pub value: String,
    /// What it does, and its unit.
    pub description: String,
}

/// The answer on one file.
#[derive(Debug, Serialize)]
struct Answer {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<CheckReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Checks each file. Fails if one of them cannot be loaded, after all were looked at.
pub(super) fn check(config: &Config, files: &[PathBuf], json: bool) -> anyhow::Result<ExitCode> {
    let answers: Vec<Answer> = files
        .iter()
        .map(|file| match app::check(config, file) {
            Ok(report) => Answer { file: file.clone(), agent: Some(report), error: None },
            Err(error) => {
                Answer { file: file.clone(), agent: None, error: Some(format!("{error:#}")) }
            }
        })
        .collect();
    if json {
        print_json(&answers)?;
    } else {
        print(&answers.iter().map(describe).collect::<String>())?;
    }
    let failed = answers.iter().any(|answer| answer.agent.is_none());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn describe(answer: &Answer) -> String {
    let file = answer.file.display();
    let Some(report) = &answer.agent else {
        return problem(&answer.file, answer.error.as_deref().unwrap_or_default());
    };
    let list = |items: &[String]| {
        if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
    };
    let mut text = format!("{file}: an agent that can be loaded\n");
    let lines = [
        ("name", format!("{} {}", report.name, report.version)),
        ("size", size(report.bytes)),
        ("hash", report.hash.clone()),
        ("subscribes", list(&report.subscribes)),
        ("requires", list(&report.requires)),
    ];
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<11} {value}");
    }
    let _ = writeln!(text, "  imports");
    for ImportLine { name, grants } in &report.imports {
        let _ = writeln!(text, "    {name}: {grants}");
    }
    if !report.parameters.is_empty() {
        let _ = writeln!(text, "  parameters");
    }
    for ParameterLine { name, value, description } in &report.parameters {
        let _ = writeln!(text, "    {name} = {value}: {description}");
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text
}

/// Why a file is not put where the host would load it.
pub(super) fn describe_problem(file: &Path, error: &anyhow::Error) -> String {
    problem(file, &format!("{error:#}"))
}

fn problem(file: &Path, error: &str) -> String {
    format!("{}: cannot be loaded: {error}\n", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_described_or_refused_in_a_few_lines() {
        let report = CheckReport {
            name: "maker".into(),
            version: "1.2.0".into(),
            hash: "abc".into(),
            bytes: 2 << 20,
            imports: vec![ImportLine { name: "hotpit:agent/log".into(), grants: "lines".into() }],
            subscribes: vec!["series KXNFLGAME".into()],
            requires: vec!["game-feed".into()],
            parameters: vec![ParameterLine {
                name: "size".into(),
                value: "10".into(),
                description: "In contracts.".into(),
            }],
            warnings: vec!["it asks for a clock".into()],
        };
        let good = Answer { file: "maker.wasm".into(), agent: Some(report), error: None };
        let text = describe(&good);
        assert!(
            text.starts_with(
                "maker.wasm: an agent that can be loaded\n  name        maker 1.2.0\n"
            )
        );
        assert!(text.contains("  requires    game-feed\n"), "{text}");
        assert!(text.contains("  imports\n    hotpit:agent/log: lines\n"), "{text}");
        assert!(text.contains("  parameters\n    size = 10: In contracts.\n"), "{text}");
        assert!(text.ends_with("  warning: it asks for a clock\n"), "{text}");
        let bad = Answer { file: "x.wasm".into(), agent: None, error: Some("text".into()) };
        assert_eq!(describe(&bad), "x.wasm: cannot be loaded: text\n");
    }
}
