//! [`Core`]: what a session knows and does, without its socket.
//!
//! It takes frames, changes of what is wanted, and the time; it publishes messages, and leaves
//! commands for the socket. It never waits and has no clock, so a test drives it frame by frame.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::Restart;
use super::books::Books;
use super::channel::Subscription;
use super::reports::{CatalogLink, DeskLink};
use crate::bus::{Message, Stale};
use crate::desk::ToDesk;
use crate::feeds::Publish;
use crate::feeds::kalshi::Tickers;
use crate::feeds::kalshi::catalog::Step;
use crate::feeds::kalshi::sequence::{Order, Tracker};
use crate::feeds::kalshi::settings::Settings;
use crate::feeds::kalshi::stats::FeedStats;
use crate::feeds::kalshi::trades::{TradeQuery, Trades};
use crate::feeds::kalshi::wire::{
    Body, Channel, Delta, Frame, Header, NoScale, Snapshot, Trade, WireError, parse,
};
use crate::model::{self, VenueFill, VenueOrder};

/// The shortest time between two lines in the log on frames that cannot be read.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// How far back missed trades are looked for, at most.
const TRADES_LOOK_BACK_SECS_MAX: u64 = 600;

/// A session without its socket.
pub(super) struct Core<P> {
    settings: Settings,
    publish: P,
    stats: Arc<FeedStats>,
    desk: DeskLink,
    catalog: CatalogLink,
    wanted: Arc<Tickers>,
    trades: Trades,
    /// What the exchange's clock showed last.
    venue_time: Option<Timestamp>,
    /// When the last trade was made that was heard of, or the trades were subscribed.
    trades_heard: Option<Timestamp>,
    logged_at: Timestamp,
    // What follows belongs to one connection.
    tracker: Tracker,
    subscriptions: [Subscription; Channel::ALL.len()],
    books: Books,
    last_id: u64,
    commands: Vec<String>,
}

impl<P: Publish> Core<P> {
    pub(super) fn new(
        settings: Settings,
        publish: P,
        stats: Arc<FeedStats>,
        desk: DeskLink,
        catalog: CatalogLink,
    ) -> Self {
        Self {
            subscriptions: subscriptions(&settings),
            settings,
            publish,
            stats,
            desk,
            catalog,
            wanted: Arc::default(),
            trades: Trades::default(),
            venue_time: None,
            trades_heard: None,
            logged_at: Timestamp::EPOCH,
            tracker: Tracker::default(),
            books: Books::default(),
            last_id: 0,
            commands: Vec::new(),
        }
    }

    /// A connection is open.
    pub(super) fn opened(&self) {
        self.stats.connects.bump();
    }

    /// Other markets are wanted.
    pub(super) fn want(&mut self, wanted: Arc<Tickers>, now: Timestamp) {
        self.wanted = wanted;
        self.subscriptions.iter_mut().for_each(Subscription::wake);
        self.advance(now);
    }

    /// Whoever keeps the books found these not to fit: they are read anew.
    pub(super) fn rebuild(&mut self, tickers: &[Arc<str>], now: Timestamp) {
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
        self.flush();
        self.advance(now);
        Ok(())
    }

    /// Tells desk and catalog what they had no room for.
    pub(super) fn flush(&mut self) {
        self.desk.flush();
        self.catalog.flush();
    }

    /// The reading of missed trades that is due, if one is.
    pub(super) fn trade_query(&mut self, now: Timestamp) -> Option<TradeQuery> {
        self.trades.query(now)
    }

    /// Missed trades were read.
    pub(super) fn trades_read(
        &mut self,
        query: &TradeQuery,
        read: Vec<model::Trade>,
        now: Timestamp,
    ) {
        self.trades.read();
        for mut trade in read {
            let Some(ticker) = query.tickers.get(&trade.ticker) else { continue };
            if trade.ts < query.since {
                continue;
            }
            let Some(id) = self.trades.is_new(&trade.trade_id) else { continue };
            (trade.trade_id, trade.ticker) = (id, ticker.clone());
            self.stats.trades_recovered.bump();
            self.publish.publish(Message::Trade(trade), now);
        }
    }

    /// Missed trades could not be read.
    pub(super) fn trades_not_read(&mut self, reason: &str, now: Timestamp) {
        self.stats.trade_recovery_failures.bump();
        if self.trades.read_failed(now) {
            tracing::warn!(reason, "missed trades could not be read, will be tried again");
        } else {
            tracing::error!(reason, "missed trades could not be read and stay missing");
        }
    }

    /// The connection is gone.
    pub(super) fn closed(&mut self, reason: &str, now: Timestamp) {
        self.stats.disconnects.bump();
        self.stats.failed(reason);
        let trusted = self.books.clear();
        self.publish_stale(trusted, reason, now);
        self.desk.disconnected(reason);
        self.lose_trades(now);
        self.tracker = Tracker::default();
        self.subscriptions = subscriptions(&self.settings);
        self.commands.clear();
        self.last_id = 0;
    }

