//! How many events a second come through one agent, from the text of their frames.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::agents::{Agents, Resources, Settings};
use hotpit::bus::Message;
use hotpit::cache::Cache;
use hotpit::feeds::Wanted;
use hotpit_rt::Clock;
use tokio::sync::mpsc;

use crate::feed::{NOW, TICKER, TRADE, book, decode, market};
use crate::guests::guest_file;
use crate::measure::{figure, percentile};

const EVENTS: u64 = 400_000;
/// Trades under way between feed and agent: below what a mailbox holds, so that none is dropped.
const UNDER_WAY_MAX: u64 = 4_096;
const ROUNDS: usize = 5;

pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut rounds = runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        // A desk that is done with everything at once: an agent waits for it after each action.
        let (desk, mut inbox) = mpsc::channel(16);
        tokio::spawn(async move { while inbox.recv().await.is_some() {} });
        let cache = Arc::new(Cache::default());
        let settings = Settings {
            folder: folder.path().join("agents"),
            state_folder: folder.path().join("state"),
            ..Settings::default()
        };
        fs::create_dir_all(&settings.folder).unwrap();
        let options = format!(
            "markets = [\"{TICKER}\"]\nparams.mode = \"order-per-quote\"\n\
         limits.actions_per_second = 1000000\n"
        );
        fs::write(settings.folder.join("bench.toml"), options).unwrap();
        fs::copy(guest_file("hostile"), settings.folder.join("bench.wasm")).unwrap();
        let resources = Resources {
            cache: Arc::clone(&cache),
            desk,
            wanted: Wanted::default(),
            clock: Clock::system(),
        };
        let agents = Agents::start(settings, resources).unwrap();
        let rounds = tokio::task::block_in_place(|| measure(&agents, &cache));
        agents.shutdown().await;
        rounds
    });
    let median = percentile(&mut rounds, 50);
    let events = u32::try_from(EVENTS).unwrap();
    figure("events_through_one_agent", f64::from(events) / median.as_secs_f64(), "events_per_s");
}

fn measure(agents: &Agents, cache: &Cache) -> Vec<Duration> {
    let router = agents.router();
    let status = agents.status_reader();
    let seen = || status().first().map_or(0, |status| status.events);
    let ticker: Arc<str> = TICKER.into();
    let hear = |message: &Message| {
        if let Some(change) = cache.apply(message, NOW) {
            router.route(&change);
        }
    };
    hear(&Message::Market(Arc::new(market(&ticker))));
    hear(&Message::Snapshot(book(&ticker)));
    let wait_for = |events: u64| {
        let patience = Instant::now() + Duration::from_secs(20);
        while seen() < events {
            assert!(Instant::now() < patience, "no events: {:?}", status());
            std::thread::sleep(Duration::from_micros(100));
        }
    };
    wait_for(1);
    (0..ROUNDS)
        .map(|_| {
            let before = seen();
            let began = Instant::now();
            for sent in 1..=EVENTS {
                hear(&decode(TRADE, &ticker));
                if sent.is_multiple_of(UNDER_WAY_MAX / 4) {
                    wait_for((before + sent).saturating_sub(UNDER_WAY_MAX));
                }
            }
            wait_for(before + EVENTS);
            began.elapsed()
        })
        .collect()
}
