//! Whatever stands in a recording is counted, and what is recorded reads back byte for byte.

#![no_main]

use hotpit::recording::Inspection;
use hotpit::recording::line::Line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let line = serde_json::to_string(&Line::of_frame(1, 1, true, text));
    let line = line.unwrap_or_default();
    assert!(!line.contains(['\n', '\r']));
    assert_eq!(Line::read(&line).ok().as_ref().and_then(Line::frame_text), Some(text));

    let mut inspection = Inspection::default();
    let lines = text.lines().filter(|line| inspection.line(line).is_ok()).count() as u64;
    let report = inspection.report();
    assert!(report.frames + report.bad_lines <= lines);
    assert!(serde_json::to_string(inspection.books()).is_ok());
});
