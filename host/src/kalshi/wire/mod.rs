//! The JSON of Kalshi's REST API, and how it becomes the host's own words.
//!
//! Only the fields that the host uses are named; what else an answer has is ignored, so that a
//! new field breaks nothing. Numbers are accepted where strings are expected, `null` where a
//! list or an optional field is. Source: Kalshi, OpenAPI 3.25.0 and later changes.

pub mod account;
pub mod error;
pub mod market;
pub mod order;

use std::fmt;

use hotpit_units::{Dollars, Side, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

/// Reads `null` as the default: Kalshi's empty lists may be `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The side of the YES leg that an order or fill is on: `book_side`, or where that is missing
/// `outcome_side`, of which it is a synonym.
pub(crate) fn side(book_side: Option<&str>, outcome_side: Option<&str>) -> Option<Side> {
    match (book_side, outcome_side) {
        (Some("bid"), _) | (None, Some("yes")) => Some(Side::Bid),
        (Some("ask"), _) | (None, Some("no")) => Some(Side::Ask),
        _ => None,
    }
}

/// A time in RFC 3339 form. `None` where the text is none or lies before 1970.
pub(crate) fn rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// A whole number that may also come as text or as a number with a fraction, which is cut off.
/// Anything else is read as nothing: such fields are times and counts that only help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lenient(pub(crate) Option<u64>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl<'de> Visitor<'de> for Number {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Lenient, E> {
                Ok(Lenient(Some(number)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Lenient, E> {
                Ok(Lenient(u64::try_from(number).ok()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Lenient, E> {
                let text = number.trunc().to_string();
                Ok(Lenient(text.parse().ok()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient(text.parse().ok()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_unit<E>(self) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Lenient, A::Error> {
                while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Lenient, A::Error> {
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// A multiplier in thousandths, rounded up, so that a fee is never assumed too small. Kalshi
/// sends a JSON number; it is read from its shortest text form, which is the decimal that was
/// sent, and never computed with as a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milli(pub u32);

impl<'de> Deserialize<'de> for Milli {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Dollars read the same decimal form, to a millionth.
        let millionths = Dollars::deserialize(deserializer)?.raw();
        u64::try_from(millionths)
            .ok()
            .and_then(|millionths| u32::try_from(millionths.div_ceil(1_000)).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom("the multiplier is out of range"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiplier_is_read_exactly_and_rounded_up() {
        let cases = [
            ("0.5", 500),
            ("1", 1_000),
            ("1.0", 1_000),
            ("\"0.25\"", 250),
            ("0.0001", 1),
            ("0", 0),
        ];
        for (text, milli) in cases {
            assert_eq!(serde_json::from_str::<Milli>(text).unwrap(), Milli(milli), "{text}");
        }
        assert!(serde_json::from_str::<Milli>("-1").is_err());
        assert!(serde_json::from_str::<Milli>("null").is_err());
    }

    #[test]
    fn a_lenient_number_reads_what_it_can() {
        let cases = [
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("7.9", Some(7)),
            ("-1", None),
            ("null", None),
            ("true", None),
            ("[1,{}]", None),
            ("{\"a\":1}", None),
            ("\"x\"", None),
        ];
        for (text, number) in cases {
            assert_eq!(serde_json::from_str::<Lenient>(text).unwrap(), Lenient(number), "{text}");
        }
    }

    #[test]
    fn a_time_is_read_to_the_microsecond() {
        assert_eq!(
            rfc3339("2026-09-10T00:20:00.123456Z"),
            Some(Timestamp::from_nanos(1_788_999_600_123_456_000))
        );
        assert_eq!(rfc3339("yesterday"), None);
        assert_eq!(rfc3339("1969-12-31T00:00:00Z"), None);
    }
}
