//! [`Floor`]: a practice exchange, a folder of agents and a host on them, as a user would have
//! them: real sockets, real files, real components. Whatever a test does to them, the books of
//! host and exchange must agree at the end.

#![allow(dead_code, unreachable_pub, reason = "each test that includes this uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hotpit::app::Host;
use hotpit::config::{Config, Credentials, Secret};
use hotpit::ops::{AgentLine, AgentPhase, Source as _, Status};
use hotpit::streams::{StreamPhase, StreamReport};
use hotpit_exchange::core::{AccountId, AccountKind, NewOrder, OrderStatus, TimeInForce};
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{self, KeyKind, generate_credentials};
use hotpit_exchange::server::{AccountSettings, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Price, Quantity, Side};
use serde_json::Value;

pub mod books;
pub mod collector;
pub mod logs;
pub mod program;
pub mod redis;
pub mod roles;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How often a condition is looked at.
pub const LOOK: Duration = Duration::from_millis(10);

/// Enough for any trade.
const MILLION: Dollars = Dollars::from_dollars(1_000_000);

/// The example agents, as (name, guest).
pub const BOTH: [(&str, &str); 2] =
    [("market-maker", "market_maker"), ("win-probability", "win_probability")];

/// The market maker alone.
pub const MAKER: [(&str, &str); 1] = [BOTH[0]];

/// What is on a floor before the host starts.
pub struct Setup {
    /// The agents in the folder, as (name, guest).
    pub agents: Vec<(&'static str, &'static str)>,
    /// Redis, if everything goes through one.
    pub redis: Option<String>,
    /// More lines of the configuration, as (section, line).
    pub lines: Vec<(&'static str, String)>,
    /// The kind of the account's key.
    pub key: KeyKind,
    /// The exchange's clock; the host's is the machine's.
    pub exchange_clock: Clock,
    /// How far from the exchange's clock a signature may be.
    pub tolerance: Duration,
}

impl Setup {
    pub fn with(agents: &[(&'static str, &'static str)]) -> Self {
        Self {
            agents: agents.to_vec(),
            redis: None,
            lines: vec![],
            key: KeyKind::Ed25519,
            exchange_clock: Clock::system(),
            tolerance: Duration::from_secs(60),
        }
    }

    pub fn exchange_clock(mut self, clock: Clock) -> Self {
        self.exchange_clock = clock;
        self
    }

    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    pub fn over(mut self, redis: &redis::RedisServer) -> Self {
        self.redis = Some(redis.url());
        self
    }

    pub fn line(mut self, section: &'static str, line: impl Into<String>) -> Self {
        self.lines.push((section, line.into()));
        self
    }

