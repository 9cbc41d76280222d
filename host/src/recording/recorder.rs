//! [`Recorder`]: writes a recording on a thread of its own.
//!
//! What is recorded goes through a queue that is bounded in lines and in bytes. When the disk is
//! behind and it is full, frames are left out and counted, and the count is written in their
//! place. Every second what was written reaches the system, so that a kill costs a second.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hotpit_units::Timestamp;
use tokio::sync::watch;

use super::files::{Files, Progress, RecordError, Settings};
use super::line::Line;
use crate::bus::Message;
use crate::feeds::kalshi::Tap;

/// Lines that may wait for the disk.
const QUEUE_LINES_MAX: usize = 65_536;
/// Bytes of frames that may wait for the disk.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How often what was written reaches the system, and is told.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A recording that is being written.
#[derive(Debug)]
pub struct Recorder {
    tape: Arc<Tape>,
    progress: watch::Receiver<Progress>,
    thread: JoinHandle<()>,
}

/// Where connections put what comes.
#[derive(Debug)]
struct Tape {
    sender: SyncSender<Entry>,
    use_yes_price: bool,
    url: Arc<str>,
    /// The number of the last connection.
    connections: AtomicU32,
    queued_bytes: Arc<AtomicUsize>,
    /// Frames left out that were not told to the file yet.
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Opened { at: Timestamp, connection: u32 },
    Frame { at: Timestamp, connection: u32, text: String },
    Closed { at: Timestamp, connection: u32, reason: String },
    Message { at: Timestamp, message: Box<Message> },
    End,
}

impl Recorder {
    /// Begins a recording: its first file is there when this returns.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn start(settings: Settings, started: Timestamp) -> Result<Self, RecordError> {
        let (sender, queue) = sync_channel(QUEUE_LINES_MAX);
        let tape = Arc::new(Tape {
            sender,
            use_yes_price: settings.use_yes_price,
            url: settings.ws_url.as_str().into(),
            connections: AtomicU32::new(0),
            queued_bytes: Arc::default(),
            lost: Arc::default(),
        });
        let mut files = Files::new(settings, started);
        files.begin(started)?;
        let (told, progress) = watch::channel(files.progress.clone());
        let writer = Writer {
            files,
            queue,
            queued_bytes: Arc::clone(&tape.queued_bytes),
            lost: Arc::clone(&tape.lost),
            url: Arc::clone(&tape.url),
            use_yes_price: tape.use_yes_price,
            told,
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run())
            .map_err(RecordError::of(Path::new("the thread of the recorder")))?;
        Ok(Self { tape, progress, thread })
    }

    /// Where what feeds publish is noted, as far as no frame holds it: markets and games.
    #[must_use]
    pub fn notes(&self) -> Notes {
        Notes(Arc::clone(&self.tape))
    }

    /// Where connections put what comes.
    #[must_use]
    pub fn tap(&self) -> Arc<dyn Tap> {
        Arc::clone(&self.tape) as Arc<dyn Tap>
    }

    /// How far it is, as of the last second.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Writes what waits and ends the file. Blocks for as long as the disk takes.
    #[must_use]
    pub fn finish(self) -> Progress {
        // A writer that failed reads no more; then its reason stands in the progress.
        let _ = self.tape.sender.send(Entry::End);
        if self.thread.join().is_err() {
            tracing::error!("the thread of the recorder panicked");
        }
        self.progress.borrow().clone()
    }
}

/// Takes from what feeds publish what no frame of the WebSocket holds.
#[derive(Debug, Clone)]
pub struct Notes(Arc<Tape>);

