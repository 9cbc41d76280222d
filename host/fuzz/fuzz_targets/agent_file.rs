//! Whatever is dropped into the agents' folder is looked at without harm, and one that is taken
//! for an agent is taken for the same when it is looked at again.

#![no_main]

use hotpit::agents::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(first) = inspect(bytes) else { return };
    assert_eq!(inspect(bytes).map(|again| again.hash).ok(), Some(first.hash));
});
