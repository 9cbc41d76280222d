//! The host's values as the contract's, and back. What comes from a guest is not trusted: it is
//! taken as it is here, and the desk refuses what cannot be.

use hotpit_units::{Price, Quantity, Side, Timestamp};

use super::bindings::{guest, types};
use super::imports::{level, side};
use crate::model::{
    Action, Fill, Game, GameId, Market, MarketId, NewOrder, OrderId, OrderUpdate, Quote,
    Subscription, TimeInForce, Trade,
};
use crate::model::{League, Level};

pub(crate) fn quote(market: MarketId, quote: &Quote, ts: Timestamp) -> types::Event {
    let level = |side: Option<Level>| side.map(level);
    types::Event::Quote(types::Quote {
        market: market.0,
        bid: level(quote.bid),
        ask: level(quote.ask),
        ts: ts.as_nanos(),
    })
}

pub(crate) fn trade(market: MarketId, trade: &Trade) -> types::Event {
    types::Event::Trade(types::Trade {
        market: market.0,
        price: trade.price.raw(),
        quantity: trade.quantity.raw(),
        taker: side(trade.taker),
        ts: trade.ts.as_nanos(),
    })
}

pub(crate) fn market_change(id: MarketId, market: &Market, ts: Timestamp) -> types::Event {
    types::Event::Market(types::MarketChange {
        market: id.0,
        status: market.status.code(),
        settlement: market.settlement.map(Price::raw),
        ts: ts.as_nanos(),
    })
}

pub(crate) fn game(id: GameId, game: &Game) -> types::Event {
    types::Event::Game(types::Game {
        game: id.0,
        status: game.status.code(),
        period: game.period,
        clock_ms: game.clock_ms,
        home_score: game.home_score,
        away_score: game.away_score,
        ts: game.ts.as_nanos(),
    })
}

pub(crate) fn order_update(update: OrderUpdate) -> types::Event {
    types::Event::Order(types::OrderUpdate {
        order: update.order.0,
        market: update.market.0,
        state: update.state as u16,
        filled: update.filled.raw(),
        remaining: update.remaining.raw(),
        reason: update.reason,
        ts: update.ts.as_nanos(),
    })
}

pub(crate) fn fill(fill: &Fill) -> types::Event {
    types::Event::Fill(types::Fill {
        order: fill.order.0,
        market: fill.market.0,
        side: side(fill.side),
        price: fill.price.raw(),
        quantity: fill.quantity.raw(),
        fee: fill.fee.raw(),
        taker: fill.taker,
        position: fill.position.raw(),
        ts: fill.ts.as_nanos(),
    })
}

pub(crate) fn gap(market: Option<MarketId>, cause: u16, dropped: u64) -> types::Event {
    types::Event::Gap(types::Gap { market: market.map(|market| market.0), cause, dropped })
}

pub(crate) fn action(action: types::Action) -> Action {
    match action {
        types::Action::Place(order) => Action::Place(new_order(order)),
        types::Action::Cancel(order) => Action::Cancel(OrderId(order)),
        types::Action::CancelAll(market) => Action::CancelAll(market.map(MarketId)),
        types::Action::WakeAt(time) => Action::WakeAt(Timestamp::from_nanos(time)),
    }
}

fn new_order(order: types::NewOrder) -> NewOrder {
    NewOrder {
        order: OrderId(order.order),
        market: MarketId(order.market),
        side: match order.side {
            types::Side::Bid => Side::Bid,
            types::Side::Ask => Side::Ask,
        },
        price: Price::from_raw(order.price),
        quantity: Quantity::from_raw(order.quantity),
        time_in_force: match order.time_in_force {
            types::TimeInForce::GoodTillCanceled => TimeInForce::GoodTillCanceled,
            types::TimeInForce::ImmediateOrCancel => TimeInForce::ImmediateOrCancel,
            types::TimeInForce::FillOrKill => TimeInForce::FillOrKill,
        },
        post_only: order.post_only,
        expires: order.expires.map(Timestamp::from_nanos),
    }
}

pub(crate) fn subscription(subscription: guest::Subscription) -> Subscription {
    match subscription {
        guest::Subscription::Market(ticker) => Subscription::Market(ticker.into()),
        guest::Subscription::Event(ticker) => Subscription::Event(ticker.into()),
        guest::Subscription::Series(ticker) => Subscription::Series(ticker.into()),
        guest::Subscription::League(league) => Subscription::League(League(league.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_order_reaches_the_desk_as_it_is() {
        let absurd = types::NewOrder {
            order: u64::MAX,
            market: u32::MAX,
            side: types::Side::Ask,
            price: u32::MAX,
            quantity: i64::MIN,
            time_in_force: types::TimeInForce::FillOrKill,
            post_only: true,
            expires: Some(u64::MAX),
        };
        let Action::Place(order) = action(types::Action::Place(absurd)) else { panic!("no order") };
        assert_eq!(order.price.raw(), u32::MAX);
        assert_eq!(order.quantity.raw(), i64::MIN);
        assert_eq!(order.expires, Some(Timestamp::from_nanos(u64::MAX)));
    }
}
