//! The component side: the generated bindings, and the conversions between their types and ours.

use std::cell::RefCell;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use self::bindings::exports::hotpit::agent::guest as exported;
use self::bindings::hotpit::agent::{games, markets, portfolio, types};
use crate::codes::{GameStatus, GapCause, MarketStatus, OrderState, Outcome};
use crate::host::Host;
use crate::manifest::{Manifest, Subscription};
use crate::runner::Runner;
use crate::{
    Action, Agent, Event, Fill, Game, GameId, GameInfo, GameMarket, Gap, Level, Market,
    MarketChange, MarketId, NewOrder, OpenOrder, OrderBook, OrderId, OrderUpdate, Parameter,
    Position, Possession, PriceGrid, PriceRange, Quote, Situation, Statistics, Team, TimeInForce,
    Trade,
};

/// What `wit-bindgen` makes of the contract.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, clippy::restriction)]
pub mod bindings {
    wit_bindgen::generate!({ path: "../wit", world: "agent", pub_export_macro: true });
}

/// Exports an agent's four functions. The instance lives in a thread local: a component has one
/// thread, and one agent.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_component {
    ($agent:ty) => {
        const _: () = {
            use $crate::__private::bindings::exports::hotpit::agent::guest;

            ::std::thread_local! {
                static RUNNER: ::std::cell::RefCell<Option<$crate::__private::Runner<$agent>>> =
                    const { ::std::cell::RefCell::new(None) };
            }

            struct Component;

            impl guest::Guest for Component {
                fn describe() -> guest::Manifest {
                    $crate::__private::describe::<$agent>(
                        ::core::env!("CARGO_PKG_NAME"),
                        ::core::env!("CARGO_PKG_VERSION"),
                    )
                }

                fn start(
                    parameters: ::std::vec::Vec<(::std::string::String, ::std::string::String)>,
                    restored: ::core::option::Option<::std::vec::Vec<u8>>,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    let version = ::core::env!("CARGO_PKG_VERSION");
                    RUNNER.with(|slot| {
                        $crate::__private::start(slot, version, &parameters, restored.as_deref())
                    })
                }

                fn on_events(
                    now: guest::Timestamp,
                    events: ::std::vec::Vec<guest::Event>,
                ) -> ::std::vec::Vec<guest::Action> {
                    RUNNER.with(|slot| $crate::__private::on_events(slot, now, events))
                }

                fn save() -> ::std::vec::Vec<u8> {
                    RUNNER.with($crate::__private::save)
                }
            }

            $crate::__private::bindings::export!(
                Component with_types_in $crate::__private::bindings
            );
        };
    };
}

type Slot<A> = RefCell<Option<Runner<A>>>;

/// Sends the message of a panic to the host: without it a panic is a bare `unreachable` trap.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("(no message)");
        let text = match panic.location() {
            Some(location) => format!("{message}, at {location}"),
            None => message.to_owned(),
        };
        bindings::hotpit::agent::log::panicked(&text);
    }));
}

/// The export `describe`.
#[doc(hidden)]
pub fn describe<A: Agent>(name: &str, version: &str) -> exported::Manifest {
    install_panic_hook();
    let manifest = Manifest::of::<A>(name, version);
    exported::Manifest {
        name: manifest.name,
        version: manifest.version,
        subscriptions: manifest.subscriptions.into_iter().map(Into::into).collect(),
        parameters: manifest.parameters.into_iter().map(Into::into).collect(),
        requires: manifest.requires.iter().map(|word| word.as_str().into()).collect(),
    }
}

/// The export `start`.
#[doc(hidden)]
pub fn start<A: Agent>(
    slot: &Slot<A>,
    version: &'static str,
    parameters: &[(String, String)],
    restored: Option<&[u8]>,
) -> Result<(), String> {
    install_panic_hook();
    let runner = Runner::start(Box::new(Imports), version, parameters, restored)?;
    slot.replace(Some(runner));
    Ok(())
}

/// The export `on-events`. A batch before a start has nobody to take it and does nothing.
#[doc(hidden)]
pub fn on_events<A: Agent>(
    slot: &Slot<A>,
    now: u64,
    events: Vec<types::Event>,
) -> Vec<types::Action> {
    let mut slot = slot.borrow_mut();
    let Some(runner) = slot.as_mut() else {
        crate::error!("the host sent a batch before it started the agent");
        return Vec::new();
    };
    let events: Vec<Event> = events.into_iter().map(Into::into).collect();
    let actions = runner.on_events(Timestamp::from_nanos(now), &events);
    actions.into_iter().map(Into::into).collect()
}

/// The export `save`.
#[doc(hidden)]
pub fn save<A: Agent>(slot: &Slot<A>) -> Vec<u8> {
    slot.borrow().as_ref().map(Runner::save).unwrap_or_default()
}

/// The imports of the contract.
struct Imports;

impl Host for Imports {
    fn markets(&self) -> Vec<MarketId> {
        markets::list().into_iter().map(MarketId).collect()
    }

