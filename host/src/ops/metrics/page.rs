//! [`Page`]: text in the format of Prometheus.

use std::fmt::{self, Display, Write};

use crate::model::Durations;

/// Milliseconds, written as seconds.
pub(super) struct Seconds(pub(super) i64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ms = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

/// A page in Prometheus' text format.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    family: String,
}

impl Page {
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// Opens a family; once for samples of one name that follow each other.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        if self.family != name {
            name.clone_into(&mut self.family);
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"{}\"", escape(text));
        }
        self.text.push_str(if labels.is_empty() { " " } else { "} " });
        let _ = writeln!(self.text, "{value}");
    }

    /// The samples of a histogram in its family, which is opened as one.
    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], times: &Durations) {
        let bucket = format!("{name}_bucket");
        let mut with_end = |end: &str, count: u64| {
            let labels: Vec<_> = labels.iter().copied().chain([("le", end)]).collect();
            self.sample(&bucket, &labels, count);
        };
        for (end_ns, below) in times.below() {
            with_end(&Nanos(end_ns).to_string(), below);
        }
        with_end("+Inf", times.count());
        self.sample(&format!("{name}_sum"), labels, Nanos(times.sum_ns()));
        self.sample(&format!("{name}_count"), labels, times.count());
    }

    /// The text.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// Nanoseconds, written as seconds.
struct Nanos(u64);

impl Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
