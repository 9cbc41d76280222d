//! The page, read as strictly as its format allows.

use std::collections::{BTreeMap, BTreeSet};

use hotpit_rt::{Clock, Entropy};

use super::super::status::Counter;
use super::*;
use crate::desk::{PositionLine, ShardLine};
use crate::model::Durations;
use crate::streams::{Policy, Streams};
use crate::units::{Dollars, Price};

/// All that may tell samples of a family apart.
const LABELS: [&str; 11] = [
    "agent", "channel", "le", "league", "quantile", "reason", "shard", "state", "stream", "venue",
    "version",
];

/// Name, labels and value of a sample.
fn sample(line: &str) -> (&str, BTreeMap<&str, &str>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let value = value.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
    let Some((name, labels)) = series.split_once('{') else {
        return (series, BTreeMap::new(), value);
    };
    let (mut labels, mut rest) = (BTreeMap::new(), labels);
    while let Some((label, text)) = rest.split_once("=\"") {
        let bytes = text.as_bytes();
        let is_end = |at: &usize| bytes[*at] == b'"' && (*at == 0 || bytes[at - 1] != b'\\');
        let end = (0..bytes.len()).find(is_end).unwrap_or_else(|| panic!("no end: {line}"));
        assert!(labels.insert(label, &text[..end]).is_none(), "{label} twice: {line}");
        rest = text[end + 1..].trim_start_matches(',');
    }
    assert_eq!(rest, "}", "{line}");
    (name, labels, value)
}

/// Reads a page, and refuses whatever Prometheus or its customs would: families that come twice or
/// in parts, samples outside of theirs or twice, names without a unit, labels without a bound,
/// histograms that do not add up.
fn read(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'));
    let (mut families, mut samples) = (BTreeSet::new(), BTreeMap::new());
    let (mut family, mut kind, mut below) = ("", "", 0.0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(families.insert(name) && words.ends_with('.'), "{line}");
            let is_fit = |symbol: char| symbol.is_ascii_lowercase() || symbol == '_';
            assert!(name.starts_with("hotpit_") && name.chars().all(is_fit), "{line}");
            let told = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            (family, kind) = told.split_once(' ').unwrap();
            assert_eq!(family, name);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            continue;
        }
        let (name, labels, value) = sample(line);
        let part = name.strip_prefix(family).unwrap_or_else(|| panic!("not of {family}: {line}"));
        assert!(labels.keys().all(|label| LABELS.contains(label)), "{line}");
        match (kind, part) {
            ("histogram", "_bucket") => {
                below = if labels["le"] == "0.000004096" { 0.0 } else { below };
                assert!(value >= below, "{line}");
                below = value;
            }
            ("histogram", "_count") => assert!((value - below).abs() < 0.5, "{line}"),
            ("histogram", "_sum") | ("summary", "") | ("gauge", "") => {}
            ("counter", "") => assert!(value >= 0.0, "{line}"),
            _ => panic!("{line} in a {kind}"),
        }
        let series = line.rsplit_once(' ').unwrap().0.to_owned();
        assert!(samples.insert(series, value).is_none(), "twice: {line}");
    }
    samples
}

fn position(agent: Option<&str>, ticker: &str, quantity: i64) -> PositionLine {
    PositionLine {
        agent: agent.map(Into::into),
        ticker: ticker.into(),
        quantity: Quantity::from_raw(quantity),
        average_price: Price::from_cents(55),
        mark: None,
        realized: Dollars::ZERO,
        unrealized: None,
        fees: Dollars::ZERO,
    }
}

fn agent(name: &str) -> AgentLine {
    let mut call_times = Durations::default();
    call_times.add(Duration::from_micros(5));
    call_times.add(Duration::from_secs(60));
    AgentLine {
        agent: name.into(),
        version: String::new(),
        hash: String::new(),
        phase: AgentPhase::Running,
        reason: None,
        markets: 0,
        events: 0,
        events_per_second: 0,
        calls: 0,
        actions: 0,
        dropped: 0,
        failures: 0,
        swaps: 0,
        memory_bytes: 0,
        memory_bytes_max: 0,
        call_p50_ns: 0,
        call_p99_ns: 0,
        call_times,
        call_ms_max: 0,
        actions_most: 0,
        actions_max: 0,
        log_lines_dropped: 0,
        profit: None,
    }
}

#[test]
fn the_page_of_a_host_with_everything_is_read_strictly() {
    let mut status = Status { events: 42, ..Status::default() };
    let (cash, free) = (Dollars::from_raw(12_345_678), Dollars::ZERO);
    status.desk.shards = vec![ShardLine { shard: 3, cash, free }];
    status.desk.positions = vec![
        position(Some("maker"), "KX-1", -150),
        position(None, "KX-1", 100),
        position(Some("maker"), "KX-2", 250),
    ];
    status.desk.tick_to_order.add(Duration::from_micros(300));
    status.agents = vec![agent("maker"), agent("tak\"er")];
    let streams = Streams::new(Clock::system(), Entropy::seeded(1));
    let kept = ["kalshi", "kalshi", "espn nfl"].map(|name| streams.open(name, Policy::default()));
    kept[1].measured(20, -3);
    kept[1].name_channels(["trade"]);
    kept[1].heard_on(0, Timestamp::from_secs(5));
    status.streams = streams.reports();
    status.leagues =
        vec![LeagueLine { league: "nfl".into(), games: 16, mapped: 13, ..LeagueLine::default() }];
    for (reason, value) in [("slow", 1), ("old", 2)] {
        status.counters.push(Counter {
            name: "hotpit_messages_dropped_total".into(),
            help: "Messages dropped.".into(),
            labels: vec![("reason".into(), reason.into())],
            value,
        });
    }
    let text = render(&status);
    read(&text);
    for line in [
        "hotpit_events_total 42",
        "hotpit_cash_dollars{shard=\"3\"} 12.345678",
        "hotpit_position_contracts{agent=\"maker\"} 4.00",
        "hotpit_position_contracts{agent=\"\"} 1.00",
        "hotpit_tick_to_order_seconds_bucket{le=\"0.000262144\"} 0",
        "hotpit_tick_to_order_seconds_bucket{le=\"0.000524288\"} 1",
        "hotpit_tick_to_order_seconds_sum 0.000300000",
        "hotpit_agent_call_seconds_bucket{agent=\"tak\\\"er\",le=\"4.294967296\"} 1",
        "hotpit_agent_call_seconds_bucket{agent=\"tak\\\"er\",le=\"+Inf\"} 2",
        "hotpit_stream_delay_seconds_count{stream=\"kalshi\"} 1",
        "hotpit_messages_dropped_total{reason=\"slow\"} 1",
        "hotpit_messages_dropped_total{reason=\"old\"} 2",
        "hotpit_ready 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("hotpit_unrealized_dollars"), "what is not known is not shown");
    assert!(!text.contains("KX-"), "no market is named");
}

#[test]
fn the_page_of_a_host_that_has_just_started_is_read_strictly() {
    let samples = read(&render(&Status::default()));
    assert!(samples.contains_key("hotpit_tick_to_order_seconds_count"));
}
