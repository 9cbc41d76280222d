//! The live view of `hotpit run`: one status line that is rewritten in place under the log, or,
//! without a terminal, a line in the log now and then.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};
use tracing_subscriber::fmt::MakeWriter;

use super::{AgentPhase, Role, Settings, Source, Status};
use crate::streams::StreamPhase;
use crate::units::Dollars;

/// How often the status line is rewritten.
const EVERY: Duration = Duration::from_secs(1);

/// Back to the start of the line, and clear it.
const CLEAR: &[u8] = b"\r\x1b[2K";
/// Cut a line at the right edge instead of wrapping it: a wrapped one cannot be rewritten.
const NO_WRAP: &[u8] = b"\x1b[?7l";
/// Wrap again.
const WRAP: &[u8] = b"\x1b[?7h";

/// Where log lines and the status line go, so that neither garbles the other. Cheap to clone.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Output>>);

struct Output {
    to: Box<dyn Write + Send>,
    is_terminal: bool,
    /// The status line that stands there now, without a line break.
    status: Option<String>,
}

impl Screen {
    /// Standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(Box::new(io::stderr()), io::stderr().is_terminal())
    }

    /// Any output.
    #[must_use]
    pub fn new(to: Box<dyn Write + Send>, is_terminal: bool) -> Self {
        Self(Arc::new(Mutex::new(Output { to, is_terminal, status: None })))
    }

    /// Whether a line can be rewritten in place.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.lock().is_terminal
    }

    /// Replaces the status line.
    pub fn show(&self, line: String) {
        let mut output = self.lock();
        output.status = Some(line);
        output.rewrite(b"");
    }

    /// Removes the status line.
    pub fn clear(&self) {
        let mut output = self.lock();
        if output.status.take().is_some() {
            output.rewrite(b"");
        }
    }

    /// A thread that panicked while it wrote has at worst left half a line.
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

impl Output {
    /// Writes `above` where the status line stands, and the status line under it.
    fn rewrite(&mut self, above: &[u8]) {
        let mut bytes = Vec::with_capacity(above.len() + 256);
        if self.is_terminal {
            bytes.extend_from_slice(CLEAR);
        }
        bytes.extend_from_slice(above);
        if let Some(status) = self.status.as_ref().filter(|_| self.is_terminal) {
            bytes.extend_from_slice(NO_WRAP);
            bytes.extend_from_slice(status.as_bytes());
            bytes.extend_from_slice(WRAP);
        }
        // A terminal that is gone is no reason to stop trading.
        let _ = self.to.write_all(&bytes).and_then(|()| self.to.flush());
    }
}

/// Writes one log line: `tracing_subscriber` formats a line whole and writes it once.
#[derive(Debug)]
pub struct LogLine(Screen);

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut output = self.0.lock();
        if output.status.is_some() {
            output.rewrite(line);
        } else {
            output.to.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().to.flush()
    }
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogLine;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine(self.clone())
    }
}

/// Shows how it goes until it is dropped or aborted.
pub async fn watch<S: Source>(screen: Screen, source: Arc<S>, settings: Settings) {
    let every = if screen.is_terminal() {
        EVERY
    } else if settings.status_log_seconds > 0 {
        Duration::from_secs(settings.status_log_seconds)
    } else {
        return;
    };
    let mut rate = Rate::default();
    loop {
        tokio::time::sleep(every).await;
        let status = match tokio::time::timeout(settings.timeout(), source.status()).await {
            Ok(Ok(status)) => status,
            Ok(Err(reason)) => {
                warn!(reason, "the desk does not tell how it stands");
                continue;
            }
            Err(_) => {
                warn!("the desk does not answer in time");
                continue;
            }
        };
        let events_per_second = rate.next(&status);
        if screen.is_terminal() {
            screen.show(status_line(&status, events_per_second));
        } else {
            log_status(&status, events_per_second);
        }
    }
}

/// Events per second between two looks.
#[derive(Debug, Default)]
struct Rate {
    last: Option<(hotpit_units::Timestamp, u64)>,
}

impl Rate {
    fn next(&mut self, status: &Status) -> u64 {
        let (since, before) =
            self.last.replace((status.now, status.events)).unwrap_or((status.started, 0));
        let millis = status.now.since(since).as_millis().max(1);
        let events = u128::from(status.events.saturating_sub(before));
        u64::try_from(events * 1_000 / millis).unwrap_or(u64::MAX)
    }
}

/// The state of the streams in a word: the worst of them.
fn stream_word(status: &Status) -> String {
    let worst = status.streams.iter().filter(|stream| stream.phase != StreamPhase::Up).max_by_key(
        |stream| match stream.phase {
            StreamPhase::Up => 0,
            StreamPhase::Stale => 1,
            StreamPhase::Connecting => 2,
            StreamPhase::Down => 3,
        },
    );
    worst.map_or_else(|| "streams up".into(), |line| format!("{} {}", line.name, line.phase))
}

fn running(status: &Status) -> usize {
    status.agents.iter().filter(|agent| agent.phase == AgentPhase::Running).count()
}

