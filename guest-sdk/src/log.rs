//! Lines in the host's log: [`error!`](crate::error), [`warn!`](crate::warn),
//! [`info!`](crate::info), [`debug!`](crate::debug), [`trace!`](crate::trace).
//!
//! Lines carry the agent's name; beyond the agent's rate the host counts and drops them. The
//! macros ask the host whether it wants a level before they format anything. In a native test
//! lines go to [`Harness::logs`](crate::testing::Harness::logs), and to stderr.

use std::fmt;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Something is broken: an operator is needed.
    Error,
    /// Something went wrong and the agent went on.
    Warn,
    /// Something worth knowing happened.
    Info,
    /// For whoever works on the agent.
    Debug,
    /// Everything.
    Trace,
}

/// Writes a line if the host keeps lines of this level. What the macros call.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    if sink::enabled(level) {
        sink::write(level, &message.to_string());
    }
}

#[cfg(target_family = "wasm")]
use crate::wasm::log as sink;

#[cfg(not(target_family = "wasm"))]
pub(crate) mod sink {
    //! The log of a native test: a recorder per thread, because a test has its own.

    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn enabled(_: Level) -> bool {
        true
    }

    pub(super) fn write(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
        LINES.with_borrow_mut(|lines| lines.push((level, message.into())));
    }

    pub(crate) fn take() -> Vec<(Level, String)> {
        LINES.take()
    }
}

/// Logs that something is broken. Takes what [`format!`] takes.
#[macro_export]
macro_rules! error {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Error, ::core::format_args!($($argument)+)) };
}

/// Logs that something went wrong. Takes what [`format!`] takes.
#[macro_export]
macro_rules! warn {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Warn, ::core::format_args!($($argument)+)) };
}

/// Logs what is worth knowing. Takes what [`format!`] takes.
#[macro_export]
macro_rules! info {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Info, ::core::format_args!($($argument)+)) };
}

/// Logs for whoever works on the agent. Takes what [`format!`] takes.
#[macro_export]
macro_rules! debug {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Debug, ::core::format_args!($($argument)+)) };
}

/// Logs everything. Takes what [`format!`] takes.
#[macro_export]
macro_rules! trace {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Trace, ::core::format_args!($($argument)+)) };
}
