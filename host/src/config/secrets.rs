//! Secrets: from a variable of the environment, or from the file that the variable of the same
//! name with `_FILE` names. Never from the configuration, and never shown.

use std::ffi::OsString;
use std::fmt;

/// The variable with the id of the API key.
pub(super) const KEY_ID: Source = Source { variable: "KALSHI_KEY_ID", file: "KALSHI_KEY_ID_FILE" };
/// The variable with the private key, as PEM.
pub(super) const PRIVATE_KEY: Source =
    Source { variable: "KALSHI_PRIVATE_KEY", file: "KALSHI_PRIVATE_KEY_FILE" };
/// The variable with the password of Redis, where its address has none.
pub(super) const REDIS_PASSWORD: Source =
    Source { variable: "HOTPIT_REDIS_PASSWORD", file: "HOTPIT_REDIS_PASSWORD_FILE" };
/// The variable with the headers of requests to the collector of traces.
pub(super) const TRACES_HEADERS: Source =
    Source { variable: "HOTPIT_TRACES_HEADERS", file: "HOTPIT_TRACES_HEADERS_FILE" };

/// A text that shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text from being shown.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a secret cannot be read. Says nothing of what a variable holds, not even of one that should
/// hold a path: somebody may have put the secret itself there.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A variable is not text.
    #[error("{0} is not valid UTF-8")]
    NotText(&'static str),
    /// It is not clear which one counts.
    #[error("{0} and {1} are both set: leave one of them out")]
    Both(&'static str, &'static str),
    /// The file cannot be read.
    #[error(
        "cannot read the file that {file} names: {cause}; {file} takes a path, {variable} the \
         secret itself"
    )]
    Unreadable {
        /// The variable that takes a path.
        file: &'static str,
        /// The variable that takes the secret.
        variable: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// Where a secret comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// The variable that holds it.
    pub(super) variable: &'static str,
    /// The variable that holds the path of a file with it.
    pub(super) file: &'static str,
}

impl Source {
    /// Reads it with the variables that `lookup` finds. A variable, or a file, with nothing in it
    /// counts as missing.
    pub(super) fn read(
        self,
        lookup: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Secret>, SecretError> {
        let set = |name: &'static str| {
            let value = lookup(name).map(OsString::into_string).transpose();
            let value = value.map_err(|_| SecretError::NotText(name))?;
            Ok(value.filter(|value| !value.trim().is_empty()))
        };
        let Self { variable, file } = self;
        let text = match (set(variable)?, set(file)?) {
            (Some(_), Some(_)) => return Err(SecretError::Both(variable, file)),
            (Some(text), None) => text,
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|cause| SecretError::Unreadable { file, variable, cause })?,
            (None, None) => return Ok(None),
        };
        // A file mostly ends with a line break that is no part of the secret.
        let text = text.trim_end_matches(['\r', '\n']);
        Ok((!text.trim().is_empty()).then(|| Secret::new(text.to_owned())))
    }
}

/// Whether a variable is one of a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let all = [KEY_ID, PRIVATE_KEY, REDIS_PASSWORD, TRACES_HEADERS];
    all.iter().any(|source| name == source.variable || name == source.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(variables: &[(&str, &str)]) -> Result<Option<Secret>, SecretError> {
        REDIS_PASSWORD.read(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn a_secret_comes_from_its_variable_or_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "from a file\r\n").unwrap();
        let file = path.to_str().unwrap();
        let read = |variables: &[(&str, &str)]| {
            password(variables).unwrap().map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read(&[("HOTPIT_REDIS_PASSWORD", "pass word")]).as_deref(), Some("pass word"));
        assert_eq!(read(&[("HOTPIT_REDIS_PASSWORD_FILE", file)]).as_deref(), Some("from a file"));
        let empty = [("HOTPIT_REDIS_PASSWORD", " "), ("HOTPIT_REDIS_PASSWORD_FILE", file)];
        assert_eq!(read(&empty).as_deref(), Some("from a file"));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(read(&[("HOTPIT_REDIS_PASSWORD_FILE", file)]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn both_at_once_are_refused() {
        let both = [("HOTPIT_REDIS_PASSWORD", "hunter2"), ("HOTPIT_REDIS_PASSWORD_FILE", "/x")];
        let error = password(&both).unwrap_err().to_string();
        assert_eq!(
            error,
            "HOTPIT_REDIS_PASSWORD and HOTPIT_REDIS_PASSWORD_FILE are both set: leave one of them \
             out"
        );
    }

    #[test]
    fn a_secret_in_the_place_of_a_path_is_not_repeated() {
        let error = password(&[("HOTPIT_REDIS_PASSWORD_FILE", "hunter2")]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.starts_with("cannot read the file that HOTPIT_REDIS_PASSWORD_FILE names: "));
        assert!(!text.contains("hunter2"), "{text}");
    }
}
