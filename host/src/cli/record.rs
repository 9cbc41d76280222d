//! `hotpit record`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use futures_util::FutureExt;

use super::logging;
use super::run::Signals;
use super::text;
use crate::app::{self, RecordOptions};
use crate::config::Config;
use crate::feeds::espn::{LEAGUES, LeagueFacts};
use crate::model::{League, Subscription};
use crate::ops::live::Screen;

/// Said when somebody does not wait for the end.
const INSISTED: &str = "ended at once: the last second is not in the recording";

/// What `hotpit record` is told.
#[derive(Debug, Clone, Args)]
pub(super) struct RecordArgs {
    /// The folder for the files
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A market to record; may be given more than once. Without any market, event, series and
    /// league: what the agents in the configured folder subscribe to
    #[arg(long = "market", value_name = "TICKER")]
    markets: Vec<String>,
    /// All markets of an event
    #[arg(long = "event", value_name = "TICKER")]
    events: Vec<String>,
    /// All open markets of a series
    #[arg(long = "series", value_name = "TICKER")]
    series: Vec<String>,
    /// All markets on the games of a league, such as nfl
    #[arg(long = "league", value_name = "LEAGUE")]
    leagues: Vec<String>,
    /// Record also what is said of your own orders, fills and positions: not for sharing
    #[arg(long)]
    account: bool,
    /// Begin a new file after this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    file_mib: u64,
    /// Keep at most this many MiB in the folder: the oldest files are deleted
    #[arg(long, value_name = "MIB", default_value_t = 8_192, value_parser = clap::value_parser!(u64).range(2..))]
    disk_mib: u64,
    /// End by itself after this time, such as 20s or 5m
    #[arg(long = "for", value_name = "TIME", value_parser = text::duration)]
    run_for: Option<Duration>,
}

/// Records, and prints its summary, always the last line.
pub(super) fn record(config: Config, args: RecordArgs) -> anyhow::Result<()> {
    ensure!(
        args.disk_mib >= 2 * args.file_mib,
        "--disk-mib must be at least twice --file-mib: a file is deleted whole"
    );
    let screen = Screen::stderr();
    logging::start(&config.log, screen.clone())?;
    let mut markets = args.markets()?;
    if markets.is_empty() {
        markets = app::markets_of_agents(&config)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let progress = runtime.block_on(async {
        let end = Signals::new(None)?.end(args.run_for, INSISTED).boxed();
        let options = RecordOptions {
            folder: args.folder,
            file_bytes_max: args.file_mib << 20,
            folder_bytes_max: args.disk_mib << 20,
            markets,
            account: args.account,
            screen,
            end,
        };
        app::record(config, options).await
    })?;
    text::print(&format!(
        "summary: frames={} lost={} bytes={} files={} deleted={}\n",
        progress.frames, progress.lost, progress.bytes, progress.files, progress.deleted
    ))
}

impl RecordArgs {
    fn markets(&self) -> anyhow::Result<BTreeSet<Subscription>> {
        let ticker = |text: &String| Arc::<str>::from(text.as_str());
        let mut markets: BTreeSet<_> =
            self.markets.iter().map(ticker).map(Subscription::Market).collect();
        markets.extend(self.events.iter().map(ticker).map(Subscription::Event));
        markets.extend(self.series.iter().map(ticker).map(Subscription::Series));
        for name in &self.leagues {
            let league = League(name.as_str().into());
            ensure!(
                LeagueFacts::find(&league).is_some(),
                "`{name}` is no league that is known; known are: {}",
                LEAGUES.map(|facts| facts.name).join(", ")
            );
            markets.insert(Subscription::League(league));
        }
        Ok(markets)
    }
}
