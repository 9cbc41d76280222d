//! Lines in the host's log: [`error!`](crate::error), [`warn!`](crate::warn),
//! [`info!`](crate::info), [`debug!`](crate::debug), [`trace!`](crate::trace).
//!
//! Lines carry the agent's name; beyond the agent's rate the host counts and drops them. The
//! macros ask the host whether it wants a level before they format anything. In a native test
//! lines go to [`Harness::logs`](crate::testing::Harness::logs), and to stderr.
//!
//! ```
//! # use hotpit_agent::{log::Level, prelude::*, testing::*};
//! # #[derive(Default, serde::Serialize, serde::Deserialize)]
//! # struct Mine;
//! # impl Agent for Mine {
//! #     type Params = ();
//! fn on_quote(&mut self, _: &mut Context, quote: &Quote) {
//!     match quote.mid() {
//!         Some(mid) => debug!("the mid is {mid}"),
//!         None => warn!("a side is empty"),
//!     }
//! }
//! # }
//! # let mut harness = Harness::<Mine>::new().market("KX-1");
//! harness.book("KX-1", &[level(40, 10)], &[]);
//! assert_eq!(harness.logs(), [(Level::Warn, "a side is empty".into())]);
//! ```

use std::fmt;

/// How much a line matters.
///
/// ```
/// # use hotpit_agent::log::Level;
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, _: &mut Context, _: &Quote) {
/// #     info!("quoted");
/// #     warn!("the quote is old");
/// # }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.quote("KX-1", cents(40), cents(42)); // logs `info!` and `warn!`
/// let matters = |(level, _): &&(Level, String)| *level <= Level::Warn;
/// assert_eq!(harness.logs().iter().filter(matters).count(), 1);
/// ```
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
///
/// ```
/// use hotpit_agent::log::{self, Level};
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
///     let level = if update.state.is_refused() { Level::Warn } else { Level::Debug };
///     log::line(level, format_args!("order {} is {:?}", update.order.0, update.state));
/// }
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
/// # }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.reject(order, "insufficient_balance");
/// assert_eq!(harness.logs()[0].0, Level::Warn);
/// ```
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

    /// The lines of one call: a thread may have more than one harness.
    pub(crate) fn lines_of<T>(call: impl FnOnce() -> T) -> (T, Vec<(Level, String)>) {
        let others = LINES.take();
        let result = call();
        (result, LINES.replace(others))
    }
}

/// Logs that something is broken. Takes what [`format!`] takes.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_start(&mut self, ctx: &mut Context, _: bool) {
/// if ctx.market_id("KX-2").is_none() {
///     error!("cannot trade without market {}", "KX-2");
/// }
/// # }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// # harness.batch(&[]);
/// assert_eq!(harness.logs()[0].1, "cannot trade without market KX-2");
/// ```
#[macro_export]
macro_rules! error {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Error, ::core::format_args!($($argument)+)) };
}

/// Logs that something went wrong. Takes what [`format!`] takes.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_gap(&mut self, _: &mut Context, gap: &Gap) {
///     warn!("missed something: {:?}", gap.cause);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.gap(None);
/// assert_eq!(harness.logs()[0].1, "missed something: StreamBroke");
/// ```
#[macro_export]
macro_rules! warn {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Warn, ::core::format_args!($($argument)+)) };
}

/// Logs what is worth knowing. Takes what [`format!`] takes.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
/// # }
/// fn on_fill(&mut self, _: &mut Context, fill: &Fill) {
///     info!("{} {} at {}", fill.side, fill.quantity, fill.price);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.fill(order, contracts(5));
/// assert_eq!(harness.logs()[0].1, "bid 5.00 at 0.4000");
/// ```
#[macro_export]
macro_rules! info {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Info, ::core::format_args!($($argument)+)) };
}

/// Logs for whoever works on the agent. Takes what [`format!`] takes.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_quote(&mut self, _: &mut Context, quote: &Quote) {
///     let Some(mid) = quote.mid() else { return };
///     debug!("the mid is {mid}");
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.quote("KX-1", cents(40), cents(42));
/// assert_eq!(harness.logs()[0].1, "the mid is 0.4100");
/// ```
#[macro_export]
macro_rules! debug {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Debug, ::core::format_args!($($argument)+)) };
}

/// Logs everything. Takes what [`format!`] takes.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// fn on_events(&mut self, _: &mut Context, events: &[Event]) {
///     trace!("events: {}", events.len());
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// harness.quote("KX-1", cents(40), cents(42));
/// assert_eq!(harness.logs()[0].1, "events: 1");
/// ```
#[macro_export]
macro_rules! trace {
    ($($argument:tt)+) => { $crate::log::line($crate::log::Level::Trace, ::core::format_args!($($argument)+)) };
}
