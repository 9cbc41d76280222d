//! Limits that look at more than one order: repeated ones, whole events, losses, refusals, and the
//! state in which only reducing is allowed.

use super::*;
use crate::desk::{ExchangeState, Leave, OnTrouble};

fn floor(change: impl FnOnce(&mut Limits)) -> Floor {
    let mut limits = lenient();
    change(&mut limits);
    Floor::with_limits(limits)
}

/// A second market, of the event and with the mutual exclusion that are said.
fn see_other(floor: &mut Floor, event: &str, mutually_exclusive: bool) -> MarketId {
    let id = MarketId(8);
    for (id, ticker, event) in [(MARKET, TICKER, "KX"), (id, "KX-2", event)] {
        let event_ticker = Arc::from(event);
        let market = Market { event_ticker, mutually_exclusive, ..market(id, ticker) };
        floor.apply(Input::Market(view_of(market, id, floor.now)));
    }
    id
}

/// Fills an order of the agent.
fn trade(floor: &mut Floor, order: NewOrder, id: &str) {
    let sent = floor.rest(order);
    let quantity = order.quantity.raw() / 100;
    floor.apply(Input::Fill(filled(&sent, id, quantity, floor.now)));
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Executed, quantity)));
}

#[test]
fn the_same_order_is_sent_once_while_it_works() {
    let mut floor = floor(|limits| limits.duplicate_window_ms = 250);
    let sent = floor.rest(bid(1, 40, 1));
    assert_eq!(floor.denied(bid(2, 40, 1)), "DUPLICATE_ORDER: market=KX-1 of=1 window_ms=250");
    // Another price is another order, and one that is over is no duplicate.
    floor.place(bid(3, 39, 1));
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Canceled, 0)));
    floor.place(bid(4, 40, 1));
    floor.now = floor.now + Duration::from_millis(250);
    floor.place(bid(5, 40, 1));
}

#[test]
fn an_order_many_times_the_usual_is_denied() {
    let mut floor = floor(|limits| limits.size_multiple_max = 4);
    for number in 1..=5 {
        floor.rest(bid(number, 10, 2));
    }
    let told = floor.denied(bid(6, 10, 9));
    assert_eq!(told, "SIZE_UNUSUAL: order=9.00 largest=2.00 multiple=4");
    floor.place(bid(7, 10, 8));
}

#[test]
fn who_trades_too_often_in_a_market_waits() {
    let mut floor = floor(|limits| {
        limits.fills_per_market = 3;
        limits.fills_window_ms = 1_000;
    });
    for number in 1..=3 {
        trade(&mut floor, bid(number, 40, 1), &number.to_string());
    }
    let told = floor.denied(bid(9, 40, 1));
    assert_eq!(told, "REPEATED_FILLS: market=KX-1 fills=3 window_ms=1000 limit=3");
    floor.now = floor.now + Duration::from_millis(1_000);
    floor.place(bid(10, 40, 1));
}

#[test]
fn an_event_is_netted_where_its_outcomes_exclude_each_other() {
    let sell = |market, number| NewOrder { market, ..ask(number, 50, 10) };
    // Ten short of either at 50 cents: $5 each, of which one at most is lost.
    for (exclusive, event, is_denied) in
        [(true, "KX", false), (false, "KX", true), (false, "KY", false)]
    {
        let mut floor = floor(|limits| limits.exposure_per_event = Dollars::from_dollars(6));
        let other = see_other(&mut floor, event, exclusive);
        let first = vec![Action::Place(sell(MARKET, 1))];
        floor.apply(Input::Actions { agent: agent(), actions: first });
        assert_eq!(floor.out.requests.len(), 1);
        let denial = floor.desk.would_deny(&agent(), &sell(other, 2), floor.now);
        let told = denial.map(|denial| denial.to_string()).unwrap_or_default();
        assert_eq!(told.ends_with("limit=6.000000 scope=event"), is_denied, "{event}: {told}");
        assert_eq!(told.is_empty(), !is_denied, "{event}: {told}");
    }
}

