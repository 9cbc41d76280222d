//! [`run`]: a desk at work. What it decides is carried out here, in an order that never changes:
//! records are written, then requests leave, then agents are told.
//!
//! What lives here: the loop, the requests under way, the end. What never lives here: decisions
//! about orders; they are the [`Desk`]'s.
//!
//! The loop never waits for anything but its own `select!`: requests run beside it, each with a
//! bound on its time, and the journal is the one thing that it blocks on.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::warn;

use super::clock_watch::ClockWatch;
use super::inbox::{Command, Receipt, ToDesk};
use super::io::{Input, Outputs, Request};
use super::orders::OrderKey;
use super::pool::Pool;
use super::record::Journal;
use super::report::Report;
use super::risk::Approved;
use super::settings::Timing;
use super::state::Desk;
use super::venue::{CancelOutcome, CancelRequest, PlaceOutcome, ReadError, Venue};
use super::views::{Notify, Views};
use super::writer::{Writer, log};
use crate::model::{Account, Action, AgentId, ClientOrderId, Notice};

/// Orders under way to the exchange at the same time.
const PLACES_MAX: usize = 16;
/// Orders that may wait for their turn; beyond it they are not sent.
const PLACES_WAITING_MAX: usize = 64;
/// How long an order may wait for its turn: the market that it was decided on is gone then.
const PLACE_WAIT_MAX: Duration = Duration::from_millis(500);
/// Cancels under way at the same time. As many as orders may wait: each order has one at most.
const CANCELS_MAX: usize = 16;
/// Reads under way at the same time. As many as there are questions may wait: each order has one
/// at most, and the account one.
const READS_MAX: usize = 4;
/// The longest that a request may take. The exchange's client has bounds of its own, far below;
/// this one is for a client that has lost itself.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// How often the markets of interest are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An order that waits for its turn.
struct WaitingPlace {
    order: OrderKey,
    approved: Approved,
    since: Timestamp,
}

/// A question about an order or the account.
enum Read {
    Find { order: OrderKey, client_order_id: ClientOrderId, ticker: Arc<str>, placed_at: Timestamp },
    Account { fills_since: Timestamp },
}

/// The end, once it was asked for.
struct Drain {
    done: Option<oneshot::Sender<()>>,
    deadline: Instant,
}

struct Shell<V, W, N> {
    desk: Desk,
    venue: Rc<V>,
    writer: Writer,
    views: W,
    notify: N,
    clock: Clock,
    timing: Timing,
    out: Outputs,
    /// What agents are still to be told.
    untold: Vec<(AgentId, Notice)>,
    /// Of the actions at hand: dropped when all that follows from them is told.
    receipt: Option<Receipt>,
    places: Pool<WaitingPlace>,
    cancels: Pool<(OrderKey, CancelRequest)>,
    reads: Pool<Read>,
    interests: BTreeSet<Arc<str>>,
    looked: Timestamp,
    watch: ClockWatch,
    drain: Option<Drain>,
}

