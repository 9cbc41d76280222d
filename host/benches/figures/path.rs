//! Tick to order: from just before a frame with a changed best bid is written to the host's
//! socket, until the order that an agent answers it with was read off the host's other socket.
//! The host is whole and unchanged; both ends are seen by a [`Tap`] between it and the exchange.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use hotpit::app::Host;
use hotpit::bus::{self, Kind};
use hotpit::config::{Config, Credentials, Secret};
use hotpit::desk::Limits;
use hotpit_exchange::server::AccountSettings;
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_rt::{Clock, Entropy};
use tokio::runtime::{Builder, Runtime};

use crate::exchange::QuietExchange;
use crate::feed::TICKER;
use crate::guests::guest_file;
use crate::measure::{figure, micros, percentile};
use crate::redis_server::RedisServer;
use crate::tap::{Direction, Passed, Tap};

const WARM_UP: usize = 200;
const TICKS: usize = 1_000;
/// How long host and exchange have for a tick and all that follows from it. Nobody watches
/// meanwhile: watching would take a processor from them.
const TICK: Duration = Duration::from_millis(3);
/// How long the host may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

const FRAME: &[u8] = b"\"orderbook_delta\"";
const ORDER: &[u8] = b"POST /trade-api/v2/portfolio/events/orders ";

pub(crate) fn print_embedded() {
    print("tick_to_order_embedded", bus::Settings::default());
}

pub(crate) fn print_redis() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(RedisServer::start());
    let settings =
        bus::Settings { kind: Kind::Redis, url: server.url(), ..bus::Settings::default() };
    print("tick_to_order_redis", settings);
}

fn print(name: &str, bus: bus::Settings) {
    let mut times = Floor::open(bus).measure();
    figure(&format!("{name}_p50"), micros(percentile(&mut times, 50)), "us");
    figure(&format!("{name}_p99"), micros(percentile(&mut times, 99)), "us");
}

/// Exchange, tap and host, each on threads of its own.
struct Floor {
    exchange: Arc<QuietExchange>,
    exchange_runtime: Runtime,
    host: Host,
    host_runtime: Runtime,
    passed: Receiver<Passed>,
    up: bool,
    _folder: tempfile::TempDir,
}

impl Floor {
    fn open(bus: bus::Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = generate_credentials(folder.path(), KeyKind::Rsa).unwrap();
        let member = AccountSettings::new(&*key.key_id, key.public_key_pem().unwrap());
        let exchange_runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let exchange = exchange_runtime.block_on(QuietExchange::open(member));
        let (seen, passed) = sync_channel(1 << 16);
        let tap = Tap::start(exchange.handle.address(), seen).unwrap();
        let address = format!("http://{}", tap.address());
        let config = configure(folder.path(), &address, bus);
        let pem = fs::read_to_string(&key.private_key).unwrap();
        let credentials = Credentials { key_id: key.key_id, private_key: Secret::new(pem) };
        let host_runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        let host = Host::start(config, Some(credentials), Clock::system(), Entropy::os());
        let host = host_runtime.block_on(host).unwrap();
        let exchange = Arc::new(exchange);
        let up = false;
        Self { exchange, exchange_runtime, host, host_runtime, passed, up, _folder: folder }
    }

    fn measure(mut self) -> Vec<Duration> {
        let patience = Instant::now() + PATIENCE;
        while self.tick().is_none() {
            assert!(Instant::now() < patience, "the host sends no order");
            sleep(Duration::from_millis(50));
        }
        (0..WARM_UP).for_each(|_| {
            self.tick();
        });
        let times = (0..TICKS).filter_map(|_| self.tick()).collect();
        self.host_runtime.block_on(self.host.stop()).unwrap();
        times
    }

    /// Moves the best bid; how long the host took to answer with an order, if it did.
    fn tick(&mut self) -> Option<Duration> {
        while self.passed.try_recv().is_ok() {}
        self.up = !self.up;
        let (exchange, up) = (Arc::clone(&self.exchange), self.up);
        self.exchange_runtime.spawn(async move { exchange.tick(up).await });
        sleep(TICK);
        let passed: Vec<Passed> = self.passed.try_iter().collect();
        let at = |direction, words: &[u8]| {
            let found = |passed: &&Passed| {
                passed.direction == direction
                    && passed.bytes.windows(words.len()).any(|window| window == words)
            };
            passed.iter().find(found).map(|passed| passed.at)
        };
        let (frame, order) = (at(Direction::ToHost, FRAME)?, at(Direction::ToExchange, ORDER)?);
        order.checked_duration_since(frame)
    }
}

fn configure(folder: &Path, exchange: &str, bus: bus::Settings) -> Config {
    let agents = folder.join("agents");
    fs::create_dir_all(&agents).unwrap();
    let options = format!(
        "markets = [\"{TICKER}\"]\nparams.mode = \"order-per-quote\"\n\
         limits.actions_per_second = 1000000\n"
    );
    fs::write(agents.join("bench.toml"), options).unwrap();
    fs::copy(guest_file("hostile"), agents.join("bench.wasm")).unwrap();
    let mut config = Config {
        venue: exchange.parse().unwrap(),
        state_folder: folder.join("state"),
        bus,
        ..Config::default()
    };
    config.agents.folder = agents;
    config.desk.limits =
        Limits { orders_per_second: 1_000_000, duplicate_window_ms: 0, ..Limits::default() };
    config.feeds.espn.url = exchange.to_owned();
    config.ops.bind = ([127, 0, 0, 1], 0).into();
    config
}
