//! Keys and request signatures.
//!
//! Kalshi signs `timestamp in ms + METHOD + path`, without separators, query, host or body, with
//! RSA-PSS (SHA-256, salt of 32 bytes) or Ed25519, and carries the result in three headers. The
//! WebSocket handshake is signed the same way. Source: Kalshi, API keys.
//!
//! What it promises: a key never shows in `Debug`, in a log or in an error.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hotpit_units::Timestamp;
use reqwest::header::{HeaderName, HeaderValue};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::http::Method;

/// The header with the id of the key.
pub const ACCESS_KEY: HeaderName = HeaderName::from_static("kalshi-access-key");
/// The header with the time of the signature, in milliseconds.
pub const ACCESS_TIMESTAMP: HeaderName = HeaderName::from_static("kalshi-access-timestamp");
/// The header with the signature, in base64.
pub const ACCESS_SIGNATURE: HeaderName = HeaderName::from_static("kalshi-access-signature");

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is not a private key in PEM form.
    #[error(
        "the private key is not PEM text: paste the whole key file, from `-----BEGIN` to `-----END`"
    )]
    NotPem,
    /// The key is of a kind that Kalshi does not take.
    #[error("the private key is neither RSA (2048 bits or more) nor Ed25519")]
    Unsupported,
    /// The id of the key cannot stand in a header.
    #[error("the key id has characters that cannot stand in a header")]
    KeyId,
    /// The cryptographic library gave up.
    #[error("the signature could not be made")]
    Signing,
}

/// A private key that signs requests.
pub struct Signer(Key);

enum Key {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Key::Rsa(_) => "Signer(RSA)",
            Key::Ed25519(_) => "Signer(Ed25519)",
        })
    }
}

impl Signer {
    /// Reads a private key from PEM text: RSA as PKCS#1 or PKCS#8, Ed25519 as PKCS#8. What kind
    /// it is, the parsed key says: PKCS#8 has one header for all. Where an environment variable
    /// has `\n` in place of line breaks, that is read as a line break.
    ///
    /// # Errors
    /// When the text is not PEM, or the key of another kind.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let unescaped;
        let pem = if pem.contains('\n') {
            pem
        } else {
            unescaped = pem.replace("\\n", "\n");
            &unescaped
        };
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NotPem)?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Key::Rsa).ok()
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map(Key::Ed25519)
                    .or_else(|_| RsaKeyPair::from_pkcs8(der).map(Key::Rsa))
                    .ok()
            }
            _ => None,
        };
        key.map(Self).ok_or(KeyError::Unsupported)
    }

    /// Whether a signature takes long enough (266 µs and more for RSA, 9 µs for Ed25519) that
    /// it does not belong on a thread that somebody waits for.
    #[must_use]
    pub const fn is_slow(&self) -> bool {
        matches!(self.0, Key::Rsa(_))
    }

    /// Signs a message; base64.
    ///
    /// # Errors
    /// When the cryptographic library gives up.
    pub fn sign(&self, message: &[u8]) -> Result<String, KeyError> {
        match &self.0 {
            Key::Ed25519(key) => Ok(STANDARD.encode(key.sign(message))),
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                Ok(STANDARD.encode(signature))
            }
        }
    }
}

/// A key with its id: who we are to Kalshi.
pub struct Credentials {
    key_id: HeaderValue,
    signer: Signer,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Credentials from the id that Kalshi gave the key, and the key.
    ///
    /// # Errors
    /// When the id cannot stand in a header.
    pub fn new(key_id: &str, signer: Signer) -> Result<Self, KeyError> {
        let mut key_id = HeaderValue::from_str(key_id.trim()).map_err(|_| KeyError::KeyId)?;
        if key_id.is_empty() {
            return Err(KeyError::KeyId);
        }
        key_id.set_sensitive(true);
        Ok(Self { key_id, signer })
    }

    /// The key.
    #[must_use]
    pub const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Signs a request: `path` from the root, without query.
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub fn sign(
        &self,
        now: Timestamp,
        method: Method,
        path: &str,
    ) -> Result<SignedHeaders, KeyError> {
        let timestamp = now.as_millis().to_string();
        let message = [timestamp.as_str(), method.as_str(), path].concat();
        let signature = self.signer.sign(message.as_bytes())?;
        let mut signature = HeaderValue::from_str(&signature).map_err(|_| KeyError::Signing)?;
        signature.set_sensitive(true);
        Ok(SignedHeaders {
            key_id: self.key_id.clone(),
            timestamp: HeaderValue::from_str(&timestamp).map_err(|_| KeyError::Signing)?,
            signature,
            signed_at: now,
        })
    }
}

