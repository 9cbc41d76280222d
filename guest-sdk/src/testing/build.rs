//! Short ways to write values in tests, and to read actions.

use hotpit_units::{Price, Quantity, Timestamp};

use crate::{
    Action, GameId, GameInfo, Level, Market, MarketId, MarketStatus, NewOrder, OrderId, PriceGrid,
    Team,
};

/// A price in whole cents.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// assert_eq!(cents(42), "0.42".parse::<Price>()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub const fn cents(cents: u32) -> Price {
    Price::from_cents(cents)
}

/// A quantity in whole contracts.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// assert_eq!(cents(40) * contracts(5), Dollars::from_dollars(2));
/// assert!(contracts(-5).is_negative(), "short");
/// ```
#[must_use]
pub const fn contracts(contracts: i64) -> Quantity {
    Quantity::from_contracts(contracts)
}

/// A level, in whole cents and contracts.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// let book = OrderBook { bids: vec![level(40, 7)], asks: vec![level(43, 9)], synced: true };
/// assert_eq!(book.best(Side::Ask).map(|best| best.price), Some(cents(43)));
/// ```
#[must_use]
pub const fn level(price_cents: u32, quantity_contracts: i64) -> Level {
    Level { price: cents(price_cents), quantity: contracts(quantity_contracts) }
}

/// An active market with a grid of whole cents; its event and series are what the ticker says.
/// For [`Harness::market_with`](crate::testing::Harness::market_with), which gives it its handle.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Buyer { quotes: u32 }
/// # impl Agent for Buyer {
/// #     type Params = ();
/// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #         self.quotes += 1;
/// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
/// #     }
/// # }
/// let sea = Market { yes_title: "Seattle".into(), ..market("KXNFLGAME-26SEP09NESEA-SEA") };
/// assert_eq!(sea.event_ticker, "KXNFLGAME-26SEP09NESEA");
/// assert_eq!(sea.series_ticker, "KXNFLGAME");
/// let mut harness = Harness::<Buyer>::new().market_with(sea);
/// assert_eq!(harness.quote("KXNFLGAME-26SEP09NESEA-SEA", cents(40), cents(42)).len(), 1);
/// ```
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
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// let shorter = GameInfo { period_ms: 12 * 60 * 1_000, ..game("nba", "BOS", "LAL") };
/// assert_eq!(shorter.home.abbreviation, "BOS");
/// assert_eq!(u32::from(shorter.periods) * shorter.period_ms, 48 * 60 * 1_000);
/// ```
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
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Buyer { quotes: u32 }
/// # impl Agent for Buyer {
/// #     type Params = ();
/// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #         self.quotes += 1;
/// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
/// #     }
/// # }
/// # let mut harness = Harness::<Buyer>::new().market("KX-1");
/// let orders = placed(&harness.quote("KX-1", cents(40), cents(42)));
/// assert_eq!(orders.len(), 1);
/// assert_eq!((orders[0].price, orders[0].quantity), (cents(42), contracts(5)));
/// ```
#[must_use]
pub fn placed(actions: &[Action]) -> Vec<NewOrder> {
    let place = |action: &Action| match action {
        Action::Place(order) => Some(*order),
        Action::Cancel(_) | Action::CancelAll(_) | Action::WakeAt(_) => None,
    };
    actions.iter().filter_map(place).collect()
}

/// The orders that actions cancel by their number.
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Mine;
/// # impl Agent for Mine {
/// #     type Params = ();
/// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
/// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
/// # }
/// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
///     ctx.cancel(fill.order);
/// }
/// # }
/// # let mut harness = Harness::<Mine>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// assert_eq!(canceled(&harness.fill(order, contracts(2))), [order]);
/// ```
#[must_use]
pub fn canceled(actions: &[Action]) -> Vec<OrderId> {
    let cancel = |action: &Action| match action {
        Action::Cancel(order) => Some(*order),
        Action::Place(_) | Action::CancelAll(_) | Action::WakeAt(_) => None,
    };
    actions.iter().filter_map(cancel).collect()
}
