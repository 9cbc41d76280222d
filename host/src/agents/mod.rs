//! Agents: wasm components that come, go and are replaced while the market is open.
//!
//! # The way of an event
//! [`Router`] puts what the cache changed into the mailbox of each agent that follows it. A
//! worker thread takes a batch, calls the component, and sends what it returned to the desk.
//!
//! # The way of a file
//! The watcher reads what was dropped into the folder, the [`loader`] checks and compiles it, the
//! supervisor starts it and puts it to work; `machine` decides what follows on what.
//!
//! # What never lives here
//! Sockets, orders, positions, risk. What an agent returns is an intent; the desk decides.
//!
//! # What this promises
//! - One thread at a time is in an agent's store, and a slow agent delays no other agent, nor the
//!   feed, nor the desk: another thread takes the others over.
//! - At most one batch of an agent is at the desk: until the desk has carried it out and told what
//!   became of it, the agent is not called, and its mailbox conflates. Who returns more actions in
//!   a second than its budget is at fault. So no agent crowds others, or the exchange's reports,
//!   out of the desk's inbox.
//! - Actions count only if the call that returned them returned. A store that saw a fault is
//!   dropped and never entered again.
//! - Over a swap no event is lost and none is seen twice; the old version goes on until the new
//!   one has started.
//! - An agent reaches nothing but `hotpit:agent/*`; a component that needs WASI gets one without
//!   files, sockets or environment, whose clock is the batch's and whose randomness is seeded.

mod batch;
mod bindings;
mod check;
mod code_cache;
pub mod contract;
mod convert;
pub mod engine;
mod entry;
mod facade;
pub mod fault;
mod folder;
#[cfg(test)]
#[path = "../../tests/support/guest.rs"]
mod guest_text;
mod host_state;
mod imports;
mod instance;
mod items;
mod jobs;
pub mod loader;
mod log;
mod machine;
mod mailbox;
pub mod options;
mod pace;
mod replay;
mod router;
mod run_queue;
mod scope;
pub mod settings;
mod state_files;
mod stats;
mod status;
mod supervisor;
mod timers;
pub mod version;
mod wasi;
mod watcher;
mod worker;

pub use check::{Checked, Trial, check};
pub use facade::{Agents, Resources, StartError};
pub use fault::Fault;
pub use loader::{Inspection, LoadError, component_of, inspect};
pub use replay::{Did, Replay};
pub use router::Router;
pub use settings::{Budget, Settings};
pub use status::{AgentState, AgentStatus};
pub use version::{Manifest, Parameter, Plan};
