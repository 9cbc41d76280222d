//! Start, batches, save, restore: what the SDK does around an agent.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hotpit_agent::prelude::*;
use hotpit_agent::testing::{Harness, canceled, cents, contracts, placed};
use serde::{Deserialize, Serialize};

parameters! {
    /// Of the recorder.
    struct Params {
        /// How much it buys, in contracts.
        size: Quantity = contracts(1),
    }
}

/// Writes down what it hears, and buys on every trade.
#[derive(Default, Serialize, Deserialize)]
struct Recorder {
    heard: Vec<String>,
    per_market: MarketMap<u32>,
    #[serde(skip)]
    params: Params,
}

impl Agent for Recorder {
    type Params = Params;

    fn configure(&mut self, params: Params) -> Result<(), String> {
        if params.size.is_zero() {
            return Err("parameter `size` = `0`: nothing to buy".into());
        }
        self.params = params;
        Ok(())
    }

    fn on_start(&mut self, ctx: &mut Context, restored: bool) {
        self.heard.push(format!("start restored={restored}"));
        self.per_market.adopt(ctx);
        ctx.wake_after(Duration::from_secs(1));
    }

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        self.heard.push("quote".into());
        *self.per_market.entry(ctx, quote.market) += 1;
    }

    fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
        let order = ctx.buy(trade.market, trade.price, self.params.size).send();
        let second = ctx.sell(trade.market, cents(99), self.params.size).post_only().send();
        assert!(second > order);
        warn!("bought in {}", ctx.market(trade.market).unwrap().ticker);
    }

    fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
        self.heard.push(format!("{:?} {}", update.state, update.reason));
    }

    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        self.heard.push(format!("fill {} to {}", fill.quantity, fill.position));
        ctx.cancel_all_in(fill.market);
    }

    fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
        assert!(due <= ctx.now());
        self.heard.push("timer".into());
    }
}

fn buying(harness: &mut Harness<Recorder>) -> OrderId {
    let actions = harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
    placed(&actions)[0].order
}

#[test]
fn an_agent_hears_its_start_at_the_head_of_the_first_batch() {
    let mut harness = Harness::<Recorder>::new().market("KX-1");
    harness.quote("KX-1", cents(40), cents(42));
    harness.swap();
    harness.quote("KX-1", cents(40), cents(42));
    let heard = ["start restored=false", "quote", "start restored=true", "quote"];
    assert_eq!(harness.agent().heard, heard);
}

#[test]
fn order_numbers_are_never_used_again_even_without_saved_state() {
    let mut harness = Harness::<Recorder>::new().market("KX-1");
    let first = buying(&mut harness);
    harness.swap();
    let second = buying(&mut harness);
    harness.start().unwrap();
    let third = buying(&mut harness);
    assert!(first < second && second < third);
}

#[test]
fn state_per_market_follows_its_ticker_into_another_run() {
    let mut harness = Harness::<Recorder>::new().market("KX-1").market("KX-2");
    harness.quote("KX-2", cents(40), cents(42));
    let before = harness.market_id("KX-2");
    harness.restart();
    assert_ne!(harness.market_id("KX-2"), before);
    harness.quote("KX-1", cents(40), cents(42));
    let counts: Vec<_> = harness.agent().per_market.iter().collect();
    let expected = [(harness.market_id("KX-1"), &1), (harness.market_id("KX-2"), &1)];
    assert_eq!(counts, expected);
}

#[test]
fn state_that_was_not_asked_for_is_saved_again() {
    let mut harness = Harness::<Recorder>::new().market("KX-1");
    harness.quote("KX-1", cents(40), cents(42));
    harness.restart();
    harness.restart();
    harness.quote("KX-1", cents(40), cents(42));
    assert_eq!(harness.agent().per_market.get(harness.market_id("KX-1")), Some(&2));
}

/// Forgets every market that it is told of, and asked for none before.
#[derive(Default, Serialize, Deserialize)]
struct Forgetful {
    quotes: MarketMap<u32>,
}

impl Agent for Forgetful {
    type Params = ();

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        *self.quotes.entry(ctx, quote.market) += 1;
    }

    fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
        if let Some(quotes) = self.quotes.remove(ctx, change.market) {
            info!("{quotes} quotes");
        }
    }
}

