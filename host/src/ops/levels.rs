//! [`Levels`]: what the log shows, which an operator can change while the host runs.

use std::sync::OnceLock;

use tracing::info;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config::LogSettings;

/// Those of this process: it has one log, whoever writes to it.
static OF_PROCESS: OnceLock<Levels> = OnceLock::new();

/// The levels of a log.
#[derive(Debug)]
pub(crate) struct Levels(reload::Handle<EnvFilter, Registry>);

impl Levels {
    pub(crate) fn new(handle: reload::Handle<EnvFilter, Registry>) -> Self {
        Self(handle)
    }

    /// Makes them those of the process, for as long as it lives.
    pub(crate) fn keep(self) {
        // A process starts its log once, and a second start has failed before this.
        let _ = OF_PROCESS.set(self);
    }

    /// Those of the process.
    ///
    /// # Errors
    /// When it has no log.
    pub(super) fn of_process() -> Result<&'static Self, String> {
        OF_PROCESS.get().ok_or_else(|| "this process has no log".to_owned())
    }

    /// Shows from now on what `level` says, and tells it.
    ///
    /// # Errors
    /// When the log has ended.
    pub(super) fn change(&self, level: &str) -> Result<String, String> {
        let filter = LogSettings::filter(level)?;
        self.0.reload(filter).map_err(|error| error.to_string())?;
        info!(level, "the levels of the log are changed");
        Ok(level.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing::{Level, enabled};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn levels_are_changed_and_told_and_a_mistake_changes_nothing() {
        let (filter, handle) = reload::Layer::new(LogSettings::filter("info").unwrap());
        let levels = Levels::new(handle);
        with_default(tracing_subscriber::registry().with(filter), || {
            let is_shown = || {
                let desk = enabled!(target: "hotpit::desk", Level::DEBUG);
                let feeds = enabled!(target: "hotpit::feeds", Level::DEBUG);
                (desk, feeds)
            };
            assert_eq!(is_shown(), (false, false));
            let now = levels.change("info,hotpit::desk=debug").unwrap();
            assert!(now.contains("hotpit::desk=debug") && now.contains("info"), "{now}");
            assert_eq!(is_shown(), (true, false));
            let error = levels.change("=loud=").unwrap_err();
            assert!(error.contains("is not a filter such as"), "{error}");
            assert_eq!(is_shown(), (true, false));
        });
    }
}
