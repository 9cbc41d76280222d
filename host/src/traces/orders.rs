//! [`Orders`]: what the desk has carried out becomes spans. Pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::Carried;
use crate::desk::TraceId;
use crate::desk::record::{Decision, FillBooked, Intent, OrderEvent, Record};
use crate::model::{ClientOrderId, OrderState};
use crate::units::Timestamp;

/// Orders that are followed to their end at the same time, far more than may work.
const OPEN_MAX: usize = 10_000;

/// The span of the whole order; all others are in it.
const ROOT: &str = "order";

/// Orders that have not ended, of this run.
#[derive(Debug, Default)]
pub(super) struct Orders {
    open: HashMap<ClientOrderId, Open>,
    /// Orders that were too many to be followed.
    pub(super) unfollowed: usize,
}

/// An order that has not ended.
#[derive(Debug)]
struct Open {
    root: Span,
    /// When its request could leave, until something is heard of it.
    sent: Option<Timestamp>,
    cancel_sent: Option<Timestamp>,
}

impl Orders {
    /// Takes a step in; the spans that it ends follow those before.
    pub(super) fn take(&mut self, step: &Carried, spans: &mut Vec<Span>) {
        for record in &step.records {
            match record {
                Record::Intent(intent) => self.placed(step, intent, spans),
                Record::Order(event) => self.heard(event, spans),
                Record::Fill(fill) => spans.extend(filled(fill)),
                _ => {}
            }
        }
    }

    fn placed(&mut self, step: &Carried, intent: &Intent, spans: &mut Vec<Span>) {
        let Decision::Approved { client_order_id, .. } = &intent.decision else { return };
        let Some(trace) = TraceId::of(client_order_id) else { return };
        let mut within = |name, from, to| spans.push(span(trace, name, "", from, to));
        let mut began = step.decided;
        if let Some(call) = step.call {
            // A quote may be newer than the beginning of the call that it was read for.
            began = call.tick.map_or(call.began, |tick| tick.min(call.began));
            if let Some(tick) = call.tick {
                within("quote to agent", tick, call.began);
            }
            within("agent", call.began, call.ended);
            within("agent to desk", call.ended, step.taken);
            within("risk", step.taken, step.decided);
        }
        within("journal", step.decided, step.on_disk);
        if self.open.len() >= OPEN_MAX {
            self.unfollowed += 1;
            return;
        }
        let mut root = span(trace, ROOT, "", began, began);
        root.attributes = described(client_order_id, intent);
        let open = Open { root, sent: Some(step.on_disk), cancel_sent: None };
        self.open.insert(client_order_id.clone(), open);
    }

    fn heard(&mut self, event: &OrderEvent, spans: &mut Vec<Span>) {
        let Some(name) = &event.client_order_id else { return };
        let (Some(trace), Some(open)) = (TraceId::of(name), self.open.get_mut(name)) else {
            return;
        };
        let word = &*event.event;
        if word == "cancel_sent" {
            open.cancel_sent = Some(event.ts);
            return;
        }
        if let Some(sent) = open.sent.take() {
            let mut sending = span(trace, "send", "", sent, event.ts);
            sending.kind = SpanKind::Client.into();
            sending.attributes.push(text("hotpit.heard", word));
            if matches!(word, "refused" | "not_sent" | "lost") {
                sending.status = Some(failed(&event.reason));
            }
            spans.push(sending);
        }
        let ended = event.state.is_final() || word == "cancel_failed";
        if let Some(since) = open.cancel_sent.take_if(|_| ended) {
            let mut canceling =
                span(trace, "cancel", &since.as_nanos().to_string(), since, event.ts);
            canceling.kind = SpanKind::Client.into();
            canceling.attributes.push(text("hotpit.heard", word));
            if word == "cancel_failed" {
                canceling.status = Some(failed(&event.reason));
            }
            spans.push(canceling);
        }
        if event.state.is_final()
            && let Some(open) = self.open.remove(name)
        {
            spans.push(closed(open.root, event));
        }
    }
}

/// The span of an order that has ended.
fn closed(mut root: Span, event: &OrderEvent) -> Span {
    root.end_time_unix_nano = event.ts.as_nanos().max(root.start_time_unix_nano);
    root.attributes.push(text("hotpit.heard", &event.event));
    root.attributes.push(text("hotpit.filled", &event.filled.to_string()));
    if let Some(id) = &event.venue_order_id {
        root.attributes.push(text("hotpit.venue_order_id", id.as_str()));
    }
    if !event.reason.is_empty() {
        root.attributes.push(text("hotpit.reason", &event.reason));
    }
    if matches!(event.state, OrderState::Denied | OrderState::Rejected) {
        root.status = Some(failed(&event.reason));
    }
    root
}

fn filled(fill: &FillBooked) -> Option<Span> {
    let trace = TraceId::of(fill.client_order_id.as_ref()?)?;
    // The exchange's clock may be ahead of ours.
    let mut span = span(trace, "fill", &fill.fill_id, fill.venue_ts.min(fill.ts), fill.ts);
    span.attributes = vec![
        text("hotpit.fill_id", &fill.fill_id),
        text("hotpit.price", &fill.price.to_string()),
        text("hotpit.quantity", &fill.quantity.to_string()),
        text("hotpit.fee", &fill.fee.to_string()),
        text("hotpit.liquidity", if fill.taker { "taker" } else { "maker" }),
    ];
    Some(span)
}

fn described(name: &ClientOrderId, intent: &Intent) -> Vec<KeyValue> {
    vec![
        text("hotpit.client_order_id", name.as_str()),
        text("hotpit.agent", intent.agent.as_str()),
        text("hotpit.ticker", intent.ticker.as_deref().unwrap_or_default()),
        text("hotpit.side", intent.side.as_str()),
        text("hotpit.price", &intent.price.to_string()),
        text("hotpit.quantity", &intent.quantity.to_string()),
    ]
}

/// A span of an order. `which` tells those of one name apart.
fn span(trace: TraceId, name: &str, which: &str, from: Timestamp, to: Timestamp) -> Span {
    let root = span_id(trace, ROOT, "");
    Span {
        trace_id: trace.to_bytes().to_vec(),
        span_id: span_id(trace, name, which),
        parent_span_id: if name == ROOT { vec![] } else { root },
        name: name.to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: from.as_nanos(),
        // A clock may have been set back in between.
        end_time_unix_nano: to.max(from).as_nanos(),
        ..Span::default()
    }
}

/// Made of what the span is, so that the spans of a run that goes on with an order fit those of the
/// run before.
fn span_id(trace: TraceId, name: &str, which: &str) -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    (trace, name, which).hash(&mut hasher);
    // Zero would be of no meaning: W3C Trace Context, parent-id.
    hasher.finish().max(1).to_be_bytes().to_vec()
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn failed(reason: &str) -> Status {
    Status { message: reason.to_owned(), code: StatusCode::Error.into() }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
mod tests;
