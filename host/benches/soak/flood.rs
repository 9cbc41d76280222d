//! A flood: thousands of markets over one connection, thousands of frames a second, into the program
//! as it is run. Prints what it took, once a minute and at the end.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hotpit::ops::Status;
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_exchange::server::{AccountSettings, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::guests;
use crate::market::{self, Load};
use crate::process::Program;

const MARKETS: usize = 5_000;
/// Frames a second that the exchange is to send.
const RATE: u64 = 20_000;
/// How often orders are moved.
const BEAT: Duration = Duration::from_millis(10);
/// How long the host may take to follow every market.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run_for(length: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let key = generate_credentials(folder.path(), KeyKind::Ed25519).unwrap();
    let account = AccountSettings::new(&*key.key_id, key.public_key_pem().unwrap());
    let settings = Settings {
        accounts: vec![account],
        scenario: None,
        subscription_markets_max: MARKETS,
        ..Settings::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exchange = start(settings, listener, Clock::system(), Entropy::seeded(7)).await.unwrap();
    let load = exchange.with_floor(|floor| Load::list(floor, MARKETS)).await.unwrap();
    configure(folder.path(), &exchange);
    let host = Program::start(folder.path(), &key, &[]);
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "the host does not follow {MARKETS} markets");
        let status = host.status();
        if status.is_some_and(|status| status.books.synced == MARKETS as u64) {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    println!("flood_markets_synced {MARKETS} in {:.1} s", began.elapsed().as_secs_f64());
    run(&exchange, load, &host, length).await;
}

/// Moves orders until the time is over, and tells how the host stands.
async fn run(exchange: &Handle, mut load: Load, host: &Program, length: Duration) {
    let began = Instant::now();
    let first = host.status().unwrap();
    let used_before = host.processor_time();
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let per_beat = RATE * u64::try_from(BEAT.as_millis()).unwrap() / 1_000;
    let mut told = Instant::now();
    let mut memory_most = 0;
    while began.elapsed() < length {
        beats.tick().await;
        load = exchange.with_floor(move |floor| load.moved(floor, per_beat)).await.unwrap();
        if told.elapsed() >= Duration::from_secs(60).min(length / 2) {
            told = Instant::now();
            let status = host.status().unwrap();
            memory_most = memory_most.max(host.memory());
            tell(&first, &status, host, began.elapsed());
            assert_eq!(kalshi(&status).gaps, 0, "{status:#?}");
        }
    }
    let took = began.elapsed();
    let last = host.status().unwrap();
    let processor = host.processor_time() - used_before;
    let (before, after) = (kalshi(&first), kalshi(&last));
    let frames = after.messages - before.messages;
    println!("flood_frames {frames} frames");
    println!("flood_frames_per_second {:.0} frames_per_s", frames as f64 / took.as_secs_f64());
    println!("flood_gaps {} gaps", after.gaps);
    println!("flood_reconnects {} reconnects", after.connects - 1);
    println!("flood_stale_books {} books", last.books.stale);
    println!("flood_processor {:.1} %", 100.0 * processor.as_secs_f64() / took.as_secs_f64());
    println!("flood_memory_most {} MiB", memory_most.max(host.memory()) >> 20);
    println!("flood_memory_last {} MiB", host.memory() >> 20);
    println!("flood_delay_last {} ms", after.delay_ms);
}

fn tell(first: &Status, now: &Status, host: &Program, elapsed: Duration) {
    let stream = kalshi(now);
    let frames = stream.messages - kalshi(first).messages;
    println!(
        "after {:>4} s: {:.0} frames/s, {} gaps, {} books synced, {} MiB, {} ms late",
        elapsed.as_secs(),
        frames as f64 / elapsed.as_secs_f64(),
        stream.gaps,
        now.books.synced,
        host.memory() >> 20,
        stream.delay_ms
    );
}

fn kalshi(status: &Status) -> &hotpit::streams::StreamReport {
    status.streams.iter().find(|stream| stream.name == "kalshi").expect("the stream is listed")
}

fn configure(folder: &Path, exchange: &Handle) {
    let agents = folder.join("agents");
    fs::create_dir(&agents).unwrap();
    fs::copy(guests::guest_file("hostile"), agents.join("watcher.wasm")).unwrap();
    fs::write(agents.join("watcher.toml"), format!("series = [\"{}\"]\n", market::SERIES)).unwrap();
    let at = exchange.address();
    let text = format!(
        "venue = \"http://{at}\"\nstate_folder = {:?}\n[agents]\nfolder = {agents:?}\n\
         [feeds.espn]\nurl = \"http://{at}\"\n[ops]\nbind = \"127.0.0.1:0\"\n",
        folder.join("state")
    );
    fs::write(folder.join("hotpit.toml"), text).unwrap();
}
