//! Every check of the risk manager, each with an intent that passes all checks before it.

use super::*;

/// An intent, what is changed before it, and what it is answered.
struct Case {
    name: &'static str,
    arrange: fn(&mut Floor),
    intent: NewOrder,
    denial: &'static str,
}

fn see(floor: &mut Floor, change: impl FnOnce(&mut MarketView)) {
    let mut view = view(floor.now);
    change(&mut view);
    floor.apply(Input::Market(view));
}

fn status(floor: &mut Floor, status: MarketStatus) {
    see(floor, |view| view.market = Arc::new(Market { status, ..market(MARKET, TICKER) }));
}

fn limits(floor: &mut Floor, limits: AgentLimits) {
    floor.apply(Input::AgentUp { agent: agent(), limits });
}

fn post_only(order: NewOrder) -> NewOrder {
    NewOrder { post_only: true, ..order }
}

#[test]
fn every_check_denies_with_its_code_and_its_numbers() {
    let ioc = TimeInForce::ImmediateOrCancel;
    let over = Some(Timestamp::from_secs(1_000_000));
    let cases = [
        Case {
            name: "halted",
            arrange: |floor| {
                floor.apply(Input::Halt { agent: None, halted: Halted::all("operator") });
            },
            intent: bid(1, 50, 1),
            denial: "HALTED: operator",
        },
        Case {
            name: "shutting down",
            arrange: |floor| floor.apply(Input::Shutdown),
            intent: bid(1, 50, 1),
            denial: "HALTED: shutting down",
        },
        Case {
            name: "agent halted",
            arrange: |floor| {
                let reason = "too wild".to_owned();
                floor.apply(Input::Halt { agent: Some(agent()), halted: Halted::all(reason) });
            },
            intent: bid(1, 50, 1),
            denial: "AGENT_HALTED: too wild",
        },
        Case {
            name: "agent gone",
            arrange: |floor| {
                floor.apply(Input::AgentDown { agent: agent(), reason: "deleted".to_owned() });
            },
            intent: bid(1, 50, 1),
            denial: "AGENT_NOT_LIVE",
        },
        Case {
            name: "market unknown",
            arrange: |_| {},
            intent: NewOrder { market: MarketId(99), ..bid(1, 50, 1) },
            denial: "MARKET_UNKNOWN: market=99",
        },
        Case {
            name: "market paused",
            arrange: |floor| status(floor, MarketStatus::Inactive),
            intent: bid(1, 50, 1),
            denial: "MARKET_NOT_OPEN: market=KX-1 status=Inactive",
        },
        Case {
            name: "market of unknown status",
            arrange: |floor| status(floor, MarketStatus::Unknown),
            intent: bid(1, 50, 1),
            denial: "MARKET_NOT_OPEN: market=KX-1 status=Unknown",
        },
        Case {
            name: "close time is over",
            arrange: |floor| {
                let close_time = Some(floor.now);
                see(floor, |view| {
                    view.market = Arc::new(Market { close_time, ..market(MARKET, TICKER) });
                });
            },
            intent: bid(1, 50, 1),
            denial: "MARKET_CLOSED: market=KX-1",
        },
        Case {
            name: "book not synced",
            arrange: |floor| see(floor, |view| view.synced = false),
            intent: bid(1, 50, 1),
            denial: "BOOK_NOT_SYNCED: market=KX-1",
        },
        Case {
            name: "book stale",
            arrange: |floor| floor.now = floor.now + Duration::from_millis(60_001),
            intent: bid(1, 50, 1),
            denial: "BOOK_STALE: market=KX-1 age_ms=60001 limit_ms=60000",
        },
        Case {
            name: "no game, and the agent requires one",
            arrange: |floor| {
                limits(floor, AgentLimits { requires_game_feed: true, ..AgentLimits::default() });
            },
            intent: bid(1, 50, 1),
            denial: "GAME_STALE: market=KX-1 age_ms=none limit_ms=30000",
        },
        Case {
            name: "game stale",
            arrange: |floor| {
                limits(floor, AgentLimits { requires_game_feed: true, ..AgentLimits::default() });
                see(floor, |view| view.game_as_of = Some(START));
                floor.now = floor.now + Duration::from_secs(31);
            },
            intent: bid(1, 50, 1),
            denial: "GAME_STALE: market=KX-1 age_ms=31000 limit_ms=30000",
        },
        Case {
            name: "private channel down",
            arrange: |floor| {
                floor.apply(Input::Disconnected { reason: "reset by peer".to_owned() });
            },
            intent: bid(1, 50, 1),
            denial: "NOT_READY: the private channel is down: reset by peer",
        },
        Case {
            name: "order number used by an order",
            arrange: |floor| {
                floor.rest(bid(1, 10, 1));
            },
            intent: bid(1, 50, 1),
            denial: "ORDER_ID_USED: order=1",
        },
        Case {
            name: "order number used by a denied intent",
            arrange: |floor| {
                floor.denied(bid(1, 50, 1_000));
            },
            intent: bid(1, 50, 1),
            denial: "ORDER_ID_USED: order=1",
        },
        Case {
            name: "price between two steps",
            arrange: |_| {},
            intent: NewOrder { price: Price::from_raw(5_050), ..bid(1, 50, 1) },
            denial: "PRICE_OFF_GRID: market=KX-1 price=0.5050",
        },
        Case {
            name: "price of one dollar",
            arrange: |_| {},
            intent: NewOrder { price: Price::ONE, ..bid(1, 50, 1) },
            denial: "PRICE_OFF_GRID: market=KX-1 price=1.0000",
        },
        Case {
            name: "nothing",
            arrange: |_| {},
            intent: bid(1, 50, 0),
            denial: "QUANTITY_INVALID: order=0.00",
        },
        Case {
            name: "less than nothing",
            arrange: |_| {},
            intent: bid(1, 50, -1),
            denial: "QUANTITY_INVALID: order=-1.00",
        },
        Case {
            name: "too many contracts",
            arrange: |_| {},
            intent: bid(1, 50, 26),
            denial: "ORDER_LIMIT: order=26.00 limit=25.00",
        },
        Case {
            name: "more contracts than an integer can cost",
            arrange: |_| {},
            intent: NewOrder { quantity: Quantity::MAX, ..bid(1, 50, 1) },
            denial: "ORDER_LIMIT: order=92233720368547758.07 limit=25.00",
        },
        Case {
            name: "too many contracts for this agent",
            arrange: |floor| {
                let order_quantity = Some(contracts(2));
                limits(floor, AgentLimits { order_quantity, ..AgentLimits::default() });
            },
            intent: bid(1, 50, 3),
            denial: "ORDER_LIMIT: order=3.00 limit=2.00",
        },
        Case {
            name: "expiry of an order that does not rest",
            arrange: |_| {},
            intent: NewOrder { time_in_force: ioc, expires: over, ..bid(1, 50, 1) },
            denial: "EXPIRY_INVALID: only a good-till-canceled order can expire",
        },
        Case {
            name: "expiry that is over",
            arrange: |_| {},
            intent: NewOrder { expires: over, ..bid(1, 50, 1) },
            denial: "EXPIRY_INVALID: the expiry is over",
        },
        Case {
            name: "post-only that must trade at once",
            arrange: |_| {},
            intent: post_only(NewOrder { time_in_force: ioc, ..bid(1, 50, 1) }),
            denial: "POST_ONLY_INVALID",
        },
        Case {
            name: "too dear",
            arrange: |_| {},
            intent: bid(1, 90, 25),
            denial: "COST_LIMIT: cost=22.500000 limit=20.000000",
        },
        Case {
            name: "a sell costs its other leg",
            arrange: |_| {},
            intent: ask(1, 10, 25),
            denial: "COST_LIMIT: cost=22.500000 limit=20.000000",
        },
        Case {
            name: "no cash",
            arrange: |floor| {
                floor.now = floor.now + Duration::from_secs(60);
                let balance = Dollars::from_dollars(5);
                let balances = on_shard(balance);
                let snapshot = AccountSnapshot { balances, ..floor.snapshot() };
                floor.apply(Input::Account(Ok(snapshot.clone())));
                floor.apply(Input::Account(Ok(snapshot)));
            },
            intent: bid(1, 50, 10),
            // $5, the fee of 0.07 × 10 × 0.5 × 0.5, and a step of rounding.
            denial: "CASH_SHORT: cost=5.185000 free=5.000000 shard=3",
        },
        Case {
            name: "own order on the other side",
            arrange: |floor| {
                floor.rest(ask(9, 55, 1));
            },
            intent: bid(1, 55, 1),
            denial: "SELF_MATCH: market=KX-1 price=0.5500 own=0.5500",
        },
        Case {
            name: "own order of unknown outcome on the other side",
            arrange: |floor| {
                let sent = floor.place(ask(9, 55, 1));
                let outcome = PlaceOutcome::Unknown { reason: "timeout".to_owned() };
                floor.apply(Input::Placed { order: sent.key, outcome });
            },
            intent: bid(1, 56, 1),
            denial: "SELF_MATCH: market=KX-1 price=0.5600 own=0.5500",
        },
        Case {
            name: "too many open orders",
            arrange: |floor| {
                for number in 100..140 {
                    floor.now = floor.now + Duration::from_millis(100);
                    floor.rest(bid(number, 10, 1));
                }
            },
            intent: bid(1_000, 50, 1),
            denial: "OPEN_ORDERS_LIMIT: scope=agent open=40 limit=40",
        },
        Case {
            name: "position with working orders",
            arrange: |floor| {
                for number in 100..104 {
                    floor.rest(bid(number, 20, 24));
                }
            },
            intent: bid(1_000, 20, 5),
            denial: "POSITION_LIMIT: market=KX-1 position=96.00 order=5.00 limit=100.00 \
                     scope=agent",
        },
        Case {
            name: "position of all agents",
            arrange: |floor| {
                limits(floor, AgentLimits::default());
                let other: AgentId = "other".into();
                let up = Input::AgentUp { agent: other.clone(), limits: AgentLimits::default() };
                floor.apply(up);
                let actions = (1..5).map(|number| Action::Place(ask(number, 80, 24))).collect();
                floor.apply(Input::Actions { agent: other, actions });
                assert_eq!(floor.out.requests.len(), 4);
            },
            intent: ask(1_000, 80, 5),
            denial: "POSITION_LIMIT: market=KX-1 position=-96.00 order=5.00 limit=100.00 \
                     scope=all",
        },
        Case {
            name: "agent's exposure",
            arrange: |floor| {
                let exposure = Some(Dollars::from_dollars(8));
                limits(floor, AgentLimits { exposure, ..AgentLimits::default() });
                floor.rest(post_only(bid(100, 50, 10)));
            },
            intent: post_only(bid(1_000, 50, 7)),
            denial: "EXPOSURE_LIMIT: exposure=5.185000 order=3.632500 limit=8.000000 scope=agent",
        },
        Case {
            name: "too fast",
            arrange: |floor| {
                for number in 100..110 {
                    floor.rest(bid(number, 10, 1));
                }
            },
            intent: bid(1_000, 50, 1),
            denial: "ORDER_RATE: limit=10",
        },
        Case {
            name: "post-only that would trade",
            arrange: |_| {},
            intent: post_only(bid(1, 60, 1)),
            denial: "POST_ONLY_CROSS: market=KX-1 price=0.6000 best=0.6000",
        },
        Case {
            name: "post-only sell that would trade",
            arrange: |_| {},
            intent: post_only(ask(1, 40, 1)),
            denial: "POST_ONLY_CROSS: market=KX-1 price=0.4000 best=0.4000",
        },
    ];
    for Case { name, arrange, intent, denial } in cases {
        let mut floor = Floor::open();
        arrange(&mut floor);
        assert_eq!(floor.denied(intent), denial, "{name}");
    }
}

