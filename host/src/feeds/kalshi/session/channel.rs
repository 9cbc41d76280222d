//! [`Subscription`]: one channel's subscription on one connection, and the markets in it.
//!
//! A state machine without time or socket of its own: it is asked what to send next, and told
//! what came back. At most one command of a channel is under way, so an answer is never
//! ambiguous and a slow exchange is never flooded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Backoff;
use hotpit_units::Timestamp;

use crate::feeds::kalshi::Tickers;
use crate::feeds::kalshi::wire::{Channel, Command, UpdateAction};

/// The shortest pause after the exchange said that it cannot now.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause after the exchange refused a channel altogether, or a market.
const LONG_PAUSE: Duration = Duration::from_secs(60);
/// How long a subscription must have lasted for its end not to count as another failure.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// What a command does to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Subscribe(Vec<Arc<str>>),
    Add(Vec<Arc<str>>),
    Remove(Vec<Arc<str>>),
    End,
}

impl Change {
    /// The markets that it brings in.
    pub(super) fn added(&self) -> &[Arc<str>] {
        match self {
            Self::Subscribe(tickers) | Self::Add(tickers) => tickers,
            Self::Remove(_) | Self::End => &[],
        }
    }
}

#[derive(Debug)]
struct UnderWay {
    id: u64,
    change: Change,
    sent: Timestamp,
}

/// One channel's subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    channel: Channel,
    sid: Option<u64>,
    held: Tickers,
    /// Markets that the exchange does not let in, and when they are asked for again.
    refused: BTreeMap<Arc<str>, Timestamp>,
    /// The exchange lets no more markets in than it holds.
    is_full: bool,
    under_way: Option<UnderWay>,
    not_before: Timestamp,
    subscribed_at: Timestamp,
    backoff: Backoff,
    /// The most markets of one command; halved when a command fails, to find the market at fault.
    chunk: usize,
    chunk_max: usize,
    /// What books are subscribed with.
    use_yes_price: bool,
    /// Nothing to do until something changes.
    is_settled: bool,
}

impl Subscription {
    /// `backoff` is what lies between the end of a subscription and the next.
    pub(super) fn new(
        channel: Channel,
        chunk_max: usize,
        use_yes_price: bool,
        backoff: Backoff,
    ) -> Self {
        Self {
            channel,
            sid: None,
            held: Tickers::new(),
            refused: BTreeMap::new(),
            is_full: false,
            under_way: None,
            not_before: Timestamp::EPOCH,
            subscribed_at: Timestamp::EPOCH,
            backoff,
            chunk: chunk_max,
            chunk_max,
            use_yes_price,
            is_settled: false,
        }
    }

    pub(super) const fn sid(&self) -> Option<u64> {
        self.sid
    }

    /// The markets that the exchange has confirmed.
    pub(super) const fn held(&self) -> &Tickers {
        &self.held
    }

    /// What is wanted changed.
    pub(super) fn wake(&mut self) {
        self.is_settled = false;
    }

