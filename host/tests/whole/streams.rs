//! Everything that can go wrong between the exchange and the feed, one after the other: what the
//! host does, and how long until it trades on right books again.

use std::time::{Duration, Instant};

use hotpit::ops::Status;
use hotpit_exchange::server::faults::{Fault, Kind};
use hotpit_rt::Clock;

use crate::support::{Floor, MAKER, Setup, counter, is_up, stream};

/// What a fault is to do to the host.
type Expected = fn(&Status, &Status) -> bool;

struct Case {
    what: &'static str,
    faults: Vec<Fault>,
    expected: Expected,
}

fn case(what: &'static str, faults: impl Into<Vec<Fault>>, expected: Expected) -> Case {
    Case { what, faults: faults.into(), expected }
}

fn connects(status: &Status) -> u64 {
    stream(status, "kalshi").connects
}

fn gaps(status: &Status) -> u64 {
    stream(status, "kalshi").gaps
}

fn snapshots(status: &Status) -> u64 {
    counter(status, "hotpit_book_changes_total", "snapshot")
}

fn dropped(status: &Status, reason: &str) -> u64 {
    counter(status, "hotpit_messages_dropped_total", reason)
}

/// Recovered over the same connection, from a loss that was seen.
const IN_PLACE: Expected = |before, after| {
    gaps(after) > gaps(before)
        && snapshots(after) >= snapshots(before) + 2
        && connects(after) == connects(before)
};

/// Recovered over another connection.
const ANEW: Expected =
    |before, after| connects(after) > connects(before) && snapshots(after) >= snapshots(before) + 2;

/// Nothing had to be recovered.
const UNMOVED: Expected =
    |before, after| connects(after) == connects(before) && snapshots(after) == snapshots(before);

fn cases() -> Vec<Case> {
    let books = |kind| Fault::new(kind).on_channel("orderbook_delta");
    let all = "GET /trade-api/v2";
    vec![
        case("a frame is lost", [books(Kind::DropFrames).times(1)], IN_PLACE),
        case("many frames are lost", [books(Kind::DropFrames).times(20)], IN_PLACE),
        case("frames come twice", [books(Kind::DuplicateFrames).times(20)], |before, after| {
            UNMOVED(before, after)
                && dropped(after, "duplicate_frame") >= dropped(before, "duplicate_frame") + 20
        }),
        case("frames change places", [books(Kind::SwapFrames).times(1)], |before, after| {
            IN_PLACE(before, after)
                && dropped(after, "duplicate_frame") > dropped(before, "duplicate_frame")
        }),
        case("a frame is cut off", [books(Kind::MalformedFrames).times(1)], |before, after| {
            IN_PLACE(before, after)
                && dropped(after, "malformed_frame") > dropped(before, "malformed_frame")
        }),
        case("the reader is too slow", [books(Kind::Overflow).times(1)], |before, after| {
            snapshots(after) >= snapshots(before) + 2 && connects(after) == connects(before)
        }),
        case(
            "frames come half a second late",
            [books(Kind::DelayFrames { ms: 500 }).times(20)],
            UNMOVED,
        ),
        case("pings come and nothing else", [Fault::new(Kind::Stall { ms: Some(12_000) })], ANEW),
        case("nothing passes, and nobody says so", [Fault::new(Kind::FreezeConnections)], ANEW),
        case(
            "reads fail",
            [Fault::new(Kind::Status { code: 503, applied: false }).on_route(all).times(6)],
            |before, after| {
                let failures = |status| stream(status, "kalshi rest").failures;
                UNMOVED(before, after) && failures(after) >= failures(before) + 6
            },
        ),
        case(
            "reads are too many",
            [Fault::new(Kind::TooManyRequests).on_route(all).times(20)],
            UNMOVED,
        ),
        case("the connection is cut", [Fault::new(Kind::CloseConnections)], ANEW),
        case("the exchange restarts", [Fault::new(Kind::Restart { ms: 1_000 })], ANEW),
        case(
            "it restarts while subscribing",
            [Fault::new(Kind::Stall { ms: Some(1_500) }), Fault::new(Kind::Restart { ms: 200 })],
            ANEW,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_stream_it_recovers() {
    let setup = Setup::with(&MAKER)
        .line("feeds.kalshi", "command_timeout_ms = 1_000")
        .line("kalshi", "connect_timeout_ms = 500")
        .line("kalshi", "left_alone_ms = 500")
        .line("kalshi", "read_timeout_ms = 2_000")
        .line("kalshi", "order_timeout_ms = 1_000");
    let mut floor = Floor::trading(&setup).await;
    for Case { what, faults, expected } in cases() {
        let before = floor.until(what, is_well).await;
        let began = Instant::now();
        let mut posted = vec![];
        for fault in faults {
            posted.push((fault.times.unwrap_or(0), floor.exchange.post_fault(fault).await));
        }
        floor
            .until_so(&format!("{what}: it happens"), async || {
                floor.hit().await;
                let mut all = true;
                for (times, id) in &posted {
                    all &= floor.exchange.hits(*id) >= *times;
                }
                all
            })
            .await;
        floor.until(what, |status| is_well(status) && expected(&before, status)).await;
        println!("{:>6} ms  {what}", began.elapsed().as_millis());
        for (_, id) in posted {
            floor.exchange.clear_fault(id);
        }
    }
    floor.until_fills(2).await;
    floor.until_marked_right().await;
    floor.stop().await;
}

/// The stream is up, every book is synced, and the desk would trade.
fn is_well(status: &Status) -> bool {
    is_up(status, "kalshi")
        && is_up(status, "kalshi rest")
        && status.books.synced >= 2
        && status.books.stale == 0
        && status.desk.not_ready.is_none()
        && status.desk.unknown == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_half_a_minute_wrong_is_seen_and_harms_no_book() {
    const WRONG: Duration = Duration::from_secs(30);
    let now = Clock::system().now();
    let behind = hotpit_units::Timestamp::from_nanos(now.as_nanos() - 30_000_000_000);
    for (clock, sign) in [(Clock::simulated(now + WRONG), -1), (Clock::simulated(behind), 1)] {
        let setup = Setup::with(&MAKER)
            .exchange_clock(clock)
            .line("desk.limits", "clock_skew_ms_max = 60_000");
        let mut floor = Floor::trading(&setup).await;
        let status = floor
            .until("the difference is known", |status| {
                let skew = stream(status, "kalshi").skew_ms.unwrap_or(0);
                is_well(status) && (skew - sign * 30_000).abs() < 1_500
            })
            .await;
        assert!(stream(&status, "kalshi").delay_ms < 1_500, "{:?}", status.streams);
        floor.until_fills(2).await;
        let after = floor.status().await;
        assert_eq!(connects(&after), connects(&status), "nothing was made anew");
        floor.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_the_exchange_does_not_take_is_named() {
    let setup = Setup::with(&MAKER)
        .exchange_clock(Clock::simulated(Clock::system().now() + Duration::from_secs(30)))
        .tolerance(Duration::from_secs(5));
    let mut floor = Floor::open(&setup).await;
    floor.start_host().await;
    floor
        .until("the host says why", |status| {
            let kalshi = status.streams.iter().find(|line| line.name == "kalshi");
            let reason = kalshi.and_then(|line| line.reason.as_deref()).unwrap_or_default();
            reason.contains("our clock is about") && reason.contains("behind the exchange's")
        })
        .await;
    floor.end().await;
}
