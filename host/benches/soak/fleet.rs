//! A fleet: one host that takes in the feeds, Redis, and two that trade with twenty agents each, at
//! 5,000 frames a second. Redis and the exchange go away and come back, agents are swapped, hosts
//! are killed; at the end the books of all must agree.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hotpit::ops::Status;
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{Credentials, KeyKind, generate_credentials};
use hotpit_exchange::server::{AccountSettings, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::market::{self, Load};
use crate::process::Program;
use crate::redis_server::RedisServer;
use crate::{books, guests};

const MARKETS: usize = 1_000;
/// Frames a second that the exchange is to send.
const RATE: u64 = 5_000;
/// How often orders are moved.
const BEAT: Duration = Duration::from_millis(20);
/// Agents of each host, the two that trade among them.
const AGENTS: usize = 20;
const TRADERS: [&str; 2] = ["market_maker", "win_probability"];
/// How long a host may take to trade again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The least time between two things that befall the fleet.
const PAUSE: Duration = Duration::from_secs(15);
/// How long the exchange is away.
const AWAY: Duration = Duration::from_secs(2);

/// What befalls the fleet, in turn.
const TROUBLES: [&str; 5] = ["redis", "exchange", "swaps", "kill", "ingest"];

/// One host.
struct Member {
    folder: tempfile::TempDir,
    key: Credentials,
    role: &'static str,
    program: Option<Program>,
    memory_early: u64,
    memory_most: u64,
}

impl Member {
    async fn open(role: &'static str, exchange: &Handle, redis: &RedisServer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = generate_credentials(folder.path(), KeyKind::Ed25519).unwrap();
        let account = AccountSettings::new(&*key.key_id, key.public_key_pem().unwrap());
        exchange.open_account(account).await.unwrap();
        configure(folder.path(), exchange, redis);
        if role == "agents" {
            put_agents(folder.path(), 0);
        }
        let mut member = Self { folder, key, role, program: None, memory_early: 0, memory_most: 0 };
        member.start();
        member
    }

    fn start(&mut self) {
        let arguments = ["--role", self.role];
        self.program = Some(Program::start(self.folder.path(), &self.key, &arguments));
    }

    fn program(&self) -> &Program {
        self.program.as_ref().unwrap()
    }

    fn status(&self) -> Option<Status> {
        self.program().status()
    }

    /// Waits until it has sent an order from now on; how long that took.
    async fn trades_again(&self) -> Duration {
        let began = Instant::now();
        let mut before = None;
        loop {
            if let Some(status) = self.status().filter(|it| it.desk.not_ready.is_none()) {
                let orders = status.desk.orders;
                if *before.get_or_insert(orders) < orders {
                    return began.elapsed();
                }
            }
            assert!(began.elapsed() < PATIENCE, "no order in {PATIENCE:?}: {:#?}", self.status());
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn look(&mut self) {
        let memory = self.program().memory();
        self.memory_most = self.memory_most.max(memory);
        if self.memory_early == 0 {
            self.memory_early = memory;
        }
    }
}

struct Fleet {
    exchange: Handle,
    redis: RedisServer,
    ingest: Member,
    desks: Vec<Member>,
    generation: u8,
    befallen: usize,
}

pub(crate) async fn run_for(length: Duration) {
    let redis = RedisServer::start().await;
    let world = scenario::Settings {
        kickoff_after_ms: 500,
        game_ms: u64::try_from(length.as_millis()).unwrap() * 3,
        ..scenario::Settings::default()
    };
    let settings = Settings {
        scenario: Some(world),
        subscription_markets_max: MARKETS * 2,
        ..Settings::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exchange = start(settings, listener, Clock::system(), Entropy::seeded(7)).await.unwrap();
    let load = exchange.with_floor(|floor| Load::list(floor, MARKETS)).await.unwrap();
    let ingest = Member::open("ingest", &exchange, &redis).await;
    let desks = vec![
        Member::open("agents", &exchange, &redis).await,
        Member::open("agents", &exchange, &redis).await,
    ];
    let mut fleet = Fleet { exchange, redis, ingest, desks, generation: 0, befallen: 0 };
    for desk in &fleet.desks {
        desk.trades_again().await;
    }
    let began = Instant::now();
    let mut load = Some(load);
    while began.elapsed() < length {
        load = Some(fleet.go_on(load.take().unwrap(), PAUSE.max(length / 20)).await);
        fleet.befall().await;
    }
    fleet.end(began.elapsed()).await;
}

impl Fleet {
    /// Moves orders for this long.
    async fn go_on(&mut self, mut load: Load, time: Duration) -> Load {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let per_beat = RATE * u64::try_from(BEAT.as_millis()).unwrap() / 1_000;
        let began = Instant::now();
        while began.elapsed() < time {
            beats.tick().await;
            let moved = self.exchange.with_floor(move |floor| load.moved(floor, per_beat));
            load = moved.await.unwrap();
        }
        self.ingest.look();
        self.desks.iter_mut().for_each(Member::look);
        load
    }

    /// The next trouble; prints how long it took until both hosts sent orders again.
    async fn befall(&mut self) {
        let trouble = TROUBLES[self.befallen % TROUBLES.len()];
        self.befallen += 1;
        match trouble {
            "redis" => self.redis.restart().await,
            "exchange" => {
                self.exchange.go_down().await;
                sleep(AWAY).await;
                self.exchange.come_back().await;
            }
            "swaps" => {
                self.generation += 1;
                self.desks.iter().for_each(|it| put_agents(it.folder.path(), self.generation));
            }
            "kill" => {
                self.desks[0].program.take().unwrap().kill();
                self.desks[0].start();
            }
            _ => {
                self.ingest.program.take().unwrap().stop();
                self.ingest.start();
            }
        }
        let mut longest = Duration::ZERO;
        for desk in &self.desks {
            longest = longest.max(desk.trades_again().await);
        }
        println!("soak_after_{trouble} {} ms", longest.as_millis());
    }

    /// Ends everything in order and compares the books.
    async fn end(self, took: Duration) {
        let Self { exchange, redis: _redis, ingest, desks, befallen, .. } = self;
        for mut desk in desks {
            desk.look();
            let status = desk.program.take().unwrap().stop();
            let audit = exchange.audit(&desk.key.key_id, 0).await.unwrap().unwrap();
            let journal = desk.folder.path().join("state").join("journal.db");
            let journal = rusqlite::Connection::open(journal).unwrap();
            let fills: i64 =
                journal.query_row("SELECT count(*) FROM fills", (), |row| row.get(0)).unwrap();
            books::assert_agree(&status, fills.cast_unsigned(), &audit);
            books::assert_orders_sent_once(&journal, &audit);
            let swaps: u64 = status.agents.iter().map(|agent| agent.swaps).sum();
            let orders = audit["orders_count"].as_u64().unwrap();
            println!("soak_desk_orders {orders} orders");
            println!("soak_desk_fills {fills} fills");
            println!("soak_desk_swaps {swaps} swaps");
            println!("soak_desk_events {} events", status.events);
            tell_memory("desk", &desk);
        }
        let mut ingest = ingest;
        ingest.look();
        tell_memory("ingest", &ingest);
        let status = ingest.program.take().unwrap().stop();
        println!("soak_ingest_events {} events", status.events);
        println!("soak_troubles {befallen} in {:.0} s", took.as_secs_f64());
        println!("soak_books agree");
    }
}

fn tell_memory(whose: &str, member: &Member) {
    let (early, most) = (member.memory_early >> 20, member.memory_most >> 20);
    println!("soak_{whose}_memory_early {early} MiB");
    println!("soak_{whose}_memory_most {most} MiB");
}

/// Puts every agent of a host into its folder, in a version of its own.
fn put_agents(folder: &Path, version: u8) {
    let agents = folder.join("agents");
    fs::create_dir_all(&agents).unwrap();
    for number in 0..AGENTS {
        let guest = TRADERS.get(number).copied().unwrap_or("hostile");
        let name = format!("{}-{number}", guest.replace('_', "-"));
        if guest == "hostile" {
            let options = format!("series = [\"{}\"]\n", market::SERIES);
            fs::write(agents.join(format!("{name}.toml")), options).unwrap();
        }
        let mut wasm = fs::read(guests::guest_file(guest)).unwrap();
        // A custom section, which means nothing but makes it another file.
        wasm.extend([0, 3, 1, b'v', version]);
        let part = agents.join(format!(".{name}.part"));
        fs::write(&part, wasm).unwrap();
        fs::rename(part, agents.join(format!("{name}.wasm"))).unwrap();
    }
}

fn configure(folder: &Path, exchange: &Handle, redis: &RedisServer) {
    let at = exchange.address();
    let limits = ["exposure", "exposure_per_agent", "exposure_per_event", "exposure_per_series"];
    let losses = ["daily_loss", "daily_loss_per_agent", "drawdown", "drawdown_per_agent"];
    let limits: String =
        limits.iter().chain(&losses).map(|key| format!("{key} = \"5000\"\n")).collect();
    let text = format!(
        "venue = \"http://{at}\"\nstate_folder = {:?}\n[agents]\nfolder = {:?}\n\
         [agents.budget]\nbatch_ms = 200\n[bus]\nkind = \"redis\"\nurl = \"{}\"\n\
         [desk.limits]\ngroup_contracts = \"100000\"\n{limits}\
         [feeds.espn]\nurl = \"http://{at}\"\nlive_ms = 1000\nsoon_ms = 1000\nidle_ms = 1000\n\
         map_ms = 1000\n[ops]\nbind = \"127.0.0.1:0\"\n",
        folder.join("state"),
        folder.join("agents"),
        redis.url(),
    );
    fs::write(folder.join("hotpit.toml"), text).unwrap();
}
