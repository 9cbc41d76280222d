//! [`Config`]: everything a user can set, read once at the start.
//!
//! One file, `hotpit.toml`; without one the defaults hold. A variable of the environment wins over
//! it: `HOTPIT_OPS_BIND` over `ops.bind`, and so for every key. Each section is the `Settings` of
//! the module that it configures, and the text of the default file ([`DEFAULT_FILE`]) documents
//! every key. Everything that is wrong is said at once, with the line or the variable, and the key.
//!
//! Secrets never stand in the file: they come from the environment, as [`Credentials`] and with
//! [`Config::read_secrets`], and show nothing of themselves in logs.

mod credentials;
mod environment;
mod logging;
mod read;
mod secrets;
mod venue;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use environment::Overrides;

use crate::bus::Kind;
use crate::ops::Role;

pub use credentials::{Credentials, CredentialsError};
pub use logging::{LogFormat, LogSettings};
pub use secrets::{Secret, SecretError};
pub use venue::{Exchange, ExchangeError};

/// The file that is read where none is named, if it exists.
pub const DEFAULT_PATH: &str = "hotpit.toml";

/// The documented default file: `hotpit config` prints it, and it reads as [`Config::default`].
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// The key that says where a running host is found.
const STATE_FOLDER: &str = "state_folder";

/// Everything a user can set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which part of the work this host does.
    pub role: Role,
    /// Where orders go.
    pub venue: Exchange,
    /// Allows orders that cost real money.
    pub live: bool,
    /// What the host keeps between and during runs: the journal, compiled agents, saved states,
    /// the address and the token of the operator's port.
    pub state_folder: PathBuf,
    /// Logs.
    pub log: LogSettings,
    /// The agents.
    pub agents: crate::agents::Settings,
    /// How feeds reach agents.
    pub bus: crate::bus::Settings,
    /// The desk.
    pub desk: crate::desk::Settings,
    /// Requests to the exchange.
    pub kalshi: crate::kalshi::Settings,
    /// The feeds.
    pub feeds: FeedSettings,
    /// The journal.
    pub journal: crate::journal::Settings,
    /// Traces of orders.
    pub traces: crate::traces::Settings,
    /// Whether runs are recorded.
    pub recording: crate::recording::RunSettings,
    /// The operator's port.
    pub ops: crate::ops::Settings,
}

