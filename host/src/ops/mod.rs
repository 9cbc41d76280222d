//! The operator's side of a running host: an HTTP port, metrics, the live view.
//!
//! - [`Source`] is all that this module knows of the rest: who can tell the [`Status`], and who
//!   can halt and resume.
//! - [`Server`] answers `/health`, `/status`, `/agents`, `/positions`, `/orders`, `/metrics`, takes
//!   `POST /halt`, `POST /resume` and `POST /log`, and has `/_health` and `/_idle` for platforms that run it.
//! - [`live`] shows the status on the terminal, or in the log where there is none.
//!
//! Nothing here decides anything about trading, and nothing here waits without a timeout: a desk
//! that does not answer is reported as just that.
//!
//! The port listens on loopback by default. What changes something needs the token of this run,
//! which only the user who started the host can read; on an address that other machines reach, so
//! does all but the health. A web page in a browser on this machine
//! can do neither: it does not have the token, and a request under any other name than this
//! machine's own is refused.

mod files;
mod guard;
mod levels;
pub mod live;
mod metrics;
mod server;
mod settings;
pub mod status;

use std::future::Future;

pub use files::{Endpoint, EndpointError};
pub(crate) use levels::Levels;
pub use server::{Bound, OpsError, Server};
pub(crate) use server::{Done, LogLevel, Order, Problem};
pub use settings::Settings;
pub use status::{AgentLine, AgentPhase, BooksLine, Counter, LeagueLine, Role, Status, Summary};

use crate::desk::record::Halted;
use crate::model::AgentId;

/// What the operator's side needs of the host.
pub trait Source: Send + Sync + 'static {
    /// How things stand. An error where the desk cannot tell (it has stopped).
    fn status(&self) -> impl Future<Output = Result<Status, String>> + Send;

    /// Stops new orders, or all but those that reduce a position, and cancels the working ones; of
    /// one agent, or of all.
    fn halt(
        &self,
        agent: Option<AgentId>,
        halted: Halted,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Accepts orders again; of one agent, or of all.
    fn resume(&self, agent: Option<AgentId>) -> impl Future<Output = Result<(), String>> + Send;
}
