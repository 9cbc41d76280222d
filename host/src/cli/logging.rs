//! Starts the log of a run.

use anyhow::anyhow;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry, reload};

use crate::config::{LogFormat, LogSettings};
use crate::ops::Levels;
use crate::ops::live::Screen;

/// Sends log lines to the screen from now on.
pub(super) fn start(settings: &LogSettings, screen: Screen) -> anyhow::Result<()> {
    let filter = LogSettings::filter(&settings.level).map_err(|error| anyhow!("{error}"))?;
    let (filter, handle) = reload::Layer::new(filter);
    let is_terminal = screen.is_terminal();
    let colors = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_ansi(colors).with_writer(screen);
    match settings.format {
        LogFormat::Text => registry().with(filter).with(lines).try_init(),
        LogFormat::Json => {
            registry().with(filter).with(lines.json().flatten_event(true)).try_init()
        }
    }
    .map_err(|error| anyhow!("cannot start the log: {error}"))?;
    Levels::new(handle).keep();
    Ok(())
}
