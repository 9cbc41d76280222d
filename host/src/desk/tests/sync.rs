//! The exchange's account against ours.

use super::*;

fn drifted(floor: &Floor, quantity: i64) -> Input {
    Input::Account(Ok(AccountSnapshot {
        positions: vec![held(TICKER, quantity)],
        ..floor.snapshot()
    }))
}

fn not_ready(floor: &Floor) -> String {
    floor.desk.report().not_ready.unwrap_or_default()
}

#[test]
fn the_account_is_read_at_the_start_every_minute_and_after_a_break() {
    let mut floor = Floor::cold(ungrouped(), Recovered::default());
    floor.apply(Input::Connected);
    assert_eq!(floor.reads(), 1);
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(not_ready(&floor), "");
    floor.pass(Duration::from_secs(59));
    assert_eq!(floor.reads(), 0);
    floor.pass(Duration::from_secs(2));
    assert_eq!(floor.reads(), 1);
    floor.apply(Input::Account(Ok(floor.snapshot())));

    floor.apply(Input::Disconnected { reason: "reset".to_owned() });
    assert!(not_ready(&floor).contains("reset"));
    floor.apply(Input::Connected);
    assert_eq!(floor.reads(), 1);
    assert_ne!(not_ready(&floor), "");
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(not_ready(&floor), "");
}

#[test]
fn a_bus_that_is_down_stops_orders_until_it_is_back() {
    let mut floor = Floor::open();
    floor.apply(Input::Bus { down: Some("redis is gone".to_owned()) });
    assert_eq!(not_ready(&floor), "the bus is down: redis is gone");
    floor.apply(Input::Bus { down: None });
    assert_eq!(floor.desk.report().not_ready, None);
}

#[test]
fn a_read_from_before_the_connection_does_not_make_it_ready() {
    let mut floor = Floor::open();
    floor.pass(Duration::from_secs(61));
    let before = floor.snapshot();
    floor.now = floor.now + Duration::from_millis(1);
    floor.apply(Input::Connected);
    floor.apply(Input::Account(Ok(before)));
    assert_ne!(not_ready(&floor), "");
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.reads(), 1);
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(not_ready(&floor), "");
}

#[test]
fn a_read_that_fails_is_not_an_empty_account() {
    let mut floor = Floor::cold(ungrouped(), Recovered::default());
    floor.apply(Input::Connected);
    let error = super::super::ReadError { call: "GET /portfolio/orders", reason: "503".to_owned() };
    floor.apply(Input::Account(Err(error)));
    assert_eq!(not_ready(&floor), "the account cannot be read: GET /portfolio/orders: 503");
    floor.pass(Duration::from_millis(1_100));
    assert_eq!(floor.reads(), 1);
}

#[test]
fn a_missed_fill_is_booked_once_by_its_id() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.pass(Duration::from_secs(60));
    // REST does not say our name for the order.
    let fill = VenueFill { client_order_id: None, ..filled(&sent, "f1", 4, START) };
    let mut snapshot = floor.snapshot();
    snapshot.fills = vec![fill.clone()];
    snapshot.resting = vec![reported(&sent, VenueOrderStatus::Resting, 4)];
    snapshot.positions = vec![held(TICKER, 4)];
    floor.apply(Input::Account(Ok(snapshot.clone())));
    assert_eq!(floor.differences(), ["missed_fill"]);
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    floor.apply(Input::Account(Ok(snapshot)));
    floor.apply(Input::Fill(filled(&sent, "f1", 4, START)));
    assert_eq!(floor.position(), contracts(4));
    assert_eq!(not_ready(&floor), "");
}

#[test]
fn an_order_that_is_gone_is_asked_for_before_it_ends() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert!(floor.differences().is_empty(), "sent too shortly before the read");
    floor.pass(Duration::from_secs(5));
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(floor.differences(), ["order_gone"]);
    assert_eq!(floor.working(), [(OrderState::Resting, contracts(10))]);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1);
    let found = Ok(Some(reported(&sent, VenueOrderStatus::Canceled, 0)));
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: found });
    assert_eq!(floor.told(), [OrderState::Canceled]);
}

