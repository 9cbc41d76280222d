//! An order with the news of it in every order.

use super::*;
use crate::event::{Fill, OrderUpdate};
use crate::testing::{cents, contracts};
use crate::{MarketId, TimeInForce};

fn working() -> Working {
    let order = NewOrder {
        order: OrderId(7),
        market: MarketId(0),
        side: Side::Bid,
        price: cents(40),
        quantity: contracts(10),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
    };
    Working::new(&order, Timestamp::EPOCH)
}

fn update(order: u64, state: OrderState, filled: i64, remaining: i64) -> OrderUpdate {
    OrderUpdate {
        order: OrderId(order),
        market: MarketId(0),
        state,
        filled: contracts(filled),
        remaining: contracts(remaining),
        reason: String::new(),
        ts: Timestamp::EPOCH,
    }
}

fn fill(quantity: i64) -> Fill {
    Fill {
        order: OrderId(7),
        market: MarketId(0),
        side: Side::Bid,
        price: cents(40),
        quantity: contracts(quantity),
        fee: hotpit_units::Dollars::ZERO,
        taker: false,
        position: contracts(quantity),
        ts: Timestamp::EPOCH,
    }
}

#[test]
fn an_order_is_not_done_before_its_fills_are_heard() {
    let mut order = working();
    order.on_order(&update(7, OrderState::Filled, 10, 0), Timestamp::EPOCH);
    assert!(!order.is_done());
    order.on_fill(&fill(6), Timestamp::EPOCH);
    assert!(!order.is_done());
    order.on_fill(&fill(4), Timestamp::EPOCH);
    assert!(order.is_done());
}

#[test]
fn fills_alone_do_not_end_an_order() {
    let mut order = working();
    order.on_fill(&fill(4), Timestamp::EPOCH);
    assert!(!order.is_done());
    order.on_order(&update(7, OrderState::Canceled, 4, 0), Timestamp::EPOCH);
    assert!(order.is_done());
}

#[test]
fn news_of_other_orders_change_nothing() {
    let mut order = working();
    order.on_order(&update(8, OrderState::Canceled, 0, 0), Timestamp::from_secs(9));
    assert_eq!(order, working());
}
