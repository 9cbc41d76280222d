//! [`Orders`]: what the desk has carried out becomes spans. Pure.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::Carried;
use crate::desk::TraceId;
use crate::desk::record::{Decision, FillBooked, Intent, OrderEvent, Record, RecoveredOrder};
use crate::model::{ClientOrderId, OrderState};
use crate::units::{Quantity, Timestamp};

/// Orders that are followed to their end at the same time, far more than may work.
const OPEN_MAX: usize = 10_000;

/// The span of the whole order; all others are in it.
const ROOT: &str = "order";

/// Orders that have not ended.
#[derive(Debug, Default)]
pub(super) struct Orders {
    open: HashMap<ClientOrderId, Open>,
    /// Orders that were too many to be followed.
    pub(super) unfollowed: usize,
}

/// An order that has not ended, or of whose fills some are not booked.
#[derive(Debug)]
struct Open {
    root: Span,
    /// When its request could leave, until something is heard of it.
    sent: Option<Timestamp>,
    cancel_sent: Option<Timestamp>,
    booked: Quantity,
    /// How much of it was filled, once it has ended.
    filled: Option<Quantity>,
}

impl Open {
    fn new(root: Span, sent: Option<Timestamp>, booked: Quantity) -> Self {
        Self { root, sent, cancel_sent: None, booked, filled: None }
    }

    fn is_done(&self) -> bool {
        self.filled.is_some_and(|filled| self.booked >= filled)
    }
}

impl Orders {
    /// Goes on with the orders of runs before.
    pub(super) fn of(recovered: &[RecoveredOrder]) -> Self {
        let mut orders = Self::default();
        for RecoveredOrder { intent, state, filled, booked, .. } in recovered {
            let Decision::Approved { client_order_id, .. } = &intent.decision else { continue };
            let Some(trace) = TraceId::of(client_order_id) else { continue };
            let mut root = span(trace, ROOT, "", intent.ts, intent.ts);
            root.attributes = described(client_order_id, intent);
            let mut open = Open::new(root, None, *booked);
            open.filled = state.is_final().then_some(*filled);
            orders.follow(client_order_id, open);
        }
        orders
    }

    /// Follows an order to its end; where there are too many, the one that began first no longer.
    fn follow(&mut self, name: &ClientOrderId, open: Open) {
        if self.open.len() >= OPEN_MAX {
            let began = |(_, open): &(&ClientOrderId, &Open)| open.root.start_time_unix_nano;
            if let Some(first) = self.open.iter().min_by_key(began).map(|(name, _)| name.clone()) {
                self.open.remove(&first);
                self.unfollowed += 1;
            }
        }
        self.open.insert(name.clone(), open);
    }

    /// Takes a step in; the spans that it ends follow those before.
    pub(super) fn take(&mut self, step: &Carried, spans: &mut Vec<Span>) {
        for record in &step.records {
            match record {
                Record::Intent(intent) => self.placed(step, intent, spans),
                Record::Order(event) => self.heard(event, spans),
                Record::Fill(fill) => self.filled(fill, spans),
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
        let mut root = span(trace, ROOT, "", began, began);
        root.attributes = described(client_order_id, intent);
        self.follow(client_order_id, Open::new(root, Some(step.on_disk), Quantity::ZERO));
    }

    fn filled(&mut self, fill: &FillBooked, spans: &mut Vec<Span>) {
        spans.extend(filled(fill));
        let Some(name) = &fill.client_order_id else { return };
        if let Some(open) = self.open.get_mut(name) {
            open.booked += fill.quantity;
            open.root.end_time_unix_nano = open.root.end_time_unix_nano.max(fill.ts.as_nanos());
            self.close(name, spans);
        }
    }

    /// Ends the span of an order that has ended and whose fills are booked.
    fn close(&mut self, name: &ClientOrderId, spans: &mut Vec<Span>) {
        if self.open.get(name).is_some_and(Open::is_done) {
            spans.extend(self.open.remove(name).map(|open| open.root));
        }
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
        if event.state.is_final() {
            if open.filled.is_none() {
                end(&mut open.root, event);
            }
            open.filled = Some(event.filled);
            self.close(name, spans);
        } else {
            // It was taken for ended, and works all the same.
            open.filled = None;
        }
    }
}

/// Says in the span of an order how it ended.
fn end(root: &mut Span, event: &OrderEvent) {
    root.end_time_unix_nano = root.end_time_unix_nano.max(event.ts.as_nanos());
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
        status: Some(Status::default()),
        ..Span::default()
    }
}

/// Made of what the span is, so that the spans of a run that goes on with an order fit those of the
/// run before.
fn span_id(trace: TraceId, name: &str, which: &str) -> Vec<u8> {
    // FNV-1a: the same in every build, which the standard library's hash is not.
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let trace = trace.to_bytes();
    let bytes = trace.iter().chain(name.as_bytes()).chain(b"/").chain(which.as_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, fnv);
    // Zero would be of no meaning: W3C Trace Context, parent-id.
    hash.max(1).to_be_bytes().to_vec()
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
