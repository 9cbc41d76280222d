//! [`Books`]: which books can be trusted, and which must be asked for again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use crate::feeds::kalshi::Tickers;

/// The shortest time between two rounds of asking for all books: a stream with gap after gap
/// must not become a storm of requests.
const ROUND_PAUSE: Duration = Duration::from_secs(1);
/// The longest time between two requests for a book whose snapshot does not come.
const ASK_PAUSE_MAX: Duration = Duration::from_secs(60);

/// What is to become of a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its snapshot came, and nothing was lost since.
    Synced,
    /// Its snapshot is awaited.
    Waiting {
        /// When it is asked for.
        ask_at: Timestamp,
        /// How often it was asked for.
        asked: u32,
    },
}

#[derive(Debug)]
struct Entry {
    ticker: Arc<str>,
    state: State,
}

/// A request for snapshots that is under way.
#[derive(Debug)]
struct Ask {
    id: u64,
    sent: Timestamp,
    /// Those that did not come yet.
    missing: Tickers,
}

/// What became of a request for snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskOutcome {
    /// Nothing to say yet, or it helped.
    Fine,
    /// Frames were lost, and the books do not come: the connection is of no use.
    Hopeless,
}

/// The books of one connection.
#[derive(Debug, Default)]
pub(super) struct Books {
    entries: HashMap<Arc<str>, Entry>,
    ask: Option<Ask>,
    /// When books were last asked for after a loss.
    last_round: Timestamp,
    lost_since_asked: bool,
    /// Since when lost books are asked for and none comes.
    in_vain_since: Option<Timestamp>,
}

impl Books {
    /// These markets are being subscribed: their snapshots come by themselves, or are asked for
    /// after `patience`. One that is trusted already stays so: its snapshot came before the answer
    /// to the command, which was then refused and is sent again.
    pub(super) fn expect(&mut self, tickers: &[Arc<str>], now: Timestamp, patience: Duration) {
        for ticker in tickers {
            if self.trusted(ticker).is_some_and(|trusted| trusted.is_ok()) {
                continue;
            }
            let state = State::Waiting { ask_at: now + patience, asked: 0 };
            self.entries.insert(ticker.clone(), Entry { ticker: ticker.clone(), state });
        }
    }

    /// These markets are followed no more. Returns those whose books were trusted.
    pub(super) fn forget(&mut self, tickers: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut trusted = Vec::new();
        for ticker in tickers {
            self.is_not_missing(ticker);
            if let Some(Entry { ticker, state: State::Synced }) = self.entries.remove(ticker) {
                trusted.push(ticker);
            }
        }
        trusted
    }

    /// Takes a book off the request under way; whether it was on it.
    fn is_not_missing(&mut self, name: &str) -> bool {
        let Some(ask) = &mut self.ask else { return false };
        let was_missing = ask.missing.remove(name);
        if ask.missing.is_empty() {
            self.ask = None;
        }
        was_missing
    }

