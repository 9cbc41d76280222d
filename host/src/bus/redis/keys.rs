//! Snapshot keys: the whole state of each market and game, for whoever comes late or lost
//! something.
//!
//! | key | holds |
//! | --- | --- |
//! | `hotpit:book:<ticker>` | [`BookKey`] |
//! | `hotpit:market:<ticker>` | [`MarketKey`] |
//! | `hotpit:game:<ESPN id>` | [`GameKey`] |
//! | `hotpit:publisher` | [`PublisherKey`] |
//! | `hotpit:epoch` | the latest epoch there was |

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::envelope::Seqs;
use super::{EPOCH_KEY, PUBLISHER_KEY, VERSION};
use crate::model::{Game, GameInfo, Level, Market, Statistics};

/// How often a subscriber looks for the next flush.
const FLUSH_POLL: Duration = Duration::from_millis(20);

/// How many keys one command asks for.
const CHUNK: usize = 256;

/// What a key is about. The text is the ticker, or ESPN's id of the game.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Subject {
    Book(Arc<str>),
    Market(Arc<str>),
    Game(Arc<str>),
}

const BOOK: &str = "hotpit:book:";
const MARKET: &str = "hotpit:market:";
const GAME: &str = "hotpit:game:";

impl Subject {
    pub(super) fn key(&self) -> String {
        match self {
            Self::Book(ticker) => format!("{BOOK}{ticker}"),
            Self::Market(ticker) => format!("{MARKET}{ticker}"),
            Self::Game(espn_id) => format!("{GAME}{espn_id}"),
        }
    }
}

/// A book as of `seq` of `kalshi:markets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BookKey {
    pub(super) v: u32,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) synced: bool,
    pub(super) ts: Timestamp,
    /// Best first.
    pub(super) bids: Vec<Level>,
    /// Best first.
    pub(super) asks: Vec<Level>,
}

/// A market as of `seq` of `kalshi:lifecycle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MarketKey {
    pub(super) v: u32,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) market: Arc<Market>,
    #[serde(default)]
    pub(super) statistics: Option<Statistics>,
}

/// A game as of `seq` of `espn:games`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GameKey {
    pub(super) v: u32,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) info: Option<Arc<GameInfo>>,
    pub(super) game: Option<Game>,
}

/// Who publishes, and how far its keys are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PublisherKey {
    pub(super) v: u32,
    /// The exchange that is published.
    pub(super) venue: String,
    pub(super) epoch: u64,
    /// Counts the flushes of this epoch.
    pub(super) flush: u64,
    /// Every key holds at least what was published up to these sequence numbers.
    pub(super) seqs: Seqs,
    /// As of when every book is proved to be as its key says; the epoch: it is not.
    pub(super) proved: Timestamp,
    pub(super) ts: Timestamp,
}

/// The publisher's key, if there is a readable one.
pub(super) async fn publisher(
    connection: &mut MultiplexedConnection,
) -> RedisResult<Option<PublisherKey>> {
    let bytes: Option<Vec<u8>> =
        redis::cmd("GET").arg(PUBLISHER_KEY).query_async(connection).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The latest epoch that any publisher had; 0: there was none.
pub(super) async fn latest_epoch(connection: &mut MultiplexedConnection) -> RedisResult<u64> {
    let epoch: Option<u64> = redis::cmd("GET").arg(EPOCH_KEY).query_async(connection).await?;
    Ok(epoch.unwrap_or(0))
}

/// Makes this the latest epoch; the one that was before.
pub(super) async fn begin_epoch(
    connection: &mut MultiplexedConnection,
    epoch: u64,
) -> RedisResult<u64> {
    let mut set = redis::cmd("SET");
    let before: Option<u64> =
        set.arg(EPOCH_KEY).arg(epoch).arg("GET").query_async(connection).await?;
    Ok(before.unwrap_or(0))
}

/// Which keys to load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Families {
    pub(super) books: bool,
    pub(super) markets: bool,
    pub(super) games: bool,
}

/// What the keys held.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) venue: String,
    pub(super) epoch: u64,
    /// At least up to these sequence numbers.
    pub(super) seqs: Seqs,
    /// As of when the books are proved.
    pub(super) proved: Timestamp,
    pub(super) books: Vec<(Arc<str>, BookKey)>,
    pub(super) markets: Vec<MarketKey>,
    pub(super) games: Vec<(Arc<str>, GameKey)>,
}

/// Waits for the end of the flush that is due, then loads the keys of its publisher.
///
/// The keys of a flush and the publisher's key follow each other on one connection without a
/// message between. So a publisher's key that was written after we subscribed means that the
/// keys hold all that we could not hear; its `seqs` prove it.
pub(super) async fn load(
    mut connection: MultiplexedConnection,
    families: Families,
) -> Result<Loaded, RedisError> {
    let at_first = publisher(&mut connection).await?;
    let now = loop {
        tokio::time::sleep(FLUSH_POLL).await;
        match publisher(&mut connection).await? {
            Some(now) if Some(&now) != at_first.as_ref() && now.v == VERSION => break now,
            Some(_) | None => {}
        }
    };
    let PublisherKey { venue, epoch, seqs, proved, .. } = now;
    let mut loaded = Loaded { venue, epoch, seqs, proved, ..Loaded::default() };
    if families.markets {
        let keys = read::<MarketKey>(&mut connection, MARKET).await?;
        let current = |key: &MarketKey| key.v == VERSION && key.epoch == epoch;
        loaded.markets = keys.into_iter().map(|(_, key)| key).filter(current).collect();
    }
    if families.games {
        loaded.games = read::<GameKey>(&mut connection, GAME).await?;
        loaded.games.retain(|(_, key)| key.v == VERSION && key.epoch == epoch);
    }
    if families.books {
        loaded.books = read::<BookKey>(&mut connection, BOOK).await?;
        loaded.books.retain(|(_, key)| key.v == VERSION && key.epoch == epoch);
    }
    Ok(loaded)
}

/// Every key of a family with its value, ascending by name; unreadable values are left out.
async fn read<T: DeserializeOwned>(
    connection: &mut MultiplexedConnection,
    prefix: &str,
) -> RedisResult<Vec<(Arc<str>, T)>> {
    let mut names: Vec<String> = vec![];
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(1_000);
        let (next, found): (u64, Vec<String>) = scan.query_async(connection).await?;
        names.extend(found);
        if next == 0 {
            break;
        }
        cursor = next;
    }
    // A scan may name a key twice.
    names.sort_unstable();
    names.dedup();
    let mut values = Vec::with_capacity(names.len());
    for chunk in names.chunks(CHUNK) {
        let found: Vec<Option<Vec<u8>>> =
            redis::cmd("MGET").arg(chunk).query_async(connection).await?;
        for (name, bytes) in chunk.iter().zip(found) {
            let value = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if let (Some(name), Some(value)) = (name.strip_prefix(prefix), value) {
                values.push((Arc::from(name), value));
            }
        }
    }
    Ok(values)
}
