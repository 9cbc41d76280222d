//! The WebSocket sessions as the exchange sees them: who is subscribed to what, and which
//! sequence number comes next.
//!
//! There is one `sid` for a channel and connection, and one sequence for all its markets: every
//! frame of it that has a `seq` takes the next number, `ok` and `unsubscribed` included (Kalshi,
//! WebSocket, measured in recordings). All of it happens in the task that owns the books, so
//! that a snapshot stands at its exact place between the deltas.
//!
//! The queue to a connection is bounded. A frame that finds it full kills its subscription with
//! error 25, for which, and for answers to commands, some room is kept free. Who does not even
//! take these is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use hotpit_units::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::channels::{Channel, Code};
use super::door::Cut;
use super::faults::{Board, FrameTarget};
use super::frames::{self, Body, Frame};
use crate::core::{AccountId, Effect, Exchange, MarketKey};

/// Room that is kept free in every queue for answers to commands and for error 25.
pub(super) const REPLY_ROOM: usize = 64;

/// Names a connection for as long as the exchange runs.
pub(super) type ConnectionId = u64;

/// What the queue to a connection is made of.
pub(super) struct Outbox {
    /// Frames in the order in which they are sent.
    pub(super) frames: mpsc::Sender<Frame>,
    /// Ends the connection.
    pub(super) cut: Arc<Cut>,
}

/// Which markets a subscription is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    /// All of them, also those that come later.
    All,
    /// These.
    Only(BTreeSet<MarketKey>),
}

impl Filter {
    fn admits(&self, market: MarketKey) -> bool {
        match self {
            Self::All => true,
            Self::Only(markets) => markets.contains(&market),
        }
    }
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) sid: u64,
    /// The number that the last sequenced frame had.
    seq: u64,
    pub(super) filter: Filter,
    pub(super) use_yes_price: bool,
    pub(super) skip_ticker_ack: bool,
}

impl Subscription {
    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

/// One connection.
pub(super) struct Session {
    /// The primary account of its key. It hears of all subaccounts (Kalshi's frames bear their
    /// numbers; no subscription asks for one).
    owner: AccountId,
    key: String,
    outbox: Outbox,
    next_sid: u64,
    pub(super) subscriptions: BTreeMap<Channel, Subscription>,
    /// A frame that is sent after the next of its channel.
    swapped: Option<(Channel, Frame)>,
}

/// Everything of a frame that does not depend on the connection.
pub(super) struct Draft<'a> {
    pub(super) channel: Channel,
    pub(super) kind: &'static str,
    /// The market's ticker, for aiming faults.
    pub(super) market: Option<&'a str>,
    pub(super) body: &'a Body,
    /// The id of the command that asked for it.
    pub(super) id: Option<u64>,
}

/// How frames leave: through the faults that are posted, at a time.
pub(super) struct Exit<'a> {
    pub(super) faults: Option<std::sync::MutexGuard<'a, Board>>,
    pub(super) now: Timestamp,
}

impl<'a> Exit<'a> {
    pub(super) fn new(board: &'a Mutex<Board>, now: Timestamp) -> Self {
        let board = board.lock().unwrap_or_else(PoisonError::into_inner);
        Self { faults: (!board.is_empty()).then_some(board), now }
    }
}

impl Session {
    pub(super) fn new(owner: AccountId, key: String, outbox: Outbox) -> Self {
        Self { owner, key, outbox, next_sid: 0, subscriptions: BTreeMap::new(), swapped: None }
    }

    /// The session's key id.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Ends the connection without a goodbye.
    pub(super) fn cut(&self) {
        self.outbox.cut.now();
    }

    /// Opens a subscription; its sid.
    pub(super) fn open(
        &mut self,
        channel: Channel,
        filter: Filter,
        use_yes_price: bool,
        skip_ticker_ack: bool,
    ) -> u64 {
        self.next_sid += 1;
        let sid = self.next_sid;
        let subscription = Subscription { sid, seq: 0, filter, use_yes_price, skip_ticker_ack };
        self.subscriptions.insert(channel, subscription);
        sid
    }

    /// The channel of a subscription.
    pub(super) fn channel_of(&self, sid: u64) -> Option<Channel> {
        self.subscriptions
            .iter()
            .find(|(_, subscription)| subscription.sid == sid)
            .map(|(channel, _)| *channel)
    }

