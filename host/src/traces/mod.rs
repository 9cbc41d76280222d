//! Traces: what became of an order and where its time went, from the quote that an agent was given
//! to the fill, as spans for an OpenTelemetry collector (OTLP over HTTP). Off unless an endpoint is
//! set.
//!
//! Each order is a trace of its own, named by its client order id ([`TraceId`]), so that no context
//! travels with messages and a restart goes on with the same trace. Its spans:
//!
//! | span | from | to |
//! | --- | --- | --- |
//! | `order` | the quote was read off the wire | the order had ended, and its fills were booked |
//! | `quote to agent` | the quote was read off the wire | the agent was called |
//! | `agent` | the agent was called | it had answered |
//! | `agent to desk` | it had answered | the desk took its actions in |
//! | `risk` | the desk took them in | it had decided |
//! | `journal` | it had decided | the records were on disk |
//! | `send` | the records were on disk | the first word of the order from the exchange |
//! | `cancel` | a cancel was sent | the order had ended |
//! | `fill` | the exchange's time of the fill | the desk booked it |
//!
//! The `order` of a run before this one begins when it was decided, as the journal has no quote. What
//! the end of a process left unsent is missing.
//!
//! What lives here: [`Tracer`], where the desk tells what it has carried out; `orders`, what becomes
//! spans of it; `export`, how they reach the collector. Nothing here holds the desk up: what finds a
//! queue full is dropped and counted.
//!
//! [`TraceId`]: crate::desk::TraceId

mod export;
mod orders;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_rt::Entropy;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::desk::record::{Decision, RecoveredOrder};
use crate::desk::{CallTimes, Record, Step};
use crate::units::Timestamp;

use export::Exporter;
pub use export::probe;
use orders::Orders;
pub use settings::{Headers, Settings, TracesError};

/// How many steps of the desk wait to become spans.
const STEPS_MAX: usize = 4_096;

/// How long the last spans may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the host says of itself with every span.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Which run of which host it is.
    pub instance: String,
    /// The exchange, as the configuration names it.
    pub venue: String,
    /// The role of the host.
    pub role: String,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counts {
    exported: AtomicU64,
    steps_dropped: AtomicU64,
    unfollowed: AtomicU64,
    unsent: AtomicU64,
    refused: AtomicU64,
}

impl Counts {
    /// Spans that the collector took.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// What was dropped, by reason.
    #[must_use]
    pub fn dropped(&self) -> [(&'static str, u64); 4] {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("steps_waiting", get(&self.steps_dropped)),
            ("too_many_open_orders", get(&self.unfollowed)),
            ("collector_behind", get(&self.unsent)),
            ("collector_refused", get(&self.refused)),
        ]
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// A step of the desk, of which only what is about orders of this host is kept.
struct Carried {
    call: Option<CallTimes>,
    taken: Timestamp,
    decided: Timestamp,
    on_disk: Timestamp,
    records: Vec<Record>,
}

/// Where the desk tells what it has carried out.
#[derive(Clone)]
pub struct Tracer {
    steps: mpsc::Sender<Carried>,
    counts: Arc<Counts>,
}

impl Tracer {
    /// Takes a step in; never waits.
    pub fn carried_out(&self, step: &Step<'_>) {
        let is_told = |record: &&Record| match record {
            Record::Intent(intent) => matches!(intent.decision, Decision::Approved { .. }),
            Record::Order(event) => event.client_order_id.is_some(),
            Record::Fill(fill) => fill.client_order_id.is_some(),
            _ => false,
        };
        let records: Vec<Record> = step.records.iter().filter(is_told).cloned().collect();
        if records.is_empty() {
            return;
        }
        let Step { call, taken, decided, on_disk, .. } = *step;
        if self.steps.try_send(Carried { call, taken, decided, on_disk, records }).is_err() {
            add(&self.counts.steps_dropped, 1);
        }
    }
}

/// Makes spans and sends them. Dropping it stops it at once.
pub struct Traces {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    counts: Arc<Counts>,
}

impl Traces {
    /// Starts, on the current tokio runtime, and goes on with orders of runs before. The collector
    /// need not be there yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn start(
        settings: &Settings,
        origin: &Origin,
        recovered: &[RecoveredOrder],
        entropy: &Entropy,
    ) -> Result<(Self, Tracer), TracesError> {
        let counts = Arc::<Counts>::default();
        let (orders, rng) = (Orders::of(recovered), entropy.rng("traces backoff"));
        let exporter = Exporter::new(settings, origin, orders, rng, Arc::clone(&counts))?;
        let (steps, waiting) = mpsc::channel(STEPS_MAX);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(exporter.run(waiting, stopped));
        let tracer = Tracer { steps, counts: Arc::clone(&counts) };
        Ok((Self { stop, task, counts }, tracer))
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Sends what there is, as far as two seconds allow, and stops.
    pub async fn close(&mut self) {
        self.stop.send_replace(true);
        // Late: what is missing is in the journal.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, &mut self.task).await;
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.task.abort();
    }
}
