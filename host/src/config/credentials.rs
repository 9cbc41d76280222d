//! [`Credentials`]: who we are to the exchange. From the environment, and nowhere else.

use std::ffi::OsString;

use super::secrets::{KEY_ID, PRIVATE_KEY, Secret, SecretError};

/// Who we are to the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the API key; not a secret.
    pub key_id: String,
    /// The private key as PEM: RSA (PKCS#1 or PKCS#8) or Ed25519 (PKCS#8).
    pub private_key: Secret,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Variables are missing.
    #[error(
        "{} not set: create an API key at the exchange and set {} and {} (the path of the key's \
         PEM file), or try everything without an account with `make run`",
        .0.join(" and "), KEY_ID.variable, PRIVATE_KEY.file
    )]
    Missing(Vec<String>),
    /// A variable, or the file that it names, cannot be read.
    #[error(transparent)]
    Unreadable(#[from] SecretError),
}

impl Credentials {
    /// Reads them from the process's environment.
    ///
    /// # Errors
    /// When a variable is missing, or the file that one names cannot be read.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads them from variables that `lookup` finds.
    fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, CredentialsError> {
        match (KEY_ID.read(&lookup)?, PRIVATE_KEY.read(&lookup)?) {
            (Some(key_id), Some(pem)) => Ok(Self {
                key_id: key_id.expose().trim().to_owned(),
                private_key: Secret::new(unfold(pem.expose())),
            }),
            (key_id, pem) => {
                let missing = [(key_id.is_none(), KEY_ID), (pem.is_none(), PRIVATE_KEY)];
                let missing = missing.into_iter().filter(|(is_missing, _)| *is_missing);
                let names = missing.map(|(_, it)| format!("{} (or {})", it.variable, it.file));
                Err(CredentialsError::Missing(names.collect()))
            }
        }
    }
}

/// Files of variables hold one line per variable, so a PEM in one often has `\n` for its line
/// breaks.
fn unfold(pem: &str) -> String {
    if pem.contains('\n') { pem.to_owned() } else { pem.replace("\\n", "\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(variables: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
        Credentials::from_variables(|wanted| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn a_secret_is_not_shown() {
        let variables = [("KALSHI_KEY_ID", "id"), ("KALSHI_PRIVATE_KEY", "-----BEGIN")];
        let found = credentials(&variables).unwrap();
        assert!(!format!("{found:?}").contains("BEGIN"));
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let text = credentials(&[("KALSHI_KEY_ID", " ")]).unwrap_err().to_string();
        assert!(
            text.starts_with(
                "KALSHI_KEY_ID (or KALSHI_KEY_ID_FILE) and KALSHI_PRIVATE_KEY (or \
                 KALSHI_PRIVATE_KEY_FILE) not set"
            ),
            "{text}"
        );
        let text = credentials(&[("KALSHI_KEY_ID", "id")]).unwrap_err().to_string();
        assert!(text.starts_with("KALSHI_PRIVATE_KEY (or KALSHI_PRIVATE_KEY_FILE) not set"));
    }

    #[test]
    fn a_key_comes_from_variables_or_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (id, pem) = (path("id", "an id\n"), path("key.pem", "from\na file\n"));
        let files = [("KALSHI_KEY_ID_FILE", &*id), ("KALSHI_PRIVATE_KEY_FILE", &*pem)];
        let found = credentials(&files).unwrap();
        assert_eq!((&*found.key_id, found.private_key.expose()), ("an id", "from\na file"));
        let variables = [("KALSHI_KEY_ID", "id"), ("KALSHI_PRIVATE_KEY", "a\\nb")];
        assert_eq!(credentials(&variables).unwrap().private_key.expose(), "a\nb");
    }

    #[test]
    fn two_keys_at_once_are_refused() {
        let variables = [
            ("KALSHI_KEY_ID", "id"),
            ("KALSHI_PRIVATE_KEY", "hunter2"),
            ("KALSHI_PRIVATE_KEY_FILE", "/a/key.pem"),
        ];
        let text = credentials(&variables).unwrap_err().to_string();
        assert!(text.starts_with("KALSHI_PRIVATE_KEY and KALSHI_PRIVATE_KEY_FILE are both set"));
    }
}
