//! [`Stream`]: one upstream, shared by its owner and those who look.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hotpit_rt::{BreakerState, Clock};
use hotpit_units::Timestamp;
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::life::{Life, State};
use crate::model::Durations;

/// That a clock difference is not known yet.
const NO_SKEW: i64 = i64::MIN;

/// One upstream.
#[derive(Debug)]
pub struct Stream {
    name: String,
    clock: Clock,
    calendar: Option<Arc<Calendar>>,
    life: Mutex<Life>,
    messages: AtomicU64,
    gaps: AtomicU64,
    last_message: AtomicU64,
    last_data: AtomicU64,
    /// The longest that nothing may come while it is up, in ms; 0: any time.
    silence_max_ms: AtomicU64,
    delay_ms: AtomicU64,
    skew_ms: AtomicI64,
    delays: Mutex<Durations>,
    channels: OnceLock<Vec<(&'static str, AtomicU64)>>,
}

impl Stream {
    pub(super) const fn new(
        name: String,
        life: Life,
        calendar: Option<Arc<Calendar>>,
        clock: Clock,
    ) -> Self {
        Self {
            name,
            clock,
            calendar,
            life: Mutex::new(life),
            messages: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            last_message: AtomicU64::new(0),
            last_data: AtomicU64::new(0),
            silence_max_ms: AtomicU64::new(0),
            delay_ms: AtomicU64::new(0),
            skew_ms: AtomicI64::new(NO_SKEW),
            delays: Mutex::new(Durations::EMPTY),
            channels: OnceLock::new(),
        }
    }

    /// Asks to ask: for requests that many parts of the host make of one upstream.
    ///
    /// # Errors
    /// How long it is to be left alone.
    pub fn admit(&self) -> Result<(), Duration> {
        self.life().admit(self.clock.now())
    }

    /// Whether it keeps failing, so that only those who try it are to ask.
    #[must_use]
    pub fn is_left_alone(&self) -> bool {
        self.life().breaker(self.clock.now()) != BreakerState::Closed
    }

    /// A connection is being made.
    pub fn connecting(&self) {
        self.life().connecting(self.clock.now());
    }

    /// A connection stands. It counts as fresh from here.
    pub fn connected(&self) {
        let now = self.clock.now();
        self.life().connected(now);
        self.delay_ms.store(0, Ordering::Relaxed);
        self.heard(now);
    }

    /// It answered as it should.
    pub fn succeeded(&self) {
        let now = self.clock.now();
        self.life().succeeded(now);
        self.heard(now);
    }

    /// A request failed: the upstream is to blame, not the request.
    pub fn failed(&self, reason: &str) {
        let now = self.clock.now();
        self.life().failed(reason, self.is_away(now), now);
    }

    /// The connection is gone, or was not made. How long to wait until the next try.
    pub fn lost(&self, reason: &str) -> Duration {
        let now = self.clock.now();
        self.life().lost(reason, self.is_away(now), now)
    }

    /// We ended it.
    pub fn closed(&self) {
        self.life().state = State::Closed;
    }

