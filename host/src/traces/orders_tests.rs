//! What becomes of an order's records.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side};

use super::*;
use crate::desk::CallTimes;
use crate::desk::record::Holding;
use crate::model::{OrderId, TimeInForce};

const NAME: &str = "hp1-0123456789abcdef-1";

fn at(micros: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + micros * 1_000)
}

fn intent(name: &str, decision: Option<&str>) -> Record {
    let decision = match decision {
        None => Decision::Approved { client_order_id: name.into(), exchange_index: 0 },
        Some(reason) => Decision::Denied { reason: reason.to_owned() },
    };
    Record::Intent(Intent {
        ts: at(400),
        agent: "maker".into(),
        order: OrderId(7),
        ticker: Some("KX-1".into()),
        side: Side::Bid,
        price: Price::from_cents(55),
        quantity: Quantity::from_contracts(3),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
        decision,
    })
}

fn order(name: &str, event: &'static str, state: OrderState, ts: Timestamp) -> Record {
    let is_filled = state == OrderState::Filled;
    Record::Order(OrderEvent {
        ts,
        client_order_id: Some(name.into()),
        venue_order_id: Some("v-1".into()),
        agent: Some("maker".into()),
        order: Some(OrderId(7)),
        ticker: "KX-1".into(),
        event: event.into(),
        from: OrderState::Sent,
        state,
        filled: if is_filled { Quantity::from_contracts(1) } else { Quantity::ZERO },
        reason: "because".to_owned(),
    })
}

fn fill(id: &str, venue_ts: Timestamp, ts: Timestamp) -> Record {
    Record::Fill(FillBooked {
        ts,
        fill_id: id.into(),
        venue_order_id: "v-1".into(),
        client_order_id: Some(NAME.into()),
        agent: Some("maker".into()),
        order: Some(OrderId(7)),
        ticker: Arc::from("KX-1"),
        side: Side::Bid,
        price: Price::from_cents(55),
        quantity: Quantity::from_contracts(1),
        fee: Dollars::ZERO,
        taker: true,
        venue_ts,
        holding: Holding::default(),
    })
}

/// A step that follows from a call of an agent.
fn called(records: Vec<Record>) -> Carried {
    let call = CallTimes { tick: Some(at(100)), began: at(200), ended: at(300) };
    Carried { call: Some(call), taken: at(350), decided: at(400), on_disk: at(500), records }
}

/// A step that follows from something else.
fn heard(records: Vec<Record>) -> Carried {
    Carried { call: None, ..called(records) }
}

fn take(orders: &mut Orders, step: &Carried) -> Vec<Span> {
    let mut spans = vec![];
    orders.take(step, &mut spans);
    spans
}

/// Name and times of each span, in microseconds.
fn times(spans: &[Span]) -> Vec<(&str, u64, u64)> {
    let micros = |nanos: u64| (nanos - 1_000_000_000) / 1_000;
    spans
        .iter()
        .map(|it| {
            (it.name.as_str(), micros(it.start_time_unix_nano), micros(it.end_time_unix_nano))
        })
        .collect()
}

fn is_error(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == i32::from(StatusCode::Error))
}

