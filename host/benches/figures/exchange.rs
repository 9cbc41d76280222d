//! The practice exchange with one quiet market, whose best bid moves when told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_exchange::core::{
    AccountId, AccountKind, Event, FeeSchedule, FeeType, MarketKey, MarketSpec, NewOrder,
    PriceGrid, Series,
};
use hotpit_exchange::server::{AccountSettings, Floor, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Price, Quantity, Side};

use crate::feed::TICKER;

const SERIES: &str = "KXNFLGAME";
const EVENT: &str = "KXNFLGAME-26NOV22NESEA";

/// An exchange with one member, on a free port. The book is 40 at 60 cents.
pub(crate) struct QuietExchange {
    pub(crate) handle: Arc<Handle>,
    market: MarketKey,
    /// Who moves the best bid.
    mover: AccountId,
}

impl QuietExchange {
    pub(crate) async fn open(member: AccountSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let settings = Settings { accounts: vec![member], scenario: None, ..Settings::default() };
        let handle = start(settings, listener, Clock::system(), Entropy::seeded(7)).await.unwrap();
        let (market, mover) = handle.with_floor(list).await.unwrap();
        Self { handle: Arc::new(handle), market, mover }
    }

    /// Moves the best bid, to 41 cents or back: one change of one level.
    pub(crate) async fn tick(&self, up: bool) {
        let (market, mover) = (self.market, self.mover);
        let job = move |floor: &mut Floor| {
            let now = floor.now();
            if up {
                let count = Quantity::from_contracts(10);
                let order = NewOrder::limit(market, Side::Bid, Price::from_cents(41), count);
                floor.exchange.create_order(now, mover, order).unwrap();
            } else {
                floor.exchange.cancel_all(now, mover, Some(market)).unwrap();
            }
        };
        self.handle.with_floor(job).await.unwrap();
    }
}

fn list(floor: &mut Floor) -> (MarketKey, AccountId) {
    let series = Series {
        ticker: SERIES.into(),
        title: "Games".into(),
        category: "Sports".into(),
        tags: vec!["Football".into()],
        frequency: "custom".into(),
        fees: FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 },
        exchange_index: 0,
    };
    floor.exchange.list_series(series).unwrap();
    let event = Event {
        ticker: EVENT.into(),
        series_ticker: SERIES.into(),
        title: "New England at Seattle Winner?".into(),
        sub_title: "NE at SEA (Nov 22)".into(),
        mutually_exclusive: true,
        collateral_return_type: "MECNET".into(),
        product_metadata: BTreeMap::new(),
        exchange_index: 0,
        fee_override: None,
    };
    floor.exchange.list_event(event).unwrap();
    let now = floor.now();
    let spec = MarketSpec {
        ticker: TICKER.into(),
        event_ticker: EVENT.into(),
        title: "New England at Seattle Winner?".into(),
        yes_sub_title: "Seattle".into(),
        no_sub_title: "Seattle".into(),
        rules_primary: "If Seattle wins, then the market resolves to Yes.".into(),
        strike_type: "structured".into(),
        custom_strike: BTreeMap::new(),
        grid: PriceGrid::linear_cent(),
        open_time: now,
        close_time: now + Duration::from_secs(86_400),
        expected_expiration_time: now + Duration::from_secs(40_000),
        occurrence_time: now + Duration::from_secs(30_000),
    };
    let market = floor.exchange.list_market(now, spec).unwrap();
    let [maker, mover] = [(); 2].map(|()| {
        let account = floor.exchange.open_account(AccountKind::Background);
        floor.exchange.deposit(account, 0, Dollars::from_dollars(1_000_000));
        account
    });
    for (side, cents) in [(Side::Bid, 40), (Side::Ask, 60)] {
        let count = Quantity::from_contracts(100);
        let order = NewOrder::limit(market, side, Price::from_cents(cents), count);
        floor.exchange.create_order(now, maker, order).unwrap();
    }
    (market, mover)
}
