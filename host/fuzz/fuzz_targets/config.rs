//! Whatever stands in `hotpit.toml` is a configuration or a list of its mistakes, never neither.

#![no_main]

use hotpit::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(problems) = Config::parse(text) {
        assert!(!problems.is_empty());
    }
});
