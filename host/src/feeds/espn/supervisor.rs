//! [`Espn`]: one task per wanted league.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotpit_rt::{Backoff, Clock, Entropy, Rng};
use hotpit_units::Timestamp;
use rand::RngExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fetch::{Answer, Fetch, FetchError};
use super::league::LeagueFacts;
use super::mapping::{Doubt, Milestones};
use super::pace::Pace;
use super::reader::{Board, Reader};
use super::settings::Settings;
use crate::bus::{BoardRead, Message};
use crate::cache::Cache;
use crate::feeds::{Publish, Wanted};
use crate::model::{League, Subscription};
use crate::streams::{Policy, Stream, Streams};

/// How long to stay away after a refusal that says no time.
const REFUSED_WAIT: Duration = Duration::from_secs(30);

/// The longest wait after a failure while not many came in a row.
const BACKOFF_CAP: Duration = Duration::from_secs(60);

/// The longest wait that a server can ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// How often the cache is asked for the markets of games that are mapped. Markets become known
/// moments after their event is wanted.
const MARKETS_EVERY: Duration = Duration::from_millis(500);

/// How a league is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeagueStatus {
    /// What goes on.
    pub pace: Pace,
    /// When it was read last with success.
    pub read: Option<Timestamp>,
    /// Requests since the start.
    pub requests: u64,
    /// How many of them were answered with "not modified".
    pub not_modified: u64,
    /// Games on the board.
    pub games: usize,
    /// How many of them are mapped to Kalshi's events.
    pub mapped: usize,
    /// How many are not, and why; those that are over, apart.
    pub unmapped: BTreeMap<Doubt, usize>,
}

impl Default for LeagueStatus {
    fn default() -> Self {
        Self {
            pace: Pace::Idle,
            read: None,
            requests: 0,
            not_modified: 0,
            games: 0,
            mapped: 0,
            unmapped: BTreeMap::new(),
        }
    }
}

/// The ESPN feed.
pub struct Espn<F, M> {
    shared: Arc<Shared<F, M>>,
    entropy: Entropy,
    tasks: BTreeMap<League, JoinHandle<()>>,
}

struct Shared<F, M> {
    settings: Settings,
    fetch: F,
    milestones: M,
    publish: Arc<dyn Publish>,
    cache: Arc<Cache>,
    wanted: Wanted,
    streams: Arc<Streams>,
    /// What the games of each league make wanted.
    events: Mutex<BTreeMap<League, BTreeSet<Subscription>>>,
    clock: Clock,
    status: watch::Sender<BTreeMap<League, LeagueStatus>>,
}

impl<F: Fetch, M: Milestones> Espn<F, M> {
    /// A feed that is not running yet. `cache` is looked into for the markets of events.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the host, given once")]
    pub fn new(
        settings: Settings,
        fetch: F,
        milestones: M,
        publish: Arc<dyn Publish>,
        cache: Arc<Cache>,
        wanted: Wanted,
        streams: Arc<Streams>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let shared = Shared {
            settings,
            fetch,
            milestones,
            publish,
            cache,
            wanted,
            streams,
            events: Mutex::default(),
            clock,
            status: watch::Sender::default(),
        };
        Self { shared: Arc::new(shared), entropy, tasks: BTreeMap::new() }
    }

