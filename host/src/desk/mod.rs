//! The desk: the one place where money moves.
//!
//! What lives here: the risk manager, the states of orders, who holds what, and the comparison
//! with the exchange. What never lives here: sockets, files, HTTP, wasm. The exchange is a
//! [`Venue`], the disk a [`Journal`], and the clock comes with every input.
//!
//! # Layout
//!
//! - [`Desk`] (`state`) takes an [`Input`] and gives [`Outputs`]; pure and synchronous.
//!   - `intents`: what agents want → [`risk`] → [`Request::Place`];
//!   - `reports`: what is heard of orders → [`table`] → new states; `fills` → `ledger`; `unmet`:
//!     orders that nobody here knows;
//!   - `sync`, `cash`, `settlement` and `reconcile`: the account as the exchange has it, compared and
//!     repaired;
//!   - `upkeep`: what is due; `losses`: who lost too much; `account`: what agents and people are told.
//! - `names`: the client order ids of this host, and the traces of its orders; `order_groups`: the breaker at the exchange.
//! - `ledger`, `holding`, `exposure`, `groups`, `loss`, [`fees`]: the arithmetic of money.
//! - [`record`]: what is written down before it acts.
//! - [`shell`] runs a desk: inbox in, journal first, then the exchange and the agents;
//!   `under_way`: what was asked of the exchange; `writer` keeps what the journal could not write; `views`: where it looks, and whom it tells.
//! - [`dry_run`]: an exchange that is only read.
//!
//! # Promises
//!
//! 1. No order is sent that the risk manager did not approve: [`Request::Place`] carries an
//!    [`Approved`](risk::Approved), which only the risk manager makes.
//! 2. No order is sent before its record is written.
//! 3. One intent is at most one order: it is sent once, and never again under another name.
//! 4. An order ends on the exchange's word alone. Until then, and while its outcome is unknown, it
//!    counts at its worst case.
//! 5. Fills are booked once, by their id, whatever came first and however often.
//! 6. Cancels always pass.

mod account;
mod agent_table;
mod cash;
mod clock_watch;
pub mod dry_run;
mod exposure;
pub mod fees;
mod fills;
mod groups;
mod holding;
pub mod inbox;
mod intents;
mod io;
mod ledger;
mod loss;
mod losses;
mod market_table;
mod names;
mod order_groups;
mod orders;
mod plausible;
mod pool;
mod recent;
mod reconcile;
pub mod record;
pub mod report;
mod reports;
pub mod risk;
mod settings;
mod settlement;
pub mod shell;
mod state;
mod sync;
pub mod table;
#[cfg(test)]
mod tests;
mod told;
mod under_way;
mod unmet;
mod upkeep;
pub mod venue;
mod views;
mod writer;

pub use dry_run::DryRun;
pub use inbox::{
    AgentLimits, CallTimes, Command, DeskSender, INBOX_CAPACITY, Leave, OnTrouble, Receipt, Taken,
    ToDesk,
};
pub use io::{ExchangeState, Heard, Input, Outputs, Request};
pub use loss::Equity;
pub use market_table::MarketView;
pub use names::{TraceId, is_our_form, run_nonce};
pub use orders::OrderKey;
pub use record::{Journal, JournalError, Record, Recovered};
pub use report::{OrderLine, PositionLine, ProfitLine, Report, ShardLine};
pub use risk::Limits;
pub use settings::{Settings, Timing};
pub use shell::run;
pub use state::Desk;
pub use venue::{
    AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, ReadError, Venue,
};
pub use views::{Notify, Step, Views};
