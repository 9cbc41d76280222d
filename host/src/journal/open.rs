//! Opens the database: the lock, the pragmas, the version.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use super::error::{OpenError, explain};
use super::settings::{Durability, Settings};

/// What makes the schema of each version out of the one before it. A released one never changes.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema-2.sql")];

/// `hotp`, in the header of the file: tells a journal from another program's database.
const APPLICATION_ID: i64 = 0x686f_7470;

/// How long a write waits for another program's transaction. Only a shell that holds one for
/// longer, against all custom, makes the desk stop.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The size of a page in a new database. Each commit writes the pages that it changed, whole: an
/// order changes four of them by a few hundred bytes, so small pages make it about a fifth faster.
const PAGE_BYTES: i64 = 2_048;

/// The writer checkpoints by itself only when the write-ahead log has this many pages (64 MiB):
/// normally [`Upkeep`](super::Upkeep) is there long before, on a thread of its own.
const WRITER_CHECKPOINT_PAGES: i64 = (64 << 20) / PAGE_BYTES;

/// How large the write-ahead log may stay on disk once it is empty, in bytes.
const WAL_KEPT_BYTES: i64 = 16 << 20;

/// A lock that holds as long as this value lives, and ends with the process, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is the open file")] File);

impl Lock {
    /// Takes the lock of a database.
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = lock_of(database);
        let io = |cause| OpenError::Io { path: path.clone(), cause };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).map_err(io)?;
                write!(file, "{}", std::process::id()).map_err(io)?;
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => Err(in_use(database, &file)),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}

/// The file that is locked for a database.
fn lock_of(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}.lock", database.display()))
}

/// That somebody else has the lock.
fn in_use(database: &Path, lock: &File) -> OpenError {
    let mut pid = String::new();
    // The owner may not have written it yet: then nobody is named.
    let _ = lock.take(20).read_to_string(&mut pid);
    OpenError::InUse { path: database.into(), pid: Some(pid).filter(|pid| !pid.is_empty()) }
}

/// Whether a host could open this journal, as far as that shows without making or changing
/// anything: nobody has it, and its files may be written. One that is not there yet could.
///
/// # Errors
/// What is in the way.
pub fn probe(database: &Path) -> Result<(), OpenError> {
    let open = |path: &Path| match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(OpenError::Io { path: path.into(), cause }),
    };
    open(database)?;
    let path = lock_of(database);
    let Some(file) = open(&path)? else { return Ok(()) };
    match file.try_lock_shared() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(database, &file)),
        Err(TryLockError::Error(cause)) => Err(OpenError::Io { path, cause }),
    }
}

/// Opens a database for writing and brings it to the latest version.
pub(super) fn open(path: &Path, settings: &Settings) -> Result<Connection, OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::Sqlite(explain(path, &error));
    let mut connection = connect(path, settings).map_err(sqlite)?;
    connection
        .pragma_update(None, "wal_autocheckpoint", WRITER_CHECKPOINT_PAGES)
        .map_err(sqlite)?;
    migrate(path, &mut connection)?;
    Ok(connection)
}

/// Opens a connection with the pragmas that all of ours have.
pub(super) fn connect(path: &Path, settings: &Settings) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // In this order: the size of pages cannot change any more once there is a write-ahead log,
    // and the other settings are of that log.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let synchronous = match settings.durability {
        Durability::Normal => "normal",
        Durability::Full => "full",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(connection)
}

/// Checks whose database this is, and runs the migrations that it lacks, all or none.
fn migrate(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let sqlite = |error: rusqlite::Error| OpenError::Sqlite(explain(path, &error));
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    let number = |pragma| {
        transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(sqlite)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(sqlite)?;
    let ours = application == APPLICATION_ID || (tables == 0 && application == 0 && version == 0);
    let Some(done) = usize::try_from(version).ok().filter(|_| ours) else {
        return Err(OpenError::Foreign { path: path.into() });
    };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(OpenError::TooNew { path: path.into(), found: version, known });
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration).map_err(sqlite)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", known).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}
