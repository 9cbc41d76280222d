//! How long a file takes from the folder to work: dropped, in place of another, and at a start.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::agents::{AgentState, AgentStatus, Agents, Resources, Settings};
use hotpit::cache::Cache;
use hotpit::desk::ToDesk;
use hotpit::feeds::Wanted;
use hotpit_rt::Clock;
use tokio::sync::mpsc;

use crate::guests::guest_file;
use crate::measure::{figure, micros, percentile};

const FILES: u8 = 11;
/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut dropped, mut swapped) = runtime.block_on(async {
        let Hall { agents, .. } = Hall::open(folder.path());
        let agents_folder = folder.path().join("agents");
        let times = tokio::task::block_in_place(|| measure(&agents, &agents_folder));
        agents.shutdown().await;
        times
    });
    figure("drop_to_live", micros(percentile(&mut dropped, 50)) / 1e3, "ms");
    figure("drop_to_swapped", micros(percentile(&mut swapped, 50)) / 1e3, "ms");
    let mut started = runtime.block_on(async {
        std::fs::remove_file(folder.path().join("agents/agent-0.wasm")).unwrap();
        let mut times = vec![];
        for _ in 0..5 {
            let began = Instant::now();
            let Hall { agents, .. } = Hall::open(folder.path());
            tokio::task::block_in_place(|| until_all_run(&agents, usize::from(FILES) - 1));
            times.push(began.elapsed());
            agents.shutdown().await;
        }
        times
    });
    figure("start_10_known_agents", micros(percentile(&mut started, 50)) / 1e3, "ms");
}

/// A host of agents, and what they see.
pub(crate) struct Hall {
    pub(crate) agents: Agents,
    pub(crate) cache: Arc<Cache>,
}

impl Hall {
    /// Agents of this folder, with a desk that lets everyone begin.
    pub(crate) fn open(folder: &Path) -> Self {
        let cache = Arc::<Cache>::default();
        let (desk, mut inbox) = mpsc::channel(1_024);
        let settings = Settings {
            folder: folder.join("agents"),
            state_folder: folder.join("state"),
            ..Settings::default()
        };
        let resources = Resources {
            cache: Arc::clone(&cache),
            desk,
            wanted: Wanted::default(),
            clock: Clock::system(),
        };
        let agents = Agents::start(settings, resources).unwrap();
        let router = agents.router();
        // An agent begins when the desk has told it its account.
        tokio::spawn(async move {
            while let Some(message) = inbox.recv().await {
                if let ToDesk::AgentUp { agent, told, .. } = message {
                    router.account(&agent, Arc::default());
                    // Who asked may be gone.
                    let _ = told.send(());
                }
            }
        });
        Self { agents, cache }
    }
}

fn until_all_run(agents: &Agents, count: usize) {
    let began = Instant::now();
    let runs = |status: &&AgentStatus| status.state == AgentState::Running;
    while agents.status().iter().filter(runs).count() < count {
        assert!(began.elapsed() < PATIENCE, "not all run: {:?}", agents.status());
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn measure(agents: &Agents, folder: &Path) -> (Vec<Duration>, Vec<Duration>) {
    let wasm = fs::read(guest_file("market_maker")).unwrap();
    let runs = |status: &AgentStatus| status.state == AgentState::Running;
    let mut number = 0;
    let mut put = |name: &str| {
        number += 1;
        let part = folder.join("file.part");
        fs::write(&part, version(&wasm, number)).unwrap();
        fs::rename(part, folder.join(name)).unwrap();
    };
    let dropped = (0..FILES)
        .map(|file| {
            let name = format!("agent-{file}");
            put(&format!("{name}.wasm"));
            until(agents, &name, runs)
        })
        .collect();
    let swapped = (1..=FILES)
        .map(|swap| {
            put("agent-0.wasm");
            until(agents, "agent-0", |status| runs(status) && status.swaps == u64::from(swap))
        })
        .collect();
    (dropped, swapped)
}

/// The agent as if it had been built anew: with a section that means nothing, so that nothing
/// that was compiled before is of use.
fn version(wasm: &[u8], number: u8) -> Vec<u8> {
    [wasm, &[0, 3, 1, b'v', number]].concat()
}

fn until(agents: &Agents, name: &str, is: impl Fn(&AgentStatus) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let status = agents.status();
        if status.iter().any(|status| status.agent.as_str() == name && is(status)) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{name} does not run: {status:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}
