//! The shell: the order in which things are done, and the end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use hotpit_rt::Clock;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::desk::record::RecoveredOrder;
use crate::desk::shell::run;
use crate::desk::{CallTimes, Notify, Step, Views};
use crate::desk::{
    CancelOutcome, Command, DryRun, Journal, JournalError, ReadError, Receipt, Report, Timing,
    ToDesk, Venue,
};

/// What happened, in order, as seen from outside of the desk.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Written(&'static str),
    Placed,
    Canceled,
    Told(OrderState),
}

type Log = Rc<RefCell<Vec<Seen>>>;

/// A journal that keeps what it is given, until it breaks.
struct Notebook {
    log: Log,
    broken: Rc<Cell<bool>>,
}

impl Journal for Notebook {
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if self.broken.get() {
            return Err(JournalError::Write { reason: "disk full".to_owned() });
        }
        for record in records {
            let word = match record {
                Record::Intent(_) => "intent",
                Record::Halt(_) => "halt",
                Record::Fill(_) => "fill",
                _ => continue,
            };
            self.log.borrow_mut().push(Seen::Written(word));
        }
        Ok(())
    }

    fn find(&self, _: &ClientOrderId) -> Result<Option<RecoveredOrder>, JournalError> {
        Ok(None)
    }
}

/// An exchange that accepts everything, as soon as its gate is open.
struct Exchange {
    log: Log,
    clock: Clock,
    gate: Gate,
}

/// Whether the exchange answers.
type Gate = Rc<Cell<bool>>;