#[test]
fn a_series_has_a_limit_of_its_own() {
    let mut floor = floor(|limits| limits.exposure_per_series = Dollars::from_dollars(6));
    let other = see_other(&mut floor, "KY", false);
    floor.apply(Input::Actions { agent: agent(), actions: vec![Action::Place(bid(1, 50, 10))] });
    assert_eq!(floor.out.requests.len(), 1);
    let told = floor.denied(NewOrder { market: other, ..bid(2, 50, 10) });
    assert!(told.starts_with("EXPOSURE_LIMIT: exposure=5."), "{told}");
    assert!(told.ends_with("limit=6.000000 scope=series"), "{told}");
}

#[test]
fn a_market_has_a_limit_of_open_orders() {
    let mut floor = floor(|limits| limits.open_orders_per_market = 2);
    floor.rest(bid(1, 10, 1));
    floor.rest(bid(2, 11, 1));
    assert_eq!(floor.denied(bid(3, 12, 1)), "OPEN_ORDERS_LIMIT: scope=market open=2 limit=2");
}

#[test]
fn who_may_only_reduce_can_close_and_no_more() {
    for agent_alone in [true, false] {
        let mut floor = floor(|_| {});
        trade(&mut floor, bid(1, 40, 5), "a");
        let working = floor.rest(bid(2, 30, 1));
        let halted = Halted { reducing: true, reason: "winding down".to_owned() };
        let whose = agent_alone.then(agent);
        floor.apply(Input::Halt { agent: whose.clone(), halted });
        assert_eq!(floor.cancels().len(), 1, "{working:?}");
        floor.apply(Input::Market(view(floor.now)));
        let told = floor.denied(bid(3, 40, 1));
        assert_eq!(told, "REDUCE_ONLY: market=KX-1 position=5.00 order=1.00");
        assert!(floor.denied(ask(4, 60, 6)).starts_with("REDUCE_ONLY"));
        floor.rest(ask(5, 60, 3));
        // What works on that side counts.
        assert!(floor.denied(ask(6, 60, 3)).starts_with("REDUCE_ONLY"));
        floor.rest(ask(7, 60, 2));
        floor.apply(Input::Resume { agent: whose });
        floor.place(bid(8, 40, 1));
    }
}

#[test]
fn who_is_refused_too_often_in_a_row_is_halted() {
    let mut floor = floor(|limits| limits.refused_in_a_row = 3);
    let refuse = |floor: &mut Floor, number| {
        let sent = floor.place(bid(number, 40, 1));
        let reason = "insufficient_balance".to_owned();
        floor.apply(Input::Placed { order: sent.key, outcome: PlaceOutcome::Rejected { reason } });
    };
    refuse(&mut floor, 1);
    refuse(&mut floor, 2);
    floor.rest(bid(3, 40, 1));
    for number in 4..=6 {
        refuse(&mut floor, number);
    }
    let told = floor.denied(bid(7, 40, 1));
    assert_eq!(told, "AGENT_HALTED: REFUSED_IN_A_ROW: refused=3 limit=3");
    floor.apply(Input::Resume { agent: Some(agent()) });
    floor.place(bid(8, 40, 1));
}

#[test]
fn losses_halt_until_somebody_resumes_and_are_remembered_over_a_restart() {
    let mut floor = floor(|limits| limits.daily_loss_per_agent = Dollars::from_raw(1_900_000));
    floor.pass(Duration::from_millis(100));
    trade(&mut floor, bid(1, 60, 10), "a");
    // The middle is 50 cents: a dollar is lost, and the fee of one cent.
    floor.pass(Duration::from_millis(100));
    floor.place(bid(2, 40, 1));
    let mut lower = view(floor.now);
    lower.quote.ask = lower.quote.bid.map(|bid| Level { price: cents(41), ..bid });
    floor.apply(Input::Market(lower));
    floor.pass(Duration::from_millis(100));
    let halt = floor.out.records.iter().find_map(|record| match record {
        Record::Halt(halt) => halt.halted.clone(),
        _ => None,
    });
    let reason = halt.expect("it is halted").reason;
    assert_eq!(reason, "LOSS_LIMIT: lost=1.960000 limit=1.900000 since=day");
    assert_eq!(floor.cancels().len(), 0, "the exchange has not named it yet");
    floor.apply(Input::Resume { agent: Some(agent()) });
    let equity = floor.out.records.iter().find_map(|record| match record {
        Record::Equity(changed) => Some(changed.equity),
        _ => None,
    });
    assert_eq!(equity.unwrap().at_start, Dollars::from_raw(-1_960_000));
    floor.pass(Duration::from_millis(100));
    floor.place(bid(3, 40, 1));

    // A run that begins below what it knows is halted at its first look.
    let recovered = Recovered {
        runs: 1,
        equities: [(
            agent(),
            crate::desk::Equity { best: Dollars::from_dollars(50), ..equity.unwrap() },
        )]
        .into(),
        ..Recovered::default()
    };
    let limits = Limits { drawdown_per_agent: Dollars::from_dollars(49), ..lenient() };
    let mut floor = Floor::cold(Settings { limits, ..Settings::default() }, recovered);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
}

