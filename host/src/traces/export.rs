//! [`Exporter`]: the task that makes spans and posts them; and [`Collector`], where they go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hotpit_rt::{Backoff, Rng};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use reqwest::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use reqwest::{Response, Url};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::orders::{Orders, text};
use super::settings::{Headers, Settings, TracesError};
use super::{Carried, Counts, Origin, add};
use crate::streams::{chain, retry_after};

/// How long spans gather before they are posted.
const EVERY: Duration = Duration::from_secs(1);
/// Spans of one request.
const BATCH_MAX: usize = 2_048;
/// Spans that wait for the collector; what comes then is dropped.
const SPANS_MAX: usize = 16_384;
/// Steps that are taken in at once.
const STEPS_AT_ONCE: usize = 256;
/// How long the collector may take to answer: OpenTelemetry's own default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest and the longest pause after a failure, unless the collector asks for another.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The longest that a collector may keep us away.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);
/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Why the collector did not take spans.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum ExportError {
    /// There is no answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It asks to be tried again (429, 502, 503, 504): OTLP specification, "Retryable Response
    /// Codes".
    #[error("status {status}: it takes nothing for now")]
    Busy {
        /// The HTTP status.
        status: u16,
        /// How long to wait, where it says so.
        retry_after: Option<Duration>,
    },
    /// It will not take them. What it said is not repeated: it may have our headers in it.
    #[error("refused with status {0}: look at traces.endpoint and HOTPIT_TRACES_HEADERS")]
    Refused(u16),
}

/// Asks the collector to take no spans at all; where it is.
///
/// # Errors
/// When the settings cannot be used, or it does not do so; the message says which.
pub async fn probe(settings: &Settings) -> Result<String, String> {
    let collector = Collector::new(settings).map_err(|error| error.to_string())?;
    let nothing = r#"{"resourceSpans":[]}"#;
    let taken = collector.post(Bytes::from_static(nothing.as_bytes())).await;
    taken.map(|_| collector.url.to_string()).map_err(|error| format!("{}: {error}", collector.url))
}

/// Where spans go.
struct Collector {
    client: reqwest::Client,
    url: Url,
    headers: Headers,
}

impl Collector {
    fn new(settings: &Settings) -> Result<Self, TracesError> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // Either would carry the headers to where they do not belong.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("hotpit/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TracesError::Client(chain(&error)))?;
        Ok(Self { client, url: settings.url()?, headers: settings.headers.clone() })
    }

    /// Posts a request; how many of its spans the collector did not want.
    async fn post(&self, body: Bytes) -> Result<usize, ExportError> {
        let request = self.client.post(self.url.clone()).headers(self.headers.0.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let no_answer = |error: reqwest::Error| ExportError::NoAnswer(chain(&error.without_url()));
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        if status.is_success() {
            return Ok(rejected(&beginning(response).await));
        }
        match status.as_u16() {
            status @ (429 | 502 | 503 | 504) => {
                let header = |name| response.headers().get(name)?.to_str().ok();
                let retry_after =
                    header(RETRY_AFTER).and_then(|text| retry_after(text, header(DATE)));
                Err(ExportError::Busy { status, retry_after })
            }
            status => Err(ExportError::Refused(status)),
        }
    }
}

/// The beginning of an answer: whatever it is, it says enough.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = vec![];
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ANSWER_BYTES_MAX - body.len())]);
        if body.len() >= ANSWER_BYTES_MAX {
            break;
        }
    }
    body
}

