//! The [`Status`] as Prometheus text. Names are `hotpit_<noun>_<unit>`, with `_total` where a
//! number only grows.

use std::fmt::{self, Write};
use std::time::Duration;

use hotpit_units::Timestamp;

use super::status::{AgentLine, AgentPhase, BooksLine, LeagueLine, Status};
use crate::streams::{BreakerPhase, StreamPhase, StreamReport};

/// Writes the metrics of a status.
pub(super) fn render(status: &Status) -> String {
    let mut page = Page::default();
    host(&mut page, status);
    desk(&mut page, status);
    agents(&mut page, &status.agents);
    streams(&mut page, &status.streams, status.now);
    books(&mut page, &status.books);
    leagues(&mut page, &status.leagues);
    for counter in &status.counters {
        let labels: Vec<(&str, &str)> =
            counter.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        page.family(&counter.name, "counter", &counter.help);
        page.sample(&counter.name, &labels, counter.value);
    }
    page.text
}

fn host(page: &mut Page, status: &Status) {
    page.family("hotpit_build_info", "gauge", "The version of the host.");
    page.sample("hotpit_build_info", &[("version", &status.version), ("venue", &status.venue)], 1);
    page.gauge(
        "hotpit_start_time_seconds",
        "When the host started, since 1970.",
        status.started.as_secs(),
    );
    page.gauge(
        "hotpit_sends_orders",
        "1: orders go to the exchange; 0: they are only logged.",
        u8::from(status.sends_orders),
    );
    page.counter("hotpit_events_total", "Messages that came out of the bus.", status.events);
}

fn desk(page: &mut Page, status: &Status) {
    let desk = &status.desk;
    page.gauge("hotpit_halted", "1: no new orders.", u8::from(desk.halted.is_some()));
    page.gauge(
        "hotpit_ready",
        "1: the desk knows the exchange's state well enough to trade.",
        u8::from(desk.not_ready.is_none()),
    );
    if let Some(compared) = desk.compared {
        let help = "How long ago the books were last compared with the exchange's.";
        page.gauge("hotpit_compared_age_seconds", help, status.now.since(compared).as_secs());
    }
    page.counter("hotpit_intents_total", "Intents of agents.", desk.intents);
    page.counter(
        "hotpit_intents_denied_total",
        "Intents that the risk manager denied.",
        desk.denied,
    );
    page.counter(
        "hotpit_records_left_out_total",
        "Denied intents and cancels of nothing that were too many to be written down.",
        desk.left_out,
    );
    page.counter("hotpit_orders_sent_total", "Orders sent.", desk.orders);
    page.counter("hotpit_fills_total", "Fills received.", desk.fills);
    page.gauge("hotpit_orders_working", "Orders that may still trade.", desk.working.len());
    page.gauge("hotpit_orders_unknown", "Orders whose outcome is not known.", desk.unknown);
    page.family("hotpit_cash_dollars", "gauge", "Cash on each shard of the exchange.");
    for line in &desk.shards {
        page.sample("hotpit_cash_dollars", &[("shard", &line.shard.to_string())], line.cash);
    }
    page.gauge("hotpit_realized_dollars", "Profit and loss of what was closed.", desk.realized);
    if let Some(unrealized) = desk.unrealized {
        let help = "Profit and loss of open positions at the mid.";
        page.gauge("hotpit_unrealized_dollars", help, unrealized);
    }
    page.gauge("hotpit_fees_dollars", "Fees paid.", desk.fees);
    page.family("hotpit_position_contracts", "gauge", "Position; more than zero is long YES.");
    for line in &desk.positions {
        let agent = line.agent.as_ref().map_or("", |agent| agent.as_str());
        let labels = [("agent", agent), ("market", &*line.ticker)];
        page.sample("hotpit_position_contracts", &labels, line.quantity);
    }
}