async fn passed(gate: &Gate) {
    while !gate.get() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

impl Venue for Exchange {
    async fn place(&self, request: PlaceRequest) -> PlaceOutcome {
        self.log.borrow_mut().push(Seen::Placed);
        passed(&self.gate).await;
        PlaceOutcome::Accepted {
            venue_order_id: venue_name(&request.client_order_id).into(),
            filled: Quantity::ZERO,
            remaining: request.quantity,
        }
    }

    async fn make_group(&self, _limit: Quantity, _shard: i32) -> Result<Arc<str>, String> {
        passed(&self.gate).await;
        Ok("group".into())
    }

    async fn cancel(&self, _request: CancelRequest) -> CancelOutcome {
        self.log.borrow_mut().push(Seen::Canceled);
        passed(&self.gate).await;
        CancelOutcome::Canceled { reduced_by: contracts(1) }
    }

    async fn find(
        &self,
        _client_order_id: &ClientOrderId,
        _ticker: &str,
        _placed_at: Timestamp,
    ) -> Result<Option<VenueOrder>, ReadError> {
        Err(ReadError { call: "find", reason: "not today".to_owned() })
    }

    async fn account(&self, _since: Timestamp) -> Result<AccountSnapshot, ReadError> {
        Ok(AccountSnapshot {
            requested_at: self.clock.now(),
            resting: Vec::new(),
            fills: Vec::new(),
            positions: Vec::new(),
            settlements: Vec::new(),
            balances: on_shard(Dollars::from_dollars(1_000)),
        })
    }
}

/// The one market, always as of now.
struct Window(Clock);

impl Views for Window {
    fn view(&self, market: MarketId) -> Option<MarketView> {
        (market == MARKET).then(|| view(self.0.now()))
    }

    fn find(&self, ticker: &str) -> Option<MarketView> {
        (ticker == TICKER).then(|| view(self.0.now()))
    }
}

struct Ears {
    log: Log,
    interests: Rc<RefCell<Vec<usize>>>,
}

impl Notify for Ears {
    fn notify(&self, agent: &AgentId, notice: Notice, _account: Arc<Account>) {
        assert!(!agent.as_str().is_empty());
        if let Notice::Order(update) = notice {
            self.log.borrow_mut().push(Seen::Told(update.state));
        }
    }

    fn account(&self, agent: &AgentId, _account: Arc<Account>) {
        assert!(!agent.as_str().is_empty());
    }

    fn interests(&self, tickers: &BTreeSet<Arc<str>>) {
        self.interests.borrow_mut().push(tickers.len());
    }

    fn carried_out(&self, step: &Step<'_>) {
        assert!(step.decided <= step.on_disk);
        if let Some(call) = step.call.filter(|call| call.tick.is_some()) {
            assert!(call.ended <= step.taken && step.taken <= step.decided);
        }
    }
}

/// What a test holds while the desk runs.
struct Hand {
    inbox: mpsc::Sender<ToDesk>,
    log: Log,
    gate: Gate,
    broken: Rc<Cell<bool>>,
    interests: Rc<RefCell<Vec<usize>>>,
}

impl Hand {
    async fn send(&self, message: ToDesk) {
        self.inbox.send(message).await.unwrap();
    }

    async fn act(&self, agent: AgentId, actions: Vec<Action>) {
        self.act_on(None, agent, actions).await;
    }

    async fn act_on(&self, tick: Option<Timestamp>, agent: AgentId, actions: Vec<Action>) {
        let call = CallTimes { tick, ..CallTimes::default() };
        self.send(ToDesk::Actions { agent, actions, call, receipt: Receipt::default() }).await;
    }

    async fn place(&self, order: NewOrder) {
        self.act(agent(), vec![Action::Place(order)]).await;
    }

    async fn report(&self) -> Report {
        let (reply, report) = oneshot::channel();
        self.send(ToDesk::Command(Command::Report { reply })).await;
        report.await.unwrap()
    }

    async fn resume(&self) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        self.send(ToDesk::Command(Command::Resume { agent: None, done })).await;
        answer.await.unwrap()
    }

    async fn halt(&self) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let reason = "operator".to_owned();
        self.send(ToDesk::Command(Command::Halt {
            agent: None,
            halted: Halted::all(reason),
            done,
        }))
        .await;
        answer.await.unwrap()
    }

    async fn shut_down(&self) {
        let (done, answer) = oneshot::channel();
        self.send(ToDesk::Command(Command::Shutdown { done })).await;
        answer.await.unwrap();
    }

    /// Waits until the desk is ready and the agent is up.
    async fn get_ready(&self) {
        let limits = AgentLimits::default();
        let (told, _) = oneshot::channel();
        self.send(ToDesk::AgentUp { agent: agent(), limits, told }).await;
        self.send(ToDesk::Connected).await;
        while self.report().await.not_ready.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.log.borrow().clone()
    }

    fn count(&self, what: &Seen) -> usize {
        self.log.borrow().iter().filter(|seen| *seen == what).count()
    }

    async fn until_seen(&self, what: Seen) {
        let seen = async {
            while !self.log.borrow().contains(&what) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), seen).await;
        assert!(waited.is_ok(), "no {what:?} in {:?}", self.seen());
    }
}

/// Runs a desk beside `script`; gives the desk's last report.
fn with_desk<V: Venue, F: Future<Output = ()>>(
    venue: impl FnOnce(Exchange) -> V,
    script: impl FnOnce(Hand) -> F,
) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let clock = Clock::simulated(START);
        let log = Log::default();
        let broken = Rc::new(Cell::new(false));
        let gate = Rc::new(Cell::new(true));
        let interests = Rc::default();
        let (inbox, messages) = mpsc::channel(64);
        let mut started = Outputs::default();
        let recovered = Recovered { runs: 1, ..Recovered::default() };
        let timing = Timing { drain_ms: 300, tick_ms: 10, ..Timing::default() };
        let settings = Settings { timing, limits: lenient() };
        let desk = Desk::new(settings, "test".to_owned(), recovered, START, &mut started);
        let exchange = Exchange { log: Rc::clone(&log), clock, gate: Rc::clone(&gate) };
        let running = run(
            desk,
            started,
            messages,
            Rc::new(venue(exchange)),
            Box::new(Notebook { log: Rc::clone(&log), broken: Rc::clone(&broken) }),
            Window(clock),
            Ears { log: Rc::clone(&log), interests: Rc::clone(&interests) },
            clock,
        );
        let hand = Hand { inbox, log, gate, broken, interests };
        let (report, ()) = tokio::join!(running, script(hand));
        report
    })
}

