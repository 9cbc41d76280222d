//! When the exchange is there: its status and its schedule. None of it needs a key.

use hotpit_units::Timestamp;
use serde::Deserialize;

use super::{CallError, Client, Query};
use crate::kalshi::http::Transport;
use crate::kalshi::wire::account::ExchangeStatus;
use crate::kalshi::wire::{or_default, rfc3339};

#[derive(Deserialize)]
struct ScheduleAnswer {
    schedule: Schedule,
}

#[derive(Deserialize)]
struct Schedule {
    #[serde(default, deserialize_with = "or_default")]
    maintenance_windows: Vec<MaintenanceWindow>,
}

#[derive(Deserialize)]
struct MaintenanceWindow {
    start_datetime: String,
    end_datetime: String,
}

impl<T: Transport> Client<T> {
    /// `GET /exchange/status`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn exchange_status(&self) -> Result<ExchangeStatus, CallError> {
        self.get("/exchange/status", &Query::new()).await
    }

    /// `GET /exchange/schedule`: the maintenance that is announced, as beginnings and ends. A
    /// window whose times cannot be read is left out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn maintenance(&self) -> Result<Vec<(Timestamp, Timestamp)>, CallError> {
        let answer: ScheduleAnswer = self.get("/exchange/schedule", &Query::new()).await?;
        let windows = answer.schedule.maintenance_windows.into_iter();
        let read = |window: MaintenanceWindow| {
            Some((rfc3339(&window.start_datetime)?, rfc3339(&window.end_datetime)?))
        };
        Ok(windows.filter_map(read).collect())
    }
}
