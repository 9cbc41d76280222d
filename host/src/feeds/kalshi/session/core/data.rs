//! Market data: what a frame says of a book, a trade or a market's numbers becomes a message.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::Core;
use crate::bus::{Message, Stale};
use crate::feeds::Publish;
use crate::feeds::kalshi::trades::TradeQuery;
use crate::feeds::kalshi::wire::{Channel, Delta, Header, NoScale, Snapshot, Statistics, Trade};
use crate::model;

/// How far back missed trades are looked for, at most.
const TRADES_LOOK_BACK_SECS_MAX: u64 = 600;

impl<P: Publish> Core<P> {
    /// The reading of missed trades that is due, if one is.
    pub(in crate::feeds::kalshi::session) fn trade_query(
        &mut self,
        now: Timestamp,
    ) -> Option<TradeQuery> {
        self.trades.query(now)
    }

    /// Missed trades were read.
    pub(in crate::feeds::kalshi::session) fn trades_read(
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
            if !self.seen.is_new(&trade.trade_id) {
                continue;
            }
            trade.ticker = ticker.clone();
            self.stats.trades_recovered.bump();
            self.publish.publish(Message::Trade(trade), now);
        }
    }

    /// Missed trades could not be read.
    pub(in crate::feeds::kalshi::session) fn trades_not_read(
        &mut self,
        reason: &str,
        now: Timestamp,
    ) {
        self.stats.trade_recovery_failures.bump();
        if self.trades.read_failed(now) {
            tracing::warn!(reason, "missed trades could not be read, will be tried again");
        } else {
            tracing::error!(reason, "missed trades could not be read and stay missing");
        }
    }

    pub(super) fn lose_trades(&mut self, now: Timestamp) {
        // Not the time of the frame that shows the loss: it may come long after what was lost.
        let venue_now = self.venue_time.unwrap_or(now).min(now);
        let earliest = venue_now.as_secs().saturating_sub(TRADES_LOOK_BACK_SECS_MAX);
        let since = self.trades_heard.unwrap_or(venue_now).min(venue_now);
        let since = since.max(Timestamp::from_secs(earliest));
        self.trades.lost(self.subscriptions[Channel::Trades as usize].held(), since);
    }

    pub(super) fn delta(&mut self, header: Header, delta: &Delta<'_>, now: Timestamp) {
        match self.books.trusted(&delta.market_ticker) {
            Some(Ok(ticker)) => {
                if let Some(delta) = delta.message(ticker.clone(), self.scale(), now) {
                    self.stats.deltas.bump();
                    self.saw_engine_time(header, delta.ts, now);
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

    pub(super) fn snapshot(&mut self, snapshot: &Snapshot<'_>, now: Timestamp) {
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

    pub(super) fn trade(&mut self, header: Header, trade: &Trade<'_>, now: Timestamp) {
        let name = &*trade.market_ticker;
        let known = self.books.ticker(name).or_else(|| self.wanted.get(name));
        let Some(ticker) = known.filter(|_| !trade.is_block_trade).cloned() else {
            self.stats.unwanted.bump();
            return;
        };
        let Some(trade) = trade.message(ticker, now) else {
            self.stats.malformed.bump();
            if let Some(sid) = header.sid {
                self.lost(sid, "a trade has no side", now);
            }
            return;
        };
        if !self.seen.is_new(&trade.trade_id) {
            self.stats.trades_repeated.bump();
            return;
        }
        self.stats.trades.bump();
        self.saw_engine_time(header, trade.ts, now);
        self.trades_heard = self.trades_heard.max(Some(trade.ts));
        self.publish.publish(Message::Trade(trade), now);
    }

    pub(super) fn statistics(&mut self, statistics: &Statistics<'_>, now: Timestamp) {
        let Some(ticker) = self.wanted.get(&*statistics.market_ticker).cloned() else {
            self.stats.unwanted.bump();
            return;
        };
        let news = statistics.message(ticker.clone(), now);
        let known = self.statistics.get(&ticker);
        // Most frames of the channel tell of quotes, which the books tell better.
        let is_known = known.is_some_and(|known| {
            (known.last_price, known.volume, known.open_interest)
                == (news.last_price, news.volume, news.open_interest)
        });
        if !is_known {
            self.statistics.insert(ticker, news.clone());
            self.publish.publish(Message::Statistics(news), now);
        }
    }

    pub(super) fn publish_stale(&self, tickers: Vec<Arc<str>>, reason: &str, now: Timestamp) {
        if !tickers.is_empty() {
            let stale = Stale { tickers, reason: reason.to_owned() };
            self.publish.publish(Message::Stale(stale), now);
        }
    }

    /// Takes note of how long a frame was under way.
    pub(super) fn was_sent(&mut self, sent: Timestamp, now: Timestamp) {
        let delay = self.lag.sent(sent, now);
        self.stream.measured(delay, self.lag.skew_ms().unwrap_or(0));
        if delay <= self.settings.delay_max_ms {
            self.late_since = None;
        } else if self.late_since.is_none() {
            self.late_since = Some(now);
        }
    }

    pub(super) fn saw_venue_time(&mut self, time: Timestamp) {
        self.venue_time = self.venue_time.max(Some(time));
    }

    /// What a frame tells happened at `time`. Where it does not say when it was sent, that has to
    /// do.
    pub(super) fn saw_engine_time(&mut self, header: Header, time: Timestamp, now: Timestamp) {
        self.saw_venue_time(time);
        if header.sending_ts_ms.is_none() && time != now {
            self.was_sent(time, now);
        }
    }

    pub(super) const fn trade_delay(&self) -> Duration {
        Duration::from_millis(self.settings.trade_recovery_delay_ms)
    }

    pub(super) const fn scale(&self) -> NoScale {
        if self.settings.use_yes_price { NoScale::YesLeg } else { NoScale::NoLeg }
    }
}
