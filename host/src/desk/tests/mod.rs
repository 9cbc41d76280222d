//! The desk as a whole. A [`Floor`] is a desk with a clock, a market and an agent.

mod books;
mod extremes;
mod limits;
mod order_groups;
mod orders;
mod page;
mod properties;
mod recovery;
mod revived;
mod risk;
mod shell;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::record::Halted;
use super::venue::{AccountSnapshot, CancelRequest, PlaceOutcome, PlaceRequest};
use super::{
    AgentLimits, Desk, Input, Limits, MarketView, OrderKey, Outputs, Record, Recovered, Request,
    Settings,
};
use crate::model::{
    Account, Action, AgentId, ClientOrderId, FeeSchedule, Level, Market, MarketId, MarketStatus,
    NewOrder, Notice, OrderId, OrderState, PriceGrid, Quote, TimeInForce, VenueFill, VenueOrder,
    VenueOrderStatus, VenuePosition, VenueSettlement,
};

pub(super) const TICKER: &str = "KX-1";
pub(super) const MARKET: MarketId = MarketId(7);
/// The shard of every market here.
pub(super) const SHARD: i32 = 3;
pub(super) const START: Timestamp = Timestamp::from_secs(1_000_000);

pub(super) fn agent() -> AgentId {
    "maker".into()
}

pub(super) fn cents(cents: u32) -> Price {
    Price::from_cents(cents)
}

pub(super) fn contracts(contracts: i64) -> Quantity {
    Quantity::from_contracts(contracts)
}

/// Cash on the one shard.
pub(super) fn on_shard(cash: Dollars) -> BTreeMap<i32, Dollars> {
    [(SHARD, cash)].into()
}

/// A market that trades, whose book is 40 at 60 cents.
pub(super) fn market(id: MarketId, ticker: &str) -> Market {
    Market {
        ticker: Arc::from(ticker),
        event_ticker: Arc::from("KX"),
        series_ticker: Arc::from("KXS"),
        title: format!("Market {}", id.0),
        yes_title: "Yes".to_owned(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: SHARD,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: false,
        strike_target: None,
    }
}

pub(super) fn view(now: Timestamp) -> MarketView {
    view_of(market(MARKET, TICKER), MARKET, now)
}

pub(super) fn view_of(market: Market, id: MarketId, now: Timestamp) -> MarketView {
    let level = |price| Some(Level { price: cents(price), quantity: contracts(100) });
    MarketView {
        id,
        market: Arc::new(market),
        quote: Quote { bid: level(40), ask: level(60) },
        synced: true,
        as_of: now,
        game_as_of: None,
    }
}

pub(super) fn order(number: u64, side: Side, price: u32, quantity: i64) -> NewOrder {
    NewOrder {
        order: OrderId(number),
        market: MARKET,
        side,
        price: cents(price),
        quantity: contracts(quantity),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
    }
}

pub(super) fn bid(number: u64, price: u32, quantity: i64) -> NewOrder {
    order(number, Side::Bid, price, quantity)
}

pub(super) fn ask(number: u64, price: u32, quantity: i64) -> NewOrder {
    order(number, Side::Ask, price, quantity)
}

/// Limits that only a test of them meets: the same order may come again and again.
pub(super) fn lenient() -> Limits {
    let dollars = Dollars::from_dollars;
    Limits {
        exposure: dollars(400),
        exposure_per_agent: dollars(300),
        exposure_per_event: dollars(400),
        exposure_per_series: dollars(400),
        open_orders_per_market: 200,
        duplicate_window_ms: 0,
        group_contracts: Quantity::ZERO,
        price_collar: Price::ONE,
        size_multiple_max: 1_000,
        fills_per_market: 1_000,
        daily_loss: dollars(1_000),
        daily_loss_per_agent: dollars(1_000),
        drawdown: dollars(1_000),
        drawdown_per_agent: dollars(1_000),
        ..Limits::default()
    }
}

/// The defaults, without order groups: an order is sent as soon as it is approved.
pub(super) fn ungrouped() -> Settings {
    let limits = Limits { group_contracts: Quantity::ZERO, ..Limits::default() };
    Settings { limits, ..Settings::default() }
}

/// A desk at work, with what it put out last.
pub(super) struct Floor {
    pub(super) desk: Desk,
    pub(super) now: Timestamp,
    pub(super) out: Outputs,
}

/// What the exchange knows of an order that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) key: OrderKey,
    pub(super) request: PlaceRequest,
}

