//! Faults on request: what can go wrong between an exchange and its client, each aimed at a
//! target and counted.
//!
//! The board decides, the places where frames and answers leave act. Sequence numbers are given
//! out before a frame fault is looked up, so that a dropped frame is a gap that the client can
//! see.

use std::time::Duration;

use hotpit_units::Timestamp;
use serde::{Deserialize, Serialize};

/// One fault, as `POST /control/faults` takes it.
///
/// `{"fault":{"kind":"drop_frames"},"channel":"orderbook_delta","times":1}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub fault: Kind,
    /// Only frames of this channel. Default: all channels, and for [`Kind::Stall`] replies too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Only frames about this market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Only requests whose `METHOD /path` starts with this, such as
    /// `POST /trade-api/v2/portfolio/events/orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Only this account's frames and requests, named by its key id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Leave this many matches alone first.
    #[serde(default)]
    pub skip: u64,
    /// Of the matches after that, hit every n-th: 1 hits each, 3 leaves two alone and hits one.
    #[serde(default = "one")]
    pub every: u64,
    /// After so many hits it is over. Default: it stays until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

const fn one() -> u64 {
    1
}

impl Fault {
    /// A fault that hits everything it can until it is cleared.
    #[must_use]
    pub const fn new(fault: Kind) -> Self {
        Self {
            fault,
            channel: None,
            market: None,
            route: None,
            key: None,
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// Only frames of this channel.
    #[must_use]
    pub fn on_channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only frames about this market.
    #[must_use]
    pub fn on_market(mut self, ticker: impl Into<String>) -> Self {
        self.market = Some(ticker.into());
        self
    }

    /// Only requests whose `METHOD /path` starts with this.
    #[must_use]
    pub fn on_route(mut self, route: impl Into<String>) -> Self {
        self.route = Some(route.into());
        self
    }

    /// Only this account.
    #[must_use]
    pub fn on_key(mut self, key_id: impl Into<String>) -> Self {
        self.key = Some(key_id.into());
        self
    }

    /// Leave this many matches alone first.
    #[must_use]
    pub const fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }

    /// Hit every n-th match.
    #[must_use]
    pub const fn every(mut self, every: u64) -> Self {
        self.every = every;
        self
    }

    /// Over after so many hits.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// A frame is not sent; its sequence number is used up.
    DropFrames,
    /// A frame is sent twice, with the same sequence number.
    DuplicateFrames,
    /// A frame is sent after the one that follows it on its channel.
    SwapFrames,
    /// A frame finds the queue to its connection full: its subscription ends with error 25.
    Overflow,
    /// A frame, and what comes after it on that connection, is late.
    DelayFrames {
        /// By how much.
        ms: u64,
    },
    /// A frame breaks off in the middle.
    MalformedFrames,
    /// A frame has a `type` that nobody knows.
    UnknownType,
    /// The amounts of a frame are JSON numbers instead of strings.
    NumbersForStrings,
    /// Connections stay open, pings go on, and no frame is sent; sequence numbers are used up.
    Stall {
        /// For how long; without it, until it is cleared.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ms: Option<u64>,
    },
    /// All WebSocket connections (of `key`, if given) are cut, at once.
    CloseConnections,
    /// Nothing passes over the connections there are, in either direction, pings and answers
    /// included, and nobody is told: as when a router forgets them. New ones are fine.
    FreezeConnections,
    /// New connections are refused, from now on.
    RefuseConnections {
        /// For how long.
        ms: u64,
    },
    /// The exchange goes away with all connections and comes back with what it knew, as in a
    /// restart.
    Restart {
        /// How long it is away.
        ms: u64,
    },
    /// A request is answered with this status.
    Status {
        /// The HTTP status.
        code: u16,
        /// Whether the request is carried out all the same.
        applied: bool,
    },
    /// A request is carried out, and the connection breaks instead of an answer.
    LoseAnswer,
    /// A request is carried out at once and answered late.
    DelayAnswer {
        /// By how much.
        ms: u64,
    },
    /// A request is carried out and answered with text that is not JSON, under the status of
    /// the real answer.
    GarbageAnswer,
    /// A request is not carried out and answered with 429.
    TooManyRequests,
}

/// Where a fault acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On frames as they leave.
    Frames,
    /// On requests and their answers.
    Requests,
    /// On connections, once, when it is posted.
    Connections,
}

impl Kind {
    const fn place(self) -> Place {
        match self {
            Self::DropFrames
            | Self::DuplicateFrames
            | Self::SwapFrames
            | Self::Overflow
            | Self::DelayFrames { .. }
            | Self::MalformedFrames
            | Self::UnknownType
            | Self::NumbersForStrings
            | Self::Stall { .. } => Place::Frames,
            Self::Status { .. }
            | Self::LoseAnswer
            | Self::DelayAnswer { .. }
            | Self::GarbageAnswer
            | Self::TooManyRequests => Place::Requests,
            Self::CloseConnections
            | Self::FreezeConnections
            | Self::RefuseConnections { .. }
            | Self::Restart { .. } => Place::Connections,
        }
    }
}

