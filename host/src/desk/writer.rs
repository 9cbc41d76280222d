//! [`Writer`]: the journal, with what it could not write yet.
//!
//! A record says what *is* after it, so a later one must never be on disk without those before
//! it: a holding whose fill is not there would be booked a second time by the next run. What
//! fails is therefore kept and written first, in one transaction with what comes next, and what
//! is on disk is always the beginning of what happened, without a gap.

use std::time::Duration;

use hotpit_units::Timestamp;
use tracing::field::display;
use tracing::{debug, error, info, warn};

use super::names::TraceId;
use super::record::{Decision, Halted, Intent, Journal, JournalError, Record, RecoveredOrder};
use super::settings::retry_delay;
use crate::model::ClientOrderId;

/// How many records wait for a journal that does not write, at most: those of hours, as a halted
/// desk makes few. Those beyond it are not kept, and nothing is written after the gap.
const BACKLOG_MAX: usize = 50_000;

/// The first wait before a journal that failed is tried again, and the longest: a try costs the
/// time of the whole backlog.
const WRITE_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Why the journal does not write, and when it is tried again.
#[derive(Debug)]
struct Failure {
    reason: String,
    attempt: u32,
    retry_at: Timestamp,
}

/// Writes records in order, without a gap.
pub(super) struct Writer {
    journal: Box<dyn Journal>,
    /// What failed, oldest first.
    backlog: Vec<Record>,
    /// Records that came when the backlog was full.
    lost: u64,
    failure: Option<Failure>,
    backlog_max: usize,
}

impl Writer {
    pub(super) fn new(journal: Box<dyn Journal>) -> Self {
        Self { journal, backlog: Vec::new(), lost: 0, failure: None, backlog_max: BACKLOG_MAX }
    }

    /// Writes the records after those that wait, all or none. What is not written waits.
    ///
    /// # Errors
    /// When they are not on disk, with the reason.
    pub(super) fn append(&mut self, records: &[Record], now: Timestamp) -> Result<(), String> {
        if self.backlog.is_empty() && self.lost == 0 {
            return match self.journal.append(records) {
                Ok(()) => Ok(()),
                Err(error) => {
                    self.keep(records);
                    Err(self.failed(error.to_string(), now))
                }
            };
        }
        self.keep(records);
        self.write_if_due(now)
    }

    /// Keeps records that nothing was tried for: what follows from a failure.
    pub(super) fn keep(&mut self, records: &[Record]) {
        let room = match self.lost {
            0 => self.backlog_max.saturating_sub(self.backlog.len()),
            // After a gap nothing is written any more.
            _ => 0,
        };
        let kept = records.len().min(room);
        self.backlog.extend_from_slice(&records[..kept]);
        self.lost += u64::try_from(records.len() - kept).unwrap_or(u64::MAX);
    }

    /// Tries again, if something waits and its time has come.
    ///
    /// # Errors
    /// When something is not on disk, with the reason.
    pub(super) fn write_if_due(&mut self, now: Timestamp) -> Result<(), String> {
        match &self.failure {
            Some(failure) if now < failure.retry_at => Err(failure.reason.clone()),
            Some(_) | None => self.write_now(now),
        }
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// When something is not on disk, with the reason and what to do.
    pub(super) fn write_now(&mut self, now: Timestamp) -> Result<(), String> {
        if !self.backlog.is_empty() {
            if let Err(error) = self.journal.append(&self.backlog) {
                return Err(self.failed(error.to_string(), now));
            }
            info!(records = self.backlog.len(), "the journal writes again: what waited is on disk");
            self.backlog = Vec::new();
        }
        if self.lost > 0 {
            return Err(self.failed("records did not fit in memory any more".to_owned(), now));
        }
        self.failure = None;
        Ok(())
    }

    /// An order by our name for it, as far as it is on disk.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn find(
        &self,
        client_order_id: &ClientOrderId,
    ) -> Result<Option<RecoveredOrder>, JournalError> {
        self.journal.find(client_order_id)
    }

    /// Whether all that happened is on disk; tries once more.
    ///
    /// # Errors
    /// When it is not, with what to do about it.
    pub(super) fn must_be_whole(&mut self, now: Timestamp) -> Result<(), String> {
        self.write_now(now).map_err(|reason| match self.lost {
            0 => format!(
                "{reason}: {} records wait in memory and are written before orders are accepted \
                 again: make the journal writable (is the disk full?), then resume",
                self.backlog.len()
            ),
            lost => format!(
                "{reason}: {lost} records are lost, so this run accepts no orders any more: make \
                 the journal writable, then restart the host, which reads from the exchange what \
                 is not on disk"
            ),
        })
    }

    fn failed(&mut self, reason: String, now: Timestamp) -> String {
        let attempt = self.failure.as_ref().map_or(0, |failure| failure.attempt + 1);
        let retry_at = now + retry_delay(WRITE_RETRY.0, WRITE_RETRY.1, attempt);
        error!(
            reason,
            waiting = self.backlog.len(),
            lost = self.lost,
            "the journal does not write: no order is sent until it does"
        );
        self.failure = Some(Failure { reason: reason.clone(), attempt, retry_at });
        reason
    }
}

