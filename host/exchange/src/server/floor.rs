//! The one task that owns the exchange: every command, every question and every step of the
//! scenario goes through here, one after the other, and what happened is told to the subscribers
//! before the next one starts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::faults::Board;
use super::sessions::{ConnectionId, Exit, Outbox, Session, Sessions};
use super::settings::{AccountSettings, Pace, Settings};
use super::{commands, limits};
use crate::core::{AccountId, AccountKind, Exchange, ListingError, Rules};
use crate::scenario::{Game, Scenario};

/// Jobs that may wait for the floor. Who brings one more waits: requests are answered late
/// rather than lost.
pub(super) const JOBS_MAX: usize = 1_024;

/// How long the floor sleeps when nothing at all is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// Something to be done on the floor.
pub(super) type Job = Box<dyn FnOnce(&mut Floor) + Send>;

/// The exchange, its world, and who listens to it. Tests reach it through
/// [`Handle::with_floor`](super::Handle::with_floor).
pub struct Floor {
    /// The exchange. Effects that a command leaves here are told to the subscribers.
    pub exchange: Exchange,
    /// The world that trades on it, if there is one.
    pub scenario: Option<Scenario>,
    accounts: BTreeMap<String, AccountId>,
    games: BTreeMap<String, Game>,
    sessions: Sessions,
    board: Arc<Mutex<Board>>,
    time: Time,
    market_limit: usize,
}

/// Where the floor's time comes from.
#[derive(Debug, Clone, Copy)]
enum Time {
    /// The clock; it never goes back.
    Clock { clock: Clock, last: Timestamp },
    /// It stands still until it is moved.
    Manual { now: Timestamp },
}

impl Floor {
    pub(super) fn new(
        settings: &Settings,
        board: Arc<Mutex<Board>>,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, ListingError> {
        let time = match settings.pace {
            Pace::RealTime => Time::Clock { clock, last: clock.now() },
            Pace::Manual { start } => Time::Manual { now: start },
        };
        let rules = Rules { post_only_cross: settings.post_only_cross };
        let mut floor = Self {
            exchange: Exchange::new(rules, entropy.rng("exchange ids")),
            scenario: None,
            accounts: BTreeMap::new(),
            games: BTreeMap::new(),
            sessions: Sessions::default(),
            board,
            time,
            market_limit: settings.subscription_markets_max,
        };
        if let Some(world) = &settings.scenario {
            let now = floor.now();
            let scenario = Scenario::build(world.clone(), entropy, now, &mut floor.exchange)?;
            floor.scenario = Some(scenario);
        }
        for account in &settings.accounts {
            floor.open_account(account)?;
        }
        Ok(floor)
    }

    /// The time on the floor.
    pub fn now(&mut self) -> Timestamp {
        match &mut self.time {
            Time::Clock { clock, last } => {
                *last = clock.now().max(*last);
                *last
            }
            Time::Manual { now } => *now,
        }
    }

    /// Moves the time by hand (with [`Pace::Manual`] only), and does all that is due by then,
    /// each thing at its own time.
    pub fn advance(&mut self, by: Duration) {
        if let Time::Manual { now } = &mut self.time {
            *now = *now + by;
            self.step();
        }
    }

    /// The primary account behind a key id.
    #[must_use]
    pub fn account(&self, key_id: &str) -> Option<AccountId> {
        self.accounts.get(key_id).copied()
    }

    /// An account behind a key id by its number: 0 is the primary one.
    #[must_use]
    pub fn subaccount(&self, key_id: &str, number: u8) -> Option<AccountId> {
        self.exchange.subaccount(self.account(key_id)?, number)
    }

    /// Shows this game on the scoreboard, instead of the scenario's game with its id.
    pub fn show_game(&mut self, game: Game) {
        self.games.insert(game.espn_id.clone(), game);
    }

    /// The games of the scoreboard.
    pub(super) fn games(&self) -> impl Iterator<Item = &Game> + '_ {
        let world = self.scenario.as_ref().map_or(&[][..], |scenario| scenario.games());
        let played = world.iter().filter(|game| !self.games.contains_key(&game.espn_id));
        played.chain(self.games.values())
    }

