//! The [`Status`] as Prometheus text. Names are `hotpit_<noun>_<unit>`, with `_total` where a
//! number only grows.
//!
//! Labels are what there is few of: agents, streams, leagues, reasons. Never a market or an order,
//! of which each day brings others: a database keeps what it was once told of for weeks.

mod page;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use page::{Page, Seconds};

use super::status::{AgentLine, AgentPhase, BooksLine, LeagueLine, Status};
use crate::streams::{BreakerPhase, StreamPhase, StreamReport};

/// Writes the metrics of a status.
pub(super) fn render(status: &Status) -> String {
    let mut page = Page::default();
    host(&mut page, status);
    desk(&mut page, status);
    agents(&mut page, &status.agents);
    // One that is made anew and the one that it replaces are both there for a moment.
    let by_name: BTreeMap<&str, &StreamReport> =
        status.streams.iter().map(|stream| (&*stream.name, stream)).collect();
    streams(&mut page, &by_name.into_values().collect::<Vec<_>>(), status.now);
    books(&mut page, &status.books);
    leagues(&mut page, &status.leagues);
    for counter in &status.counters {
        let labels: Vec<(&str, &str)> =
            counter.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        page.family(&counter.name, "counter", &counter.help);
        page.sample(&counter.name, &labels, counter.value);
    }
    page.into_text()
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
    let name = "hotpit_position_contracts";
    page.family(name, "gauge", "Contracts held in all markets, YES and NO together.");
    let mut held: BTreeMap<&str, Quantity> = BTreeMap::new();
    for line in &desk.positions {
        let agent = line.agent.as_ref().map_or("", |agent| agent.as_str());
        *held.entry(agent).or_default() += line.quantity.abs();
    }
    for (agent, contracts) in held {
        page.sample(name, &[("agent", agent)], contracts);
    }
    let name = "hotpit_tick_to_order_seconds";
    page.family(name, "histogram", "From a frame that was read to the order that follows from it.");
    page.histogram(name, &[], &desk.tick_to_order);
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
    let name = "hotpit_agent_call_seconds";
    page.family(name, "histogram", "How long calls of it took.");
    for agent in agents {
        page.histogram(name, &[("agent", agent.agent.as_str())], &agent.call_times);
    }
}

/// A number of each stream: name, kind, help, and where it is.
type OfStream = (&'static str, &'static str, &'static str, fn(&StreamReport) -> u64);

fn streams(page: &mut Page, streams: &[&StreamReport], now: Timestamp) {
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

fn freshness(page: &mut Page, streams: &[&StreamReport], now: Timestamp) {
    let of_streams: [AtAMoment; 2] = [
        ("hotpit_stream_silence_seconds", "How long ago the last message came.", |stream, now| {
            stream.last_message.map(|last| ms(now.since(last)))
        }),
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
    let name = "hotpit_stream_delay_seconds";
    page.family(name, "histogram", "How much later than they could be messages came.");
    for stream in streams.iter().filter(|stream| stream.delays.count() > 0) {
        page.histogram(name, &[("stream", &stream.name)], &stream.delays);
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
