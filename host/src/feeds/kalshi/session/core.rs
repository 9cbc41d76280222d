//! [`Core`]: what a session knows and does, without its socket.
//!
//! It takes frames, changes of what is wanted, and the time; it publishes messages, and leaves
//! commands for the socket. It never waits and has no clock, so a test drives it frame by frame.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::{Backoff, Entropy};
use hotpit_units::Timestamp;

use super::Restart;
use super::books::Books;
use super::channel::Subscription;
use super::lag::Lag;
use super::reports::{CatalogLink, DeskLink};
use crate::desk::ToDesk;
use crate::feeds::Publish;
use crate::feeds::kalshi::Tickers;
use crate::feeds::kalshi::catalog::Step;
use crate::feeds::kalshi::sequence::{Order, Tracker};
use crate::feeds::kalshi::settings::Settings;
use crate::feeds::kalshi::stats::FeedStats;
use crate::feeds::kalshi::trades::{Seen, Trades};
use crate::feeds::kalshi::wire::{
    Body, Channel, Command, Frame, GroupUpdate, Header, WireError, parse,
};
use crate::model::{self, VenueFill, VenueOrder};
use crate::streams::Stream;

/// The shortest time between two lines in the log on frames that cannot be read.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// How many frames in a row may be numbered like frames that came before: with more, the exchange
/// counts anew, and what comes is not what was missed.
const DUPLICATES_MAX: u32 = 1_000;

/// How long nothing may come until the exchange is asked whether it still hears us. Pings are no
/// proof of that: a stream has been seen to answer them for a quarter of an hour and to bring
/// nothing else.
const PROBE_AFTER: Duration = Duration::from_secs(10);

/// How long frames may come late until the connection is made anew.
const LATE_PATIENCE: Duration = Duration::from_secs(5);

/// What a session works with.
pub(super) struct Parts<P> {
    pub(super) settings: Settings,
    /// Which channels this connection is for.
    pub(super) channels: &'static [Channel],
    /// Whose orders the desk hears of.
    pub(super) subaccount: u8,
    pub(super) publish: P,
    pub(super) stats: Arc<FeedStats>,
    pub(super) stream: Arc<Stream>,
    pub(super) desk: DeskLink,
    pub(super) catalog: CatalogLink,
    pub(super) seen: Arc<Seen>,
    pub(super) entropy: Entropy,
}

/// A session without its socket.
pub(super) struct Core<P> {
    settings: Settings,
    channels: &'static [Channel],
    subaccount: u8,
    publish: P,
    stats: Arc<FeedStats>,
    stream: Arc<Stream>,
    desk: DeskLink,
    catalog: CatalogLink,
    entropy: Entropy,
    wanted: Arc<Tickers>,
    seen: Arc<Seen>,
    trades: Trades,
    lag: Lag,
    /// What was published last of the markets that are followed.
    statistics: HashMap<Arc<str>, model::Statistics>,
    /// What the exchange's clock showed last.
    venue_time: Option<Timestamp>,
    /// When the last trade was made that was heard of, or the trades were subscribed.
    trades_heard: Option<Timestamp>,
    logged_at: Timestamp,
    /// Since when frames come late.
    late_since: Option<Timestamp>,
    /// Frames in a row that were seen already.
    repeated: u32,
    /// When something came that was not asked for.
    data_at: Timestamp,
    /// The question whether the exchange still hears us, and when it was asked.
    probe: Option<(u64, Timestamp)>,
    // What follows belongs to one connection.
    tracker: Tracker,
    subscriptions: [Subscription; Channel::ALL.len()],
    books: Books,
    last_id: u64,
    commands: Vec<String>,
}

impl<P: Publish> Core<P> {
    pub(super) fn new(parts: Parts<P>) -> Self {
        let Parts {
            settings,
            channels,
            subaccount,
            publish,
            stats,
            stream,
            desk,
            catalog,
            seen,
            entropy,
        } = parts;
        stream.name_channels(Channel::ALL.map(Channel::name));
        Self {
            subscriptions: subscriptions(&settings, &entropy),
            settings,
            channels,
            subaccount,
            publish,
            stats,
            stream,
            desk,
            catalog,
            entropy,
            wanted: Arc::default(),
            seen,
            trades: Trades::default(),
            lag: Lag::default(),
            statistics: HashMap::new(),
            venue_time: None,
            trades_heard: None,
            logged_at: Timestamp::EPOCH,
            late_since: None,
            repeated: 0,
            data_at: Timestamp::EPOCH,
            probe: None,
            tracker: Tracker::default(),
            books: Books::default(),
            last_id: 0,
            commands: Vec::new(),
        }
    }

