//! Channels and envelopes: what a message looks like on Redis.
//!
//! `{"v":1,"epoch":1795363200000,"seq":17,"ts":1795363212345678901,"body":{"type":"delta",...}}`;
//! a heartbeat has no body, and the `seq` of the last message before it.

use hotpit_units::Timestamp;
use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::bus::Message;

/// A Pub/Sub channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Channel {
    Markets,
    Trades,
    Lifecycle,
    Games,
}

impl Channel {
    pub(super) const COUNT: usize = 4;
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Markets, Self::Trades, Self::Lifecycle, Self::Games];

    /// The channel of a message.
    pub(super) fn of(message: &Message) -> Self {
        match message {
            Message::Snapshot(_) | Message::Delta(_) | Message::Stale(_) | Message::Proof(_) => {
                Self::Markets
            }
            Message::Trade(_) | Message::Statistics(_) => Self::Trades,
            Message::Market(_) => Self::Lifecycle,
            Message::GameInfo(_) | Message::Game(_) | Message::BoardRead(_) => Self::Games,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Markets => "kalshi:markets",
            Self::Trades => "kalshi:trades",
            Self::Lifecycle => "kalshi:lifecycle",
            Self::Games => "espn:games",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }

    /// Its place in an array with one element per channel.
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// The last sequence number of each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Seqs {
    pub(super) markets: u64,
    pub(super) trades: u64,
    pub(super) lifecycle: u64,
    pub(super) games: u64,
}

impl Seqs {
    pub(super) fn of(&mut self, channel: Channel) -> &mut u64 {
        match channel {
            Channel::Markets => &mut self.markets,
            Channel::Trades => &mut self.trades,
            Channel::Lifecycle => &mut self.lifecycle,
            Channel::Games => &mut self.games,
        }
    }
}

/// A message with its place in the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) v: u32,
    /// Which run of the publisher: milliseconds since the Unix epoch, later for a later run.
    pub(super) epoch: u64,
    /// Counts the messages of the channel in this epoch.
    pub(super) seq: u64,
    /// When the publishing host received it.
    pub(super) ts: Timestamp,
    /// None in a heartbeat.
    #[serde(default)]
    pub(super) body: Option<Message>,
}

/// What came over a channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Envelope(Envelope),
    /// A message of a type that this version does not know: has its place, and nothing for us.
    UnknownType(Place),
    /// A message of a known type that cannot be read: as good as lost.
    Unreadable(Place),
    /// No envelope of this version.
    Foreign,
}

/// The place of a message in its channel; later places are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Place {
    pub(super) epoch: u64,
    pub(super) seq: u64,
}

const KNOWN_TYPES: [&str; 10] = [
    "market",
    "snapshot",
    "delta",
    "stale",
    "proof",
    "trade",
    "statistics",
    "game_info",
    "game",
    "board_read",
];

/// Writes an envelope.
pub(super) fn encode(
    buffer: &mut Vec<u8>,
    place: Place,
    ts: Timestamp,
    body: Option<&Message>,
) -> Result<(), serde_json::Error> {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        v: u32,
        epoch: u64,
        seq: u64,
        ts: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a Message>,
    }
    let Place { epoch, seq } = place;
    serde_json::to_writer(buffer, &Borrowed { v: VERSION, epoch, seq, ts, body })
}

/// Reads an envelope.
pub(super) fn decode(bytes: &[u8]) -> Decoded {
    #[derive(Deserialize)]
    struct Outside {
        v: u32,
        #[serde(flatten)]
        place: Place,
        body: Option<Kind>,
    }
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    match serde_json::from_slice::<Envelope>(bytes) {
        Ok(envelope) if envelope.v == VERSION => Decoded::Envelope(envelope),
        Ok(_) => Decoded::Foreign,
        Err(_) => match serde_json::from_slice::<Outside>(bytes) {
            Ok(Outside { v: VERSION, place, body: Some(Kind { r#type }) }) => {
                if KNOWN_TYPES.contains(&r#type.as_str()) {
                    Decoded::Unreadable(place)
                } else {
                    Decoded::UnknownType(place)
                }
            }
            Ok(_) | Err(_) => Decoded::Foreign,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Delta, Stale};
    use hotpit_units::{Price, Quantity, Side};

    fn delta() -> Message {
        Message::Delta(Delta {
            ticker: "KX-1".into(),
            side: Side::Bid,
            price: Price::from_cents(55),
            delta: Quantity::from_contracts(-3),
            ts: Timestamp::from_millis(5),
        })
    }

    #[test]
    fn an_envelope_is_readable_json_and_comes_back_the_same() {
        let mut bytes = vec![];
        let place = Place { epoch: 7, seq: 9 };
        encode(&mut bytes, place, Timestamp::from_nanos(3), Some(&delta())).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((json["v"].as_u64(), json["seq"].as_u64()), (Some(1), Some(9)));
        assert_eq!(json["body"]["type"], "delta");
        let Decoded::Envelope(envelope) = decode(&bytes) else { panic!("{json}") };
        assert_eq!(envelope.body, Some(delta()));
    }

    #[test]
    fn a_heartbeat_has_no_body() {
        let mut bytes = vec![];
        encode(&mut bytes, Place { epoch: 7, seq: 9 }, Timestamp::EPOCH, None).unwrap();
        assert_eq!(bytes, br#"{"v":1,"epoch":7,"seq":9,"ts":0}"#);
        assert!(matches!(decode(&bytes), Decoded::Envelope(Envelope { body: None, .. })));
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let place = Place { epoch: 7, seq: 9 };
        let cases = [
            (
                r#"{"v":1,"epoch":7,"seq":9,"ts":0,"body":{"type":"news"}}"#,
                Decoded::UnknownType(place),
            ),
            (
                r#"{"v":1,"epoch":7,"seq":9,"ts":0,"body":{"type":"delta"}}"#,
                Decoded::Unreadable(place),
            ),
            (r#"{"v":2,"epoch":7,"seq":9,"ts":0}"#, Decoded::Foreign),
            ("hello", Decoded::Foreign),
            ("", Decoded::Foreign),
            ("[]", Decoded::Foreign),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn every_type_of_message_is_known() {
        let stale = Message::Stale(Stale { tickers: vec![], reason: String::new() });
        for message in [delta(), stale] {
            let json = serde_json::to_value(&message).unwrap();
            assert!(KNOWN_TYPES.contains(&json["type"].as_str().unwrap()), "{json}");
        }
    }
}