    /// Sends a data frame to the session's subscription on its channel, if there is one.
    pub(super) fn send(&mut self, draft: &Draft<'_>, exit: &mut Exit<'_>) {
        if self.outbox.frames.capacity() <= REPLY_ROOM {
            self.overflow(draft.channel);
            return;
        }
        let Some(subscription) = self.subscriptions.get_mut(&draft.channel) else { return };
        let seq = draft.channel.is_sequenced().then(|| subscription.next_seq());
        let frame = Frame {
            kind: draft.kind,
            id: draft.id,
            sid: Some(subscription.sid),
            seq,
            body: Some(Arc::clone(draft.body)),
            due: None,
            malformed: false,
        };
        self.leave(Some(draft.channel), draft.market, frame, exit);
    }

    /// Sends an answer to a command. `sequenced` names the subscription whose sequence it is in.
    pub(super) fn reply(
        &mut self,
        kind: &'static str,
        id: Option<u64>,
        sequenced: Option<Channel>,
        body: Option<&Value>,
        exit: &mut Exit<'_>,
    ) {
        let subscription = sequenced.and_then(|channel| self.subscriptions.get_mut(&channel));
        let (sid, seq) = match subscription {
            Some(subscription) => (Some(subscription.sid), Some(subscription.next_seq())),
            None => (None, None),
        };
        let frame = Frame {
            kind,
            id,
            sid,
            seq,
            body: body.map(|body| body.to_string().into()),
            due: None,
            malformed: false,
        };
        self.leave(None, None, frame, exit);
    }

    /// Sends an error.
    pub(super) fn refuse(
        &mut self,
        id: Option<u64>,
        code: Code,
        market: Option<&str>,
        exit: &mut Exit<'_>,
    ) {
        let mut body = json!({ "code": code.number(), "msg": code.text() });
        if let Some(market) = market {
            body["market_ticker"] = json!(market);
        }
        self.reply("error", id, None, Some(&body), exit);
    }

    /// Kills a subscription because its reader is too slow.
    fn overflow(&mut self, channel: Channel) {
        let Some(mut subscription) = self.subscriptions.remove(&channel) else { return };
        let code = Code::BufferOverflow;
        let body = json!({ "code": code.number(), "msg": code.text() }).to_string();
        let frame = Frame {
            kind: "error",
            id: None,
            sid: Some(subscription.sid),
            seq: channel.is_sequenced().then(|| subscription.next_seq()),
            body: Some(body.into()),
            due: None,
            malformed: false,
        };
        self.queue(frame);
    }

    fn leave(
        &mut self,
        channel: Option<Channel>,
        market: Option<&str>,
        mut frame: Frame,
        exit: &mut Exit<'_>,
    ) {
        if let Some(board) = &mut exit.faults {
            let target =
                FrameTarget { channel: channel.map(Channel::name), market, key: &self.key };
            let verdict = board.judge_frame(target, exit.now);
            if verdict.drop {
                return;
            }
            if let (true, Some(channel)) = (verdict.overflow, channel) {
                self.overflow(channel);
                return;
            }
            frame.due = (!verdict.delay.is_zero()).then(|| Instant::now() + verdict.delay);
            frame.malformed = verdict.malformed;
            if verdict.unknown_type {
                frame.kind = "practice_exchange_mystery";
            }
            if let (true, Some(body)) = (verdict.numbers, &frame.body) {
                frame.body = Some(frames::numbers_for_strings(body).into());
            }
            if verdict.duplicate {
                self.queue(frame.clone());
            }
            if let (true, Some(channel), None) = (verdict.swap, channel, &self.swapped) {
                self.swapped = Some((channel, frame));
                return;
            }
        }
        self.queue(frame);
        let swapped = self.swapped.take_if(|(swapped, _)| channel == Some(*swapped));
        if let Some((_, frame)) = swapped {
            self.queue(frame);
        }
    }

    fn queue(&mut self, frame: Frame) {
        if self.outbox.frames.try_send(frame).is_err() {
            self.cut();
        }
    }
}

/// All connections.
#[derive(Default)]
pub(super) struct Sessions {
    next: ConnectionId,
    sessions: BTreeMap<ConnectionId, Session>,
}

impl Sessions {
    pub(super) fn connect(&mut self, session: Session) -> ConnectionId {
        self.next += 1;
        self.sessions.insert(self.next, session);
        self.next
    }

    pub(super) fn disconnect(&mut self, id: ConnectionId) {
        self.sessions.remove(&id);
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(&id)
    }

    /// Cuts the connections of this key, or all; returns how many.
    pub(super) fn cut(&self, key: Option<&str>) -> usize {
        let chosen = self.sessions.values().filter(|s| key.is_none_or(|key| key == s.key()));
        chosen.inspect(|session| session.cut()).count()
    }

