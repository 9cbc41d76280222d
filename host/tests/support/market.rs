//! [`market`]: a market that trades, for whoever needs one.
#![allow(dead_code, unreachable_pub, reason = "each test that includes this uses its own part")]

use hotpit::model::{FeeSchedule, Market, MarketStatus, PriceGrid};

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
