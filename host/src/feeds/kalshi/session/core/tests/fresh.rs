//! Frames that are late, numbered anew, or tell what books do not.

use super::*;

#[test]
fn a_book_that_was_asked_for_may_have_the_number_of_the_frame_before_it() {
    for (seq, is_taken) in [(3, true), (2, false), (1, false)] {
        let mut bench = Bench::following(&["A"]);
        bench.commands();
        bench.seq += 1;
        bench.delta("A");
        let id = &bench.commands()[0]["id"];
        bench.frame(&format!(
            r#"{{"id":{id},"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"A"}}}}"#
        ));
        let heard = if is_taken { vec!["stale A", "snapshot A"] } else { vec!["stale A"] };
        assert_eq!(bench.heard(), heard, "{seq}");
    }
}

#[test]
fn an_exchange_that_counts_anew_ends_the_connection() {
    let mut bench = Bench::following(&["A"]);
    let text = r#"{"type":"orderbook_delta","sid":1,"seq":1,"msg":{"market_ticker":"A","price_dollars":"0.4","delta_fp":"1","side":"yes"}}"#;
    let mut verdict = Ok(());
    for _ in 0..=DUPLICATES_MAX {
        assert_eq!(verdict, Ok(()));
        verdict = bench.core.frame(text, bench.now);
    }
    assert!(verdict.is_err());
}

#[test]
fn an_exchange_that_is_silent_is_asked_and_given_up_when_it_does_not_answer() {
    let mut bench = Bench::following(&["A"]);
    bench.commands();
    bench.core.stream.heard(bench.now);
    bench.pass(9).unwrap();
    assert!(bench.commands().is_empty());
    bench.pass(1).unwrap();
    let commands = bench.commands();
    assert_eq!(commands[0]["cmd"], "list_subscriptions");
    let id = &commands[0]["id"];
    bench.frame(&format!(r#"{{"id":{id},"type":"ok","msg":[{{"channel":"trade","sid":2}}]}}"#));
    assert_eq!(bench.core.stream.last_data(), bench.now, "the books are known to be fresh");
    bench.pass(10).unwrap();
    assert_eq!(bench.commands().len(), 1);
    bench.pass(5).unwrap();
    let error = bench.pass(1).unwrap_err().to_string();
    assert!(error.contains("not answered"), "{error}");
}

#[test]
fn a_first_connection_that_brings_nothing_but_answers_is_dead() {
    let mut bench = Bench::following(&["A"]);
    let mut verdict = Ok(());
    for _ in 0..11 {
        assert_eq!(verdict, Ok(()));
        for command in bench.commands() {
            bench.frame(&format!(r#"{{"id":{},"type":"ok","msg":[]}}"#, command["id"]));
        }
        bench.core.stream.heard(bench.now);
        verdict = bench.pass(11);
    }
    assert!(verdict.unwrap_err().to_string().contains("nothing but pings"));
}

#[test]
fn frames_that_come_late_make_the_books_old_and_then_end_the_connection() {
    let mut bench = Bench::following(&["A"]);
    let began = bench.now;
    bench.core.opened(Some(began), began, began);
    let delta = |seq: u64, sent: Timestamp| {
        let ms = sent.as_millis();
        format!(
            r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"sending_ts_ms":{ms},"msg":{{"market_ticker":"A","price_dollars":"0.4","delta_fp":"1","side":"yes"}}}}"#
        )
    };
    bench.frame(&delta(2, began));
    assert_eq!(bench.core.stream.report().delay_ms, 0);
    for second in 1..=6 {
        assert_eq!(bench.pass(1), Ok(()), "{second}");
        bench.frame(&delta(second + 2, began));
    }
    assert!(bench.core.stream.report().delay_ms >= 5_000);
    // The first that was more than 5 s late came with the sixth second.
    bench.pass(5).unwrap();
    let error = bench.pass(1).unwrap_err().to_string();
    assert!(error.contains("late"), "{error}");
}

#[test]
fn statistics_are_published_when_they_change() {
    let mut bench = Bench::following(&["A"]);
    let frame = |volume: u32, bid: &str| {
        format!(
            r#"{{"type":"ticker","sid":8,"msg":{{"market_ticker":"A","price_dollars":"0.48","yes_bid_dollars":"{bid}","volume_fp":"{volume}.00","open_interest_fp":"7.00","ts_ms":999000}}}}"#
        )
    };
    bench.frame(&frame(10, "0.4"));
    bench.frame(&frame(10, "0.41"));
    bench.frame(&frame(11, "0.41"));
    assert_eq!(bench.heard().len(), 2);
}

#[test]
fn the_desk_is_told_of_a_group_that_the_exchange_stopped() {
    let mut bench = Bench::following(&["A"]);
    bench.told();
    for (event, told) in
        [("limit_updated", vec![]), ("triggered", vec!["group"]), ("deleted", vec!["group"])]
    {
        bench.frame(&format!(
            r#"{{"type":"order_group_updates","sid":7,"msg":{{"event_type":"{event}","order_group_id":"g"}}}}"#
        ));
        assert_eq!(bench.told(), told);
    }
}
