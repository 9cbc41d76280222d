//! [`Spread`]: the markets to follow, over as many connections as they need.
//!
//! A market keeps its connection for as long as it is followed, so that what one connection says
//! of it never overtakes what another said. The first connection carries the channels of the whole
//! exchange and of our account as well; the others are opened when markets do not fit, and closed
//! when none is left on them.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hotpit_rt::{Clock, Entropy};
use hotpit_units::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::catalog::Step;
use super::session::{Dial, Session};
use super::settings::Settings;
use super::stats::FeedStats;
use super::trades::Seen;
use super::wire::Channel;
use super::{Tap, Tickers};
use crate::desk::DeskSender;
use crate::feeds::Publish;
use crate::kalshi::{Client, Credentials, Transport};
use crate::streams::{Stream, Streams};

/// The channels of every connection but the first.
const BY_MARKET: [Channel; 3] = [Channel::Books, Channel::Trades, Channel::Statistics];

/// As of when the books are true, by the connection that each comes over.
#[derive(Debug, Default)]
pub struct Links(RwLock<Lines>);

#[derive(Debug, Default)]
struct Lines {
    first: Option<Arc<Stream>>,
    /// The markets that come over another connection than the first.
    others: HashMap<Arc<str>, Arc<Stream>>,
}

impl Links {
    /// As of when the book of a market is true if nothing was said of it since; none: its
    /// connection is down, or this host follows no market.
    #[must_use]
    pub fn as_of(&self, ticker: &str) -> Option<Timestamp> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        lines.others.get(ticker).or(lines.first.as_ref())?.as_of()
    }

    /// As of when all books are true; none: a connection is down, or there is none yet.
    #[must_use]
    pub fn all_as_of(&self) -> Option<Timestamp> {
        let lines = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let first = lines.first.as_ref()?.as_of()?;
        lines.others.values().try_fold(first, |oldest, stream| Some(oldest.min(stream.as_of()?)))
    }

    fn set_first(&self, stream: Arc<Stream>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).first = Some(stream);
    }

    fn set_others(&self, others: HashMap<Arc<str>, Arc<Stream>>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).others = others;
    }
}

/// The markets of one connection whose books are to be read anew. Bounded by how many there are.
#[derive(Debug, Default)]
pub(super) struct Broken {
    tickers: Mutex<Tickers>,
    added: Notify,
}

impl Broken {
    fn add(&self, tickers: impl IntoIterator<Item = Arc<str>>) {
        let mut broken = self.tickers.lock().unwrap_or_else(PoisonError::into_inner);
        broken.extend(tickers);
        if !broken.is_empty() {
            self.added.notify_one();
        }
    }

    /// Waits for some, and takes them. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> Tickers {
        loop {
            let taken =
                std::mem::take(&mut *self.tickers.lock().unwrap_or_else(PoisonError::into_inner));
            if !taken.is_empty() {
                return taken;
            }
            self.added.notified().await;
        }
    }
}

/// Which market is on which connection. Connections are numbered from 0, and a number is not used
/// again.
#[derive(Debug)]
struct Plan {
    room: usize,
    connections_max: usize,
    /// The markets of each connection.
    lines: BTreeMap<usize, Tickers>,
    /// Connections that turned out to have less room.
    full: BTreeMap<usize, usize>,
    next: usize,
}

impl Plan {
    const fn new(room: usize, connections_max: usize) -> Self {
        Self { room, connections_max, lines: BTreeMap::new(), full: BTreeMap::new(), next: 0 }
    }

    /// Spreads these markets. Returns how many found no room.
    fn follow(&mut self, wanted: &Tickers) -> usize {
        let mut new = wanted.clone();
        for held in self.lines.values_mut() {
            held.retain(|ticker| new.remove(ticker));
        }
        if self.lines.is_empty() {
            self.open();
        }
        let mut new = new.into_iter().peekable();
        loop {
            for (number, held) in &mut self.lines {
                let room = self.full.get(number).copied().unwrap_or(self.room);
                held.extend(new.by_ref().take(room.saturating_sub(held.len())));
            }
            if new.peek().is_none() || self.lines.len() >= self.connections_max {
                break;
            }
            self.open();
        }
        let first = *self.lines.keys().next().unwrap_or(&0);
        self.lines.retain(|number, held| *number == first || !held.is_empty());
        self.full.retain(|number, _| self.lines.contains_key(number));
        new.count()
    }

