//! Fresh key pairs for a first run and for tests.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hotpit_rt::Entropy;

use crate::core::Uuid;

/// The two kinds of key that Kalshi accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum KeyKind {
    /// Ed25519, what Kalshi's web page makes by default.
    #[default]
    Ed25519,
    /// RSA with 2048 bits, used with PSS and SHA-256.
    Rsa,
}

impl KeyKind {
    /// The kind as it stands in file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }
}

/// A key pair on disk and the id under which the exchange knows it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// What the client sends as `KALSHI-ACCESS-KEY`.
    pub key_id: String,
    /// The file with the private key: PKCS#8 in PEM, readable by its owner only.
    pub private_key: PathBuf,
    /// The file with the public key: SubjectPublicKeyInfo in PEM.
    pub public_key: PathBuf,
}

impl Credentials {
    /// The public key as text.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn public_key_pem(&self) -> io::Result<String> {
        fs::read_to_string(&self.public_key)
    }
}

/// Makes a fresh key pair in `dir`: `<kind>.pem`, `<kind>.pub.pem` and `<kind>.id`. What lies
/// there under these names is replaced.
///
/// # Errors
/// When the files cannot be written, or the machine gives no randomness.
pub fn generate_credentials(dir: &Path, kind: KeyKind) -> io::Result<Credentials> {
    fs::create_dir_all(dir)?;
    let (private, public) = match kind {
        KeyKind::Ed25519 => {
            let pair = Ed25519KeyPair::generate().map_err(io::Error::other)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(io::Error::other)?;
            let public: PublicKeyX509Der<'_> =
                pair.public_key().as_der().map_err(io::Error::other)?;
            (private.as_ref().to_vec(), public.as_ref().to_vec())
        }
        KeyKind::Rsa => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(io::Error::other)?;
            let public: PublicKeyX509Der<'_> =
                pair.public_key().as_der().map_err(io::Error::other)?;
            (private.as_ref().to_vec(), public.as_ref().to_vec())
        }
    };
    let credentials = Credentials {
        // The id is a name and no secret, but two exchanges must not share one.
        key_id: Uuid::random(&mut Entropy::os().rng("key id")).to_string(),
        ..at(dir, kind)
    };
    write_private(&credentials.private_key, &encode_pem("PRIVATE KEY", &private))?;
    fs::write(&credentials.public_key, encode_pem("PUBLIC KEY", &public))?;
    fs::write(id_file(dir, kind), format!("{}\n", credentials.key_id))?;
    Ok(credentials)
}

/// The key pair in `dir`, made first if there is none.
///
/// # Errors
/// When the files can be neither read nor written.
pub fn load_or_generate_credentials(dir: &Path, kind: KeyKind) -> io::Result<Credentials> {
    let credentials = at(dir, kind);
    let complete = credentials.private_key.is_file() && credentials.public_key.is_file();
    match fs::read_to_string(id_file(dir, kind)) {
        Ok(id) if complete => Ok(Credentials { key_id: id.trim().to_owned(), ..credentials }),
        _ => generate_credentials(dir, kind),
    }
}

fn at(dir: &Path, kind: KeyKind) -> Credentials {
    let name = kind.as_str();
    Credentials {
        key_id: String::new(),
        private_key: dir.join(format!("{name}.pem")),
        public_key: dir.join(format!("{name}.pub.pem")),
    }
}

fn id_file(dir: &Path, kind: KeyKind) -> PathBuf {
    dir.join(format!("{}.id", kind.as_str()))
}

fn encode_pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = more;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Writes a file that only its owner can read, from its first byte on.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
