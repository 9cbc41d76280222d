//! [`Tape`]: a run that records itself, if its configuration says so.

use std::sync::Arc;

use anyhow::Context;
use hotpit_rt::Clock;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::Account;
use crate::bus::{Bus, Message};
use crate::config::Config;
use crate::feeds::Publish;
use crate::feeds::kalshi::Tap;
use crate::recording::{Notes, Progress, Recorder, Settings};
use crate::units::Timestamp;

/// The recording of a run, or none.
pub(super) struct Tape(Option<Recorder>);

/// Where the feeds of a run publish: the bus, and what no frame holds also on the tape.
pub(super) struct Published {
    bus: Arc<Bus>,
    notes: Option<Notes>,
}

impl Publish for Published {
    fn publish(&self, message: Message, received: Timestamp) {
        if let Some(notes) = &self.notes {
            notes.note(&message, received);
        }
        self.bus.publish(message, received);
    }
}

impl Tape {
    /// Begins the recording that the configuration asks for.
    ///
    /// # Errors
    /// When its folder or first file cannot be made.
    pub(super) fn start(config: &Config, account: &Account, clock: Clock) -> anyhow::Result<Self> {
        let Some(folder) = config.recording.folder() else { return Ok(Self(None)) };
        let settings = Settings {
            folder: folder.to_owned(),
            file_bytes_max: config.recording.file_mib << 20,
            folder_bytes_max: config.recording.disk_mib << 20,
            use_yes_price: config.feeds.kalshi.use_yes_price,
            ws_url: account.client.settings().ws_url.clone(),
        };
        let recorder = Recorder::start(settings, clock.now()).context("cannot record the run")?;
        info!(folder = %folder.display(), "recording");
        tokio::spawn(tell_of_failure(recorder.progress()));
        Ok(Self(Some(recorder)))
    }

    pub(super) fn tap(&self) -> Option<Arc<dyn Tap>> {
        self.0.as_ref().map(Recorder::tap)
    }

    pub(super) fn before(&self, bus: &Arc<Bus>) -> Arc<Published> {
        let notes = self.0.as_ref().map(Recorder::notes);
        Arc::new(Published { bus: Arc::clone(bus), notes })
    }

    pub(super) fn progress(&self) -> Option<watch::Receiver<Progress>> {
        self.0.as_ref().map(Recorder::progress)
    }

    /// Writes what waits.
    pub(super) async fn finish(self) {
        let Some(recorder) = self.0 else { return };
        if tokio::task::spawn_blocking(move || recorder.finish()).await.is_err() {
            warn!("the recording did not end in order");
        }
    }
}

/// The run goes on without its recording, and says so once.
async fn tell_of_failure(mut progress: watch::Receiver<Progress>) {
    if let Ok(progress) = progress.wait_for(|progress| progress.failed.is_some()).await
        && let Some(error) = &progress.failed
    {
        error!(%error, "the recording ended by itself; the run goes on without it");
    }
}
