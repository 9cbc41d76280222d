//! Whatever stands in `hotpit.toml` is a valid configuration or a list of its mistakes.

#![no_main]

use hotpit::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Config::parse(text) {
    Ok(config) => {
        let mut problems = vec![];
        config.validate(&mut problems);
        assert!(problems.is_empty());
    }
    Err(problems) => assert!(!problems.is_empty()),
});
