//! placeholder
pub mod inbox;
pub mod record;
pub mod report;
pub mod venue;
pub use inbox::{AgentLimits, Command, DeskSender, INBOX_CAPACITY, ToDesk};
pub use record::{Journal, JournalError, Record, Recovered};
pub use report::{OrderLine, PositionLine, Report};
pub use venue::{
    AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, ReadError, Venue,
};
