//! What travels over the bus: one message per thing that changed.

use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::{Game, GameInfo, League, Level, Market, Statistics, Trade};

/// A message from a feed to everyone who listens. Markets and games go by their names, because
/// handles are each host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// A market is new or changed, its book apart. Channel `kalshi:lifecycle`.
    Market(Arc<Market>),
    /// The whole book of a market. Channel `kalshi:markets`.
    Snapshot(Snapshot),
    /// One level of a book moved. Channel `kalshi:markets`.
    Delta(Delta),
    /// The books of these markets can no longer be trusted, until their next snapshot. Channel
    /// `kalshi:markets`.
    Stale(Stale),
    /// Somebody traded. Channel `kalshi:trades`.
    Trade(Trade),
    /// The numbers of a market's trading changed. Channel `kalshi:trades`.
    Statistics(Statistics),
    /// A game is new, or what is known of it changed. Channel `espn:games`.
    GameInfo(Arc<GameInfo>),
    /// The state of a game. Channel `espn:games`.
    Game(Game),
    /// A scoreboard was read: every game on it is as it was told. Channel `espn:games`.
    BoardRead(BoardRead),
    /// The books are as they were told. Channel `kalshi:markets`.
    Proof(Proof),
}

/// A scoreboard was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRead {
    /// Its league.
    pub league: League,
    /// When.
    pub at: Timestamp,
}

/// Whatever was not told of a book since is not so: every stream of the exchange that is followed
/// is known to live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// As of when.
    pub as_of: Timestamp,
}

/// The whole book of a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The market.
    pub ticker: Arc<str>,
    /// Bids of the YES leg, in any order.
    pub bids: Vec<Level>,
    /// Asks of the YES leg, in any order.
    pub asks: Vec<Level>,
    /// When the host received it.
    pub ts: Timestamp,
}

/// One level of a book moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The market.
    pub ticker: Arc<str>,
    /// The side of the level.
    pub side: Side,
    /// The price of the YES leg.
    pub price: Price,
    /// What is added; negative: taken away.
    pub delta: Quantity,
    /// When the exchange made the change, or, where it does not say, when the host received it.
    pub ts: Timestamp,
}

/// Books that can no longer be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// The markets.
    pub tickers: Vec<Arc<str>>,
    /// What happened, for people.
    pub reason: String,
}
