//! [`Host`]: the host as a process of its own.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use hotpit_exchange::server::credentials::Credentials;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How the host is run.
#[derive(Debug)]
pub(crate) struct Host<'a> {
    pub(crate) program: &'a Path,
    pub(crate) config: &'a Path,
    pub(crate) report: &'a Path,
    pub(crate) run_for: Option<&'a str>,
    pub(crate) key: &'a Credentials,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its exit code was 0.
    pub(crate) succeeded: bool,
    /// Its summary, which is to be the last line of all.
    pub(crate) summary: Option<String>,
}

/// What asks this process to end.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is gone.
    hang_up: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

impl Host<'_> {
    /// Runs it to its end, and passes on every wish for it to end: the first one it takes as a
    /// request, the second one as an order.
    pub(crate) async fn run(&self, mut signals: Signals) -> anyhow::Result<Outcome> {
        let mut child = self.spawn()?;
        let stdout = child.stdout.take().context("the host has no standard output")?;
        let reader = tokio::spawn(async move {
            let mut summary = None;
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with("summary: ") {
                    summary = Some(line);
                } else {
                    println!("{line}");
                }
            }
            summary
        });
        let status = loop {
            tokio::select! {
                biased;
                status = child.wait() => break status.context("cannot wait for the host")?,
                () = signals.next() => terminate(&child).await,
            }
        };
        let summary = reader.await.context("cannot read what the host wrote")?;
        if !status.success() {
            eprintln!("error: the host ended with {status}");
        }
        Ok(Outcome { succeeded: status.success(), summary })
    }

    fn spawn(&self) -> anyhow::Result<Child> {
        let mut command = Command::new(self.program);
        command.arg("--config").arg(self.config).arg("run").arg("--report").arg(self.report);
        if let Some(time) = self.run_for {
            command.args(["--for", time]);
        }
        // What this shell has set for another host must not reach this one. The password of Redis is
        // not in its configuration.
        let is_setting =
            |name: &str| name.starts_with("HOTPIT_") && !name.starts_with("HOTPIT_REDIS_PASSWORD");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_setting) {
                command.env_remove(name);
            }
        }
        command
            .env("KALSHI_KEY_ID", &self.key.key_id)
            .env("KALSHI_PRIVATE_KEY_FILE", &self.key.private_key)
            .env_remove("KALSHI_KEY_ID_FILE")
            .env_remove("KALSHI_PRIVATE_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // In a group of its own, Ctrl-C on the terminal reaches it only through here: once,
            // and not twice.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))
    }
}

/// Sends SIGTERM. Through the shell, because the standard library sends SIGKILL alone.
async fn terminate(child: &Child) {
    let Some(id) = child.id() else { return };
    let sent = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id.to_string()]).status().await;
    if !sent.is_ok_and(|status| status.success()) {
        eprintln!("warning: the host could not be told to end");
    }
}