    /// The markets that do not fit into this subscription.
    pub(super) fn left_out<'a>(
        &'a self,
        wanted: &'a Tickers,
    ) -> impl Iterator<Item = &'a Arc<str>> {
        wanted.difference(&self.held).filter(|_| self.is_full)
    }

    /// Whether this command is under way here.
    pub(super) fn awaits(&self, id: u64) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.id == id)
    }

    /// Whether an answer is overdue.
    pub(super) fn is_overdue(&self, now: Timestamp, timeout: Duration) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| now.since(under_way.sent) > timeout)
    }

    /// What to do next to come closer to `wanted`; it is under way as `id` then.
    pub(super) fn next(
        &mut self,
        wanted: &Tickers,
        id: u64,
        now: Timestamp,
    ) -> Option<(Change, Command)> {
        if self.under_way.is_some() || now < self.not_before {
            return None;
        }
        if self.refused.values().any(|again| *again <= now) {
            self.refused.retain(|_, again| *again > now);
            self.is_full = false;
            self.is_settled = false;
        }
        if self.is_settled {
            return None;
        }
        self.refused.retain(|ticker, _| wanted.contains(ticker));
        let Some(change) = self.change(wanted) else {
            self.is_settled = true;
            return None;
        };
        let command = self.command(&change);
        self.under_way = Some(UnderWay { id, change: change.clone(), sent: now });
        Some((change, command))
    }

    fn change(&self, wanted: &Tickers) -> Option<Change> {
        if !self.channel.is_by_market() {
            return self.sid.is_none().then(|| Change::Subscribe(Vec::new()));
        }
        let missing =
            wanted.difference(&self.held).filter(|ticker| !self.refused.contains_key(*ticker));
        let room = if self.is_full { 0 } else { self.chunk };
        let missing: Vec<_> = missing.take(room).cloned().collect();
        if self.sid.is_none() {
            return (!missing.is_empty()).then_some(Change::Subscribe(missing));
        }
        let surplus: Vec<_> = self.held.difference(wanted).take(self.chunk_max).cloned().collect();
        // A subscription without markets could mean all of them: it is ended instead.
        if surplus.len() == self.held.len() && missing.is_empty() {
            return Some(Change::End);
        }
        if !missing.is_empty() {
            return Some(Change::Add(missing));
        }
        (!surplus.is_empty()).then_some(Change::Remove(surplus))
    }

    fn command(&self, change: &Change) -> Command {
        let sids = [self.sid.unwrap_or_default()];
        let update = |tickers: &[Arc<str>], action| Command::UpdateSubscription {
            sids,
            market_tickers: tickers.to_vec(),
            action,
        };
        match change {
            Change::Subscribe(tickers) => Command::Subscribe {
                channels: [self.channel],
                market_tickers: tickers.clone(),
                use_yes_price: (self.channel == Channel::Books).then_some(self.use_yes_price),
                send_initial_snapshot: (self.channel == Channel::Statistics).then_some(true),
            },
            Change::Add(tickers) => update(tickers, UpdateAction::AddMarkets),
            Change::Remove(tickers) => update(tickers, UpdateAction::DeleteMarkets),
            Change::End => Command::Unsubscribe { sids },
        }
    }

    /// The exchange subscribed us.
    pub(super) fn subscribed(&mut self, sid: u64, now: Timestamp) {
        self.sid = Some(sid);
        self.subscribed_at = now;
        self.done(None, now);
    }

    /// The exchange did what was under way. `listed` is every market of the subscription, where
    /// it says so; one that was added and is not listed counts as refused.
    pub(super) fn done(&mut self, listed: Option<&BTreeSet<&str>>, now: Timestamp) {
        self.is_settled = false;
        self.chunk = (self.chunk * 2).min(self.chunk_max);
        match self.under_way.take().map(|under_way| under_way.change) {
            Some(Change::Subscribe(tickers) | Change::Add(tickers)) => {
                for ticker in tickers {
                    if listed.is_none_or(|listed| listed.contains(&*ticker)) {
                        self.held.insert(ticker);
                    } else {
                        self.refuse([ticker], now);
                    }
                }
            }
            Some(Change::Remove(tickers)) => {
                for ticker in &tickers {
                    self.held.remove(ticker);
                }
                if std::mem::take(&mut self.is_full) {
                    self.refused.clear();
                }
            }
            Some(Change::End) => {
                self.sid = None;
                self.held.clear();
                self.is_full = false;
            }
            None => {}
        }
    }

    fn refuse(&mut self, tickers: impl IntoIterator<Item = Arc<str>>, now: Timestamp) {
        let again = now + LONG_PAUSE;
        self.refused.extend(tickers.into_iter().map(|ticker| (ticker, again)));
    }

    /// The subscription ended, and not because we ended it. It is made again after a pause.
    pub(super) fn ended(&mut self, now: Timestamp) {
        self.sid = None;
        self.held.clear();
        self.under_way = None;
        if now.since(self.subscribed_at) >= HEALTHY_AFTER {
            self.backoff.reset();
        }
        self.not_before = now + self.backoff.next_delay();
        self.is_settled = false;
    }

    /// The exchange refused what was under way. Source of the codes: Kalshi, AsyncAPI.
    pub(super) fn failed<'a>(
        &mut self,
        code: i64,
        named: impl Iterator<Item = &'a str>,
        now: Timestamp,
    ) {
        self.is_settled = false;
        let Some(UnderWay { change, .. }) = self.under_way.take() else { return };
        let added = change.added();
        let at_fault: Vec<_> = named.filter_map(|name| find(added, name)).collect();
        match (code, &change) {
            // Unable to process, channel error, command timeout, buffer overflow, too many requests:
            // faults that pass.
            (1 | 10 | 18 | 25 | 27, _) => {
                self.not_before = now + self.backoff.next_delay().max(PAUSE);
            }
            // Whatever is wrong with them: they are not followed here any more.
            (_, Change::Remove(tickers)) => {
                for ticker in tickers {
                    self.held.remove(ticker);
                }
            }
            (26, _) => {
                // What does not fit at once may fit in smaller pieces, down to the last market.
                if added.len() > 1 {
                    self.chunk = added.len() / 2;
                } else {
                    self.is_full = true;
                    self.refuse(added.iter().cloned(), now);
                }
            }
            _ if !at_fault.is_empty() => self.refuse(at_fault, now),
            _ if added.len() > 1 => self.chunk = added.len() / 2,
            _ if added.len() == 1 => self.refuse(added.iter().cloned(), now),
            _ => self.not_before = now + LONG_PAUSE,
        }
    }

    /// How many markets the exchange does not let in.
    pub(super) fn refusals(&self) -> usize {
        self.refused.len()
    }
}

