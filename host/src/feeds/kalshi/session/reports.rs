//! The way out for what may not be lost silently: reports to the desk, steps of markets to the
//! catalog. Both queues are bounded; the session never waits for them. What does not fit is
//! counted, and its reader is told that it must read anew.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::desk::{DeskSender, ToDesk};
use crate::feeds::kalshi::catalog::Step;
use crate::feeds::kalshi::stats::FeedStats;

/// Reports on our orders, and whether the desk can rely on them.
#[derive(Debug)]
pub(super) struct DeskLink {
    desk: DeskSender,
    stats: Arc<FeedStats>,
    /// The private channels are subscribed.
    is_up: bool,
    /// What the desk was told last.
    told_up: bool,
    /// Reports were lost since.
    lost: Option<String>,
}

impl DeskLink {
    pub(super) const fn new(desk: DeskSender, stats: Arc<FeedStats>) -> Self {
        Self { desk, stats, is_up: false, told_up: false, lost: None }
    }

    /// A report on one of our orders.
    pub(super) fn report(&mut self, report: ToDesk) {
        self.flush();
        if self.lost.is_some() {
            self.stats.desk_overflows.bump();
            return;
        }
        if let Err(TrySendError::Full(_)) = self.desk.try_send(report) {
            self.stats.desk_overflows.bump();
            tracing::error!("the desk's inbox is full: reports are left out, and read again later");
            self.lost = Some("the desk's inbox was full".to_owned());
        }
    }

    /// Reports may be missing.
    pub(super) fn lost(&mut self, reason: &str) {
        self.lost = Some(reason.to_owned());
        self.flush();
    }

    /// The private channels are subscribed.
    pub(super) fn connected(&mut self) {
        self.is_up = true;
        self.flush();
    }

    /// The private channels are gone.
    pub(super) fn disconnected(&mut self, reason: &str) {
        self.is_up = false;
        self.lost(reason);
    }

    /// Tells the desk what it has not been told yet, as far as its inbox has room.
    pub(super) fn flush(&mut self) {
        if let Some(reason) = self.lost.take()
            && self.told_up
        {
            if !self.tell(ToDesk::Disconnected { reason: reason.clone() }) {
                self.lost = Some(reason);
                return;
            }
            self.told_up = false;
        }
        if self.is_up && !self.told_up {
            self.told_up = self.tell(ToDesk::Connected);
        }
    }

    fn tell(&self, message: ToDesk) -> bool {
        !matches!(self.desk.try_send(message), Err(TrySendError::Full(_)))
    }
}

/// Steps of markets.
#[derive(Debug)]
pub(super) struct CatalogLink {
    catalog: Sender<Step>,
    stats: Arc<FeedStats>,
    is_behind: bool,
}

impl CatalogLink {
    pub(super) const fn new(catalog: Sender<Step>, stats: Arc<FeedStats>) -> Self {
        Self { catalog, stats, is_behind: false }
    }

    /// A step of a market or event.
    pub(super) fn step(&mut self, step: Step) {
        self.flush();
        if self.is_behind {
            self.stats.lifecycle_overflows.bump();
        } else if let Err(TrySendError::Full(_)) = self.catalog.try_send(step) {
            self.stats.lifecycle_overflows.bump();
            self.is_behind = true;
        }
    }

    /// Steps may be missing.
    pub(super) fn missed(&mut self) {
        self.is_behind = true;
        self.flush();
    }

    /// Tells the catalog that it must read anew, once its queue has room.
    pub(super) fn flush(&mut self) {
        if self.is_behind {
            self.is_behind =
                matches!(self.catalog.try_send(Step::Missed), Err(TrySendError::Full(_)));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    fn link(capacity: usize) -> (DeskLink, mpsc::Receiver<ToDesk>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (DeskLink::new(sender, Arc::default()), receiver)
    }

    fn told(receiver: &mut mpsc::Receiver<ToDesk>) -> Vec<&'static str> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|message| match message {
                ToDesk::Connected => "connected",
                ToDesk::Disconnected { .. } => "disconnected",
                _ => "report",
            })
            .collect()
    }

    fn report() -> ToDesk {
        ToDesk::AgentDown { agent: "a".into(), reason: String::new() }
    }

    #[test]
    fn the_desk_is_told_of_every_break_once() {
        let (mut link, mut inbox) = link(8);
        link.disconnected("never was");
        assert_eq!(told(&mut inbox), Vec::<&str>::new());
        link.connected();
        link.connected();
        link.report(report());
        link.disconnected("reset");
        link.disconnected("reset");
        link.connected();
        assert_eq!(told(&mut inbox), ["connected", "report", "disconnected", "connected"]);
    }

    #[test]
    fn a_lost_report_makes_the_desk_read_anew() {
        let (mut link, mut inbox) = link(8);
        link.connected();
        link.lost("unreadable");
        assert_eq!(told(&mut inbox), ["connected", "disconnected", "connected"]);
    }

    #[test]
    fn a_full_inbox_is_made_good_once_it_has_room() {
        let (mut link, mut inbox) = link(2);
        link.connected();
        link.report(report());
        link.report(report());
        link.report(report());
        assert_eq!(link.stats.desk_overflows.get(), 2);
        assert_eq!(told(&mut inbox), ["connected", "report"]);
        link.flush();
        assert_eq!(told(&mut inbox), ["disconnected", "connected"]);
        link.report(report());
        assert_eq!(told(&mut inbox), ["report"]);
    }

    #[test]
    fn a_catalog_that_was_behind_is_told_to_read_anew() {
        let (sender, mut steps) = mpsc::channel(1);
        let mut link = CatalogLink::new(sender, Arc::default());
        link.missed();
        link.missed();
        assert_eq!(link.stats.lifecycle_overflows.get(), 0);
        assert!(matches!(steps.try_recv(), Ok(Step::Missed)));
        link.flush();
        assert!(matches!(steps.try_recv(), Ok(Step::Missed)));
        link.flush();
        assert!(steps.try_recv().is_err());
    }
}
