use std::io::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn inspect(lines: &[String]) -> Inspection {
    let mut inspection = Inspection::default();
    for line in lines {
        assert!(inspection.line(line).is_ok());
    }
    inspection
}

fn frame(seq: u64, kind: &str, msg: &Value) -> String {
    json!({"type": kind, "sid": 2, "seq": seq, "msg": msg}).to_string()
}

fn snapshot(seq: u64, ticker: &str, yes: &Value, no: &Value) -> String {
    let msg = json!({"market_ticker": ticker, "yes_dollars_fp": yes, "no_dollars_fp": no});
    frame(seq, "orderbook_snapshot", &msg)
}

fn delta(seq: u64, ticker: &str, side: &str, price: &str, delta: &str) -> String {
    let msg = json!({
        "market_ticker": ticker, "price_dollars": price, "delta_fp": delta, "side": side,
    });
    frame(seq, "orderbook_delta", &msg)
}

fn recorded(connection: u32, use_yes_price: bool, frame: &str) -> String {
    let line = Line::of_frame(1_000, connection, use_yes_price, frame);
    serde_json::to_string(&line).unwrap()
}

fn books(inspection: &Inspection) -> Value {
    serde_json::to_value(inspection.books()).unwrap()
}

fn doubtful(inspection: &Inspection) -> Vec<&str> {
    inspection.books().doubts().map(|(ticker, _)| ticker).collect()
}

#[test]
fn bare_frames_give_the_books_in_the_prices_of_both_legs() {
    let lines = [
        r#"{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":2}}"#.to_owned(),
        snapshot(
            1,
            "A",
            &json!([["0.0800", "300.00"], ["0.2200", "333.00"]]),
            &json!([["0.5400", "20.00"], ["0.5600", "146.00"]]),
        ),
        snapshot(2, "B", &json!([]), &Value::Null),
        delta(3, "A", "yes", "0.2200", "-333.00"),
        delta(4, "A", "no", "0.6000", "0.50"),
        delta(5, "A", "yes", "0.1000", "7"),
    ];
    let inspection = inspect(&lines);
    let expected = json!({
        "A": {
            "yes": [["0.0800", "300.00"], ["0.1000", "7.00"]],
            "no": [["0.5400", "20.00"], ["0.5600", "146.00"], ["0.6000", "0.50"]],
        },
        "B": {"yes": [], "no": []},
    });
    assert_eq!(books(&inspection), expected);
    let report = inspection.report();
    assert_eq!((report.frames, report.missing, report.connections), (6, 0, 1));
    assert_eq!(report.types["orderbook_delta"], 3);
}

#[test]
fn the_flag_of_the_subscription_says_in_which_prices_no_levels_come() {
    let lines = [
        recorded(1, true, &snapshot(1, "A", &json!([]), &json!([["0.4400", "5.00"]]))),
        recorded(1, true, &delta(2, "A", "no", "0.4600", "1.00")),
    ];
    let expected = json!({"A": {"yes": [], "no": [["0.5400", "1.00"], ["0.5600", "5.00"]]}});
    assert_eq!(books(&inspect(&lines)), expected);
}

