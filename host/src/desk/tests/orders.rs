//! What becomes of orders: every order in which answers, reports and fills can come.

use super::*;
use crate::desk::CancelOutcome;

fn lost(sent: &Sent) -> Input {
    let outcome = PlaceOutcome::Unknown { reason: "timeout".to_owned() };
    Input::Placed { order: sent.key, outcome }
}

fn report(sent: &Sent, status: VenueOrderStatus, filled: i64) -> Input {
    Input::Order(reported(sent, status, filled))
}

#[test]
fn an_approved_order_is_written_down_before_it_is_asked_for() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 2));
    assert_eq!(sent.request.exchange_index, 3);
    let written = floor.out.records.iter().any(|record| match record {
        Record::Intent(intent) => matches!(
            &intent.decision,
            super::super::record::Decision::Approved { client_order_id, .. }
                if *client_order_id == sent.request.client_order_id
        ),
        _ => false,
    });
    assert!(written, "{:?}", floor.out.records);
    assert_eq!(floor.told(), [OrderState::Sent]);
}

#[test]
fn every_order_has_a_name_of_its_own() {
    let mut floor = Floor::open();
    let first = floor.place(bid(1, 50, 1)).request.client_order_id;
    let second = floor.place(bid(2, 50, 1)).request.client_order_id;
    assert_ne!(first, second);
}

/// Answer, report and fills of one order that trades 2 of 5 and rests, in all orders and twice:
/// the end is always the same.
#[test]
fn answers_and_reports_may_come_in_any_order_and_twice() {
    let steps: [fn(&Sent) -> Input; 4] = [
        |sent| Input::Placed { order: sent.key, outcome: accepted(sent, 2) },
        |sent| report(sent, VenueOrderStatus::Resting, 2),
        |sent| Input::Fill(filled(sent, "f1", 1, START)),
        |sent| Input::Fill(filled(sent, "f2", 1, START)),
    ];
    let mut permutations = 0;
    for code in 0..256_usize {
        let order = [code & 3, (code >> 2) & 3, (code >> 4) & 3, (code >> 6) & 3];
        let mut seen = order.to_vec();
        seen.sort_unstable();
        if seen != [0, 1, 2, 3] {
            continue;
        }
        permutations += 1;
        let mut floor = Floor::open();
        let sent = floor.place(bid(1, 50, 5));
        for step in order.iter().chain(&order) {
            floor.apply(steps[*step](&sent));
        }
        assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(3))], "{order:?}");
        assert_eq!(floor.position(), contracts(2), "{order:?}");
        assert_eq!(floor.desk.report().fills, 2, "{order:?}");
    }
    assert_eq!(permutations, 24);
}

#[test]
fn a_fill_before_the_answer_belongs_to_its_order() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 5));
    floor.apply(Input::Fill(filled(&sent, "f1", 5, START)));
    assert_eq!(floor.told(), [OrderState::Filled]);
    floor.apply(Input::Placed { order: sent.key, outcome: accepted(&sent, 5) });
    assert_eq!(floor.told(), []);
    assert_eq!(floor.position(), contracts(5));
}

#[test]
fn a_fill_that_does_not_say_whose_it_is_waits_for_the_answer() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 5));
    let fill = VenueFill { client_order_id: None, ..filled(&sent, "f1", 2, START) };
    floor.apply(Input::Fill(fill.clone()));
    assert_eq!(floor.desk.report().fills, 0);
    floor.apply(Input::Placed { order: sent.key, outcome: accepted(&sent, 2) });
    assert_eq!(floor.position(), contracts(2));
    floor.apply(Input::Fill(fill));
    assert_eq!(floor.position(), contracts(2));
}

#[test]
fn a_fill_of_an_order_from_elsewhere_is_nobodys_here() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 5));
    let fill = VenueFill {
        venue_order_id: "elsewhere".into(),
        client_order_id: None,
        ..filled(&sent, "f1", 2, START)
    };
    floor.apply(Input::Fill(fill));
    assert_eq!(floor.position(), Quantity::ZERO);
    let report = floor.desk.report();
    assert_eq!(
        (report.positions[0].agent.clone(), report.positions[0].quantity),
        (None, contracts(2))
    );
}

#[test]
fn more_fills_than_were_ordered_are_booked_and_told() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 5));
    floor.apply(Input::Fill(filled(&sent, "f1", 5, START)));
    floor.apply(Input::Fill(filled(&sent, "f2", 1, START)));
    assert_eq!(floor.differences(), ["overfill"]);
    assert_eq!(floor.position(), contracts(6));
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.reads(), 1);
}

