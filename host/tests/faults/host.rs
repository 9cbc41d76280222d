//! [`Host`]: one life of the host: its desk, feed, client and journal, put together as the
//! program does it, over the simulated network, disk and clock.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hotpit::desk::shell::run;
use hotpit::desk::{
    AgentLimits, CallTimes, Command, Desk, DeskSender, INBOX_CAPACITY, Limits, Outputs, Receipt,
    Report, Settings, ToDesk, Venue, run_nonce,
};
use hotpit::feeds::kalshi::wire::Channel;
use hotpit::feeds::kalshi::{Feed, FeedStats};
use hotpit::journal::{self, Store};
use hotpit::kalshi::{self, Client, Credentials, Signer};
use hotpit::model::{Action, AgentId, Subscription};
use hotpit::streams::Streams;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Price, Quantity};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Key;
use super::floor::Floor;
use super::journal::Watched;
use super::mutants::{self, Mutant};
use super::network::{Life, Network, SimTransport};
use super::socket::SimDial;

/// What outlives the lives of the host.
#[derive(Clone)]
pub struct Machine {
    pub network: Arc<Network>,
    pub clock: Clock,
    pub key: Arc<Key>,
    pub journal: PathBuf,
    pub events: Vec<Arc<str>>,
    pub seed: u64,
    pub mutant: Option<Mutant>,
}

pub struct Host {
    pub life: Arc<Life>,
    pub floor: Floor,
    inbox: DeskSender,
    desk: JoinHandle<Report>,
    others: Vec<JoinHandle<()>>,
}

/// Limits that let much happen.
fn settings() -> Settings {
    let limits = Limits {
        order_cost: Dollars::from_dollars(100),
        position_per_market: Quantity::from_contracts(300),
        exposure_per_agent: Dollars::from_dollars(2_000),
        exposure: Dollars::from_dollars(4_000),
        open_orders_per_agent: 60,
        orders_per_second: 60,
        exposure_per_event: Dollars::from_dollars(4_000),
        exposure_per_series: Dollars::from_dollars(4_000),
        open_orders_per_market: 60,
        duplicate_window_ms: 0,
        price_collar: Price::ONE,
        size_multiple_max: 1_000,
        fills_per_market: 1_000,
        refused_in_a_row: 1_000,
        group_contracts: Quantity::from_contracts(100),
        daily_loss_per_agent: Dollars::MAX,
        daily_loss: Dollars::MAX,
        drawdown_per_agent: Dollars::MAX,
        drawdown: Dollars::MAX,
        ..Limits::default()
    };
    Settings { limits, ..Settings::default() }
}

