//! A thousand agents in one host: what each takes of memory, and how many events they hear.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use hotpit::agents::{AgentState, Agents};
use hotpit::bus::Message;
use hotpit_rt::Clock;

use crate::folder::{Hall, PATIENCE};
use crate::guests::guest_file;
use crate::market::{market, trade};
use crate::measure::figure;
use crate::swaps::resident_bytes;

const AGENTS: u64 = 1_000;
/// Trades that each of them hears.
const TRADES: u64 = 500;

pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("agents")).unwrap();
    let wasm = fs::read(guest_file("market_maker")).unwrap();
    runtime.block_on(async {
        let Hall { agents, cache } = Hall::open(folder.path());
        let hear = |message: &Message| {
            if let Some(change) = cache.apply(message, Clock::system().now()) {
                agents.router().route(&change);
            }
        };
        hear(&Message::Market(Arc::new(market("KX-1"))));
        let before = resident_bytes();
        let began = Instant::now();
        for number in 0..AGENTS {
            let file = folder.path().join(format!("agents/agent-{number}.toml"));
            fs::write(&file, "markets = [\"KX-1\"]").unwrap();
            fs::write(file.with_extension("wasm"), &wasm).unwrap();
        }
        tokio::task::block_in_place(|| {
            until(&agents, |status| status.iter().filter(|it| it.0).count() as u64 == AGENTS);
        });
        figure("thousand_agents_live", began.elapsed().as_secs_f64(), "s");
        let each = resident_bytes().saturating_sub(before) / AGENTS;
        figure("memory_per_agent", each as f64 / 1_024.0, "KiB");

        let heard: u64 = read(&agents).iter().map(|it| it.1).sum();
        let began = Instant::now();
        tokio::task::block_in_place(|| {
            for number in 0..TRADES {
                hear(&Message::Trade(trade(number)));
            }
            let all = heard + AGENTS * TRADES;
            until(&agents, |status| status.iter().map(|it| it.1).sum::<u64>() >= all);
        });
        let events = (AGENTS * TRADES) as f64;
        figure("thousand_agents_events", events / began.elapsed().as_secs_f64(), "events_per_s");
        agents.shutdown().await;
    });
}

/// Whether each agent runs, and how many events it has heard.
fn read(agents: &Agents) -> Vec<(bool, u64)> {
    let status = agents.status().into_iter();
    status.map(|one| (one.state == AgentState::Running, one.events)).collect()
}

fn until(agents: &Agents, is: impl Fn(&[(bool, u64)]) -> bool) {
    let began = Instant::now();
    while !is(&read(agents)) {
        let first = agents.status().into_iter().next();
        assert!(began.elapsed() < PATIENCE, "the agents do not get there: {first:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