/// A number of each agent: name, kind, help, and where it is.
type OfAgent = (&'static str, &'static str, &'static str, fn(&AgentLine) -> u64);

fn agents(page: &mut Page, agents: &[AgentLine]) {
    let numbers: [OfAgent; 10] = [
        ("hotpit_agent_running", "gauge", "1: it is given events.", |agent| {
            u64::from(agent.phase == AgentPhase::Running)
        }),
        ("hotpit_agent_events_total", "counter", "Events given to it.", |agent| agent.events),
        ("hotpit_agent_calls_total", "counter", "Calls made to it.", |agent| agent.calls),
        ("hotpit_agent_actions_total", "counter", "Actions taken from it.", |agent| agent.actions),
        ("hotpit_agent_dropped_total", "counter", "Events it was too slow for.", |agent| {
            agent.dropped
        }),
        ("hotpit_agent_failures_total", "counter", "Calls that failed.", |agent| agent.failures),
        ("hotpit_agent_swaps_total", "counter", "Times its code was replaced.", |agent| {
            agent.swaps
        }),
        ("hotpit_agent_memory_bytes", "gauge", "Its memory.", |agent| agent.memory_bytes),
        ("hotpit_agent_memory_limit_bytes", "gauge", "The most memory it may have.", |agent| {
            agent.memory_bytes_max
        }),
        (
            "hotpit_agent_log_lines_dropped_total",
            "counter",
            "Log lines beyond its rate.",
            |agent| agent.log_lines_dropped,
        ),
    ];
    for (name, kind, help, number) in numbers {
        page.family(name, kind, help);
        for agent in agents {
            page.sample(name, &[("agent", agent.agent.as_str())], number(agent));
        }
    }
}

/// A number of each stream: name, kind, help, and where it is.
type OfStream = (&'static str, &'static str, &'static str, fn(&StreamReport) -> u64);

fn streams(page: &mut Page, streams: &[StreamReport], now: Timestamp) {
    let numbers: [OfStream; 6] = [
        ("hotpit_stream_up", "gauge", "1: it can be relied on.", |stream| {
            u64::from(stream.phase == StreamPhase::Up)
        }),
        ("hotpit_stream_messages_total", "counter", "Messages received.", |stream| stream.messages),
        ("hotpit_stream_reconnects_total", "counter", "Connections made again.", |stream| {
            stream.connects.saturating_sub(1)
        }),
        ("hotpit_stream_failures_total", "counter", "Times that it failed.", |stream| {
            stream.failures
        }),
        (
            "hotpit_stream_breaker_state",
            "gauge",
            "0: it is asked; 1: one asks, to try; 2: nobody asks.",
            |stream| match stream.breaker {
                BreakerPhase::Closed => 0,
                BreakerPhase::HalfOpen => 1,
                BreakerPhase::Open => 2,
            },
        ),
        ("hotpit_stream_gaps_total", "counter", "Times that messages were missing.", |stream| {
            stream.gaps
        }),
    ];
    for (name, kind, help, number) in numbers {
        page.family(name, kind, help);
        for stream in streams {
            page.sample(name, &[("stream", &stream.name)], number(stream));
        }
    }
    freshness(page, streams, now);
}

/// A number of each stream that may not be known, in ms: name, help, and where it is.
type AtAMoment = (&'static str, &'static str, fn(&StreamReport, Timestamp) -> Option<i64>);

fn freshness(page: &mut Page, streams: &[StreamReport], now: Timestamp) {
    let of_streams: [AtAMoment; 3] = [
        ("hotpit_stream_silence_seconds", "How long ago the last message came.", |stream, now| {
            stream.last_message.map(|last| ms(now.since(last)))
        }),
        (
            "hotpit_stream_delay_seconds",
            "How much later than it could be the last message came.",
            |stream, _| i64::try_from(stream.delay_ms).ok(),
        ),
        (
            "hotpit_stream_clock_skew_seconds",
            "By how much our clock is ahead of the upstream's.",
            |stream, _| stream.skew_ms,
        ),
    ];
    for (name, help, number) in of_streams {
        page.family(name, "gauge", help);
        for stream in streams {
            if let Some(number) = number(stream, now) {
                page.sample(name, &[("stream", &stream.name)], Seconds(number));
            }
        }
    }
    let name = "hotpit_channel_silence_seconds";
    page.family(name, "gauge", "How long ago the last message came on a channel.");
    for stream in streams {
        for channel in &stream.channels {
            let labels = [("stream", stream.name.as_str()), ("channel", &channel.channel)];
            page.sample(name, &labels, Seconds(ms(now.since(channel.last_message))));
        }
    }
}

fn leagues(page: &mut Page, leagues: &[LeagueLine]) {
    page.family("hotpit_games", "gauge", "Games on the boards, by whether they are on markets.");
    for line in leagues {
        let unmapped = line.games.saturating_sub(line.mapped);
        page.sample("hotpit_games", &[("league", &line.league), ("state", "mapped")], line.mapped);
        page.sample("hotpit_games", &[("league", &line.league), ("state", "unmapped")], unmapped);
    }
    page.family("hotpit_games_unmapped", "gauge", "Games that are on no market, by why not.");
    for line in leagues {
        for (reason, count) in &line.unmapped {
            let labels = [("league", line.league.as_str()), ("reason", reason.as_str())];
            page.sample("hotpit_games_unmapped", &labels, count);
        }
    }
}

fn books(page: &mut Page, books: &BooksLine) {
    page.family("hotpit_books", "gauge", "Order books, by whether they are the exchange's.");
    page.sample("hotpit_books", &[("state", "synced")], books.synced);
    page.sample("hotpit_books", &[("state", "stale")], books.stale);
    let name = "hotpit_book_quiet_seconds";
    page.family(name, "summary", "How long ago synced books changed last.");
    let seconds = |ms: u64| Seconds(i64::try_from(ms).unwrap_or(i64::MAX));
    page.sample(name, &[("quantile", "0.5")], seconds(books.quiet_p50_ms));
    page.sample(name, &[("quantile", "0.99")], seconds(books.quiet_p99_ms));
    if let Some((_, longest)) = &books.quietest {
        page.sample(name, &[("quantile", "1")], seconds(*longest));
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds, written as seconds.
struct Seconds(i64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let ms = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

/// A page in Prometheus' text format.
#[derive(Default)]
struct Page {
    text: String,
    family: String,
}

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    /// Opens a family; once for samples of one name that follow each other.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        if self.family != name {
            name.clone_into(&mut self.family);
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"{}\"", escape(text));
        }
        self.text.push_str(if labels.is_empty() { " " } else { "} " });
        let _ = writeln!(self.text, "{value}");
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::status::Counter;
    use super::*;
    use crate::desk::{PositionLine, ShardLine};
    use crate::units::{Dollars, Price, Quantity};

    #[test]
    fn each_family_is_opened_once_and_labels_are_escaped() {
        let mut status = Status { events: 42, ..Status::default() };
        let (cash, free) = (Dollars::from_raw(12_345_678), Dollars::ZERO);
        status.desk.shards = vec![ShardLine { shard: 3, cash, free }];
        for agent in [Some("maker".into()), None] {
            status.desk.positions.push(PositionLine {
                agent,
                ticker: "KX-\"1\"".into(),
                quantity: Quantity::from_raw(-150),
                average_price: Price::from_cents(55),
                mark: None,
                realized: Dollars::ZERO,
                unrealized: None,
                fees: Dollars::ZERO,
            });
        }
        for (reason, value) in [("slow", 1), ("old", 2)] {
            status.counters.push(Counter {
                name: "hotpit_messages_dropped_total".into(),
                help: "Messages dropped.".into(),
                labels: vec![("reason".into(), reason.into())],
                value,
            });
        }
        let text = render(&status);
        for line in [
            "hotpit_events_total 42",
            "hotpit_cash_dollars{shard=\"3\"} 12.345678",
            "hotpit_position_contracts{agent=\"maker\",market=\"KX-\\\"1\\\"\"} -1.50",
            "hotpit_position_contracts{agent=\"\",market=\"KX-\\\"1\\\"\"} -1.50",
            "hotpit_messages_dropped_total{reason=\"slow\"} 1",
            "hotpit_messages_dropped_total{reason=\"old\"} 2",
            "hotpit_ready 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let mut families: Vec<&str> =
            text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = families.len();
        families.sort_unstable();
        families.dedup();
        assert_eq!(families.len(), all);
        assert!(!text.contains("hotpit_unrealized_dollars"), "what is not known is not shown");
    }
}
