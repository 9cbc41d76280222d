//! The orders of an agent are in a group at the exchange, which is a breaker there.

use super::*;
use crate::desk::record::{GroupChanged, OrderGroup};
use crate::desk::{Leave, OnTrouble};

const LIMIT: i64 = 50;

fn settings() -> Settings {
    let limits = Limits { group_contracts: contracts(LIMIT), ..lenient() };
    Settings { limits, ..Settings::default() }
}

fn floor() -> Floor {
    Floor::with_limits(settings().limits)
}

fn group(id: &str) -> OrderGroup {
    OrderGroup { id: id.into(), limit: contracts(LIMIT) }
}

fn grouped(result: Result<OrderGroup, String>) -> Input {
    Input::Grouped { agent: agent(), exchange_index: SHARD, result }
}

/// The groups of the orders that are sent.
fn sent(floor: &Floor) -> Vec<Option<&str>> {
    let placed = floor.out.requests.iter().filter_map(|request| match request {
        Request::Place { approved, .. } => Some(approved.request().order_group_id.as_deref()),
        _ => None,
    });
    placed.collect()
}

fn asked(floor: &Floor) -> usize {
    let is_asked = |request: &&Request| {
        matches!(request, Request::Group { exchange_index: SHARD, limit, .. }
            if *limit == contracts(LIMIT))
    };
    floor.out.requests.iter().filter(is_asked).count()
}

fn changed(floor: &Floor) -> Vec<Option<OrderGroup>> {
    let records = floor.out.records.iter().filter_map(|record| match record {
        Record::Group(GroupChanged { group, exchange_index: SHARD, .. }) => Some(group.clone()),
        _ => None,
    });
    records.collect()
}

fn want(floor: &mut Floor, order: NewOrder) {
    floor.act(&[Action::Place(order)]);
}

/// What the agent is told of orders that were not sent.
fn denials(floor: &Floor) -> Vec<&str> {
    let denied = floor.out.notices.iter().filter_map(|(_, notice)| match notice {
        Notice::Order(update) if update.state == OrderState::Denied => Some(&*update.reason),
        Notice::Order(_) | Notice::Fill(_) => None,
    });
    denied.collect()
}

#[test]
fn the_first_orders_wait_for_the_group_and_later_ones_are_in_it_at_once() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    assert_eq!((asked(&floor), sent(&floor)), (1, vec![]));
    want(&mut floor, bid(2, 41, 1));
    assert_eq!((asked(&floor), sent(&floor)), (0, vec![]));
    // They count from their approval.
    assert_eq!(floor.working().len(), 2);
    floor.apply(grouped(Ok(group("g1"))));
    assert_eq!(sent(&floor), [Some("g1"), Some("g1")]);
    assert_eq!(changed(&floor), [Some(group("g1"))]);
    want(&mut floor, bid(3, 42, 1));
    assert_eq!((asked(&floor), sent(&floor)), (0, vec![Some("g1")]));
}

#[test]
fn a_group_outlives_its_run_and_is_made_anew_for_another_limit() {
    for (limit, expected) in [(LIMIT, (0, vec![Some("g1")])), (LIMIT + 1, (1, vec![]))] {
        let known = OrderGroup { id: "g1".into(), limit: contracts(limit) };
        let groups = [((agent(), SHARD), known)].into();
        let recovered = Recovered { runs: 1, groups, ..Recovered::default() };
        let mut floor = Floor::cold(settings(), recovered);
        floor.make_ready();
        want(&mut floor, bid(1, 40, 1));
        assert_eq!((asked(&floor), sent(&floor)), expected);
    }
}

#[test]
fn without_its_group_no_order_is_sent_and_the_next_one_asks_again() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    floor.apply(grouped(Err("503".to_owned())));
    assert_eq!(denials(&floor), ["ORDER_GROUP: 503"]);
    assert_eq!(floor.working(), []);
    want(&mut floor, bid(2, 40, 1));
    assert_eq!(asked(&floor), 1);
}

#[test]
fn an_order_that_should_not_leave_any_more_does_not_when_the_group_is_there() {
    let halt = |floor: &mut Floor| {
        floor.apply(Input::Halt { agent: None, halted: Halted::all("lunch") });
    };
    let cancel = |floor: &mut Floor| floor.act(&[Action::CancelAll(None)]);
    let wait = |floor: &mut Floor| floor.pass(Duration::from_millis(1_100));
    let lose_the_book = |floor: &mut Floor| {
        let unsynced = MarketView { synced: false, ..view(floor.now) };
        floor.apply(Input::Market(unsynced));
    };
    let close = |floor: &mut Floor| {
        let closed = Market { status: MarketStatus::Closed, ..market(MARKET, TICKER) };
        floor.apply(Input::Market(view_of(closed, MARKET, floor.now)));
    };
    let end = |floor: &mut Floor| floor.apply(Input::Shutdown);
    let stop = |floor: &mut Floor| {
        floor.apply(Input::AgentDown { agent: agent(), reason: "deleted".to_owned() });
    };
    for (hinder, told) in [
        (close as fn(&mut Floor), "ORDER_GROUP: its market does not trade any more"),
        (end, "ORDER_GROUP: shutting down"),
        (stop, "ORDER_GROUP: its agent does not run any more"),
        (halt, "ORDER_GROUP: canceled before it was sent"),
        (cancel, "ORDER_GROUP: canceled before it was sent"),
        (wait, "ORDER_GROUP: it took too long to be made: the next order is in it at once"),
        (lose_the_book, "ORDER_GROUP: its market's book is not true any more"),
    ] {
        let mut floor = floor();
        // Its orders are to work on whatever happens: none of this is because they are canceled.
        let keep = OnTrouble { shutdown: Leave::Keep, stop: Leave::Keep, ..OnTrouble::default() };
        let limits = AgentLimits { on: keep, ..AgentLimits::default() };
        floor.apply(Input::AgentUp { agent: agent(), limits });
        want(&mut floor, bid(1, 40, 1));
        hinder(&mut floor);
        floor.apply(grouped(Ok(group("g1"))));
        assert_eq!((sent(&floor), denials(&floor)), (vec![], vec![told]));
        assert_eq!(changed(&floor), [Some(group("g1"))]);
    }
}