    /// Something came that proves no more than that the other end lives, such as a ping.
    pub fn alive(&self, now: Timestamp) {
        self.last_message.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Something came that says something.
    pub fn heard(&self, now: Timestamp) {
        self.alive(now);
        self.last_data.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// A message came.
    pub fn message(&self, now: Timestamp) {
        self.heard(now);
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    /// Messages turned out to be missing.
    pub fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    /// The longest that nothing may come without the stream being stale; none: any time.
    pub fn expect_within(&self, longest: Option<Duration>) {
        let ms = longest.map_or(0, |longest| u64::try_from(longest.as_millis()).unwrap_or(0));
        self.silence_max_ms.store(ms, Ordering::Relaxed);
    }

    /// By how much our clock is ahead of the upstream's.
    pub fn skewed(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// How much later than it could be a message came, and by how much our clock is ahead of the
    /// upstream's.
    pub fn measured(&self, delay_ms: u64, skew_ms: i64) {
        self.skewed(skew_ms);
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
        self.delays().add(Duration::from_millis(delay_ms));
    }

    /// Names the channels that come over this connection, once.
    pub fn name_channels(&self, names: impl IntoIterator<Item = &'static str>) {
        self.channels
            .get_or_init(|| names.into_iter().map(|name| (name, AtomicU64::new(0))).collect());
    }

    /// Something came on a channel, by its place among those named.
    pub fn heard_on(&self, channel: usize, now: Timestamp) {
        if let Some((_, last)) = self.channels.get().and_then(|channels| channels.get(channel)) {
            last.store(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// When the last message with something in it came; the epoch: never. Pings are no proof: a
    /// stream has been seen to answer them for a quarter of an hour and to bring nothing else.
    #[must_use]
    pub fn last_data(&self) -> Timestamp {
        Timestamp::from_nanos(self.last_data.load(Ordering::Relaxed))
    }

    /// As of when what the stream says is true; none while it is down.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        if self.life().state != State::Up {
            return None;
        }
        let delay = self.delay_ms.load(Ordering::Relaxed).saturating_mul(1_000_000);
        Some(Timestamp::from_nanos(self.last_data().as_nanos().saturating_sub(delay)))
    }

    /// Whether the upstream is known to be away.
    fn is_away(&self, now: Timestamp) -> bool {
        self.calendar.as_ref().is_some_and(|calendar| calendar.under_way(now).is_some())
    }

    /// How it stands.
    #[must_use]
    pub fn report(&self) -> StreamReport {
        let now = self.clock.now();
        let life = self.life();
        let last = Timestamp::from_nanos(self.last_message.load(Ordering::Relaxed));
        let silent = now.since(last);
        let silence_max = Duration::from_millis(self.silence_max_ms.load(Ordering::Relaxed));
        let breaker = life.breaker(now);
        let is_silent = !silence_max.is_zero() && silent > silence_max;
        let phase = match life.state {
            State::Up if is_silent => StreamPhase::Stale,
            State::Up => StreamPhase::Up,
            State::Closed => StreamPhase::Down,
            State::Waiting if breaker == BreakerState::Open => StreamPhase::Down,
            State::Idle | State::Connecting | State::Waiting => StreamPhase::Connecting,
        };
        let reason = match phase {
            StreamPhase::Up => None,
            StreamPhase::Stale => Some(format!("nothing came for {} s", silent.as_secs())),
            StreamPhase::Connecting | StreamPhase::Down => {
                Some(life.last_error.clone()).filter(|error| !error.is_empty())
            }
        };
        let skew = self.skew_ms.load(Ordering::Relaxed);
        let channels = self.channels.get().into_iter().flatten();
        StreamReport {
            name: self.name.clone(),
            phase,
            breaker: breaker.into(),
            reason,
            retry_at: (life.state == State::Waiting).then_some(life.retry_at),
            messages: self.messages.load(Ordering::Relaxed),
            connects: life.connects,
            failures: life.failures,
            gaps: self.gaps.load(Ordering::Relaxed),
            last_message: Some(last).filter(|last| *last > Timestamp::EPOCH),
            delay_ms: self.delay_ms.load(Ordering::Relaxed),
            delays: *self.delays(),
            skew_ms: Some(skew).filter(|skew| *skew != NO_SKEW),
            channels: channels
                .map(|(name, last)| (*name, Timestamp::from_nanos(last.load(Ordering::Relaxed))))
                .filter(|(_, last)| *last > Timestamp::EPOCH)
                .map(|(name, last)| ChannelReport { channel: name.to_owned(), last_message: last })
                .collect(),
        }
    }

    fn delays(&self) -> MutexGuard<'_, Durations> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upstream at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamReport {
    /// What it is: `kalshi`, `kalshi rest`, `espn nfl`, `redis`.
    pub name: String,
    /// Whether it can be relied on.
    pub phase: StreamPhase,
    /// Whether it is asked at all.
    pub breaker: BreakerPhase,
    /// Why it is there, where there is something to say.
    pub reason: Option<String>,
    /// When it is tried again, while it waits.
    pub retry_at: Option<Timestamp>,
    /// Messages received.
    pub messages: u64,
    /// Times that it came up.
    pub connects: u64,
    /// Times that it failed.
    pub failures: u64,
    /// Times that messages were found to be missing.
    pub gaps: u64,
    /// When the last message came, of whatever kind.
    pub last_message: Option<Timestamp>,
    /// How much later than it could be the last message came, in ms.
    pub delay_ms: u64,
    /// The same of all messages that say when they were sent.
    pub delays: Durations,
    /// By how much our clock is ahead of the upstream's, in ms; known to about a second, and
    /// better once messages flow.
    pub skew_ms: Option<i64>,
    /// When something came on each channel.
    pub channels: Vec<ChannelReport>,
}

/// A channel of a connection at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// Its name.
    pub channel: String,
    /// When the last message came on it.
    pub last_message: Timestamp,
}

/// Whether an upstream can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamPhase {
    /// Not connected yet, for the first time or again.
    Connecting,
    /// Connected, and what it gives is fresh.
    Up,
    /// Connected, but silent.
    Stale,
    /// Left alone because it keeps failing, or ended.
    Down,
}

impl fmt::Display for StreamPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Stale => "stale",
            Self::Down => "down",
        })
    }
}