#[test]
fn a_position_that_does_not_agree_twice_stops_the_desk_until_it_does() {
    let mut floor = Floor::open();
    floor.pass(Duration::from_secs(61));
    floor.apply(drifted(&floor, 3));
    assert_eq!(not_ready(&floor), "", "the first time it may be a slow read");
    floor.pass(Duration::from_secs(2));
    assert_eq!(floor.reads(), 1, "looked at again soon");
    floor.apply(drifted(&floor, 3));
    assert_eq!(floor.differences(), ["position"]);
    assert_eq!(not_ready(&floor), "position drift: market=KX-1 ours=0.00 theirs=3.00");
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(not_ready(&floor), "");
}

#[test]
fn an_operator_can_take_the_exchanges_word_on_a_position() {
    let mut floor = Floor::open();
    for _ in 0..2 {
        floor.pass(Duration::from_secs(61));
        floor.apply(drifted(&floor, 3));
    }
    assert_ne!(not_ready(&floor), "");
    floor.apply(Input::Resume { agent: None });
    floor.pass(Duration::from_millis(100));
    floor.apply(drifted(&floor, 3));
    assert_eq!(not_ready(&floor), "");
    let line = &floor.desk.report().positions[0];
    // At the mid of 40 and 60 cents, as a position from outside.
    assert_eq!((line.agent.clone(), line.quantity), (None, contracts(3)));
    assert_eq!(line.average_price, cents(50));
}

#[test]
fn an_operator_who_is_shown_something_else_accepts_no_position() {
    let mut floor = Floor::open();
    for _ in 0..2 {
        floor.pass(Duration::from_secs(61));
        floor.apply(drifted(&floor, 3));
    }
    floor.apply(Input::Disconnected { reason: "reset".to_owned() });
    floor.apply(Input::Resume { agent: None });
    floor.apply(Input::Connected);
    floor.pass(Duration::from_millis(100));
    floor.apply(drifted(&floor, 3));
    assert_eq!(not_ready(&floor), "position drift: market=KX-1 ours=0.00 theirs=3.00");
    assert_eq!(floor.desk.report().positions, []);
}

#[test]
fn an_operator_accepts_what_was_shown_and_nothing_else() {
    let mut floor = Floor::open();
    let account = |floor: &Floor, first, second| {
        let positions = vec![held("KX-1", first), held("KX-2", second)];
        Input::Account(Ok(AccountSnapshot { positions, ..floor.snapshot() }))
    };
    for _ in 0..2 {
        floor.pass(Duration::from_secs(61));
        floor.apply(account(&floor, 3, 4));
    }
    let shown = "position drift: market=KX-1 ours=0.00 theirs=3.00, \
                 market=KX-2 ours=0.00 theirs=4.00";
    assert_eq!(not_ready(&floor), shown);
    floor.apply(Input::Resume { agent: None });
    floor.pass(Duration::from_millis(100));
    // The second one moved on since, and nobody was shown that.
    floor.apply(account(&floor, 3, 9));
    assert_eq!(not_ready(&floor), "position drift: market=KX-2 ours=0.00 theirs=9.00");
    let lines = floor.desk.report().positions;
    assert_eq!(lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [contracts(3)]);
    floor.pass(Duration::from_secs(3));
    floor.apply(account(&floor, 3, 9));
    assert_ne!(not_ready(&floor), "", "what was accepted once is not accepted again");
}

#[test]
fn a_read_that_is_asked_for_during_another_one_follows_it() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 5));
    floor.apply(Input::Fill(filled(&sent, "f1", 5, START)));
    floor.pass(Duration::from_secs(61));
    assert_eq!(floor.reads(), 1);
    floor.apply(Input::Fill(filled(&sent, "f2", 1, START)));
    assert_eq!(floor.differences(), ["overfill"]);
    let positions = vec![held(TICKER, 6)];
    floor.apply(Input::Account(Ok(AccountSnapshot { positions, ..floor.snapshot() })));
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.reads(), 1);
}

#[test]
fn a_new_journal_takes_over_what_the_exchange_has() {
    let mut floor = Floor::cold(ungrouped(), Recovered::default());
    floor.apply(Input::Connected);
    floor.apply(drifted(&floor, -4));
    assert_eq!(not_ready(&floor), "");
    let report = floor.desk.report();
    assert_eq!(report.positions[0].quantity, contracts(-4));
    // Without a mark: at the price at which most can be lost.
    assert_eq!(report.positions[0].average_price, Price::ZERO);
    assert_eq!(report.cash, Dollars::from_dollars(1_000));
}