    /// A connection has no room for these.
    fn left_out(&mut self, number: usize, tickers: &Tickers) {
        if let Some(held) = self.lines.get_mut(&number) {
            held.retain(|ticker| !tickers.contains(ticker));
            self.full.insert(number, held.len());
        }
    }

    fn open(&mut self) {
        self.lines.insert(self.next, Tickers::new());
        self.next += 1;
    }
}

/// Everything the connections need.
pub(super) struct Spread<T, P> {
    pub(super) settings: Settings,
    pub(super) client: Arc<Client<T>>,
    pub(super) credentials: Arc<Credentials>,
    pub(super) publish: Arc<P>,
    pub(super) stats: Arc<FeedStats>,
    pub(super) links: Arc<Links>,
    pub(super) streams: Arc<Streams>,
    pub(super) desk: DeskSender,
    pub(super) catalog: mpsc::Sender<Step>,
    /// The markets to follow.
    pub(super) markets: watch::Receiver<Arc<Tickers>>,
    /// Markets whose books turned out not to be the exchange's.
    pub(super) broken: mpsc::Receiver<Vec<Arc<str>>>,
    /// The channels of the first connection.
    pub(super) channels: &'static [Channel],
    pub(super) tap: Option<Arc<dyn Tap>>,
    /// How connections are opened.
    pub(super) dial: Arc<dyn Dial>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// A connection that runs.
struct Line {
    stream: Arc<Stream>,
    markets: watch::Sender<Arc<Tickers>>,
    broken: Arc<Broken>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl<T: Transport, P: Publish + 'static> Spread<T, P> {
    /// Runs until `shutdown`; then every connection is closed.
    pub(super) async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut plan =
            Plan::new(self.settings.markets_per_connection, self.settings.connections_max);
        let mut lines: BTreeMap<usize, Line> = BTreeMap::new();
        let (full, mut told_full) = mpsc::channel(1);
        let seen = Arc::<Seen>::default();
        loop {
            let wanted = self.markets.borrow_and_update().clone();
            let homeless = plan.follow(&wanted);
            if homeless > 0 {
                tracing::error!(
                    markets = homeless,
                    connections = plan.lines.len(),
                    "no connection has room for these markets: raise feeds.kalshi.connections_max"
                );
            }
            self.carry_out(&plan, &mut lines, &seen, &full).await;
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some((number, tickers)) = told_full.recv() => plan.left_out(number, &tickers),
                Some(tickers) = self.broken.recv() => tell_broken(&plan, &lines, &tickers),
                changed = self.markets.changed() => if changed.is_err() { break },
            }
        }
        for line in std::mem::take(&mut lines).into_values() {
            line.close().await;
        }
    }

    /// Opens and closes connections until they are as planned.
    async fn carry_out(
        &self,
        plan: &Plan,
        lines: &mut BTreeMap<usize, Line>,
        seen: &Arc<Seen>,
        full: &mpsc::Sender<(usize, Tickers)>,
    ) {
        let gone: Vec<usize> =
            lines.keys().filter(|number| !plan.lines.contains_key(number)).copied().collect();
        for line in gone.into_iter().filter_map(|number| lines.remove(&number)) {
            line.close().await;
        }
        for (number, held) in &plan.lines {
            let line =
                lines.entry(*number).or_insert_with(|| self.open(*number, seen, full.clone()));
            line.markets.send_if_modified(|markets| {
                let is_changed = **markets != *held;
                if is_changed {
                    *markets = Arc::new(held.clone());
                }
                is_changed
            });
        }
        let others = plan.lines.iter().skip(1);
        let others = others.filter_map(|(number, held)| Some((lines.get(number)?, held)));
        self.links.set_others(
            others
                .flat_map(|(line, held)| {
                    held.iter().map(|ticker| (ticker.clone(), Arc::clone(&line.stream)))
                })
                .collect(),
        );
    }

    fn open(&self, number: usize, seen: &Arc<Seen>, full: mpsc::Sender<(usize, Tickers)>) -> Line {
        let is_first = number == 0;
        let name = if is_first { "kalshi".to_owned() } else { format!("kalshi {}", number + 1) };
        let stream = self.streams.open(name, self.settings.policy());
        if is_first {
            self.links.set_first(Arc::clone(&stream));
        }
        let (markets, followed) = watch::channel(Arc::new(Tickers::new()));
        let broken = Arc::<Broken>::default();
        let (left_out, mut told_left_out) = watch::channel(Tickers::new());
        let (stop, stopped) = oneshot::channel::<()>();
        let session = Session {
            settings: self.settings.clone(),
            client: Arc::clone(&self.client),
            credentials: Arc::clone(&self.credentials),
            channels: if is_first { self.channels } else { &BY_MARKET },
            publish: Arc::clone(&self.publish),
            stats: Arc::clone(&self.stats),
            dial: Arc::clone(&self.dial),
            stream: Arc::clone(&stream),
            desk: self.desk.clone(),
            catalog: self.catalog.clone(),
            markets: followed,
            left_out,
            broken: Arc::clone(&broken),
            seen: Arc::clone(seen),
            tap: self.tap.clone(),
            clock: self.clock,
            entropy: self.entropy,
        };
        let task = tokio::spawn(async move {
            let session = session.run(async {
                // An error means that nobody is left to stop it.
                let _ = stopped.await;
            });
            let watch = async {
                while told_left_out.changed().await.is_ok() {
                    let tickers = told_left_out.borrow_and_update().clone();
                    if !tickers.is_empty() && full.send((number, tickers)).await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = session => {}
                () = watch => {}
            }
        });
        Line { stream, markets, broken, stop, task }
    }
}