impl Floor {
    /// A desk that was just made and has not read the account.
    pub(super) fn cold(settings: Settings, recovered: Recovered) -> Self {
        let mut out = Outputs::default();
        let desk = Desk::new(settings, "test".to_owned(), recovered, START, &mut out);
        Self { desk, now: START, out }
    }

    /// A desk that is ready, with $1,000, a market and an agent.
    pub(super) fn open() -> Self {
        Self::with_limits(lenient())
    }

    /// The same, of a market of which nothing but its name is known.
    pub(super) fn cold_market(limits: Limits) -> Self {
        let settings = Settings { limits, ..Settings::default() };
        let mut floor = Self::cold(settings, Recovered { runs: 1, ..Recovered::default() });
        floor.make_ready();
        floor
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        let settings = Settings { limits, ..Settings::default() };
        let mut floor = Self::cold(settings, Recovered { runs: 1, ..Recovered::default() });
        floor.make_ready();
        floor.apply(Input::Market(view(floor.now)));
        floor
    }

    fn make_ready(&mut self) {
        self.apply(Input::Connected);
        self.apply(Input::Account(Ok(self.snapshot())));
        self.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
        assert_eq!(self.desk.report().not_ready, None);
    }

    pub(super) fn apply(&mut self, input: Input) {
        self.out.clear();
        self.desk.apply(input, self.now, &mut self.out);
    }

    /// Lets time pass, ticking every 100 ms; what was put out meanwhile is kept together.
    pub(super) fn pass(&mut self, duration: Duration) {
        self.out.clear();
        let end = self.now + duration;
        while self.now < end {
            self.now = self.now + Duration::from_millis(100);
            self.desk.apply(Input::Tick, self.now, &mut self.out);
        }
    }

    /// An account as the exchange would tell it now if it held nothing but cash.
    pub(super) fn snapshot(&self) -> AccountSnapshot {
        AccountSnapshot {
            requested_at: self.now,
            resting: Vec::new(),
            fills: Vec::new(),
            positions: Vec::new(),
            settlements: Vec::new(),
            balances: on_shard(Dollars::from_dollars(1_000)),
        }
    }

    pub(super) fn act(&mut self, actions: &[Action]) {
        self.apply(Input::Market(view(self.now)));
        self.apply(Input::Actions { agent: agent(), actions: actions.to_vec() });
    }

    /// Places an order that must be approved.
    pub(super) fn place(&mut self, order: NewOrder) -> Sent {
        self.apply(Input::Market(view(self.now)));
        self.place_as_is(order)
    }

    /// The same, in a market that was seen already.
    pub(super) fn place_as_is(&mut self, order: NewOrder) -> Sent {
        self.apply(Input::Actions { agent: agent(), actions: vec![Action::Place(order)] });
        match self.out.requests.as_slice() {
            [Request::Place { order, approved }] => {
                Sent { key: *order, request: approved.request().clone() }
            }
            other => panic!("not sent: {other:?}, {:?}", self.out.notices),
        }
    }

    /// Places an order that the exchange accepts.
    pub(super) fn rest(&mut self, order: NewOrder) -> Sent {
        let sent = self.place(order);
        self.apply(Input::Placed { order: sent.key, outcome: accepted(&sent, 0) });
        sent
    }

    /// The reason why an intent is denied.
    pub(super) fn denied(&mut self, order: NewOrder) -> String {
        self.apply(Input::Actions { agent: agent(), actions: vec![Action::Place(order)] });
        assert_eq!(self.out.requests, [], "{order:?}");
        match self.out.notices.as_slice() {
            [(_, Notice::Order(update))] if update.state == OrderState::Denied => {
                update.reason.clone()
            }
            other => panic!("not denied: {other:?}"),
        }
    }

