//! `hotpit inspect`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use hotpit_units::Timestamp;
use serde_json::value::RawValue;

use super::table::{Align, Table};
use super::text::{print, print_json, since};
use crate::recording::{Books, Inspection, Report, Spread};

/// Reads the files in order and prints what is in them. A file that cannot be read is told, and
/// the others are read; then it is a failure.
pub(super) fn inspect(files: &[PathBuf], books: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut inspection = Inspection::default();
    let mut failed = 0;
    for file in files {
        if let Err(error) = inspection.file(file) {
            eprintln!("error: {}: {error:#}", file.display());
            failed += 1;
        }
    }
    if failed == files.len() {
        return Ok(ExitCode::FAILURE);
    }
    if books {
        for (ticker, reason) in inspection.books().doubts() {
            eprintln!("{ticker}: its book may not be the exchange's: {reason}");
        }
        print(&books_text(inspection.books())?)?;
    } else if json {
        print_json(inspection.report())?;
    } else {
        print(&report_text(inspection.report()))?;
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// JSON with a market on each line.
fn books_text(books: &Books) -> serde_json::Result<String> {
    let books: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&serde_json::to_string(books)?)?;
    let lines = books.iter().map(|(ticker, book)| {
        serde_json::to_string(ticker).map(|ticker| format!("{ticker}: {book}"))
    });
    Ok(format!("{{{}}}\n", lines.collect::<Result<Vec<_>, _>>()?.join(",\n ")))
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    let time = match (report.first_ms, report.last_ms) {
        (Some(first), Some(last)) => {
            let [from, to] = [first, last].map(Timestamp::from_millis);
            format!("{} to {} ({})", date(first), date(last), since(from, to))
        }
        _ => "the lines do not say".to_owned(),
    };
    let gaps = match report.gaps.first() {
        None => "none".to_owned(),
        Some(gap) => format!(
            "{} frames missing; first on connection {} sid {}: {} came instead of {}",
            report.missing, gap.connection, gap.sid, gap.got, gap.expected
        ),
    };
    let lines = [
        ("frames", report.frames.to_string()),
        ("time", time),
        ("connections", report.connections.to_string()),
        ("gaps", gaps),
        ("duplicates", report.duplicates.to_string()),
        ("not recorded", report.not_recorded.to_string()),
        ("bad lines", report.bad_lines.to_string()),
    ];
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<13} {value}");
    }
    for file in &report.cut_off {
        let _ = writeln!(text, "{:<13} {file}: it ends in the middle", "cut off");
    }
    let mut add = |part: &str| {
        text.push('\n');
        text.push_str(part);
    };
    add(&counts("type", &report.types));
    for (title, found) in [
        ("unknown type", &report.unknown_types),
        ("unknown field", &report.unknown_fields),
        ("cannot be read", &report.unreadable),
    ] {
        if !found.is_empty() {
            add(&counts(title, found));
        }
    }
    add(&latency(report));
    text
}

fn counts<'a>(
    title: &'static str,
    counts: impl IntoIterator<Item = (&'a String, &'a u64)>,
) -> String {
    let mut table = Table::new([(title, Align::Left), ("frames", Align::Right)]);
    for (what, count) in counts {
        table.row([what.clone(), count.to_string()]);
    }
    table.render("no frames")
}

fn latency(report: &Report) -> String {
    let mut table = Table::new([
        ("latency, ms", Align::Left),
        ("frames", Align::Right),
        ("p50", Align::Right),
        ("p90", Align::Right),
        ("p99", Align::Right),
        ("max", Align::Right),
    ]);
    for (name, spread) in [
        ("engine to exchange's network", &report.engine_to_network),
        ("exchange's network to receipt", &report.network_to_receipt),
        ("engine to receipt", &report.engine_to_receipt),
    ] {
        let at =
            |percent| Spread::percentile(spread, percent).map_or("-".into(), |ms| ms.to_string());
        table.row([name.into(), spread.count().to_string(), at(50), at(90), at(99), at(100)]);
    }
    table.render("")
}

/// A time in UTC, to the ms.
fn date(millis: u64) -> String {
    let time = i64::try_from(millis).ok().and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
    time.map_or_else(|| format!("{millis} ms"), |time| format!("{time:.3}"))
}