#[test]
fn a_desk_that_has_not_read_the_account_denies_everything() {
    let mut floor = Floor::cold(ungrouped(), Recovered::default());
    floor.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
    floor.apply(Input::Market(view(START)));
    let unsubscribed = "NOT_READY: the private channels are not subscribed yet";
    assert_eq!(floor.denied(bid(1, 50, 1)), unsubscribed);
    // However good the read: fills that came since would be missing.
    floor.apply(Input::Account(Ok(floor.snapshot())));
    assert_eq!(floor.denied(bid(2, 50, 1)), unsubscribed);
    floor.apply(Input::Connected);
    assert_eq!(floor.denied(bid(3, 50, 1)), "NOT_READY: the account has not been read yet");
}

/// How many rows the journal would get.
fn rows(floor: &Floor) -> (usize, Vec<&str>) {
    let told = floor.out.records.iter().filter_map(|record| match record {
        Record::Command(given) if given.command.starts_with("left out") => {
            Some(given.command.as_str())
        }
        _ => None,
    });
    let told: Vec<&str> = told.collect();
    (floor.out.records.len() - told.len(), told)
}

#[test]
fn what_an_agent_asks_for_to_no_effect_is_not_all_written_down() {
    let mut floor = Floor::open();
    floor.rest(bid(1, 10, 1));
    let denied = (10..1_000).map(|number| Action::Place(bid(number, 50, 1_000)));
    let unknown = (10..1_000).map(|number| Action::Cancel(OrderId(number + 1_000_000)));
    let nothing = (10..1_000).map(|_| Action::CancelAll(Some(MarketId(99))));
    let actions: Vec<Action> = denied.chain(unknown).chain(nothing).collect();
    floor.act(&actions);
    assert_eq!(rows(&floor), (10, vec![]));
    assert_eq!(floor.out.notices.len(), 990, "every denial is told");
    // A cancel of something always is written, before what follows from it.
    floor.act(&[Action::Cancel(OrderId(1))]);
    assert!(matches!(floor.out.records.as_slice(), [Record::Command(_), Record::Order(_)]));
    floor.pass(Duration::from_secs(10));
    let (_, told) = rows(&floor);
    assert_eq!(told, ["left out: 2960 denied intents and cancels of nothing"]);
    assert_eq!(floor.desk.report().left_out, 2_960);
    // Another agent has its own measure.
    let other: AgentId = "other".into();
    floor.apply(Input::AgentUp { agent: other.clone(), limits: AgentLimits::default() });
    floor.apply(Input::Actions { agent: other, actions: vec![Action::CancelAll(None)] });
    assert_eq!(rows(&floor), (1, vec![]));
}

