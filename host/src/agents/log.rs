//! [`AgentLog`]: an agent's lines in the host's log: its name on each, cut, cleaned of control
//! characters, and never more than its rate.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hotpit_rt::Clock;
use tracing::{Level, debug, error, info, trace, warn};

use crate::model::AgentId;

/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 4_096;
/// How many last lines are kept for the report of a fault, and how long each.
const RECENT_LINES: usize = 5;
const RECENT_BYTES_MAX: usize = 200;

/// The log of one instance. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct AgentLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    agent: AgentId,
    clock: Clock,
    lines_per_second: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    second: u64,
    lines_in_second: u32,
    dropped_in_second: u64,
    dropped: u64,
    recent: VecDeque<String>,
    panic: Option<String>,
    /// What a component wrote to its standard output, up to the end of a line.
    unfinished: Vec<u8>,
}

impl AgentLog {
    pub(crate) fn new(agent: AgentId, clock: Clock, lines_per_second: u32) -> Self {
        Self(Arc::new(Inner { agent, clock, lines_per_second, state: Mutex::default() }))
    }

    /// Whether a line of this level would be kept now.
    pub(crate) fn enabled(&self, level: Level) -> bool {
        let kept = match level {
            Level::ERROR => tracing::enabled!(target: "agent", Level::ERROR),
            Level::WARN => tracing::enabled!(target: "agent", Level::WARN),
            Level::INFO => tracing::enabled!(target: "agent", Level::INFO),
            Level::DEBUG => tracing::enabled!(target: "agent", Level::DEBUG),
            Level::TRACE => tracing::enabled!(target: "agent", Level::TRACE),
        };
        if !kept {
            return false;
        }
        let state = self.state();
        state.second != self.0.clock.now().as_secs()
            || state.lines_in_second < self.0.lines_per_second
    }

    /// Writes a line.
    pub(crate) fn write(&self, level: Level, message: &str) {
        self.write_in(self.0.clock.now().as_secs(), level, message);
    }

    fn write_in(&self, second: u64, level: Level, message: &str) {
        let mut state = self.state();
        if state.second != second {
            let lines = std::mem::take(&mut state.dropped_in_second);
            state.second = second;
            state.lines_in_second = 0;
            if lines > 0 {
                warn!(target: "agent", agent = %self.0.agent, lines, "log lines dropped: too many a second");
            }
        }
        if state.lines_in_second >= self.0.lines_per_second {
            state.dropped_in_second += 1;
            state.dropped += 1;
            return;
        }
        state.lines_in_second += 1;
        let line = clean(message);
        if state.recent.len() == RECENT_LINES {
            state.recent.pop_front();
        }
        state.recent.push_back(cut(&line, RECENT_BYTES_MAX).to_owned());
        drop(state);
        let agent = &self.0.agent;
        match level {
            Level::ERROR => error!(target: "agent", %agent, "{line}"),
            Level::WARN => warn!(target: "agent", %agent, "{line}"),
            Level::INFO => info!(target: "agent", %agent, "{line}"),
            Level::DEBUG => debug!(target: "agent", %agent, "{line}"),
            Level::TRACE => trace!(target: "agent", %agent, "{line}"),
        }
    }

    /// Takes bytes of a standard stream; writes the lines that are complete.
    pub(crate) fn write_stream(&self, bytes: &[u8]) {
        let mut lines = vec![];
        {
            let mut state = self.state();
            for &byte in bytes {
                if byte != b'\n' && state.unfinished.len() < LINE_BYTES_MAX {
                    state.unfinished.push(byte);
                    continue;
                }
                lines.push(std::mem::take(&mut state.unfinished));
                if byte != b'\n' {
                    state.unfinished.push(byte);
                }
            }
        }
        for line in lines {
            self.write(Level::INFO, &String::from_utf8_lossy(&line));
        }
    }

    /// Keeps the message of a panic for the fault that follows.
    pub(crate) fn panicked(&self, message: &str) {
        self.state().panic = Some(clean(message));
    }

    /// Takes what was said of a panic since the last time.
    pub(crate) fn take_panic(&self) -> Option<String> {
        self.state().panic.take()
    }

    /// The last lines, oldest first.
    pub(crate) fn recent(&self) -> Vec<String> {
        self.state().recent.iter().cloned().collect()
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line without what could deceive or break a terminal, cut.
pub(crate) fn clean(message: &str) -> String {
    let message = cut(message.trim_end(), LINE_BYTES_MAX);
    if !message.contains(char::is_control) {
        return message.to_owned();
    }
    let mut line = String::with_capacity(message.len());
    for symbol in message.chars() {
        match symbol {
            '\t' => line.push(symbol),
            _ if symbol.is_control() => line.extend(symbol.escape_default()),
            _ => line.push(symbol),
        }
    }
    line
}

/// The text up to `bytes`, never within a character.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines_per_second: u32) -> AgentLog {
        AgentLog::new("a".into(), Clock::system(), lines_per_second)
    }

    #[test]
    fn lines_beyond_the_rate_are_counted_and_the_next_second_starts_anew() {
        let log = log(3);
        for _ in 0..10 {
            log.write_in(100, Level::INFO, "x");
        }
        assert_eq!((log.dropped(), log.recent().len()), (7, 3));
        log.write_in(101, Level::INFO, "y");
        assert_eq!((log.dropped(), log.recent().last().unwrap().as_str()), (7, "y"));
    }

    #[test]
    fn a_stream_becomes_lines() {
        let log = log(10);
        log.write_stream(b"one\ntw");
        log.write_stream(b"o\nthree");
        assert_eq!(log.recent(), ["one", "two"]);
    }

    #[test]
    fn a_line_is_cut_between_characters_and_has_no_control_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(clean("a\u{1b}[31mb\nc\td\n"), "a\\u{1b}[31mb\\nc\td");
        assert_eq!(clean(&"é".repeat(4_000)).len(), LINE_BYTES_MAX);
    }
}
