//! [`Floor`]: a host of agents without feeds and desk: the test is both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "each test that includes this uses its own part"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotpit::agents::{AgentState, AgentStatus, Agents, Budget, Resources, Router, Settings};
use hotpit::bus::{Message, Snapshot};
use hotpit::cache::Cache;
use hotpit::desk::{Receipt, ToDesk};
use hotpit::feeds::Wanted;
use hotpit::model::{Action, AgentId, Level, OrderId};
use hotpit_rt::Clock;
use hotpit_units::{Price, Quantity, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::guest::{Guest, total_of};
use super::market::{market, trade};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A host without feeds and desk: the test is both.
pub struct Floor {
    pub folder: tempfile::TempDir,
    pub cache: Arc<Cache>,
    pub router: Arc<Router>,
    pub agents: Agents,
    pub desk: mpsc::Receiver<ToDesk>,
    inbox: mpsc::WeakSender<ToDesk>,
    pub trades: u64,
    /// How long anything may take.
    pub patience: Duration,
}

impl Floor {
    pub fn open() -> Self {
        Self::with(tempfile::tempdir().unwrap(), 4_096, |_| {})
    }

    /// With a desk that is done with everything at once, as long as there is room for it at the
    /// test.
    pub fn with(
        folder: tempfile::TempDir,
        desk_capacity: usize,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut floor = Self::bare(folder, desk_capacity, change);
        let (seen, desk) = mpsc::channel(desk_capacity);
        let mut inbox = std::mem::replace(&mut floor.desk, desk);
        tokio::spawn(async move {
            while let Ok(room) = seen.reserve().await {
                let Some(mut message) = inbox.recv().await else { return };
                let taken = match &mut message {
                    ToDesk::Actions { receipt, .. } => std::mem::take(receipt),
                    ToDesk::AgentUp { told, .. } => {
                        let told = std::mem::replace(told, oneshot::channel().0);
                        // Who asked may be gone.
                        let _ = told.send(());
                        Receipt::default()
                    }
                    _ => Receipt::default(),
                };
                room.send(message);
                drop(taken);
            }
        });
        floor
    }

    /// With nobody between the agents and the test.
    pub fn bare(
        folder: tempfile::TempDir,
        desk_capacity: usize,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (sender, desk) = mpsc::channel(desk_capacity);
        let inbox = sender.downgrade();
        let cache = Arc::new(Cache::default());
        let mut settings = Settings {
            folder: folder.path().join("agents"),
            state_folder: folder.path().join("state"),
            workers: 2,
            // Generous, because the machine that tests runs much else.
            budget: Budget { batch_ms: 20, actions_per_second: 1_000_000, ..Budget::default() },
            ..Settings::default()
        };
        change(&mut settings);
        let resources = Resources {
            cache: Arc::clone(&cache),
            desk: sender,
            wanted: Wanted::default(),
            clock: Clock::system(),
        };
        let agents = Agents::start(settings, resources).unwrap();
        let router = agents.router();
        let patience = PATIENCE;
        let floor = Self { folder, cache, router, agents, desk, inbox, trades: 0, patience };
        floor.hear(&Message::Market(Arc::new(market("KX-1"))));
        floor.quote(40);
        floor
    }

    /// Ends this host; its folder stays.
    pub async fn close(self) -> tempfile::TempDir {
        self.agents.shutdown().await;
        self.folder
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("agents").join(file)
    }

    /// Puts a whole file in place at once.
    pub fn drop_file(&self, file: &str, bytes: &[u8]) {
        let partial = self.path(&format!("{file}.partial"));
        fs::write(&partial, bytes).unwrap();
        fs::rename(partial, self.path(file)).unwrap();
    }

    pub fn drop_guest(&self, name: &str, guest: &Guest) {
        self.drop_file(&format!("{name}.wasm"), &guest.build());
    }

    pub fn hear(&self, message: &Message) {
        if let Some(change) = self.cache.apply(message, Clock::system().now()) {
            self.router.route(&change);
        }
    }

    pub fn quote(&self, bid_cents: u32) {
        let quantity = Quantity::from_contracts(1);
        self.hear(&Message::Snapshot(Snapshot {
            ticker: "KX-1".into(),
            bids: vec![Level { price: Price::from_cents(bid_cents), quantity }],
            asks: vec![],
            ts: Timestamp::from_secs(1),
        }));
    }

    /// A trade: an event that nobody may lose.
    pub fn trade(&mut self) {
        self.trades += 1;
        self.hear(&Message::Trade(trade(self.trades)));
    }

    pub fn status(&self, agent: &str) -> Option<AgentStatus> {
        self.agents.status().into_iter().find(|status| status.agent == AgentId::from(agent))
    }

    /// Waits until the agent's status is as wanted.
    pub async fn until(
        &self,
        agent: &str,
        what: &str,
        is: impl Fn(&AgentStatus) -> bool,
    ) -> AgentStatus {
        let began = Instant::now();
        loop {
            match self.status(agent) {
                Some(status) if is(&status) => return status,
                status => {
                    assert!(began.elapsed() < self.patience, "{agent} is not {what}: {status:#?}");
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn until_state(&self, agent: &str, state: AgentState) -> AgentStatus {
        self.until(agent, &format!("{state:?}"), |status| status.state == state).await
    }

    /// The next message to the desk.
    pub async fn heard(&mut self) -> ToDesk {
        tokio::time::timeout(self.patience, self.desk.recv())
            .await
            .expect("the desk hears")
            .unwrap()
    }

    /// The next order id that an agent's counting gave, and from which version.
    pub async fn counted(&mut self, agent: &str) -> (u64, u64) {
        loop {
            if let ToDesk::Actions { agent: who, actions, .. } = self.heard().await
                && who == AgentId::from(agent)
            {
                let [Action::Cancel(OrderId(id))] = actions[..] else { panic!("{actions:?}") };
                return (id >> 32, total_of(id));
            }
        }
    }

    pub async fn down(&mut self, agent: &str) -> String {
        loop {
            if let ToDesk::AgentDown { agent: who, reason } = self.heard().await
                && who == AgentId::from(agent)
            {
                return reason;
            }
        }
    }

    /// Whatever was sent to the desk until now.
    pub async fn drain(&mut self) -> Vec<ToDesk> {
        let inbox = self.inbox.upgrade().unwrap();
        let mark = tokio::spawn(async move { inbox.send(ToDesk::Connected).await });
        let mut drained = vec![];
        loop {
            match self.heard().await {
                ToDesk::Connected => break,
                message => drained.push(message),
            }
        }
        mark.await.unwrap().unwrap();
        drained
    }
}
