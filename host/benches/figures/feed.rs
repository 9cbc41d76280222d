//! From the text of a frame to the cache.

use std::hint::black_box;
use std::sync::Arc;

use hotpit::bus::{Delta, Message, Snapshot};
use hotpit::cache::Cache;
use hotpit::feeds::kalshi::wire::{Body, NoScale, parse};
use hotpit::model::{FeeSchedule, Level, Market, MarketStatus, PriceGrid};
use hotpit_units::{Price, Quantity, Side, Timestamp};

use crate::measure::{figure, median_ns};

pub(crate) const TICKER: &str = "KXNFLGAME-26NOV22NESEA-SEA";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

pub(crate) const DELTA: &str = r#"{"type":"orderbook_delta","sid":2,"seq":3,"msg":{"market_ticker":"KXNFLGAME-26NOV22NESEA-SEA","market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1","price_dollars":"0.4000","delta_fp":"54.00","side":"yes","ts":"2026-11-22T20:44:01.123456Z","ts_ms":1795380241123}}"#;

pub(crate) const TRADE: &str = r#"{"type":"trade","sid":11,"seq":2,"msg":{"trade_id":"d91bc706-ee49-470d-82d8-11418bda6fed","market_ticker":"KXNFLGAME-26NOV22NESEA-SEA","yes_price_dollars":"0.3600","no_price_dollars":"0.6400","count_fp":"136.00","taker_side":"no","taker_outcome_side":"no","taker_book_side":"ask","is_block_trade":false,"ts":1669149841,"ts_ms":1669149841000}}"#;

const STATISTICS: &str = r#"{"type":"ticker","sid":11,"msg":{"market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1","market_ticker":"KXNFLGAME-26NOV22NESEA-SEA","price_dollars":"0.4800","yes_bid_dollars":"0.4500","yes_ask_dollars":"0.5300","volume_fp":"33896.00","open_interest_fp":"20422.00","dollar_volume":16948,"dollar_open_interest":10211,"yes_bid_size_fp":"300.00","yes_ask_size_fp":"150.00","last_trade_size_fp":"25.00","ts":1669149841,"ts_ms":1669149841000,"time":"2022-11-22T20:44:01Z"}}"#;

/// Levels on each side of a snapshot.
const SNAPSHOT_DEPTH: u32 = 50;
/// Levels on each side of the book.
const DEPTH: u32 = 20;

pub(crate) fn print() {
    let ticker: Arc<str> = TICKER.into();
    figure("decode_delta", median_ns(|| drop(black_box(decode(black_box(DELTA), &ticker)))), "ns");
    let text = snapshot_frame();
    figure(
        "decode_snapshot_100_levels",
        median_ns(|| drop(black_box(decode(&text, &ticker)))),
        "ns",
    );
    let statistics = || drop(black_box(decode(black_box(STATISTICS), &ticker)));
    figure("decode_ticker", median_ns(statistics), "ns");
    figure("decode_trade", median_ns(|| drop(black_box(decode(black_box(TRADE), &ticker)))), "ns");

    let cache = Cache::default();
    cache.apply(&Message::Market(Arc::new(market(&ticker))), NOW);
    cache.apply(&Message::Snapshot(book(&ticker)), NOW);
    let mut grows = false;
    let apply = || {
        grows = !grows;
        let contracts = if grows { 54 } else { -54 };
        let message = delta(&ticker, 40, contracts);
        black_box(cache.apply(&message, NOW));
    };
    figure("cache_apply", median_ns(apply), "ns");
}

/// A frame as the feed turns it into a message of the bus.
pub(crate) fn decode(text: &str, ticker: &Arc<str>) -> Message {
    match parse(text).unwrap().body {
        Body::Delta(delta) => {
            Message::Delta(delta.message(ticker.clone(), NoScale::YesLeg, NOW).unwrap())
        }
        Body::Snapshot(snapshot) => {
            Message::Snapshot(snapshot.message(ticker.clone(), NoScale::YesLeg, NOW).unwrap())
        }
        Body::Trade(trade) => Message::Trade(trade.message(ticker.clone(), NOW).unwrap()),
        Body::Statistics(statistics) => {
            Message::Statistics(statistics.message(ticker.clone(), NOW))
        }
        other => panic!("not market data: {other:?}"),
    }
}

fn snapshot_frame() -> String {
    let side = |first: u32| {
        let level = |number| format!(r#"["0.{:02}00","{number}00.00"]"#, first + number);
        (1..=SNAPSHOT_DEPTH).map(level).collect::<Vec<_>>().join(",")
    };
    format!(
        r#"{{"type":"orderbook_snapshot","sid":2,"seq":2,"msg":{{"market_ticker":"{TICKER}","market_id":"9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1","yes_dollars_fp":[{}],"no_dollars_fp":[{}]}}}}"#,
        side(0),
        side(49),
    )
}

/// The market, trading.
pub(crate) fn market(ticker: &Arc<str>) -> Market {
    Market {
        ticker: ticker.clone(),
        event_ticker: "KXNFLGAME-26NOV22NESEA".into(),
        series_ticker: "KXNFLGAME".into(),
        title: "New England at Seattle Winner?".to_owned(),
        yes_title: "Seattle".to_owned(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: true,
        strike_target: None,
    }
}

/// Its book: 40 at 51 cents.
pub(crate) fn book(ticker: &Arc<str>) -> Snapshot {
    let level =
        |cents| Level { price: Price::from_cents(cents), quantity: Quantity::from_contracts(100) };
    Snapshot {
        ticker: ticker.clone(),
        bids: (0..DEPTH).map(|number| level(40 - number)).collect(),
        asks: (0..DEPTH).map(|number| level(51 + number)).collect(),
        ts: NOW,
    }
}

fn delta(ticker: &Arc<str>, cents: u32, contracts: i64) -> Message {
    Message::Delta(Delta {
        ticker: ticker.clone(),
        side: Side::Bid,
        price: Price::from_cents(cents),
        delta: Quantity::from_contracts(contracts),
        ts: NOW,
    })
}
