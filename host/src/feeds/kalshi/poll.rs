//! [`Poller`]: what takes the session's place where there is no key: books and trades over
//! public REST, round after round, within the rate limits.
//!
//! Books from here are as old as a round is long, and it is said when each round began. Nothing can
//! be sent without a key, but a host that has one may hear them over Redis.

use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Tickers;
use super::settings::Settings;
use super::stats::FeedStats;
use super::trades::{Seen, requests};
use crate::bus::{Message, Proof, Snapshot, Stale};
use crate::feeds::Publish;
use crate::kalshi::{CallError, Client, Transport};
use crate::streams::Stream;

/// How far back a round looks for trades, beyond the start of the last one: reads lag.
const TRADES_MARGIN: Duration = Duration::from_secs(5);

/// Everything a poller needs.
pub(super) struct Poller<T, P> {
    pub(super) settings: Settings,
    pub(super) client: Arc<Client<T>>,
    pub(super) publish: Arc<P>,
    pub(super) stats: Arc<FeedStats>,
    pub(super) stream: Arc<Stream>,
    /// The markets to follow; closed: the feed stops.
    pub(super) markets: watch::Receiver<Arc<Tickers>>,
    pub(super) clock: Clock,
}

impl<T: Transport, P: Publish> Poller<T, P> {
    /// Runs until the catalog is gone.
    pub(super) async fn run(mut self) {
        let pause = Duration::from_millis(self.settings.poll_interval_ms);
        let mut published = Tickers::new();
        let seen = Seen::default();
        let mut since = self.clock.now();
        loop {
            let started = self.clock.now();
            let wanted = self.markets.borrow_and_update().clone();
            let left: Vec<_> = published.difference(&wanted).cloned().collect();
            published.retain(|ticker| wanted.contains(ticker));
            self.publish_stale(left, "no longer followed");
            for ticker in &*wanted {
                if self.markets.has_changed().is_err() {
                    break;
                }
                self.poll_book(ticker, &mut published).await;
            }
            // What could not be read was said to be stale.
            self.publish.publish(Message::Proof(Proof { as_of: started }), self.clock.now());
            if let Err(error) = self.poll_trades(&wanted, since, &seen).await {
                self.stats.trade_recovery_failures.bump();
                tracing::warn!(%error, "trades could not be read");
            } else {
                since = started;
            }
            // A change of what is wanted starts the next round at once.
            if let Ok(Err(_)) = timeout(pause, self.markets.changed()).await {
                break;
            }
        }
        self.publish_stale(published.into_iter().collect(), "the feed stops");
        self.stream.closed();
    }

    async fn poll_book(&self, ticker: &Arc<str>, published: &mut Tickers) {
        let book = match self.client.orderbook(ticker).await {
            Ok(book) => book.levels().ok_or_else(|| "a price above one dollar".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let now = self.clock.now();
        match book {
            Ok((bids, asks)) => {
                self.stream.succeeded();
                self.stream.message(now);
                self.stats.snapshots.bump();
                published.insert(ticker.clone());
                let snapshot = Snapshot { ticker: ticker.clone(), bids, asks, ts: now };
                self.publish.publish(Message::Snapshot(snapshot), now);
            }
            Err(reason) => {
                self.stream.failed(&reason);
                if published.remove(ticker) {
                    self.publish_stale(vec![ticker.clone()], &reason);
                }
            }
        }
    }

    async fn poll_trades(
        &self,
        wanted: &Tickers,
        since: Timestamp,
        seen: &Seen,
    ) -> Result<(), CallError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let margin = u64::try_from(TRADES_MARGIN.as_nanos()).unwrap_or(u64::MAX);
        let from = Timestamp::from_nanos(since.as_nanos().saturating_sub(margin));
        for market in requests(wanted, self.settings.trade_recovery_markets) {
            for mut trade in self.client.trades(market.as_deref(), from).await? {
                let Some(ticker) = wanted.get(&trade.ticker) else { continue };
                if !seen.is_new(&trade.trade_id) {
                    continue;
                }
                trade.ticker = ticker.clone();
                self.stats.trades.bump();
                self.publish.publish(Message::Trade(trade), self.clock.now());
            }
        }
        Ok(())
    }

    fn publish_stale(&self, tickers: Vec<Arc<str>>, reason: &str) {
        if !tickers.is_empty() {
            let stale = Stale { tickers, reason: reason.to_owned() };
            self.publish.publish(Message::Stale(stale), self.clock.now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hotpit_rt::Entropy;
    use tokio::sync::mpsc;

    use super::*;
    use crate::kalshi;
    use crate::kalshi::client::tests::{Fake, status};

    struct Tape(Mutex<mpsc::UnboundedSender<String>>);

    impl Publish for Tape {
        fn publish(&self, message: Message, _: Timestamp) {
            let word = match message {
                Message::Snapshot(book) => format!("snapshot {}", book.ticker),
                Message::Stale(stale) => format!("stale {}", stale.tickers.join("+")),
                Message::Trade(trade) => format!("trade {}", trade.trade_id),
                Message::Proof(_) => "proof".to_owned(),
                other => format!("{other:?}"),
            };
            self.0.lock().unwrap().send(word).unwrap();
        }
    }

    #[tokio::test]
    async fn books_and_trades_are_polled_and_a_failure_is_stale() {
        let api = Arc::new(Fake::default());
        let book = r#"{"orderbook_fp":{"yes_dollars":[["0.4","1"]],"no_dollars":null}}"#;
        api.json("GET /markets/A/orderbook", book);
        api.on("GET /markets/A/orderbook", status(404, r#"{"msg":"gone"}"#));
        api.json("GET /markets/B/orderbook", book);
        let trades = r#"{"trades":[{"trade_id":"t1","ticker":"A","count_fp":"1","yes_price_dollars":"0.4",
            "taker_book_side":"bid","created_time":"2026-01-01T00:00:00Z"}]}"#;
        api.json("GET /markets/trades", trades);
        let clock = Clock::system();
        let settings = kalshi::Settings::default();
        let streams = crate::streams::Streams::new(clock, Entropy::seeded(1));
        let rest = streams.open("kalshi rest", settings.policy());
        let client = Client::new(Arc::clone(&api), None, settings, rest, clock, Entropy::seeded(1));
        let (sender, mut heard) = mpsc::unbounded_channel();
        let tickers: Tickers = ["A".into(), "B".into()].into();
        let (markets, followed) = watch::channel(Arc::new(tickers));
        let poller = Poller {
            settings: Settings { poll_interval_ms: 1, ..Settings::default() },
            client: Arc::new(client),
            publish: Arc::new(Tape(Mutex::new(sender))),
            stats: Arc::default(),
            stream: streams.open("kalshi", crate::streams::Policy::default()),
            markets: followed,
            clock,
        };
        let polling = tokio::spawn(poller.run());
        let expected =
            ["snapshot A", "snapshot B", "proof", "trade t1", "stale A", "snapshot B", "proof"];
        for expected in expected {
            assert_eq!(heard.recv().await.unwrap(), expected);
        }
        drop(markets);
        polling.await.unwrap();
        let mut last = String::new();
        while let Ok(word) = heard.try_recv() {
            last = word;
        }
        assert_eq!(last, "stale B");
    }
}