/// Runs a desk until it is told to shut down or nobody can tell it anything any more; returns
/// what it knew at the end. `started` is what [`Desk::new`] put out.
///
/// Not cancel-safe: dropping the future leaves requests of unknown outcome behind. Send
/// [`Command::Shutdown`] instead.
#[expect(clippy::too_many_arguments, reason = "the parts of the host meet here, once")]
pub async fn run<V: Venue>(
    desk: Desk,
    started: Outputs,
    mut inbox: mpsc::Receiver<ToDesk>,
    venue: Rc<V>,
    journal: Box<dyn Journal>,
    views: impl Views,
    notify: impl Notify,
    clock: Clock,
) -> Report {
    let timing = desk.timing().clone();
    let mut ticks = interval(timing.tick());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shell = Shell {
        desk,
        venue,
        writer: Writer::new(journal),
        views,
        notify,
        clock,
        timing,
        out: started,
        untold: Vec::new(),
        receipt: None,
        places: Pool::new(PLACES_MAX),
        cancels: Pool::new(CANCELS_MAX),
        reads: Pool::new(READS_MAX),
        interests: BTreeSet::new(),
        looked: Timestamp::EPOCH,
        watch: ClockWatch::new(clock.now(), Instant::now()),
        drain: None,
    };
    // A failure halts the desk; it is told in the log and by every answer to a command.
    let _ = shell.carry_out();
    let mut open = true;
    while !shell.is_finished() {
        // The tick is first because it is rare and nothing else can hold it back; answers of the
        // exchange come before new wishes, because they free what new wishes need.
        tokio::select! {
            biased;
            _ = ticks.tick() => shell.tick(),
            input = shell.cancels.ended() => shell.step(input),
            input = shell.places.ended() => shell.step(input),
            input = shell.reads.ended() => shell.step(input),
            message = inbox.recv(), if open => match message {
                Some(message) => shell.receive(message),
                None => {
                    open = false;
                    shell.shut_down(None);
                }
            },
        }
        shell.start_waiting();
        if !shell.untold.is_empty() || shell.receipt.is_some() {
            // Connections are tasks of this thread: they write what was requested before this
            // goes on to what nobody waits for.
            yield_now().await;
            shell.tell();
            shell.receipt = None;
        }
    }
    if let Err(reason) = shell.writer.write_now(shell.clock.now()) {
        warn!(reason, "the last records are not on disk: the next run asks the exchange for them");
    }
    if let Some(done) = shell.drain.and_then(|drain| drain.done) {
        let _ = done.send(());
    }
    shell.desk.report()
}

impl<V: Venue, W: Views, N: Notify> Shell<V, W, N> {
    fn receive(&mut self, message: ToDesk) {
        match message {
            ToDesk::Actions { agent, actions, receipt } => {
                self.receipt = Some(receipt);
                self.look_at_named(&actions);
                self.step(Input::Actions { agent, actions });
            }
            ToDesk::AgentUp { agent, limits, told } => {
                self.step(Input::AgentUp { agent: agent.clone(), limits });
                // From here, as every later word on it, so that none overtakes another.
                self.notify.account(&agent, Arc::new(self.desk.account(&agent)));
                // Who asked may be gone.
                let _ = told.send(());
            }
            ToDesk::AgentDown { agent, reason } => self.step(Input::AgentDown { agent, reason }),
            ToDesk::Order(order) => self.step(Input::Order(order)),
            ToDesk::Fill(fill) => self.step(Input::Fill(fill)),
            ToDesk::Position(position) => self.step(Input::Position(position)),
            ToDesk::Connected => self.step(Input::Connected),
            ToDesk::Disconnected { reason } => self.step(Input::Disconnected { reason }),
            ToDesk::Bus { down } => self.step(Input::Bus { down }),
            ToDesk::Exchange(state) => self.step(Input::Exchange(state)),
            ToDesk::Command(command) => self.command(command),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Halt { agent, halted, done } => {
                let _ = done.send(self.try_step(Input::Halt { agent, halted }));
            }
            // The next order would stand on records that are not there.
            Command::Resume { agent, done } => {
                let whole = self.writer.must_be_whole(self.clock.now());
                let _ = done.send(whole.and_then(|()| self.try_step(Input::Resume { agent })));
            }
            Command::Ping { reply } => {
                let _ = reply.send(());
            }
            Command::Report { reply } => {
                self.look_at_interests();
                let _ = reply.send(self.desk.report());
            }
            Command::Shutdown { done } => self.shut_down(Some(done)),
        }
    }

    fn shut_down(&mut self, done: Option<oneshot::Sender<()>>) {
        match &mut self.drain {
            // Whoever asks again takes the place of who asked before.
            Some(drain) => drain.done = done.or(drain.done.take()),
            None => {
                let deadline = Instant::now() + self.timing.drain();
                self.drain = Some(Drain { done, deadline });
            }
        }
        self.step(Input::Shutdown);
    }

    fn is_finished(&self) -> bool {
        let Some(drain) = &self.drain else { return false };
        let quiet = self.desk.is_drained() && self.places.is_idle() && self.cancels.is_idle();
        if !quiet && Instant::now() >= drain.deadline {
            warn!(waited = ?self.timing.drain(), "orders may still work: the wait is over");
            return true;
        }
        quiet
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        self.watch_clock(now);
        // A failure halted the desk when it came.
        let _ = self.writer.write_if_due(now);
        if self.looked + LOOK_EVERY <= now {
            self.looked = now;
            self.look_at_interests();
            let interests = self.desk.interests();
            if interests != self.interests {
                self.notify.interests(&interests);
                self.interests = interests;
            }
        }
        self.step(Input::Tick);
    }