/// The three headers of a signed request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SignedHeaders {
    key_id: HeaderValue,
    timestamp: HeaderValue,
    signature: HeaderValue,
    signed_at: Timestamp,
}

impl SignedHeaders {
    /// When the signature was made.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// The headers, by name.
    #[must_use]
    pub fn into_headers(self) -> [(HeaderName, HeaderValue); 3] {
        [
            (ACCESS_KEY, self.key_id),
            (ACCESS_TIMESTAMP, self.timestamp),
            (ACCESS_SIGNATURE, self.signature),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{ED25519, KeyPair, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
    }

    /// An Ed25519 key as text, with its public half.
    pub(crate) fn ed25519() -> (String, Vec<u8>) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let public = pair.public_key().as_ref().to_vec();
        (pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()), public)
    }

    fn rsa() -> (RsaKeyPair, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key().as_ref().to_vec();
        (pair, public)
    }

    /// The PKCS#1 key inside a PKCS#8 RSA key: its last field.
    fn pkcs1_of(pkcs8: &[u8]) -> &[u8] {
        let start = pkcs8.windows(4).skip(4).position(|at| at[..2] == [0x30, 0x82]).unwrap() + 4;
        &pkcs8[start..]
    }

    #[test]
    fn an_ed25519_signature_verifies() {
        let (text, public) = ed25519();
        let credentials = Credentials::new("id", Signer::from_pem(&text).unwrap()).unwrap();
        let signed = credentials
            .sign(Timestamp::from_millis(1_700_000_000_123), Method::Get, "/trade-api/ws/v2")
            .unwrap();
        let [(_, key), (_, timestamp), (_, signature)] = signed.into_headers();
        assert_eq!(key, "id");
        assert_eq!(timestamp, "1700000000123");
        UnparsedPublicKey::new(&ED25519, public)
            .verify(b"1700000000123GET/trade-api/ws/v2", &STANDARD.decode(signature).unwrap())
            .unwrap();
    }

    #[test]
    fn an_rsa_signature_verifies_from_both_forms_of_the_key() {
        let (pair, public) = rsa();
        let pkcs8 = pair.as_der().unwrap();
        let forms =
            [pem("PRIVATE KEY", pkcs8.as_ref()), pem("RSA PRIVATE KEY", pkcs1_of(pkcs8.as_ref()))];
        for form in forms {
            let signature = Signer::from_pem(&form).unwrap().sign(b"message").unwrap();
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &public)
                .verify(b"message", &STANDARD.decode(signature).unwrap())
                .unwrap();
        }
    }

    #[test]
    fn line_breaks_may_be_escaped() {
        let (text, _) = ed25519();
        assert!(Signer::from_pem(&text.replace('\n', "\\n")).is_ok());
    }

    #[test]
    fn what_is_not_a_key_is_refused_without_showing_it() {
        assert_eq!(Signer::from_pem("").unwrap_err(), KeyError::NotPem);
        assert_eq!(Signer::from_pem("secret").unwrap_err(), KeyError::NotPem);
        let junk = pem("PRIVATE KEY", b"not a key");
        assert_eq!(Signer::from_pem(&junk).unwrap_err(), KeyError::Unsupported);
        let (text, _) = ed25519();
        assert_eq!(
            Credentials::new("bad\nid", Signer::from_pem(&text).unwrap()).unwrap_err(),
            KeyError::KeyId
        );
    }

    #[test]
    fn debug_never_shows_the_key() {
        let (text, _) = ed25519();
        let credentials = Credentials::new("key-id", Signer::from_pem(&text).unwrap()).unwrap();
        let signed = credentials.sign(Timestamp::EPOCH, Method::Get, "/").unwrap();
        let shown = format!("{credentials:?} {signed:?}");
        assert!(shown.contains("Ed25519"));
        assert!(!shown.contains("key-id"), "{shown}");
        assert!(!shown.contains("=="), "{shown}");
    }
}
