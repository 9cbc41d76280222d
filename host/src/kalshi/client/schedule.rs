//! When the exchange is there: its status and its schedule. None of it needs a key.

use hotpit_units::Timestamp;
use serde::Deserialize;

use super::{CallError, Client, Query};
use crate::kalshi::http::{HttpTransport, Transport, TransportError};
use crate::kalshi::wire::account::ExchangeStatus;
use crate::kalshi::wire::{or_default, rfc3339};

#[derive(Deserialize)]
struct ScheduleAnswer {
    schedule: Schedule,
}

#[derive(Deserialize)]
pub(super) struct Schedule {
    #[serde(deserialize_with = "or_default")]
    standard_hours: Vec<WeeklySchedule>,
    #[serde(deserialize_with = "or_default")]
    maintenance_windows: Vec<MaintenanceWindow>,
}

/// Kalshi, `WeeklySchedule`.
#[derive(Deserialize)]
pub(super) struct WeeklySchedule {
    start_time: String,
    end_time: String,
    #[serde(deserialize_with = "or_default")]
    monday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    tuesday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    wednesday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    thursday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    friday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    saturday: Vec<Session>,
    #[serde(deserialize_with = "or_default")]
    sunday: Vec<Session>,
}

/// When trading is open over a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandardHours {
    /// From when these hours hold.
    pub from: Timestamp,
    /// Until when they hold.
    pub until: Timestamp,
    /// The sessions of each day, Monday first.
    pub days: [Vec<Session>; 7],
}

/// A time in which trading is open, in Eastern Time, as Kalshi writes it: `08:00`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// When it opens.
    pub open_time: String,
    /// When it closes.
    pub close_time: String,
}

impl WeeklySchedule {
    fn read(self) -> Option<StandardHours> {
        Some(StandardHours {
            from: rfc3339(&self.start_time)?,
            until: rfc3339(&self.end_time)?,
            days: [
                self.monday,
                self.tuesday,
                self.wednesday,
                self.thursday,
                self.friday,
                self.saturday,
                self.sunday,
            ],
        })
    }
}

#[derive(Deserialize)]
pub(super) struct MaintenanceWindow {
    start_datetime: String,
    end_datetime: String,
}

impl Client<HttpTransport> {
    /// The time that the exchange has, cut to the second; none if its answer does not say.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn exchange_date(&self) -> Result<Option<Timestamp>, TransportError> {
        let path = format!("{}/exchange/status", self.base);
        self.transport.date(&path, self.settings.read_timeout()).await
    }
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
        let windows = self.schedule().await?.maintenance_windows.into_iter();
        let read = |window: MaintenanceWindow| {
            Some((rfc3339(&window.start_datetime)?, rfc3339(&window.end_datetime)?))
        };
        Ok(windows.filter_map(read).collect())
    }

    /// `GET /exchange/schedule`: when trading is open. Hours whose times cannot be read are left
    /// out.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn standard_hours(&self) -> Result<Vec<StandardHours>, CallError> {
        let hours = self.schedule().await?.standard_hours.into_iter();
        Ok(hours.filter_map(WeeklySchedule::read).collect())
    }

    async fn schedule(&self) -> Result<Schedule, CallError> {
        let answer: ScheduleAnswer = self.get("/exchange/schedule", &Query::new()).await?;
        Ok(answer.schedule)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kalshi::client::tests::{Fake, client};

    #[tokio::test]
    async fn hours_and_maintenance_are_read() {
        let api = Arc::new(Fake::default());
        let day = r#"[{"open_time":"00:00","close_time":"24:00"}]"#;
        let schedule = format!(
            r#"{{"schedule":{{"standard_hours":[{{"start_time":"2026-01-01T05:00:00Z",
                "end_time":"2027-01-01T05:00:00Z","monday":{day},"tuesday":{day},
                "wednesday":{day},"thursday":[{{"open_time":"00:00","close_time":"03:00"}},
                {{"open_time":"05:00","close_time":"24:00"}}],"friday":{day},"saturday":null,
                "sunday":[]}}],"maintenance_windows":[
                {{"start_datetime":"2026-11-26T08:00:00Z","end_datetime":"2026-11-26T10:00:00Z"}},
                {{"start_datetime":"soon","end_datetime":"later"}}]}}}}"#
        );
        api.json("GET /exchange/schedule", &schedule);
        let client = client(&api);
        let [hours] = &client.standard_hours().await.unwrap()[..] else { panic!() };
        assert_eq!(Some(hours.from), rfc3339("2026-01-01T05:00:00Z"));
        assert_eq!(hours.days.each_ref().map(Vec::len), [1, 1, 1, 2, 1, 0, 0]);
        assert_eq!(hours.days[3][0].close_time, "03:00");
        let window = (rfc3339("2026-11-26T08:00:00Z"), rfc3339("2026-11-26T10:00:00Z"));
        let windows = client.maintenance().await.unwrap();
        assert_eq!(windows, [(window.0.unwrap(), window.1.unwrap())]);
    }
}
