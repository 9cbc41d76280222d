//! Frames of Kalshi's WebSocket.
//!
//! Changes of books, which come most, have a reader of their own (`quick`). For all else one pass
//! over the text: the type stands before the body, so the body is read straight into
//! what it is. Where a peer writes the body first, the text is read twice. What is not known is
//! ignored (fields) or named (types); a body that cannot be read leaves the frame's number
//! readable, so that its loss is known. Source: Kalshi, AsyncAPI; `kalshi.md` of the project.
//!
//! What it promises: no bytes make it panic, and nothing is guessed: a frame without a price is
//! an error, never a frame with price zero.

mod body;
mod command;
pub mod fields;
mod frame;
mod quick;

pub use body::{
    Delta, EventCreated, EventFees, Failure, GroupUpdate, Leg, Lifecycle, LifecycleStep, NoScale,
    Position, Snapshot, Statistics, Trade,
};
pub use command::{Channel, Command, UpdateAction};
pub use frame::{Body, Frame, Header, WireError, parse, parse_in_full};

#[cfg(test)]
mod tests;
