//! Whatever the exchange's REST API may answer has a reading, and no reading invents a proof.

#![no_main]

use hotpit::kalshi::wire::error::Refusal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = Refusal::read(body);
});
