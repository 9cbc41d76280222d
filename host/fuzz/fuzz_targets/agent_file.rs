//! Whatever is dropped into the agents' folder is looked at without harm, and one that is taken
//! for an agent is taken for the same when it is looked at again.

#![no_main]

use hotpit::agents::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // A parser that panics is an error of the file, and not of the host: only what leaves
    // `inspect` counts.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        let Ok(first) = inspect(bytes) else { return };
        assert_eq!(inspect(bytes).map(|again| again.hash).ok(), Some(first.hash));
    }
);