    fn watch_clock(&mut self, now: Timestamp) {
        let Some(by_ms) = self.watch.look(now, Instant::now()) else { return };
        warn!(by_ms, "the clock was set: what depends on time begins anew");
        self.looked = self.looked.min(now);
        self.step(Input::ClockSet { by_ms });
    }

    /// Pulls the markets that actions name, so that each is decided on what is true now.
    fn look_at_named(&mut self, actions: &[Action]) {
        let now = self.clock.now();
        let mut last = None;
        for action in actions {
            let market = match action {
                Action::Place(order) => Some(order.market),
                Action::CancelAll(market) => *market,
                Action::Cancel(_) | Action::WakeAt(_) => None,
            };
            // An agent's orders usually come in runs of one market.
            if market.is_none() || market == last {
                continue;
            }
            last = market;
            if let Some(view) = market.and_then(|market| self.views.view(market)) {
                self.desk.apply(Input::Market(view), now, &mut self.out);
            }
        }
    }

    fn look_at_interests(&mut self) {
        let now = self.clock.now();
        for ticker in self.desk.interests() {
            if let Some(view) = self.views.find(&ticker) {
                self.desk.apply(Input::Market(view), now, &mut self.out);
            }
        }
        let _ = self.carry_out();
    }

    fn step(&mut self, input: Input) {
        let _ = self.try_step(input);
    }

    fn try_step(&mut self, input: Input) -> Result<(), String> {
        self.desk.apply(input, self.clock.now(), &mut self.out);
        self.carry_out()
    }

    /// Carries out what the desk wants: records first.
    fn carry_out(&mut self) -> Result<(), String> {
        if self.out.is_empty() {
            return Ok(());
        }
        let mut out = std::mem::take(&mut self.out);
        let written = if out.records.is_empty() {
            Ok(())
        } else {
            self.writer.append(&out.records, self.clock.now())
        };
        if let Err(reason) = &written {
            self.without_journal(reason, &mut out);
        }
        for request in out.requests.drain(..) {
            self.start(request);
        }
        self.push_on();
        out.records.iter().for_each(log);
        self.untold.append(&mut out.notices);
        out.clear();
        // What ended at once has put out more; else this gives the memory back.
        if self.out.is_empty() {
            self.out = out;
        }
        written
    }

    /// The records are not written, so the orders among them are not sent.
    fn without_journal(&mut self, reason: &str, out: &mut Outputs) {
        let now = self.clock.now();
        let mut after = Outputs::default();
        out.requests.retain(|request| match request {
            Request::Place { order, .. } => {
                let outcome = PlaceOutcome::NotSent { reason: format!("JOURNAL: {reason}") };
                self.desk.apply(Input::Placed { order: *order, outcome }, now, &mut after);
                false
            }
            Request::Cancel { .. }
            | Request::Find { .. }
            | Request::Recall { .. }
            | Request::ReadAccount { .. } => true,
        });
        let failed = Input::JournalFailed { reason: reason.to_owned() };
        self.desk.apply(failed, now, &mut after);
        self.writer.keep(&after.records);
        out.records.append(&mut after.records);
        out.requests.append(&mut after.requests);
        out.notices.append(&mut after.notices);
    }

    fn tell(&mut self) {
        let mut accounts: Vec<(AgentId, Arc<Account>)> = Vec::new();
        for (agent, notice) in self.untold.drain(..) {
            let known = accounts.iter().find(|(known, _)| *known == agent);
            let account = match known {
                Some((_, account)) => Arc::clone(account),
                None => {
                    let account = Arc::new(self.desk.account(&agent));
                    accounts.push((agent.clone(), Arc::clone(&account)));
                    account
                }
            };
            self.notify.notify(&agent, notice, account);
        }
    }