#[test]
fn a_position_that_cannot_be_marked_keeps_its_last_mark() {
    let mut floor = floor(|limits| limits.daily_loss_per_agent = Dollars::from_dollars(2));
    floor.pass(Duration::from_millis(100));
    trade(&mut floor, bid(1, 60, 10), "a");
    let mut broken = view(floor.now);
    broken.synced = false;
    floor.apply(Input::Market(broken));
    floor.pass(Duration::from_secs(1));
    assert_eq!(floor.desk.report().halted_agents, []);
}

#[test]
fn an_exchange_that_is_paused_or_whose_clock_is_elsewhere_gets_no_orders() {
    let mut floor = floor(|_| {});
    let paused = Some("the exchange has paused trading".to_owned());
    floor.apply(Input::Exchange(ExchangeState { paused, skew_ms: Some(40) }));
    let told = floor.denied(bid(1, 40, 1));
    assert_eq!(told, "EXCHANGE_PAUSED: the exchange has paused trading");
    floor.apply(Input::Exchange(ExchangeState { paused: None, skew_ms: Some(-2_001) }));
    assert_eq!(floor.denied(bid(2, 40, 1)), "CLOCK_SKEW: skew_ms=-2001 limit_ms=2000");
    floor.apply(Input::Exchange(ExchangeState { paused: None, skew_ms: Some(-2_000) }));
    floor.place(bid(3, 40, 1));
}

fn with_on(floor: &mut Floor, on: OnTrouble) {
    let limits = AgentLimits { on, ..AgentLimits::default() };
    floor.apply(Input::AgentUp { agent: agent(), limits });
}

#[test]
fn working_orders_are_canceled_when_nobody_looks_after_them_unless_they_are_to_be_kept() {
    let down = || Input::Disconnected { reason: "reset by peer".to_owned() };
    let stop = || Input::AgentDown { agent: agent(), reason: "deleted".to_owned() };
    let keep = Leave::Keep;
    let cases: [(&str, Input, OnTrouble); 3] = [
        ("disconnect", down(), OnTrouble { disconnect: keep, ..OnTrouble::default() }),
        ("stop", stop(), OnTrouble { stop: keep, ..OnTrouble::default() }),
        ("shutdown", Input::Shutdown, OnTrouble { shutdown: keep, ..OnTrouble::default() }),
    ];
    for (name, input, kept) in cases {
        for (on, expected) in [(OnTrouble::default(), 1), (kept, 0)] {
            let mut floor = floor(|_| {});
            with_on(&mut floor, on);
            floor.rest(bid(1, 40, 1));
            floor.apply(input.clone());
            let at_once = floor.cancels().len();
            floor.pass(Duration::from_secs(15));
            assert_eq!(at_once + floor.cancels().len(), expected, "{name} {on:?}");
        }
    }
}

#[test]
fn a_connection_that_is_back_at_once_costs_no_order() {
    let mut floor = floor(|_| {});
    floor.rest(bid(1, 40, 1));
    floor.apply(Input::Disconnected { reason: "reset by peer".to_owned() });
    floor.pass(Duration::from_millis(4_900));
    assert_eq!(floor.cancels().len(), 0);
    floor.apply(Input::Connected);
    floor.pass(Duration::from_secs(15));
    assert_eq!(floor.cancels().len(), 0);
}