fn find(tickers: &[Arc<str>], name: &str) -> Option<Arc<str>> {
    tickers.iter().find(|ticker| &***ticker == name).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickers(names: &[&str]) -> Tickers {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn subscription(channel: Channel, chunk_max: usize) -> Subscription {
        let rng = hotpit_rt::Entropy::seeded(1).rng("test");
        let backoff = Backoff::new(PAUSE, PAUSE * 30, rng);
        Subscription::new(channel, chunk_max, true, backoff)
    }

    fn names(tickers: &[Arc<str>]) -> Vec<&str> {
        tickers.iter().map(|ticker| &**ticker).collect()
    }

    /// Drives a subscription until it wants nothing more, refusing commands that name `bad`.
    fn settle(subscription: &mut Subscription, wanted: &Tickers, bad: &str) -> Vec<Change> {
        let now = Timestamp::from_secs(1);
        let mut changes = Vec::new();
        subscription.wake();
        while let Some((change, _)) = subscription.next(wanted, 1, now) {
            let is_bad = change.added().iter().any(|ticker| &**ticker == bad);
            match &change {
                _ if is_bad => subscription.failed(11, std::iter::empty(), now),
                Change::Subscribe(_) => subscription.subscribed(7, now),
                Change::Add(_) | Change::Remove(_) | Change::End => {
                    subscription.done(None, now);
                }
            }
            changes.push(change);
        }
        changes
    }

    #[test]
    fn markets_are_added_in_chunks_and_taken_out_again() {
        let mut books = subscription(Channel::Books, 2);
        let changes = settle(&mut books, &tickers(&["A", "B", "C", "D", "E"]), "");
        assert_eq!(names(changes[0].added()), ["A", "B"]);
        assert_eq!(names(changes[1].added()), ["C", "D"]);
        assert_eq!(names(changes[2].added()), ["E"]);
        let changes = settle(&mut books, &tickers(&["B", "F"]), "");
        assert_eq!(changes[0], Change::Add(vec!["F".into()]));
        assert_eq!(changes[1], Change::Remove(vec!["A".into(), "C".into()]));
        assert_eq!(changes[2], Change::Remove(vec!["D".into(), "E".into()]));
        assert_eq!(books.held(), &tickers(&["B", "F"]));
    }

    #[test]
    fn a_subscription_is_never_left_without_markets() {
        let mut books = subscription(Channel::Books, 10);
        settle(&mut books, &tickers(&["A", "B"]), "");
        assert_eq!(settle(&mut books, &Tickers::new(), ""), [Change::End]);
        assert_eq!(books.sid(), None);
        let changes = settle(&mut books, &tickers(&["A"]), "");
        assert_eq!(changes, [Change::Subscribe(vec!["A".into()])]);
    }

    #[test]
    fn a_market_that_is_refused_is_found_and_the_others_are_let_in() {
        let all = ["A", "B", "C", "D", "E", "F", "G"];
        for bad in all {
            let mut books = subscription(Channel::Books, 10);
            let changes = settle(&mut books, &tickers(&all), bad);
            assert!(changes.len() < 12, "{bad}: {changes:?}");
            assert_eq!(books.held().len(), 6, "{bad}");
            assert_eq!(books.refusals(), 1, "{bad}");
        }
    }

    #[test]
    fn a_named_market_and_one_that_is_not_listed_count_as_refused() {
        let now = Timestamp::from_secs(1);
        let wanted = tickers(&["A", "B", "C"]);
        let mut books = subscription(Channel::Books, 10);
        books.next(&wanted, 1, now);
        books.failed(16, ["B"].into_iter(), now);
        let (change, _) = books.next(&wanted, 2, now).unwrap();
        assert_eq!(change, Change::Subscribe(vec!["A".into(), "C".into()]));
        books.sid = Some(1);
        books.done(Some(&BTreeSet::from(["A"])), now);
        assert_eq!(books.held(), &tickers(&["A"]));
        assert_eq!(books.next(&wanted, 3, now), None);
        assert!(books.next(&wanted, 3, now + LONG_PAUSE).is_some(), "refused is not for ever");
        books.failed(16, ["B", "C"].into_iter(), now);
        // What is wanted anew is asked for anew.
        books.wake();
        books.next(&tickers(&["A"]), 4, now);
        books.wake();
        assert!(books.next(&wanted, 5, now).is_some());
    }

    #[test]
    fn a_fault_that_passes_is_waited_out() {
        let now = Timestamp::from_secs(1);
        let wanted = tickers(&["A"]);
        let mut books = subscription(Channel::Books, 10);
        for code in [1, 18, 27] {
            let at = now + Duration::from_secs(u64::try_from(code).unwrap() * 10);
            assert!(books.next(&wanted, 1, at).is_some());
            books.failed(code, std::iter::empty(), at);
            assert!(books.next(&wanted, 2, at).is_none(), "{code}");
        }
        let later = now + Duration::from_secs(1_000);
        assert!(books.next(&wanted, 3, later).is_some());
        assert!(books.awaits(3));
        assert!(!books.is_overdue(later + Duration::from_secs(5), Duration::from_secs(5)));
        assert!(books.is_overdue(later + Duration::from_secs(6), Duration::from_secs(5)));
    }

    #[test]
    fn a_full_subscription_takes_what_fits_and_names_the_rest() {
        let now = Timestamp::from_secs(1);
        let wanted = tickers(&["A", "B", "C", "D", "E"]);
        let mut books = subscription(Channel::Books, 10);
        let mut commands = 0;
        while let Some((change, _)) = books.next(&wanted, 1, now) {
            commands += 1;
            if books.held().len() + change.added().len() > 3 {
                books.failed(26, std::iter::empty(), now);
            } else {
                books.subscribed(7, now);
            }
        }
        assert!(commands < 10, "{commands}");
        assert_eq!(books.left_out(&wanted).cloned().collect::<Tickers>(), tickers(&["D", "E"]));
        assert!(books.next(&wanted, 2, now + LONG_PAUSE).is_some(), "there may be room by then");
        books.failed(26, std::iter::empty(), now + LONG_PAUSE);
        books.wake();
        let fewer = tickers(&["A", "D"]);
        let mut changes = Vec::new();
        while let Some((change, _)) = books.next(&fewer, 3, now + LONG_PAUSE) {
            books.done(None, now);
            changes.push(change);
        }
        let removed = Change::Remove(vec!["B".into(), "C".into()]);
        assert_eq!(changes, [removed, Change::Add(vec!["D".into()])]);
    }

    #[test]
    fn markets_that_cannot_be_taken_out_are_out() {
        let now = Timestamp::from_secs(1);
        let mut books = subscription(Channel::Books, 10);
        settle(&mut books, &tickers(&["A", "B"]), "");
        books.wake();
        assert!(books.next(&tickers(&["A"]), 1, now).is_some());
        books.failed(11, std::iter::empty(), now);
        assert_eq!(books.held(), &tickers(&["A"]));
        let (change, _) = books.next(&tickers(&["A", "B"]), 2, now).unwrap();
        assert_eq!(change, Change::Add(vec!["B".into()]));
    }

    #[test]
    fn a_subscription_that_keeps_ending_is_made_later_each_time() {
        let wanted = tickers(&["A"]);
        let mut books = subscription(Channel::Books, 10);
        let mut now = Timestamp::from_secs(100);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let began = now;
            while books.next(&wanted, 1, now).is_none() {
                now = now + Duration::from_millis(100);
            }
            pauses.push(now.since(began).as_millis());
            books.subscribed(7, now);
            books.ended(now);
        }
        assert_eq!(pauses[..2], [0, 0]);
        assert!(pauses[7] > 10_000, "{pauses:?}");
        now = now + Duration::from_secs(60);
        books.next(&wanted, 1, now);
        books.subscribed(7, now);
        now = now + HEALTHY_AFTER;
        books.ended(now);
        assert!(books.next(&wanted, 1, now).is_some(), "the first retry is at once");
    }

    #[test]
    fn a_channel_of_all_markets_is_subscribed_once() {
        let mut fills = subscription(Channel::Fills, 10);
        assert_eq!(settle(&mut fills, &Tickers::new(), ""), [Change::Subscribe(vec![])]);
        fills.wake();
        assert_eq!(settle(&mut fills, &tickers(&["A"]), ""), []);
        fills.ended(Timestamp::EPOCH);
        assert_eq!(settle(&mut fills, &Tickers::new(), ""), [Change::Subscribe(vec![])]);
    }
}