/// A fault on the board.
#[derive(Debug, Clone, Serialize)]
pub struct Posted {
    /// Its number, for clearing it alone.
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// How often something matched it.
    pub matches: u64,
    /// How often it hit.
    pub hits: u64,
    /// When it ends by itself.
    #[serde(skip)]
    until: Option<Timestamp>,
}

impl Posted {
    /// Counts a match; whether the fault hits it.
    fn hits(&mut self) -> bool {
        let limit = self.fault.times.unwrap_or(u64::MAX);
        if self.hits >= limit {
            return false;
        }
        self.matches += 1;
        let counted = self.matches.saturating_sub(self.fault.skip);
        let hit = counted > 0 && counted.is_multiple_of(self.fault.every.max(1));
        if hit {
            self.hits += 1;
        }
        hit
    }
}

/// A frame that is about to leave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameTarget<'a> {
    /// Its channel; `None` for an answer to a command.
    pub(crate) channel: Option<&'static str>,
    /// Its market.
    pub(crate) market: Option<&'a str>,
    /// The key of the connection.
    pub(crate) key: &'a str,
}

/// What is done to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FrameVerdict {
    /// It is not sent.
    pub(crate) drop: bool,
    /// It is sent once more.
    pub(crate) duplicate: bool,
    /// It is sent after the next.
    pub(crate) swap: bool,
    /// It finds the queue full.
    pub(crate) overflow: bool,
    /// It breaks off in the middle.
    pub(crate) malformed: bool,
    /// Its type is unknown.
    pub(crate) unknown_type: bool,
    /// Its amounts are numbers.
    pub(crate) numbers: bool,
    /// It is late by this.
    pub(crate) delay: Duration,
}

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RequestVerdict {
    /// It is answered with this status and not carried out.
    pub(crate) refuse: Option<u16>,
    /// It is carried out and answered with this status.
    pub(crate) status: Option<u16>,
    /// It is carried out and its connection is cut.
    pub(crate) lose: bool,
    /// Its answer is late by this.
    pub(crate) delay: Duration,
    /// Its answer is not JSON.
    pub(crate) garbage: bool,
}

/// All faults that are posted.
#[derive(Debug, Default)]
pub(crate) struct Board {
    next: u64,
    posted: Vec<Posted>,
}

impl Board {
    /// Posts a fault; its number.
    pub(crate) fn post(&mut self, fault: Fault, now: Timestamp) -> u64 {
        self.next += 1;
        let until = match fault.fault {
            Kind::Stall { ms: Some(ms) } => Some(now + Duration::from_millis(ms)),
            _ => None,
        };
        // What happens to connections has happened when this is over.
        let once = u64::from(fault.fault.place() == Place::Connections);
        self.posted.push(Posted { id: self.next, fault, matches: once, hits: once, until });
        self.next
    }

    /// Takes one fault off, or all.
    pub(crate) fn clear(&mut self, id: Option<u64>) {
        self.posted.retain(|posted| id.is_some_and(|id| id != posted.id));
    }

    /// What is posted, spent faults included, so that their hits can be read.
    pub(crate) fn list(&self) -> &[Posted] {
        &self.posted
    }

    /// Whether there is nothing to look up.
    pub(crate) fn is_empty(&self) -> bool {
        self.posted.is_empty()
    }

    /// What happens to this frame.
    pub(crate) fn judge_frame(&mut self, target: FrameTarget<'_>, now: Timestamp) -> FrameVerdict {
        let mut verdict = FrameVerdict::default();
        for posted in &mut self.posted {
            let fault = &posted.fault;
            let stall = matches!(fault.fault, Kind::Stall { .. });
            let channel = match (&fault.channel, target.channel) {
                (None, None) => stall,
                (None, Some(_)) => true,
                (Some(wanted), channel) => Some(wanted.as_str()) == channel,
            };
            let market = fault.market.as_deref().is_none_or(|market| Some(market) == target.market);
            let key = fault.key.as_deref().is_none_or(|key| key == target.key);
            let over = posted.until.is_some_and(|until| now >= until);
            if fault.fault.place() != Place::Frames
                || !channel
                || !market
                || !key
                || over
                || !posted.hits()
            {
                continue;
            }
            match posted.fault.fault {
                Kind::DropFrames | Kind::Stall { .. } => verdict.drop = true,
                Kind::DuplicateFrames => verdict.duplicate = true,
                Kind::SwapFrames => verdict.swap = true,
                Kind::Overflow => verdict.overflow = true,
                Kind::DelayFrames { ms } => verdict.delay += Duration::from_millis(ms),
                Kind::MalformedFrames => verdict.malformed = true,
                Kind::UnknownType => verdict.unknown_type = true,
                Kind::NumbersForStrings => verdict.numbers = true,
                Kind::CloseConnections
                | Kind::FreezeConnections
                | Kind::RefuseConnections { .. }
                | Kind::Restart { .. }
                | Kind::Status { .. }
                | Kind::LoseAnswer
                | Kind::DelayAnswer { .. }
                | Kind::GarbageAnswer
                | Kind::TooManyRequests => {}
            }
        }
        verdict
    }

