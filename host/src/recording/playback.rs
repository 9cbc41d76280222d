//! [`Playback`]: a recording as the messages that the host made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hotpit_units::Timestamp;

use super::connections::Connections;
use super::line::{Head, Later, Line};
use super::read::{self, End};
use crate::bus::{Message, Stale};
use crate::feeds::kalshi::sequence::Order;
use crate::feeds::kalshi::wire::{Body, Frame, Header, NoScale, WireError, parse};

/// Reads recordings, in the order in which their lines were written, and hands out what each line
/// says, with the time at which it came. What is missing makes books stale, as it did in the host.
#[derive(Debug, Default)]
pub struct Playback {
    head: Option<Head>,
    connections: Connections,
    /// The markets that each subscription of books told of.
    books: BTreeMap<(u32, u64), BTreeSet<Arc<str>>>,
    last: Timestamp,
    /// Lines that say nothing that can be played.
    pub unreadable: u64,
}

impl Playback {
    /// Plays a file after those that were played before.
    ///
    /// # Errors
    /// When it cannot be read, or a later version wrote it.
    pub fn file(
        &mut self,
        path: &Path,
        mut each: impl FnMut(Message, Timestamp),
    ) -> anyhow::Result<End> {
        let mut refused = None;
        let end = read::lines(path, |line| {
            if refused.is_none() {
                refused = self.line(line, &mut each).err();
            }
        })?;
        match refused {
            Some(later) => Err(later.into()),
            None => Ok(end),
        }
    }

    /// Plays a line.
    ///
    /// # Errors
    /// When it is the head of a file that a later version wrote.
    pub fn line(
        &mut self,
        text: &str,
        each: &mut impl FnMut(Message, Timestamp),
    ) -> Result<(), Later> {
        let Ok(line) = Line::read(text) else {
            self.unreadable += 1;
            return Ok(());
        };
        if let Some(ms) = line.received_ms {
            self.last = self.last.max(Timestamp::from_millis(ms));
        }
        let now = self.last;
        if let Some(head) = &line.recording {
            head.check()?;
            if self.head.as_ref().is_some_and(|known| known.started_ms != head.started_ms) {
                self.connections.clear();
                self.stale(|_| true, "another recording begins", now, each);
            }
            self.head = Some(head.clone());
        } else if let Some(message) = line.message {
            match serde_json::from_str(message.get()) {
                Ok(message) => each(message, now),
                Err(_) => self.unreadable += 1,
            }
        } else if let Some(reason) = &line.closed {
            let closed = line.connection.unwrap_or_default();
            self.stale(|(connection, _)| connection == closed, reason, now, each);
        } else if let Some(frame) = line.frame_text() {
            self.frame(frame, &line, now, each);
        }
        Ok(())
    }

    fn frame(
        &mut self,
        text: &str,
        line: &Line<'_>,
        now: Timestamp,
        each: &mut impl FnMut(Message, Timestamp),
    ) {
        let (header, body) = match parse(text) {
            Ok(Frame { header, body }) => (header, Some(body)),
            Err(WireError::Body { header, .. }) => (header, None),
            Err(WireError::NotAFrame(_)) => {
                self.unreadable += 1;
                return;
            }
        };
        let connection = self.connections.of(line, header);
        if let Some(Body::Subscribed { sid, .. }) = body {
            self.connections.forget(connection, sid);
        }
        let is_answer = matches!(body, Some(Body::Snapshot(_))) && header.id.is_some();
        let key = (connection, header.sid.unwrap_or_default());
        match self.connections.number(connection, header, is_answer) {
            Order::InOrder => {}
            Order::Duplicate => return,
            Order::Gap { .. } => self.stale(|it| it == key, "frames are missing", now, each),
        }
        let scale = match line.use_yes_price {
            Some(true) => NoScale::YesLeg,
            Some(false) | None => NoScale::NoLeg,
        };
        match body {
            None => {
                self.unreadable += 1;
                self.stale(|it| it == key, "a frame cannot be read", now, each);
            }
            Some(body) => self.body(key, header, &body, scale, now, each),
        }
    }

