//! [`Credentials`]: who we are to the exchange. From the environment, and nowhere else.

use std::fmt;
use std::path::PathBuf;

/// The variable with the id of the API key.
const KEY_ID: &str = "KALSHI_KEY_ID";
/// The variable with the private key itself, as PEM.
const PRIVATE_KEY: &str = "KALSHI_PRIVATE_KEY";
/// The variable with the path of a PEM file, read where [`PRIVATE_KEY`] is not set.
const PRIVATE_KEY_FILE: &str = "KALSHI_PRIVATE_KEY_FILE";

/// Who we are to the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The id of the API key; not a secret.
    pub key_id: String,
    /// The private key as PEM: RSA (PKCS#1 or PKCS#8) or Ed25519 (PKCS#8).
    pub private_key: Secret,
}

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

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Variables are missing.
    #[error(
        "{} not set: create an API key at the exchange and set {KEY_ID} and {PRIVATE_KEY_FILE} \
         (the path of the key's PEM file), or try everything without an account with `make run`",
        .0.join(" and ")
    )]
    Missing(Vec<String>),
    /// A variable is not text.
    #[error("{0} is not valid UTF-8")]
    NotText(&'static str),
    /// The PEM file cannot be read.
    #[error("cannot read {path}, which {PRIVATE_KEY_FILE} names: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl Credentials {
    /// Reads them from the process's environment.
    ///
    /// # Errors
    /// When a variable is missing, or the file that one names cannot be read.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_variables(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(CredentialsError::NotText(name)),
        })
    }

    /// Reads them from variables that `lookup` finds. An empty variable counts as missing.
    fn from_variables(
        lookup: impl Fn(&'static str) -> Result<Option<String>, CredentialsError>,
    ) -> Result<Self, CredentialsError> {
        let set = |name| Ok(lookup(name)?.filter(|value| !value.trim().is_empty()));
        let key_id = set(KEY_ID)?;
        let pem = match (set(PRIVATE_KEY)?, set(PRIVATE_KEY_FILE)?) {
            (Some(pem), _) => Some(unfold(&pem)),
            (None, Some(path)) => {
                let path = PathBuf::from(path);
                let read = std::fs::read_to_string(&path);
                Some(read.map_err(|cause| CredentialsError::Unreadable { path, cause })?)
            }
            (None, None) => None,
        };
        match (key_id, pem) {
            (Some(key_id), Some(pem)) => {
                Ok(Self { key_id: key_id.trim().to_owned(), private_key: Secret::new(pem) })
            }
            (key_id, pem) => {
                let key_id = key_id.is_none().then(|| KEY_ID.to_owned());
                let pem = pem.is_none().then(|| format!("{PRIVATE_KEY} (or {PRIVATE_KEY_FILE})"));
                Err(CredentialsError::Missing(key_id.into_iter().chain(pem).collect()))
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
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn a_secret_is_not_shown() {
        let found = credentials(&[(KEY_ID, "id"), (PRIVATE_KEY, "-----BEGIN")]).unwrap();
        assert!(!format!("{found:?}").contains("BEGIN"));
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let text = credentials(&[(KEY_ID, " ")]).unwrap_err().to_string();
        assert!(text.starts_with(
            "KALSHI_KEY_ID and KALSHI_PRIVATE_KEY (or KALSHI_PRIVATE_KEY_FILE) not set"
        ));
        let text = credentials(&[(KEY_ID, "id")]).unwrap_err().to_string();
        assert!(text.starts_with("KALSHI_PRIVATE_KEY (or KALSHI_PRIVATE_KEY_FILE) not set"));
    }

    #[test]
    fn a_key_comes_from_its_variable_or_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "from the file").unwrap();
        let file = path.to_str().unwrap();
        let key = |variables: &[(&str, &str)]| {
            credentials(variables).unwrap().private_key.expose().to_owned()
        };
        assert_eq!(key(&[(KEY_ID, "id"), (PRIVATE_KEY_FILE, file)]), "from the file");
        assert_eq!(
            key(&[(KEY_ID, "id"), (PRIVATE_KEY_FILE, file), (PRIVATE_KEY, "a\\nb")]),
            "a\nb"
        );
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = credentials(&[(KEY_ID, "id"), (PRIVATE_KEY_FILE, "/no/such.pem")]);
        assert!(error.unwrap_err().to_string().starts_with("cannot read /no/such.pem"));
    }
}