/// How many spans an answer says were not taken: OTLP specification, "Partial Success". A number,
/// or a text as JSON has it for 64 bits.
fn rejected(answer: &[u8]) -> usize {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return 0 };
    let count = &answer["partialSuccess"]["rejectedSpans"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// A request that is made, until the collector has taken it.
struct Pending {
    body: Bytes,
    spans: usize,
}

/// Makes spans and posts them.
pub(super) struct Exporter {
    collector: Collector,
    resource: Resource,
    backoff: Backoff,
    counts: Arc<Counts>,
    orders: Orders,
    spans: VecDeque<Span>,
    pending: Option<Pending>,
}

impl Exporter {
    pub(super) fn new(
        settings: &Settings,
        origin: &Origin,
        orders: Orders,
        rng: Rng,
        counts: Arc<Counts>,
    ) -> Result<Self, TracesError> {
        Ok(Self {
            collector: Collector::new(settings)?,
            resource: resource(settings, origin)?,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1, rng),
            counts,
            orders,
            spans: VecDeque::new(),
            pending: None,
        })
    }

    /// Until it is told to stop: then it posts once more what there is, and ends.
    pub(super) async fn run(
        mut self,
        mut steps: mpsc::Receiver<Carried>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut carried = Vec::with_capacity(STEPS_AT_ONCE);
        let mut due = Instant::now() + EVERY;
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                () = sleep_until(due), if self.has_spans() => {
                    let pause = match self.export().await {
                        Ok(()) if self.spans.len() >= BATCH_MAX => Duration::ZERO,
                        Ok(()) => EVERY,
                        Err(pause) => pause,
                    };
                    due = Instant::now() + pause;
                }
                count = steps.recv_many(&mut carried, STEPS_AT_ONCE) => {
                    if count == 0 {
                        break;
                    }
                    self.take(&mut carried);
                }
            }
        }
        while let Ok(step) = steps.try_recv() {
            carried.push(step);
            self.take(&mut carried);
        }
        while self.has_spans() && self.export().await.is_ok() {}
        let left = self.spans.len() + self.pending.map_or(0, |pending| pending.spans);
        if left > 0 {
            add(&self.counts.unsent, left);
            tracing::warn!(left, "spans are left that the collector did not take");
        }
    }

    fn has_spans(&self) -> bool {
        self.pending.is_some() || !self.spans.is_empty()
    }

    fn take(&mut self, carried: &mut Vec<Carried>) {
        let mut spans = vec![];
        for step in carried.drain(..) {
            self.orders.take(&step, &mut spans);
        }
        add(&self.counts.unfollowed, std::mem::take(&mut self.orders.unfollowed));
        let room = SPANS_MAX - self.spans.len();
        add(&self.counts.unsent, spans.len().saturating_sub(room));
        self.spans.extend(spans.into_iter().take(room));
    }

    /// Posts the next spans.
    ///
    /// # Errors
    /// How long the collector is to be left alone.
    async fn export(&mut self) -> Result<(), Duration> {
        let Some(pending) = self.pending.take().or_else(|| self.next()) else { return Ok(()) };
        let error = match self.collector.post(pending.body.clone()).await {
            Ok(rejected) => {
                let rejected = rejected.min(pending.spans);
                add(&self.counts.exported, pending.spans - rejected);
                add(&self.counts.refused, rejected);
                if self.backoff.attempt() > 0 {
                    tracing::info!(collector = %self.collector.url, "traces are taken again");
                    self.backoff.reset();
                }
                return Ok(());
            }
            Err(error) => error,
        };
        let mut pause = self.backoff.next_delay().max(EVERY);
        if let ExportError::Busy { retry_after: Some(wait), .. } = &error {
            pause = pause.max(*wait).min(RETRY_AFTER_MAX);
        }
        tracing::warn!(collector = %self.collector.url, %error, ?pause, "traces are not taken");
        if let ExportError::Refused(_) = error {
            add(&self.counts.refused, pending.spans);
        } else {
            self.pending = Some(pending);
        }
        Err(pause)
    }

    /// Makes the next request.
    fn next(&mut self) -> Option<Pending> {
        let spans: Vec<Span> = self.spans.drain(..self.spans.len().min(BATCH_MAX)).collect();
        let count = spans.len();
        let scope = InstrumentationScope {
            name: "hotpit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans =
            vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        match serde_json::to_vec(&ExportTraceServiceRequest { resource_spans }) {
            Ok(body) => Some(Pending { body: body.into(), spans: count }),
            Err(error) => {
                tracing::error!(%error, "spans cannot be written as JSON");
                add(&self.counts.refused, count);
                None
            }
        }
    }
}

/// What every span says of this host. What the settings say wins.
fn resource(settings: &Settings, origin: &Origin) -> Result<Resource, TracesError> {
    let own = [
        ("service.name", "hotpit"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &origin.instance),
        ("hotpit.venue", &origin.venue),
        ("hotpit.role", &origin.role),
    ];
    let given = settings.attributes()?;
    let is_own = |key: &str| !given.iter().any(|(other, _)| other == key);
    let mut attributes: Vec<_> =
        own.iter().filter(|(key, _)| is_own(key)).map(|(key, value)| text(key, value)).collect();
    attributes.extend(given.iter().map(|(key, value)| text(key, value)));
    Ok(Resource { attributes, ..Resource::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_were_not_wanted_are_counted_in_each_form_of_the_answer() {
        for (answer, expected) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"errorMessage":"slow down"}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":3}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":"12","errorMessage":"too old"}}"#, 12),
            (r#"{"partialSuccess":{"rejectedSpans":-1}}"#, 0),
            ("[1]", 0),
        ] {
            assert_eq!(rejected(answer.as_bytes()), expected, "{answer}");
        }
    }

    #[test]
    fn what_the_settings_say_of_the_host_wins() {
        let settings = Settings {
            resource: "service.name=desk-1,team=a%20b".to_owned(),
            ..Settings::default()
        };
        let origin =
            Origin { instance: "1".to_owned(), venue: "demo".to_owned(), role: "all".to_owned() };
        let attributes = resource(&settings, &origin).unwrap().attributes;
        let json = serde_json::to_string(&attributes).unwrap();
        assert_eq!(json.matches("service.name").count(), 1, "{json}");
        for part in ["desk-1", "a b", "hotpit.venue", "demo", "service.version"] {
            assert!(json.contains(part), "{part} in {json}");
        }
    }
}
