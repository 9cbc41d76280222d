//! The harness does as the host does.

use std::time::Duration;

use hotpit_agent::log::Level;
use hotpit_agent::prelude::*;
use hotpit_agent::testing::{Harness, cents, contracts, placed};
use serde::{Deserialize, Serialize};

/// Writes down what it hears of timers, and asks for one as it starts.
#[derive(Default, Serialize, Deserialize)]
struct Sleeper {
    starts: u64,
    woken: Vec<Timestamp>,
}

impl Agent for Sleeper {
    type Params = ();

    fn on_start(&mut self, ctx: &mut Context, _: bool) {
        self.starts += 1;
        ctx.wake_after(Duration::from_secs(self.starts));
    }

    fn on_timer(&mut self, _: &mut Context, due: Timestamp) {
        self.woken.push(due);
    }
}

#[test]
fn a_swap_forgets_the_wake_times_of_the_instance_before() {
    let mut harness = Harness::<Sleeper>::new();
    harness.batch(&[]);
    harness.swap();
    harness.batch(&[]);
    let second = harness.now() + Duration::from_secs(2);
    harness.advance(Duration::from_secs(9));
    assert_eq!(harness.agent().woken, [second]);
}

#[test]
fn a_swap_that_fails_leaves_the_wake_times_to_the_instance_that_goes_on() {
    let mut harness = Harness::<Sleeper>::new();
    harness.batch(&[]);
    let first = harness.now() + Duration::from_secs(1);
    harness.start_from(Some(b"noise")).unwrap_err();
    harness.advance(Duration::from_secs(9));
    assert_eq!(harness.agent().woken, [first]);
}

/// Asks for the same time, which is past, again and again.
#[derive(Default, Serialize, Deserialize)]
struct Restless {
    woken: Vec<Timestamp>,
}

impl Agent for Restless {
    type Params = ();

    fn on_start(&mut self, ctx: &mut Context, _: bool) {
        ctx.wake_at(Timestamp::EPOCH);
    }

    fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
        assert_eq!(due, Timestamp::EPOCH);
        self.woken.push(ctx.now());
        ctx.wake_at(due);
        ctx.wake_at(due);
    }
}

#[test]
fn a_wake_time_that_is_past_comes_a_millisecond_later() {
    let mut harness = Harness::<Restless>::new();
    harness.batch(&[]);
    let asked = harness.now();
    harness.advance(Duration::from_micros(999));
    assert!(harness.agent().woken.is_empty(), "not before a later batch");
    harness.advance(Duration::from_micros(9_001));
    let mut before = asked;
    for &woken in &harness.agent().woken {
        assert!(woken.since(before) >= Duration::from_millis(1));
        before = woken;
    }
    assert_ne!(before, asked, "it was woken");
}

/// Buys five contracts at once, and notes whether its fills took liquidity.
#[derive(Default, Serialize, Deserialize)]
struct Taker {
    took: Vec<bool>,
}

impl Agent for Taker {
    type Params = ();

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        ctx.buy(quote.market, cents(42), contracts(5)).immediate_or_cancel().send();
    }

    fn on_fill(&mut self, _: &mut Context, fill: &Fill) {
        self.took.push(fill.taker);
    }
}

#[test]
fn every_fill_of_an_order_that_never_rests_takes_liquidity() {
    let mut harness = Harness::<Taker>::new().market("KX-1");
    let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    harness.fill(order, contracts(2));
    harness.fill(order, contracts(3));
    assert_eq!(harness.agent().took, [true, true]);
}

parameters! {
    /// Of the talker.
    struct Params {
        /// Whether it starts.
        fit: bool = true,
    }
}

/// Says how it is configured.
#[derive(Default, Serialize, Deserialize)]
struct Talker;

impl Agent for Talker {
    type Params = Params;

    fn configure(&mut self, params: Params) -> Result<(), String> {
        info!("fit: {}", params.fit);
        if params.fit { Ok(()) } else { Err("unfit".into()) }
    }
}

#[test]
fn what_is_logged_at_a_start_is_there_at_once() {
    let mut harness = Harness::<Talker>::new();
    harness.start().unwrap();
    assert_eq!(harness.logs(), [(Level::Info, "fit: true".into())]);
}