impl Host {
    /// Starts a life on what the last one left behind.
    pub async fn start(machine: &Machine, number: u64) -> Self {
        let Machine { network, clock, .. } = machine;
        let clock = *clock;
        let life = Arc::new(Life::default());
        let entropy = Entropy::seeded(machine.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let floor = Floor::new(clock);
        let events = machine.events.iter().cloned().map(Subscription::Event).collect();
        floor.wanted.update(|wants| wants.agents = events);
        let transport = SimTransport {
            network: Arc::clone(network),
            life: Arc::clone(&life),
            floor: floor.clone(),
        };
        let streams = Arc::new(Streams::new(clock, entropy));
        let settings = kalshi::Settings {
            rest_url: "http://exchange/trade-api/v2".to_owned(),
            ws_url: "ws://exchange/trade-api/ws/v2".to_owned(),
            ..kalshi::Settings::default()
        };
        let signer = Signer::from_pem(&machine.key.private).unwrap();
        let credentials = Credentials::new(&machine.key.id, signer).unwrap();
        let stream = streams.open("kalshi rest", settings.policy());
        let client = Arc::new(Client::new(
            transport.clone(),
            Some(credentials),
            settings,
            stream,
            clock,
            entropy,
        ));

        let store = Store::open(&machine.journal, &journal::Settings::default()).unwrap();
        let recovered = store.recover().unwrap();
        network.facts(|facts| facts.ready = false);
        let nonce = run_nonce(recovered.runs, &mut entropy.rng("client order ids"));
        let (inbox, messages) = mpsc::channel(INBOX_CAPACITY);
        let mut started = Outputs::default();
        let desk = Desk::new(self::settings(), nonce, recovered, clock.now(), &mut started);
        let watched = Watched { store, network: Arc::clone(network), life: Arc::clone(&life) };
        let journal = mutants::journal(machine.mutant, watched);
        let (views, notify) = (floor.clone(), floor.clone());
        let venue = client.over(transport);
        let desk = match machine.mutant {
            Some(mutant) => {
                let venue = Rc::new(mutants::Mutated { inner: venue, mutant });
                spawn_desk(desk, started, messages, venue, journal, views, notify, clock)
            }
            None => {
                let venue = Rc::new(venue);
                spawn_desk(desk, started, messages, venue, journal, views, notify, clock)
            }
        };

        let (broken_sender, broken) = mpsc::channel(4);
        let books = Arc::clone(&floor.cache);
        let watch_books = tokio::spawn(async move {
            while broken_sender.send(books.next_broken().await).await.is_ok() {}
        });
        let feed = Feed {
            settings: hotpit::feeds::kalshi::Settings::default(),
            client: Arc::clone(&client),
            publish: Arc::new(floor.clone()),
            desk: inbox.clone(),
            wanted: floor.wanted.clone(),
            broken,
            leagues: |_| None,
            stats: Arc::new(FeedStats::default()),
            links: Arc::clone(&floor.links),
            streams,
            channels: &Channel::ALL,
            tap: None,
            dial: Arc::new(SimDial { network: Arc::clone(network), life: Arc::clone(&life) }),
            clock,
            entropy,
        };
        let feed = tokio::spawn(feed.run(std::future::pending()));
        let maintain = tokio::spawn(async move { client.maintain().await });
        let others = vec![watch_books, feed, maintain];
        network.saw(format_args!("host {number} starts"));
        Self { life, floor, inbox, desk, others }
    }

    pub async fn tell(&self, message: ToDesk) {
        // A desk that is gone hears nothing.
        let _ = self.inbox.send(message).await;
    }

    pub async fn act(&self, agent: &AgentId, actions: Vec<Action>) {
        let (agent, receipt) = (agent.clone(), Receipt::default());
        self.tell(ToDesk::Actions { agent, actions, call: CallTimes::default(), receipt }).await;
    }

    pub async fn agent_up(&self, agent: &AgentId) {
        let (told, _) = oneshot::channel();
        let limits = AgentLimits::default();
        self.tell(ToDesk::AgentUp { agent: agent.clone(), limits, told }).await;
    }

    /// Gives a command and waits for its answer; none: the desk is gone.
    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(ToDesk::Command(command(reply))).await;
        tokio::select! {
            biased;
            answer = answer => answer.ok(),
            () = self.life.ended.notified() => {
                self.life.ended.notify_one();
                None
            }
        }
    }

    pub async fn report(&self) -> Option<Report> {
        self.ask(|reply| Command::Report { reply }).await
    }

    /// Takes everything away at once. An error: the desk had come to its end by a defect.
    pub async fn end(&mut self) -> Result<(), String> {
        let was_killed = self.life.is_over();
        self.life.end();
        for mut task in self.others.drain(..) {
            task.abort();
            let _ = (&mut task).await;
        }
        self.desk.abort();
        match (&mut self.desk).await {
            Err(error) if error.is_panic() && !was_killed => Err("the desk panicked".to_owned()),
            Err(_) | Ok(_) => Ok(()),
        }
    }

    /// Buries the last life and starts the next in its place.
    pub async fn start_after(
        machine: &Machine,
        number: u64,
        last: &mut Self,
    ) -> Result<(), String> {
        // The journal is one host's at a time: the last one must be gone first.
        last.end().await?;
        *last = Self::start(machine, number).await;
        Ok(())
    }

    /// Whether the desk's task runs.
    pub fn is_up(&self) -> bool {
        !self.desk.is_finished()
    }
}

#[expect(clippy::too_many_arguments, reason = "as the desk's own")]
fn spawn_desk<V: Venue>(
    desk: Desk,
    started: Outputs,
    inbox: mpsc::Receiver<ToDesk>,
    venue: Rc<V>,
    journal: Box<dyn hotpit::desk::Journal>,
    views: Floor,
    notify: Floor,
    clock: Clock,
) -> JoinHandle<Report> {
    tokio::task::spawn_local(run(desk, started, inbox, venue, journal, views, notify, clock))
}