    /// A connection is open: it was asked for and stood at these times, and the exchange's clock
    /// showed `date` then, if it said so.
    pub(super) fn opened(&mut self, date: Option<Timestamp>, asked: Timestamp, now: Timestamp) {
        self.data_at = now;
        if let Some(date) = date {
            self.lag.dated(date, asked, now);
        }
        if let Some(skew) = self.lag.skew_ms() {
            self.stream.skewed(skew);
        }
    }

    /// Other markets are wanted.
    pub(super) fn want(&mut self, wanted: Arc<Tickers>, now: Timestamp) {
        self.wanted = wanted;
        // At once, and not when they are taken out: another connection may follow them by then.
        let unwanted: Vec<_> =
            self.books.tickers().filter(|it| !self.wanted.contains(*it)).cloned().collect();
        self.forget_books(&unwanted, "no longer followed", now);
        self.hold_books(now);
        self.statistics.retain(|ticker, _| self.wanted.contains(ticker));
        self.subscriptions.iter_mut().for_each(Subscription::wake);
        self.advance(now);
    }

    /// Of markets that are wanted and held, and of whose books nothing is known, the books are asked
    /// for: they were wanted again before they were taken out, or stay because that failed.
    pub(super) fn hold_books(&mut self, now: Timestamp) {
        let books = &self.subscriptions[Channel::Books as usize];
        let held = books.held().intersection(&self.wanted);
        self.books.hold(held.filter(|ticker| !books.is_removing(ticker)), now);
    }

    pub(super) fn forget_books(&mut self, tickers: &[Arc<str>], reason: &str, now: Timestamp) {
        let trusted = self.books.forget(tickers);
        self.publish_stale(trusted, reason, now);
    }

    /// The wanted markets for which this connection has no room.
    pub(super) fn left_out(&self) -> BTreeSet<Arc<str>> {
        let subscriptions = self.subscriptions.iter();
        subscriptions.flat_map(|it| it.left_out(&self.wanted)).cloned().collect()
    }

    /// Whoever keeps the books found these not to fit: they are read anew.
    pub(super) fn rebuild(&mut self, tickers: &Tickers, now: Timestamp) {
        let trusted =
            tickers.iter().filter_map(|ticker| self.books.distrust(ticker, now)).collect();
        self.publish_stale(trusted, "the book does not fit its changes", now);
    }

    /// The commands to send, in order.
    pub(super) fn take_commands(&mut self) -> Vec<String> {
        std::mem::take(&mut self.commands)
    }

    /// Time passes: what is overdue?
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<(), Restart> {
        let timeout = self.settings.command_timeout();
        if self.subscriptions.iter().any(|subscription| subscription.is_overdue(now, timeout)) {
            self.stats.command_timeouts.bump();
            return Err(Restart("a command was not answered".to_owned()));
        }
        self.check_books(now)?;
        self.check_silence(now)?;
        if self.late_since.is_some_and(|since| now.since(since) > LATE_PATIENCE) {
            let ms = self.settings.delay_max_ms;
            return Err(Restart(format!("frames come more than {ms} ms late")));
        }
        self.flush();
        self.advance(now);
        Ok(())
    }

