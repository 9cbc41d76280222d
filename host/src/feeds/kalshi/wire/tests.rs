use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{FeeType, VenueFill, VenueOrder, VenueOrderStatus, VenuePosition};

/// One frame of every type, with the newest fields.
const FRAMES: &str = include_str!("../fixtures/frames.jsonl");

fn frame_of(kind: &str) -> Vec<&'static str> {
    let tag = format!(r#""type":"{kind}""#);
    FRAMES.lines().filter(|line| line.contains(&tag)).collect()
}

#[test]
fn every_frame_of_the_exchange_is_read() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for line in FRAMES.lines() {
        let frame = parse(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let kind = match frame.body {
            Body::Subscribed { .. } => "subscribed",
            Body::Ok(_) => "ok",
            Body::Unsubscribed => "unsubscribed",
            Body::Error(_) => "error",
            Body::Snapshot(_) => "snapshot",
            Body::Delta(_) => "delta",
            Body::Trade(_) => "trade",
            Body::Fill(_) => "fill",
            Body::Order(_) => "order",
            Body::Position(_) => "position",
            Body::Group(_) => "group",
            Body::Statistics(_) => "statistics",
            Body::Lifecycle(_) => "lifecycle",
            Body::EventCreated(_) => "event created",
            Body::EventFees(_) => "event fees",
            Body::Unused => "unused",
            Body::Unknown(kind) => panic!("{kind} is not known"),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let expected = BTreeMap::from([
        ("subscribed", 1),
        ("ok", 3),
        ("unsubscribed", 1),
        ("error", 4),
        ("snapshot", 2),
        ("delta", 2),
        ("trade", 1),
        ("fill", 1),
        ("order", 2),
        ("lifecycle", 7),
        ("event created", 2),
        ("event fees", 2),
        ("position", 2),
        ("group", 1),
        ("statistics", 1),
        ("unused", 3),
    ]);
    assert_eq!(kinds, expected);
}

#[test]
fn a_snapshot_becomes_bids_and_asks_of_the_yes_leg() {
    let line = frame_of("orderbook_snapshot")[0];
    let frame = parse(line).unwrap();
    assert_eq!(
        frame.header,
        Header { id: None, sid: Some(2), seq: Some(2), sending_ts_ms: Some(1_669_149_841_234) }
    );
    let Body::Snapshot(snapshot) = frame.body else { panic!("{:?}", frame.body) };
    let ask = |scale| {
        let received = Timestamp::from_millis(5);
        let message = snapshot.message("M".into(), scale, received).unwrap();
        assert_eq!(message.bids[1].price, Price::from_cents(22));
        assert_eq!(message.ts, received);
        (message.asks[0].price, message.asks[0].quantity)
    };
    let quantity = Quantity::from_contracts(20);
    assert_eq!(ask(NoScale::YesLeg), (Price::from_cents(54), quantity));
    assert_eq!(ask(NoScale::NoLeg), (Price::from_cents(46), quantity));
}

#[test]
fn an_empty_side_may_be_missing_or_null() {
    for line in [
        r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"M"}}"#,
        r#"{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"M","yes_dollars_fp":null,"no_dollars_fp":[]}}"#,
    ] {
        let Body::Snapshot(snapshot) = parse(line).unwrap().body else { panic!("{line}") };
        let message = snapshot.message("M".into(), NoScale::YesLeg, Timestamp::EPOCH).unwrap();
        assert!(message.bids.is_empty() && message.asks.is_empty());
    }
}