#[test]
fn the_exchange_is_asked_to_cancel_at_a_pause_unless_the_order_is_to_be_kept() {
    let mut floor = floor(|_| {});
    assert!(floor.rest(bid(1, 40, 1)).request.cancel_on_pause);
    with_on(&mut floor, OnTrouble { pause: Leave::Keep, ..OnTrouble::default() });
    assert!(!floor.rest(bid(2, 40, 1)).request.cancel_on_pause);
}

#[test]
fn a_run_that_has_not_seen_its_markets_yet_has_lost_nothing() {
    let mut holding = crate::desk::record::Holding::default();
    holding.trade(Side::Bid, cents(10), contracts(100), Dollars::ZERO);
    let held = crate::desk::record::RecoveredHolding {
        agent: Some(agent()),
        ticker: Arc::from(TICKER),
        holding,
    };
    // At the last run's mark of 50 cents that was a profit of $40.
    let best = Dollars::from_dollars(40);
    let equity = crate::desk::Equity { best, ..crate::desk::Equity::default() };
    let recovered = Recovered {
        runs: 1,
        holdings: vec![held],
        equities: [(agent(), equity)].into(),
        ..Recovered::default()
    };
    let mut floor = Floor::cold(ungrouped(), recovered);
    floor.pass(Duration::from_secs(61));
    assert_eq!(floor.desk.report().halted_agents, []);
    // Seen, and really lost.
    let mut low = view(floor.now);
    low.quote = Quote { bid: None, ask: None };
    floor.apply(Input::Market(low));
    floor.pass(Duration::from_secs(61));
    assert_eq!(floor.desk.report().halted_agents, [], "it has no mark yet");
    let mut low = view(floor.now);
    let level = |price| Some(Level { price: cents(price), quantity: contracts(1) });
    low.quote = Quote { bid: level(10), ask: level(12) };
    floor.apply(Input::Market(low));
    floor.pass(Duration::from_secs(1));
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
}

#[test]
fn a_market_that_goes_to_nothing_is_a_loss_and_can_be_left() {
    let mut floor = floor(|limits| {
        limits.daily_loss_per_agent = Dollars::from_dollars(3);
        limits.price_collar = cents(10);
    });
    floor.pass(Duration::from_millis(100));
    trade(&mut floor, bid(1, 60, 10), "a");
    floor.pass(Duration::from_millis(100));
    // Nobody bids any more, and somebody offers at three cents.
    let mut gone = view(floor.now);
    gone.quote = Quote { bid: None, ask: Some(Level { price: cents(3), quantity: contracts(50) }) };
    floor.apply(Input::Market(gone));
    assert_eq!(floor.desk.would_deny(&agent(), &ask(2, 3, 10), floor.now), None);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
}

#[test]
fn all_together_lose_no_more_than_they_may() {
    for change in [
        (|limits: &mut Limits| limits.daily_loss = Dollars::from_dollars(1)) as fn(&mut Limits),
        |limits| limits.drawdown = Dollars::from_dollars(1),
    ] {
        let mut floor = floor(change);
        floor.pass(Duration::from_millis(100));
        trade(&mut floor, bid(1, 60, 10), "a");
        floor.pass(Duration::from_millis(100));
        let halted = floor.desk.report().halted.expect("all are halted");
        assert!(halted.starts_with("LOSS_LIMIT: lost=1.010000 limit=1.000000"), "{halted}");
    }
}

#[test]
fn only_who_was_halted_for_losses_is_forgiven_them() {
    let mut floor = floor(|limits| limits.daily_loss_per_agent = Dollars::from_raw(1_500_000));
    floor.pass(Duration::from_millis(100));
    trade(&mut floor, bid(1, 60, 10), "a");
    floor.pass(Duration::from_millis(100));
    let forgiven =
        |floor: &Floor| floor.out.records.iter().any(|record| matches!(record, Record::Equity(_)));
    for whose in [None, Some(agent())] {
        floor.apply(Input::Halt { agent: whose.clone(), halted: Halted::all("lunch") });
        floor.apply(Input::Resume { agent: whose });
        assert!(!forgiven(&floor));
    }
    // One that is hidden by another halt is seen when that is lifted.
    let reducing = Halted { reducing: true, reason: "winding down".to_owned() };
    floor.apply(Input::Halt { agent: Some(agent()), halted: reducing });
    let mut lower = view(floor.now);
    lower.quote.ask = lower.quote.bid.map(|bid| Level { price: cents(41), ..bid });
    floor.apply(Input::Market(lower));
    floor.pass(Duration::from_millis(100));
    floor.apply(Input::Resume { agent: Some(agent()) });
    assert!(!forgiven(&floor));
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
}