    /// How each wanted league is read, now and at every change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<BTreeMap<League, LeagueStatus>> {
        self.shared.status.subscribe()
    }

    /// Reads the wanted leagues, until dropped.
    pub async fn run(mut self) {
        let mut wants = self.shared.wanted.watch();
        loop {
            let leagues: BTreeSet<League> = wants
                .borrow_and_update()
                .agents
                .iter()
                .filter_map(|subscription| match subscription {
                    Subscription::League(league) => Some(league.clone()),
                    Subscription::Market(_) | Subscription::Event(_) | Subscription::Series(_) => {
                        None
                    }
                })
                .collect();
            self.follow(&leagues);
            if wants.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts and stops tasks until there is one for each of these leagues.
    fn follow(&mut self, leagues: &BTreeSet<League>) {
        let gone: Vec<League> =
            self.tasks.keys().filter(|league| !leagues.contains(league)).cloned().collect();
        for league in gone {
            if let Some(task) = self.tasks.remove(&league) {
                task.abort();
            }
            self.shared.want_events(&league, BTreeSet::new());
            self.shared.status.send_modify(|status| {
                status.remove(&league);
            });
        }
        for league in leagues {
            if self.tasks.contains_key(league) {
                continue;
            }
            let Some(facts) = LeagueFacts::find(league) else {
                let known = super::LEAGUES.map(|facts| facts.name).join(", ");
                tracing::warn!(league = %league.0, known, "unknown league: its games are not read");
                // Remembered, so that it is said once.
                self.tasks.insert(league.clone(), tokio::spawn(std::future::ready(())));
                continue;
            };
            let rng = |purpose: &str| self.entropy.rng(&format!("{purpose} {}", league.0));
            let base = Duration::from_millis(self.shared.settings.live_ms);
            let task = LeagueTask {
                shared: Arc::clone(&self.shared),
                facts,
                league: league.clone(),
                reader: Reader::new(facts),
                etags: BTreeMap::new(),
                stream: self.shared.streams.open(
                    format!("espn {}", league.0),
                    Policy { backoff_base: base, backoff_cap: BACKOFF_CAP, ..Policy::default() },
                ),
                map_backoff: Backoff::new(base, WAIT_MAX, rng("milestones backoff")),
                rng: rng("espn jitter"),
            };
            self.tasks.insert(league.clone(), tokio::spawn(task.run()));
        }
    }
}

impl<F, M> Drop for Espn<F, M> {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}

impl<F, M> Shared<F, M> {
    /// Makes these events wanted for the games of a league, and no others.
    fn want_events(&self, league: &League, events: BTreeSet<Subscription>) {
        let mut all = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(league.clone(), events);
        let games = all.values().flatten().cloned().collect();
        self.wanted.update(|wants| wants.games = games);
    }

    fn publish_all(&self, messages: Vec<Message>, received: Timestamp) {
        for message in messages {
            self.publish.publish(message, received);
        }
    }
}

/// Reads one league.
struct LeagueTask<F, M> {
    shared: Arc<Shared<F, M>>,
    facts: &'static LeagueFacts,
    league: League,
    reader: Reader,
    /// What stands for the bodies that were read last.
    etags: BTreeMap<Board, String>,
    stream: Arc<Stream>,
    map_backoff: Backoff,
    rng: Rng,
}

impl<F: Fetch, M: Milestones> LeagueTask<F, M> {
    async fn run(mut self) {
        let start = self.shared.clock.now();
        let (mut read_at, mut ask_at) = (start, start);
        loop {
            let now = self.shared.clock.now();
            if now >= read_at {
                read_at = self.read().await;
            }
            let now = self.shared.clock.now();
            if now >= ask_at && self.reader.has_unmapped() {
                ask_at = self.ask_milestones().await;
            }
            self.map();
            self.count();
            let mut next = read_at;
            if self.reader.has_unmapped() {
                next = next.min(ask_at);
            }
            if self.reader.counts().1 > 0 {
                next = next.min(self.shared.clock.now() + MARKETS_EVERY);
            }
            tokio::time::sleep(next.since(self.shared.clock.now())).await;
        }
    }

    /// Reads the boards once; when to read them again.
    async fn read(&mut self) -> Timestamp {
        let mut outcome = self.read_board(&Board::Default).await;
        let mut requests = 1;
        if outcome.is_ok() {
            for board in self.reader.other_boards(self.shared.clock.now()) {
                requests += 1;
                match self.read_board(&board).await {
                    Ok(not_modified) => outcome = outcome.map(|all| all && not_modified),
                    Err(error) => outcome = Err(error),
                }
            }
        }
        let now = self.shared.clock.now();
        if outcome.is_ok() {
            let mut messages = self.reader.settle(now);
            let league = self.league.clone();
            messages.push(Message::BoardRead(BoardRead { league, at: now }));
            self.shared.publish_all(messages, now);
            let others = self.reader.other_boards(now);
            self.etags.retain(|board, _| *board == Board::Default || others.contains(board));
        }
        let (pace, interval) = self.reader.pace(now, &self.shared.settings);
        let wait = match &outcome {
            Ok(_) => {
                self.stream.succeeded();
                self.stream.message(now);
                // Hosts that started together do not read together for long.
                let spread = interval / 10;
                let nanos = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX);
                interval + Duration::from_nanos(self.rng.random_range(0..=nanos))
            }
            Err(error) => self.wait_after(error),
        };
        // Nobody waits for a board on which nothing is played.
        let stale = Duration::from_millis(self.shared.settings.stale_ms);
        self.stream.expect_within((pace == Pace::Live).then_some(stale));
        self.note(pace, requests, outcome.ok(), now);
        now + wait
    }

    /// Reads one board; whether it is as it was.
    async fn read_board(&mut self, board: &Board) -> Result<bool, FetchError> {
        let timeout = Duration::from_millis(self.shared.settings.timeout_ms);
        let path = self.facts.scoreboard(match board {
            Board::Default => None,
            Board::Day(day) => Some(day),
        });
        let reading = self.shared.fetch.get(&path, self.etags.get(board).map(String::as_str));
        let answer = tokio::time::timeout(timeout, reading)
            .await
            .map_err(|_| FetchError::Transport(format!("no answer within {timeout:?}")))??;
        let Answer::Fresh { body, etag } = answer else { return Ok(true) };
        let now = self.shared.clock.now();
        let messages = self
            .reader
            .board(board, &body, now)
            .map_err(|error| FetchError::Transport(format!("not a scoreboard: {error}")))?;
        match etag {
            Some(etag) => self.etags.insert(board.clone(), etag),
            None => self.etags.remove(board),
        };
        self.shared.publish_all(messages, now);
        Ok(false)
    }

    /// How long to wait after a failure.
    fn wait_after(&self, error: &FetchError) -> Duration {
        let delay = self.stream.lost(&error.to_string());
        tracing::warn!(league = self.facts.name, %error, ?delay, "cannot read scores");
        let least = match error {
            FetchError::Refused { retry_after, .. } => retry_after.unwrap_or(REFUSED_WAIT),
            // Even the first retry keeps the pace that a server is asked at.
            FetchError::Status(_) | FetchError::Transport(_) => {
                Duration::from_millis(self.shared.settings.live_ms)
            }
        };
        delay.max(least.min(WAIT_MAX))
    }

    /// `not_modified`: of a reading that succeeded.
    fn note(&self, pace: Pace, requests: u64, not_modified: Option<bool>, now: Timestamp) {
        self.shared.status.send_modify(|all| {
            let status = all.entry(self.league.clone()).or_default();
            status.requests += requests;
            status.pace = pace;
            if let Some(not_modified) = not_modified {
                status.not_modified += u64::from(not_modified);
                status.read = Some(now);
            }
        });
    }

    fn count(&self) {
        let (games, mapped, unmapped) = self.reader.counts();
        self.shared.status.send_if_modified(|all| {
            let status = all.entry(self.league.clone()).or_default();
            let before = (status.games, status.mapped, std::mem::take(&mut status.unmapped));
            let is_changed = before != (games, mapped, unmapped.clone());
            (status.games, status.mapped, status.unmapped) = (games, mapped, unmapped);
            is_changed
        });
    }

    /// Asks Kalshi for the games of the league; when to ask again.
    async fn ask_milestones(&mut self) -> Timestamp {
        let result = self.shared.milestones.of_league(self.facts).await;
        let now = self.shared.clock.now();
        match result {
            Ok(milestones) => {
                self.map_backoff.reset();
                self.reader.milestones(milestones, now);
                now + Duration::from_millis(self.shared.settings.map_ms)
            }
            Err(error) => {
                tracing::warn!(league = self.facts.name, %error, "games cannot be mapped now");
                let least = Duration::from_millis(self.shared.settings.live_ms);
                now + self.map_backoff.next_delay().max(least)
            }
        }
    }

    /// Maps the games with what is known now.
    fn map(&mut self) {
        let events = |reader: &Reader| -> BTreeSet<Subscription> {
            reader.events().into_iter().map(Subscription::Event).collect()
        };
        let before = events(&self.reader);
        let cache = &self.shared.cache;
        let markets = before
            .iter()
            .flat_map(|event| cache.markets_matching(event))
            .filter_map(|id| cache.market(id))
            .collect();
        let messages = self.reader.map(markets);
        let after = events(&self.reader);
        if before != after {
            self.shared.want_events(&self.league, after);
        }
        self.shared.publish_all(messages, self.shared.clock.now());
    }
}
