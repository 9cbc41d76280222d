//! Whatever ESPN may send is a board, perhaps with events left out, or an error.

#![no_main]

use hotpit::feeds::espn::LEAGUES;
use hotpit::feeds::espn::scoreboard::parse;
use hotpit_units::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    for league in &LEAGUES {
        let _ = parse(body, league, Timestamp::from_secs(1));
    }
});
