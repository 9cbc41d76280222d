//! How the upstreams stand, and what came over them, as `hotpit status` prints it.

use hotpit_units::Timestamp;

use super::table::{Align, Table};
use super::text::since;
use crate::ops::{BooksLine, LeagueLine, Status};
use crate::streams::{BreakerPhase, StreamReport};

/// Streams, books, games, and the exchange's next maintenance.
pub(super) fn text(status: &Status) -> String {
    let mut text = streams_text(&status.streams, status.now);
    text.push_str(&books_text(&status.books));
    text.extend(status.leagues.iter().map(league_text));
    if let Some(window) = status.maintenance {
        text.push_str(&format!("maintenance of the exchange: {}\n", window.words(status.now)));
    }
    text
}

fn streams_text(streams: &[StreamReport], now: Timestamp) -> String {
    let mut table = Table::new([
        ("STREAM", Align::Left),
        ("STATE", Align::Left),
        ("MESSAGES", Align::Right),
        ("LAST", Align::Right),
        ("DELAY", Align::Right),
        ("CLOCK", Align::Right),
        ("RECONNECTS", Align::Right),
        ("GAPS", Align::Right),
        ("REASON", Align::Left),
    ]);
    for stream in streams {
        table.row([
            stream.name.clone(),
            stream.phase.to_string(),
            stream.messages.to_string(),
            stream.last_message.map_or_else(|| "-".into(), |ts| format!("{} ago", since(ts, now))),
            stream.skew_ms.map_or_else(|| "-".into(), |_| format!("{} ms", stream.delay_ms)),
            stream.skew_ms.map_or_else(|| "-".into(), |ms| format!("{ms:+} ms")),
            stream.connects.saturating_sub(1).to_string(),
            stream.gaps.to_string(),
            stream_reason(stream, now),
        ]);
    }
    let mut text = table.render("no streams");
    for stream in streams.iter().filter(|stream| !stream.channels.is_empty()) {
        let channels = stream.channels.iter();
        let channels: Vec<String> = channels
            .map(|channel| format!("{} {}", channel.channel, since(channel.last_message, now)))
            .collect();
        text.push_str(&format!("{} heard last: {}\n", stream.name, channels.join(", ")));
    }
    text
}

fn stream_reason(stream: &StreamReport, now: Timestamp) -> String {
    let mut text = stream.reason.clone().unwrap_or_default();
    if stream.breaker != BreakerPhase::Closed {
        text.push_str(&format!(" (breaker {})", stream.breaker));
    }
    if let Some(at) = stream.retry_at.filter(|at| *at > now) {
        text.push_str(&format!(", next try in {} s", at.since(now).as_secs() + 1));
    }
    text
}

fn books_text(books: &BooksLine) -> String {
    let BooksLine { synced, stale, quietest, .. } = books;
    let quietest = quietest.as_ref().map_or_else(String::new, |(ticker, ms)| {
        format!("; longest without a change: {ticker}, {} s", ms / 1_000)
    });
    format!("books: {synced} synced, {stale} stale{quietest}\n")
}

fn league_text(line: &LeagueLine) -> String {
    let LeagueLine { league, games, mapped, unmapped } = line;
    let reasons: Vec<String> =
        unmapped.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let reasons = if reasons.is_empty() {
        String::new()
    } else {
        format!("; on no market: {}", reasons.join(", "))
    };
    format!("games of {league}: {games} on the board, {mapped} mapped to markets{reasons}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_league_says_why_games_are_on_no_market() {
        let mut line =
            LeagueLine { league: "nfl".into(), games: 16, mapped: 16, ..LeagueLine::default() };
        assert_eq!(league_text(&line), "games of nfl: 16 on the board, 16 mapped to markets\n");
        line.mapped = 13;
        line.unmapped = [("other_teams".to_owned(), 1), ("no_milestone".to_owned(), 2)].into();
        assert!(league_text(&line).ends_with("; on no market: 2 no_milestone, 1 other_teams\n"));
    }
}
