//! [`OpenError`], and what SQLite's errors mean to the user.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the journal cannot be used. The host does not start then.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another host has it.
    #[error(
        "another hotpit{} is running on the journal {path}: stop it, or give this one a \
         state_folder of its own",
        pid.as_ref().map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The process that has it, if it said so.
        pid: Option<String>,
    },
    /// A newer version wrote it.
    #[error(
        "the journal {path} has version {found}, this hotpit knows versions up to {known}: start \
         the newer hotpit that wrote it"
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// It is some other program's database.
    #[error("{path} is a database, but no hotpit journal: move it, or set another state_folder")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The folder or the lock cannot be made.
    #[error("cannot use {path}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// SQLite refused.
    #[error("{0}")]
    Sqlite(String),
}

/// What an error of SQLite means, and what to do about it.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            format!("no space is left for {path}: free some, then restart or resume")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "{path} is damaged ({error}): move it away with its -wal file, and the host starts a \
             new one from the positions at the exchange"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
            "another program keeps {path} locked ({error}): end its transaction, such as one in a \
             sqlite3 shell"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("cannot write {path} ({error}): check its owner and permissions")
        }
        Some(ErrorCode::SystemIoFailure) => {
            format!("the disk failed on {path} ({error}): check the system's log")
        }
        _ => format!("{path}: {error}"),
    }
}
