//! Starts the log of a run.

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};
use crate::ops::live::Screen;

/// Sends log lines to the screen from now on.
pub(super) fn start(settings: &LogSettings, screen: Screen) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&settings.level)?;
    let is_terminal = screen.is_terminal();
    let colors = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colors).with_writer(screen);
    match settings.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|error| anyhow!("cannot start the log: {error}"))
}
