//! Reports on several subaccounts of one key.

use super::*;

#[test]
fn the_desk_hears_of_its_own_subaccount_alone() {
    let frames = [
        r#"{"type":"fill","sid":4,"msg":{"trade_id":"t","order_id":"o","market_ticker":"A","book_side":"bid","yes_price_dollars":"0.5","count_fp":"1","fee_cost":"0","is_taker":true}}"#,
        r#"{"type":"user_order","sid":5,"msg":{"order_id":"o","ticker":"A","book_side":"bid","status":"resting","yes_price_dollars":"0.5","fill_count_fp":"0","remaining_count_fp":"1"}}"#,
        r#"{"type":"market_position","sid":6,"msg":{"market_ticker":"A","position_fp":"1"}}"#,
    ];
    let names = ["subaccount", "subaccount_number", "subaccount"];
    // Whose desk it is, the number in the frame, and whether the desk hears of it.
    for (ours, number, is_heard) in [
        (0, None, true),
        (0, Some(0), true),
        (0, Some(2), false),
        (2, None, false),
        (2, Some(0), false),
        (2, Some(1), false),
        (2, Some(2), true),
    ] {
        let mut bench = Bench::new();
        bench.core.subaccount = ours;
        for (frame, name) in frames.iter().zip(names) {
            let field = number.map(|number| format!(r#","{name}":{number}}}}}"#));
            let frame = field.map_or_else(
                || (*frame).to_owned(),
                |field| format!("{}{field}", frame.strip_suffix("}}").unwrap()),
            );
            bench.frame(&frame);
        }
        let heard = std::iter::from_fn(|| bench.inbox.try_recv().ok()).count();
        let left_out = bench.core.stats.report().other_subaccounts;
        let expected = if is_heard { (3, 0) } else { (0, 3) };
        assert_eq!((heard, left_out), expected, "{number:?} at a desk of {ours}");
        assert_eq!(bench.core.stats.report().malformed, 0);
    }
}
