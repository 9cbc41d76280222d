//! `hotpit doctor`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::text::{print, print_json};
use crate::app::{self, Finding};

/// Checks what a host depends on, and prints a line for each. Fails if something is wrong.
pub(super) fn doctor(config: Option<&Path>, json: bool) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let findings = runtime.block_on(app::doctor(config));
    // A check that was given up, such as a read from a dead disk, must not keep the process.
    runtime.shutdown_background();
    if json {
        print_json(&findings)?;
    } else {
        print(&findings.iter().map(line).collect::<String>())?;
    }
    let is_well = findings.iter().all(|finding| finding.ok);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(finding: &Finding) -> String {
    let Finding { check, ok, found, advice } = finding;
    let word = if *ok { "ok" } else { "wrong" };
    let advice = advice.as_ref().map_or_else(String::new, |advice| format!(" -> {advice}"));
    format!("{word:<5}  {check:<13}  {found}{advice}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_is_a_line_with_what_is_wrong_and_what_to_do() {
        let well = Finding { check: "espn", ok: true, found: "it answers".into(), advice: None };
        assert_eq!(line(&well), "ok     espn           it answers\n");
        let advice = Some("set the clock".to_owned());
        let wrong = Finding { check: "clock", ok: false, found: "+9000 ms".into(), advice };
        assert_eq!(line(&wrong), "wrong  clock          +9000 ms -> set the clock\n");
    }
}
