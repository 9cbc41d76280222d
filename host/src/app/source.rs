//! [`HostSource`]: what the operator's port and the live view are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hotpit_rt::Clock;
use tokio::sync::{oneshot, watch};

use crate::agents::{AgentState, AgentStatus, Budget};
use crate::bus::Bus;
use crate::cache::Cache;
use crate::desk::record::Halted;
use crate::desk::{Command, DeskSender, Report, ToDesk};
use crate::feeds::espn::LeagueStatus;
use crate::feeds::kalshi::FeedStats;
use crate::model::{AgentId, League};
use crate::ops::{AgentLine, AgentPhase, BooksLine, Counter, LeagueLine, Source, Status};
use crate::recording::Progress;
use crate::streams::Streams;
use crate::units::{Dollars, Timestamp};

/// Reads every part of the host when asked.
pub(super) struct HostSource {
    pub(super) venue: String,
    pub(super) sends_orders: bool,
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    pub(super) desk: DeskSender,
    pub(super) cache: Arc<Cache>,
    pub(super) events: Arc<AtomicU64>,
    pub(super) agents: Box<dyn Fn() -> Vec<AgentStatus> + Send + Sync>,
    pub(super) feed: Arc<FeedStats>,
    pub(super) streams: Arc<Streams>,
    pub(super) bus: Arc<Bus>,
    /// What the archive had no room for, if there is one.
    pub(super) archive: Option<Arc<AtomicU64>>,
    /// How the recording of the run is getting on, if there is one.
    pub(super) recording: Option<watch::Receiver<Progress>>,
    /// How the scoreboards are read.
    pub(super) leagues: watch::Receiver<BTreeMap<League, LeagueStatus>>,
}