    fn body(
        &mut self,
        key: (u32, u64),
        header: Header,
        body: &Body<'_>,
        scale: NoScale,
        now: Timestamp,
        each: &mut impl FnMut(Message, Timestamp),
    ) {
        let message = match body {
            Body::Snapshot(snapshot) => {
                let ticker: Arc<str> = (&*snapshot.market_ticker).into();
                self.books.entry(key).or_default().insert(Arc::clone(&ticker));
                snapshot.message(ticker, scale, now).map(Message::Snapshot)
            }
            Body::Delta(delta) => {
                delta.message((&*delta.market_ticker).into(), scale, now).map(Message::Delta)
            }
            Body::Trade(trade) if !trade.is_block_trade => {
                trade.message((&*trade.market_ticker).into(), now).map(Message::Trade)
            }
            Body::Statistics(it) => {
                Some(Message::Statistics(it.message((&*it.market_ticker).into(), now)))
            }
            Body::Error(failure) if matches!(failure.code, 10 | 25) => {
                self.stale(|it| it == key, "the exchange ended the subscription", now, each);
                None
            }
            Body::Unsubscribed => {
                self.stale(|it| it == key, "the subscription ended", now, each);
                self.connections.forget(key.0, header.sid.unwrap_or_default());
                None
            }
            // What they tell of markets the host had from its catalog, and is in messages.
            Body::Lifecycle(_) | Body::EventCreated(_) | Body::EventFees(_) => None,
            Body::Trade(_)
            | Body::Error(_)
            | Body::Subscribed { .. }
            | Body::Ok(_)
            | Body::Fill(_)
            | Body::Order(_)
            | Body::Position(_)
            | Body::Group(_)
            | Body::Unused
            | Body::Unknown(_) => None,
        };
        if let Some(message) = message {
            each(message, now);
        }
    }

    /// The books of these subscriptions cannot be trusted any more.
    fn stale(
        &mut self,
        is_it: impl Fn((u32, u64)) -> bool,
        reason: &str,
        now: Timestamp,
        each: &mut impl FnMut(Message, Timestamp),
    ) {
        let mut tickers = Vec::new();
        self.books.retain(|key, held| {
            if is_it(*key) {
                tickers.extend(std::mem::take(held));
                return false;
            }
            true
        });
        if !tickers.is_empty() {
            each(Message::Stale(Stale { tickers, reason: reason.to_owned() }), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What lines become, as the kinds of messages and the second in which each came.
    fn played(lines: &[String]) -> Vec<(u64, Value)> {
        let mut playback = Playback::default();
        let mut messages = vec![];
        for line in lines {
            let each = &mut |message: Message, at: Timestamp| {
                messages.push((at.as_secs(), serde_json::to_value(message).unwrap()));
            };
            playback.line(line, each).unwrap();
        }
        messages
    }

    fn kinds(messages: &[(u64, Value)]) -> Vec<(u64, &str)> {
        messages.iter().map(|(at, message)| (*at, message["type"].as_str().unwrap())).collect()
    }

    fn frame(secs: u64, connection: u32, seq: u64, kind: &str, msg: &Value) -> String {
        let frame = json!({"type": kind, "sid": 2, "seq": seq, "msg": msg}).to_string();
        serde_json::to_string(&Line::of_frame(secs * 1_000, connection, true, &frame)).unwrap()
    }

    fn snapshot(secs: u64, connection: u32, seq: u64) -> String {
        let msg = json!({"market_ticker": "A", "no_dollars_fp": [["0.6000", "1.00"]]});
        frame(secs, connection, seq, "orderbook_snapshot", &msg)
    }

    fn delta(secs: u64, connection: u32, seq: u64) -> String {
        let msg = json!({
            "market_ticker": "A", "price_dollars": "0.5000", "delta_fp": "1.00", "side": "yes",
        });
        frame(secs, connection, seq, "orderbook_delta", &msg)
    }

    #[test]
    fn what_is_missing_makes_the_books_of_its_subscription_stale_first() {
        let messages = played(&[
            snapshot(1, 1, 1),
            delta(2, 1, 2),
            delta(3, 1, 4),
            delta(4, 1, 4),
            snapshot(5, 1, 5),
        ]);
        let expected = [(1, "snapshot"), (2, "delta"), (3, "stale"), (3, "delta"), (5, "snapshot")];
        assert_eq!(kinds(&messages), expected);
        assert_eq!(messages[0].1["asks"][0]["price"], "0.6000", "in prices of the YES leg");
        assert_eq!(messages[2].1["tickers"], json!(["A"]));
    }

    #[test]
    fn a_connection_that_ends_takes_its_books_with_it_and_time_does_not_go_back() {
        let closed = json!({"received_ms": 3_000, "connection": 1, "closed": "reset"}).to_string();
        let game = json!({"received_ms": 2_000, "message": {"type": "stale", "tickers": [],
            "reason": "x"}});
        let lines =
            [snapshot(1, 1, 1), snapshot(2, 2, 1), closed, game.to_string(), "x".to_owned()];
        let messages = played(&lines);
        let expected = [(1, "snapshot"), (2, "snapshot"), (3, "stale"), (3, "stale")];
        assert_eq!(kinds(&messages), expected);
        assert_eq!(messages[2].1["reason"], "reset");
    }
}
