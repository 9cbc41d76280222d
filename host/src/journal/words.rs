//! Values of the domain as the words and integers that stand in the database.

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};

use crate::model::{OrderId, OrderState, TimeInForce};

/// Why a value in the database is none of ours.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` does not belong in this column")]
struct Foreign(String);

/// A unit type with its words.
pub(super) trait Word: Copy + PartialEq + 'static {
    /// Each value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word of a value.
    fn word(self) -> &'static str;

    /// Reads the word in a column.
    fn read(row: &Row<'_>, column: &str) -> rusqlite::Result<Self> {
        let text: String = row.get(column)?;
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(value, _)| *value).ok_or_else(|| foreign(text))
    }
}

/// Gives a unit type its words, each once: a new variant does not compile without one.
macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Word for $type {
            const WORDS: &'static [(Self, &'static str)] = &[$((Self::$variant, $word)),+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

words!(Side { Bid = "bid", Ask = "ask" });
words!(TimeInForce {
    GoodTillCanceled = "good_till_canceled",
    ImmediateOrCancel = "immediate_or_cancel",
    FillOrKill = "fill_or_kill",
});
words!(OrderState {
    Denied = "denied",
    Sent = "sent",
    Resting = "resting",
    PartlyFilled = "partly_filled",
    Filled = "filled",
    Canceled = "canceled",
    Expired = "expired",
    Rejected = "rejected",
    Unknown = "unknown",
});

/// A time. The integer of SQLite ends in the year 2262.
pub(super) fn nanos(ts: Timestamp) -> i64 {
    i64::try_from(ts.as_nanos()).unwrap_or(i64::MAX)
}

/// An agent's number for an order, with all its 64 bits in SQLite's signed integer.
pub(super) fn order_id(order: OrderId) -> i64 {
    order.0.cast_signed()
}

/// The number that [`order_id`] stored.
pub(super) fn stored_order_id(stored: i64) -> OrderId {
    OrderId(stored.cast_unsigned())
}

pub(super) fn read_ts(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    stored_ts(row.get(column)?)
}

pub(super) fn stored_ts(stored: i64) -> rusqlite::Result<Timestamp> {
    u64::try_from(stored).map(Timestamp::from_nanos).map_err(|_| foreign(stored.to_string()))
}

pub(super) fn read_price(row: &Row<'_>, column: &str) -> rusqlite::Result<Price> {
    let stored: i64 = row.get(column)?;
    u32::try_from(stored).map(Price::from_raw).map_err(|_| foreign(stored.to_string()))
}

pub(super) fn read_quantity(row: &Row<'_>, column: &str) -> rusqlite::Result<Quantity> {
    row.get(column).map(Quantity::from_raw)
}

pub(super) fn read_dollars(row: &Row<'_>, column: &str) -> rusqlite::Result<Dollars> {
    row.get(column).map(Dollars::from_raw)
}

fn foreign(value: String) -> rusqlite::Error {
    let error = FromSqlError::other(Foreign(value));
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_reports() {
        for (state, word) in OrderState::WORDS {
            assert_eq!(serde_json::to_string(state).unwrap(), format!("\"{word}\""));
        }
        for (time_in_force, word) in TimeInForce::WORDS {
            assert_eq!(serde_json::to_string(time_in_force).unwrap(), format!("\"{word}\""));
        }
    }

    #[test]
    fn every_number_of_an_agent_fits() {
        for number in [0, 1, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX] {
            assert_eq!(stored_order_id(order_id(OrderId(number))), OrderId(number));
        }
    }
}