#[test]
fn exposure_of_all_agents_is_limited() {
    let limits = Limits { exposure: Dollars::from_dollars(8), ..ungrouped().limits };
    let mut floor = Floor::with_limits(limits);
    floor.rest(post_only(bid(1, 50, 10)));
    let denial = floor.denied(post_only(bid(2, 50, 7)));
    assert_eq!(denial, "EXPOSURE_LIMIT: exposure=5.185000 order=3.632500 limit=8.000000 scope=all");
}

#[test]
fn an_order_at_every_limit_passes() {
    let mut floor = Floor::open();
    floor.place(bid(1, 80, 25));
    floor.place(bid(2, 59, 25));
    let mut floor = Floor::open();
    floor.place(post_only(bid(1, 59, 1)));
    floor.rest(bid(2, 50, 1));
    floor.place(ask(3, 60, 1));
}

#[test]
fn an_order_that_closes_needs_neither_cash_nor_room() {
    let limits = Limits { exposure: Dollars::from_dollars(11), ..ungrouped().limits };
    let mut floor = Floor::with_limits(limits);
    let sent = floor.rest(bid(1, 50, 20));
    floor.apply(Input::Fill(filled(&sent, "f1", 20, floor.now)));
    floor.now = floor.now + Duration::from_secs(60);
    let mut snapshot = floor.snapshot();
    snapshot.balances = on_shard(Dollars::ZERO);
    snapshot.positions = vec![held(TICKER, 20)];
    floor.apply(Input::Account(Ok(snapshot.clone())));
    floor.apply(Input::Account(Ok(snapshot)));
    assert_eq!(floor.desk.report().cash, Dollars::ZERO);

    floor.place(ask(2, 45, 20));
    assert!(floor.denied(ask(3, 45, 5)).starts_with("CASH_SHORT"));
}

#[test]
fn an_agent_cannot_widen_the_limits_of_the_desk() {
    let mut floor = Floor::open();
    let limits = AgentLimits {
        order_quantity: Some(contracts(1_000)),
        orders_per_second: Some(0),
        ..AgentLimits::default()
    };
    floor.apply(Input::AgentUp { agent: agent(), limits });
    assert!(floor.denied(bid(1, 50, 26)).starts_with("ORDER_LIMIT"));
    assert_eq!(floor.denied(bid(2, 50, 1)), "ORDER_RATE: limit=0");
}

#[test]
fn the_budget_is_what_is_left_before_the_exposure_limit() {
    let mut floor = Floor::open();
    assert_eq!(floor.account().budget, Dollars::from_dollars(300));
    floor.rest(post_only(bid(1, 50, 10)));
    // Five dollars, the fee of ten contracts at 50 cents, and a step of rounding.
    assert_eq!(floor.account().budget, Dollars::from_raw(294_815_000));
}