/// Whether an upstream is asked: [`BreakerState`] as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerPhase {
    /// By everybody.
    Closed,
    /// By nobody, for a while.
    Open,
    /// By one, whose answer decides.
    HalfOpen,
}

impl From<BreakerState> for BreakerPhase {
    fn from(state: BreakerState) -> Self {
        match state {
            BreakerState::Closed => Self::Closed,
            BreakerState::Open => Self::Open,
            BreakerState::HalfOpen => Self::HalfOpen,
        }
    }
}

impl fmt::Display for BreakerPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}

#[cfg(test)]
mod tests {
    use hotpit_rt::Entropy;

    use super::*;
    use crate::streams::{Policy, Streams};

    fn stream() -> Arc<Stream> {
        Streams::new(Clock::system(), Entropy::seeded(1)).open("it", Policy::default())
    }

    #[test]
    fn a_report_tells_of_every_phase() {
        let stream = stream();
        assert_eq!(stream.report().phase, StreamPhase::Connecting);
        assert_eq!(stream.as_of(), None);
        stream.connecting();
        stream.connected();
        assert_eq!((stream.report().phase, stream.report().reason), (StreamPhase::Up, None));
        assert_eq!(stream.as_of(), Some(stream.last_data()));
        stream.expect_within(Some(Duration::from_millis(1)));
        stream.alive(Timestamp::from_secs(1));
        assert_eq!(stream.report().phase, StreamPhase::Stale);
        stream.lost("reset");
        let report = stream.report();
        assert_eq!(
            (report.phase, report.reason.as_deref()),
            (StreamPhase::Connecting, Some("reset"))
        );
        assert!(report.retry_at.is_some());
        stream.closed();
        assert_eq!(stream.report().phase, StreamPhase::Down);
    }

    #[test]
    fn what_comes_late_is_true_as_of_earlier() {
        let stream = stream();
        stream.connected();
        let now = Timestamp::from_secs(2_000_000_000);
        stream.message(now);
        stream.measured(1_500, -20);
        assert_eq!(stream.as_of(), Some(Timestamp::from_millis(1_999_999_998_500)));
        let report = stream.report();
        assert_eq!((report.delay_ms, report.skew_ms, report.messages), (1_500, Some(-20), 1));
    }

    #[test]
    fn requests_that_keep_failing_take_it_down_until_one_succeeds() {
        let stream = stream();
        stream.succeeded();
        for _ in 0..5 {
            assert_eq!(stream.admit(), Ok(()));
            stream.failed("status 503");
        }
        assert!(stream.admit().is_err());
        let report = stream.report();
        assert_eq!((report.phase, report.breaker), (StreamPhase::Down, BreakerPhase::Open));
        assert_eq!(report.reason.as_deref(), Some("status 503"));
        stream.succeeded();
        assert_eq!((stream.report().phase, stream.admit()), (StreamPhase::Up, Ok(())));
    }

    #[test]
    fn channels_are_heard_of_each_for_itself() {
        let stream = stream();
        stream.name_channels(["books", "trades"]);
        stream.heard_on(1, Timestamp::from_secs(7));
        stream.heard_on(9, Timestamp::from_secs(8));
        let channels = stream.report().channels;
        assert_eq!(channels.len(), 1);
        assert_eq!(
            (channels[0].channel.as_str(), channels[0].last_message.as_secs()),
            ("trades", 7)
        );
    }
}