#[test]
fn what_traded_before_the_journal_began_is_not_counted() {
    let fill = |id: &str, ts| VenueFill {
        fill_id: Arc::from(id),
        venue_order_id: "elsewhere".into(),
        client_order_id: None,
        ticker: Arc::from(TICKER),
        side: Side::Bid,
        price: cents(50),
        quantity: contracts(3),
        fee: Dollars::from_raw(10_000),
        taker: true,
        ts,
    };
    let before = Timestamp::from_secs(START.as_nanos() / 1_000_000_000 - 60);
    // The first run, and one that starts soon after it.
    for (runs, since) in [(0, None), (1, Some(START))] {
        let recovered = Recovered { runs, since, ..Recovered::default() };
        let mut floor = Floor::cold(ungrouped(), recovered);
        floor.apply(Input::Connected);
        floor.now = floor.now + Duration::from_secs(5);
        let mut snapshot = floor.snapshot();
        snapshot.fills = vec![fill("f1", before), fill("f2", before)];
        if runs == 0 {
            snapshot.positions = vec![held(TICKER, 6)];
        }
        floor.apply(Input::Account(Ok(snapshot)));
        assert!(!floor.differences().contains(&"missed_fill"));
        floor.apply(Input::Fill(fill("f1", before)));
        let report = floor.desk.report();
        assert_eq!((report.fills, report.fees), (0, Dollars::ZERO));
        let held: Vec<Quantity> = report.positions.iter().map(|line| line.quantity).collect();
        assert_eq!(held, if runs == 0 { vec![contracts(6)] } else { vec![] });
        assert_eq!(not_ready(&floor), "");
        // One that happened since is.
        floor.apply(Input::Fill(fill("f3", floor.now)));
        assert_eq!(floor.desk.report().fills, 1);
    }
}

/// An account with nothing but cash and resting orders.
fn account(floor: &Floor, balance: i64, resting: Vec<VenueOrder>) -> Input {
    let balances = on_shard(Dollars::from_dollars(balance));
    Input::Account(Ok(AccountSnapshot { balances, resting, ..floor.snapshot() }))
}

#[test]
fn cash_that_came_from_outside_is_taken_over_when_two_reads_show_it() {
    let mut floor = Floor::open();
    floor.pass(Duration::from_secs(60));
    floor.apply(account(&floor, 1_500, vec![]));
    assert!(floor.differences().is_empty(), "the first time it may be a slow read");
    floor.pass(Duration::from_secs(3));
    assert_eq!(floor.reads(), 1, "looked at again soon");
    floor.apply(account(&floor, 1_600, vec![]));
    assert!(floor.differences().is_empty(), "not what it was");
    floor.apply(account(&floor, 1_600, vec![]));
    assert_eq!(floor.differences(), ["cash"]);
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_600));
}

#[test]
fn cash_that_came_while_an_order_rests_is_counted_with_what_the_order_holds() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.pass(Duration::from_secs(60));
    let resting = vec![reported(&sent, VenueOrderStatus::Resting, 0)];
    for _ in 0..2 {
        floor.apply(account(&floor, 1_495, resting.clone()));
    }
    assert_eq!(floor.differences(), ["cash"]);
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_500));
    floor.apply(account(&floor, 1_495, resting));
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Canceled, 0)));
    floor.apply(account(&floor, 1_500, vec![]));
    assert!(floor.differences().is_empty());
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_500));
}

/// For an order that only makes, the exchange may hold what it would cost to take.
#[test]
fn a_takers_fee_that_is_held_for_a_resting_order_is_no_difference() {
    let mut floor = Floor::open();
    let sent = floor.rest(NewOrder { post_only: true, ..bid(1, 50, 10) });
    let resting = vec![reported(&sent, VenueOrderStatus::Resting, 0)];
    let taker_fee = Dollars::from_raw(175_000);
    for _ in 0..3 {
        floor.pass(Duration::from_secs(60));
        let mut snapshot = AccountSnapshot { resting: resting.clone(), ..floor.snapshot() };
        snapshot.balances = on_shard(Dollars::from_dollars(995) - taker_fee);
        floor.apply(Input::Account(Ok(snapshot)));
        assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_000));
    }
    assert!(floor.differences().is_empty());
}

/// The account read while an order rests for which the exchange holds `fee` beside what it costs.
fn holding_fee(floor: &Floor, free: i64, fee: i64, resting: Vec<VenueOrder>) -> Input {
    let balances = on_shard(Dollars::from_dollars(free) - Dollars::from_raw(fee));
    Input::Account(Ok(AccountSnapshot { balances, resting, ..floor.snapshot() }))
}