#[test]
fn an_order_that_trades_at_once_and_does_not_rest_is_canceled_or_filled() {
    let cases = [(0, OrderState::Canceled), (2, OrderState::Canceled), (5, OrderState::Filled)];
    for (traded, state) in cases {
        let mut floor = Floor::open();
        let sent = floor
            .place(NewOrder { time_in_force: TimeInForce::ImmediateOrCancel, ..bid(1, 60, 5) });
        let outcome = PlaceOutcome::Accepted {
            venue_order_id: venue_name(&sent.request.client_order_id).into(),
            filled: contracts(traded),
            remaining: Quantity::ZERO,
        };
        floor.apply(Input::Placed { order: sent.key, outcome });
        assert_eq!(floor.told(), [state], "{traded}");
    }
}

#[test]
fn a_missing_answer_keeps_the_worst_case_until_a_late_read_proves_absence() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    let exposed = floor.account().budget;
    floor.apply(lost(&sent));
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))]);
    assert_eq!(floor.account().budget, exposed);

    floor.pass(Duration::from_millis(300));
    assert_eq!(floor.finds(), 1, "asked soon");
    let asked_at = floor.now;
    floor.apply(Input::Found { order: sent.key, asked_at, result: Ok(None) });
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))], "too early to prove");

    floor.pass(Duration::from_secs(12));
    assert_eq!(floor.finds(), 1, "asked again, late enough");
    let asked_at = floor.now;
    floor.apply(Input::Found { order: sent.key, asked_at, result: Ok(None) });
    assert_eq!(floor.told(), [OrderState::Rejected]);
    assert_eq!(floor.account().budget, Dollars::from_dollars(300));
    floor.pass(Duration::from_secs(60));
    assert!(!floor.out.requests.iter().any(|request| matches!(request, Request::Place { .. })));
}

#[test]
fn a_missing_answer_is_replaced_by_what_the_exchange_says() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    let found = reported(&sent, VenueOrderStatus::Resting, 4);
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: Ok(Some(found)) });
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    // The fills of the 4 have not come: they are read.
    floor.pass(Duration::from_millis(1_200));
    assert_eq!(floor.reads(), 1);
}

#[test]
fn a_question_that_fails_is_asked_again_and_ends_nothing() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    floor.pass(Duration::from_secs(3));
    for _ in 0..5 {
        let error = super::super::ReadError { call: "GET", reason: "503".to_owned() };
        let input = Input::Found { order: sent.key, asked_at: floor.now, result: Err(error) };
        floor.apply(input);
        assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))]);
        floor.pass(Duration::from_secs(31));
        assert_eq!(floor.finds(), 1);
    }
}

#[test]
fn a_duplicate_is_looked_for_at_once() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(Input::Placed { order: sent.key, outcome: PlaceOutcome::Duplicate });
    assert_eq!(floor.told(), [OrderState::Unknown]);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1);
}

#[test]
fn an_order_that_was_taken_for_absent_comes_back_with_its_fill() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    let rejected = PlaceOutcome::Rejected { reason: "a proxy in between".to_owned() };
    floor.apply(Input::Placed { order: sent.key, outcome: rejected });
    assert_eq!(floor.told(), [OrderState::Rejected]);
    floor.apply(Input::Fill(filled(&sent, "f1", 4, START)));
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    assert_eq!(floor.position(), contracts(4));
}

/// An order that rested, and that the exchange did not know when it was asked.
fn presumed_gone(floor: &mut Floor) -> Sent {
    let sent = floor.rest(bid(1, 50, 10));
    floor.pass(Duration::from_secs(5));
    floor.apply(Input::Account(Ok(floor.snapshot())));
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1);
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: Ok(None) });
    assert_eq!(floor.told(), [OrderState::Canceled]);
    sent
}

#[test]
fn an_order_that_was_taken_to_have_ended_and_is_listed_works_again() {
    let mut floor = Floor::open();
    let sent = presumed_gone(&mut floor);
    let resting = vec![reported(&sent, VenueOrderStatus::Resting, 0)];
    floor.apply(Input::Account(Ok(AccountSnapshot { resting, ..floor.snapshot() })));
    assert_eq!(floor.differences(), ["order_back"]);
    assert_eq!(floor.working(), [(OrderState::Resting, contracts(10))]);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1, "whether it does is asked");
    // An end that the exchange told of itself is one.
    let canceled = Ok(Some(reported(&sent, VenueOrderStatus::Canceled, 0)));
    floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: canceled });
    floor.apply(Input::Order(reported(&sent, VenueOrderStatus::Resting, 0)));
    assert_eq!(floor.working(), []);
}