    /// What happens to this request: `route` is its `METHOD /path`, `key` the key id it claims.
    pub(crate) fn judge_request(&mut self, route: &str, key: Option<&str>) -> RequestVerdict {
        let mut verdict = RequestVerdict::default();
        for posted in &mut self.posted {
            let fault = &posted.fault;
            let on_route = fault.route.as_deref().is_none_or(|wanted| route.starts_with(wanted));
            let on_key = fault.key.as_deref().is_none_or(|wanted| Some(wanted) == key);
            if fault.fault.place() != Place::Requests || !on_route || !on_key || !posted.hits() {
                continue;
            }
            match posted.fault.fault {
                Kind::Status { code, applied: true } => verdict.status = Some(code),
                Kind::Status { code, applied: false } => verdict.refuse = Some(code),
                Kind::TooManyRequests => verdict.refuse = Some(429),
                Kind::LoseAnswer => verdict.lose = true,
                Kind::DelayAnswer { ms } => verdict.delay += Duration::from_millis(ms),
                Kind::GarbageAnswer => verdict.garbage = true,
                Kind::DropFrames
                | Kind::DuplicateFrames
                | Kind::SwapFrames
                | Kind::Overflow
                | Kind::DelayFrames { .. }
                | Kind::MalformedFrames
                | Kind::UnknownType
                | Kind::NumbersForStrings
                | Kind::Stall { .. }
                | Kind::CloseConnections
                | Kind::FreezeConnections
                | Kind::RefuseConnections { .. }
                | Kind::Restart { .. } => {}
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1);
    const BOOK: FrameTarget<'_> =
        FrameTarget { channel: Some("orderbook_delta"), market: Some("A"), key: "k" };

    #[test]
    fn a_fault_skips_then_hits_every_nth_so_many_times() {
        let mut board = Board::default();
        board.post(Fault::new(Kind::DropFrames).after(2).every(3).times(2), NOW);
        let dropped: Vec<bool> = (0..12).map(|_| board.judge_frame(BOOK, NOW).drop).collect();
        let at: Vec<usize> =
            dropped.iter().enumerate().filter(|(_, drop)| **drop).map(|(at, _)| at).collect();
        assert_eq!(at, [4, 7]);
        assert_eq!(board.list()[0].hits, 2);
    }

    #[test]
    fn a_fault_hits_its_target_alone() {
        let cases = [
            (Fault::new(Kind::DropFrames).on_channel("trade"), false),
            (Fault::new(Kind::DropFrames).on_channel("orderbook_delta"), true),
            (Fault::new(Kind::DropFrames).on_market("B"), false),
            (Fault::new(Kind::DropFrames).on_market("A"), true),
            (Fault::new(Kind::DropFrames).on_key("other"), false),
            (Fault::new(Kind::LoseAnswer), false),
        ];
        for (fault, dropped) in cases {
            let mut board = Board::default();
            board.post(fault.clone(), NOW);
            assert_eq!(board.judge_frame(BOOK, NOW).drop, dropped, "{fault:?}");
        }
    }

    #[test]
    fn a_stall_without_a_channel_silences_replies_and_ends_by_itself() {
        let reply = FrameTarget { channel: None, market: None, key: "k" };
        let mut board = Board::default();
        board.post(Fault::new(Kind::DropFrames), NOW);
        assert!(!board.judge_frame(reply, NOW).drop);
        board.post(Fault::new(Kind::Stall { ms: Some(1_000) }), NOW);
        assert!(board.judge_frame(reply, NOW).drop);
        assert!(!board.judge_frame(reply, Timestamp::from_secs(2)).drop);
    }

    #[test]
    fn the_json_of_a_fault_is_read_with_its_defaults() {
        let text = r#"{"fault":{"kind":"status","code":503,"applied":true},"route":"POST /x"}"#;
        let expected = Fault::new(Kind::Status { code: 503, applied: true }).on_route("POST /x");
        assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), expected);
        assert!(serde_json::from_str::<Fault>(r#"{"fault":{"kind":"explode"}}"#).is_err());
    }
}