#[test]
fn a_fee_that_was_held_when_cash_came_is_no_second_difference() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.pass(Duration::from_secs(60));
    let resting = vec![reported(&sent, VenueOrderStatus::Resting, 0)];
    for _ in 0..2 {
        floor.apply(holding_fee(&floor, 1_495, 175_000, resting.clone()));
    }
    assert_eq!(floor.differences(), ["cash"]);
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Canceled, 0)));
    for _ in 0..2 {
        floor.pass(Duration::from_secs(60));
        floor.apply(account(&floor, 1_500, vec![]));
    }
    assert!(floor.differences().is_empty());
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_500));
}

/// Each read finds another order, for which another fee is held.
#[test]
fn cash_that_went_is_missed_while_an_agent_goes_on_requoting() {
    let mut floor = Floor::open();
    for (number, cents, fee) in [(1, 50, 175_000), (2, 40, 168_000)] {
        let sent = floor.rest(bid(number, cents, 10));
        floor.pass(Duration::from_secs(60));
        floor.reads();
        let resting = vec![reported(&sent, VenueOrderStatus::Resting, 0)];
        let free = 400 - i64::from(cents) / 10;
        floor.apply(holding_fee(&floor, free, fee, resting));
        floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Canceled, 0)));
    }
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(400) - Dollars::from_raw(168_000));
}

#[test]
fn a_balance_from_before_a_cancel_is_not_taken_over() {
    let mut floor = Floor::open();
    for number in 1..=4 {
        let sent = floor.rest(bid(number, 50, 10));
        floor.pass(Duration::from_secs(61));
        // Asked for while the order rests, answered after it was canceled.
        assert_eq!(floor.reads(), 1);
        floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Canceled, 0)));
        floor.apply(account(&floor, 995, vec![]));
        assert!(floor.differences().is_empty());
        floor.pass(Duration::from_secs(3));
        assert_eq!(floor.reads(), 0, "nothing to look at again");
        assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_000));
    }
}

#[test]
fn cash_is_not_judged_while_a_position_does_not_agree() {
    let mut floor = Floor::open();
    floor.pass(Duration::from_secs(61));
    // A fill that nobody reported yet: the cash went with the position.
    for _ in 0..3 {
        let mut snapshot = floor.snapshot();
        snapshot.balances = on_shard(Dollars::from_dollars(998));
        snapshot.positions = vec![held(TICKER, 4)];
        floor.apply(Input::Account(Ok(snapshot)));
        assert!(!floor.differences().contains(&"cash"));
    }
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_000));
}

#[test]
fn a_market_that_pays_out_closes_the_position() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
    assert_eq!(floor.desk.report().cash, Dollars::from_raw(995_990_000));
    assert_eq!(floor.desk.report().unrealized, Some(Dollars::from_dollars(1)));
    let paid = Market {
        status: MarketStatus::Finalized,
        settlement: Some(Price::ONE),
        ..market(MARKET, TICKER)
    };
    floor.apply(Input::Market(view_of(paid.clone(), MARKET, floor.now)));
    let report = floor.desk.report();
    assert_eq!(report.cash, Dollars::from_raw(1_005_990_000));
    assert_eq!(report.realized, Dollars::from_dollars(6));
    assert_eq!(report.fees, Dollars::from_raw(10_000));
    assert_eq!(floor.position(), Quantity::ZERO);
    floor.apply(Input::Market(view_of(paid, MARKET, floor.now)));
    assert!(floor.out.records.is_empty(), "paid once");
}

#[test]
fn a_market_that_paid_is_settled_by_the_accounts_word_where_nothing_else_tells() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
    floor.pass(Duration::from_secs(5));
    let paid = VenueSettlement { ticker: TICKER.into(), price: Price::ONE };
    let settlements = vec![paid.clone()];
    // While the position is listed it is not settled, whatever else is.
    let positions = vec![held(TICKER, 10)];
    let listed = AccountSnapshot { settlements: vec![paid], positions, ..floor.snapshot() };
    floor.apply(Input::Account(Ok(listed)));
    assert_eq!(floor.position(), contracts(10));
    let snapshot = AccountSnapshot { settlements, ..floor.snapshot() };
    floor.apply(Input::Account(Ok(snapshot)));
    assert_eq!(floor.position(), Quantity::ZERO);
    assert_eq!(floor.desk.report().realized, Dollars::from_dollars(6));
    assert!(!floor.differences().contains(&"settlement"));
}

