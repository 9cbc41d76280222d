//! Public trades, each published once: what was seen, and what must be read over REST.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hotpit_units::Timestamp;

use super::Tickers;

/// How many ids of trades are remembered, over all connections: those of ten minutes, which is how
/// far a recovery looks back, at 160 trades a second. Beyond, one may be published twice.
const SEEN_MAX: usize = 100_000;
/// How far before a break a recovery looks: clocks differ, and REST counts in seconds.
const MARGIN: Duration = Duration::from_secs(2);
/// The pause before a recovery that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How often a recovery is tried.
const TRIES_MAX: u32 = 5;

/// A reading of missed trades over REST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TradeQuery {
    /// Since when.
    pub(super) since: Timestamp,
    /// In which markets.
    pub(super) tickers: Tickers,
}

#[derive(Debug)]
struct Missing {
    query: TradeQuery,
    /// When it is to be read; none: not before the channel is subscribed again.
    due: Option<Timestamp>,
    tries: u32,
    is_under_way: bool,
}

/// The trades that were published, over all connections and readings of the feed.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    known: HashSet<Arc<str>>,
    order: VecDeque<Arc<str>>,
}

impl Seen {
    /// Takes note of a trade; false: it was published already.
    pub(super) fn is_new(&self, id: &Arc<str>) -> bool {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !ids.known.insert(id.clone()) {
            return false;
        }
        ids.order.push_back(id.clone());
        if ids.order.len() > SEEN_MAX
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
        true
    }
}

/// The trades that one connection missed.
#[derive(Debug, Default)]
pub(super) struct Trades {
    missing: Option<Missing>,
}

impl Trades {
    /// Trades in these markets may be missing since `since`. They are read when the channel is
    /// subscribed [again](Self::resubscribed).
    pub(super) fn lost(&mut self, tickers: &Tickers, since: Timestamp) {
        if tickers.is_empty() {
            return;
        }
        let since = Timestamp::from_nanos(
            since.as_nanos().saturating_sub(u64::try_from(MARGIN.as_nanos()).unwrap_or(0)),
        );
        let mut query = TradeQuery { since, tickers: tickers.clone() };
        if let Some(earlier) = self.missing.take() {
            query.since = query.since.min(earlier.query.since);
            query.tickers.extend(earlier.query.tickers);
        }
        self.missing = Some(Missing { query, due: None, tries: 0, is_under_way: false });
    }

    /// The channel is subscribed: from now on trades come by themselves.
    pub(super) fn resubscribed(&mut self, due: Timestamp) {
        if let Some(missing) = &mut self.missing {
            missing.due.get_or_insert(due);
        }
    }

    /// The reading that is due, once.
    pub(super) fn query(&mut self, now: Timestamp) -> Option<TradeQuery> {
        let missing = self.missing.as_mut()?;
        if missing.is_under_way || missing.due.is_none_or(|due| due > now) {
            return None;
        }
        missing.is_under_way = true;
        Some(missing.query.clone())
    }

    /// A reading succeeded. What was lost while it was under way stays to be read.
    pub(super) fn read(&mut self) {
        if self.missing.as_ref().is_some_and(|missing| missing.is_under_way) {
            self.missing = None;
        }
    }

    /// A reading failed. False: it is given up.
    pub(super) fn read_failed(&mut self, now: Timestamp) -> bool {
        let Some(missing) = self.missing.as_mut().filter(|missing| missing.is_under_way) else {
            return true;
        };
        missing.is_under_way = false;
        missing.tries += 1;
        missing.due = Some(now + RETRY_PAUSE);
        if missing.tries >= TRIES_MAX {
            self.missing = None;
            return false;
        }
        true
    }
}

/// How trades are asked for: market by market where there are few, all at once where there are
/// many.
pub(super) fn requests(tickers: &Tickers, few: usize) -> Vec<Option<Arc<str>>> {
    if tickers.len() > few { vec![None] } else { tickers.iter().cloned().map(Some).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickers(names: &[&str]) -> Tickers {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_trade_is_new_once() {
        let seen = Seen::default();
        assert!(seen.is_new(&"a".into()));
        assert!(!seen.is_new(&"a".into()));
        for id in 0..SEEN_MAX {
            seen.is_new(&id.to_string().into());
        }
        assert_eq!(seen.0.lock().unwrap().known.len(), SEEN_MAX);
        assert!(seen.is_new(&"a".into()), "the oldest is forgotten");
    }

    #[test]
    fn what_was_lost_is_read_once_the_channel_is_back() {
        let mut trades = Trades::default();
        trades.lost(&Tickers::new(), at(1));
        trades.resubscribed(at(1));
        assert_eq!(trades.query(at(9)), None);
        trades.lost(&tickers(&["A"]), at(100));
        trades.lost(&tickers(&["B"]), at(110));
        assert_eq!(trades.query(at(200)), None);
        trades.resubscribed(at(121));
        assert_eq!(trades.query(at(120)), None);
        let query = TradeQuery { since: at(98), tickers: tickers(&["A", "B"]) };
        assert_eq!(trades.query(at(121)), Some(query));
        assert_eq!(trades.query(at(122)), None);
        trades.read();
        assert_eq!(trades.query(at(200)), None);
    }

    #[test]
    fn what_is_lost_while_reading_is_read_again() {
        let mut trades = Trades::default();
        trades.lost(&tickers(&["A"]), at(100));
        trades.resubscribed(at(100));
        trades.query(at(100));
        trades.lost(&tickers(&["A"]), at(105));
        trades.read();
        trades.resubscribed(at(106));
        assert!(trades.query(at(106)).is_some());
    }

    #[test]
    fn a_reading_that_fails_is_tried_again_and_then_given_up() {
        let mut trades = Trades::default();
        trades.lost(&tickers(&["A"]), at(100));
        trades.resubscribed(at(100));
        let mut tries = 0;
        for second in 100..200 {
            if trades.query(at(second)).is_some() {
                tries += 1;
                assert_eq!(trades.read_failed(at(second)), tries < TRIES_MAX);
            }
        }
        assert_eq!(tries, TRIES_MAX);
    }

    #[test]
    fn many_markets_are_read_together() {
        assert_eq!(requests(&tickers(&["A", "B"]), 2).len(), 2);
        assert_eq!(requests(&tickers(&["A", "B", "C"]), 2), [None]);
    }
}
