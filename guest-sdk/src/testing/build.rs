//! Short ways to write values in tests, and to read actions.

use hotpit_units::{Price, Quantity, Timestamp};

use crate::{
    Action, GameId, GameInfo, Level, Market, MarketId, MarketStatus, NewOrder, OrderId, PriceGrid,
    Team,
};

/// A price in whole cents.
#[must_use]
pub const fn cents(cents: u32) -> Price {
    Price::from_cents(cents)
}

/// A quantity in whole contracts.
#[must_use]
pub const fn contracts(contracts: i64) -> Quantity {
    Quantity::from_contracts(contracts)
}

/// A level, in whole cents and contracts.
#[must_use]
pub const fn level(price_cents: u32, quantity_contracts: i64) -> Level {
    Level { price: cents(price_cents), quantity: contracts(quantity_contracts) }
}

/// An active market with a grid of whole cents; its event and series are what the ticker says.
/// For [`Harness::market_with`](crate::testing::Harness::market_with), which gives it its handle.
#[must_use]
pub fn market(ticker: &str) -> Market {
    let event_ticker = ticker.rsplit_once('-').map_or(ticker, |(event, _)| event);
    Market {
        id: MarketId(0),
        ticker: ticker.into(),
        event_ticker: event_ticker.into(),
        series_ticker: ticker.split('-').next().unwrap_or_default().into(),
        title: format!("What becomes of {ticker}?"),
        yes_title: ticker.into(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        close_time: None,
    }
}

/// A game of four quarters of fifteen minutes, without markets. For
/// [`Harness::game_with`](crate::testing::Harness::game_with), which gives it its handle.
#[must_use]
pub fn game(league: &str, home: &str, away: &str) -> GameInfo {
    let team = |abbreviation: &str| Team {
        name: format!("The {abbreviation}s"),
        abbreviation: abbreviation.into(),
    };
    GameInfo {
        id: GameId(0),
        league: league.into(),
        home: team(home),
        away: team(away),
        start: Timestamp::EPOCH,
        periods: 4,
        period_ms: 15 * 60 * 1_000,
        markets: Vec::new(),
    }
}

/// The orders among actions.
#[must_use]
pub fn placed(actions: &[Action]) -> Vec<NewOrder> {
    let place = |action: &Action| match action {
        Action::Place(order) => Some(*order),
        Action::Cancel(_) | Action::CancelAll(_) | Action::WakeAt(_) => None,
    };
    actions.iter().filter_map(place).collect()
}

/// The orders that actions cancel by their number.
#[must_use]
pub fn canceled(actions: &[Action]) -> Vec<OrderId> {
    let cancel = |action: &Action| match action {
        Action::Cancel(order) => Some(*order),
        Action::Place(_) | Action::CancelAll(_) | Action::WakeAt(_) => None,
    };
    actions.iter().filter_map(cancel).collect()
}
