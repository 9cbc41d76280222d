//! [`Program`]: the host as a process of its own, and what it uses.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hotpit::ops::Status;
use hotpit_exchange::server::credentials::Credentials;

/// A clock tick of `/proc`, of which Linux has 100 a second.
const TICK: Duration = Duration::from_millis(10);
/// Where the program says how it stood at its end.
const REPORT: &str = "report.json";
/// The size of a page.
const PAGE: u64 = 4_096;

/// A running `hotpit run`; killed when dropped.
pub(crate) struct Program {
    child: Child,
    config: PathBuf,
}

impl Program {
    /// `hotpit run`, with `hotpit.toml` of the folder and these arguments. At its end how it stood
    /// is in `report.json` there.
    pub(crate) fn start(folder: &Path, key: &Credentials, arguments: &[&str]) -> Self {
        let config = folder.join("hotpit.toml");
        let output =
            |name: &str| File::options().create(true).append(true).open(folder.join(name)).unwrap();
        let child = hotpit(&config, &["run", "--report"])
            .arg(folder.join(REPORT))
            .args(arguments)
            .env("KALSHI_KEY_ID", &key.key_id)
            .env("KALSHI_PRIVATE_KEY_FILE", &key.private_key)
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .spawn()
            .unwrap();
        Self { child, config }
    }

    /// How it stands; none: it does not answer yet.
    pub(crate) fn status(&self) -> Option<Status> {
        let output = hotpit(&self.config, &["status", "--json"]).output().unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Ends it in order; how it stood then.
    pub(crate) fn stop(mut self) -> Status {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}", self.config.display());
        let report = self.config.with_file_name(REPORT);
        serde_json::from_slice(&fs::read(report).unwrap()).unwrap()
    }

    /// Ends it at once (SIGKILL).
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The memory it holds, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * PAGE
    }

    /// The processor time it has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name, in brackets, may have spaces.
        let (_, rest) = text.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().unwrap()).sum();
        TICK * ticks
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hotpit(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotpit"));
    command.arg("--config").arg(config).args(arguments).stdin(Stdio::null());
    command
}