#[test]
fn agents_whose_positions_cancel_out_are_settled_by_the_accounts_word() {
    let mut floor = Floor::open();
    let other: AgentId = "taker".into();
    floor.apply(Input::AgentUp { agent: other.clone(), limits: AgentLimits::default() });
    let bought = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&bought, "f1", 10, START)));
    let sell = vec![Action::Place(ask(1, 45, 10))];
    floor.apply(Input::Actions { agent: other.clone(), actions: sell });
    let [Request::Place { order, approved }] = floor.out.requests.as_slice() else {
        panic!("{:?}", floor.out.requests)
    };
    let sold = Sent { key: *order, request: approved.request().clone() };
    floor.apply(Input::Placed { order: sold.key, outcome: accepted(&sold, 10) });
    floor.apply(Input::Fill(filled(&sold, "f2", 10, START)));
    floor.pass(Duration::from_secs(5));
    let paid = VenueSettlement { ticker: TICKER.into(), price: Price::ONE };
    let snapshot = AccountSnapshot { settlements: vec![paid], ..floor.snapshot() };
    floor.apply(Input::Account(Ok(snapshot)));
    let report = floor.desk.report();
    assert!(report.positions.iter().all(|line| line.quantity.is_zero()), "{report:?}");
    let made = |agent: &AgentId| {
        report.profits.iter().find(|it| it.agent.as_ref() == Some(agent)).map(|it| it.realized)
    };
    assert_eq!(made(&agent()), Some(Dollars::from_dollars(6)));
    assert_eq!(made(&other), Some(Dollars::from_raw(-5_500_000)));
}

#[test]
fn a_payout_that_is_not_what_the_position_was_closed_at_is_told_once() {
    for (theirs, differs) in [(5_000, false), (5_050, false), (5_100, true), (0, true)] {
        let mut floor = Floor::open();
        let sent = floor.rest(bid(1, 40, 10));
        floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
        let status = MarketStatus::Finalized;
        let settlement = Some(cents(50));
        let paid = Market { status, settlement, ..market(MARKET, TICKER) };
        floor.apply(Input::Market(view_of(paid, MARKET, floor.now)));
        floor.pass(Duration::from_secs(5));
        let settlement = VenueSettlement { ticker: TICKER.into(), price: Price::from_raw(theirs) };
        for is_first in [true, false] {
            let settlements = vec![settlement.clone()];
            let snapshot = AccountSnapshot { settlements, ..floor.snapshot() };
            floor.apply(Input::Account(Ok(snapshot)));
            let told = floor.differences().contains(&"settlement");
            assert_eq!(told, differs && is_first, "{theirs}");
        }
    }
}

#[test]
fn a_fee_that_is_not_what_the_formula_gives_is_told_once_for_each_market() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    let charged = |id: &str, fee| {
        let fee = Dollars::from_raw(fee);
        Input::Fill(VenueFill { fee, ..filled(&sent, id, 1, START) })
    };
    // 0.07 × 0.5 × 0.5 for each, and a step of the balance more or less.
    for (id, fee, told) in
        [("a", 17_500, false), ("b", 17_400, false), ("c", 35_000, true), ("d", 35_000, false)]
    {
        floor.apply(charged(id, fee));
        let is_it = |record: &Record| matches!(record, Record::Difference(it) if it.kind == "fee");
        assert_eq!(floor.out.records.iter().any(is_it), told, "{id}");
    }
    assert_eq!(floor.desk.report().fees, Dollars::from_raw(17_500 + 17_400 + 2 * 35_000));
}

#[test]
fn a_position_without_a_price_has_no_profit_and_no_loss() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
    let mut view = view(floor.now);
    view.quote.ask = None;
    floor.apply(Input::Market(view));
    let report = floor.desk.report();
    assert_eq!(report.positions[0].mark, None);
    assert_eq!(report.unrealized, None);
}

#[test]
fn the_desk_is_interested_where_it_has_a_position_or_an_order() {
    let mut floor = Floor::open();
    assert!(floor.desk.interests().is_empty());
    floor.rest(bid(1, 40, 10));
    assert_eq!(floor.desk.interests().into_iter().collect::<Vec<_>>(), [Arc::from(TICKER)]);
}
