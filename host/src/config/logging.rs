//! [`LogSettings`]: what is logged, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// What is logged, and in which form. Section `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// The least important level that is logged, with exceptions for parts of the host, such as
    /// `info,hotpit::desk=debug`.
    pub level: String,
    /// Text for people, or one JSON object a line for programs.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

impl LogSettings {
    /// Adds what is wrong, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if let Err(error) = Self::filter(&self.level) {
            problems.push(format!("log.level: {error}"));
        }
    }

    /// What a level means.
    ///
    /// # Errors
    /// When it is none.
    pub fn filter(level: &str) -> Result<EnvFilter, String> {
        let filter = EnvFilter::builder().parse(level).map_err(|error| {
            format!("`{level}` is not a filter such as \"info,hotpit::desk=debug\": {error}")
        })?;
        // At more than this it shows whole requests, with the signature that opens the account.
        let quiet =
            "tungstenite::handshake::client=info".parse().map_err(|error| format!("{error}"))?;
        Ok(filter.add_directive(quiet))
    }
}