#[test]
fn state_that_was_restored_and_not_asked_for_is_forgotten() {
    let mut harness = Harness::<Forgetful>::new().market("KX-1").market("KX-2");
    harness.quote("KX-1", cents(40), cents(42));
    harness.quote("KX-2", cents(40), cents(42));
    harness.restart();
    harness.status("KX-1", MarketStatus::Finalized);
    assert_eq!(harness.logs(), [(hotpit_agent::log::Level::Info, "1 quotes".into())]);
    let saved = String::from_utf8(harness.save()).unwrap();
    assert!(saved.ends_with(r#"{"quotes":{"KX-2":1}}"#), "{saved}");
}

#[test]
fn state_that_does_not_fit_refuses_the_start_and_says_why() {
    let mut harness = Harness::<Recorder>::new();
    let error = harness.start_from(Some(b"0.3.1 7\n{\"heard\":\"nothing\"}")).unwrap_err();
    assert!(
        error.starts_with("the state saved by version 0.3.1 does not fit version 0.0.0: invalid"),
        "{error}"
    );
    for broken in [&b""[..], b"\xff\x00", b"{}", b"0.3.1\n{}", b"0.3.1 x\n{}"] {
        let error = harness.start_from(Some(broken)).unwrap_err();
        assert_eq!(error, "the state to restore was not saved by an agent of this SDK");
    }
}

#[test]
fn a_wrong_parameter_refuses_the_start_and_says_which() {
    let start = |value| Harness::<Recorder>::new().param("size", value).start().unwrap_err();
    assert_eq!(start("lots"), "parameter `size` = `lots`: `lots` is not a decimal number");
    assert_eq!(start("0"), "parameter `size` = `0`: nothing to buy");
}

#[test]
fn parameters_are_the_operators_even_after_a_restore() {
    let mut harness = Harness::<Recorder>::new().market("KX-1").param("size", "3");
    buying(&mut harness);
    harness.swap();
    let actions = harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
    assert_eq!(placed(&actions)[0].quantity, contracts(3));
}

#[test]
fn a_parameter_that_is_set_again_has_the_last_value() {
    let usual = Harness::<Recorder>::new().market("KX-1").param("size", "lots");
    let mut harness = usual.param("size", "3");
    let actions = harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
    assert_eq!(placed(&actions)[0].quantity, contracts(3));
}

#[test]
fn a_fill_moves_the_position_and_a_cancel_waits_for_its_answer() {
    let mut harness = Harness::<Recorder>::new().market("KX-1").param("size", "4");
    let order = buying(&mut harness);
    harness.acknowledge();
    harness.fill(order, contracts(3));
    assert_eq!(harness.position("KX-1").quantity, contracts(3));
    assert_eq!(harness.working().len(), 2);
    harness.acknowledge();
    assert!(harness.working().is_empty());
    let heard = &harness.agent().heard;
    assert_eq!(heard[1..3], ["Resting ", "Resting "]);
    assert_eq!(heard[3..], ["PartlyFilled ", "fill 3.00 to 3.00", "Canceled ", "Canceled "]);
}

#[test]
fn timers_come_due_at_their_time() {
    let mut harness = Harness::<Recorder>::new().market("KX-1");
    harness.quote("KX-1", cents(40), cents(42));
    harness.advance(Duration::from_millis(999));
    assert_eq!(harness.agent().heard.last().unwrap(), "quote");
    harness.advance(Duration::from_millis(2));
    assert_eq!(harness.agent().heard.last().unwrap(), "timer");
}

#[test]
fn log_lines_are_recorded() {
    let mut harness = Harness::<Recorder>::new().market("KX-1");
    buying(&mut harness);
    assert_eq!(harness.logs(), [(hotpit_agent::log::Level::Warn, "bought in KX-1".into())]);
}

#[test]
fn a_position_that_turns_has_the_price_of_the_turn() {
    let mut harness = Harness::<Recorder>::new().market("KX-1").param("size", "4").holding(
        "KX-1",
        contracts(-2),
        cents(50),
    );
    let order = buying(&mut harness);
    harness.fill(order, contracts(4));
    let position = harness.position("KX-1");
    assert_eq!(position.quantity, contracts(2));
    assert_eq!(position.average_price, cents(40));
    assert_eq!(position.realized, "0.20".parse().unwrap());
}

/// Cancels what it finds.
#[derive(Default, Serialize, Deserialize)]
struct Sweeper;

impl Agent for Sweeper {
    type Params = ();

    fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
        for order in ctx.open_orders() {
            ctx.cancel(order.order);
        }
        if let [Event::Quote(quote)] = events {
            let market = ctx.market_id("KX-2").unwrap();
            ctx.order(market, Side::Ask, quote.ask.unwrap().price, contracts(1))
                .fill_or_kill()
                .send();
        }
    }
}

#[test]
fn an_agent_may_take_the_batch_as_a_whole() {
    let mut harness = Harness::<Sweeper>::new().market("KX-1").market("KX-2");
    let actions = harness.quote("KX-1", cents(40), cents(42));
    let order = placed(&actions)[0];
    assert_eq!(order.market, harness.market_id("KX-2"));
    let actions = harness.quote("KX-1", cents(40), cents(42));
    assert_eq!(canceled(&actions), [order.order]);
}