#[test]
fn a_book_is_doubtful_from_a_missing_frame_to_its_next_snapshot() {
    let empty = json!([]);
    let mut lines = vec![
        snapshot(1, "A", &empty, &empty),
        snapshot(2, "B", &empty, &empty),
        delta(4, "A", "yes", "0.5000", "1.00"),
    ];
    let inspection = inspect(&lines);
    assert_eq!(doubtful(&inspection), ["A", "B"]);
    let gap = Gap { connection: 0, sid: 2, expected: 3, got: 4, received_ms: None };
    assert_eq!((inspection.report().missing, &inspection.report().gaps[..]), (1, &[gap][..]));
    // Asked for: it has the number of the frame before it.
    let answer = snapshot(4, "A", &json!([["0.5000", "2.00"]]), &empty);
    lines.push(answer.replacen('{', r#"{"id":9,"#, 1));
    lines.push(delta(5, "A", "yes", "0.5000", "1.00"));
    // Late, or twice: it is in the snapshot.
    lines.push(delta(3, "A", "yes", "0.5000", "1.00"));
    lines.push(delta(5, "A", "yes", "0.5000", "1.00"));
    let inspection = inspect(&lines);
    assert_eq!(doubtful(&inspection), ["B"]);
    assert_eq!(books(&inspection)["A"], json!({"yes": [["0.5000", "3.00"]], "no": []}));
    assert_eq!(inspection.report().duplicates, 2);
}

#[test]
fn a_change_that_does_not_fit_empties_its_level_and_is_told() {
    let five = json!([["0.4000", "5.00"], ["0.5000", "5.00"]]);
    let inspection = inspect(&[
        delta(1, "A", "yes", "0.5000", "1.00"),
        snapshot(2, "B", &five, &json!([])),
        delta(3, "B", "yes", "0.5000", "-6.00"),
        delta(4, "B", "yes", "0.9600", "-54.00"),
        delta(5, "B", "yes", "0.4000", "1.00"),
    ]);
    assert_eq!(books(&inspection), json!({"B": {"yes": [["0.4000", "6.00"]], "no": []}}));
    let doubts: Vec<_> = inspection.books().doubts().collect();
    assert_eq!(doubts[0].0, "A");
    assert!(doubts[0].1.contains("snapshot is not in the recording"), "{doubts:?}");
    assert!(doubts[1].1.contains("0.5000 has 5.00"), "{doubts:?}");
}

#[test]
fn connections_have_numbers_and_books_of_their_own() {
    let empty = json!([]);
    let one = json!([["0.5000", "1.00"]]);
    let numbered = [
        recorded(1, false, &snapshot(1, "A", &one, &empty)),
        recorded(1, false, &snapshot(2, "B", &one, &empty)),
        recorded(2, false, &snapshot(1, "A", &empty, &empty)),
        // What the first had under way.
        recorded(1, false, &delta(3, "A", "yes", "0.5000", "1.00")),
        recorded(2, false, &delta(2, "A", "yes", "0.4000", "3.00")),
    ];
    let expected = json!({
        "A": {"yes": [["0.4000", "3.00"]], "no": []},
        "B": {"yes": [["0.5000", "1.00"]], "no": []},
    });
    let inspection = inspect(&numbered);
    assert_eq!(books(&inspection), expected);
    assert_eq!((inspection.report().missing, inspection.report().connections), (0, 2));

    let bare = [
        snapshot(1, "A", &one, &empty),
        delta(2, "A", "yes", "0.5000", "1.00"),
        snapshot(1, "A", &empty, &empty),
        delta(2, "A", "yes", "0.4000", "3.00"),
    ];
    let inspection = inspect(&bare);
    assert_eq!(books(&inspection)["A"], expected["A"]);
    assert_eq!(
        (inspection.report().duplicates, inspection.report().connections),
        (0, 2),
        "numbers that begin anew are of a new connection"
    );
}

#[test]
fn what_is_not_known_or_cannot_be_read_is_named() {
    let inspection = inspect(&[
        r#"{"type":"brand_new","sid":1,"seq":1,"msg":{}}"#.to_owned(),
        r#"{"type":"trade","sid":3,"seq":1,"edge":"x","msg":{"market_ticker":"A","mood":1}}"#
            .to_owned(),
        recorded(1, true, "{\"type\":"),
        "not a line".to_owned(),
    ]);
    let report = inspection.report();
    assert_eq!(report.unknown_types, BTreeMap::from([("brand_new".to_owned(), 1)]));
    let unknown = ["trade: edge", "trade: msg.mood"].map(|it| (it.to_owned(), 1));
    assert_eq!(report.unknown_fields, BTreeMap::from(unknown));
    assert_eq!(report.unreadable.len(), 2, "{:?}", report.unreadable);
    assert!(report.unreadable.keys().any(|reason| reason.contains("trade")));
    assert_eq!((report.bad_lines, report.frames), (1, 3));
}

#[test]
fn latency_is_split_at_the_exchanges_edge() {
    let lines: Vec<String> = (1..=100)
        .map(|n| {
            let frame = json!({
                "type": "ticker", "sid": 1, "sending_ts_ms": 1_000 + n, "msg": {"ts_ms": 1_000},
            });
            serde_json::to_string(&Line::of_frame(1_000 + 3 * n, 1, true, &frame.to_string()))
                .unwrap()
        })
        .collect();
    let inspection = inspect(&lines);
    let report = serde_json::to_value(inspection.report()).unwrap();
    let expected = [
        ("engine_to_network", [50, 90, 99, 100]),
        ("network_to_receipt", [100, 180, 198, 200]),
        ("engine_to_receipt", [150, 270, 297, 300]),
    ];
    for (name, [p50, p90, p99, max]) in expected {
        let spread =
            json!({"count": 100, "p50_ms": p50, "p90_ms": p90, "p99_ms": p99, "max_ms": max});
        assert_eq!(report[name], spread, "{name}");
    }
}

#[test]
fn files_of_a_later_format_are_refused_and_those_of_another_recording_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[String]| {
        let path = folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        path
    };
    let head = |format: u32, started: u64| {
        json!({"recording": {"format": format, "started_ms": started, "host": "9"}}).to_string()
    };
    let empty = json!([]);
    let one = json!([["0.5000", "1.00"]]);
    let first = write("a", &[head(1, 1), recorded(1, true, &snapshot(1, "A", &one, &empty))]);
    let next = [
        head(1, 1),
        recorded(1, true, &delta(2, "A", "yes", "0.5000", "1.00")),
        recorded(1, true, &delta(3, "A", "yes", "0.5000", "1.00")),
    ];
    let next = write("b", &next);
    let other = [head(1, 2), recorded(1, true, &snapshot(2, "B", &empty, &empty))];
    let other = write("c", &other);
    let mut inspection = Inspection::default();
    for path in [first, next, other] {
        inspection.file(&path).unwrap();
    }
    let expected = json!({
        "A": {"yes": [["0.5000", "3.00"]], "no": []},
        "B": {"yes": [], "no": []},
    });
    assert_eq!(books(&inspection), expected);
    assert_eq!((inspection.report().missing, inspection.report().duplicates), (0, 0));
    let other = write("e", &["a = 1".to_owned()]);
    assert!(inspection.file(&other).unwrap_err().to_string().contains("no recording"));
    let later = write("d", &[head(2, 3)]);
    let error = inspection.file(&later).unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}

proptest! {
    /// Whatever a file holds: it is counted, and nothing panics.
    #[test]
    fn no_line_panics(lines in prop::collection::vec(".{0,80}|[ -~]{0,80}", 0..20)) {
        let mut inspection = Inspection::default();
        for line in &lines {
            let _ = inspection.line(line);
        }
        let _ = serde_json::to_string(inspection.report()).unwrap();
        let _ = serde_json::to_string(inspection.books()).unwrap();
    }
}
