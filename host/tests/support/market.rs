//! [`market`]: a market that trades, for whoever needs one.
#![allow(dead_code, unreachable_pub, reason = "each test that includes this uses its own part")]

use hotpit::model::{FeeSchedule, Market, MarketStatus, PriceGrid, Trade};
use hotpit_units::{Price, Quantity, Side, Timestamp};

/// A market of the event and series `KX` that trades in whole cents.
pub fn market(ticker: &str) -> Market {
    Market {
        ticker: ticker.into(),
        event_ticker: "KX".into(),
        series_ticker: "KX".into(),
        title: "x".into(),
        yes_title: "x".into(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: false,
        strike_target: None,
    }
}

/// A trade of one contract in the market `KX-1`.
pub fn trade(number: u64) -> Trade {
    Trade {
        trade_id: number.to_string().into(),
        ticker: "KX-1".into(),
        price: Price::from_cents(41),
        quantity: Quantity::from_contracts(1),
        taker: Side::Bid,
        ts: Timestamp::from_secs(1),
    }
}