#[test]
fn what_looks_like_a_mistake_keeps_nobody_from_closing() {
    let mut floor = floor(|limits| {
        limits.size_multiple_max = 2;
        limits.fills_per_market = 5;
        limits.duplicate_window_ms = 250;
        limits.open_orders_per_market = 2;
    });
    for number in 1..=6 {
        trade(&mut floor, bid(number, 40, 1), &number.to_string());
        floor.now = floor.now + Duration::from_secs(3);
    }
    floor.rest(ask(10, 60, 1));
    floor.rest(ask(11, 60, 1));
    floor.place(ask(12, 60, 4));
    assert!(floor.denied(ask(13, 60, 1)).starts_with("DUPLICATE_ORDER"));
    let denied = floor.denied(ask(14, 61, 1));
    assert!(denied.starts_with("OPEN_ORDERS_LIMIT: scope=market"), "{denied}");
}

#[test]
fn refusals_that_say_nothing_of_the_agent_are_not_counted() {
    let mut floor = floor(|limits| limits.refused_in_a_row = 2);
    for (number, reason) in (1..).zip([
        "fill_or_kill_insufficient_resting_volume",
        "invalid_order: post only cross",
        "trading_is_paused",
        "MARKET_INACTIVE",
    ]) {
        let sent = floor.place(bid(number, 40, 1));
        let reason = reason.to_owned();
        floor.apply(Input::Placed { order: sent.key, outcome: PlaceOutcome::Rejected { reason } });
    }
    floor.place(bid(9, 40, 1));
}

#[test]
fn a_journal_that_failed_hides_no_halt() {
    let mut floor = floor(|_| {});
    let reducing = Halted { reducing: true, reason: "winding down".to_owned() };
    floor.apply(Input::Halt { agent: None, halted: reducing });
    floor.apply(Input::JournalFailed { reason: "disk full".to_owned() });
    assert_eq!(floor.denied(bid(1, 40, 1)), "HALTED: journal: disk full");
    floor.apply(Input::Resume { agent: None });
    assert!(floor.denied(bid(2, 40, 1)).starts_with("REDUCE_ONLY"));
    floor.apply(Input::Resume { agent: None });
    floor.place(bid(3, 40, 1));
}

#[test]
fn a_channel_that_never_comes_up_costs_the_orders_of_the_last_run() {
    let mut first = floor(|_| {});
    let sent = first.rest(bid(1, 40, 1));
    let order = crate::desk::record::RecoveredOrder {
        intent: intent_of(&sent),
        venue_order_id: Some("v-old".into()),
        state: OrderState::Resting,
        filled: Quantity::ZERO,
        booked: Quantity::ZERO,
    };
    let recovered = Recovered { runs: 1, orders: vec![order], ..Recovered::default() };
    let mut floor = Floor::cold(ungrouped(), recovered);
    floor.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
    floor.pass(Duration::from_secs(9));
    assert_eq!(floor.cancels().len(), 0);
    floor.pass(Duration::from_secs(2));
    assert_eq!(floor.cancels().len(), 1);
}

fn intent_of(sent: &Sent) -> crate::desk::record::Intent {
    let request = &sent.request;
    crate::desk::record::Intent {
        ts: START,
        agent: agent(),
        order: OrderId(1),
        ticker: Some(Arc::clone(&request.ticker)),
        side: request.side,
        price: request.price,
        quantity: request.quantity,
        time_in_force: request.time_in_force,
        post_only: request.post_only,
        expires: request.expires,
        decision: crate::desk::record::Decision::Approved {
            client_order_id: request.client_order_id.clone(),
            exchange_index: request.exchange_index,
        },
    }
}
