//! The journal: every intent, decision, order event and fill, in one SQLite database.
//!
//! [`Store`] implements [`desk::Journal`](crate::desk::Journal): the records of one step of the
//! desk are one transaction, and it is on disk before a request that follows from it leaves the
//! host. [`Store::recover`] gives the next run what the desk has to know. What the records mean is
//! the desk's business (`desk::record`); this module only keeps them.
//!
//! # Promises
//! - All records of an `append` are there or none, whenever the process ends. With
//!   [`Durability::Full`] that holds for a power cut as well.
//! - One host at a time writes: a second one is told so ([`OpenError::InUse`]).
//! - The database stays within its bounds ([`Settings`]), and what the portfolio, open orders and
//!   the uniqueness of order numbers need is never deleted.
//! - It is readable while the host runs, with any `sqlite3`. "What happened to this order, and
//!   why" is a view:
//!
//! ```sql
//! SELECT time, event, state, detail FROM order_history WHERE client_order_id = '...';
//! ```
//!
//! # Layout
//! `schema.sql` (tables and views, each column explained), `open` (lock, version, pragmas),
//! `store` (append), `recover`, `retention` (what is deleted, and what never), `upkeep` (the
//! thread that keeps checkpoints and deletions away from the desk's).

mod error;
mod open;
mod recover;
mod retention;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod upkeep;
mod words;

pub use error::OpenError;
pub use open::probe;
pub use settings::{Durability, Settings};
pub use store::Store;
pub use upkeep::Upkeep;