    fn market(&self, market: MarketId) -> Option<Market> {
        markets::describe(market.0).map(Into::into)
    }

    fn book(&self, market: MarketId, depth: u32) -> Option<OrderBook> {
        markets::book(market.0, depth).map(Into::into)
    }

    fn statistics(&self, market: MarketId) -> Option<Statistics> {
        markets::statistics(market.0).map(Into::into)
    }

    fn games(&self) -> Vec<GameId> {
        games::list().into_iter().map(GameId).collect()
    }

    fn game(&self, game: GameId) -> Option<GameInfo> {
        games::describe(game.0).map(Into::into)
    }

    fn situation(&self, game: GameId) -> Option<Situation> {
        games::situation(game.0).map(Into::into)
    }

    fn game_of(&self, market: MarketId) -> Option<GameId> {
        games::of_market(market.0).map(GameId)
    }

    fn position(&self, market: MarketId) -> Position {
        portfolio::position(market.0).into()
    }

    fn open_orders(&self) -> Vec<OpenOrder> {
        portfolio::open_orders().into_iter().map(Into::into).collect()
    }

    fn budget(&self) -> Dollars {
        Dollars::from_raw(portfolio::budget())
    }
}

/// The host's log.
pub(crate) mod log {
    use super::bindings::hotpit::agent::log as host;
    use crate::log::Level;

    pub(crate) fn enabled(level: Level) -> bool {
        host::enabled(to_host(level))
    }

    pub(crate) fn write(level: Level, message: &str) {
        host::write(to_host(level), message);
    }

    fn to_host(level: Level) -> host::Level {
        match level {
            Level::Error => host::Level::Error,
            Level::Warn => host::Level::Warn,
            Level::Info => host::Level::Info,
            Level::Debug => host::Level::Debug,
            Level::Trace => host::Level::Trace,
        }
    }
}

impl From<types::Event> for Event {
    fn from(event: types::Event) -> Self {
        match event {
            types::Event::Quote(quote) => Self::Quote(Quote {
                market: MarketId(quote.market),
                bid: quote.bid.map(Into::into),
                ask: quote.ask.map(Into::into),
                ts: Timestamp::from_nanos(quote.ts),
            }),
            types::Event::Trade(trade) => Self::Trade(Trade {
                market: MarketId(trade.market),
                price: Price::from_raw(trade.price),
                quantity: Quantity::from_raw(trade.quantity),
                taker: trade.taker.into(),
                ts: Timestamp::from_nanos(trade.ts),
            }),
            types::Event::Market(change) => Self::Market(MarketChange {
                market: MarketId(change.market),
                status: MarketStatus::from_code(change.status),
                settlement: change.settlement.map(Price::from_raw),
                ts: Timestamp::from_nanos(change.ts),
            }),
            types::Event::Game(game) => Self::Game(Game {
                game: GameId(game.game),
                status: GameStatus::from_code(game.status),
                period: game.period,
                clock_ms: game.clock_ms,
                home_score: game.home_score,
                away_score: game.away_score,
                ts: Timestamp::from_nanos(game.ts),
            }),
            types::Event::Order(update) => Self::Order(update.into()),
            types::Event::Fill(fill) => Self::Fill(fill.into()),
            types::Event::Timer(due) => Self::Timer(Timestamp::from_nanos(due)),
            types::Event::Gap(gap) => Self::Gap(Gap {
                market: gap.market.map(MarketId),
                cause: GapCause::from_code(gap.cause),
                dropped: gap.dropped,
            }),
        }
    }
}

impl From<types::OrderUpdate> for OrderUpdate {
    fn from(update: types::OrderUpdate) -> Self {
        Self {
            order: OrderId(update.order),
            market: MarketId(update.market),
            state: OrderState::from_code(update.state),
            filled: Quantity::from_raw(update.filled),
            remaining: Quantity::from_raw(update.remaining),
            reason: update.reason,
            ts: Timestamp::from_nanos(update.ts),
        }
    }
}

impl From<types::Fill> for Fill {
    fn from(fill: types::Fill) -> Self {
        Self {
            order: OrderId(fill.order),
            market: MarketId(fill.market),
            side: fill.side.into(),
            price: Price::from_raw(fill.price),
            quantity: Quantity::from_raw(fill.quantity),
            fee: Dollars::from_raw(fill.fee),
            taker: fill.taker,
            position: Quantity::from_raw(fill.position),
            ts: Timestamp::from_nanos(fill.ts),
        }
    }
}

impl From<types::Level> for Level {
    fn from(level: types::Level) -> Self {
        Self { price: Price::from_raw(level.price), quantity: Quantity::from_raw(level.quantity) }
    }
}

impl From<types::Side> for Side {
    fn from(side: types::Side) -> Self {
        match side {
            types::Side::Bid => Self::Bid,
            types::Side::Ask => Self::Ask,
        }
    }
}

impl From<Side> for types::Side {
    fn from(side: Side) -> Self {
        match side {
            Side::Bid => Self::Bid,
            Side::Ask => Self::Ask,
        }
    }
}

