//! Who is asking: the signature of a request, verified for real.
//!
//! A client signs `timestamp in ms + METHOD + path without query` with the private key whose
//! public half the exchange holds, and sends the key's id, the timestamp and the signature as
//! headers (Kalshi, "API keys"). Both of Kalshi's key types are accepted; the type comes from
//! the parsed key, never from the PEM label, because both have the same label in PKCS#8.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RsaKeyPair,
};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotpit_units::Timestamp;

/// The header with the id of the key.
pub const KEY_HEADER: &str = "kalshi-access-key";
/// The header with the time of signing, in milliseconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "kalshi-access-timestamp";
/// The header with the signature, in base64.
pub const SIGNATURE_HEADER: &str = "kalshi-access-signature";

/// Why a text is not a key that can verify.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text has no PEM block.
    #[error("no PEM block found in the key")]
    NotPem,
    /// The block's body is not base64.
    #[error("the PEM block of the key is not base64: {0}")]
    NotBase64(#[from] base64::DecodeError),
    /// The block holds something else than an RSA (2048 bits or more) or Ed25519 key.
    #[error(
        "a PEM block `{0}` that holds neither an RSA key of 2048 bits or more nor an Ed25519 key"
    )]
    Unsupported(String),
}

/// The public half of an account's key.
pub struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Reads a public key (`PUBLIC KEY`), or takes the public half of a private key
    /// (`PRIVATE KEY`, or `RSA PRIVATE KEY` as Kalshi's web page gives it).
    ///
    /// # Errors
    /// When the text is not the PEM of an RSA or Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (label, der) = decode_pem(text)?;
        let key = match label.as_str() {
            "PUBLIC KEY" => rsa(&der).or_else(|| ed25519(&der)),
            "PRIVATE KEY" => match RsaKeyPair::from_pkcs8(&der) {
                Ok(pair) => rsa(pair.public_key().as_ref()),
                Err(_) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
                    .ok()
                    .and_then(|pair| ed25519(pair.public_key().as_ref())),
            },
            "RSA PRIVATE KEY" => {
                RsaKeyPair::from_der(&der).ok().and_then(|pair| rsa(pair.public_key().as_ref()))
            }
            _ => None,
        };
        key.map(Self).ok_or(KeyError::Unsupported(label))
    }

    /// Whether `signature` was made over `message` with the private half of this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey")
    }
}

fn rsa(der: &[u8]) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, der).ok()
}

fn ed25519(der: &[u8]) -> Option<ParsedPublicKey> {
    ParsedPublicKey::new(&ED25519, der).ok()
}

/// The label and the bytes of the first PEM block of a text.
fn decode_pem(text: &str) -> Result<(String, Vec<u8>), KeyError> {
    let begin = text.find("-----BEGIN ").ok_or(KeyError::NotPem)?;
    let rest = &text[begin + "-----BEGIN ".len()..];
    let (label, rest) = rest.split_once("-----").ok_or(KeyError::NotPem)?;
    let (body, _) = rest.split_once("-----END ").ok_or(KeyError::NotPem)?;
    let body: String = body.split_whitespace().collect();
    Ok((label.to_owned(), BASE64.decode(body)?))
}

/// Why a request is not believed. The text of each is the `details` of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing or is not text.
    #[error("MISSING_HEADERS")]
    MissingHeaders,
    /// Nobody has a key with this id.
    #[error("NOT_FOUND")]
    UnknownKey,
    /// The timestamp is no number of milliseconds, or too far from the exchange's clock.
    #[error("INVALID_TIMESTAMP")]
    Timestamp,
    /// The signature does not belong to this key, timestamp, method and path.
    #[error("INCORRECT_API_KEY_SIGNATURE")]
    Signature,
}

/// The keys that the exchange knows.
#[derive(Debug)]
pub struct Keyring {
    keys: BTreeMap<String, VerifyingKey>,
    tolerance: Duration,
}

impl Keyring {
    /// An empty ring that believes timestamps up to `tolerance` away from the exchange's clock,
    /// on both sides.
    #[must_use]
    pub fn new(tolerance: Duration) -> Self {
        Self { keys: BTreeMap::new(), tolerance }
    }

    /// Adds a key, or replaces the one with the same id.
    pub fn insert(&mut self, key_id: impl Into<String>, key: VerifyingKey) {
        self.keys.insert(key_id.into(), key);
    }

    /// The id of the key that signed this request. `path` is the full path without its query.
    ///
    /// # Errors
    /// The reason why the request is not believed.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        method: &str,
        path: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(key_id), Some(stamp), Some(signature)) =
            (header(KEY_HEADER), header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER))
        else {
            return Err(Refusal::MissingHeaders);
        };
        let key = self.keys.get(key_id).ok_or(Refusal::UnknownKey)?;
        let signed_at: u64 = stamp.parse().map_err(|_| Refusal::Timestamp)?;
        let apart = Duration::from_millis(now.as_millis().abs_diff(signed_at));
        if apart > self.tolerance {
            return Err(Refusal::Timestamp);
        }
        let signature = BASE64.decode(signature).map_err(|_| Refusal::Signature)?;
        let message = format!("{stamp}{method}{path}");
        if !key.verifies(message.as_bytes(), &signature) {
            return Err(Refusal::Signature);
        }
        Ok(key_id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_no_key_are_refused_with_a_reason() {
        let cases = [
            ("", "no PEM block found in the key"),
            ("-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----", "not base64"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
                "`CERTIFICATE` that holds neither",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "`PUBLIC KEY` that holds neither",
            ),
        ];
        for (text, reason) in cases {
            let error = VerifyingKey::from_pem(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