#[test]
fn an_order_that_comes_back_while_halted_is_canceled() {
    let mut floor = Floor::open();
    let sent = presumed_gone(&mut floor);
    floor.apply(Input::Halt { agent: None, halted: Halted::all("operator") });
    floor.apply(Input::Fill(filled(&sent, "f1", 4, floor.now)));
    assert_eq!(floor.position(), contracts(4));
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    assert_eq!(floor.cancels().len(), 1);
}

#[test]
fn a_contradiction_is_told_and_asked_about() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    let rejected = PlaceOutcome::Rejected { reason: "late".to_owned() };
    floor.apply(Input::Placed { order: sent.key, outcome: rejected });
    assert_eq!(floor.differences(), ["contradiction"]);
    assert_eq!(floor.working(), [(OrderState::Resting, contracts(10))]);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1);
}

#[test]
fn an_expiry_is_told_as_such() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    let mut expired = reported(&sent, VenueOrderStatus::Canceled, 0);
    expired.reason = Some("ExpiryCancel".to_owned());
    floor.apply(Input::Order(expired));
    assert_eq!(floor.told(), [OrderState::Expired]);
}

#[test]
fn a_cancel_waits_for_the_exchanges_name_and_is_sent_once() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.act(&[Action::Cancel(OrderId(1))]);
    assert!(floor.cancels().is_empty());
    floor.apply(Input::Placed { order: sent.key, outcome: accepted(&sent, 0) });
    assert_eq!(floor.cancels().len(), 1);
    assert_eq!(floor.cancels()[0].exchange_index, 3);
    floor.act(&[Action::Cancel(OrderId(1)), Action::CancelAll(None)]);
    assert!(floor.cancels().is_empty());
    let outcome = CancelOutcome::Canceled { reduced_by: contracts(7) };
    floor.apply(Input::Canceled { order: sent.key, outcome });
    assert_eq!(floor.told(), [OrderState::Canceled]);
    // 3 were filled before: they count until their fills come.
    assert_eq!(floor.account().budget, Dollars::from_raw(298_500_000 - 62_500));
    floor.apply(Input::Fill(filled(&sent, "f1", 3, START)));
    assert_eq!(floor.position(), contracts(3));
}

#[test]
fn a_cancel_that_finds_nothing_asks_before_it_believes() {
    for outcome in [CancelOutcome::NotFound, CancelOutcome::Canceled { reduced_by: Quantity::ZERO }]
    {
        let mut floor = Floor::open();
        let sent = floor.rest(bid(1, 50, 10));
        floor.act(&[Action::CancelAll(Some(MARKET))]);
        floor.apply(Input::Canceled { order: sent.key, outcome });
        assert_eq!(floor.working(), [(OrderState::Resting, contracts(10))]);
        floor.pass(Duration::from_millis(100));
        assert_eq!(floor.finds(), 1);
        let found = Ok(Some(reported(&sent, VenueOrderStatus::Executed, 10)));
        floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: found });
        assert_eq!(floor.told(), [OrderState::Filled]);
    }
}

#[test]
fn a_cancel_that_was_refused_is_tried_again_later_however_often_it_is_asked_for() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.act(&[Action::Cancel(OrderId(1))]);
    let outcome = CancelOutcome::Refused { reason: "EXCHANGE_PAUSED".to_owned() };
    floor.apply(Input::Canceled { order: sent.key, outcome });
    floor.act(&[Action::Cancel(OrderId(1))]);
    assert!(floor.cancels().is_empty());
    floor.pass(Duration::from_secs(3));
    assert_eq!(floor.cancels().len(), 1);
}

#[test]
fn a_halt_stops_new_orders_and_cancels_the_working_ones() {
    let mut floor = Floor::open();
    floor.rest(bid(1, 50, 10));
    floor.apply(Input::Halt { agent: None, halted: Halted::all("operator") });
    assert_eq!(floor.cancels().len(), 1);
    assert!(matches!(floor.out.records[0], Record::Halt(_)));
    assert!(floor.denied(bid(2, 50, 1)).starts_with("HALTED"));
    floor.apply(Input::Resume { agent: None });
    floor.place(bid(3, 50, 1));
}