/// Tells the log what an operator should know.
pub(super) fn log(record: &Record) {
    match record {
        Record::Ready(ready) => match &ready.not_ready {
            None => info!("ready to trade"),
            Some(reason) => warn!(reason, "not ready to trade"),
        },
        Record::Halt(halt) => {
            let agent = halt.agent.as_ref().map_or("all", |agent| agent.as_str());
            match &halt.halted {
                Some(Halted { reducing, reason }) => warn!(agent, reducing, reason, "halted"),
                None => info!(agent, "resumed"),
            }
        }
        Record::Difference(found) => {
            let ticker = found.ticker.as_deref().unwrap_or_default();
            warn!(kind = %found.kind, ticker, detail = %found.detail, "the exchange differs");
        }
        Record::Holding(changed) => {
            info!(ticker = %changed.ticker, cause = ?changed.cause, "holding changed");
        }
        Record::Intent(_) | Record::Order(_) | Record::Fill(_) => log_order(record),
        Record::Started(_)
        | Record::Command(_)
        | Record::Equity(_)
        | Record::Group(_)
        | Record::Agent(_) => {}
    }
}

/// Tells the log of an order, with its trace, by which its spans and all its lines are found.
fn log_order(record: &Record) {
    let trace = |name: Option<&ClientOrderId>| name.and_then(TraceId::of).map(display);
    match record {
        Record::Intent(intent) => {
            let Intent { agent, order, side, price, quantity, .. } = intent;
            let ticker = intent.ticker.as_deref().unwrap_or_default();
            match &intent.decision {
                Decision::Approved { client_order_id, .. } => debug!(
                    trace_id = trace(Some(client_order_id)),
                    %client_order_id, %agent, order = order.0, ticker, side = side.as_str(),
                    %price, %quantity, "order approved"
                ),
                Decision::Denied { reason } => debug!(
                    %agent, order = order.0, ticker, side = side.as_str(), %price, %quantity,
                    reason, "order denied"
                ),
            }
        }
        Record::Order(event) => debug!(
            trace_id = trace(event.client_order_id.as_ref()),
            client_order_id = event.client_order_id.as_ref().map(display),
            venue_order_id = event.venue_order_id.as_ref().map(display),
            ticker = %event.ticker, event = %event.event, state = ?event.state,
            filled = %event.filled, reason = event.reason, "order heard of"
        ),
        Record::Fill(fill) => debug!(
            trace_id = trace(fill.client_order_id.as_ref()),
            client_order_id = fill.client_order_id.as_ref().map(display),
            venue_order_id = %fill.venue_order_id, fill_id = %fill.fill_id, ticker = %fill.ticker,
            side = fill.side.as_str(), price = %fill.price, quantity = %fill.quantity,
            fee = %fill.fee, "order filled"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::*;
    use crate::desk::record::{CommandGiven, Record};

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    /// What is on disk, one line for each transaction, and whether the disk takes more.
    #[derive(Clone, Default)]
    struct Disk {
        written: Rc<RefCell<Vec<String>>>,
        full: Rc<Cell<bool>>,
        tries: Rc<Cell<u32>>,
    }

    impl Journal for Disk {
        fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
            self.tries.set(self.tries.get() + 1);
            if self.full.get() {
                return Err(JournalError::Write { reason: "disk full".to_owned() });
            }
            let names: Vec<&str> = records
                .iter()
                .map(|record| match record {
                    Record::Command(given) => given.command.as_str(),
                    _ => "other",
                })
                .collect();
            self.written.borrow_mut().push(names.join(" "));
            Ok(())
        }

        fn find(&self, _: &ClientOrderId) -> Result<Option<RecoveredOrder>, JournalError> {
            Ok(None)
        }
    }

    fn record(name: &str) -> Record {
        Record::Command(CommandGiven { ts: NOW, agent: None, command: name.to_owned() })
    }

    fn later(millis: u64) -> Timestamp {
        NOW + Duration::from_millis(millis)
    }

    fn open() -> (Writer, Disk) {
        let disk = Disk::default();
        (Writer::new(Box::new(disk.clone())), disk)
    }

    #[test]
    fn what_failed_is_written_before_what_comes_next_in_one_transaction() {
        let (mut writer, disk) = open();
        writer.append(&[record("a")], NOW).unwrap();
        disk.full.set(true);
        writer.append(&[record("b"), record("c")], NOW).unwrap_err();
        disk.full.set(false);
        writer.append(&[record("d")], later(300)).unwrap();
        writer.append(&[record("e")], later(300)).unwrap();
        assert_eq!(*disk.written.borrow(), ["a", "b c d", "e"]);
    }

    #[test]
    fn a_disk_that_is_full_is_tried_ever_more_seldom_and_at_once_when_asked() {
        let (mut writer, disk) = open();
        disk.full.set(true);
        for millis in 0..5_000 {
            let reason = writer.append(&[record("x")], later(millis)).unwrap_err();
            assert_eq!(reason, "the journal cannot write: disk full");
        }
        assert_eq!(disk.tries.get(), 5, "at 0, 0.25, 0.75, 1.75 and 3.75 s");
        let error = writer.must_be_whole(later(5_000)).unwrap_err();
        assert!(error.contains("5000 records wait") && error.contains("then resume"), "{error}");
        disk.full.set(false);
        writer.must_be_whole(later(5_000)).unwrap();
        assert_eq!(disk.written.borrow().len(), 1);
    }

    #[test]
    fn beyond_the_bound_the_beginning_is_written_and_nothing_after_the_gap() {
        let (mut writer, disk) = open();
        writer.backlog_max = 3;
        disk.full.set(true);
        for name in ["a", "b"] {
            writer.append(&[record(name)], NOW).unwrap_err();
        }
        writer.append(&[record("c"), record("d")], NOW).unwrap_err();
        disk.full.set(false);
        let error = writer.must_be_whole(NOW).unwrap_err();
        assert!(error.contains("1 records are lost") && error.contains("restart"), "{error}");
        writer.append(&[record("e")], later(60_000)).unwrap_err();
        assert!(writer.must_be_whole(later(60_000)).is_err());
        assert_eq!(*disk.written.borrow(), ["a b c"]);
    }
}
