//! The text form of an agent's saved state: JSON, but for keys, which may be any value.
//!
//! Why not `serde_json`: an agent's file is compiled while its operator waits for the swap, and
//! state is the one thing an agent reads and writes as text. `serde_json` with what it needs (floats
//! to text and back, error positions, input from readers) was a quarter of the machine code of a
//! real agent. This knows what it is for: text that it wrote itself, read once at a start.
//!
//! - Floats are kept exactly, where a type asks for a float by its name. (A float inside an untagged
//!   enum or a flattened field is refused: to read one would link the float parser into every
//!   agent.)
//! - As in JSON, `Some(None)` reads back as `None`.
//! - Whatever the text is, reading it is an error at worst: depth is limited, and nothing panics.

mod read;
mod write;

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, Expected, Unexpected};

/// How deep lists, maps and variants may nest.
const DEPTH_MAX: u32 = 64;

/// Why a value has no text, or a text is not that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error(String);

impl Error {
    fn new(message: &str) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    // The defaults print what was found, floats included: see the module's reason.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid type, expected {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("invalid value, expected {expected}"))
    }
}

/// Appends the text of a value.
pub(crate) fn write<T: Serialize>(value: &T, out: &mut String) -> Result<(), Error> {
    value.serialize(&mut write::Writer { out })
}

/// Reads a value from its text: all of it.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let mut reader = read::Reader::new(text);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// Every shape that serde knows.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Unit,
        Newtype(Box<Shape>),
        Tuple(i8, u128),
        Struct { text: String, flag: bool },
        Numbers { u: u64, i: i64, wide: i128, float: f64, small: f32 },
        List(Vec<Shape>),
        ByText(BTreeMap<String, Shape>),
        ByNumber(BTreeMap<i32, Option<Shape>>),
        ByPair(BTreeMap<(u8, bool), char>),
        Nothing(()),
        Record(Record),
    }

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Record {
        wrapped: Wrapped,
        unit: UnitStruct,
        maybe: Option<u8>,
        array: [u16; 3],
        #[serde(skip)]
        skipped: u8,
        price: hotpit_units::Price,
    }

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Wrapped(i16);

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct UnitStruct;

    fn leaf() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Unit),
            Just(Shape::Nothing(())),
            (any::<i8>(), any::<u128>()).prop_map(|(i, u)| Shape::Tuple(i, u)),
            (".*", any::<bool>()).prop_map(|(text, flag)| Shape::Struct { text, flag }),
            (any::<u64>(), any::<i64>(), any::<i128>(), any::<f64>(), any::<f32>())
                .prop_map(|(u, i, wide, float, small)| Shape::Numbers { u, i, wide, float, small }),
            prop::collection::btree_map(any::<(u8, bool)>(), any::<char>(), 0..4)
                .prop_map(Shape::ByPair),
            (any::<i16>(), any::<Option<u8>>(), any::<[u16; 3]>(), 0..=10_000_u32).prop_map(
                |(wrapped, maybe, array, price)| Shape::Record(Record {
                    wrapped: Wrapped(wrapped),
                    maybe,
                    array,
                    price: hotpit_units::Price::from_raw(price),
                    ..Record::default()
                })
            ),
        ]
    }

    fn shape() -> impl Strategy<Value = Shape> {
        leaf().prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Shape::Newtype(Box::new(inner))),
                prop::collection::vec(inner.clone(), 0..4).prop_map(Shape::List),
                prop::collection::btree_map(".*", inner.clone(), 0..4).prop_map(Shape::ByText),
                prop::collection::btree_map(any::<i32>(), prop::option::of(inner), 0..4)
                    .prop_map(Shape::ByNumber),
            ]
        })
    }

    fn text(value: &impl Serialize) -> String {
        let mut out = String::new();
        write(value, &mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn every_value_reads_back_as_itself(value in shape()) {
            prop_assert_eq!(read::<Shape>(&text(&value)), Ok(value));
        }

        #[test]
        fn no_text_panics(noise in ".*", value in shape(), cut in any::<prop::sample::Index>()) {
            let _ = read::<Shape>(&noise);
            let mut broken = text(&value);
            let at = broken.floor_char_boundary(cut.index(broken.len()));
            prop_assert!(read::<Shape>(&broken[..at]).is_err());
            broken.insert_str(at, &noise);
            let _ = read::<Shape>(&broken);
        }
    }

    #[test]
    fn the_text_looks_like_json() {
        let record = Record { maybe: Some(1), ..Record::default() };
        assert_eq!(
            text(&record),
            r#"{"wrapped":0,"unit":null,"maybe":1,"array":[0,0,0],"price":"0.0000"}"#
        );
        assert_eq!(
            text(&Shape::Struct { text: "\"a\\b\"".into(), flag: true }),
            r#"{"Struct":{"text":"\"a\\b\"","flag":true}}"#
        );
    }

    #[test]
    fn fields_may_come_and_go() {
        let read = read::<Record>(r#"{"maybe":7,"gone":{"a":[1.5,-2,null,"x"],"b":true}}"#);
        assert_eq!(read, Ok(Record { maybe: Some(7), ..Record::default() }));
    }

    #[test]
    fn a_text_that_does_not_fit_says_why() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Strict {
            count: u8,
        }
        let error = |text| read::<Strict>(text).unwrap_err().to_string();
        assert_eq!(error("{}"), "missing field `count`");
        assert_eq!(error(r#"{"count":"1"}"#), "invalid type, expected u8");
        assert_eq!(error(r#"{"count":256}"#), "invalid value, expected u8");
        assert_eq!(error(r#"{"count":1}x"#), "text after the end of the value");
        assert_eq!(error(r#"{"count":1"#), "the text ends in the middle of a value");
        assert_eq!(error(r#"{"count":1.5}"#), "`1.5` is not a whole number that fits");
    }

    #[test]
    fn depth_is_limited() {
        let deep = "[".repeat(1_000_000);
        let error = read::<serde::de::IgnoredAny>(&deep).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the text is nested too deep");
    }

    #[test]
    fn floats_that_are_no_numbers_are_kept() {
        for float in [f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, f64::MAX] {
            assert_eq!(read::<f64>(&text(&float)).unwrap().to_bits(), float.to_bits());
        }
        assert!(read::<f64>(&text(&f64::NAN)).unwrap().is_nan());
    }

    #[test]
    fn maps_without_an_order_are_kept() {
        let map: HashMap<u32, String> = (0..50).map(|key| (key, format!("v{key}"))).collect();
        assert_eq!(read::<HashMap<u32, String>>(&text(&map)), Ok(map));
    }
}