    /// A frame came.
    pub(super) fn frame(&mut self, text: &str, now: Timestamp) -> Result<(), Restart> {
        self.stats.frames.bump();
        self.stats.bytes.add(text.len() as u64);
        let Frame { header, body } = match parse(text) {
            Ok(frame) => frame,
            Err(error) => {
                self.unreadable(&error, now);
                return Ok(());
            }
        };
        if let Some(ms) = header.sending_ts_ms {
            let sent = Timestamp::from_millis(ms);
            self.stats.sent_at(sent, now);
            self.saw_venue_time(sent);
        }
        if self.is_repeated(header, now) {
            return Ok(());
        }
        self.apply(header, body, now)
    }

    fn apply(&mut self, header: Header, body: Body<'_>, now: Timestamp) -> Result<(), Restart> {
        match body {
            Body::Delta(delta) => self.delta(header, &delta, now),
            Body::Snapshot(snapshot) => self.snapshot(&snapshot, now),
            Body::Trade(trade) => self.trade(&trade, now),
            Body::Fill(fill) => match VenueFill::try_from(*fill) {
                Ok(fill) => self.desk.report(ToDesk::Fill(fill)),
                Err(reason) => self.unreadable_report(&reason),
            },
            Body::Order(order) => match VenueOrder::try_from(*order) {
                Ok(order) => self.desk.report(ToDesk::Order(order)),
                Err(reason) => self.unreadable_report(&reason),
            },
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
                self.stats.gaps.bump();
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
            Some(Channel::Fills | Channel::Orders) => self.desk.lost(reason),
            None => {}
        }
    }

    fn lose_trades(&mut self, now: Timestamp) {
        // Not the time of the frame that shows the loss: it may come long after what was lost.
        let venue_now = self.venue_time.unwrap_or(now).min(now);
        let earliest = venue_now.as_secs().saturating_sub(TRADES_LOOK_BACK_SECS_MAX);
        let since = self.trades_heard.unwrap_or(venue_now).min(venue_now);
        let since = since.max(Timestamp::from_secs(earliest));
        self.trades.lost(self.subscriptions[Channel::Trades as usize].held(), since);
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

    fn delta(&mut self, header: Header, delta: &Delta<'_>, now: Timestamp) {
        match self.books.trusted(&delta.market_ticker) {
            Some(Ok(ticker)) => {
                if let Some(delta) = delta.message(ticker.clone(), self.scale(), now) {
                    self.stats.deltas.bump();
                    self.saw_venue_time(delta.ts);
                    self.publish.publish(Message::Delta(delta), now);
                } else if let Some(sid) = header.sid {
                    self.stats.malformed.bump();
                    self.lost(sid, "a change has a price above one dollar", now);
                }
            }
            Some(Err(())) => self.stats.deltas_held_back.bump(),
            None => self.stats.unwanted.bump(),
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot<'_>, now: Timestamp) {
        let name = &*snapshot.market_ticker;
        let Some(ticker) = self.books.ticker(name).cloned() else {
            self.stats.unwanted.bump();
            return;
        };
        let Some(message) = snapshot.message(ticker, self.scale(), now) else {
            self.stats.malformed.bump();
            let trusted = self.books.distrust(name, now).into_iter().collect();
            self.publish_stale(trusted, "a snapshot has a price above one dollar", now);
            return;
        };
        self.books.snapshot(name);
        self.stats.snapshots.bump();
        self.publish.publish(Message::Snapshot(message), now);
    }

    fn trade(&mut self, trade: &Trade<'_>, now: Timestamp) {
        let name = &*trade.market_ticker;
        let known = self.books.ticker(name).or_else(|| self.wanted.get(name));
        let Some(ticker) = known.filter(|_| !trade.is_block_trade).cloned() else {
            self.stats.unwanted.bump();
            return;
        };
        let Some(id) = self.trades.is_new(&trade.trade_id) else {
            self.stats.trades_repeated.bump();
            return;
        };
        let Some(trade) = trade.message(id, ticker, now) else {
            self.stats.malformed.bump();
            return;
        };
        self.stats.trades.bump();
        self.saw_venue_time(trade.ts);
        self.trades_heard = self.trades_heard.max(Some(trade.ts));
        self.publish.publish(Message::Trade(trade), now);
    }

    fn publish_stale(&self, tickers: Vec<Arc<str>>, reason: &str, now: Timestamp) {
        if !tickers.is_empty() {
            let stale = Stale { tickers, reason: reason.to_owned() };
            self.publish.publish(Message::Stale(stale), now);
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

    fn saw_venue_time(&mut self, time: Timestamp) {
        self.venue_time = self.venue_time.max(Some(time));
    }

    fn may_log(&mut self, now: Timestamp) -> bool {
        let may = now.since(self.logged_at) >= LOG_PAUSE;
        if may {
            self.logged_at = now;
        }
        may
    }

    const fn trade_delay(&self) -> Duration {
        Duration::from_millis(self.settings.trade_recovery_delay_ms)
    }

    const fn scale(&self) -> NoScale {
        if self.settings.use_yes_price { NoScale::YesLeg } else { NoScale::NoLeg }
    }
}

fn subscriptions(settings: &Settings) -> [Subscription; Channel::ALL.len()] {
    Channel::ALL.map(|channel| {
        Subscription::new(channel, settings.markets_per_command, settings.use_yes_price)
    })
}

mod replies;
#[cfg(test)]
mod tests;
