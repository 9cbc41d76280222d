//! The life of an agent, as tables and over random lives.

use proptest::prelude::*;

use super::*;

type Life = Machine<&'static str>;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// A life that was fed these inputs, each at its time, and what the last one asked for.
fn lived(inputs: &[(u64, Input<&'static str>)]) -> (Life, Vec<Effect<&'static str>>) {
    let mut life = Life::new();
    let mut effects = vec![];
    for (ms, input) in inputs {
        effects = life.on(input.clone(), at(*ms));
    }
    (life, effects)
}

fn fault() -> Input<&'static str> {
    fault_after(7)
}

fn fault_after(batches: u64) -> Input<&'static str> {
    Input::Faulted { reason: text("trap"), batches }
}

const RUNNING: [(u64, Input<&str>); 2] = [(0, Input::Version("v1")), (1, Input::Started)];

fn running(more: &[(u64, Input<&'static str>)]) -> (Life, Vec<Effect<&'static str>>) {
    lived(&[&RUNNING, more].concat())
}

#[test]
fn a_file_is_started_and_runs() {
    let (life, effects) = lived(&[(0, Input::Version("v1"))]);
    assert_eq!(effects, [Effect::Start("v1")]);
    assert_eq!(life.state(), &State::Starting { version: "v1" });
    let (life, effects) = running(&[]);
    assert_eq!(effects, []);
    assert_eq!(life.state(), &State::Running { version: "v1" });
}

#[test]
fn what_is_done_when_something_happens_to_a_running_agent() {
    let reason = || text("why");
    let cases = [
        (Input::Version("v2"), vec![Effect::Swap("v2")]),
        (Input::Refused(reason()), vec![Effect::Tell(reason())]),
        (
            Input::Disabled(text("disabled in its settings")),
            vec![Effect::Unload, Effect::CancelOrders(text("disabled in its settings"))],
        ),
        (
            Input::Removed,
            vec![
                Effect::Unload,
                Effect::CancelOrders(text("its file was deleted")),
                Effect::Forget,
            ],
        ),
        (Input::Faulted { reason: reason(), batches: 7 }, vec![Effect::WakeAt(at(202))]),
        // Reports of nothing that was asked for change nothing.
        (Input::Started, vec![]),
        (Input::Swapped, vec![]),
        (Input::NotStarted(reason()), vec![]),
        (Input::NotSwapped(reason()), vec![]),
        (Input::Due, vec![]),
    ];
    for (input, expected) in cases {
        let (_, effects) = running(&[(2, input.clone())]);
        assert_eq!(effects, expected, "{input:?}");
    }
}

#[test]
fn the_old_version_goes_on_when_the_new_one_does_not_start() {
    let (life, effects) =
        running(&[(2, Input::Version("v2")), (3, Input::NotSwapped(text("bad parameter")))]);
    assert_eq!(effects, [Effect::Tell(text("bad parameter"))]);
    assert_eq!(life.state(), &State::Running { version: "v1" });
}

#[test]
fn the_newest_of_many_versions_is_the_one_that_comes_next() {
    let (life, effects) = running(&[
        (2, Input::Version("v2")),
        (3, Input::Version("v3")),
        (4, Input::Version("v4")),
        (5, Input::Swapped),
    ]);
    assert_eq!(effects, [Effect::Swap("v4")]);
    assert_eq!(life.state(), &State::Swapping { old: "v2", new: "v4" });
}

#[test]
fn a_swap_whose_old_version_faults_becomes_a_start_of_the_new_one() {
    let (life, effects) = running(&[(2, Input::Version("v2")), (3, fault())]);
    assert_eq!(effects, [Effect::Abandon, Effect::Start("v2")]);
    assert_eq!(life.state(), &State::Starting { version: "v2" });
}

#[test]
fn a_version_that_faults_in_its_first_batches_makes_room_for_the_one_before() {
    let swapped = [(2, Input::Version("v2")), (3, Input::Swapped)];
    let lived = |more: &[(u64, Input<&'static str>)]| running(&[&swapped, more].concat());
    let early = fault_after(PROBATION_BATCHES - 1);
    let (life, effects) = lived(&[(9, early.clone())]);
    assert_eq!(effects, [Effect::RollBack("v1", text("trap"))]);
    assert_eq!(life.state(), &State::Starting { version: "v1" });
    // The old one is not rolled back to anything, and has no strikes from the new one.
    let back = [(9, early.clone()), (10, Input::Started)];
    let (_, effects) = lived(&[&back[..], &[(11, early.clone())]].concat());
    assert_eq!(effects, [Effect::WakeAt(at(211))]);
    // One that ran for long is restarted, also when it faults soon after that.
    let (_, effects) = lived(&[(9, fault_after(PROBATION_BATCHES))]);
    assert_eq!(effects, [Effect::WakeAt(at(209))]);
    let restarted = [(9, fault_after(500)), (209, Input::Due), (210, Input::Started)];
    let (_, effects) = lived(&[&restarted[..], &[(211, early.clone())]].concat());
    assert_eq!(effects, [Effect::WakeAt(at(611))]);
    // A newer file is better than an older version.
    let newer = [(4, Input::Version("v3")), (5, early)];
    let (life, effects) = lived(&newer);
    assert_eq!(effects, [Effect::Abandon, Effect::Start("v3")]);
    assert_eq!(life.state(), &State::Starting { version: "v3" });
}

#[test]
fn three_faults_in_a_row_end_in_quarantine_and_cancel_the_orders() {
    let (life, effects) = running(&[
        (10, fault()),
        (210, Input::Due),
        (211, Input::Started),
        (300, fault()),
        (700, Input::Due),
        (701, Input::Started),
        (800, fault()),
    ]);
    let reason = text("quarantined after 3 faults, the last: trap");
    assert_eq!(effects, [Effect::Unload, Effect::CancelOrders(reason.clone())]);
    assert_eq!(life.state(), &State::Quarantined { reason });
}

#[test]
fn a_restart_waits_longer_each_time_and_never_comes_early() {
    let (_, effects) =
        running(&[(10, fault()), (210, Input::Due), (211, Input::Started), (300, fault())]);
    assert_eq!(effects, [Effect::WakeAt(at(700))]);
    let (life, effects) = running(&[(10, fault()), (209, Input::Due)]);
    assert_eq!(effects, [Effect::WakeAt(at(210))]);
    assert!(matches!(life.state(), State::Backoff { .. }));
}

#[test]
fn a_minute_of_health_wipes_the_slate() {
    let mut inputs = vec![];
    for minute in 0..10 {
        let start = 1 + minute * 60_300;
        inputs.extend([(start + 60_000, fault()), (start + 60_200, Input::Due)]);
        inputs.push((start + 60_300, Input::Started));
    }
    let (life, _) = running(&inputs);
    assert_eq!(life.state(), &State::Running { version: "v1" });
}

#[test]
fn a_new_file_frees_an_agent_from_quarantine() {
    let (life, effects) = lived(&[
        (0, Input::Version("v1")),
        (1, fault()),
        (201, Input::Due),
        (202, fault()),
        (602, Input::Due),
        (603, fault()),
        (9_000, Input::Version("v2")),
    ]);
    assert_eq!(effects, [Effect::Start("v2")]);
    assert_eq!(life.state(), &State::Starting { version: "v2" });
}

#[test]
fn an_error_from_start_is_not_tried_again() {
    let (life, effects) =
        lived(&[(0, Input::Version("v1")), (1, Input::NotStarted(text("edge must be positive")))]);
    assert_eq!(effects, [Effect::Tell(text("edge must be positive")), Effect::Unload]);
    assert_eq!(life.state(), &State::Stopped { reason: text("edge must be positive") });
}

fn input() -> impl Strategy<Value = Input<&'static str>> {
    prop_oneof![
        prop_oneof![Just("v1"), Just("v2"), Just("v3")].prop_map(Input::Version),
        Just(Input::Refused(text("bad"))),
        Just(Input::Disabled(text("off"))),
        Just(Input::Removed),
        Just(Input::Started),
        Just(Input::NotStarted(text("no"))),
        Just(Input::Swapped),
        Just(Input::NotSwapped(text("no"))),
        (0_u64..200).prop_map(fault_after),
        Just(Input::Due),
    ]
}

proptest! {
    /// Over any life: at most one start or swap is under way, and never a report awaited that
    /// nobody was asked for; orders are canceled whenever something that was live stops.
    #[test]
    fn no_life_leaves_orders_behind_or_runs_two_starts(
        inputs in prop::collection::vec((0_u64..50_000, input()), 1..200)
    ) {
        let mut life = Life::new();
        let mut now = 0;
        let mut under_way = false;
        let mut orders_may_work = false;
        for (later, input) in inputs {
            now += later;
            let is_report = matches!(
                input,
                Input::Started | Input::NotStarted(_) | Input::Swapped | Input::NotSwapped(_)
            );
            if is_report && !under_way {
                continue;
            }
            let effects = life.on(input.clone(), at(now));
            let awaited = matches!(life.state(), State::Starting { .. } | State::Swapping { .. });
            for effect in &effects {
                match effect {
                    Effect::Start(_) | Effect::Swap(_) | Effect::RollBack(..) => {
                        let over = is_report || !under_way || matches!(input, Input::Faulted { .. });
                        prop_assert!(over, "a second start after {input:?}");
                    }
                    Effect::CancelOrders(_) => orders_may_work = false,
                    Effect::Abandon | Effect::Unload | Effect::Forget | Effect::WakeAt(_)
                    | Effect::Tell(_) => {}
                }
            }
            under_way = awaited;
            match life.state() {
                State::Running { .. } | State::Swapping { .. } => orders_may_work = true,
                State::Stopped { .. } | State::Quarantined { .. } => {
                    prop_assert!(!orders_may_work, "orders work after {input:?}");
                }
                State::Loading | State::Starting { .. } | State::Backoff { .. } => {}
            }
        }
    }
}
