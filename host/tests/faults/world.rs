//! [`World`]: one seed from its beginning to its end: what agents, operator, market and misfortune
//! do, what is checked after each of it, and what must be so when the bad weather is over.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotpit::desk::record::Halted;
use hotpit::desk::{Command, ToDesk};
use hotpit::model::{AgentId, MarketId};
use hotpit_exchange::core::{AccountId, MarketKey};
use hotpit_exchange::server::{Floor as ExchangeFloor, Handle};
use hotpit_rt::{Clock, ClockJump, Entropy, Rng};
use hotpit_units::Timestamp;
use rand::RngExt;
use tokio::time::sleep;

use super::auditor;
use super::exchange::{self, EVENTS, Truth};
use super::facts::{Broken, Promise};
use super::host::{Host, Machine};
use super::mutants::Mutant;
use super::network::{Network, Weather};
use super::{Counts, Key};

/// Things that happen in a seed before the bad weather ends.
const STEPS: u32 = 100;

/// How long a host may take, once the weather is good, until everything agrees.
const PATIENCE: Duration = Duration::from_secs(900);

/// When every seed begins.
const START: Timestamp = Timestamp::from_secs(1_795_000_000);

pub struct World {
    pub exchange: Handle,
    pub us: AccountId,
    pub trader: AccountId,
    pub machine: Machine,
    pub host: Host,
    pub rng: Rng,
    pub jump: ClockJump,
    pub agents: [AgentId; 2],
    pub next_order: u64,
    pub markets: Vec<MarketKey>,
    /// The operator stopped orders, of all.
    pub halted: bool,
    lives: u64,
    counts: Counts,
}

impl World {
    /// Runs a seed; what was counted in it, or what went wrong.
    pub async fn run(
        seed: u64,
        key: Arc<Key>,
        folder: &Path,
        mutant: Option<Mutant>,
        is_told: bool,
    ) -> Result<Counts, Broken> {
        let mut world = Self::open(seed, key, folder, mutant, is_told).await;
        for _ in 0..STEPS {
            world.happen().await;
            world.go_on().await?;
            world.audit().await?;
        }
        world.clear_up().await;
        world.settle_down(false).await?;
        world.stop_orders().await;
        world.settle_down(true).await?;
        world.end().await
    }

    async fn open(
        seed: u64,
        key: Arc<Key>,
        folder: &Path,
        mutant: Option<Mutant>,
        is_told: bool,
    ) -> Self {
        let exchange_clock = Clock::simulated(START);
        let (clock, jump) = Clock::jumping(START);
        let entropy = Entropy::seeded(seed);
        let (exchange, trader) = exchange::open(&key, exchange_clock, seed).await;
        let id = key.id.clone();
        let listed = move |floor: &mut ExchangeFloor| {
            (floor.account(&id).unwrap(), exchange::markets(floor))
        };
        let (us, markets) = exchange.with_floor(listed).await.unwrap();
        let network =
            Network::new(exchange.inside(), exchange_clock, entropy.rng("network"), is_told);
        let machine = Machine {
            network: Arc::new(network),
            clock,
            key,
            journal: folder.join("journal.db"),
            events: EVENTS.iter().map(|(event, ..)| Arc::from(*event)).collect(),
            seed,
            mutant,
        };
        let host = Host::start(&machine, 1).await;
        let agents = ["maker", "taker"].map(AgentId::from);
        let mut world = Self {
            exchange,
            us,
            trader,
            machine,
            host,
            rng: entropy.rng("world"),
            jump,
            agents,
            next_order: 1,
            markets,
            halted: false,
            lives: 1,
            counts: Counts::default(),
        };
        world.welcome().await;
        sleep(Duration::from_secs(3)).await;
        world
    }

    pub fn network(&self) -> Arc<Network> {
        Arc::clone(&self.machine.network)
    }

    /// What a new life is told first.
    async fn welcome(&mut self) {
        self.host.tell(ToDesk::Bus { down: None }).await;
        for agent in &self.agents {
            self.host.agent_up(agent).await;
        }
    }