    /// Every market that is followed.
    pub(super) fn tickers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.entries.keys()
    }

    /// The market of this name, if it is followed.
    pub(super) fn ticker(&self, name: &str) -> Option<&Arc<str>> {
        self.entries.get(name).map(|entry| &entry.ticker)
    }

    /// Markets that are held: those of which nothing is known are asked for at once.
    pub(super) fn hold<'a>(&mut self, tickers: impl Iterator<Item = &'a Arc<str>>, now: Timestamp) {
        for ticker in tickers {
            let state = State::Waiting { ask_at: now, asked: 0 };
            self.entries
                .entry(ticker.clone())
                .or_insert_with(|| Entry { ticker: ticker.clone(), state });
        }
    }

    /// A snapshot came. Returns the market, if it is followed: its book is trusted now.
    pub(super) fn snapshot(&mut self, name: &str) -> Option<Arc<str>> {
        let entry = self.entries.get_mut(name)?;
        entry.state = State::Synced;
        let ticker = entry.ticker.clone();
        if self.is_not_missing(name) {
            self.in_vain_since = None;
        }
        Some(ticker)
    }

    /// The market of this name: `Ok` if its book is trusted, `Err` if it waits for its snapshot.
    pub(super) fn trusted(&self, name: &str) -> Option<Result<&Arc<str>, ()>> {
        let entry = self.entries.get(name)?;
        Some(match entry.state {
            State::Synced => Ok(&entry.ticker),
            State::Waiting { .. } => Err(()),
        })
    }

    /// This book cannot be trusted any more. Returns the market if it was until now.
    pub(super) fn distrust(&mut self, name: &str, now: Timestamp) -> Option<Arc<str>> {
        let entry = self.entries.get_mut(name)?;
        let was_trusted = entry.state == State::Synced;
        entry.state = State::Waiting { ask_at: now + ROUND_PAUSE, asked: 0 };
        was_trusted.then(|| entry.ticker.clone())
    }

    /// Frames were lost: no book can be trusted. Returns those that were, in order.
    pub(super) fn distrust_all(&mut self, now: Timestamp) -> Vec<Arc<str>> {
        let ask_at = now.max(self.last_round + ROUND_PAUSE);
        self.lost_since_asked = true;
        // What was asked for may be among what was lost.
        self.ask = None;
        let mut trusted = Vec::new();
        for entry in self.entries.values_mut() {
            if entry.state == State::Synced {
                trusted.push(entry.ticker.clone());
            }
            entry.state = State::Waiting { ask_at, asked: 0 };
        }
        trusted.sort_unstable();
        trusted
    }

    /// Which books to ask for now, at most `most`, among those in the subscription. Nothing while
    /// a request is under way.
    pub(super) fn next_ask(
        &mut self,
        held: &Tickers,
        most: usize,
        id: u64,
        now: Timestamp,
    ) -> Option<Vec<Arc<str>>> {
        if self.ask.is_some() {
            return None;
        }
        let mut tickers: Vec<_> = self
            .entries
            .values()
            .filter(|entry| matches!(entry.state, State::Waiting { ask_at, .. } if ask_at <= now))
            .filter(|entry| held.contains(&entry.ticker))
            .map(|entry| entry.ticker.clone())
            .collect();
        if tickers.is_empty() {
            return None;
        }
        tickers.sort_unstable();
        tickers.truncate(most);
        if std::mem::take(&mut self.lost_since_asked) {
            self.last_round = now;
            self.in_vain_since.get_or_insert(now);
        }
        self.ask = Some(Ask { id, sent: now, missing: tickers.iter().cloned().collect() });
        Some(tickers)
    }

    /// Whether this command is the request under way.
    pub(super) fn awaits(&self, id: u64) -> bool {
        self.ask.as_ref().is_some_and(|ask| ask.id == id)
    }

    /// Looks after the request under way: it is over after `timeout`, and what did not come is
    /// asked for again, later each time.
    pub(super) fn check_ask(&mut self, now: Timestamp, timeout: Duration) -> AskOutcome {
        if self.ask.as_ref().is_some_and(|ask| now.since(ask.sent) > timeout) {
            self.end_ask(now, timeout);
        }
        let Some(since) = self.in_vain_since else { return AskOutcome::Fine };
        let is_waiting = |entry: &Entry| matches!(entry.state, State::Waiting { .. });
        if !self.entries.values().any(is_waiting) {
            // Nobody follows those that were lost any more.
            self.in_vain_since = None;
        } else if now.since(since) > timeout {
            return AskOutcome::Hopeless;
        }
        AskOutcome::Fine
    }

    /// The request under way failed, or is over.
    pub(super) fn end_ask(&mut self, now: Timestamp, timeout: Duration) {
        let Some(ask) = self.ask.take() else { return };
        for ticker in &ask.missing {
            let Some(entry) = self.entries.get_mut(ticker) else { continue };
            let State::Waiting { asked, .. } = entry.state else { continue };
            let pause = timeout.saturating_mul(1 << asked.min(10)).min(ASK_PAUSE_MAX);
            entry.state = State::Waiting { ask_at: now + pause, asked: asked.saturating_add(1) };
        }
    }

    /// The connection is gone. Returns the books that were trusted, in order.
    pub(super) fn clear(&mut self) -> Vec<Arc<str>> {
        let trusted = self.distrust_all(Timestamp::EPOCH);
        *self = Self::default();
        trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_000 + secs)
    }

    fn following(names: &[&str]) -> (Books, Tickers) {
        let tickers: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        let mut books = Books::default();
        books.expect(&tickers, at(0), PATIENCE);
        (books, tickers.into_iter().collect())
    }

    #[test]
    fn a_book_is_trusted_from_its_snapshot_to_the_next_loss() {
        let (mut books, _) = following(&["A", "B"]);
        assert!(matches!(books.trusted("A"), Some(Err(()))));
        assert!(books.trusted("C").is_none());
        books.snapshot("A");
        assert!(matches!(books.trusted("A"), Some(Ok(_))));
        assert_eq!(books.distrust_all(at(1)), [Arc::<str>::from("A")]);
        assert!(matches!(books.trusted("A"), Some(Err(()))));
        assert_eq!(books.distrust_all(at(1)), Vec::<Arc<str>>::new());
    }

    #[test]
    fn a_loss_asks_at_once_and_then_once_a_second() {
        let (mut books, held) = following(&["A", "B"]);
        books.snapshot("A");
        books.snapshot("B");
        books.distrust_all(at(1));
        assert_eq!(books.next_ask(&held, 10, 1, at(1)).unwrap().len(), 2);
        books.snapshot("A");
        books.snapshot("B");
        assert_eq!(books.check_ask(at(1), PATIENCE), AskOutcome::Fine);
        for _ in 0..5 {
            books.distrust_all(at(1));
        }
        assert!(books.next_ask(&held, 10, 2, at(1)).is_none());
        assert!(books.next_ask(&held, 10, 2, at(2)).is_some(), "however many losses there were");
    }

    #[test]
    fn one_request_is_under_way_at_a_time() {
        let (mut books, held) = following(&["A", "B"]);
        books.distrust_all(at(1));
        assert_eq!(books.next_ask(&held, 1, 1, at(1)).unwrap(), [Arc::<str>::from("A")]);
        assert!(books.next_ask(&held, 1, 2, at(1)).is_none());
        books.snapshot("A");
        books.check_ask(at(1), PATIENCE);
        assert_eq!(books.next_ask(&held, 1, 3, at(1)).unwrap(), [Arc::<str>::from("B")]);
    }

    #[test]
    fn books_that_do_not_come_after_a_loss_end_the_connection() {
        let (mut books, held) = following(&["A", "B"]);
        books.distrust_all(at(1));
        books.next_ask(&held, 10, 1, at(1));
        assert_eq!(books.check_ask(at(6), PATIENCE), AskOutcome::Fine);
        assert_eq!(books.check_ask(at(7), PATIENCE), AskOutcome::Hopeless);
    }

    #[test]
    fn one_late_book_is_asked_for_again_later_each_time() {
        let (mut books, held) = following(&["A", "B"]);
        books.snapshot("A");
        let mut asked_at = Vec::new();
        for second in 0..200 {
            assert_eq!(books.check_ask(at(second), PATIENCE), AskOutcome::Fine);
            if let Some(tickers) = books.next_ask(&held, 10, second, at(second)) {
                assert_eq!(tickers, [Arc::<str>::from("B")]);
                asked_at.push(second);
            }
        }
        assert_eq!(asked_at, [5, 16, 32, 58, 104, 170]);
    }

    #[test]
    fn a_loss_while_asking_asks_again() {
        let (mut books, held) = following(&["A"]);
        books.snapshot("A");
        books.distrust_all(at(1));
        books.next_ask(&held, 10, 1, at(1));
        books.snapshot("A");
        books.distrust_all(at(3));
        assert!(books.next_ask(&held, 10, 2, at(3)).is_some());
    }

    #[test]
    fn a_loss_while_asking_starts_anew_and_does_not_hide_that_nothing_comes() {
        let (mut books, held) = following(&["A", "B"]);
        let mut asks = 0;
        let mut outcome = AskOutcome::Fine;
        for second in 1..=7 {
            assert_eq!(outcome, AskOutcome::Fine, "{second}");
            books.distrust_all(at(second));
            asks += u32::from(books.next_ask(&held, 10, second, at(second)).is_some());
            outcome = books.check_ask(at(second), PATIENCE);
        }
        assert_eq!((asks, outcome), (7, AskOutcome::Hopeless));
        books.snapshot("A");
        assert_eq!(books.check_ask(at(8), PATIENCE), AskOutcome::Fine, "one came");
    }

    #[test]
    fn what_is_not_followed_is_not_asked_for() {
        let (mut books, held) = following(&["A", "B"]);
        books.snapshot("A");
        assert_eq!(
            books.forget(&[Arc::<str>::from("A"), Arc::<str>::from("B")]),
            [Arc::<str>::from("A")]
        );
        assert!(books.next_ask(&held, 10, 1, at(100)).is_none());
        assert!(books.snapshot("A").is_none());
    }
}
