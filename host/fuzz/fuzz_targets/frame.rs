//! Whatever a WebSocket may say becomes a frame or an error, the quick reader of changes reads what
//! the full one reads, and a book that takes it never has a level without quantity.

#![no_main]

use hotpit::feeds::kalshi::wire::{Body, Frame, NoScale, parse, parse_in_full};
use hotpit::model::Book;
use hotpit_units::{Side, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let quick = parse(text).map(|frame| format!("{frame:?}"));
    let full = parse_in_full(text);
    assert_eq!(quick, full.as_ref().map(|frame| format!("{frame:?}")).map_err(Clone::clone));
    let Ok(Frame { body, .. }) = full else { return };
    for scale in [NoScale::YesLeg, NoScale::NoLeg] {
        if let Some(book) = book(&body, scale) {
            for side in [Side::Bid, Side::Ask] {
                assert!(book.levels(side).all(|level| !level.quantity.is_zero()));
                assert!(book.levels(side).all(|level| !level.quantity.is_negative()));
            }
        }
    }
});

/// The book that a frame makes.
fn book(body: &Body<'_>, scale: NoScale) -> Option<Book> {
    match body {
        Body::Snapshot(snapshot) => {
            let levels = snapshot.message("M".into(), scale, Timestamp::EPOCH)?;
            Book::from_snapshot(levels.bids, levels.asks).ok()
        }
        Body::Delta(delta) => {
            let change = delta.message("M".into(), scale, Timestamp::EPOCH)?;
            let mut book = Book::default();
            book.apply(change.side, change.price, change.delta).ok()?;
            Some(book)
        }
        _ => None,
    }
}