    /// The state of an order, as the agent was told last.
    pub(super) fn told(&self) -> Vec<OrderState> {
        self.out
            .notices
            .iter()
            .filter_map(|(_, notice)| match notice {
                Notice::Order(update) => Some(update.state),
                Notice::Fill(_) => None,
            })
            .collect()
    }

    pub(super) fn account(&self) -> Account {
        self.desk.account(&agent())
    }

    /// The agent's position in the market.
    pub(super) fn position(&self) -> Quantity {
        self.account().positions.first().map_or(Quantity::ZERO, |position| position.quantity)
    }

    pub(super) fn working(&self) -> Vec<(OrderState, Quantity)> {
        let orders = self.account().open_orders;
        orders.iter().map(|order| (order.state, order.remaining)).collect()
    }

    pub(super) fn cancels(&self) -> Vec<&CancelRequest> {
        self.out
            .requests
            .iter()
            .filter_map(|request| match request {
                Request::Cancel { request, .. } => Some(request),
                Request::Place { .. }
                | Request::Group { .. }
                | Request::Find { .. }
                | Request::Recall { .. }
                | Request::ReadAccount { .. } => None,
            })
            .collect()
    }

    pub(super) fn finds(&self) -> usize {
        self.out.requests.iter().filter(|request| matches!(request, Request::Find { .. })).count()
    }

    pub(super) fn reads(&self) -> usize {
        self.out
            .requests
            .iter()
            .filter(|request| matches!(request, Request::ReadAccount { .. }))
            .count()
    }

    /// Fees apart: those of [`filled`] are no schedule's.
    pub(super) fn differences(&self) -> Vec<&str> {
        self.out
            .records
            .iter()
            .filter_map(|record| match record {
                Record::Difference(found) if found.kind != "fee" => Some(&*found.kind),
                _ => None,
            })
            .collect()
    }
}

/// The exchange's name for the order of a client order id.
pub(super) fn venue_name(client_order_id: &ClientOrderId) -> String {
    format!("venue-{client_order_id}")
}

/// A 201 after `filled` contracts traded at once, the rest resting.
pub(super) fn accepted(sent: &Sent, filled: i64) -> PlaceOutcome {
    PlaceOutcome::Accepted {
        venue_order_id: venue_name(&sent.request.client_order_id).into(),
        filled: contracts(filled),
        remaining: sent.request.quantity - contracts(filled),
    }
}

/// A report of the private channel.
pub(super) fn reported(sent: &Sent, status: VenueOrderStatus, filled: i64) -> VenueOrder {
    let request = &sent.request;
    let remaining = match status {
        VenueOrderStatus::Resting => request.quantity - contracts(filled),
        VenueOrderStatus::Canceled | VenueOrderStatus::Executed | VenueOrderStatus::Unknown => {
            Quantity::ZERO
        }
    };
    VenueOrder {
        venue_order_id: venue_name(&request.client_order_id).into(),
        client_order_id: Some(request.client_order_id.clone()),
        ticker: Arc::clone(&request.ticker),
        side: request.side,
        price: request.price,
        status,
        filled: contracts(filled),
        remaining,
        reason: None,
        exchange_index: request.exchange_index,
        ts: None,
    }
}

/// A fill at the order's limit, with our name for the order, as the private channel sends it.
pub(super) fn filled(sent: &Sent, id: &str, quantity: i64, now: Timestamp) -> VenueFill {
    VenueFill {
        fill_id: Arc::from(id),
        venue_order_id: venue_name(&sent.request.client_order_id).into(),
        client_order_id: Some(sent.request.client_order_id.clone()),
        ticker: Arc::clone(&sent.request.ticker),
        side: sent.request.side,
        price: sent.request.price,
        quantity: contracts(quantity),
        fee: Dollars::from_raw(10_000),
        taker: true,
        ts: now,
    }
}

pub(super) fn held(ticker: &str, quantity: i64) -> VenuePosition {
    VenuePosition { ticker: Arc::from(ticker), quantity: contracts(quantity) }
}