    /// Tells the subscribers what happened.
    pub(super) fn publish(&mut self, exchange: &Exchange, effect: &Effect, exit: &mut Exit<'_>) {
        match effect {
            Effect::Book(delta) => self.publish_delta(exchange, delta, exit),
            Effect::Trade(trade) => {
                let market = exchange.market(trade.market);
                let body = || frames::trade(market, trade);
                self.publish_public(Channel::Trade, "trade", exchange, trade.market, body, exit);
            }
            Effect::Ticker { market, ticker, ts } => {
                let body = || frames::ticker(exchange.market(*market), ticker, *ts);
                self.publish_public(Channel::Ticker, "ticker", exchange, *market, body, exit);
            }
            Effect::Fill(fill) => {
                let body = || frames::fill(exchange, fill);
                let target = (Channel::Fill, fill.account, fill.market);
                self.publish_private(target, "fill", exchange, body, exit);
            }
            Effect::Order(order) => {
                let body = || frames::user_order(exchange, order);
                let target = (Channel::UserOrders, order.account, order.market);
                self.publish_private(target, "user_order", exchange, body, exit);
            }
            Effect::Position { account, market, position, ts: _ } => {
                let owner = exchange.account(*account);
                let body = || frames::market_position(owner, exchange.market(*market), position);
                let target = (Channel::MarketPositions, *account, *market);
                self.publish_private(target, "market_position", exchange, body, exit);
            }
            Effect::OrderGroup(update) => {
                let body = frames::order_group(update);
                let (channel, kind) = (Channel::OrderGroupUpdates, "order_group_updates");
                let draft = Draft { channel, kind, market: None, body: &body, id: None };
                let owner = exchange.account(update.account).owner;
                let own = self.sessions.values_mut().filter(|session| session.owner == owner);
                own.for_each(|session| session.send(&draft, exit));
            }
            Effect::Lifecycle(change) => {
                let (kind, body) = frames::lifecycle(exchange, change);
                let channel = Channel::MarketLifecycle;
                let draft = Draft { channel, kind, market: None, body: &body, id: None };
                self.sessions.values_mut().for_each(|session| session.send(&draft, exit));
            }
        }
    }

    /// A delta has up to three texts: with the `no` price, with the `yes` price, and one with the
    /// name of the order, and its subaccount, for whoever caused it.
    fn publish_delta(
        &mut self,
        exchange: &Exchange,
        delta: &crate::core::BookDelta,
        exit: &mut Exit<'_>,
    ) {
        let market = exchange.market(delta.market);
        let channel = Channel::OrderbookDelta;
        let mut shared: [Option<Body>; 2] = [None, None];
        for session in self.sessions.values_mut() {
            let Some(subscription) = session.subscriptions.get(&channel) else { continue };
            if !subscription.filter.admits(delta.market) {
                continue;
            }
            let yes = subscription.use_yes_price;
            let mine = delta.cause.as_ref().and_then(|cause| {
                let account = exchange.account(cause.account);
                let name = cause.client_order_id.as_deref()?;
                (account.owner == session.owner).then_some((name, account.subaccount))
            });
            let body = match mine {
                Some(mine) => frames::delta(market, delta, yes, Some(mine)),
                None => Arc::clone(
                    shared[usize::from(yes)]
                        .get_or_insert_with(|| frames::delta(market, delta, yes, None)),
                ),
            };
            let ticker = Some(&*market.spec.ticker);
            let kind = "orderbook_delta";
            session.send(&Draft { channel, kind, market: ticker, body: &body, id: None }, exit);
        }
    }

    fn publish_public(
        &mut self,
        channel: Channel,
        kind: &'static str,
        exchange: &Exchange,
        market: MarketKey,
        body: impl Fn() -> Body,
        exit: &mut Exit<'_>,
    ) {
        let mut shared: Option<Body> = None;
        let ticker = Some(&*exchange.market(market).spec.ticker);
        for session in self.sessions.values_mut() {
            let subscription = session.subscriptions.get(&channel);
            if subscription.is_some_and(|subscription| subscription.filter.admits(market)) {
                let body = shared.get_or_insert_with(&body);
                session.send(&Draft { channel, kind, market: ticker, body, id: None }, exit);
            }
        }
    }

    fn publish_private(
        &mut self,
        (channel, account, market): (Channel, AccountId, MarketKey),
        kind: &'static str,
        exchange: &Exchange,
        body: impl Fn() -> Body,
        exit: &mut Exit<'_>,
    ) {
        let mut shared: Option<Body> = None;
        let ticker = Some(&*exchange.market(market).spec.ticker);
        let owner = exchange.account(account).owner;
        for session in self.sessions.values_mut().filter(|session| session.owner == owner) {
            let subscription = session.subscriptions.get(&channel);
            if subscription.is_some_and(|subscription| subscription.filter.admits(market)) {
                let body = shared.get_or_insert_with(&body);
                session.send(&Draft { channel, kind, market: ticker, body, id: None }, exit);
            }
        }
    }
}
