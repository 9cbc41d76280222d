//! [`Overrides`]: settings that variables of the environment give, such as
//! `HOTPIT_DESK_LIMITS_ORDER_COST` for `desk.limits.order_cost`.
//!
//! The name of each variable is made from a key of the default file, so that no name is ever taken
//! apart: which underscore parts sections is not guessed. What a variable holds becomes a line of
//! TOML, and is read as one.

use std::ffi::OsString;

use toml::Value;

use super::{DEFAULT_FILE, secrets};

/// How the names of our variables begin.
const PREFIX: &str = "HOTPIT_";

/// Settings that variables give. They win over the file.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    set: Vec<Override>,
    /// What is wrong with our variables, each with its name.
    pub(super) problems: Vec<String>,
}

#[derive(Debug)]
struct Override {
    variable: String,
    key: String,
    value: String,
}

/// A key of the file, and the variable that stands for it.
struct Known {
    variable: String,
    key: String,
    default: Value,
}

impl Overrides {
    /// Those of this process.
    pub(super) fn of_process() -> Self {
        Self::of(std::env::vars_os())
    }

    /// Those among `variables`. An empty one counts as not set.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let known = known();
        let mut overrides = Self::default();
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !secrets::is_secret(&name) && !value.is_empty())
                .then_some((name, value))
        });
        for (variable, value) in ours {
            match read(&known, &variable, value) {
                Ok((key, value)) => overrides.set.push(Override { variable, key, value }),
                Err(problem) => overrides.problems.push(format!("{variable}: {problem}")),
            }
        }
        overrides
    }

    /// The settings as TOML, one on a line.
    pub(super) fn text(&self) -> String {
        self.set.iter().map(|it| format!("{} = {}\n", it.key, it.value)).collect()
    }

    /// The variable behind a line of the text, counted from 1.
    pub(super) fn variable(&self, line: usize) -> String {
        self.set.get(line.saturating_sub(1)).map_or_else(String::new, |it| it.variable.clone())
    }

    /// The names of all that set something.
    pub(super) fn variables(self) -> Vec<String> {
        self.set.into_iter().map(|it| it.variable).collect()
    }

    /// Names the variable in each problem that begins with the key that it set.
    pub(super) fn blame(&self, problems: &mut [String]) {
        for problem in problems {
            let of = |it: &&Override| {
                let rest = problem.strip_prefix(it.key.as_str());
                rest.is_some_and(|rest| rest.starts_with([':', ' ']))
            };
            if let Some(found) = self.set.iter().find(of) {
                *problem = format!("{}: {problem}", found.variable);
            }
        }
    }
}

/// The key that a variable sets, and its value as TOML. What is wrong is told without the value:
/// it may be a secret that was put into the wrong variable.
fn read(known: &[Known], variable: &str, value: OsString) -> Result<(String, String), String> {
    let Some(known_as) = known.iter().find(|it| it.variable == variable) else {
        let alike = |it: &&Known| strsim::jaro_winkler(&it.variable, variable);
        let nearest = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        let nearest = nearest.map_or("", |it| &it.variable);
        return Err(format!("no such setting; the nearest is {nearest}"));
    };
    let text = value.into_string().map_err(|_| "not valid UTF-8".to_owned())?;
    let trimmed = text.trim();
    let value = match &known_as.default {
        // JSON's escapes are among those of TOML.
        Value::String(_) => serde_json::Value::from(text).to_string(),
        Value::Integer(example) => {
            let number: Result<i64, _> = trimmed.replace('_', "").parse();
            number.map_err(|_| format!("not a whole number, such as {example}"))?.to_string()
        }
        Value::Boolean(_) => {
            let flag: Result<bool, _> = trimmed.parse();
            flag.map_err(|_| "neither true nor false".to_owned())?.to_string()
        }
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            return Err(format!("set {} in the file: no variable can", known_as.key));
        }
    };
    Ok((known_as.key.clone(), value))
}

/// Every key of the default file with its variable.
fn known() -> Vec<Known> {
    fn below(prefix: &str, table: toml::Table, known: &mut Vec<Known>) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                Value::Table(inner) => below(&format!("{key}."), inner, known),
                default => {
                    let variable = variable_of(&key);
                    known.push(Known { variable, key, default });
                }
            }
        }
    }
    let mut known = vec![];
    // It is TOML: a test reads it.
    below("", DEFAULT_FILE.parse().unwrap_or_default(), &mut known);
    known
}

