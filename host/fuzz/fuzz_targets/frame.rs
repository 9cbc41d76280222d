//! Whatever a WebSocket may say becomes a frame or an error, and a book that takes its changes
//! never has a level without quantity.

#![no_main]

use hotpit::feeds::kalshi::wire::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(frame) = parse(text) {
        // Walks everything that was borrowed from the text.
        let _ = format!("{frame:?}");
    }
});
