//! What people type and read.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use hotpit_units::Timestamp;
use serde::Serialize;

/// Reads a time span such as `20s`, `5m`, `1h 30m` or `250ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a time such as 20s or 5m"))?;
    Duration::try_from(span).map_err(|_| format!("`{text}` is in the past"))
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes a value as JSON.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// How long ago something was: `12s`, `3m 5s`, `2h 7m`, `4d 3h`.
pub(super) fn since(earlier: Timestamp, now: Timestamp) -> String {
    let secs = now.since(earlier).as_secs();
    match secs {
        0..60 => format!("{secs}s"),
        60..3_600 => format!("{}m {}s", secs / 60, secs % 60),
        3_600..86_400 => format!("{}h {}m", secs / 3_600, secs % 3_600 / 60),
        86_400.. => format!("{}d {}h", secs / 86_400, secs % 86_400 / 3_600),
    }
}

/// An amount of bytes: in KiB, or from a MiB on to the tenth of one.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1 << 20 {
        return format!("{} KiB", bytes.div_ceil(1 << 10));
    }
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// A time in microseconds, to the tenth.
pub(super) fn micros(nanos: u64) -> String {
    format!("{}.{} µs", nanos / 1_000, nanos % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_are_read_as_people_write_them() {
        let cases = [("20s", 20_000), ("5m", 300_000), ("1h 30m", 5_400_000), ("250ms", 250)];
        for (text, millis) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "20", "-3s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_have_two_units_at_most() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m 0s"), (7_265, "2h 1m"), (360_000, "4d 4h")];
        for (secs, expected) in cases {
            let now = Timestamp::from_secs(1_000 + secs);
            assert_eq!(since(Timestamp::from_secs(1_000), now), expected);
        }
    }

    #[test]
    fn sizes_and_times_are_cut_to_a_tenth() {
        assert_eq!(size(1_600_000), "1.5 MiB");
        assert_eq!((size(101_677), size(0)), ("100 KiB".to_owned(), "0 KiB".to_owned()));
        assert_eq!(micros(12_345), "12.3 µs");
    }
}