/// The variable of a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace(['.', '-'], "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStringExt;

    use super::super::{Config, Exchange, read};
    use super::*;

    fn config(file: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Config::read(file, "hotpit.toml", &Overrides::of(pairs))
    }

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        let known = known();
        let keys: BTreeSet<&str> = known.iter().map(|it| it.key.as_str()).collect();
        let all = read::keys_of::<Config>();
        let is_section = |key: &str| all.iter().any(|it| it.starts_with(&format!("{key}.")));
        // Keys under these are tickers: they stand in the file alone.
        let is_by_ticker = |key: &str| {
            ["series", "event", "market"].iter().any(|it| key == format!("desk.limits.{it}"))
        };
        for key in all.iter().filter(|key| !is_section(key) && !is_by_ticker(key)) {
            assert!(keys.contains(key.as_str()), "no variable sets `{key}`");
        }
        let variables: BTreeSet<&str> = known.iter().map(|it| it.variable.as_str()).collect();
        assert_eq!(variables.len(), known.len(), "two keys share a variable");
        for it in &known {
            assert!(
                matches!(it.default, Value::String(_) | Value::Integer(_) | Value::Boolean(_)),
                "no variable can set `{}`",
                it.key
            );
            assert!(!secrets::is_secret(&it.variable), "{} is a secret's", it.variable);
        }
    }

    #[test]
    fn each_key_can_be_set_to_its_default_by_its_variable() {
        for it in known() {
            let value = it.default.as_str().map_or_else(|| it.default.to_string(), str::to_owned);
            let read = config("", &[(&it.variable, &value)]);
            assert_eq!(read, Ok(Config::default()), "{}", it.variable);
        }
    }

    #[test]
    fn variables_win_over_the_file() {
        let file = "venue = \"kalshi\"\n[ops]\nbind = \"127.0.0.1:1\"\ntimeout_ms = 700\n";
        let variables = [
            ("HOTPIT_VENUE", "http://127.0.0.1:7117"),
            ("HOTPIT_LIVE", "true"),
            ("HOTPIT_OPS_BIND", "0.0.0.0:3000"),
            ("HOTPIT_AGENTS_BUDGET_BATCH_MS", " 1_5 "),
            ("HOTPIT_DESK_LIMITS_ORDER_COST", "12.50"),
            ("HOTPIT_STATE_FOLDER", "a \"quoted\"\nfolder"),
            ("HOTPIT_LOG_LEVEL", ""),
            ("PATH", "/bin"),
        ];
        let config = config(file, &variables).unwrap();
        assert!(matches!(config.venue, Exchange::At(_)) && config.live);
        assert_eq!(config.ops.bind.to_string(), "0.0.0.0:3000");
        assert_eq!(config.ops.timeout_ms, 700);
        assert_eq!(config.agents.budget.batch_ms, 15);
        assert_eq!(config.desk.limits.order_cost.to_string(), "12.500000");
        assert_eq!(config.state_folder.to_str(), Some("a \"quoted\"\nfolder"));
        assert_eq!(config.log.level, "info");
    }

    #[test]
    fn what_is_wrong_is_told_at_once_with_the_variable_and_without_the_value() {
        let variables = [
            ("HOTPIT_AGENTS_FOLDERS", "hunter2"),
            ("HOTPIT_OPS_TIMEOUT_MS", "hunter2"),
            ("HOTPIT_LIVE", "hunter2"),
            ("HOTPIT_OPS_BIND", "nowhere"),
            ("HOTPIT_AGENTS_WORKERS", "65"),
            ("HOTPIT_BUS_FLUSH_MS", "1"),
        ];
        let file = "[ops]\nprot = 1\n";
        let problems = config(file, &variables).unwrap_err();
        let starts = [
            "hotpit.toml line 2: ops.prot: unknown key",
            "HOTPIT_AGENTS_FOLDERS: no such setting; the nearest is HOTPIT_AGENTS_FOLDER",
            "HOTPIT_OPS_TIMEOUT_MS: not a whole number, such as 5000",
            "HOTPIT_LIVE: neither true nor false",
            "HOTPIT_OPS_BIND: ops.bind: ",
            "HOTPIT_AGENTS_WORKERS: agents.workers is 65",
            "HOTPIT_BUS_FLUSH_MS: bus.flush_ms: 1",
        ];
        assert_eq!(problems.len(), starts.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(starts) {
            assert!(problem.starts_with(start), "{problem} should start with {start}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_an_error() {
        let broken = OsString::from_vec(vec![0xff]);
        let overrides = Overrides::of([("HOTPIT_VENUE".into(), broken)]);
        assert_eq!(overrides.problems, ["HOTPIT_VENUE: not valid UTF-8"]);
    }

    #[test]
    fn the_pages_name_variables_that_exist() {
        let pages = [
            include_str!("../../../README.md"),
            include_str!("../../deploy/AGENTUITY.md"),
            include_str!("../../deploy/agentuity/start.sh"),
            include_str!("../../deploy/compose.yaml"),
            include_str!("../../../Dockerfile"),
        ];
        let known = known();
        for page in pages {
            let ends = |letter: char| !letter.is_ascii_uppercase() && letter != '_';
            for (at, _) in page.match_indices(PREFIX) {
                let name = page[at..].split(ends).next().unwrap_or_default();
                // A pattern such as HOTPIT_<SECTION>_<KEY>.
                let is_name = name != PREFIX;
                let is_known =
                    secrets::is_secret(name) || known.iter().any(|it| it.variable == name);
                assert!(!is_name || is_known, "{name}");
            }
        }
    }
}
