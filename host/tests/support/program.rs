//! [`Program`]: the real binary as a process of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Instant;

use hotpit::ops::Status;

use super::{Floor, PATIENCE};

/// A running `hotpit run`. Killed when dropped.
pub struct Program {
    child: Child,
    folder: PathBuf,
}

impl Floor {
    /// The binary with the floor's configuration, and no account.
    pub fn hotpit(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotpit"));
        command.arg("--config").arg(self.config_path()).args(arguments);
        for (variable, _) in std::env::vars_os() {
            if let Some("KALSHI" | "HOTPIT") = variable.to_str().and_then(|it| it.split('_').next())
            {
                command.env_remove(variable);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command of the binary to its end.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.hotpit(arguments));
        tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap()
    }

    /// What a command prints, which must succeed.
    pub async fn text_of(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}: {error}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts `hotpit run` with the account. Its output is appended to `stdout` and `stderr` in
    /// the folder; at its end it leaves `report.json` there.
    pub fn spawn(&self) -> Program {
        self.spawn_with(&[])
    }

    /// The same with variables of the environment.
    pub fn spawn_with(&self, variables: &[(&str, &str)]) -> Program {
        let folder = self.folder.path().to_path_buf();
        let file = |name: &str| -> File {
            fs::OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap()
        };
        let report = folder.join("report.json");
        let child = self
            .hotpit(&["run", "--report", report.to_str().unwrap()])
            .env("KALSHI_KEY_ID", &self.key.key_id)
            .env("KALSHI_PRIVATE_KEY_FILE", &self.key.private_key)
            .envs(variables.iter().copied())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Program { child, folder }
    }

    /// How the running binary stands; none: it does not answer.
    pub async fn told(&self) -> Option<Status> {
        let output = self.command(&["status", "--json"]).await;
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// A page of the running binary's port.
    pub async fn page(&self, path: &str) -> String {
        let address = fs::read_to_string(self.folder.path().join("state/ops.addr")).unwrap();
        let url = format!("http://{}{path}", address.trim());
        reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap()
    }

    /// Waits until the running binary stands as wanted.
    pub async fn until_told(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let began = Instant::now();
        loop {
            let told = self.told().await;
            if let Some(status) = &told
                && is(status)
            {
                return told.unwrap();
            }
            assert!(
                began.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}: {told:#?}\n{}",
                fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
            );
            tokio::time::sleep(super::LOOK).await;
        }
    }
}

impl Program {
    /// Ends it in order; how it said to stand at the end.
    pub fn stop(mut self) -> Status {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        let text = fs::read_to_string(self.folder.join("stderr")).unwrap();
        assert!(status.success(), "{status}:\n{text}");
        serde_json::from_slice(&fs::read(self.folder.join("report.json")).unwrap()).unwrap()
    }

    /// SIGKILL: it ends in the middle of whatever it does.
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