#[test]
fn an_order_is_one_trace_from_the_quote_to_its_end() {
    let mut orders = Orders::default();
    let mut spans = take(&mut orders, &called(vec![intent(NAME, None)]));
    assert_eq!(
        times(&spans),
        [
            ("quote to agent", 100, 200),
            ("agent", 200, 300),
            ("agent to desk", 300, 350),
            ("risk", 350, 400),
            ("journal", 400, 500),
        ]
    );
    let answered = order(NAME, "acknowledged", OrderState::Resting, at(900));
    spans.extend(take(&mut orders, &heard(vec![answered])));
    spans.extend(take(&mut orders, &heard(vec![fill("f-1", at(1_200), at(1_500))])));
    let filled = order(NAME, "fill", OrderState::Filled, at(1_500));
    spans.extend(take(&mut orders, &heard(vec![filled])));
    assert_eq!(
        times(&spans[5..]),
        [("send", 500, 900), ("fill", 1_200, 1_500), ("order", 100, 1_500)]
    );
    let root = spans.last().unwrap();
    assert!(root.parent_span_id.is_empty() && !spans.iter().any(is_error));
    let trace = TraceId::of(&NAME.into()).unwrap().to_bytes();
    for span in &spans {
        assert_eq!(span.trace_id, trace);
        assert_eq!((span.span_id.len(), span.trace_id.len()), (8, 16));
        assert!(span.name == ROOT || span.parent_span_id == root.span_id, "{span:?}");
    }
    let mut ids: Vec<_> = spans.iter().map(|span| &span.span_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    assert!(orders.open.is_empty());
}

#[test]
fn what_failed_is_marked_and_a_cancel_is_followed() {
    let mut orders = Orders::default();
    take(&mut orders, &called(vec![intent(NAME, None)]));
    let refused = order(NAME, "refused", OrderState::Rejected, at(900));
    let spans = take(&mut orders, &heard(vec![refused]));
    assert_eq!(times(&spans), [("send", 500, 900), ("order", 100, 900)]);
    assert!(spans.iter().all(is_error));

    take(&mut orders, &called(vec![intent(NAME, None)]));
    let lost = order(NAME, "lost", OrderState::Unknown, at(900));
    let spans = take(&mut orders, &heard(vec![lost]));
    assert!(spans.len() == 1 && is_error(&spans[0]));
    let steps = [
        ("cancel_sent", OrderState::Resting, 1_000),
        ("cancel_failed", OrderState::Resting, 1_100),
        ("cancel_sent", OrderState::Resting, 1_200),
        ("fill", OrderState::PartlyFilled, 1_250),
        ("canceled", OrderState::Canceled, 1_300),
    ];
    let records = steps.map(|(event, state, ts)| order(NAME, event, state, at(ts)));
    let spans = take(&mut orders, &heard(records.to_vec()));
    let expected = [("cancel", 1_000, 1_100), ("cancel", 1_200, 1_300), ("order", 100, 1_300)];
    assert_eq!(times(&spans), expected);
    assert_eq!(spans.iter().map(is_error).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn an_order_lasts_until_its_fills_are_booked() {
    let mut orders = Orders::default();
    take(&mut orders, &called(vec![intent(NAME, None)]));
    let ended = order(NAME, "executed", OrderState::Filled, at(900));
    let spans = take(&mut orders, &heard(vec![ended]));
    assert_eq!(times(&spans), [("send", 500, 900)]);
    let spans = take(&mut orders, &heard(vec![fill("f-1", at(800), at(950))]));
    assert_eq!(times(&spans), [("fill", 800, 950), ("order", 100, 950)]);
    assert!(orders.open.is_empty());
}

fn recovered(state: OrderState, filled: i64) -> RecoveredOrder {
    let Record::Intent(intent) = intent(NAME, None) else { unreachable!() };
    let (filled, booked) = (Quantity::from_contracts(filled), Quantity::ZERO);
    RecoveredOrder { intent, venue_order_id: None, state, filled, booked }
}

#[test]
fn an_order_of_the_run_before_goes_on_in_the_same_trace() {
    let mut before = Orders::default();
    take(&mut before, &called(vec![intent(NAME, None)]));
    let answered = order(NAME, "acknowledged", OrderState::Resting, at(900));
    let sending = take(&mut before, &heard(vec![answered])).remove(0);

    let mut orders = Orders::of(&[recovered(OrderState::Resting, 0)]);
    let ended = order(NAME, "fill", OrderState::Filled, at(1_500));
    let spans = take(&mut orders, &heard(vec![fill("f-1", at(1_000), at(1_500)), ended]));
    assert_eq!(times(&spans), [("fill", 1_000, 1_500), ("order", 400, 1_500)]);
    assert_eq!(spans[1].trace_id, sending.trace_id);
    assert_eq!(spans[1].span_id, sending.parent_span_id);

    let mut orders = Orders::of(&[recovered(OrderState::Canceled, 1)]);
    let spans = take(&mut orders, &heard(vec![fill("f-1", at(1_000), at(1_500))]));
    assert_eq!(times(&spans), [("fill", 1_000, 1_500), ("order", 400, 1_500)]);
}

#[test]
fn a_quote_that_is_newer_than_its_call_makes_the_order_begin_with_the_call() {
    let mut step = called(vec![intent(NAME, None)]);
    step.call = Some(CallTimes { tick: Some(at(250)), began: at(200), ended: at(300) });
    let mut orders = Orders::default();
    let mut spans = take(&mut orders, &step);
    spans.extend(take(
        &mut orders,
        &heard(vec![order(NAME, "canceled", OrderState::Canceled, at(900))]),
    ));
    let times = times(&spans);
    assert_eq!(
        (times[0], times.last()),
        (("quote to agent", 250, 250), Some(&("order", 200, 900)))
    );
}

#[test]
fn the_ids_of_spans_are_the_same_in_every_build() {
    let trace = TraceId::of(&NAME.into()).unwrap();
    let hex = |id: Vec<u8>| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(span_id(trace, ROOT, "")), "6bbfe411d3a97c08");
    assert_ne!(span_id(trace, "fill", "a"), span_id(trace, "fill", "b"));
}

#[test]
fn clocks_that_do_not_agree_make_no_span_end_before_it_began() {
    let mut orders = Orders::default();
    let mut step = called(vec![intent(NAME, None)]);
    (step.taken, step.decided) = (at(250), at(240));
    let mut spans = take(&mut orders, &step);
    spans.extend(take(&mut orders, &heard(vec![fill("f-1", at(9_000), at(1_500))])));
    let ended = order(NAME, "canceled", OrderState::Canceled, at(50));
    spans.extend(take(&mut orders, &heard(vec![ended])));
    assert!(spans.iter().all(|span| span.start_time_unix_nano <= span.end_time_unix_nano));
    assert!(spans.iter().any(|span| span.name == "fill"));
}

#[test]
fn what_is_no_order_of_ours_has_no_trace_and_too_many_are_counted() {
    let mut orders = Orders::default();
    let foreign = order("theirs", "acknowledged", OrderState::Resting, at(900));
    assert_eq!(take(&mut orders, &called(vec![intent(NAME, Some("HALTED")), foreign])), []);
    for number in 0..=OPEN_MAX {
        let name = format!("hp1-0123456789abcdef-{number}");
        assert!(!take(&mut orders, &called(vec![intent(&name, None)])).is_empty());
    }
    assert_eq!((orders.open.len(), orders.unfollowed), (OPEN_MAX, 1));
}