impl Line {
    async fn close(self) {
        // It may have ended already.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a connection's task ended badly");
        }
    }
}

/// Tells each connection which of its books are to be read anew.
fn tell_broken(plan: &Plan, lines: &BTreeMap<usize, Line>, tickers: &[Arc<str>]) {
    for (number, held) in &plan.lines {
        if let Some(line) = lines.get(number) {
            line.broken.add(tickers.iter().filter(|ticker| held.contains(*ticker)).cloned());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tickers(names: impl IntoIterator<Item = usize>) -> Tickers {
        names.into_iter().map(|name| Arc::from(name.to_string())).collect()
    }

    fn sizes(plan: &Plan) -> Vec<usize> {
        plan.lines.values().map(Tickers::len).collect()
    }

    #[test]
    fn connections_are_opened_as_needed_and_closed_when_empty() {
        let mut plan = Plan::new(10, 3);
        assert_eq!(plan.follow(&Tickers::new()), 0);
        assert_eq!(sizes(&plan), [0], "the first one carries our account");
        assert_eq!(plan.follow(&tickers(0..25)), 0);
        assert_eq!(sizes(&plan), [10, 10, 5]);
        assert_eq!(plan.follow(&tickers(0..40)), 10);
        assert_eq!(sizes(&plan), [10, 10, 10]);
        let last = plan.lines[&2].clone();
        assert_eq!(plan.follow(&last), 0);
        assert_eq!(plan.lines, BTreeMap::from([(0, Tickers::new()), (2, last)]));
    }

    #[test]
    fn what_does_not_fit_on_one_goes_to_another() {
        let mut plan = Plan::new(10, 3);
        let wanted = tickers(0..8);
        plan.follow(&wanted);
        plan.left_out(0, &tickers(5..8));
        assert_eq!(plan.follow(&wanted), 0);
        assert_eq!(sizes(&plan), [5, 3]);
        assert_eq!(plan.follow(&tickers(0..20)), 0);
        assert_eq!(sizes(&plan), [5, 10, 5]);
    }

    proptest! {
        /// Whatever is wanted: every market is on one connection, none moves, none has too many.
        #[test]
        fn each_market_has_one_place_and_keeps_it(
            rounds in prop::collection::vec(prop::collection::btree_set(0_usize..60, 0..40), 1..20),
        ) {
            let mut plan = Plan::new(7, 4);
            let mut places: HashMap<Arc<str>, usize> = HashMap::new();
            for round in rounds {
                let wanted = tickers(round);
                let homeless = plan.follow(&wanted);
                let all: Vec<_> = plan.lines.values().flatten().cloned().collect();
                prop_assert_eq!(all.len() + homeless, wanted.len());
                prop_assert!(all.iter().all(|ticker| wanted.contains(ticker)));
                prop_assert_eq!(homeless > 0, wanted.len() > 28);
                places.retain(|ticker, _| wanted.contains(ticker));
                for (number, held) in &plan.lines {
                    prop_assert!(held.len() <= 7);
                    for ticker in held {
                        let place = places.entry(ticker.clone()).or_insert(*number);
                        prop_assert_eq!(place, number);
                    }
                }
            }
        }
    }
}