impl From<Action> for types::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Place(order) => Self::Place(order.into()),
            Action::Cancel(order) => Self::Cancel(order.0),
            Action::CancelAll(market) => Self::CancelAll(market.map(|market| market.0)),
            Action::WakeAt(at) => Self::WakeAt(at.as_nanos()),
        }
    }
}

impl From<NewOrder> for types::NewOrder {
    fn from(order: NewOrder) -> Self {
        Self {
            order: order.order.0,
            market: order.market.0,
            side: order.side.into(),
            price: order.price.raw(),
            quantity: order.quantity.raw(),
            time_in_force: match order.time_in_force {
                TimeInForce::GoodTillCanceled => types::TimeInForce::GoodTillCanceled,
                TimeInForce::ImmediateOrCancel => types::TimeInForce::ImmediateOrCancel,
                TimeInForce::FillOrKill => types::TimeInForce::FillOrKill,
            },
            post_only: order.post_only,
            expires: order.expires.map(Timestamp::as_nanos),
        }
    }
}

impl From<markets::Market> for Market {
    fn from(market: markets::Market) -> Self {
        let range = |range: &markets::PriceRange| PriceRange {
            start: Price::from_raw(range.start),
            end: Price::from_raw(range.end),
            step: Price::from_raw(range.step),
        };
        Self {
            id: MarketId(market.market),
            ticker: market.ticker,
            event_ticker: market.event_ticker,
            series_ticker: market.series_ticker,
            title: market.title,
            yes_title: market.yes_title,
            status: MarketStatus::from_code(market.status),
            grid: PriceGrid(market.price_ranges.iter().map(range).collect()),
            close_time: market.close_time.map(Timestamp::from_nanos),
        }
    }
}

impl From<markets::OrderBook> for OrderBook {
    fn from(book: markets::OrderBook) -> Self {
        Self {
            bids: book.bids.into_iter().map(Into::into).collect(),
            asks: book.asks.into_iter().map(Into::into).collect(),
            synced: book.synced,
        }
    }
}

impl From<markets::MarketStatistics> for Statistics {
    fn from(statistics: markets::MarketStatistics) -> Self {
        Self {
            last_price: statistics.last_price.map(Price::from_raw),
            volume: Quantity::from_raw(statistics.volume),
            open_interest: Quantity::from_raw(statistics.open_interest),
            ts: Timestamp::from_nanos(statistics.ts),
        }
    }
}

impl From<games::GameInfo> for GameInfo {
    fn from(info: games::GameInfo) -> Self {
        let team = |team: games::Team| Team { name: team.name, abbreviation: team.abbreviation };
        let market = |market: &games::GameMarket| GameMarket {
            market: MarketId(market.market),
            outcome: Outcome::from_code(market.outcome),
        };
        Self {
            id: GameId(info.game),
            league: info.league,
            home: team(info.home),
            away: team(info.away),
            start: Timestamp::from_nanos(info.start),
            periods: info.periods,
            period_ms: info.period_ms,
            markets: info.markets.iter().map(market).collect(),
        }
    }
}

impl From<games::GameSituation> for Situation {
    fn from(situation: games::GameSituation) -> Self {
        Self {
            possession: match situation.possession {
                1 => Some(Possession::Home),
                2 => Some(Possession::Away),
                _ => None,
            },
            down: situation.down,
            distance: situation.distance,
            yard_line: situation.yard_line,
            red_zone: situation.red_zone,
            home_timeouts: situation.home_timeouts,
            away_timeouts: situation.away_timeouts,
            balls: situation.balls,
            strikes: situation.strikes,
            outs: situation.outs,
            bases: [situation.on_first, situation.on_second, situation.on_third],
            top_of_inning: situation.top_of_inning,
        }
    }
}

impl From<portfolio::MarketPosition> for Position {
    fn from(position: portfolio::MarketPosition) -> Self {
        Self {
            market: MarketId(position.market),
            quantity: Quantity::from_raw(position.quantity),
            average_price: Price::from_raw(position.average_price),
            realized: Dollars::from_raw(position.realized),
            fees: Dollars::from_raw(position.fees),
        }
    }
}

impl From<portfolio::OpenOrder> for OpenOrder {
    fn from(order: portfolio::OpenOrder) -> Self {
        Self {
            order: OrderId(order.order),
            market: MarketId(order.market),
            side: order.side.into(),
            price: Price::from_raw(order.price),
            remaining: Quantity::from_raw(order.remaining),
            state: OrderState::from_code(order.state),
        }
    }
}

impl From<Subscription> for exported::Subscription {
    fn from(subscription: Subscription) -> Self {
        match subscription {
            Subscription::Market(ticker) => Self::Market(ticker),
            Subscription::Event(ticker) => Self::Event(ticker),
            Subscription::Series(ticker) => Self::Series(ticker),
            Subscription::League(league) => Self::League(league),
        }
    }
}

impl From<Parameter> for exported::Parameter {
    fn from(parameter: Parameter) -> Self {
        Self {
            name: parameter.name,
            default: parameter.default,
            description: parameter.description,
        }
    }
}
