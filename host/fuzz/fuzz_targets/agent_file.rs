//! Whatever is dropped into the agents' folder is an agent or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = hotpit::agents::inspect(bytes);
});
