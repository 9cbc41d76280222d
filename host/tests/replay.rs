//! Recordings played to agents: the same ones give the same actions, wherever that is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hotpit::agents::{Did, Replay, Settings};
use hotpit::app;
use hotpit::bus::{Message, Snapshot};
use hotpit::config::Config;
use hotpit::model::{Action, AgentId, Level, OrderId};
use hotpit_units::{Price, Quantity, Timestamp};

#[path = "support/guest.rs"]
mod guest;
#[path = "support/market.rs"]
mod market;
use guest::{Guest, bodies, total_of};
use market::market;

/// What the kept agent does on the kept recording, on every machine.
const DIGEST: &str = "13f49d25b8996639e9b9620640a4c3288534b437e2934f06178c3140592ebd51";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn book(ticker: &str, cents: u32) -> Message {
    let quantity = Quantity::from_contracts(1);
    Message::Snapshot(Snapshot {
        ticker: ticker.into(),
        bids: vec![Level { price: Price::from_cents(cents), quantity }],
        asks: vec![],
        ts: Timestamp::from_secs(1),
    })
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

/// Plays books of one market, a second apart; what each agent did.
fn play(agents: &[(&str, Guest)], books: u32) -> Vec<(Timestamp, String, Did)> {
    let mut replay = Replay::new(Settings::default()).unwrap();
    for (name, guest) in agents {
        replay.add(AgentId::from(*name), &guest.build(), None).unwrap();
    }
    let mut done = vec![];
    replay.hear(&Message::Market(Arc::new(market("KX-1"))), at(0), &mut |when, agent, did| {
        done.push((when, agent.to_string(), did));
    });
    for number in 0..books {
        let message = book("KX-1", 40 + number);
        replay.hear(&message, at(u64::from(number + 1) * 1_000), &mut |when, agent, did| {
            done.push((when, agent.to_string(), did));
        });
    }
    done
}

#[test]
fn the_kept_agent_does_the_same_on_the_kept_recording_everywhere() {
    let recordings = [fixture("practice.jsonl.zst")];
    let agents = [fixture("market-maker-of-0.1.0.wasm")];
    let mut texts = vec![];
    for _ in 0..2 {
        let mut out = vec![];
        let replayed = app::replay(&Config::default(), &recordings, &agents, &mut out).unwrap();
        assert_eq!((replayed.failures, replayed.unreadable), (0, 0));
        assert_eq!(replayed.digest, DIGEST);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count() as u64, replayed.actions);
        texts.push(text);
    }
    assert_eq!(texts[0], texts[1]);
    let first = texts[0].lines().next().unwrap();
    assert!(first.contains("buy 10.00 KXNFLGAME-") && first.contains("  <- book of "), "{first}");
}

#[test]
fn each_message_is_a_batch_of_its_own_in_the_recordings_time() {
    let done = play(&[("one", Guest::counting(1)), ("two", Guest::counting(2))], 2);
    let expected =
        [(0, "one"), (0, "two"), (1_000, "one"), (1_000, "two"), (2_000, "one"), (2_000, "two")];
    let seen: Vec<_> = done.iter().map(|(when, agent, _)| (*when, agent.as_str())).collect();
    assert_eq!(seen, expected.map(|(ms, agent)| (at(ms), agent)));
    let totals: Vec<_> = done
        .iter()
        .map(|(_, _, did)| match did {
            Did::Action(Action::Cancel(OrderId(id))) => total_of(*id),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(totals, [1, 1, 2, 2, 3, 3], "{done:?}");
}

#[test]
fn an_agent_that_faults_is_over_and_the_others_go_on() {
    let agents = [
        ("bad", Guest::counting(1).with_on_events(bodies::TRAP)),
        ("good", Guest::counting(2)),
        ("never", Guest::counting(3).with_start(bodies::START_ERROR)),
    ];
    let done = play(&agents, 2);
    let of = |name: &str| done.iter().filter(|it| it.1 == name).map(|it| &it.2).collect::<Vec<_>>();
    assert!(matches!(of("bad")[..], [Did::Fault(reason)] if reason.contains("trap in on-events")));
    assert_eq!(of("good").len(), 3);
    assert!(matches!(of("never")[..], [Did::NotStarted(_)]), "{done:?}");
}
