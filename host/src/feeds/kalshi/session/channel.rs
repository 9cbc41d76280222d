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

    /// The markets that a command under way brings in.
    pub(super) fn adding(&self) -> Vec<Arc<str>> {
        self.under_way.as_ref().map_or_else(Vec::new, |it| it.change.added().to_vec())
    }

    /// Whether a command under way takes this market out.
    pub(super) fn is_removing(&self, ticker: &Arc<str>) -> bool {
        match self.under_way.as_ref().map(|it| &it.change) {
            Some(Change::Remove(tickers)) => tickers.contains(ticker),
            Some(Change::End) => true,
            Some(Change::Subscribe(_) | Change::Add(_)) | None => false,
        }
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
        self.is_full = false;
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
                match added.len() {
                    0 => self.not_before = now + LONG_PAUSE,
                    1 => {
                        self.is_full = true;
                        self.refuse(added.iter().cloned(), now);
                    }
                    many => self.chunk = many / 2,
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
mod tests;
