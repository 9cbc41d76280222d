//! [`Inspection`]: what is in a recording, read as the host reads it.

mod books;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use books::Books;

use super::connections::Connections;
use super::line::{Head, Later, Line};
use super::read::{self, End};
use crate::feeds::kalshi::sequence::Order;
use crate::feeds::kalshi::wire::{Body, Frame, Header, NoScale, WireError, fields, parse};

/// How many different things of one kind are told apart; what comes beyond counts as `…`.
const KINDS_MAX: usize = 1_000;
/// How many losses are told one by one.
const LOSSES_MAX: usize = 100;

/// What is in a recording.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Frames.
    pub frames: u64,
    /// When the first frame came, in ms since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<u64>,
    /// When the last frame came, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ms: Option<u64>,
    /// Connections that frames came over.
    pub connections: u64,
    /// Frames of each type.
    pub types: BTreeMap<String, u64>,
    /// Frames missing in a subscription's numbers.
    pub missing: u64,
    /// Where they are missing: the first of them.
    pub gaps: Vec<Gap>,
    /// Frames whose number had come before.
    pub duplicates: u64,
    /// Frames that came and were not recorded, because the disk was behind.
    pub not_recorded: u64,
    /// Frames of types that this version does not know, by type.
    pub unknown_types: BTreeMap<String, u64>,
    /// Fields that this version does not know, by type and field.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Frames that cannot be read, by type and reason.
    pub unreadable: BTreeMap<String, u64>,
    /// Lines that are no line of a recording.
    pub bad_lines: u64,
    /// Files that end in the middle.
    pub cut_off: Vec<String>,
    /// From the exchange's engine (`ts_ms`) to its network (`sending_ts_ms`).
    pub engine_to_network: Spread,
    /// From the exchange's network to our receipt.
    pub network_to_receipt: Spread,
    /// From the exchange's engine to our receipt.
    pub engine_to_receipt: Spread,
}

/// Frames that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The connection.
    pub connection: u32,
    /// The subscription.
    pub sid: u64,
    /// The number that was expected.
    pub expected: u64,
    /// The number that came.
    pub got: u64,
    /// When it came, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_ms: Option<u64>,
}

/// Times between two points, in ms. They are negative where clocks differ.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    counts: BTreeMap<i64, u64>,
}

impl Spread {
    /// A longer time than this, either way, counts as this: an hour.
    const MS_MAX: i64 = 3_600_000;

    fn add(&mut self, from: u64, to: u64) {
        let ms = i128::from(to) - i128::from(from);
        let ms = i64::try_from(ms).unwrap_or(Self::MS_MAX).clamp(-Self::MS_MAX, Self::MS_MAX);
        *self.counts.entry(ms).or_default() += 1;
    }

    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The time that so many of a hundred did not exceed; none: nothing was measured.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<i64> {
        let rank = (self.count() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        self.counts.iter().find_map(|(ms, count)| {
            seen += count;
            (seen >= rank).then_some(*ms)
        })
    }
}

impl Serialize for Spread {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Percentiles {
            count: u64,
            p50_ms: Option<i64>,
            p90_ms: Option<i64>,
            p99_ms: Option<i64>,
            max_ms: Option<i64>,
        }
        let [p50_ms, p90_ms, p99_ms, max_ms] = [50, 90, 99, 100].map(|it| self.percentile(it));
        Percentiles { count: self.count(), p50_ms, p90_ms, p99_ms, max_ms }.serialize(serializer)
    }
}

/// Reads recordings, in the order in which their lines were written.
#[derive(Debug, Default)]
pub struct Inspection {
    report: Report,
    books: Books,
    head: Option<Head>,
    connections: Connections,
}

/// What is looked at in a frame's body whatever its type.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Moment {
    ts_ms: Option<u64>,
}

impl Inspection {
    /// Reads a file after those that were read before.
    ///
    /// # Errors
    /// When it cannot be read, is something else, or a later version wrote it.
    pub fn file(&mut self, path: &Path) -> anyhow::Result<()> {
        let (frames, bad_lines) = (self.report.frames, self.report.bad_lines);
        let mut refused = None;
        let end = read::lines(path, |line| {
            if refused.is_none() {
                refused = self.line(line).err();
            }
        })?;
        if let Some(later) = refused {
            return Err(later.into());
        }
        if self.report.frames == frames && self.report.bad_lines > bad_lines {
            anyhow::bail!("it is no recording: no line of it is a frame");
        }
        if end == End::CutOff {
            self.report.cut_off.push(path.display().to_string());
        }
        Ok(())
    }

    /// What was found.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The books as they are after the last line.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When it is the head of a file that a later version wrote.
    pub fn line(&mut self, text: &str) -> Result<(), Later> {
        let Ok(line) = Line::read(text) else {
            self.report.bad_lines += 1;
            return Ok(());
        };
        if let Some(head) = &line.recording {
            return self.begin(head);
        }
        self.report.not_recorded += line.lost.unwrap_or(0);
        if let Some(frame) = line.frame_text() {
            self.frame(frame, &line);
        }
        Ok(())
    }

    /// A file begins. Of another recording: its connections are others.
    fn begin(&mut self, head: &Head) -> Result<(), Later> {
        head.check()?;
        if self.head.as_ref().is_some_and(|known| known.started_ms != head.started_ms) {
            self.connections.clear();
            self.books.numbered_anew();
        }
        self.head = Some(head.clone());
        Ok(())
    }

