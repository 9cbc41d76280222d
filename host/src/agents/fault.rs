//! [`Fault`]: what an agent did that ends its instance, in a line that its author can act on.

use std::fmt;

use wasmtime::{Trap, WasmBacktrace};

/// The most frames of a guest's backtrace that are kept: the innermost ones.
const FRAMES_MAX: usize = 12;

/// A function that the host calls in an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Making the instance, which runs the guest's own initialisation.
    Instantiate,
    /// `describe`.
    Describe,
    /// `start`.
    Start,
    /// `on-events`.
    OnEvents,
    /// `save`.
    Save,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Instantiate => "instantiation",
            Self::Describe => "describe",
            Self::Start => "start",
            Self::OnEvents => "on-events",
            Self::Save => "save",
        })
    }
}

/// Why an instance had to be dropped. Nothing that it returned or asked for in the call counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The agent panicked and said so.
    #[error("panic in {call}: {message}")]
    Panic {
        /// The call it happened in.
        call: Call,
        /// The panic's message.
        message: String,
        /// The guest's functions, innermost first.
        backtrace: Vec<String>,
    },
    /// The guest's code trapped.
    #[error("trap in {call}: {message}{}", at(.backtrace))]
    Trap {
        /// The call it happened in.
        call: Call,
        /// The runtime's word for the trap.
        message: String,
        /// The guest's functions, innermost first.
        backtrace: Vec<String>,
    },
    /// The call used more processor time than it may.
    #[error("{call} ran longer than {budget_ms} ms of processor time{}", at(.backtrace))]
    Deadline {
        /// The call.
        call: Call,
        /// What it may use.
        budget_ms: u64,
        /// The guest's functions, innermost first.
        backtrace: Vec<String>,
    },
    /// The guest asked for more memory than it may have.
    #[error("{call} asked for {} MiB of memory, the limit is {} MiB", .wanted >> 20, .limit >> 20)]
    Memory {
        /// The call.
        call: Call,
        /// What it would have had.
        wanted: u64,
        /// What it may have, in bytes.
        limit: u64,
    },
    /// More data was returned or passed to the host than it takes.
    #[error("{call} gave the host more than {limit} bytes at once")]
    TooLarge {
        /// The call.
        call: Call,
        /// What the host takes.
        limit: u64,
    },
    /// A batch returned more actions than it may.
    #[error("on-events returned {count} actions, the limit is {limit}")]
    TooManyActions {
        /// How many.
        count: u64,
        /// What it may return.
        limit: u64,
    },
    /// Its batches returned more actions within one second than they may.
    #[error("on-events returned more than {limit} actions in one second")]
    ActionRate {
        /// What it may return in a second.
        limit: u64,
    },
    /// The host itself panicked while it ran the agent: a defect of the host that this agent
    /// reached.
    #[error("the host panicked in {call}: {message}")]
    HostPanic {
        /// The call.
        call: Call,
        /// The panic's message.
        message: String,
    },
    /// The desk took no actions for too long; they were dropped.
    #[error("the desk took no actions for {waited_ms} ms: {dropped} actions dropped")]
    DeskStalled {
        /// How long they waited.
        waited_ms: u64,
        /// How many there were.
        dropped: u64,
    },
}

fn at(backtrace: &[String]) -> String {
    backtrace.first().map_or_else(String::new, |frame| format!(" (in {frame})"))
}

/// The memory limiter's refusal, which ends the call.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("memory limit: {wanted} of {limit} bytes")]
pub(crate) struct MemoryRefused {
    pub(crate) wanted: u64,
    pub(crate) limit: u64,
}

impl Fault {
    /// The name of the kind, for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Panic { .. } => "panic",
            Self::Trap { .. } => "trap",
            Self::Deadline { .. } => "deadline",
            Self::Memory { .. } => "memory",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyActions { .. } => "too_many_actions",
            Self::ActionRate { .. } => "action_rate",
            Self::HostPanic { .. } => "host_panic",
            Self::DeskStalled { .. } => "desk_stalled",
        }
    }

    /// The guest's functions where it happened, innermost first; empty where unknown.
    #[must_use]
    pub fn backtrace(&self) -> &[String] {
        match self {
            Self::Panic { backtrace, .. }
            | Self::Trap { backtrace, .. }
            | Self::Deadline { backtrace, .. } => backtrace,
            Self::Memory { .. }
            | Self::TooLarge { .. }
            | Self::TooManyActions { .. }
            | Self::ActionRate { .. }
            | Self::HostPanic { .. }
            | Self::DeskStalled { .. } => &[],
        }
    }

    /// The fault behind an error of the wasm runtime. `panic` is what the guest said of a panic
    /// during the call.
    pub(crate) fn from_error(
        error: &wasmtime::Error,
        call: Call,
        budget_ms: u64,
        bytes_max: usize,
        panic: Option<String>,
    ) -> Self {
        if let Some(refused) = error.downcast_ref::<MemoryRefused>() {
            return Self::Memory { call, wanted: refused.wanted, limit: refused.limit };
        }
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        if let Some(Trap::Interrupt) = error.downcast_ref::<Trap>() {
            return Self::Deadline { call, budget_ms, backtrace };
        }
        if let Some(message) = panic {
            return Self::Panic { call, message, backtrace };
        }
        let root = error.root_cause().to_string();
        // The runtime has no type for this one.
        if root.contains("too much data is being copied") {
            return Self::TooLarge { call, limit: u64::try_from(bytes_max).unwrap_or(u64::MAX) };
        }
        let message = match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => "stack overflow: endless recursion?".to_owned(),
            Some(trap) => trap.to_string().trim_start_matches("wasm trap: ").to_owned(),
            None => root,
        };
        Self::Trap { call, message, backtrace }
    }

    /// The fault of a host that panicked while it ran the agent.
    pub(crate) fn from_host_panic(payload: &(dyn std::any::Any + Send), call: Call) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::HostPanic { call, message }
    }
}

/// The names of the guest's functions. Those of the panic machinery tell the author nothing.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let is_machinery = |name: &str| {
        [
            "rust_panic",
            "rust_begin_unwind",
            "core::panicking",
            "std::panicking",
            "__rustc::",
            "abort",
        ]
        .iter()
        .any(|part| name.contains(part))
    };
    backtrace
        .frames()
        .iter()
        .map(|frame| {
            let symbol = frame.symbols().first();
            let place = symbol.and_then(|symbol| Some((symbol.file()?, symbol.line()?)));
            let name = symbol.and_then(|symbol| symbol.name()).or_else(|| frame.func_name());
            let name = name.unwrap_or("unnamed function");
            // Without the hash that tells builds apart.
            let name = format!("{:#}", rustc_demangle::demangle(name));
            match place {
                Some((file, line)) => format!("{name} at {file}:{line}"),
                None => name,
            }
        })
        .filter(|name| !is_machinery(name))
        .take(FRAMES_MAX)
        .collect()
}