/// The feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeedSettings {
    /// The exchange's market data.
    pub kalshi: crate::feeds::kalshi::Settings,
    /// Games.
    pub espn: crate::feeds::espn::Settings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::default(),
            venue: Exchange::default(),
            live: false,
            state_folder: "state".into(),
            log: LogSettings::default(),
            agents: crate::agents::Settings::default(),
            bus: crate::bus::Settings::default(),
            desk: crate::desk::Settings::default(),
            kalshi: crate::kalshi::Settings::default(),
            feeds: FeedSettings::default(),
            journal: crate::journal::Settings::default(),
            traces: crate::traces::Settings::default(),
            recording: crate::recording::RunSettings::default(),
            ops: crate::ops::Settings::default(),
        }
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file, or variables of the environment, have mistakes.
    #[error("the settings are not valid:{}", listed(.0))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads a file; where none is named, [`DEFAULT_PATH`] if it is there, else the defaults. What
    /// variables of the environment set wins over it.
    ///
    /// # Errors
    /// When a named file is missing, the file cannot be read, or anything in it or in the variables
    /// is wrong.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (text, name) = text_of(path)?;
        Self::read(&text, &name, &Overrides::of_process()).map_err(ConfigError::Invalid)
    }

    /// The names of the variables of the environment that set something.
    #[must_use]
    pub fn variables() -> Vec<String> {
        Overrides::of_process().variables()
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        Self::read(text, "", &Overrides::default())
    }

    fn read(text: &str, name: &str, overrides: &Overrides) -> Result<Self, Vec<String>> {
        let (config, mut problems) = read::read::<Self>(text, name, overrides);
        if let Some(config) = config {
            let told = problems.len();
            config.validate(&mut problems);
            overrides.blame(&mut problems[told..]);
            if problems.is_empty() {
                return Ok(config);
            }
        }
        Err(problems)
    }

    /// Checks what the types do not, and names each key that is wrong.
    pub fn validate(&self, problems: &mut Vec<String>) {
        self.log.validate(problems);
        self.agents.validate(problems);
        self.bus.validate(problems);
        self.desk.validate(problems);
        self.kalshi.validate(problems);
        self.feeds.kalshi.validate(problems);
        self.feeds.espn.validate(problems);
        self.journal.validate(problems);
        self.traces.validate(problems);
        self.recording.validate(problems);
        self.ops.validate(problems);
        if self.role != Role::All && self.bus.kind == Kind::Embedded {
            problems.push(
                "role: hosts with parts of the work meet over Redis: set bus.kind = \"redis\""
                    .to_owned(),
            );
        }
    }

    /// Reads the secrets that belong to settings from the process's environment.
    ///
    /// # Errors
    /// When their variables contradict each other, a file that one names cannot be read, or what
    /// they hold is not in its form.
    pub fn read_secrets(&mut self) -> Result<(), ConfigError> {
        let invalid = |problem: String| ConfigError::Invalid(vec![problem]);
        let read = |source: secrets::Source| {
            source.read(|name| std::env::var_os(name)).map_err(|error| invalid(error.to_string()))
        };
        self.bus.password = read(secrets::REDIS_PASSWORD)?.map(|secret| secret.expose().to_owned());
        if let Some(secret) = read(secrets::TRACES_HEADERS)? {
            let headers = crate::traces::Headers::parse(secret.expose());
            self.traces.headers = headers.map_err(|error| invalid(error.to_string()))?;
            let mut problems = Vec::new();
            self.traces.validate(&mut problems);
            if !problems.is_empty() {
                return Err(ConfigError::Invalid(problems));
            }
        }
        Ok(())
    }

    /// Takes another role than the file says, if there is one.
    ///
    /// # Errors
    /// What keeps the host from it.
    pub fn play(&mut self, role: Option<Role>) -> Result<(), ConfigError> {
        self.role = role.unwrap_or(self.role);
        let mut problems = Vec::new();
        self.validate(&mut problems);
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid(problems))
    }

    /// How the bus is run for this exchange.
    #[must_use]
    pub fn bus_settings(&self) -> crate::bus::Settings {
        crate::bus::Settings { venue: self.venue.to_string(), ..self.bus.clone() }
    }

    /// Whether orders go to the exchange. Otherwise the desk decides and logs what it would
    /// send: so it is wherever real money could be at stake and nobody wrote `live = true`.
    #[must_use]
    pub fn sends_orders(&self) -> bool {
        self.live || !self.venue.may_cost_money()
    }

    /// How agents are run, with the folder that their states are kept in.
    #[must_use]
    pub fn agent_settings(&self) -> crate::agents::Settings {
        let state_folder = self.state_folder.join("agents");
        let costs_money = self.sends_orders() && self.venue.may_cost_money();
        crate::agents::Settings { state_folder, costs_money, ..self.agents.clone() }
    }

    /// How the exchange is asked, with its addresses.
    #[must_use]
    pub fn kalshi_settings(&self) -> crate::kalshi::Settings {
        let (rest_url, ws_url) = (self.venue.rest_url(), self.venue.ws_url());
        crate::kalshi::Settings { rest_url, ws_url, ..self.kalshi.clone() }
    }

    /// The database of the journal.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.state_folder.join("journal.db")
    }

    /// The state folder that a variable or a file names, whatever else is in it: a mistake in some
    /// other key must not keep an operator from a running host.
    ///
    /// # Errors
    /// When a named file is missing, or the file cannot be read or is no TOML: a guess could reach
    /// another host than the one that was meant.
    pub fn state_folder_of(path: Option<&Path>) -> Result<PathBuf, ConfigError> {
        let (text, name) = text_of(path)?;
        let variable = std::env::var_os(environment::variable_of(STATE_FOLDER));
        if let Some(folder) = variable.filter(|folder| !folder.is_empty()) {
            return Ok(folder.into());
        }
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let problem = error.to_string().trim_end().replace('\n', " ");
            ConfigError::Invalid(vec![format!("{name}: {problem}")])
        })?;
        let folder = table.get(STATE_FOLDER).and_then(|folder| folder.as_str());
        Ok(folder.map_or_else(|| Self::default().state_folder, PathBuf::from))
    }
}