fn status_line(status: &Status, events_per_second: u64) -> String {
    if status.role == Role::Ingest {
        let streams = stream_word(status);
        let books = status.books.synced;
        return format!("publishing · {streams} · {events_per_second} events/s · {books} books");
    }
    let summary = status.summary();
    let state = match (&status.desk.halted, &status.desk.not_ready) {
        (Some(_), _) => "HALTED",
        (None, Some(_)) => "not ready",
        (None, None) if !status.sends_orders => "dry run",
        (None, None) => "trading",
    };
    let unknown = match status.desk.unknown {
        0 => String::new(),
        unknown => format!(" ({unknown} unknown)"),
    };
    let profit = match summary.unrealized {
        Some(unrealized) => {
            signed_cents(summary.realized.saturating_add(unrealized).saturating_sub(summary.fees))
        }
        None => "?".into(),
    };
    format!(
        "{state} · {} · {events_per_second} events/s · {} agents · {} working{unknown} · {} fills \
         · position {} · P&L {profit} after fees {}",
        stream_word(status),
        running(status),
        status.desk.working.len(),
        summary.fills,
        summary.position,
        cents(summary.fees),
    )
}

fn log_status(status: &Status, events_per_second: u64) {
    if status.role == Role::Ingest {
        let (streams, books) = (stream_word(status), status.books.synced);
        info!(events = status.events, events_per_second, streams, books, "status");
        return;
    }
    let summary = status.summary();
    info!(
        events = summary.events,
        events_per_second,
        streams = stream_word(status),
        agents = running(status),
        intents = summary.intents,
        denied = summary.denied,
        orders = summary.orders,
        working = status.desk.working.len(),
        unknown = status.desk.unknown,
        fills = summary.fills,
        position = %summary.position,
        realized = %summary.realized,
        unrealized = summary.unrealized.map(tracing::field::display),
        fees = %summary.fees,
        "status"
    );
}

/// An amount to the cent, cut.
fn cents(amount: Dollars) -> String {
    let cents = amount.raw().unsigned_abs() / 10_000;
    let sign = if amount.is_negative() && cents > 0 { "-" } else { "" };
    format!("{sign}${}.{:02}", cents / 100, cents % 100)
}

/// An amount to the cent, cut, with a sign for gains too.
fn signed_cents(amount: Dollars) -> String {
    let text = cents(amount);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    /// An output that the test can read.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Paper {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn a_log_line_goes_above_the_status_line() {
        let paper = Paper::default();
        let screen = Screen::new(Box::new(paper.clone()), true);
        screen.show("one".into());
        screen.make_writer().write_all(b"log\n").unwrap();
        screen.clear();
        screen.make_writer().write_all(b"end\n").unwrap();
        let one = "\x1b[?7lone\x1b[?7h";
        let expected = format!("\r\x1b[2K{one}\r\x1b[2Klog\n{one}\r\x1b[2Kend\n");
        assert_eq!(paper.text(), expected);
    }

    #[test]
    fn without_a_terminal_only_log_lines_are_written() {
        let paper = Paper::default();
        let screen = Screen::new(Box::new(paper.clone()), false);
        screen.show("one".into());
        screen.make_writer().write_all(b"log\n").unwrap();
        screen.clear();
        assert_eq!(paper.text(), "log\n");
    }

    #[test]
    fn the_status_line_says_how_it_goes() {
        let mut status = Status {
            sends_orders: true,
            started: Timestamp::from_secs(10),
            now: Timestamp::from_secs(12),
            events: 5_000,
            ..Status::default()
        };
        let mut rate = Rate::default();
        assert_eq!(rate.next(&status), 2_500);
        status.now = Timestamp::from_secs(13);
        status.events = 5_600;
        assert_eq!(rate.next(&status), 600);
        status.desk.realized = Dollars::from_raw(2_000_000);
        status.desk.unrealized = Some(Dollars::from_raw(-3_456_789));
        status.desk.fees = Dollars::from_raw(70_000);
        assert_eq!(
            status_line(&status, 600),
            "trading · streams up · 600 events/s · 0 agents · 0 working · 0 fills · position 0.00 \
             · P&L -$1.52 after fees $0.07"
        );
        status.desk.halted = Some("lunch".into());
        status.desk.unrealized = None;
        assert!(status_line(&status, 0).starts_with("HALTED · "));
        assert!(status_line(&status, 0).contains("P&L ? after"));
        // One that takes in the feeds for others has no desk to speak of.
        let mut ingest = Status { role: Role::Ingest, ..Status::default() };
        ingest.books.synced = 3;
        assert_eq!(status_line(&ingest, 9), "publishing · streams up · 9 events/s · 3 books");
    }

    #[test]
    fn a_loss_below_a_cent_has_no_sign() {
        assert_eq!(cents(Dollars::from_raw(-9_999)), "$0.00");
        assert_eq!(signed_cents(Dollars::from_raw(10_000)), "+$0.01");
    }
}
