//! stub
use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::cli::CheckReport;
use crate::config::Config;
use crate::ops::Status;
use crate::ops::live::Screen;

/// What a run gets besides its configuration.
pub struct RunOptions {
    /// Where the status line goes.
    pub screen: Screen,
    /// Completes when the run shall end, with why.
    pub end: BoxFuture<'static, &'static str>,
}

/// Runs the host until `options.end`, ends it in order, and tells how it stands then.
///
/// # Errors
/// When the host cannot start, or cannot end in order.
pub async fn run(_config: Config, options: RunOptions) -> anyhow::Result<Status> {
    tracing::info!("stub");
    options.screen.show("status line".into());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let reason = options.end.await;
    tracing::info!(reason, "ending");
    options.screen.clear();
    Ok(Status::default())
}

/// Looks at a file as the host would load it.
///
/// # Errors
/// When it is no agent, with why.
pub fn check(_config: &Config, _file: &Path) -> anyhow::Result<CheckReport> {
    anyhow::bail!("stub")
}