#[test]
fn an_agent_that_goes_takes_its_own_orders_with_it() {
    let mut floor = Floor::open();
    floor.rest(bid(1, 50, 10));
    let other: AgentId = "other".into();
    floor.apply(Input::AgentUp { agent: other.clone(), limits: AgentLimits::default() });
    floor.apply(Input::Actions { agent: other, actions: vec![Action::Place(bid(1, 45, 1))] });
    floor.apply(Input::AgentDown { agent: agent(), reason: "deleted".to_owned() });
    assert_eq!(floor.cancels().len(), 1);
    assert_eq!(floor.desk.report().working.len(), 2);
}

#[test]
fn an_order_from_elsewhere_is_counted_and_never_touched() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    let mut foreign = reported(&sent, VenueOrderStatus::Resting, 0);
    foreign.venue_order_id = "elsewhere".into();
    foreign.client_order_id = None;
    foreign.side = Side::Ask;
    foreign.price = cents(55);
    floor.apply(Input::Order(foreign));
    assert!(floor.denied(bid(2, 55, 1)).starts_with("SELF_MATCH"));
    floor.apply(Input::Shutdown);
    assert_eq!(floor.cancels().len(), 1);
}

#[test]
fn fills_of_an_order_from_elsewhere_are_not_counted_against_what_is_left_of_it() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 10, 1));
    let mut foreign = reported(&sent, VenueOrderStatus::Resting, 0);
    foreign.venue_order_id = "elsewhere".into();
    foreign.client_order_id = None;
    foreign.filled = contracts(2);
    foreign.remaining = contracts(1);
    floor.apply(Input::Order(foreign));
    let counted = floor.desk.ledger.exposure();
    // One of the two that the report had counted already.
    let fill = VenueFill {
        venue_order_id: "elsewhere".into(),
        client_order_id: None,
        ..filled(&sent, "f1", 1, START)
    };
    floor.apply(Input::Fill(fill));
    assert_eq!(floor.differences(), Vec::<&str>::new());
    assert_eq!(floor.desk.ledger.exposure(), counted + cents(10) * contracts(1));
}

#[test]
fn an_answer_to_a_cancel_after_the_end_changes_nothing() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 50, 10));
    floor.act(&[Action::Cancel(OrderId(1))]);
    floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
    floor.apply(Input::Canceled { order: sent.key, outcome: CancelOutcome::NotFound });
    assert!(floor.out.is_empty(), "{:?}", floor.out);
    floor.pass(Duration::from_secs(2));
    assert_eq!((floor.finds(), floor.cancels().len()), (0, 0));
}

#[test]
fn questions_and_cancels_do_not_wait_when_the_exchange_is_back() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    floor.apply(lost(&sent));
    for _ in 0..4 {
        floor.pass(Duration::from_secs(20));
        let error = super::super::ReadError { call: "GET", reason: "503".to_owned() };
        floor.apply(Input::Found { order: sent.key, asked_at: floor.now, result: Err(error) });
    }
    floor.pass(Duration::from_secs(1));
    assert_eq!(floor.finds(), 0, "it waits longer and longer");
    floor.apply(Input::Connected);
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.finds(), 1);
}

#[test]
fn what_was_not_sent_never_was_an_order() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    let outcome = PlaceOutcome::NotSent { reason: "DRY_RUN".to_owned() };
    floor.apply(Input::Placed { order: sent.key, outcome });
    assert_eq!(floor.told(), [OrderState::Denied]);
    let report = floor.desk.report();
    assert_eq!((report.orders, report.denied, report.working.len()), (0, 1, 0));
}

#[test]
fn an_order_whose_request_may_still_be_on_its_way_is_not_absent() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    let absent =
        |floor: &Floor| Input::Found { order: sent.key, asked_at: floor.now, result: Ok(None) };
    floor.apply(lost(&sent));
    floor.pass(Duration::from_secs(11));
    floor.apply(absent(&floor));
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))]);
    floor.pass(Duration::from_secs(1));
    floor.apply(absent(&floor));
    assert_eq!(floor.working(), []);
}

#[test]
fn a_clock_that_is_set_proves_no_order_absent() {
    let mut floor = Floor::open();
    let sent = floor.place(bid(1, 50, 10));
    let absent =
        |floor: &Floor| Input::Found { order: sent.key, asked_at: floor.now, result: Ok(None) };
    floor.apply(lost(&sent));
    floor.now = floor.now + Duration::from_secs(60);
    floor.apply(Input::ClockSet { by_ms: 60_000 });
    assert_eq!(floor.differences(), ["clock"]);
    floor.apply(absent(&floor));
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(10))]);
    floor.pass(Duration::from_secs(12));
    floor.apply(absent(&floor));
    assert_eq!(floor.working(), []);
}