#[test]
fn records_are_written_before_requests_leave_and_agents_are_told_last() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.gate.set(false);
        hand.place(bid(1, 50, 1)).await;
        hand.report().await;
        let before_the_answer =
            [Seen::Written("intent"), Seen::Placed, Seen::Told(OrderState::Sent)];
        assert_eq!(hand.seen(), before_the_answer);
        hand.gate.set(true);
        hand.until_seen(Seen::Told(OrderState::Resting)).await;
        hand.shut_down().await;
    });
}

#[test]
fn the_way_from_a_quote_to_an_order_is_timed_and_nothing_else() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
        hand.act_on(Some(START), agent(), vec![Action::CancelAll(None)]).await;
        assert_eq!(hand.report().await.tick_to_order.count(), 0);
        let wish = vec![Action::Place(bid(2, 51, 1))];
        hand.act_on(Some(START), agent(), wish).await;
        let timed = hand.report().await.tick_to_order;
        assert!(timed.count() == 1 && timed.sum_ns() > 0, "{timed:?}");
        hand.shut_down().await;
    });
}

#[test]
fn without_a_journal_nothing_is_sent_and_everything_is_canceled() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
        hand.until_seen(Seen::Told(OrderState::Resting)).await;
        hand.log.borrow_mut().clear();

        hand.broken.set(true);
        hand.place(bid(2, 50, 1)).await;
        let report = hand.report().await;
        assert_eq!(report.halted.as_deref(), Some("journal: the journal cannot write: disk full"));
        hand.until_seen(Seen::Told(OrderState::Canceled)).await;
        assert_eq!(hand.count(&Seen::Placed), 0);
        assert_eq!(hand.count(&Seen::Canceled), 1);
        assert_eq!(hand.count(&Seen::Told(OrderState::Denied)), 1);
        assert!(hand.halt().await.is_err(), "a halt that is not on disk does not say it is");
        hand.shut_down().await;
    });
}

#[test]
fn a_fill_of_the_time_without_a_journal_is_on_disk_before_orders_are_accepted_again() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.broken.set(true);
        let sent = |number| VenueFill {
            fill_id: Arc::from(format!("f{number}")),
            venue_order_id: "elsewhere".into(),
            client_order_id: None,
            ticker: Arc::from(TICKER),
            side: Side::Bid,
            price: cents(50),
            quantity: contracts(1),
            fee: Dollars::ZERO,
            taker: true,
            ts: START,
        };
        hand.place(bid(1, 50, 1)).await;
        hand.send(ToDesk::Fill(sent(1))).await;
        let refused = hand.resume().await.unwrap_err();
        assert!(refused.contains("disk full") && refused.contains("then resume"), "{refused}");
        assert!(hand.report().await.halted.is_some());
        assert_eq!(hand.count(&Seen::Written("fill")), 0);

        hand.broken.set(false);
        assert_eq!(hand.resume().await, Ok(()));
        hand.send(ToDesk::Fill(sent(2))).await;
        hand.place(bid(2, 50, 1)).await;
        hand.until_seen(Seen::Placed).await;
        let written: Vec<Seen> = hand
            .seen()
            .into_iter()
            .filter(|seen| matches!(seen, Seen::Written(_) | Seen::Placed))
            .collect();
        let expected = [
            Seen::Written("intent"),
            Seen::Written("fill"),
            Seen::Written("fill"),
            Seen::Written("intent"),
            Seen::Placed,
        ];
        // The halt that was lifted is not among them: it was never one on disk.
        let written: Vec<Seen> =
            written.into_iter().filter(|seen| *seen != Seen::Written("halt")).collect();
        assert_eq!(written, expected);
        hand.shut_down().await;
    });
}