#[test]
fn what_is_logged_at_a_start_that_fails_is_there_too() {
    let mut harness = Harness::<Talker>::new().param("fit", "false");
    harness.start().unwrap_err();
    assert_eq!(harness.logs(), [(Level::Info, "fit: false".into())]);
}

/// Cannot be saved, which the SDK logs.
#[derive(Default, Deserialize)]
struct Unsaved;

impl Serialize for Unsaved {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}

impl Agent for Unsaved {
    type Params = ();
}

#[test]
fn what_is_logged_at_a_save_stays_with_its_harness() {
    let mut first = Harness::<Unsaved>::new();
    first.batch(&[]);
    assert!(first.save().is_empty());
    let mut second = Harness::<Talker>::new();
    second.batch(&[]);
    assert_eq!(second.logs(), [(Level::Info, "fit: true".into())]);
    first.batch(&[]);
    let why = "the state cannot be saved, the next start is a fresh one: never";
    assert_eq!(first.logs(), [(Level::Error, why.into())]);
}

/// Trades what others trade, too.
#[derive(Default, Serialize, Deserialize)]
struct Follower;

impl Agent for Follower {
    type Params = ();

    fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
        ctx.order(trade.market, trade.taker, trade.price, trade.quantity).send();
    }
}

fn trades(trades: &[(Side, u32, i64)]) -> Position {
    let mut harness = Harness::<Follower>::new().market("KX-1");
    for &(side, price, quantity) in trades {
        let (price, quantity) = (Price::from_raw(price), Quantity::from_raw(quantity));
        let order = placed(&harness.trade("KX-1", price, quantity, side))[0].order;
        harness.fill(order, quantity);
    }
    harness.position("KX-1")
}

#[test]
fn positions_are_averaged_closed_and_turned() {
    use Side::{Ask, Bid};
    // trades, then quantity, average price, realized (1e-6 dollars), as the host has them
    type Case = (&'static [(Side, u32, i64)], i64, u32, i64);
    let cases: [Case; 7] = [
        (&[(Bid, 4_000, 100), (Bid, 6_000, 100)], 200, 5_000, 0),
        (&[(Bid, 4_000, 200), (Ask, 5_000, 100)], 100, 4_000, 100_000),
        (&[(Bid, 4_000, 100), (Ask, 5_000, 300)], -200, 5_000, 100_000),
        (&[(Ask, 6_000, 100), (Bid, 5_000, 100)], 0, 0, 100_000),
        (&[(Ask, 6_000, 100), (Bid, 7_000, 200)], 100, 7_000, -100_000),
        // To the nearest, and the part that is closed takes its share of the cost.
        (&[(Bid, 4_000, 100), (Bid, 4_100, 200)], 300, 4_067, 0),
        (&[(Bid, 4_000, 100), (Bid, 4_100, 200), (Ask, 5_000, 100)], 200, 4_067, 93_334),
    ];
    for (made, quantity, average, realized) in cases {
        let position = trades(made);
        assert_eq!(position.quantity.raw(), quantity, "{made:?}");
        assert_eq!(position.average_price.raw(), average, "{made:?}");
        assert_eq!(position.realized.raw(), realized, "{made:?}");
    }
}

/// Writes down what its market pays.
#[derive(Default, Serialize, Deserialize)]
struct Winner {
    pays: Vec<Option<Price>>,
}

impl Agent for Winner {
    type Params = ();

    fn on_market(&mut self, _: &mut Context, change: &MarketChange) {
        self.pays.push(change.settlement);
    }
}

#[test]
fn every_status_carries_the_settlement_from_when_it_is_known() {
    let mut harness = Harness::<Winner>::new().market("KX-1").market("KX-2");
    harness.status("KX-1", MarketStatus::Closed);
    harness.set_settlement("KX-1", Price::ONE);
    harness.status("KX-1", MarketStatus::Determined);
    harness.status("KX-2", MarketStatus::Closed);
    harness.restart();
    harness.status("KX-1", MarketStatus::Finalized);
    assert_eq!(harness.agent().pays, [None, Some(Price::ONE), None, Some(Price::ONE)]);
}
