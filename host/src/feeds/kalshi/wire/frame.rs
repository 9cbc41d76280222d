//! [`parse`]: the envelope of a frame, and which body is in it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::body::{
    Delta, EventCreated, EventFees, Failure, GroupUpdate, Lifecycle, OkBody, Position, Snapshot,
    Statistics, SubscribedBody, Trade,
};
use super::quick;
use crate::kalshi::wire::Lenient;
use crate::kalshi::wire::order::{Fill, Order};

/// What stands around the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The id of the command that this answers; none: nobody's.
    pub id: Option<u64>,
    /// The subscription.
    pub sid: Option<u64>,
    /// The frame's number in its subscription; none on channels that are not sequenced.
    pub seq: Option<u64>,
    /// When Kalshi sent it, in ms.
    pub sending_ts_ms: Option<u64>,
}

/// A frame.
#[derive(Debug)]
pub struct Frame<'a> {
    /// What stands around the body.
    pub header: Header,
    /// What it says.
    pub body: Body<'a>,
}

/// What a frame says.
#[derive(Debug)]
pub enum Body<'a> {
    /// A channel is subscribed.
    Subscribed {
        /// The channel, as Kalshi names it.
        channel: Cow<'a, str>,
        /// The subscription.
        sid: u64,
    },
    /// A command was carried out. The markets of the subscription after it, where the answer
    /// lists them.
    Ok(Option<Vec<Cow<'a, str>>>),
    /// A subscription ended.
    Unsubscribed,
    /// A command or a subscription failed.
    Error(Failure<'a>),
    /// The whole book of a market.
    Snapshot(Snapshot<'a>),
    /// One level of a book moved.
    Delta(Delta<'a>),
    /// Somebody traded.
    Trade(Trade<'a>),
    /// One of our orders traded.
    Fill(Box<Fill>),
    /// One of our orders changed.
    Order(Box<Order>),
    /// One of our positions changed.
    Position(Position),
    /// One of our order groups changed.
    Group(GroupUpdate<'a>),
    /// The numbers of a market's trading changed.
    Statistics(Statistics<'a>),
    /// A market went a step in its life.
    Lifecycle(Box<Lifecycle>),
    /// An event was made.
    EventCreated(Box<EventCreated>),
    /// An event's fees changed.
    EventFees(Box<EventFees>),
    /// A type that the host knows and has no use for (combos, requests for quotes).
    Unused,
    /// A type that this version does not know.
    Unknown(Cow<'a, str>),
}

/// Why a frame cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The text is no frame at all.
    #[error("not a frame: {0}")]
    NotAFrame(String),
    /// The body is not what its type says. What stands around it is known.
    #[error("the body of `{kind}` cannot be read: {reason}")]
    Body {
        /// What stands around the body.
        header: Header,
        /// The frame's type.
        kind: String,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a frame.
///
/// # Errors
/// When the text is no frame, or its body not what its type says.
pub fn parse(text: &str) -> Result<Frame<'_>, WireError> {
    quick::delta(text).map_or_else(|| parse_in_full(text), Ok)
}

/// [`parse`] without the quick reader: the same for every text, which tests and fuzzing show.
///
/// # Errors
/// As [`parse`].
pub fn parse_in_full(text: &str) -> Result<Frame<'_>, WireError> {
    let failed = match pass(text, None) {
        Ok(Envelope { header, kind: Some(_), body: Some(body), .. }) => {
            return Ok(Frame { header, body });
        }
        Ok(Envelope { header, kind: Some(kind), body: None, .. }) => {
            // The body came before the type, or there is none.
            match pass(text, Some(kind)) {
                Ok(Envelope { body: Some(body), .. }) => return Ok(Frame { header, body }),
                Ok(_) => "there is none".to_owned(),
                Err(error) => error.to_string(),
            }
        }
        Ok(Envelope { kind: None, .. }) => return Err(WireError::NotAFrame("no type".to_owned())),
        Err(error) => error.to_string(),
    };
    // Without the body: is there at least a number that is now missing?
    match pass(text, Some(Kind::Skipped)) {
        Ok(Envelope { header, named: Some(kind), .. }) => {
            Err(WireError::Body { header, kind: kind.into_owned(), reason: failed })
        }
        Ok(_) | Err(_) => Err(WireError::NotAFrame(failed)),
    }
}

/// The types of frames.
#[derive(Debug, Clone)]
enum Kind<'a> {
    Subscribed,
    Ok,
    Unsubscribed,
    Error,
    Snapshot,
    Delta,
    Trade,
    Fill,
    Order,
    Position,
    Group,
    Statistics,
    Lifecycle,
    EventCreated,
    EventFees,
    Unused,
    Unknown(Cow<'a, str>),
    /// Whatever it is, its body is not to be read.
    Skipped,
}

impl<'a> Kind<'a> {
    fn of(name: Cow<'a, str>) -> Self {
        match &*name {
            "subscribed" => Self::Subscribed,
            "ok" => Self::Ok,
            "unsubscribed" => Self::Unsubscribed,
            "error" => Self::Error,
            "orderbook_snapshot" => Self::Snapshot,
            "orderbook_delta" => Self::Delta,
            "trade" => Self::Trade,
            "fill" => Self::Fill,
            "user_order" => Self::Order,
            "market_lifecycle_v2" => Self::Lifecycle,
            "event_lifecycle" => Self::EventCreated,
            "event_fee_update" => Self::EventFees,
            "market_position" => Self::Position,
            "order_group_updates" => Self::Group,
            "ticker" => Self::Statistics,
            "multivariate_market_lifecycle"
            | "rfq_created"
            | "rfq_deleted"
            | "quote_created"
            | "quote_accepted"
            | "quote_executed" => Self::Unused,
            _ => Self::Unknown(name),
        }
    }
}

/// What one pass over a frame finds.
struct Envelope<'a> {
    header: Header,
    kind: Option<Kind<'a>>,
    named: Option<Cow<'a, str>>,
    body: Option<Body<'a>>,
}

fn pass<'a>(text: &'a str, known: Option<Kind<'a>>) -> Result<Envelope<'a>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let envelope = FrameVisitor { known }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(envelope)
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Field {
    Type,
    Id,
    Sid,
    Seq,
    SendingTsMs,
    Msg,
    #[serde(other)]
    Other,
}

struct FrameVisitor<'a> {
    /// The type, where an earlier pass found it.
    known: Option<Kind<'a>>,
}

impl<'a> DeserializeSeed<'a> for FrameVisitor<'a> {
    type Value = Envelope<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for FrameVisitor<'a> {
    type Value = Envelope<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let is_first_pass = self.known.is_none();
        let mut envelope =
            Envelope { header: Header::default(), kind: self.known, named: None, body: None };
        while let Some(field) = map.next_key()? {
            match field {
                Field::Id => envelope.header.id = map.next_value::<Lenient>()?.0,
                Field::Sid => envelope.header.sid = map.next_value::<Lenient>()?.0,
                Field::Seq => envelope.header.seq = map.next_value::<Lenient>()?.0,
                Field::SendingTsMs => {
                    envelope.header.sending_ts_ms = map.next_value::<Lenient>()?.0;
                }
                Field::Type => {
                    let Text(name) = map.next_value()?;
                    if is_first_pass {
                        envelope.kind = Some(Kind::of(name));
                    } else {
                        envelope.named = Some(name);
                    }
                }
                Field::Msg => match &envelope.kind {
                    Some(kind) => envelope.body = read_body(kind, &mut map)?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                },
                Field::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if envelope.body.is_none() {
            envelope.body = envelope.kind.as_ref().and_then(bodiless);
        }
        Ok(envelope)
    }
}

/// A text that is borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What a frame without a body says, where it may have none.
fn bodiless<'a>(kind: &Kind<'a>) -> Option<Body<'a>> {
    match kind {
        Kind::Ok => Some(Body::Ok(None)),
        Kind::Unsubscribed => Some(Body::Unsubscribed),
        Kind::Unused => Some(Body::Unused),
        Kind::Unknown(name) => Some(Body::Unknown(name.clone())),
        Kind::Subscribed
        | Kind::Error
        | Kind::Snapshot
        | Kind::Delta
        | Kind::Trade
        | Kind::Fill
        | Kind::Order
        | Kind::Position
        | Kind::Group
        | Kind::Statistics
        | Kind::Lifecycle
        | Kind::EventCreated
        | Kind::EventFees
        | Kind::Skipped => None,
    }
}

fn read_body<'a, A: MapAccess<'a>>(
    kind: &Kind<'a>,
    map: &mut A,
) -> Result<Option<Body<'a>>, A::Error> {
    Ok(Some(match kind {
        Kind::Subscribed => {
            let SubscribedBody { channel, sid } = map.next_value()?;
            Body::Subscribed { channel, sid }
        }
        Kind::Ok => match map.next_value()? {
            OkBody::Markets(tickers) => Body::Ok(tickers),
            OkBody::Other => Body::Ok(None),
        },
        Kind::Error => Body::Error(map.next_value()?),
        Kind::Snapshot => Body::Snapshot(map.next_value()?),
        Kind::Delta => Body::Delta(map.next_value()?),
        Kind::Trade => Body::Trade(map.next_value()?),
        Kind::Fill => Body::Fill(map.next_value()?),
        Kind::Order => Body::Order(map.next_value()?),
        Kind::Position => Body::Position(map.next_value()?),
        Kind::Group => Body::Group(map.next_value()?),
        Kind::Statistics => Body::Statistics(map.next_value()?),
        Kind::Lifecycle => Body::Lifecycle(map.next_value()?),
        Kind::EventCreated => Body::EventCreated(map.next_value()?),
        Kind::EventFees => Body::EventFees(map.next_value()?),
        Kind::Unsubscribed | Kind::Unused | Kind::Unknown(_) | Kind::Skipped => {
            map.next_value::<IgnoredAny>()?;
            return Ok(None);
        }
    }))
}