impl Notes {
    /// Takes a message, if no frame holds it.
    pub fn note(&self, message: &Message, received: Timestamp) {
        match message {
            Message::Market(_) | Message::GameInfo(_) | Message::Game(_) => {
                let message = Box::new(message.clone());
                let entry = Entry::Message { at: received, message };
                if !self.0.put(entry) {
                    self.0.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            // They are made of frames, and those are recorded; or they say that all is as it was.
            Message::Snapshot(_)
            | Message::Delta(_)
            | Message::Stale(_)
            | Message::Trade(_)
            | Message::Statistics(_)
            | Message::BoardRead(_)
            | Message::Proof(_) => {}
        }
    }
}

impl Tap for Tape {
    fn opened(&self, now: Timestamp) -> u32 {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.put(Entry::Opened { at: now, connection });
        connection
    }

    fn frame(&self, connection: u32, text: &str, received: Timestamp) {
        let queued = self.queued_bytes.fetch_add(text.len(), Ordering::Relaxed);
        let is_full = queued.saturating_add(text.len()) > QUEUE_BYTES_MAX;
        let entry = || Entry::Frame { at: received, connection, text: text.to_owned() };
        if is_full || !self.put(entry()) {
            self.queued_bytes.fetch_sub(text.len(), Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn closed(&self, connection: u32, reason: &str, now: Timestamp) {
        self.put(Entry::Closed { at: now, connection, reason: reason.to_owned() });
    }
}

impl Tape {
    fn put(&self, entry: Entry) -> bool {
        self.sender.try_send(entry).is_ok()
    }
}

/// The thread that writes.
struct Writer {
    files: Files,
    queue: Receiver<Entry>,
    queued_bytes: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    url: Arc<str>,
    use_yes_price: bool,
    told: watch::Sender<Progress>,
}

impl Writer {
    fn run(mut self) {
        let result = self.serve().and_then(|()| self.files.end());
        self.files.progress.failed = result.err();
        self.told.send_replace(self.files.progress.clone());
    }

    /// Until the end, or an error.
    fn serve(&mut self) -> Result<(), RecordError> {
        let mut flushed = Instant::now();
        loop {
            let entry = self.queue.recv_timeout(FLUSH_EVERY.saturating_sub(flushed.elapsed()));
            match entry {
                Ok(Entry::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(entry) => self.write(&entry)?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if flushed.elapsed() >= FLUSH_EVERY {
                self.files.flush()?;
                self.told.send_replace(self.files.progress.clone());
                flushed = Instant::now();
            }
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<(), RecordError> {
        let (at, connection) = match entry {
            Entry::Opened { at, connection }
            | Entry::Frame { at, connection, .. }
            | Entry::Closed { at, connection, .. } => (*at, Some(*connection)),
            Entry::Message { at, message } => return self.note(message, *at),
            Entry::End => return Ok(()),
        };
        let received_ms = Some(at.as_millis());
        let bare = || Line { received_ms, connection, ..Line::default() };
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.files.progress.lost += lost;
            self.files.write(&Line { lost: Some(lost), ..bare() }, at)?;
        }
        let line = match entry {
            Entry::Opened { .. } => Line { opened: Some((&*self.url).into()), ..bare() },
            Entry::Frame { text, connection, .. } => {
                self.queued_bytes.fetch_sub(text.len(), Ordering::Relaxed);
                self.files.progress.frames += 1;
                Line::of_frame(at.as_millis(), *connection, self.use_yes_price, text)
            }
            Entry::Closed { reason, .. } => Line { closed: Some(reason.as_str().into()), ..bare() },
            Entry::Message { .. } | Entry::End => return Ok(()),
        };
        self.files.write(&line, at)
    }

    /// Writes down what is known of a market or a game now, here and in each file that follows.
    fn note(&mut self, message: &Message, at: Timestamp) -> Result<(), RecordError> {
        let Some(name) = subject(message) else { return Ok(()) };
        // Numbers, texts and lists: what cannot be written does not exist.
        let Ok(json) = serde_json::value::to_raw_value(message) else { return Ok(()) };
        let received_ms = Some(at.as_millis());
        self.files.write(&Line { received_ms, message: Some(&json), ..Line::default() }, at)?;
        self.files.known.insert(name, (at, json));
        Ok(())
    }
}

/// What a message tells of; the last one of each holds. Bounded by how many markets and games there
/// are.
fn subject(message: &Message) -> Option<(u8, Arc<str>)> {
    match message {
        Message::Market(market) => Some((0, Arc::clone(&market.ticker))),
        Message::GameInfo(info) => Some((1, Arc::clone(&info.espn_id))),
        Message::Game(game) => Some((2, Arc::clone(&game.espn_id))),
        Message::Snapshot(_)
        | Message::Delta(_)
        | Message::Stale(_)
        | Message::Trade(_)
        | Message::Statistics(_)
        | Message::BoardRead(_)
        | Message::Proof(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::read;
    use super::*;

    fn settings(folder: &Path) -> Settings {
        Settings {
            folder: folder.into(),
            file_bytes_max: 1 << 20,
            folder_bytes_max: 1 << 30,
            use_yes_price: true,
            ws_url: "ws://here".to_owned(),
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + millis)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn lines(path: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        read::lines(path, |line| lines.push(line.to_owned())).unwrap();
        lines
    }

    /// Text that does not shrink.
    fn noise(rng: &mut u64, bytes: usize) -> String {
        (0..bytes)
            .map(|_| {
                *rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'!' + u8::try_from((*rng >> 33) % 90).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_connection_is_recorded_from_opening_to_closing() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(settings(folder.path()), at(0)).unwrap();
        let tap = recorder.tap();
        let first = tap.opened(at(1));
        tap.frame(first, r#"{"type":"ok"}"#, at(2));
        tap.frame(first, "{\"type\":", at(3));
        tap.closed(first, "reset", at(4));
        assert_eq!(tap.opened(at(5)), 2);
        let progress = recorder.finish();
        assert!(progress.failed.is_none());
        assert_eq!((progress.frames, progress.lost, progress.files), (2, 0, 1));
        let [file] = &files(folder.path())[..] else { panic!() };
        assert_eq!(file.metadata().unwrap().len(), progress.bytes);
        let lines = lines(file);
        let started = at(0).as_millis();
        assert!(lines[0].starts_with(&format!(
            r#"{{"recording":{{"format":1,"started_ms":{started},"host":""#
        )));
        let expected = [
            r#"{"received_ms":1795000000001,"connection":1,"opened":"ws://here"}"#,
            r#"{"received_ms":1795000000002,"connection":1,"use_yes_price":true,"frame":{"type":"ok"}}"#,
            r#"{"received_ms":1795000000003,"connection":1,"use_yes_price":true,"text":"{\"type\":"}"#,
            r#"{"received_ms":1795000000004,"connection":1,"closed":"reset"}"#,
            r#"{"received_ms":1795000000005,"connection":2,"opened":"ws://here"}"#,
        ];
        assert_eq!(lines[1..], expected);
    }

    #[test]
    fn files_are_rotated_and_the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let old = folder.path().join("kalshi-20200101T000000.000Z.jsonl.zst");
        fs::write(&old, [0; 1_000]).unwrap();
        let bounds = Settings {
            file_bytes_max: 300_000,
            folder_bytes_max: 1_200_000,
            ..settings(folder.path())
        };
        let recorder = Recorder::start(bounds, at(0)).unwrap();
        assert!(old.exists());
        let tap = recorder.tap();
        let connection = tap.opened(at(1));
        let mut rng = 1;
        for number in 0..40 {
            tap.frame(connection, &format!("{number} {}", noise(&mut rng, 100_000)), at(number));
        }
        let progress = recorder.finish();
        assert_eq!((progress.frames, progress.lost), (40, 0));
        assert!(progress.files > 6 && progress.deleted > 2, "{progress:?}");
        assert!(!old.exists());
        assert!(folder.path().join("notes.txt").exists());
        let kept = files(folder.path());
        let total: u64 = kept.iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(total <= 1_300_000, "{total}");
        let last = kept.iter().rfind(|path| path.extension().is_some_and(|it| it == "zst"));
        assert!(lines(last.unwrap()).last().unwrap().contains(r#""text":"39 "#));
    }

    #[test]
    fn each_file_begins_with_what_is_known_of_markets_and_games() {
        let folder = tempfile::tempdir().unwrap();
        let bounds = Settings { file_bytes_max: 50_000, ..settings(folder.path()) };
        let recorder = Recorder::start(bounds, at(0)).unwrap();
        let game = |score| {
            let game = serde_json::json!({
                "type": "game", "espn_id": "401", "status": "in_progress", "period": 1,
                "clock_ms": 0, "home_score": score, "away_score": 0, "situation": null, "ts": 1,
            });
            serde_json::from_value::<Message>(game).unwrap()
        };
        let (tap, notes) = (recorder.tap(), recorder.notes());
        notes.note(&game(0), at(1));
        notes.note(&game(7), at(2));
        let stale = crate::bus::Stale { tickers: vec![], reason: String::new() };
        notes.note(&Message::Stale(stale), at(3));
        let connection = tap.opened(at(4));
        tap.frame(connection, &noise(&mut 1, 200_000), at(5));
        tap.frame(connection, "{}", at(6));
        assert_eq!(recorder.finish().files, 2);
        let files = files(folder.path());
        let scores = |file: &Path| -> Vec<String> {
            let mut scores = lines(file);
            scores.retain(|line| line.contains("\"message\""));
            scores
                .iter()
                .map(|line| line.split("home_score").nth(1).unwrap()[2..3].into())
                .collect()
        };
        assert_eq!(scores(&files[0]), ["0", "7"]);
        assert_eq!(scores(&files[1]), ["7"], "the last one of each");
    }

    #[test]
    fn what_the_disk_does_not_take_in_time_is_counted() {
        let (sender, queue) = sync_channel(2);
        let tape = Tape {
            sender,
            use_yes_price: true,
            url: "ws://here".into(),
            connections: AtomicU32::new(0),
            queued_bytes: Arc::default(),
            lost: Arc::default(),
        };
        for number in 0..5 {
            tape.frame(1, "{}", at(number));
        }
        assert_eq!(tape.lost.load(Ordering::Relaxed), 3);
        assert_eq!(tape.queued_bytes.load(Ordering::Relaxed), 4);
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(settings(folder.path()), at(0));
        let mut writer = Writer {
            files,
            queue,
            queued_bytes: Arc::clone(&tape.queued_bytes),
            lost: Arc::clone(&tape.lost),
            url: Arc::clone(&tape.url),
            use_yes_price: true,
            told: watch::channel(Progress::default()).0,
        };
        drop(tape);
        writer.serve().unwrap();
        writer.files.end().unwrap();
        assert_eq!((writer.files.progress.frames, writer.files.progress.lost), (2, 3));
        assert_eq!(writer.queued_bytes.load(Ordering::Relaxed), 0);
        let lines = lines(&super::tests::files(folder.path())[0]);
        assert!(lines[1].ends_with(r#""lost":3}"#), "{lines:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Recorder::start(settings(&file.join("recordings")), at(0)).unwrap_err();
        assert!(error.to_string().contains("file/recordings"), "{error}");
    }
}
