//! [`Deployment`]: the host as a platform starts it, in a folder and as a user of its own, with all
//! settings from the environment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::support::{Floor, LOOK, PATIENCE};

/// What belongs to a host that a platform runs.
pub(crate) struct Deployment {
    /// Everything below is in it; open to all.
    pub(crate) home: tempfile::TempDir,
    /// Who the host runs as; none: who runs the tests, where that is not root.
    user: Option<(u32, u32)>,
    variables: BTreeMap<String, String>,
}

/// A started process, and all that it starts. Killed when dropped.
pub(crate) struct Started {
    child: Child,
    folder: PathBuf,
    pub(crate) log: PathBuf,
}

impl Deployment {
    /// For a host that runs as this user and group, where the tests may choose.
    pub(crate) fn of(user: u32, group: u32) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let user = (hotpit_rt::user::effective_id() == 0).then_some((user, group));
        if user.is_none() {
            println!("not root: the host runs as the user who runs the tests");
        }
        let path = std::env::var("PATH").unwrap();
        Self { home, user, variables: BTreeMap::from([("PATH".into(), path)]) }
    }

    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.into(), value.into());
    }

    /// The floor's settings and account, but for where things are on this machine.
    pub(crate) fn variables_of(&mut self, floor: &Floor) {
        fn below(prefix: &str, table: toml::Table, all: &mut BTreeMap<String, String>) {
            for (key, value) in table {
                let name = format!("{prefix}_{}", key.to_ascii_uppercase());
                match value {
                    toml::Value::Table(inner) => below(&name, inner, all),
                    toml::Value::String(text) => drop(all.insert(name, text)),
                    other => drop(all.insert(name, other.to_string())),
                }
            }
        }
        let file = fs::read_to_string(floor.config_path()).unwrap();
        below("HOTPIT", file.parse().unwrap(), &mut self.variables);
        for name in ["HOTPIT_STATE_FOLDER", "HOTPIT_AGENTS_FOLDER", "HOTPIT_OPS_BIND"] {
            assert!(self.variables.remove(name).is_some(), "{name}");
        }
        let pem = fs::read_to_string(&floor.key.private_key).unwrap();
        self.variable("KALSHI_KEY_ID", &floor.key.key_id);
        // As forms for variables keep a text of several lines.
        self.variable("KALSHI_PRIVATE_KEY", &pem.replace('\n', "\\n"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Makes a folder that belongs to the host's user.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        self.give(&path);
        path
    }

    /// Gives a file or a folder to the host's user.
    pub(crate) fn give(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    /// A command as the host's user, with the variables and no others.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().envs(&self.variables).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Starts a command in a folder in which nothing else runs.
    pub(crate) fn start(
        &self,
        program: impl AsRef<std::ffi::OsStr>,
        folder: &Path,
    ) -> Starting<'_> {
        Starting { command: self.command(program, folder), folder: folder.into(), deployment: self }
    }
}

/// A command that is about to be started.
pub(crate) struct Starting<'a> {
    command: Command,
    folder: PathBuf,
    deployment: &'a Deployment,
}

impl Starting<'_> {
    pub(crate) fn with(mut self, arguments: &[&str]) -> Started {
        let log = self.deployment.path("log");
        let file = File::create(&log).unwrap();
        let command = self.command.args(arguments).stdout(file.try_clone().unwrap()).stderr(file);
        command.process_group(0);
        Started { child: command.spawn().unwrap(), folder: self.folder, log }
    }
}

impl Started {
    /// Sends SIGTERM to the process that was started, and to nobody else; how that one ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        signal("TERM", &self.child.id().to_string());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end: {}", self.said());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends SIGTERM to all at once, as a terminal or a supervisor does.
    pub(crate) fn terminate_all(&self) {
        signal("TERM", &format!("-{}", self.child.id()));
    }

    /// What it, and all that it started, said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The processes that run in the folder: what was started, and what that started.
    pub(crate) fn family(&self) -> Vec<String> {
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
        let ids = processes.map(|entry| entry.file_name().into_string().unwrap());
        let ids = ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        // One that has just ended has no folder.
        let is_ours = |id: &String| {
            fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|folder| folder == self.folder)
        };
        ids.filter(is_ours).collect()
    }
}

/// Sends a signal to a process that is there, or to a group. Through the shell, because the standard
/// library sends SIGKILL alone.
fn signal(name: &str, to: &str) {
    let sent = Command::new("sh").args(["-c", "kill -s \"$0\" -- \"$1\"", name, to]).status();
    assert!(sent.unwrap().success(), "{name} to {to}");
}

impl Drop for Started {
    fn drop(&mut self) {
        for id in self.family() {
            // One that has ended meanwhile is as it should be.
            let _ = Command::new("kill").args(["-s", "KILL", &id]).status();
        }
        let _ = self.child.wait();
    }
}

/// A host's port, asked as anybody can ask it, or with the host's token.
pub(crate) struct Port {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Port {
    /// Waits until a host has its port, by what it wrote to its state folder.
    pub(crate) async fn open(state: &Path, started: &Started) -> Self {
        let began = Instant::now();
        let address = loop {
            match fs::read_to_string(state.join("ops.addr")) {
                Ok(address) if address.ends_with('\n') => break address,
                _ => assert!(began.elapsed() < PATIENCE, "no port: {}", started.said()),
            }
            tokio::time::sleep(LOOK).await;
        };
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let token = fs::read_to_string(state.join("ops.token")).unwrap().trim().to_owned();
        Self { http, url: format!("http://{}", address.trim()), token }
    }

    /// Status and text of an answer to somebody without the token.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        Self::answer(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str) -> (u16, String) {
        Self::answer(self.http.post(format!("{}{path}", self.url))).await
    }

    /// The same to the operator.
    pub(crate) async fn read(&self, path: &str) -> serde_json::Value {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let (status, text) = Self::answer(request).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
        let answer = request.header("host", "hotpit.example").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}
