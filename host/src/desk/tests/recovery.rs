//! A desk that goes on from where the last run was.

use super::*;
use crate::desk::Heard;
use crate::desk::record::{
    Decision, Holding, Intent, RecoveredHolding, RecoveredOrder, UsedOrderIds,
};

fn recovered(state: OrderState, venue_order_id: Option<&str>) -> Recovered {
    let intent = Intent {
        ts: START,
        agent: agent(),
        order: OrderId(5),
        ticker: Some(Arc::from(TICKER)),
        side: Side::Bid,
        price: cents(50),
        quantity: contracts(10),
        time_in_force: TimeInForce::GoodTillCanceled,
        post_only: false,
        expires: None,
        decision: Decision::Approved { client_order_id: "old-1".into(), exchange_index: 3 },
    };
    Recovered {
        runs: 1,
        orders: vec![RecoveredOrder {
            intent,
            venue_order_id: venue_order_id.map(Into::into),
            state,
            filled: contracts(4),
            booked: contracts(4),
        }],
        fill_ids: vec![Arc::from("f1")],
        last_fill: Some(START),
        holdings: vec![RecoveredHolding {
            agent: Some(agent()),
            ticker: Arc::from(TICKER),
            holding: Holding {
                quantity: contracts(4),
                cost: Dollars::from_dollars(2),
                realized: Dollars::ZERO,
                fees: Dollars::from_raw(40_000),
            },
        }],
        order_ids: [(agent(), UsedOrderIds { floor: Some(OrderId(3)), used: vec![OrderId(5)] })]
            .into(),
        ..Recovered::default()
    }
}

fn venue_order(status: VenueOrderStatus, traded: i64) -> VenueOrder {
    VenueOrder {
        venue_order_id: "v-old".into(),
        client_order_id: Some("old-1".into()),
        ticker: Arc::from(TICKER),
        side: Side::Bid,
        price: cents(50),
        status,
        filled: contracts(traded),
        remaining: contracts(10 - traded),
        reason: None,
        exchange_index: 3,
        ts: None,
    }
}

/// A floor with the agent up and the market seen, before the account was read.
fn restarted(recovered: Recovered) -> Floor {
    let mut floor = Floor::cold(ungrouped(), recovered);
    floor.apply(Input::Connected);
    floor.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
    floor.apply(Input::Market(view(START)));
    floor
}

fn snapshot(floor: &Floor, resting: Vec<VenueOrder>, position: i64) -> Input {
    Input::Account(Ok(AccountSnapshot {
        resting,
        positions: vec![held(TICKER, position)],
        ..floor.snapshot()
    }))
}

#[test]
fn an_order_that_was_under_way_is_unknown_and_holds_the_desk_until_it_is_found() {
    let mut floor = restarted(recovered(OrderState::Sent, None));
    assert_eq!(floor.working(), [(OrderState::Unknown, contracts(6))]);
    floor.apply(snapshot(&floor, vec![], 4));
    let not_ready = floor.desk.report().not_ready.unwrap();
    assert_eq!(not_ready, "orders of the last run are being looked for: 1");
    floor.pass(Duration::from_millis(300));
    let Some(Request::Find { order, client_order_id, .. }) = floor.out.requests.first() else {
        panic!("not asked: {:?}", floor.out.requests)
    };
    assert_eq!(*client_order_id, "old-1".into());
    let order = *order;
    let result = Ok(Some(venue_order(VenueOrderStatus::Resting, 4)));
    floor.apply(Input::Found { order, asked_at: floor.now, result });
    floor.pass(Duration::from_millis(100));
    assert_eq!(floor.desk.report().not_ready, None);
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
}

#[test]
fn a_listing_finds_an_order_of_the_last_run_by_its_name() {
    let mut floor = restarted(recovered(OrderState::Sent, None));
    floor.apply(snapshot(&floor, vec![venue_order(VenueOrderStatus::Resting, 4)], 4));
    assert_eq!(floor.desk.report().not_ready, None);
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    // 6 working and 4 held at 50 cents, and the fee of 6 at the worst.
    let budget = Dollars::from_dollars(95) - Dollars::from_raw(115_000);
    assert_eq!(floor.account().budget, budget);
}

#[test]
fn fills_of_the_last_run_are_not_booked_again_and_later_ones_are() {
    let mut floor = restarted(recovered(OrderState::PartlyFilled, Some("v-old")));
    let fill = |id: &str, quantity| VenueFill {
        fill_id: Arc::from(id),
        venue_order_id: "v-old".into(),
        client_order_id: None,
        ticker: Arc::from(TICKER),
        side: Side::Bid,
        price: cents(50),
        quantity: contracts(quantity),
        fee: Dollars::ZERO,
        taker: false,
        ts: START,
    };
    let mut account = floor.snapshot();
    account.fills = vec![fill("f1", 4), fill("f2", 1)];
    account.resting = vec![venue_order(VenueOrderStatus::Resting, 5)];
    account.positions = vec![held(TICKER, 5)];
    floor.apply(Input::Account(Ok(account)));
    assert_eq!(floor.position(), contracts(5));
    assert_eq!(floor.desk.report().not_ready, None);
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(5))]);
}

