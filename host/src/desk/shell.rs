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
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use super::clock_watch::ClockWatch;
use super::inbox::{CallTimes, Command, Receipt, ToDesk};
use super::io::{Input, Outputs, Request};
use super::orders::OrderKey;
use super::record::Journal;
use super::report::Report;
use super::settings::Timing;
use super::state::Desk;
use super::under_way::{Leaves, Read, UnderWay, WantedGroup};
use super::venue::{PlaceOutcome, Venue};
use super::views::{Notify, Step, Views};
use super::writer::{Writer, log};
use crate::model::{Account, Action, AgentId, Durations, Notice};

/// How long an order may wait for its turn: the market that it was decided on is gone then.
const PLACE_WAIT_MAX: Duration = Duration::from_millis(500);
/// How often the markets of interest are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The end, once it was asked for.
struct Drain {
    done: Option<oneshot::Sender<()>>,
    deadline: Instant,
}

struct Shell<V, W, N> {
    desk: Desk,
    under_way: UnderWay<V>,
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
    /// The call that the actions at hand follow from.
    call: Option<CallTimes>,
    /// When they were taken in.
    taken: Timestamp,
    /// When the quote was read that an order follows from which leaves now.
    leaves_on: Option<Timestamp>,
    tick_to_order: Durations,
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
        under_way: UnderWay::new(venue, clock),
        writer: Writer::new(journal),
        views,
        notify,
        clock,
        timing,
        out: started,
        untold: Vec::new(),
        receipt: None,
        call: None,
        taken: Timestamp::EPOCH,
        leaves_on: None,
        tick_to_order: Durations::default(),
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
            input = shell.under_way.ended() => shell.ended(input),
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
            shell.measure();
            shell.tell();
            shell.receipt = None;
        }
    }
    if let Err(reason) = shell.writer.write_now(shell.clock.now()) {
        warn!(reason, "the last records are not on disk: the next run asks the exchange for them");
    }
    if let Some(done) = shell.drain.take().and_then(|drain| drain.done) {
        let _ = done.send(());
    }
    shell.report()
}

impl<V: Venue, W: Views, N: Notify> Shell<V, W, N> {
    fn receive(&mut self, message: ToDesk) {
        match message {
            ToDesk::Actions { agent, actions, call, receipt } => {
                self.receipt = Some(receipt);
                (self.call, self.taken) = (Some(call), self.clock.now());
                self.look_at_named(&actions);
                self.step(Input::Actions { agent, actions });
                self.call = None;
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
            ToDesk::GroupStopped { id } => self.step(Input::GroupStopped { id }),
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
                let _ = reply.send(self.report());
            }
            Command::Shutdown { done } => self.shut_down(Some(done)),
        }
    }

    fn report(&self) -> Report {
        Report { tick_to_order: self.tick_to_order, ..self.desk.report() }
    }

    /// Takes note of how long an order took that has just left.
    fn measure(&mut self) {
        if let Some(tick) = self.leaves_on.take() {
            self.tick_to_order.add(self.clock.now().since(tick));
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
        let quiet = self.desk.is_drained() && self.under_way.is_quiet();
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

    /// Takes in the answer to a request.
    fn ended(&mut self, input: Input) {
        if let Input::Grouped { .. } = input {
            self.look_at_waiting();
        }
        self.step(input);
    }

    /// Pulls the markets of orders that wait for a group, so that they leave on what is true now.
    fn look_at_waiting(&mut self) {
        let now = self.clock.now();
        for ticker in self.desk.waiting_for_groups() {
            if let Some(view) = self.views.find(&ticker) {
                self.desk.apply(Input::Market(view), now, &mut self.out);
            }
        }
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
        let decided = self.clock.now();
        let written =
            if out.records.is_empty() { Ok(()) } else { self.writer.append(&out.records, decided) };
        let on_disk = self.clock.now();
        if let Err(reason) = &written {
            self.without_journal(reason, &mut out);
        }
        for request in out.requests.drain(..) {
            self.start(request);
        }
        self.push_on();
        out.records.iter().for_each(log);
        let (call, taken) = (self.call, self.taken);
        self.notify.carried_out(&Step { call, taken, decided, on_disk, records: &out.records });
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
            Request::Group { .. }
            | Request::Cancel { .. }
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
            Request::Place { order, approved } => match self.under_way.place(order, approved) {
                Ok(Leaves::Now) => self.leaves_on = self.call.and_then(|call| call.tick),
                Ok(Leaves::Later) => {}
                Err(order) => {
                    self.not_sent(order, "ORDER_QUEUE: too many orders wait to be sent");
                }
            },
            Request::Group { agent, exchange_index, limit } => {
                self.under_way.group(WantedGroup { agent, exchange_index, limit });
            }
            Request::Cancel { order, request } => self.under_way.cancel(order, request),
            Request::Find { order, client_order_id, ticker, placed_at } => {
                self.under_way.read(Read::Find { order, client_order_id, ticker, placed_at });
            }
            Request::Recall { heard, client_order_id } => {
                let result = self.writer.find(&client_order_id);
                let recalled = Input::Recalled { heard, result };
                self.desk.apply(recalled, self.clock.now(), &mut self.out);
            }
            Request::ReadAccount { since } => {
                self.under_way.read(Read::Account { since });
            }
        }
    }

    fn start_waiting(&mut self) {
        self.under_way.start_waiting();
        while let Some(waiting) = self.under_way.next_place() {
            let now = self.clock.now();
            if let Some(view) = self.views.find(&waiting.approved.request().ticker) {
                self.desk.apply(Input::Market(view), now, &mut self.out);
            }
            if let Some(reason) = self.desk.may_not_leave(waiting.order, now) {
                self.not_sent(waiting.order, &format!("ORDER_QUEUE: {reason}"));
            } else if now.since(waiting.since) > PLACE_WAIT_MAX {
                self.not_sent(waiting.order, "ORDER_QUEUE: waited too long to be sent");
            } else {
                self.under_way.start_place(waiting.order, waiting.approved);
            }
        }
        self.push_on();
        while !self.out.is_empty() {
            let _ = self.carry_out();
        }
    }

    fn not_sent(&mut self, order: OrderKey, reason: &str) {
        let outcome = PlaceOutcome::NotSent { reason: reason.to_owned() };
        self.desk.apply(Input::Placed { order, outcome }, self.clock.now(), &mut self.out);
    }

    /// Brings what was started onto the wire. What has ended at once is taken in; what follows
    /// from it is carried out by the caller or the next step.
    fn push_on(&mut self) {
        while let Some(input) = self.under_way.push_on() {
            if let Input::Grouped { .. } = input {
                self.look_at_waiting();
            }
            self.desk.apply(input, self.clock.now(), &mut self.out);
        }
    }
}
