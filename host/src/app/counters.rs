//! What is told of the way from the feeds to the cache, by every host that has one.

use std::sync::Arc;

use crate::bus::Bus;
use crate::cache::Cache;
use crate::feeds::espn::LeagueStatus;
use crate::feeds::kalshi::FeedStats;
use crate::model::League;
use crate::ops::{BooksLine, Counter, LeagueLine};
use crate::traces::Counts;
use crate::units::Timestamp;

/// How fresh the books are.
pub(super) fn books(cache: &Cache, now: Timestamp) -> BooksLine {
    let mut books = BooksLine::default();
    let mut quiet: Vec<(u64, Arc<str>)> = Vec::new();
    for (ticker, view) in cache.books() {
        if !view.synced {
            books.stale += 1;
            continue;
        }
        let ms = u64::try_from(now.since(view.received).as_millis()).unwrap_or(u64::MAX);
        quiet.push((ms, ticker));
    }
    quiet.sort_unstable();
    books.synced = u64::try_from(quiet.len()).unwrap_or(u64::MAX);
    let at = |percent: usize| {
        quiet.get((quiet.len() * percent / 100).min(quiet.len().saturating_sub(1)))
    };
    books.quiet_p50_ms = at(50).map_or(0, |(ms, _)| *ms);
    books.quiet_p99_ms = at(99).map_or(0, |(ms, _)| *ms);
    books.quietest = quiet.last().map(|(ms, ticker)| (Arc::clone(ticker), *ms));
    books
}

/// What the way from the feeds to the cache counts.
pub(super) fn counters(cache: &Cache, feed: &FeedStats, bus: &Bus) -> Vec<Counter> {
    let (cache, feed, bus) = (cache.counters(), feed.report(), bus.stats());
    let applied = ("hotpit_book_changes_total", "Changes of books applied.");
    let stale = ("hotpit_books_stale_total", "Books that could no longer be trusted.");
    vec![
        count(applied.0, applied.1, "delta", cache.deltas),
        count(applied.0, applied.1, "snapshot", cache.snapshots),
        count(stale.0, stale.1, "feed", cache.stale),
        count(stale.0, stale.1, "misfit", cache.book_errors),
        count(stale.0, stale.1, "crossed", cache.crossed),
        dropped("book_not_synced", cache.deltas_unsynced),
        dropped("book_awaited", feed.deltas_held_back),
        dropped("duplicate_frame", feed.duplicates),
        dropped("unwanted_frame", feed.unwanted),
        dropped("other_subaccount", feed.other_subaccounts),
        dropped("desk_inbox_full", feed.desk_overflows),
        dropped("catalog_full", feed.lifecycle_overflows),
        dropped("malformed_frame", feed.malformed),
        dropped("unknown_frame", feed.unknown_types),
        dropped("redis_queue_full", bus.publisher.dropped_full),
        dropped("redis_down", bus.publisher.dropped_down),
        dropped("redis_missed", bus.subscriber.missed),
        dropped("redis_unreadable", bus.subscriber.unreadable),
    ]
}

/// Messages that were not used, for a reason.
pub(super) fn dropped(reason: &str, value: u64) -> Counter {
    count("hotpit_messages_dropped_total", "Messages that were not used.", reason, value)
}

/// What became of the spans of traces.
pub(super) fn spans(counts: &Counts) -> Vec<Counter> {
    let (name, help) = ("hotpit_spans_exported_total", "Spans that the collector took.");
    let exported = Counter { labels: vec![], ..count(name, help, "", counts.exported()) };
    let (name, help) = ("hotpit_spans_dropped_total", "Spans, or what they are made of, dropped.");
    let dropped = counts.dropped().map(|(reason, value)| count(name, help, reason, value));
    std::iter::once(exported).chain(dropped).collect()
}

fn count(name: &str, help: &str, reason: &str, value: u64) -> Counter {
    Counter {
        name: name.to_owned(),
        help: help.to_owned(),
        labels: vec![("reason".to_owned(), reason.to_owned())],
        value,
    }
}

pub(super) fn league_line((league, status): (&League, &LeagueStatus)) -> LeagueLine {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let unmapped = status.unmapped.iter();
    LeagueLine {
        league: league.0.to_string(),
        games: number(status.games),
        mapped: number(status.mapped),
        unmapped: unmapped.map(|(why, count)| (why.name().to_owned(), number(*count))).collect(),
    }
}