#[test]
fn order_numbers_of_the_last_run_stay_used() {
    let mut floor = restarted(recovered(OrderState::PartlyFilled, Some("v-old")));
    floor.apply(snapshot(&floor, vec![venue_order(VenueOrderStatus::Resting, 4)], 4));
    for number in [1, 3, 5] {
        assert!(floor.denied(bid(number, 50, 1)).starts_with("ORDER_ID_USED"), "{number}");
    }
    floor.place(bid(4, 50, 1));
}

#[test]
fn a_halt_holds_over_a_restart_and_cancels_what_works() {
    let halted = Some(Halted::all("operator"));
    let recovered = Recovered { halted, ..recovered(OrderState::PartlyFilled, Some("v-old")) };
    let floor = Floor::cold(ungrouped(), recovered);
    assert_eq!(floor.cancels().len(), 1);
    assert_eq!(floor.desk.report().halted.as_deref(), Some("operator"));
}

#[test]
fn orders_of_an_agent_that_does_not_come_up_are_canceled() {
    let mut floor = Floor::cold(ungrouped(), recovered(OrderState::PartlyFilled, Some("v-old")));
    floor.apply(Input::Connected);
    floor.apply(snapshot(&floor, vec![venue_order(VenueOrderStatus::Resting, 4)], 4));
    floor.pass(Duration::from_millis(9_900));
    assert!(floor.cancels().is_empty());
    floor.pass(Duration::from_millis(200));
    assert_eq!(floor.cancels().len(), 1);
}

#[test]
fn orders_without_an_agent_are_canceled_by_a_desk_that_is_not_ready_too() {
    let mut floor = Floor::cold(ungrouped(), recovered(OrderState::PartlyFilled, Some("v-old")));
    floor.pass(Duration::from_millis(9_900));
    assert!(floor.cancels().is_empty());
    floor.pass(Duration::from_millis(200));
    assert_eq!(floor.cancels().len(), 1);
    assert!(floor.desk.report().not_ready.is_some());
}

#[test]
fn a_position_that_settled_while_the_host_was_down_is_closed() {
    let mut floor =
        Floor::cold(ungrouped(), Recovered { orders: vec![], ..recovered(OrderState::Sent, None) });
    floor.apply(Input::Connected);
    let determined = Market {
        status: MarketStatus::Determined,
        settlement: Some(Price::ZERO),
        ..market(MARKET, TICKER)
    };
    floor.apply(Input::Market(view_of(determined, MARKET, START)));
    floor.now = floor.now + Duration::from_secs(3);
    floor.apply(Input::Account(Ok(floor.snapshot())));
    // The result may be amended yet: one reading without the position proves nothing.
    assert_eq!(floor.desk.report().realized, Dollars::ZERO);
    floor.now = floor.now + Duration::from_secs(3);
    floor.apply(Input::Account(Ok(floor.snapshot())));
    let report = floor.desk.report();
    assert_eq!(report.not_ready, None);
    assert_eq!(report.realized, Dollars::from_dollars(-2));
}

#[test]
fn fills_are_read_from_before_the_oldest_order_that_may_have_traded() {
    let ago = |secs| Timestamp::from_secs(START.as_secs() - secs);
    for (order, last_fill, expected) in [(7_200, 3_600, 7_200), (60, 3_600, 3_600)] {
        let mut recovered = recovered(OrderState::Sent, None);
        recovered.orders[0].intent.ts = ago(order);
        recovered.last_fill = Some(ago(last_fill));
        let mut floor = Floor::cold(ungrouped(), recovered);
        floor.apply(Input::Connected);
        let Some(Request::ReadAccount { since }) = floor.out.requests.last() else {
            panic!("not read: {:?}", floor.out.requests)
        };
        assert_eq!(*since + Duration::from_secs(600), ago(expected));
    }
}

#[test]
fn what_the_orders_of_the_last_run_hold_is_counted_once() {
    let mut floor = restarted(recovered(OrderState::PartlyFilled, Some("v-old")));
    let balance = Dollars::from_dollars(997);
    let account = |floor: &Floor, balance, resting| {
        let positions = vec![held(TICKER, 4)];
        let balances = on_shard(balance);
        Input::Account(Ok(AccountSnapshot { resting, positions, balances, ..floor.snapshot() }))
    };
    // $3 are held for the six that still work at 50 cents.
    floor.apply(account(&floor, balance, vec![venue_order(VenueOrderStatus::Resting, 4)]));
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_000));
    floor.pass(Duration::from_secs(61));
    floor.apply(account(&floor, balance, vec![venue_order(VenueOrderStatus::Resting, 4)]));
    assert!(floor.differences().is_empty());
    floor.apply(Input::Order(venue_order(VenueOrderStatus::Canceled, 4)));
    floor.pass(Duration::from_secs(61));
    for _ in 0..2 {
        floor.apply(account(&floor, Dollars::from_dollars(1_000), vec![]));
        assert!(floor.differences().is_empty());
    }
    assert_eq!(floor.desk.report().cash, Dollars::from_dollars(1_000));
}

