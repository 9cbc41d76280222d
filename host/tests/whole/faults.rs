//! Frames that are lost, doubled or broken, and answers that do not come or say nothing: no order
//! is doubled, no fill is lost, and what happened is counted.

use hotpit::ops::Status;
use hotpit_exchange::server::faults::{Fault, Kind};

use crate::support::{Floor, MAKER, Setup, books, counter, is_up, stream};

/// Counts something that must have grown after a fault.
type Count = fn(&Status) -> u64;

const GAPS: Count = |status| stream(status, "kalshi").gaps;
const MALFORMED: Count = |status| dropped(status, "malformed_frame");
const UNKNOWN: Count = |status| dropped(status, "unknown_frame");
const SNAPSHOTS: Count = |status| counter(status, "hotpit_book_changes_total", "snapshot");

fn dropped(status: &Status, reason: &str) -> u64 {
    counter(status, "hotpit_messages_dropped_total", reason)
}

/// Posts a fault, trades until it has hit as often as it can, and then until all is well again:
/// the desk has read the account since, so whatever waits for a second try has had it.
async fn suffer(floor: &Floor, fault: Fault) {
    let times = fault.times.expect("it ends");
    let what = format!("{fault:?}");
    let id = floor.exchange.post_fault(fault).await;
    floor
        .until_so(&format!("it hits: {what}"), async || {
            floor.hit().await;
            floor.exchange.hits(id) >= times
        })
        .await;
    floor.exchange.clear_fault(id);
    let over = floor.status().await.now;
    floor
        .until(&format!("all is well after {what}"), |status| {
            let desk = &status.desk;
            is_up(status, "kalshi")
                && desk.not_ready.is_none()
                && desk.unknown == 0
                && desk.compared.is_some_and(|compared| compared > over)
        })
        .await;
    floor.until_fills(1).await;
    println!("survived {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_cost_no_fill_and_no_book() {
    let mut floor = Floor::trading(&Setup::with(&MAKER)).await;
    let cases: &[(Kind, &str, u64, Option<Count>)] = &[
        (Kind::DropFrames, "orderbook_delta", 3, Some(GAPS)),
        (Kind::DropFrames, "orderbook_delta", 1, Some(SNAPSHOTS)),
        (Kind::DuplicateFrames, "orderbook_delta", 5, None),
        (Kind::MalformedFrames, "orderbook_delta", 2, Some(MALFORMED)),
        (Kind::UnknownType, "orderbook_delta", 2, Some(UNKNOWN)),
        (Kind::NumbersForStrings, "orderbook_delta", 2, None),
        (Kind::DropFrames, "trade", 2, None),
        (Kind::NumbersForStrings, "trade", 2, None),
        (Kind::DropFrames, "fill", 2, None),
        (Kind::DuplicateFrames, "fill", 3, None),
        (Kind::DelayFrames { ms: 300 }, "fill", 2, None),
        (Kind::MalformedFrames, "fill", 1, Some(MALFORMED)),
        (Kind::NumbersForStrings, "fill", 1, None),
        (Kind::DropFrames, "user_orders", 3, None),
        (Kind::DuplicateFrames, "user_orders", 3, None),
        (Kind::UnknownType, "user_orders", 2, Some(UNKNOWN)),
    ];
    for (kind, channel, times, count) in cases {
        let before = floor.status().await;
        suffer(&floor, Fault::new(*kind).on_channel(*channel).times(*times)).await;
        if let Some(count) = count {
            let what = format!("{kind:?} on {channel} is counted");
            floor.until(&what, |status| count(status) > count(&before)).await;
        }
    }
    floor.until_marked_right().await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_silent_is_made_anew() {
    let setup = Setup::with(&MAKER).line("feeds.kalshi", "silence_timeout_ms = 11_000");
    let mut floor = Floor::trading(&setup).await;
    let before = floor.status().await;
    // No frame comes, pings do: nothing but a fill that is heard of nowhere else can tell.
    floor.exchange.post_fault(Fault::new(Kind::Stall { ms: Some(4_000) })).await;
    let fills = books::read::<u64>(&floor.audit().await, "fills_count");
    floor
        .until_so("an order trades unheard", async || {
            floor.hit().await;
            books::read::<u64>(&floor.audit().await, "fills_count") > fills
        })
        .await;
    floor
        .until_so("its fill is read from the account", async || {
            let audit = floor.audit().await;
            floor.status().await.desk.fills == books::read::<u64>(&audit, "fills_count")
        })
        .await;
    floor.until("the gap is seen", |status| GAPS(status) > GAPS(&before)).await;
    floor.until_fills(2).await;
    floor.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_or_mad_double_no_order_and_lose_none() {
    let create = "POST /trade-api/v2/portfolio/events/orders";
    let cancel = "DELETE /trade-api/v2/portfolio/events/orders";
    let setup = Setup::with(&MAKER)
        .line("kalshi", "connect_timeout_ms = 500")
        .line("kalshi", "order_timeout_ms = 1_000");
    let mut floor = Floor::trading(&setup).await;
    let cases = [
        (Kind::GarbageAnswer, create, 3),
        (Kind::GarbageAnswer, cancel, 2),
        (Kind::Status { code: 503, applied: true }, create, 3),
        (Kind::Status { code: 500, applied: false }, create, 2),
        (Kind::Status { code: 502, applied: true }, cancel, 2),
        (Kind::Status { code: 503, applied: false }, cancel, 2),
        (Kind::LoseAnswer, create, 3),
        (Kind::LoseAnswer, cancel, 2),
        (Kind::DelayAnswer { ms: 1_500 }, create, 2),
        (Kind::DelayAnswer { ms: 1_500 }, cancel, 1),
        (Kind::TooManyRequests, create, 10),
        (Kind::TooManyRequests, cancel, 5),
        (Kind::TooManyRequests, "", 20),
        (Kind::GarbageAnswer, "GET /trade-api/v2/portfolio", 3),
        (Kind::Status { code: 500, applied: false }, "GET /trade-api/v2/portfolio", 3),
    ];
    for (kind, route, times) in cases {
        suffer(&floor, Fault::new(kind).on_route(route).times(times)).await;
    }
    let status = floor.stop().await;
    assert_eq!(status.desk.unknown, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_with_an_empty_side_is_not_quoted() {
    let mut floor = Floor::trading(&Setup::with(&MAKER)).await;
    let home = floor.home().await;
    let world = floor.freeze().await;
    floor
        .until_so("nothing of ours stands in a book without sellers", async || {
            floor.mark(&home, hotpit_units::Quantity::from_contracts(1)).await;
            let audit = floor.audit().await;
            let orders = audit["open_orders"].as_array().unwrap();
            floor.best(&home).await.1.is_none()
                && orders.iter().all(|order| order["ticker"] != home.as_str())
        })
        .await;
    floor.wake(world).await;
    floor.until_fills(2).await;
    floor.stop().await;
}
