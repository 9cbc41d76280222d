//! An order with the news of it in every order.

use super::*;
use crate::event::{Fill, OrderUpdate};
use crate::testing::{Harness, cents, contracts, placed};
use crate::{Agent, MarketId, Quote, TimeInForce};

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

/// Bids once for ten contracts, and forgets its bid with every instance.
#[derive(Default, Serialize, Deserialize)]
struct Adopter {
    #[serde(skip)]
    bid: Option<Working>,
}

impl Agent for Adopter {
    type Params = ();

    fn on_start(&mut self, ctx: &mut Context, _: bool) {
        self.bid = ctx.open_orders().first().map(|open| Working::adopt(open, ctx.now()));
    }

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        let order = ctx.buy(quote.market, cents(40), contracts(10));
        self.bid.get_or_insert_with(|| order.track());
    }

    fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        self.bid.iter_mut().for_each(|bid| bid.on_order(update, ctx.now()));
    }

    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        self.bid.iter_mut().for_each(|bid| bid.on_fill(fill, ctx.now()));
    }

    fn after_events(&mut self, ctx: &mut Context) {
        self.bid.iter_mut().for_each(|bid| bid.check(ctx));
        self.bid.take_if(|bid| bid.is_done());
    }
}

#[test]
fn an_order_that_was_partly_filled_when_it_was_taken_up_is_done_with_its_last_news() {
    type End = fn(&mut Harness<Adopter>, OrderId);
    let ends: [End; 2] = [
        |harness, order| drop(harness.fill(order, contracts(6))),
        |harness, order| drop(harness.order_state(order, OrderState::Canceled, "")),
    ];
    for end in ends {
        let mut harness = Harness::<Adopter>::new().market("KX-1");
        let order = placed(&harness.quote("KX-1", cents(41), cents(43)))[0].order;
        harness.fill(order, contracts(4));
        harness.swap();
        harness.batch(&[]);
        assert!(harness.agent().bid.is_some());
        end(&mut harness, order);
        assert_eq!(harness.agent().bid, None);
    }
}
