//! Whatever ESPN may send is a board, perhaps with events left out, or an error: every event is
//! either shown or left out for a reason.

#![no_main]

use hotpit::feeds::espn::LEAGUES;
use hotpit::feeds::espn::scoreboard::parse;
use hotpit_units::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let events = serde_json::from_slice::<Value>(body).ok();
    let events = events.as_ref().and_then(|board| board.get("events")?.as_array());
    for league in &LEAGUES {
        let Ok(board) = parse(body, league, Timestamp::from_secs(1)) else { continue };
        let all = board.games.len() + board.skipped.len();
        // What is not read may be no text, which the reader of values does not forgive.
        assert!(events.is_none_or(|events| events.len() == all));
        assert!(board.games.iter().all(|shown| !shown.info.espn_id.is_empty()));
    }
});