    /// Does something on the exchange's floor.
    pub async fn on_floor<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut ExchangeFloor) -> T + Send + 'static,
    ) -> T {
        self.exchange.with_floor(job).await.unwrap()
    }

    /// The handle of a market in this life of the host.
    pub fn market_id(&self, number: usize) -> Option<MarketId> {
        let ticker = EVENTS[number / 2 % 2].2[number % 2];
        self.host.floor.cache.market_id(ticker)
    }

    /// Lets time pass. A host that died meanwhile is buried and started again.
    async fn go_on(&mut self) -> Result<(), Broken> {
        let pause = match self.rng.random_range(0..10_u32) {
            0..4 => self.rng.random_range(0..60),
            4..8 => self.rng.random_range(60..1_500),
            _ => self.rng.random_range(1_500..9_000),
        };
        let ended = {
            let life = Arc::clone(&self.host.life);
            tokio::select! {
                biased;
                () = life.ended.notified() => true,
                () = sleep(Duration::from_millis(pause)) => life.is_over(),
            }
        };
        if ended {
            return self.revive().await;
        }
        self.check_is_up()
    }

    fn check_is_up(&self) -> Result<(), Broken> {
        if self.host.is_up() || self.host.life.is_over() {
            return Ok(());
        }
        Err(Broken { promise: Promise::Lost, how: "the desk's task ended".to_owned() })
    }

    /// Starts the host again after a death.
    async fn revive(&mut self) -> Result<(), Broken> {
        self.counts.killed += 1;
        self.network().saw("host dies");
        let pause = self.rng.random_range(0..12_000) * u64::from(self.rng.random_bool(0.7));
        sleep(Duration::from_millis(pause)).await;
        self.lives += 1;
        let host = Host::start_after(&self.machine, self.lives, &mut self.host).await;
        host.map_err(|how| Broken { promise: Promise::Lost, how })?;
        if self.rng.random_bool(0.2) {
            // It may die while it recovers.
            let operations = self.rng.random_range(1..30);
            self.host.life.end_in(operations);
        }
        self.welcome().await;
        Ok(())
    }

    /// What must hold at every moment.
    async fn audit(&mut self) -> Result<(), Broken> {
        if self.host.life.is_over() {
            return self.broken();
        }
        let Some(report) = self.host.report().await else { return self.broken() };
        let truth = self.truth().await;
        let network = self.network();
        network.facts(|facts| auditor::check_moment(&report, &truth, facts));
        self.broken()
    }

    fn broken(&self) -> Result<(), Broken> {
        self.network().facts(|facts| facts.broken.clone().map_or(Ok(()), Err))
    }

    async fn truth(&self) -> Truth {
        let flights =
            self.network().facts(|facts| facts.in_flight.values().cloned().collect::<Vec<_>>());
        let us = self.us;
        self.on_floor(move |floor| exchange::truth(floor, us, &flights)).await
    }

    /// The bad weather ends; the operator lets everything go on.
    async fn clear_up(&mut self) {
        let network = self.network();
        network.saw("good weather");
        network.set_weather(Weather::default());
        network.fill_disk(false);
        network.set_down(false);
        self.jump.set(0);
        self.host.life.go_on();
        self.open_markets().await;
        self.host.tell(ToDesk::Bus { down: None }).await;
    }

    /// Waits until host and exchange agree: first with orders at work, at the end without.
    async fn settle_down(&mut self, is_end: bool) -> Result<(), Broken> {
        let mut waited = Duration::ZERO;
        loop {
            if self.host.life.is_over() {
                self.revive().await?;
                self.host.life.go_on();
            }
            if !is_end {
                self.resume_if_halted().await;
            }
            self.audit().await?;
            let differences = self.differences(is_end).await;
            if differences.is_empty() {
                return Ok(());
            }
            if waited >= PATIENCE {
                let how = format!("not within {PATIENCE:?}: {}", differences.join("; "));
                return Err(Broken { promise: auditor::promise_of(&differences), how });
            }
            waited += Duration::from_secs(2);
            sleep(Duration::from_secs(2)).await;
            self.check_is_up()?;
        }
    }

    async fn differences(&self, is_end: bool) -> Vec<String> {
        let Some(report) = self.host.report().await else { return vec!["the desk is gone".into()] };
        let truth = self.truth().await;
        let mut found = auditor::differences(&report, &truth, is_end);
        if self.network().facts(|facts| !facts.in_flight.is_empty()) {
            found.push("requests are under way".to_owned());
        }
        found
    }

    /// An operator lets orders be accepted again, unless what he would accept with it is a
    /// position that does not agree.
    pub async fn resume_if_halted(&mut self) {
        let Some(report) = self.host.report().await else { return };
        let drifts = report.not_ready.as_deref().is_some_and(|why| why.contains("drift"));
        if report.halted.is_none() && report.halted_agents.is_empty() || drifts {
            return;
        }
        for agent in report.halted_agents {
            let agent = Some(agent);
            self.host.ask(|done| Command::Resume { agent, done }).await;
        }
        if report.halted.is_some() {
            self.network().facts(|facts| facts.halted = false);
            self.host.ask(|done| Command::Resume { agent: None, done }).await;
            self.halted = false;
        }
    }

    /// The operator stops orders for good.
    async fn stop_orders(&mut self) {
        let halted = Halted::all("the end");
        self.host.ask(|done| Command::Halt { agent: None, halted, done }).await;
    }

    /// Ends the host in order and compares everything once more, with the journal.
    async fn end(self) -> Result<Counts, Broken> {
        self.host.ask(|done| Command::Shutdown { done }).await;
        sleep(Duration::from_secs(1)).await;
        let truth = self.truth().await;
        let network = self.network();
        let Self { mut host, machine, exchange, mut counts, .. } = self;
        host.end().await.map_err(|how| Broken { promise: Promise::Lost, how })?;
        auditor::compare_journal(&machine.journal, &truth)?;
        exchange.stop().await;
        network.facts(|facts| {
            auditor::check_fills(facts, &truth);
            counts.steps = facts.steps;
            counts.orders = facts.orders_sent;
            counts.unknown = facts.unknown.len() as u64;
            counts.trace = facts.trace;
            facts.broken.clone().map_or(Ok(()), Err)
        })?;
        Ok(counts)
    }
}
