//! [`Clock`]: the time of day as a value that is passed around.

use std::time::{SystemTime, UNIX_EPOCH};

use hotpit_units::Timestamp;
use tokio::time::Instant;

/// Tells the time. Cheap to clone; whoever stamps an event has one.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

#[derive(Debug, Clone, Copy)]
enum Source {
    System,
    Simulated { start: Timestamp, origin: Instant },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` now and then moves with tokio's clock, which a test or a
    /// simulation pauses and advances.
    #[must_use]
    pub fn simulated(start: Timestamp) -> Self {
        Self(Source::Simulated { start, origin: Instant::now() })
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::System => {
                // A machine clock before 1970 is a broken machine; every limit that compares
                // times then sees the epoch, and refuses.
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::EPOCH + since_epoch
            }
            Source::Simulated { start, origin } => start + origin.elapsed(),
        }
    }
}