const OURS: &str = "hp3-0123456789abcdef-7";

/// A listing with an order that works under a name of ours, and what it is asked of the journal.
fn stray(floor: &mut Floor) -> VenueOrder {
    let order = VenueOrder {
        client_order_id: Some(OURS.into()),
        ..venue_order(VenueOrderStatus::Resting, 4)
    };
    floor.apply(Input::Account(Ok(AccountSnapshot {
        resting: vec![order.clone()],
        ..floor.snapshot()
    })));
    let heard = Heard::Order(order.clone());
    let recall = Request::Recall { heard, client_order_id: OURS.into() };
    assert_eq!(floor.out.requests, [recall]);
    assert_eq!(floor.differences(), Vec::<&str>::new());
    order
}

fn ended() -> RecoveredOrder {
    let mut order = recovered(OrderState::Canceled, Some("v-old")).orders.remove(0);
    order.intent.decision = Decision::Approved { client_order_id: OURS.into(), exchange_index: 3 };
    order
}

#[test]
fn an_order_that_ended_in_an_earlier_run_and_works_is_its_agents() {
    let mut floor = Floor::open();
    let report = stray(&mut floor);
    floor.apply(Input::Recalled { heard: Heard::Order(report.clone()), result: Ok(Some(ended())) });
    assert_eq!(floor.differences(), ["order_back"]);
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(6))]);
    assert!(floor.cancels().is_empty());
    floor.apply(Input::Halt { agent: None, halted: Halted::all("operator") });
    assert_eq!(floor.cancels().len(), 1);

    let mut floor = Floor::open();
    let report = stray(&mut floor);
    floor.apply(Input::AgentDown { agent: agent(), reason: "deleted".to_owned() });
    floor.apply(Input::Recalled { heard: Heard::Order(report), result: Ok(Some(ended())) });
    assert_eq!(floor.cancels().len(), 1, "its agent is gone");
}

#[test]
fn an_order_of_ours_that_the_journal_does_not_know_is_canceled() {
    let mut floor = Floor::open();
    let report = stray(&mut floor);
    floor.apply(Input::Recalled { heard: Heard::Order(report.clone()), result: Ok(None) });
    assert_eq!(floor.differences(), ["stray_order"]);
    assert_eq!(floor.cancels().len(), 1);
    assert!(!floor.desk.is_drained());
    floor.apply(Input::Order(VenueOrder { status: VenueOrderStatus::Canceled, ..report }));
    assert!(floor.desk.is_drained());
}

#[test]
fn a_journal_that_cannot_be_read_is_asked_again_by_the_next_listing() {
    let mut floor = Floor::open();
    for _ in 0..2 {
        let report = stray(&mut floor);
        let error = crate::desk::JournalError::Read { reason: "broken".to_owned() };
        floor.apply(Input::Recalled { heard: Heard::Order(report), result: Err(error) });
        assert_eq!(floor.differences(), ["stray_order"]);
        assert_eq!((floor.cancels().len(), floor.desk.report().working.len()), (0, 0));
    }
}

#[test]
fn an_order_that_ended_before_the_restart_and_is_listed_works_again() {
    let mut recovered = recovered(OrderState::Canceled, Some("v-old"));
    // Taken over because a fill is missing.
    recovered.orders[0].filled = contracts(5);
    let mut floor = restarted(recovered);
    floor.apply(snapshot(&floor, vec![venue_order(VenueOrderStatus::Resting, 5)], 4));
    assert!(floor.differences().contains(&"order_back"));
    assert_eq!(floor.working(), [(OrderState::PartlyFilled, contracts(5))]);
}

#[test]
fn a_fill_of_an_order_that_ended_in_an_earlier_run_is_its_agents() {
    let fill = VenueFill {
        fill_id: Arc::from("late"),
        venue_order_id: "v-old".into(),
        client_order_id: Some(OURS.into()),
        ticker: Arc::from(TICKER),
        side: Side::Bid,
        price: cents(50),
        quantity: contracts(2),
        fee: Dollars::ZERO,
        taker: false,
        ts: START,
    };
    for (found, expected) in [(Some(ended()), contracts(2)), (None, Quantity::ZERO)] {
        let mut floor = Floor::open();
        floor.apply(Input::Fill(fill.clone()));
        let heard = Heard::Fill(fill.clone());
        let recall = Request::Recall { heard: heard.clone(), client_order_id: OURS.into() };
        assert_eq!(floor.out.requests, [recall]);
        assert_eq!(floor.desk.report().fills, 0);
        // It may have been heard twice before the journal was asked.
        for _ in 0..2 {
            floor.apply(Input::Recalled { heard: heard.clone(), result: Ok(found.clone()) });
        }
        assert_eq!(floor.position(), expected);
        assert_eq!(floor.desk.report().fills, 1);
        assert_eq!(floor.desk.report().positions[0].quantity, contracts(2));
    }
}