    pub(super) fn open_account(&mut self, settings: &AccountSettings) -> Result<(), ListingError> {
        let owner = self.exchange.open_account(AccountKind::Member);
        for _ in 0..settings.subaccounts {
            self.exchange.open_subaccount(owner)?;
        }
        let accounts: Vec<AccountId> = self.exchange.accounts_of(owner).collect();
        for account in accounts {
            for shard in limits::SHARDS {
                let amount = settings.balances.get(&shard).copied().unwrap_or(Dollars::ZERO);
                self.exchange.deposit(account, shard, amount);
            }
        }
        self.accounts.insert(settings.key_id.clone(), owner);
        Ok(())
    }

    pub(super) fn connect(&mut self, key: String, outbox: Outbox) -> Option<ConnectionId> {
        let account = self.account(&key)?;
        Some(self.sessions.connect(Session::new(account, key, outbox)))
    }

    pub(super) fn disconnect(&mut self, connection: ConnectionId) {
        self.sessions.disconnect(connection);
    }

    pub(super) fn cut_sessions(&self, key: Option<&str>) -> usize {
        self.sessions.cut(key)
    }

    /// Carries out what a WebSocket client sent.
    pub(super) fn command(&mut self, connection: ConnectionId, text: &str) {
        // What happened before the command is told before its snapshots, which contain it.
        self.publish();
        let now = self.now();
        let Some(session) = self.sessions.get_mut(connection) else { return };
        let mut exit = Exit::new(&self.board, now);
        commands::execute(session, text, &self.exchange, self.market_limit, &mut exit);
    }

    fn step(&mut self) {
        let now = self.now();
        match &mut self.scenario {
            Some(scenario) => scenario.step(now, &mut self.exchange),
            None => self.exchange.advance(now),
        }
    }

    fn publish(&mut self) {
        let now = self.now();
        let effects = self.exchange.take_effects();
        if effects.is_empty() {
            return;
        }
        let mut exit = Exit::new(&self.board, now);
        for effect in &effects {
            self.sessions.publish(&self.exchange, effect, &mut exit);
        }
    }

    /// How long nothing is due.
    fn idle(&mut self) -> Duration {
        let now = match self.time {
            Time::Clock { .. } => self.now(),
            Time::Manual { .. } => return IDLE,
        };
        let scenario = self.scenario.as_ref().map(Scenario::next_due);
        let due = [scenario, self.exchange.next_due()].into_iter().flatten().min();
        due.map_or(IDLE, |due| due.since(now).min(IDLE))
    }
}

/// Runs the floor until nobody can bring a job any more.
pub(super) async fn run(mut floor: Floor, mut jobs: mpsc::Receiver<Job>) {
    loop {
        let idle = floor.idle();
        tokio::select! {
            biased;
            // The world goes first: requests must not stop the game. Each step does all that is
            // due, so that requests have their turn after it.
            () = tokio::time::sleep(idle) => floor.step(),
            job = jobs.recv() => match job {
                Some(job) => {
                    // What was due before it happens before it: time never runs backwards.
                    floor.step();
                    floor.publish();
                    job(&mut floor);
                }
                None => return,
            },
        }
        floor.publish();
    }
}

/// The floor is gone: the exchange was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the exchange was stopped")]
pub struct Stopped;

/// The way to the floor. Cheap to clone.
#[derive(Clone)]
pub(super) struct FloorDoor(mpsc::Sender<Job>);

impl FloorDoor {
    pub(super) const fn new(jobs: mpsc::Sender<Job>) -> Self {
        Self(jobs)
    }

    /// Does something on the floor and waits for its result. What is on its way stays on its way
    /// when the caller gives up.
    pub(super) async fn ask<T, F>(&self, job: F) -> Result<T, Stopped>
    where
        T: Send + 'static,
        F: FnOnce(&mut Floor) -> T + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job = move |floor: &mut Floor| {
            let _ = sender.send(job(floor));
        };
        self.0.send(Box::new(job)).await.map_err(|_| Stopped)?;
        receiver.await.map_err(|_| Stopped)
    }

    /// Does something on the floor, some time.
    pub(super) async fn tell<F>(&self, job: F) -> Result<(), Stopped>
    where
        F: FnOnce(&mut Floor) + Send + 'static,
    {
        self.0.send(Box::new(job)).await.map_err(|_| Stopped)
    }
}