#[test]
fn an_agent_whose_group_is_stopped_is_halted_and_gets_a_new_one_when_it_is_resumed() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    floor.apply(grouped(Ok(group("g1"))));
    floor.apply(Input::GroupStopped { id: "somebody else's".into() });
    assert_eq!(floor.desk.report().halted_agents, []);
    floor.apply(Input::GroupStopped { id: "g1".into() });
    assert_eq!(changed(&floor), [None]);
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
    let denied = floor.denied(bid(2, 40, 1));
    let expected = "AGENT_HALTED: ORDER_GROUP: the exchange stopped it on shard 3: \
                    contracts_limit=50.00 window_s=15";
    assert_eq!(denied, expected);
    floor.apply(Input::Resume { agent: Some(agent()) });
    want(&mut floor, bid(3, 40, 1));
    assert_eq!((asked(&floor), sent(&floor)), (1, vec![]));
}

#[test]
fn a_refusal_that_names_the_group_is_heeded() {
    for (reason, is_halted) in [
        ("order_group_limit_exceeded: until it is reset", true),
        ("EXCEEDED_ORDER_GROUP_RISK_LIMIT", true),
        ("order_group_not_found", false),
        ("invalid_order: Order group is triggered", true),
        ("not_found: order group not found", false),
    ] {
        let mut floor = floor();
        want(&mut floor, bid(1, 40, 1));
        floor.apply(grouped(Ok(group("g1"))));
        let Some(Request::Place { order, .. }) = floor.out.requests.first() else {
            panic!("{:?}", floor.out.requests)
        };
        let outcome = PlaceOutcome::Rejected { reason: reason.to_owned() };
        floor.apply(Input::Placed { order: *order, outcome });
        assert_eq!(changed(&floor), [None], "{reason}");
        assert_eq!(!floor.desk.report().halted_agents.is_empty(), is_halted, "{reason}");
        floor.apply(Input::Resume { agent: Some(agent()) });
        want(&mut floor, bid(2, 40, 1));
        assert_eq!(asked(&floor), 1, "{reason}");
    }
}

#[test]
fn an_agent_that_is_resumed_gets_a_new_group_whatever_it_was_halted_for() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    floor.apply(grouped(Ok(group("g1"))));
    floor.apply(Input::Halt { agent: Some(agent()), halted: Halted::all("refused") });
    floor.apply(Input::Resume { agent: Some(agent()) });
    assert_eq!(changed(&floor), [None]);
    want(&mut floor, bid(2, 40, 1));
    assert_eq!((asked(&floor), sent(&floor)), (1, vec![]));
    floor.apply(grouped(Ok(group("g2"))));
    assert_eq!(sent(&floor), [Some("g2")]);
    // A late word on an order of the former one says nothing of this one; that the former one is
    // stopped does: the agent traded too much.
    floor.apply(Input::GroupStopped { id: "g1".into() });
    assert_eq!(changed(&floor), []);
    assert_eq!(floor.desk.report().halted_agents, [agent()]);
}

#[test]
fn a_late_refusal_is_of_the_group_that_the_order_was_sent_in() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    floor.apply(grouped(Ok(group("g1"))));
    let Some(Request::Place { order, .. }) = floor.out.requests.first() else {
        panic!("{:?}", floor.out.requests)
    };
    let order = *order;
    floor.apply(Input::GroupStopped { id: "g1".into() });
    floor.apply(Input::Resume { agent: Some(agent()) });
    want(&mut floor, bid(2, 40, 1));
    floor.apply(grouped(Ok(group("g2"))));
    let reason = "exceeded_order_group_risk_limit".to_owned();
    floor.apply(Input::Placed { order, outcome: PlaceOutcome::Rejected { reason } });
    assert_eq!(changed(&floor), []);
    assert_eq!(floor.desk.report().halted_agents, []);
    want(&mut floor, bid(3, 41, 1));
    assert_eq!(sent(&floor), [Some("g2")]);
}

#[test]
fn an_order_does_not_wait_for_its_group_over_a_change_of_the_clock() {
    let mut floor = floor();
    want(&mut floor, bid(1, 40, 1));
    floor.now = Timestamp::from_secs(floor.now.as_secs() - 20);
    floor.apply(Input::ClockSet { by_ms: -20_000 });
    assert_eq!(denials(&floor), ["ORDER_GROUP: the clock was set"]);
    floor.apply(grouped(Ok(group("g1"))));
    assert_eq!(sent(&floor), Vec::<Option<&str>>::new());
}