/// The text and the name of a file; where none is named, of [`DEFAULT_PATH`] if it is there.
fn text_of(path: Option<&Path>) -> Result<(String, String), ConfigError> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((text, name)),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => {
            Ok((String::new(), name))
        }
        Err(cause) => Err(ConfigError::Unreadable { path: file.into(), cause }),
    }
}

/// Problems as an indented list, one on a line.
fn listed(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_reads_as_the_defaults() {
        assert_eq!(Config::parse(DEFAULT_FILE).unwrap(), Config::default());
    }

    #[test]
    fn an_empty_file_reads_as_the_defaults() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn every_key_stands_in_the_default_file() {
        let documented = read::keys_of_text(DEFAULT_FILE);
        let known = read::keys_of::<Config>();
        assert!(known.contains(&"ops.bind".to_owned()), "{known:?}");
        for key in &known {
            assert!(documented.contains(key), "`{key}` is missing in default.toml");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_lines() {
        let text = "\
            venu = \"demo\"\n\
            live = \"yes\"\n\
            [ops]\n\
            bind = \"nowhere\"\n\
            prot = 3\n\
            [log]\n\
            level = \"=loud=\"\n\
            [desks]\n\
            limit = 1\n";
        let problems = Config::parse(text).unwrap_err();
        let starts = [
            "line 1: venu: unknown key",
            "line 2: live: ",
            "line 4: ops.bind: ",
            "line 5: ops.prot: unknown key",
            "line 8: desks: unknown key",
            "log.level: ",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem} should start with {start}");
        }
    }

    #[test]
    fn mistakes_of_syntax_are_told_with_their_lines() {
        let problems = Config::parse("live = \n[ops\n").unwrap_err();
        assert!(problems.len() >= 2, "{problems:?}");
        assert!(problems[0].starts_with("line 1: "), "{problems:?}");
    }

    #[test]
    fn orders_that_cost_money_need_the_word_live() {
        let cases = [
            ("", true),
            ("venue = \"demo\"", true),
            ("venue = \"kalshi\"", false),
            ("venue = \"kalshi\"\nlive = true", true),
            ("venue = \"http://127.0.0.1:7117\"", true),
            ("venue = \"http://[::1]:7117\"", true),
            ("venue = \"http://localhost:7117\"", true),
            ("venue = \"https://proxy.example.com\"", false),
            ("venue = \"http://127.0.0.1.example.com\"", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Config::parse(text).unwrap().sends_orders(), expected, "{text}");
        }
    }

    #[test]
    fn a_named_file_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent.toml");
        assert!(matches!(Config::load(Some(&path)), Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn the_state_folder_is_found_in_a_file_with_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotpit.toml");
        std::fs::write(&path, "state_folder = \"/var/hotpit\"\nlvie = true\n").unwrap();
        assert_eq!(Config::state_folder_of(Some(&path)).unwrap(), PathBuf::from("/var/hotpit"));
    }

    #[test]
    fn no_other_host_is_taken_for_the_one_that_a_wrong_file_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hotpit.toml");
        assert!(matches!(
            Config::state_folder_of(Some(&path)),
            Err(ConfigError::Unreadable { .. })
        ));
        std::fs::write(&path, "state_folder = /var/hotpit\n").unwrap();
        assert!(matches!(Config::state_folder_of(Some(&path)), Err(ConfigError::Invalid(_))));
    }
}