#[test]
fn a_halt_is_answered_when_it_is_on_disk() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        assert_eq!(hand.halt().await, Ok(()));
        assert_eq!(hand.seen(), [Seen::Written("halt")]);
        hand.shut_down().await;
    });
}

#[test]
fn the_shutdown_cancels_everything_and_waits_for_it() {
    let report = with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
        // The answer to the order is still under way: its cancel follows it.
        hand.shut_down().await;
        assert_eq!(hand.seen().last(), Some(&Seen::Told(OrderState::Canceled)));
    });
    assert_eq!(report.working, []);
}

#[test]
fn the_shutdown_ends_even_if_the_exchange_does_not_answer() {
    let report = with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.gate.set(false);
        hand.place(bid(1, 50, 1)).await;
        hand.shut_down().await;
    });
    assert_eq!(report.working.len(), 1);
}

#[test]
fn the_end_of_all_senders_is_a_shutdown() {
    let report = with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
    });
    assert_eq!(report.orders, 1);
    assert_eq!(report.working, []);
}

#[test]
fn orders_beyond_what_may_be_under_way_wait_and_are_not_sent_when_it_takes_too_long() {
    let report = with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.gate.set(false);
        for batch in 0..2_u64 {
            let other = AgentId::from(format!("agent-{batch}"));
            let limits = AgentLimits::default();
            let (told, _) = oneshot::channel();
            hand.send(ToDesk::AgentUp { agent: other.clone(), limits, told }).await;
            let orders = (1..=10).map(|number| Action::Place(bid(number, 10, 1)));
            hand.act(other, orders.collect()).await;
        }
        hand.report().await;
        assert_eq!(hand.count(&Seen::Placed), 16);
        // Longer than an order may wait.
        tokio::time::sleep(Duration::from_millis(550)).await;
        hand.gate.set(true);
        hand.until_seen(Seen::Told(OrderState::Denied)).await;
        assert_eq!(hand.count(&Seen::Placed), 16);
    });
    assert_eq!(report.denied, 4);
    assert_eq!(report.working, []);
}

#[test]
fn orders_that_wait_are_not_sent_once_the_desk_is_not_ready_any_more() {
    let report = with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.gate.set(false);
        for batch in 0..2_u64 {
            let other = AgentId::from(format!("agent-{batch}"));
            let limits = AgentLimits::default();
            let (told, _) = oneshot::channel();
            hand.send(ToDesk::AgentUp { agent: other.clone(), limits, told }).await;
            let orders = (1..=10).map(|number| Action::Place(bid(number, 10, 1)));
            hand.act(other, orders.collect()).await;
        }
        hand.send(ToDesk::Disconnected { reason: "reset".to_owned() }).await;
        hand.report().await;
        hand.gate.set(true);
        hand.until_seen(Seen::Told(OrderState::Denied)).await;
        assert_eq!(hand.count(&Seen::Placed), 16);
    });
    assert_eq!(report.denied, 4);
}

#[test]
fn a_dry_run_decides_and_sends_nothing() {
    let dry = |exchange: Exchange| {
        let clock = exchange.clock;
        DryRun::new(Some(Rc::new(exchange)), clock, Dollars::ZERO)
    };
    let report = with_desk(dry, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
        hand.report().await;
        let seen =
            [Seen::Written("intent"), Seen::Told(OrderState::Sent), Seen::Told(OrderState::Denied)];
        assert_eq!(hand.seen(), seen);
        hand.shut_down().await;
    });
    assert_eq!((report.intents, report.denied, report.orders), (1, 1, 0));
    assert_eq!(report.cash, Dollars::from_dollars(1_000));
}

#[test]
fn the_feeds_are_told_where_the_desk_has_something() {
    with_desk(std::convert::identity, |hand| async move {
        hand.get_ready().await;
        hand.place(bid(1, 50, 1)).await;
        let told = async {
            while hand.interests.borrow().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), told).await.unwrap();
        assert_eq!(*hand.interests.borrow(), [1]);
        hand.shut_down().await;
    });
}