    fn start(&mut self, request: Request) {
        match request {
            Request::Place { order, approved } => {
                if self.places.has_room() && self.places.waiting() == 0 {
                    self.start_place(order, approved);
                } else if self.places.waiting() < PLACES_WAITING_MAX {
                    let since = self.clock.now();
                    self.places.wait(WaitingPlace { order, approved, since });
                } else {
                    self.not_sent(order, "ORDER_QUEUE: too many orders wait to be sent");
                }
            }
            Request::Cancel { order, request } => {
                self.cancels.wait((order, request));
                self.start_cancels();
            }
            Request::Find { order, client_order_id, ticker, placed_at } => {
                self.reads.wait(Read::Find { order, client_order_id, ticker, placed_at });
                self.start_reads();
            }
            Request::Recall { heard, client_order_id } => {
                let result = self.writer.find(&client_order_id);
                let recalled = Input::Recalled { heard, result };
                self.desk.apply(recalled, self.clock.now(), &mut self.out);
            }
            Request::ReadAccount { fills_since } => {
                self.reads.wait(Read::Account { fills_since });
                self.start_reads();
            }
        }
    }

    fn start_waiting(&mut self) {
        self.start_cancels();
        while let Some(waiting) = self.places.next_waiting() {
            let now = self.clock.now();
            if let Some(view) = self.views.find(&waiting.approved.request().ticker) {
                self.desk.apply(Input::Market(view), now, &mut self.out);
            }
            if let Some(reason) = self.desk.may_not_leave(waiting.order, now) {
                self.not_sent(waiting.order, &format!("ORDER_QUEUE: {reason}"));
            } else if now.since(waiting.since) > PLACE_WAIT_MAX {
                self.not_sent(waiting.order, "ORDER_QUEUE: waited too long to be sent");
            } else {
                self.start_place(waiting.order, waiting.approved);
            }
        }
        self.start_reads();
        self.push_on();
        while !self.out.is_empty() {
            let _ = self.carry_out();
        }
    }

    fn not_sent(&mut self, order: OrderKey, reason: &str) {
        let outcome = PlaceOutcome::NotSent { reason: reason.to_owned() };
        self.desk.apply(Input::Placed { order, outcome }, self.clock.now(), &mut self.out);
    }

    fn start_place(&mut self, order: OrderKey, approved: Approved) {
        let venue = Rc::clone(&self.venue);
        self.places.start(async move {
            let request = approved.into_request();
            let outcome = match timeout(REQUEST_MAX, venue.place(request)).await {
                Ok(outcome) => outcome,
                Err(_) => PlaceOutcome::Unknown { reason: "no answer in time".to_owned() },
            };
            Input::Placed { order, outcome }
        });
    }

    fn start_cancels(&mut self) {
        while let Some((order, request)) = self.cancels.next_waiting() {
            let venue = Rc::clone(&self.venue);
            self.cancels.start(async move {
                let outcome = match timeout(REQUEST_MAX, venue.cancel(request)).await {
                    Ok(outcome) => outcome,
                    Err(_) => CancelOutcome::Unknown { reason: "no answer in time".to_owned() },
                };
                Input::Canceled { order, outcome }
            });
        }
    }

    fn start_reads(&mut self) {
        while let Some(read) = self.reads.next_waiting() {
            let venue = Rc::clone(&self.venue);
            let clock = self.clock;
            self.reads.start(async move {
                let late = |call| ReadError { call, reason: "no answer in time".to_owned() };
                match read {
                    Read::Find { order, client_order_id, ticker, placed_at } => {
                        let asked_at = clock.now();
                        let find = venue.find(&client_order_id, &ticker, placed_at);
                        let result = timeout(REQUEST_MAX, find)
                            .await
                            .unwrap_or_else(|_| Err(late("find an order")));
                        Input::Found { order, asked_at, result }
                    }
                    Read::Account { fills_since } => {
                        let read = venue.account(fills_since);
                        let result = timeout(REQUEST_MAX, read)
                            .await
                            .unwrap_or_else(|_| Err(late("read the account")));
                        Input::Account(result)
                    }
                }
            });
        }
    }

    /// Brings what was started onto the wire. What has ended at once is taken in; what follows
    /// from it is carried out by the caller or the next step.
    fn push_on(&mut self) {
        while let Some(input) = self
            .cancels
            .push_on()
            .or_else(|| self.places.push_on())
            .or_else(|| self.reads.push_on())
        {
            self.desk.apply(input, self.clock.now(), &mut self.out);
        }
    }
}