#[test]
fn a_delta_is_signed_and_may_come_as_numbers() {
    let received = Timestamp::from_millis(9);
    let cases = [
        (
            r#"{"market_ticker":"M","price_dollars":"0.9600","delta_fp":"-54.00","side":"yes","ts_ms":7}"#,
            (Side::Bid, 9_600, -5_400, Timestamp::from_millis(7)),
        ),
        (
            r#"{"market_ticker":"M","price_dollars":0.96,"delta_fp":-72.71,"side":"no"}"#,
            (Side::Ask, 400, -7_271, received),
        ),
        (
            r#"{"side":"no","new_field":{"a":[1]},"delta_fp":3,"price_dollars":"0.001","market_ticker":"M","ts_ms":null}"#,
            (Side::Ask, 9_990, 300, received),
        ),
    ];
    for (body, expected) in cases {
        let line = format!(r#"{{"type":"orderbook_delta","sid":2,"seq":3,"msg":{body}}}"#);
        let Body::Delta(delta) = parse(&line).unwrap().body else { panic!("{line}") };
        let delta = delta.message("M".into(), NoScale::NoLeg, received).unwrap();
        let seen = (delta.side, delta.price.raw(), delta.delta.raw(), delta.ts);
        assert_eq!(seen, (expected.0, expected.1, expected.2, expected.3), "{body}");
    }
}

#[test]
fn a_no_price_above_one_dollar_is_no_level() {
    let line = r#"{"type":"orderbook_delta","sid":1,"seq":1,"msg":{"market_ticker":"M","price_dollars":"1.01","delta_fp":"1","side":"no"}}"#;
    let Body::Delta(delta) = parse(line).unwrap().body else { panic!("{line}") };
    assert!(delta.message("M".into(), NoScale::NoLeg, Timestamp::EPOCH).is_none());
}

#[test]
fn the_type_may_stand_anywhere() {
    let line = r#"{"msg":{"market_ticker":"M","price_dollars":"0.5","delta_fp":"1","side":"yes"},"seq":4,"type":"orderbook_delta","sid":2}"#;
    let frame = parse(line).unwrap();
    assert!(matches!(frame.body, Body::Delta(_)), "{:?}", frame.body);
    assert_eq!((frame.header.sid, frame.header.seq), (Some(2), Some(4)));
}

#[test]
fn a_body_that_cannot_be_read_leaves_the_number_readable() {
    let bodies = [
        r#"{"market_ticker":"M","price_dollars":"abc","delta_fp":"1","side":"yes"}"#,
        r#"{"market_ticker":"M","price_dollars":"0.00001","delta_fp":"1","side":"yes"}"#,
        r#"{"market_ticker":"M","price_dollars":"0.5","delta_fp":"1","side":"maybe"}"#,
        r#"{"market_ticker":"M","delta_fp":"1","side":"yes"}"#,
        "[]",
        "null",
    ];
    for body in bodies {
        let line = format!(r#"{{"type":"orderbook_delta","sid":2,"seq":3,"msg":{body}}}"#);
        match parse(&line) {
            Err(WireError::Body { header, kind, .. }) => {
                assert_eq!((header.sid, header.seq), (Some(2), Some(3)), "{body}");
                assert_eq!(kind, "orderbook_delta");
            }
            other => panic!("{body} gave {other:?}"),
        }
    }
    let line = r#"{"type":"orderbook_delta","sid":2,"seq":3}"#;
    assert!(matches!(parse(line), Err(WireError::Body { .. })));
}

#[test]
fn an_unknown_type_is_named_and_its_number_counts() {
    let frame = parse(r#"{"type":"brand_new","sid":4,"seq":9,"msg":{"x":[{}]}}"#).unwrap();
    assert!(matches!(&frame.body, Body::Unknown(kind) if kind == "brand_new"));
    assert_eq!(frame.header.seq, Some(9));
}

#[test]
fn what_is_no_frame_is_refused() {
    for text in
        ["", "null", "[]", "{}", "\"x\"", r#"{"type":7}"#, r#"{"sid":1}"#, "{\"type\":\"ok\"} x"]
    {
        assert!(matches!(parse(text), Err(WireError::NotAFrame(_))), "{text}");
    }
}

#[test]
fn answers_to_commands_are_read() {
    let frame = parse(frame_of("subscribed")[0]).unwrap();
    assert!(
        matches!(frame.body, Body::Subscribed { ref channel, sid: 1 } if channel == "orderbook_delta")
    );
    let Body::Ok(Some(tickers)) = parse(frame_of("ok")[0]).unwrap().body else { panic!() };
    assert_eq!(tickers.len(), 3);
    assert!(matches!(parse(frame_of("ok")[1]).unwrap().body, Body::Ok(None)));
    let Body::Error(failure) = parse(frame_of("error")[2]).unwrap().body else { panic!() };
    assert_eq!((failure.code, failure.text()), (26, "Market limit exceeded"));
    assert_eq!(failure.tickers().collect::<Vec<_>>(), ["MARKET-8", "MARKET-9"]);
    let Body::Error(failure) = parse(frame_of("error")[3]).unwrap().body else { panic!() };
    assert_eq!(failure.tickers().collect::<Vec<_>>(), ["MARKET-8"]);
}

#[test]
fn reports_on_our_orders_become_the_desks_words() {
    let Body::Fill(fill) = parse(frame_of("fill")[0]).unwrap().body else { panic!() };
    let fill = VenueFill::try_from(*fill).unwrap();
    assert_eq!(&*fill.fill_id, "d91bc706-ee49-470d-82d8-11418bda6fed");
    assert_eq!(fill.quantity, Quantity::from_contracts(278));
    assert_eq!(fill.fee, Dollars::from_raw(10_000));
    assert_eq!(fill.client_order_id.unwrap().as_str(), "my-order-1");
    let Body::Order(order) = parse(frame_of("user_order")[0]).unwrap().body else { panic!() };
    let order = VenueOrder::try_from(*order).unwrap();
    assert_eq!(order.status, VenueOrderStatus::Resting);
    assert_eq!(order.exchange_index, 2);
    assert_eq!(order.remaining, Quantity::from_contracts(10));
    let Body::Order(order) = parse(frame_of("user_order")[1]).unwrap().body else { panic!() };
    let order = VenueOrder::try_from(*order).unwrap();
    assert_eq!(order.status, VenueOrderStatus::Canceled);
    assert_eq!((order.filled, order.remaining), (Quantity::from_raw(250), Quantity::ZERO));
    let Body::Position(position) = parse(frame_of("market_position")[1]).unwrap().body else {
        panic!()
    };
    assert_eq!(VenuePosition::from(position).quantity, Quantity::from_raw(-750));
}

#[test]
fn the_steps_of_a_market_are_read() {
    let steps: Vec<_> = frame_of("market_lifecycle_v2")
        .into_iter()
        .map(|line| match parse(line).unwrap().body {
            Body::Lifecycle(lifecycle) => *lifecycle,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(steps[0].step, LifecycleStep::Created);
    assert_eq!(steps[0].event_ticker().map(Arc::as_ref), Some("INXD-23SEP14"));
    assert_eq!(steps[0].closes(), Some(Timestamp::from_secs(1_694_721_600)));
    assert_eq!(steps[1].grid().unwrap().0[0].step, Price::from_raw(10));
    assert_eq!(steps[3].step, LifecycleStep::Determined);
    assert_eq!(steps[3].settlement(), Some(Price::ZERO));
    assert_eq!(steps[4].step, LifecycleStep::Settled);
    assert_eq!(steps[5].step, LifecycleStep::Unknown);
    assert_eq!(steps[6].step, LifecycleStep::Deactivated);
    let fees: Vec<_> = frame_of("event_fee_update")
        .into_iter()
        .map(|line| match parse(line).unwrap().body {
            Body::EventFees(fees) => (fees.fee_type_override, fees.fee_multiplier_override),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(fees[0].0, Some(FeeType::Quadratic));
    assert_eq!(fees[0].1.map(|milli| milli.0), Some(1_000));
    assert_eq!(fees[1], (None, None));
}

#[test]
fn commands_are_written_as_the_exchange_reads_them() {
    let tickers: Vec<Arc<str>> = vec!["A".into(), "B".into()];
    let cases = [
        (
            Command::Subscribe {
                channels: [Channel::Books],
                market_tickers: tickers.clone(),
                use_yes_price: Some(true),
                send_initial_snapshot: None,
            },
            r#"{"id":1,"cmd":"subscribe","params":{"channels":["orderbook_delta"],"market_tickers":["A","B"],"use_yes_price":true}}"#,
        ),
        (
            Command::Subscribe {
                channels: [Channel::Fills],
                market_tickers: vec![],
                use_yes_price: None,
                send_initial_snapshot: None,
            },
            r#"{"id":1,"cmd":"subscribe","params":{"channels":["fill"]}}"#,
        ),
        (
            Command::UpdateSubscription {
                sids: [456],
                market_tickers: tickers,
                action: UpdateAction::GetSnapshot,
            },
            r#"{"id":1,"cmd":"update_subscription","params":{"sids":[456],"market_tickers":["A","B"],"action":"get_snapshot"}}"#,
        ),
        (
            Command::Unsubscribe { sids: [3] },
            r#"{"id":1,"cmd":"unsubscribe","params":{"sids":[3]}}"#,
        ),
        (Command::ListSubscriptions {}, r#"{"id":1,"cmd":"list_subscriptions","params":{}}"#),
    ];
    for (command, expected) in cases {
        assert_eq!(command.text(1), expected);
    }
}

#[test]
fn a_channel_has_the_name_it_is_subscribed_by() {
    for channel in Channel::ALL {
        let name = serde_json::to_value(channel).unwrap();
        assert_eq!(Channel::named(name.as_str().unwrap()), Some(channel));
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = parse(&text);
    }

    /// Frames cut off, or with one byte turned into another.
    #[test]
    fn no_damaged_frame_panics(line in 0_usize..FRAMES.lines().count(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let line = FRAMES.lines().nth(line).unwrap();
        let mut bytes = line.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(Frame { body: Body::Snapshot(snapshot), .. }) = parse(&text) {
            let _ = snapshot.message("M".into(), NoScale::NoLeg, Timestamp::EPOCH);
        }
    }
}
