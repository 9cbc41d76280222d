//! [`Files`]: the files of a recording on the disk, begun, rotated and deleted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotpit_units::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use zstd::stream::write::Encoder;

use super::line::{FORMAT, Head, Line};

/// zstd's own default: frames shrink to a tenth at about 200 MB/s.
const LEVEL: i32 = 3;

/// How the files of recordings begin.
const PREFIX: &str = "kalshi-";
/// How they end.
const SUFFIX: &str = ".jsonl.zst";

/// Where a recording goes, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder; made if it is missing.
    pub folder: PathBuf,
    /// How large a file gets, in bytes, before the next one begins.
    pub file_bytes_max: u64,
    /// How large all recordings in the folder together may get, in bytes; the oldest files are
    /// deleted.
    pub folder_bytes_max: u64,
    /// What the books are subscribed with.
    pub use_yes_price: bool,
    /// The address of the WebSocket.
    pub ws_url: String,
}

/// Why a recording ended by itself, or did not begin.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{path}: {cause}")]
pub struct RecordError {
    /// The file or folder.
    path: String,
    cause: Arc<io::Error>,
}

impl RecordError {
    pub(super) fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |cause| Self { path, cause: Arc::new(cause) }
    }
}

/// How far a recording is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Frames that were written.
    pub frames: u64,
    /// Frames that were left out because the disk was behind.
    pub lost: u64,
    /// Bytes on the disk, compressed, in files that this recording began.
    pub bytes: u64,
    /// Files begun.
    pub files: u64,
    /// Files deleted because the folder was full, those of earlier recordings included.
    pub deleted: u64,
    /// Why nothing is recorded any more.
    pub failed: Option<RecordError>,
}

/// The files of a recording, one of them open.
pub(super) struct Files {
    settings: Settings,
    head: Head,
    open: Option<Open>,
    /// What is known of each market and game: a file begins with it.
    pub(super) known: BTreeMap<(u8, Arc<str>), (Timestamp, Box<RawValue>)>,
    /// Bytes of the files that ended.
    ended_bytes: u64,
    pub(super) progress: Progress,
}

struct Open {
    path: PathBuf,
    encoder: Encoder<'static, Counted>,
}

impl Files {
    pub(super) fn new(settings: Settings, started: Timestamp) -> Self {
        let head = Head {
            format: FORMAT,
            started_ms: started.as_millis(),
            host: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Self {
            settings,
            head,
            open: None,
            known: BTreeMap::new(),
            ended_bytes: 0,
            progress: Progress::default(),
        }
    }

    /// Begins the next file, after making room for it.
    pub(super) fn begin(&mut self, now: Timestamp) -> Result<(), RecordError> {
        let folder = &self.settings.folder;
        fs::create_dir_all(folder).map_err(RecordError::of(folder))?;
        let room = self.settings.folder_bytes_max.saturating_sub(self.settings.file_bytes_max);
        self.progress.deleted += make_room(folder, room).map_err(RecordError::of(folder))?;
        let (path, file) = new_file(folder, now)?;
        let failed = |error| RecordError::of(&path)(error);
        let mut encoder = Encoder::new(Counted { file, bytes: 0 }, LEVEL).map_err(failed)?;
        let head = Line { recording: Some(self.head.clone()), ..Line::default() };
        write_line(&mut encoder, &head).map_err(failed)?;
        for (at, json) in self.known.values() {
            let received_ms = Some(at.as_millis());
            let line = Line { received_ms, message: Some(json), ..Line::default() };
            write_line(&mut encoder, &line).map_err(failed)?;
        }
        self.open = Some(Open { path, encoder });
        self.progress.files += 1;
        self.flush()
    }

    /// Writes a line, into the next file if this one is full.
    pub(super) fn write(&mut self, line: &Line<'_>, now: Timestamp) -> Result<(), RecordError> {
        if let Some(open) = &self.open
            && open.encoder.get_ref().bytes >= self.settings.file_bytes_max
        {
            self.end()?;
        }
        if self.open.is_none() {
            self.begin(now)?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let written = write_line(&mut open.encoder, line);
        written.map_err(RecordError::of(&open.path))
    }

    /// What was written reaches the system.
    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.encoder.flush().map_err(RecordError::of(&open.path))?;
        self.progress.bytes = self.ended_bytes + open.encoder.get_ref().bytes;
        Ok(())
    }

    /// Ends the open file, which then lies on the disk.
    pub(super) fn end(&mut self) -> Result<(), RecordError> {
        let Some(Open { path, encoder }) = self.open.take() else { return Ok(()) };
        let counted = encoder.finish().map_err(RecordError::of(&path))?;
        self.ended_bytes += counted.bytes;
        self.progress.bytes = self.ended_bytes;
        counted.file.sync_all().map_err(RecordError::of(&path))
    }
}

fn write_line(to: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

/// A file that knows how much was written to it.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file that was not there, named by the time so that names sort as they were begun.
fn new_file(folder: &Path, now: Timestamp) -> Result<(PathBuf, File), RecordError> {
    let mut millis = now.as_millis();
    loop {
        let path = folder.join(format!("{PREFIX}{}{SUFFIX}", stamp(millis)));
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => millis += 1,
            Err(error) => return Err(RecordError::of(&path)(error)),
        }
    }
}

/// A time as names of files have it: `20261127T134501.123Z`.
fn stamp(millis: u64) -> String {
    let time = i64::try_from(millis).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    let time = time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    time.strftime("%Y%m%dT%H%M%S%.3fZ").to_string()
}

/// Deletes the oldest recordings until those in the folder have at most `room` bytes. Returns how
/// many were deleted.
fn make_room(folder: &Path, room: u64) -> io::Result<u64> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours =
            name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_ours {
            files.push((name, entry.path(), entry.metadata()?.len()));
        }
    }
    files.sort_unstable();
    let mut total: u64 = files.iter().map(|(_, _, bytes)| bytes).sum();
    let mut deleted = 0;
    for (_, path, bytes) in files {
        if total <= room {
            break;
        }
        fs::remove_file(&path)?;
        tracing::info!(file = %path.display(), "deleted to make room for the recording");
        total = total.saturating_sub(bytes);
        deleted += 1;
    }
    Ok(deleted)
}
