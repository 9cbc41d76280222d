//! `hotpit run`.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use hotpit_rt::Parent;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{logging, text};
use crate::app::{self, RunOptions};
use crate::config::Config;
use crate::ops::live::Screen;

/// The exit code of a process that a second signal ended: 128 and the number of SIGINT.
const IMPATIENT: i32 = 130;

/// Said when somebody does not wait for the end.
const INSISTED: &str =
    "ended at once: orders may still work at the exchange, the next run finds them";

/// Runs the host and prints its summary, always the last line.
pub(super) fn run(
    config: Config,
    run_for: Option<Duration>,
    report: Option<&Path>,
    parent: Option<i32>,
) -> anyhow::Result<()> {
    let screen = Screen::stderr();
    logging::start(&config.log, screen.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let status: anyhow::Result<_> = runtime.block_on(async {
        let signals = Signals::new(parent)?;
        let end = signals.end(run_for, INSISTED).boxed();
        let result = app::run(config, RunOptions { screen: screen.clone(), end }).await;
        screen.clear();
        result
    });
    // What does not end, such as a desk that hangs, must not keep the process.
    runtime.shutdown_background();
    let status = status?;
    if let Some(path) = report {
        std::fs::write(path, serde_json::to_vec_pretty(&status)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    text::print(&format!("summary: {}\n", status.summary()))
}

/// What asks the process to end.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// The terminal is gone.
    hang_up: Signal,
    /// The process that must not be outlived.
    parent: Option<Parent>,
}

impl Signals {
    /// Listens from now on; also for the end of the parent, where its id is given.
    pub(super) fn new(parent: Option<i32>) -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        let watch = |id| Parent::watch(id).context("cannot listen for the end of the parent");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            parent: parent.map(watch).transpose()?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "terminated",
            _ = self.hang_up.recv() => "the terminal is gone",
        }
    }

    /// Completes with the first signal, when the parent is gone, or when the time is over. A signal
    /// after that does not wait any more: somebody insists, and is told what that means. Who ends a
    /// whole family of processes does not insist: of a signal and the parent's end, one is no more.
    pub(super) async fn end(
        mut self,
        run_for: Option<Duration>,
        insisted: &'static str,
    ) -> &'static str {
        let over = async {
            match run_for {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let mut parent = self.parent.take();
        let gone = async {
            match &mut parent {
                Some(parent) => parent.gone().await,
                None => std::future::pending().await,
            }
        };
        let (reason, signals_more) = tokio::select! {
            biased;
            reason = self.next() => (reason, 1),
            () = gone => ("the parent is gone", 2),
            () = over => ("the time is over", 1),
        };
        tokio::spawn(async move {
            for _ in 0..signals_more {
                self.next().await;
            }
            eprintln!("\n{insisted}");
            std::process::exit(IMPATIENT);
        });
        reason
    }
}