impl HostSource {
    /// Everything but the desk, with the desk's report as given.
    pub(super) fn with_report(&self, desk: Report) -> Status {
        let now = self.clock.now();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            venue: self.venue.clone(),
            sends_orders: self.sends_orders,
            started: self.started,
            now,
            events: self.events.load(Ordering::Relaxed),
            agents: (self.agents)().into_iter().map(|agent| agent_line(agent, &desk)).collect(),
            streams: self.streams.reports(),
            books: self.books(now),
            leagues: self.leagues.borrow().iter().map(league_line).collect(),
            maintenance: self.streams.calendar().next(now),
            counters: self.counters(),
            desk,
        }
    }

    /// Refuses a name that is nobody's: a misspelt command must not look as if it were done.
    async fn must_know(&self, agent: Option<&AgentId>) -> Result<(), String> {
        let Some(agent) = agent else { return Ok(()) };
        let mut known: BTreeSet<AgentId> =
            (self.agents)().into_iter().map(|status| status.agent).collect();
        if known.contains(agent) {
            return Ok(());
        }
        // Its file may be gone, and its positions not.
        let desk = ask(&self.desk, |reply| Command::Report { reply }).await?;
        known.extend(desk.halted_agents);
        known.extend(desk.positions.into_iter().filter_map(|line| line.agent));
        known.extend(desk.working.into_iter().filter_map(|line| line.agent));
        if known.contains(agent) {
            return Ok(());
        }
        let known: Vec<&str> = known.iter().map(AgentId::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(format!("no agent `{agent}`; known are: {known}"))
    }

    /// How fresh the books are.
    fn books(&self, now: Timestamp) -> BooksLine {
        let mut books = BooksLine::default();
        let mut quiet: Vec<(u64, Arc<str>)> = Vec::new();
        for (ticker, view) in self.cache.books() {
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

    fn counters(&self) -> Vec<Counter> {
        let cache = self.cache.counters();
        let feed = self.feed.report();
        let bus = self.bus.stats();
        let unrecorded = self.recording.as_ref().map_or(0, |progress| progress.borrow().lost);
        let unarchived = self.archive.as_ref().map_or(0, |it| it.load(Ordering::Relaxed));
        let count = |name: &str, help: &str, reason: &str, value: u64| Counter {
            name: name.to_owned(),
            help: help.to_owned(),
            labels: vec![("reason".to_owned(), reason.to_owned())],
            value,
        };
        let applied = ("hotpit_book_changes_total", "Changes of books applied.");
        let stale = ("hotpit_books_stale_total", "Books that could no longer be trusted.");
        let dropped = ("hotpit_messages_dropped_total", "Messages that were not used.");
        vec![
            count(applied.0, applied.1, "delta", cache.deltas),
            count(applied.0, applied.1, "snapshot", cache.snapshots),
            count(stale.0, stale.1, "feed", cache.stale),
            count(stale.0, stale.1, "misfit", cache.book_errors),
            count(stale.0, stale.1, "crossed", cache.crossed),
            count(dropped.0, dropped.1, "book_not_synced", cache.deltas_unsynced),
            count(dropped.0, dropped.1, "book_awaited", feed.deltas_held_back),
            count(dropped.0, dropped.1, "duplicate_frame", feed.duplicates),
            count(dropped.0, dropped.1, "unwanted_frame", feed.unwanted),
            count(dropped.0, dropped.1, "desk_inbox_full", feed.desk_overflows),
            count(dropped.0, dropped.1, "catalog_full", feed.lifecycle_overflows),
            count(dropped.0, dropped.1, "malformed_frame", feed.malformed),
            count(dropped.0, dropped.1, "unknown_frame", feed.unknown_types),
            count(dropped.0, dropped.1, "redis_queue_full", bus.publisher.dropped_full),
            count(dropped.0, dropped.1, "redis_down", bus.publisher.dropped_down),
            count(dropped.0, dropped.1, "redis_missed", bus.subscriber.missed),
            count(dropped.0, dropped.1, "redis_unreadable", bus.subscriber.unreadable),
            count(dropped.0, dropped.1, "recorder_behind", unrecorded),
            count(dropped.0, dropped.1, "archive_behind", unarchived),
        ]
    }
}

impl Source for HostSource {
    async fn status(&self) -> Result<Status, String> {
        let report = ask(&self.desk, |reply| Command::Report { reply }).await?;
        Ok(self.with_report(report))
    }

    async fn halt(&self, agent: Option<AgentId>, halted: Halted) -> Result<(), String> {
        self.must_know(agent.as_ref()).await?;
        ask(&self.desk, |done| Command::Halt { agent, halted, done }).await?
    }

    async fn resume(&self, agent: Option<AgentId>) -> Result<(), String> {
        self.must_know(agent.as_ref()).await?;
        ask(&self.desk, |done| Command::Resume { agent, done }).await?
    }
}

/// Sends a command to the desk and waits for its answer; whoever calls has the timeout.
async fn ask<T>(
    desk: &DeskSender,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T, String> {
    let (reply, answer) = oneshot::channel();
    let stopped = || "the desk has stopped".to_owned();
    desk.send(ToDesk::Command(command(reply))).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())
}

fn league_line((league, status): (&League, &LeagueStatus)) -> LeagueLine {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let unmapped = status.unmapped.iter();
    LeagueLine {
        league: league.0.to_string(),
        games: number(status.games),
        mapped: number(status.mapped),
        unmapped: unmapped.map(|(why, count)| (why.name().to_owned(), number(*count))).collect(),
    }
}

/// What an agent has made, less fees; none where a position of it is unpriceable.
fn profit(agent: &AgentId, desk: &Report) -> Option<Dollars> {
    match desk.profits.iter().find(|line| line.agent.as_ref() == Some(agent)) {
        Some(line) => line.net(),
        None => Some(Dollars::ZERO),
    }
}

fn agent_line(agent: AgentStatus, desk: &Report) -> AgentLine {
    let phase = match agent.state {
        AgentState::Loading => AgentPhase::Loading,
        AgentState::Running => AgentPhase::Running,
        AgentState::Backoff => AgentPhase::Restarting,
        AgentState::Quarantined => AgentPhase::Quarantined,
        AgentState::Stopped => AgentPhase::Stopped,
    };
    let limit = |limit: fn(&Budget) -> u64| agent.budget.as_ref().map_or(0, limit);
    AgentLine {
        memory_bytes_max: limit(|budget| budget.memory_mib << 20),
        call_ms_max: limit(|budget| budget.batch_ms),
        actions_max: limit(|budget| budget.actions_per_batch.into()),
        actions_most: agent.actions_most,
        log_lines_dropped: agent.log_dropped,
        profit: profit(&agent.agent, desk),
        agent: agent.agent,
        version: agent.version,
        hash: agent.hash,
        phase,
        reason: agent.reason.or(agent.last_fault),
        markets: agent.markets,
        events: agent.events,
        events_per_second: agent.events_per_second,
        calls: agent.batches,
        call_p50_ns: agent.call_p50_ns,
        call_p99_ns: agent.call_p99_ns,
        swaps: agent.swaps,
        actions: agent.actions,
        dropped: agent.dropped,
        failures: agent.faults,
        memory_bytes: agent.memory_bytes,
    }
}