    /// Is the stream dead? The whole exchange's lifecycle comes over the first connection, so long
    /// quiet there is no quiet market.
    fn check_silence(&mut self, now: Timestamp) -> Result<(), Restart> {
        let timeout = self.settings.data_timeout();
        if self.channels.contains(&Channel::Lifecycle) && now.since(self.data_at) > timeout {
            let ms = timeout.as_millis();
            return Err(Restart(format!("nothing but pings came for {ms} ms")));
        }
        match self.probe {
            Some((_, asked)) if now.since(asked) > self.settings.command_timeout() => {
                self.stats.command_timeouts.bump();
                Err(Restart("nothing came, and a question was not answered".to_owned()))
            }
            None if now.since(self.stream.last_data()) >= PROBE_AFTER => {
                self.send(&Command::ListSubscriptions {});
                self.probe = Some((self.last_id, now));
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Tells desk and catalog what they had no room for.
    pub(super) fn flush(&mut self) {
        self.desk.flush();
        self.catalog.flush();
    }

    /// The connection is gone.
    pub(super) fn closed(&mut self, reason: &str, now: Timestamp) {
        let trusted = self.books.clear();
        self.publish_stale(trusted, reason, now);
        self.desk.disconnected(reason);
        self.lose_trades(now);
        self.tracker = Tracker::default();
        self.subscriptions = subscriptions(&self.settings, &self.entropy);
        self.commands.clear();
        self.last_id = 0;
        self.late_since = None;
        self.repeated = 0;
        self.probe = None;
    }

    /// A frame came.
    pub(super) fn frame(&mut self, text: &str, now: Timestamp) -> Result<(), Restart> {
        self.stats.bytes.add(text.len() as u64);
        let Frame { header, body } = match parse(text) {
            Ok(frame) => frame,
            Err(error) => {
                self.stream.message(now);
                self.unreadable(&error, now);
                return Ok(());
            }
        };
        if self.probe.is_some_and(|(id, _)| header.id == Some(id)) {
            self.stream.message(now);
            self.probe = None;
            return Ok(());
        }
        self.data_at = now;
        if let Some(ms) = header.sending_ts_ms {
            let sent = Timestamp::from_millis(ms);
            self.saw_venue_time(sent);
            self.was_sent(sent, now);
        }
        // After its delay is known: books are no fresher than what is heard of them.
        self.stream.message(now);
        // A snapshot that was asked for may have the number of the frame before it: it holds what
        // that one said. With an older number it would miss what came since.
        let is_answer = matches!(body, Body::Snapshot(_))
            && header.id.is_some_and(|id| self.books.awaits(id))
            && header.sid.is_some_and(|sid| self.tracker.last(sid) == header.seq);
        if self.is_repeated(header, now) && !is_answer {
            self.repeated += 1;
            if self.repeated > DUPLICATES_MAX {
                return Err(Restart("the exchange counts its frames anew".to_owned()));
            }
            return Ok(());
        }
        self.repeated = 0;
        self.apply(header, body, now)
    }

    fn apply(&mut self, header: Header, body: Body<'_>, now: Timestamp) -> Result<(), Restart> {
        self.heard_on(&body, now);
        match body {
            Body::Delta(delta) => self.delta(header, &delta, now),
            Body::Snapshot(snapshot) => self.snapshot(&snapshot, now),
            Body::Trade(trade) => self.trade(header, &trade, now),
            Body::Fill(_) | Body::Order(_) | Body::Position(_) if !self.is_ours(&body) => {
                self.stats.other_subaccounts.bump();
            }
            Body::Fill(fill) => match VenueFill::try_from(*fill) {
                Ok(fill) => self.desk.report(ToDesk::Fill(fill)),
                Err(reason) => self.unreadable_report(&reason),
            },
            Body::Order(order) => match VenueOrder::try_from(*order) {
                Ok(order) => self.desk.report(ToDesk::Order(order)),
                Err(reason) => self.unreadable_report(&reason),
            },
            Body::Position(position) => self.desk.report(ToDesk::Position(position.into())),
            Body::Group(group) => self.group(&group),
            Body::Statistics(statistics) => self.statistics(&statistics, now),
            Body::Lifecycle(lifecycle) => self.catalog.step(Step::Market(lifecycle)),
            Body::EventCreated(event) => self.catalog.step(Step::Event(event)),
            Body::EventFees(fees) => self.catalog.step(Step::Fees(fees)),
            Body::Subscribed { channel, sid } => self.subscribed(&channel, sid, now),
            Body::Ok(listed) => {
                let listed = listed.as_ref();
                let listed = listed.map(|listed| listed.iter().map(|name| &**name).collect());
                self.command_done(header, listed.as_ref(), now);
            }
            Body::Unsubscribed => self.unsubscribed(header, now),
            Body::Error(failure) => self.failure(header, &failure, now)?,
            Body::Unused => self.stats.unwanted.bump(),
            Body::Unknown(kind) => {
                self.stats.unknown_types.bump();
                if self.may_log(now) {
                    tracing::warn!(kind = %kind, "frame of an unknown type left out");
                }
            }
        }
        Ok(())
    }

    /// A report is of our subaccount: the private channels tell of all that the key has. One
    /// without a number is taken for the primary account's; were it ours after all, the next
    /// comparison with the exchange finds what it said.
    fn is_ours(&self, report: &Body<'_>) -> bool {
        let subaccount = match report {
            Body::Fill(fill) => fill.subaccount(),
            Body::Order(order) => order.subaccount(),
            Body::Position(position) => position.subaccount(),
            _ => return false,
        };
        subaccount.unwrap_or(0) == self.subaccount
    }

    /// Takes note of which channel a frame came on.
    fn heard_on(&self, body: &Body<'_>, now: Timestamp) {
        let channel = match body {
            Body::Delta(_) | Body::Snapshot(_) => Channel::Books,
            Body::Trade(_) => Channel::Trades,
            Body::Fill(_) => Channel::Fills,
            Body::Order(_) => Channel::Orders,
            Body::Position(_) => Channel::Positions,
            Body::Group(_) => Channel::Groups,
            Body::Statistics(_) => Channel::Statistics,
            Body::Lifecycle(_) | Body::EventCreated(_) | Body::EventFees(_) => Channel::Lifecycle,
            Body::Subscribed { .. }
            | Body::Ok(_)
            | Body::Unsubscribed
            | Body::Error(_)
            | Body::Unused
            | Body::Unknown(_) => return,
        };
        self.stream.heard_on(channel as usize, now);
    }

    /// Takes note of a frame's number. True: the frame was seen already.
    fn is_repeated(&mut self, header: Header, now: Timestamp) -> bool {
        let (Some(sid), Some(seq)) = (header.sid, header.seq) else { return false };
        match self.tracker.observe(sid, seq) {
            Order::InOrder => false,
            Order::Duplicate => {
                self.stats.duplicates.bump();
                true
            }
            Order::Gap { expected, got } => {
                self.stream.gap();
                tracing::warn!(sid, expected, got, "frames lost");
                self.lost(sid, &format!("frames {expected} to {} were lost", got - 1), now);
                false
            }
        }
    }

    /// Something of a subscription was lost.
    fn lost(&mut self, sid: u64, reason: &str, now: Timestamp) {
        match self.channel_of(sid) {
            Some(Channel::Books) => {
                let trusted = self.books.distrust_all(now);
                self.publish_stale(trusted, reason, now);
                self.ask_for_books(now);
            }
            Some(Channel::Trades) => {
                self.lose_trades(now);
                self.trades.resubscribed(now + self.trade_delay());
            }
            Some(Channel::Lifecycle) => self.catalog.missed(),
            Some(channel) if channel.is_private() => self.desk.lost(reason),
            // The next numbers of a market are whole again.
            Some(_) | None => {}
        }
    }

    fn unreadable(&mut self, error: &WireError, now: Timestamp) {
        self.stats.malformed.bump();
        if self.may_log(now) {
            tracing::warn!(%error, "frame left out");
        }
        let WireError::Body { header, .. } = error else { return };
        if self.is_repeated(*header, now) {
            return;
        }
        if let Some(sid) = header.sid {
            self.lost(sid, "a frame could not be read", now);
        }
    }

    fn unreadable_report(&mut self, reason: &str) {
        self.stats.malformed.bump();
        tracing::error!(reason, "report on an order left out, the account will be read");
        self.desk.lost("a report could not be read");
    }

    fn group(&mut self, group: &GroupUpdate<'_>) {
        if group.is_stopped() {
            tracing::error!(group = %group.order_group_id, "the exchange stopped an order group");
            self.desk.report(ToDesk::GroupStopped { id: group.order_group_id.as_ref().into() });
        }
    }

    const fn subscription(&self, channel: Channel) -> &Subscription {
        &self.subscriptions[channel as usize]
    }

    const fn subscription_mut(&mut self, channel: Channel) -> &mut Subscription {
        &mut self.subscriptions[channel as usize]
    }

    fn channel_of(&self, sid: u64) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| self.subscription(*channel).sid() == Some(sid))
    }

    fn channel_awaiting(&self, id: u64) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| self.subscription(*channel).awaits(id))
    }

    fn may_log(&mut self, now: Timestamp) -> bool {
        let may = now.since(self.logged_at) >= LOG_PAUSE;
        if may {
            self.logged_at = now;
        }
        may
    }
}

fn subscriptions(settings: &Settings, entropy: &Entropy) -> [Subscription; Channel::ALL.len()] {
    Channel::ALL.map(|channel| {
        let backoff = Backoff::new(
            Duration::from_millis(settings.backoff_base_ms),
            Duration::from_millis(settings.backoff_cap_ms),
            entropy.rng(channel.name()),
        );
        Subscription::new(channel, settings.markets_per_command, settings.use_yes_price, backoff)
    })
}

mod data;
mod replies;
#[cfg(test)]
mod tests;