    fn config(&self, exchange: &Handle, folder: &Path) -> String {
        let at = exchange.address();
        let quoted = |path: PathBuf| Value::from(path.to_str().unwrap()).to_string();
        let mut sections: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut add = |section, line: String| sections.entry(section).or_default().push(line);
        add("", format!("venue = \"http://{at}\""));
        add("", format!("state_folder = {}", quoted(folder.join("state"))));
        add("agents", format!("folder = {}", quoted(folder.join("agents"))));
        // The machine that tests runs much else: time is what a test must not depend on.
        add("agents.budget", "batch_ms = 200".into());
        add("desk.limits", "exposure = \"2000\"".into());
        add("desk.limits", "exposure_per_agent = \"1000\"".into());
        for key in ["exposure_per_event", "exposure_per_series", "daily_loss", "drawdown"] {
            add("desk.limits", format!("{key} = \"2000\""));
        }
        for key in ["daily_loss_per_agent", "drawdown_per_agent"] {
            add("desk.limits", format!("{key} = \"1000\""));
        }
        // Tests trade with an agent as often as they can.
        if !self.lines.iter().any(|(_, line)| line.starts_with("group_contracts")) {
            add("desk.limits", "group_contracts = \"100000\"".into());
        }
        add("desk.timing", "reconcile_every_ms = 3_000".into());
        add("feeds.espn", format!("url = \"http://{at}\""));
        for key in ["live_ms", "soon_ms", "idle_ms", "map_ms"] {
            add("feeds.espn", format!("{key} = 250"));
        }
        add("feeds.kalshi", "backoff_cap_ms = 500".into());
        add("ops", "bind = \"127.0.0.1:0\"".into());
        if let Some(url) = &self.redis {
            add("bus", format!("kind = \"redis\"\nurl = \"{url}\""));
        }
        for (section, line) in &self.lines {
            add(section, line.clone());
        }
        let text = sections.into_iter().map(|(section, lines)| {
            let head = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
            format!("{head}{}\n\n", lines.join("\n"))
        });
        text.collect()
    }
}

/// An exchange with a world that trades, a folder, and a host once it is started.
pub struct Floor {
    pub folder: tempfile::TempDir,
    pub exchange: Handle,
    pub key: credentials::Credentials,
    host: Option<Host>,
    /// Whoever trades with our orders when a test wants it.
    trader: AccountId,
}

impl Floor {
    /// Opens the exchange and fills the folder; starts no host.
    pub async fn open(setup: &Setup) -> Self {
        // Before anything logs, whatever test comes first.
        logs::keep();
        let folder = tempfile::tempdir().unwrap();
        let key = generate_credentials(&folder.path().join("keys"), setup.key).unwrap();
        let account = AccountSettings::new(&*key.key_id, key.public_key_pem().unwrap());
        let account = account.with_subaccounts(2);
        let world = scenario::Settings {
            kickoff_after_ms: 500,
            game_ms: 120_000,
            ..scenario::Settings::default()
        };
        let settings = Settings {
            accounts: vec![account],
            scenario: Some(world),
            timestamp_tolerance: setup.tolerance,
            ..Settings::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let exchange =
            start(settings, listener, setup.exchange_clock, Entropy::seeded(3)).await.unwrap();
        let trader = exchange.with_floor(|floor| {
            let trader = floor.exchange.open_account(AccountKind::Member);
            (0..4).for_each(|shard| {
                floor.exchange.deposit(trader, shard, MILLION);
            });
            trader
        });
        let trader = trader.await.unwrap();
        fs::create_dir(folder.path().join("agents")).unwrap();
        fs::write(folder.path().join("hotpit.toml"), setup.config(&exchange, folder.path()))
            .unwrap();
        let floor = Self { folder, exchange, key, host: None, trader };
        setup.agents.iter().for_each(|(name, guest)| floor.put_agent(name, guest));
        floor
    }

    /// The same with a host that has started and trades.
    pub async fn trading(setup: &Setup) -> Self {
        let mut floor = Self::open(setup).await;
        floor.start_host().await;
        floor.until_fills(1).await;
        floor
    }

    /// Starts a host in this process.
    pub async fn start_host(&mut self) {
        let pem = fs::read_to_string(&self.key.private_key).unwrap();
        let credentials =
            Credentials { key_id: self.key.key_id.clone(), private_key: Secret::new(pem) };
        self.start_host_with(Some(credentials)).await;
    }

    /// The same with other credentials, or none.
    pub async fn start_host_with(&mut self, credentials: Option<Credentials>) {
        let config = Config::load(Some(&self.config_path())).unwrap();
        let host = Host::start(config, credentials, Clock::system(), Entropy::seeded(5));
        self.host = Some(host.await.unwrap());
    }

    pub fn host(&self) -> &Host {
        self.host.as_ref().expect("the host was started")
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("hotpit.toml")
    }

    pub fn agent_path(&self, file: &str) -> PathBuf {
        self.folder.path().join("agents").join(file)
    }

    /// Puts a whole file among the agents at once.
    pub fn put_file(&self, file: &str, bytes: &[u8]) {
        let partial = self.agent_path(&format!(".{file}.part"));
        fs::write(&partial, bytes).unwrap();
        fs::rename(partial, self.agent_path(file)).unwrap();
    }

    /// Puts a prebuilt guest among the agents.
    pub fn put_agent(&self, name: &str, guest: &str) {
        self.put_file(&format!("{name}.wasm"), &guest_bytes(guest));
    }

    /// How the host stands.
    pub async fn status(&self) -> Status {
        self.host().source().status().await.expect("the desk answers")
    }

    /// What the account really has.
    pub async fn audit(&self) -> Value {
        self.exchange.audit(&self.key.key_id, 0).await.unwrap().expect("the account exists")
    }

    /// Waits until the host stands as wanted.
    pub async fn until(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let began = Instant::now();
        loop {
            let status = self.status().await;
            if is(&status) {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}: {status:#?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until something is so.
    pub async fn until_so(&self, what: &str, mut is: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !is().await {
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Trades with our orders until the host has booked this many fills more.
    pub async fn until_fills(&self, more: u64) -> Status {
        let before = self.status().await.desk.fills;
        let began = Instant::now();
        loop {
            let status = self.status().await;
            if status.desk.fills >= before + more {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "no {more} fills in {PATIENCE:?}: {status:#?}");
            self.hit().await;
            tokio::time::sleep(5 * LOOK).await;
        }
    }

    /// Takes out one resting order of ours, with whatever stands before it in its book; how much
    /// of ours that traded.
    pub async fn hit(&self) -> Quantity {
        let (key, trader) = (self.key.key_id.clone(), self.trader);
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let now = floor.now();
            let ours = floor.account(&key).unwrap();
            let resting =
                |order: &&hotpit_exchange::core::Order| order.status == OrderStatus::Resting;
            let Some(order) = floor.exchange.orders_of(ours).find(resting) else {
                return Quantity::ZERO;
            };
            let (id, market, side, price) = (order.id, order.market, order.side, order.price);
            let before = order.fill_count;
            let ahead = |level: &hotpit_exchange::core::Level| match side {
                Side::Bid => level.price >= price,
                Side::Ask => level.price <= price,
            };
            let levels = floor.exchange.market(market).book().levels(side);
            let count = levels.take_while(ahead).map(|level| level.quantity).sum();
            let take = NewOrder {
                time_in_force: TimeInForce::ImmediateOrCancel,
                ..NewOrder::limit(market, side.opposite(), price, count)
            };
            floor.exchange.create_order(now, trader, take).expect("the trader can pay");
            floor.exchange.order(id).unwrap().fill_count - before
        };
        self.exchange.with_floor(job).await.unwrap()
    }

    /// Stops the world's traders, so that books stand still but for us. Give them back with
    /// [`Floor::wake`].
    pub async fn freeze(&self) -> scenario::Scenario {
        self.exchange.with_floor(|floor| floor.scenario.take()).await.unwrap().unwrap()
    }

    pub async fn wake(&self, world: scenario::Scenario) {
        self.exchange.with_floor(move |floor| floor.scenario = Some(world)).await.unwrap();
    }

    /// Stops the world until what the host marks its positions at is what the exchange's books
    /// say, with one position at least. A moment in which nothing is held, or a side of a book is
    /// empty, says nothing: then the world goes on and another moment is taken.
    pub async fn until_marked_right(&self) {
        let mut last = String::new();
        for _ in 0..5 {
            let world = self.freeze().await;
            let mut looks = 50;
            while looks > 0 {
                match self.wrong_mark().await {
                    None => break,
                    Some(wrong) => last = wrong,
                }
                looks -= 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            self.wake(world).await;
            if looks > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the host's books are not the exchange's: {last}");
    }

    /// Where a position is not marked at the middle of the exchange's book; none: all are.
    async fn wrong_mark(&self) -> Option<String> {
        let status = self.status().await;
        let mut compared = 0;
        for line in status.desk.positions.iter().filter(|line| !line.quantity.is_zero()) {
            let best = self.best(&line.ticker).await;
            let (Some(bid), Some(ask), Some(mark)) = (best.0, best.1, line.mark) else {
                return Some(format!("{}: {best:?}, mark {:?}", line.ticker, line.mark));
            };
            if (2 * mark.raw()).abs_diff(bid.raw() + ask.raw()) > 1 {
                return Some(format!("{}: {bid} to {ask}, mark {mark}", line.ticker));
            }
            compared += 1;
        }
        (compared == 0).then(|| "nothing is held".to_owned())
    }

    /// Ends the host and compares its books with the exchange's, to the last unit.
    pub async fn stop(&mut self) -> Status {
        let host = self.host.take().expect("the host was started");
        let status = host.stop().await.expect("the host ends in order");
        self.compare(&status).await;
        status
    }

    /// Compares the books of a host that has ended so with the exchange's.
    pub async fn compare(&self, status: &Status) {
        let fills = self.ask_journal("SELECT count(*) FROM fills");
        books::assert_agree(status, fills, &self.audit().await);
        books::assert_orders_sent_once(&self.journal(), &self.audit().await);
    }

    /// Ends the host without a look at its books.
    pub async fn end(mut self) -> Status {
        self.host.take().expect("the host was started").stop().await.expect("it ends in order")
    }

    /// Trades between others in a market: a lot of `quantity` at the very end of its asks, and
    /// all before it. The last trade of it has just this quantity.
    pub async fn mark(&self, ticker: &str, quantity: Quantity) {
        let (ticker, trader) = (ticker.to_owned(), self.trader);
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let (now, exchange) = (floor.now(), &mut floor.exchange);
            let market = exchange.find(&ticker).unwrap();
            let seller = exchange.open_account(AccountKind::Member);
            exchange.deposit(seller, exchange.market(market).exchange_index, MILLION);
            let price = Price::from_cents(99);
            let lot = NewOrder::limit(market, Side::Ask, price, quantity);
            exchange.create_order(now, seller, lot).unwrap();
            let all = exchange.market(market).book().levels(Side::Ask);
            let count = all.map(|level| level.quantity).sum();
            let sweep = NewOrder {
                time_in_force: TimeInForce::ImmediateOrCancel,
                ..NewOrder::limit(market, Side::Bid, price, count)
            };
            exchange.create_order(now, trader, sweep).unwrap();
        };
        self.exchange.with_floor(job).await.unwrap();
    }

    /// The trades of a market, oldest first, as (price, quantity).
    pub async fn trades(&self, ticker: &str) -> Vec<(Price, Quantity)> {
        let ticker = ticker.to_owned();
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let market = floor.exchange.find(&ticker).unwrap();
            let mut trades: Vec<_> = floor.exchange.trades(market).cloned().collect();
            if trades.first().map(|trade| trade.ts) > trades.last().map(|trade| trade.ts) {
                trades.reverse();
            }
            trades.into_iter().map(|trade| (trade.price, trade.count)).collect()
        };
        self.exchange.with_floor(job).await.unwrap()
    }

    /// The ticker of the home team of the game that is played.
    pub async fn home(&self) -> String {
        let job = |floor: &mut hotpit_exchange::server::Floor| {
            let market = floor.scenario.as_ref().unwrap().games()[0].home_market;
            floor.exchange.market(market).spec.ticker.to_string()
        };
        self.exchange.with_floor(job).await.unwrap()
    }

    /// The best bid and ask of a market.
    pub async fn best(&self, ticker: &str) -> (Option<Price>, Option<Price>) {
        let ticker = ticker.to_owned();
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let book = floor.exchange.market(floor.exchange.find(&ticker).unwrap()).book();
            let best = |side| book.best(side).map(|level| level.price);
            (best(Side::Bid), best(Side::Ask))
        };
        self.exchange.with_floor(job).await.unwrap()
    }

    /// What was traded in a market, and what is held.
    pub async fn numbers(&self, ticker: &str) -> (Quantity, Quantity) {
        let ticker = ticker.to_owned();
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let market = floor.exchange.find(&ticker).unwrap();
            let ticker = floor.exchange.market(market).ticker();
            (ticker.tape.volume, ticker.tape.open_interest)
        };
        self.exchange.with_floor(job).await.unwrap()
    }

    /// The host's journal, to be looked at.
    pub fn journal(&self) -> rusqlite::Connection {
        let path = self.folder.path().join("state/journal.db");
        rusqlite::Connection::open(path).unwrap()
    }

    /// The first number that a question to the journal is answered with.
    pub fn ask_journal(&self, question: &str) -> u64 {
        let journal = self.journal();
        let answer: i64 = journal.query_row(question, [], |row| row.get(0)).unwrap();
        u64::try_from(answer).unwrap()
    }
}

/// The bytes of a guest that `make guests` has built.
pub fn guest_bytes(guest: &str) -> Vec<u8> {
    let built = "../target/wasm32-unknown-unknown/agent";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(built).join(format!("{guest}.wasm"));
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): run `make guests`", path.display())
    })
}

/// A counter of the status, by its name and reason.
pub fn counter(status: &Status, name: &str, reason: &str) -> u64 {
    let reason = ("reason".to_owned(), reason.to_owned());
    let found =
        status.counters.iter().find(|counter| counter.name == name && counter.labels[0] == reason);
    found.unwrap_or_else(|| panic!("no counter {name} {reason:?}")).value
}

pub fn agent<'a>(status: &'a Status, name: &str) -> Option<&'a AgentLine> {
    status.agents.iter().find(|line| line.agent.as_str() == name)
}

pub fn is_running(status: &Status, name: &str) -> bool {
    agent(status, name).is_some_and(|line| line.phase == AgentPhase::Running)
}

pub fn stream<'a>(status: &'a Status, name: &str) -> &'a StreamReport {
    status.streams.iter().find(|line| line.name == name).expect("the stream is listed")
}

pub fn is_up(status: &Status, name: &str) -> bool {
    stream(status, name).phase == StreamPhase::Up
}