    fn frame(&mut self, text: &str, line: &Line<'_>) {
        self.report.frames += 1;
        if let Some(ms) = line.received_ms {
            self.report.first_ms.get_or_insert(ms);
            self.report.last_ms = Some(ms);
        }
        let kind = self.look_at_fields(text, line.received_ms);
        count(&mut self.report.types, kind.as_deref().unwrap_or("(none)"));
        let scale = match line.use_yes_price {
            Some(true) => NoScale::YesLeg,
            // Kalshi's rule where nothing was asked for.
            Some(false) | None => NoScale::NoLeg,
        };
        match parse(text) {
            Ok(Frame { header, body }) => self.read(header, &body, line, scale),
            Err(error) => {
                if let WireError::Body { header, .. } = &error {
                    let connection = self.connections.of(line, *header);
                    self.number(connection, *header, false, line.received_ms);
                    self.books.lost(connection, header.sid, "a frame cannot be read");
                }
                count(&mut self.report.unreadable, &error.to_string());
            }
        }
        self.report.connections = self.connections.count();
    }

    fn read(&mut self, header: Header, body: &Body<'_>, line: &Line<'_>, scale: NoScale) {
        let connection = self.connections.of(line, header);
        if let Body::Subscribed { sid, .. } = body {
            self.connections.forget(connection, *sid);
        }
        let is_answer = matches!(body, Body::Snapshot(_)) && header.id.is_some();
        if !self.number(connection, header, is_answer, line.received_ms) {
            return;
        }
        match body {
            Body::Snapshot(snapshot) => self.books.snapshot(connection, header, snapshot, scale),
            Body::Delta(delta) => self.books.delta(connection, header, delta, scale),
            Body::Unknown(kind) => count(&mut self.report.unknown_types, kind),
            Body::Error(failure) if matches!(failure.code, 10 | 25) => {
                self.books.lost(connection, header.sid, "the exchange ended the subscription");
            }
            Body::Unsubscribed => {
                self.books.lost(connection, header.sid, "the subscription ended");
                if let Some(sid) = header.sid {
                    self.connections.forget(connection, sid);
                }
            }
            Body::Subscribed { .. }
            | Body::Ok(_)
            | Body::Error(_)
            | Body::Trade(_)
            | Body::Fill(_)
            | Body::Order(_)
            | Body::Position(_)
            | Body::Group(_)
            | Body::Statistics(_)
            | Body::Lifecycle(_)
            | Body::EventCreated(_)
            | Body::EventFees(_)
            | Body::Unused => {}
        }
    }

    /// Takes note of a frame's number; whether the frame is to be read.
    fn number(
        &mut self,
        connection: u32,
        header: Header,
        is_answer: bool,
        received_ms: Option<u64>,
    ) -> bool {
        let sid = header.sid.unwrap_or_default();
        match self.connections.number(connection, header, is_answer) {
            Order::InOrder => true,
            Order::Duplicate => {
                self.report.duplicates += 1;
                false
            }
            Order::Gap { expected, got } => {
                self.report.missing = self.report.missing.saturating_add(got - expected);
                if self.report.gaps.len() < LOSSES_MAX {
                    self.report.gaps.push(Gap { connection, sid, expected, got, received_ms });
                }
                self.books.lost(connection, Some(sid), "frames are missing");
                true
            }
        }
    }

    /// Counts what is not known, and takes the times. Returns the frame's type.
    fn look_at_fields(&mut self, text: &str, received_ms: Option<u64>) -> Option<String> {
        let envelope: Fields<'_> = serde_json::from_str(text).ok()?;
        let kind: String = serde_json::from_str(envelope.get("type")?.get()).ok()?;
        for field in envelope.keys().filter(|field| !fields::ENVELOPE.contains(&field.as_str())) {
            count(&mut self.report.unknown_fields, &format!("{kind}: {field}"));
        }
        let number = |raw: &&RawValue| serde_json::from_str::<u64>(raw.get()).ok();
        let sent = envelope.get("sending_ts_ms").and_then(number);
        let body = envelope.get("msg").map_or("null", |body| body.get());
        let engine = serde_json::from_str(body).ok().and_then(|Moment { ts_ms }| ts_ms);
        let report = &mut self.report;
        let mut measure = |spread: fn(&mut Report) -> &mut Spread, from, to| {
            if let (Some(from), Some(to)) = (from, to) {
                spread(report).add(from, to);
            }
        };
        measure(|report| &mut report.engine_to_network, engine, sent);
        measure(|report| &mut report.network_to_receipt, sent, received_ms);
        measure(|report| &mut report.engine_to_receipt, engine, received_ms);
        if let (Some(known), Ok(body)) =
            (fields::known(&kind), serde_json::from_str::<Fields<'_>>(body))
        {
            for field in body.keys().filter(|field| !known.contains(&field.as_str())) {
                count(&mut self.report.unknown_fields, &format!("{kind}: msg.{field}"));
            }
        }
        Some(kind)
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    let what = if counts.len() < KINDS_MAX || counts.contains_key(what) { what } else { "…" };
    *counts.entry(what.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests;
