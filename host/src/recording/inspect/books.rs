//! [`Books`]: the books that a recording ends with.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::feeds::kalshi::wire::{Delta, Header, NoScale, Snapshot};
use crate::model::{Book, BookError, Level};

/// What is said of a price that has no other leg.
const TOO_DEAR: &str = "a price is above $1";

/// How many connections of one market are kept apart: a market moves from one to another, and what
/// the first had under way may come after that.
const LINES_MAX: usize = 2;

/// Books by ticker: each from its snapshot on, as its connection said last, even if that has
/// ended. What makes a book doubtful (frames are missing, a change does not fit) is told beside
/// it, until its next snapshot.
///
/// Serialized it is an object with the books, each as Kalshi's REST API shows it: bids of both
/// legs in prices of their own leg, ascending.
#[derive(Debug, Default)]
pub struct Books(BTreeMap<Arc<str>, Vec<Entry>>);

/// The book of a market as one connection tells it.
#[derive(Debug)]
struct Entry {
    connection: u32,
    sid: Option<u64>,
    /// None: no snapshot of it can be read.
    book: Option<Book>,
    /// Why the book may not be the exchange's.
    doubt: Option<String>,
}

impl Books {
    /// The books.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Book)> {
        self.last().filter_map(|(ticker, entry)| Some((ticker, entry.book.as_ref()?)))
    }

    /// The markets whose book may not be the exchange's, or is not there, and why.
    pub fn doubts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.last().filter_map(|(ticker, entry)| Some((ticker, entry.doubt.as_deref()?)))
    }

    fn last(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().filter_map(|(ticker, entries)| Some((&**ticker, entries.last()?)))
    }

    /// The whole book of a market came.
    pub(super) fn snapshot(
        &mut self,
        connection: u32,
        header: Header,
        snapshot: &Snapshot<'_>,
        scale: NoScale,
    ) {
        let ticker: Arc<str> = (&*snapshot.market_ticker).into();
        let levels = snapshot.message(Arc::clone(&ticker), scale, Timestamp::EPOCH);
        let book = match levels {
            Some(it) => Book::from_snapshot(it.bids, it.asks).map_err(|error| error.to_string()),
            None => Err(TOO_DEAR.to_owned()),
        };
        let (book, doubt) = match book {
            Ok(book) => (Some(book), None),
            Err(reason) => (None, Some(reason)),
        };
        self.put(ticker, Entry { connection, sid: header.sid, book, doubt });
    }

    /// A level of a book changed. One that would become negative is taken out.
    pub(super) fn delta(
        &mut self,
        connection: u32,
        header: Header,
        delta: &Delta<'_>,
        scale: NoScale,
    ) {
        let ticker = &*delta.market_ticker;
        let entries = self.0.get_mut(ticker).map_or(&mut [][..], Vec::as_mut_slice);
        let Some(entry) = entries.iter_mut().find(|entry| entry.connection == connection) else {
            let doubt = Some("it changed, and its snapshot is not in the recording".to_owned());
            self.put(ticker.into(), Entry { connection, sid: header.sid, book: None, doubt });
            return;
        };
        let Some(book) = &mut entry.book else { return };
        let Some(change) = delta.message(ticker.into(), scale, Timestamp::EPOCH) else {
            entry.doubt.get_or_insert_with(|| TOO_DEAR.to_owned());
            return;
        };
        if let Err(error) = book.apply(change.side, change.price, change.delta) {
            if let BookError::NegativeLevel { side, price, has, .. } = error {
                // Less than all there is cannot make it negative.
                let _ = book.apply(side, price, -has);
            }
            entry.doubt.get_or_insert_with(|| error.to_string());
        }
    }

    /// Something of a subscription is missing.
    pub(super) fn lost(&mut self, connection: u32, sid: Option<u64>, reason: &str) {
        for entry in self.0.values_mut().flatten() {
            if entry.connection == connection && (sid.is_none() || entry.sid == sid) {
                entry.doubt.get_or_insert_with(|| format!("{reason}, and no snapshot came after"));
            }
        }
    }

    /// The connections that were, and their numbers, are no more: those that come are others.
    pub(super) fn numbered_anew(&mut self) {
        for entry in self.0.values_mut().flatten() {
            entry.connection = u32::MAX;
        }
    }

    /// Puts what was said last behind all else.
    fn put(&mut self, ticker: Arc<str>, entry: Entry) {
        let entries = self.0.entry(ticker).or_default();
        entries.retain(|it| it.connection != entry.connection);
        if entries.len() == LINES_MAX {
            entries.remove(0);
        }
        entries.push(entry);
    }
}

impl Serialize for Books {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            yes: Vec<(Price, Quantity)>,
            no: Vec<(Price, Quantity)>,
        }
        let mut map = serializer.serialize_map(None)?;
        for (ticker, book) in self.iter() {
            let level = |Level { price, quantity }| (price, quantity);
            let mut yes: Vec<_> = book.levels(Side::Bid).map(level).collect();
            yes.reverse();
            // Every ask came from a price of the NO leg, or is one of the YES leg up to $1.
            let no = book.levels(Side::Ask).map(level);
            let mut no: Vec<_> =
                no.filter_map(|(price, quantity)| Some((price.complement()?, quantity))).collect();
            no.reverse();
            map.serialize_entry(ticker, &Shown { yes, no })?;
        }
        map.end()
    }
}
