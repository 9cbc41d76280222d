//! Readers that take any JSON: what is not what was expected is none, and never an error, so
//! that one odd field does not lose a scoreboard.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// An object, or none.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) Option<T>);

/// The elements of an array, or none at all.
#[derive(Debug)]
pub(super) struct Array<T>(pub(super) Vec<T>);

/// A string, or a number as its text, or none.
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) Option<String>);

/// A boolean; anything else is false.
#[derive(Debug, Default)]
pub(super) struct Flag(pub(super) bool);

/// Yes or no, or not said; a thing in place of the word means yes: ESPN puts the runner where
/// there is one.
#[derive(Debug, Default)]
pub(super) struct Word(pub(super) Option<bool>);

/// A number that is not negative: as a number, as a string, or inside an object as `value`.
#[derive(Debug, Default)]
pub(super) struct Number(pub(super) Option<f64>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

/// What a reader makes of each kind of JSON; by default nothing.
trait Lax: Default {
    fn text(_text: &str) -> Self {
        Self::default()
    }
    fn number(_number: f64) -> Self {
        Self::default()
    }
    fn flag(_flag: bool) -> Self {
        Self::default()
    }
    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
    fn array<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<T: DeserializeOwned> Lax for Object<T> {
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Self(Some(value)))
    }
}

impl<T: DeserializeOwned> Lax for Array<T> {
    fn array<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut elements = vec![];
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Self(elements))
    }
}

impl Lax for Text {
    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
    fn number(number: f64) -> Self {
        Self(Some(number.to_string()))
    }
}

impl Lax for Flag {
    fn flag(flag: bool) -> Self {
        Self(flag)
    }
}

impl Lax for Word {
    fn flag(flag: bool) -> Self {
        Self(Some(flag))
    }
    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self(Some(true)))
    }
}

impl Lax for Number {
    fn text(text: &str) -> Self {
        text.trim().parse().map_or(Self(None), Self::number)
    }
    fn number(number: f64) -> Self {
        Self((number.is_finite() && number >= 0.0).then_some(number))
    }
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        #[derive(Deserialize)]
        struct Inside {
            #[serde(default)]
            value: Scalar,
        }
        Inside::deserialize(MapAccessDeserializer::new(map)).map(|inside| Self(inside.value.0.0))
    }
}

/// A [`Number`] that is not looked for deeper.
#[derive(Debug, Default)]
struct Scalar(Number);

impl Lax for Scalar {
    fn text(text: &str) -> Self {
        Self(Number::text(text))
    }
    fn number(number: f64) -> Self {
        Self(Number::number(number))
    }
}

struct AnyKind<T>(PhantomData<T>);

impl<'de, T: Lax> Visitor<'de> for AnyKind<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }
    #[expect(clippy::cast_precision_loss, reason = "nothing read here is beyond 2^53")]
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }
    #[expect(clippy::cast_precision_loss, reason = "nothing read here is beyond 2^53")]
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }
    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::array(seq)
    }
}

macro_rules! reads_any_kind {
    ($($reader:ident $(<$generic:ident>)?),* $(,)?) => {$(
        impl<'de $(, $generic: DeserializeOwned)?> Deserialize<'de> for $reader $(<$generic>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(AnyKind(PhantomData))
            }
        }
    )*};
}

reads_any_kind!(Object<T>, Array<T>, Text, Flag, Word, Number, Scalar);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_in_many_forms() {
        let cases = [
            ("26", Some(26.0)),
            ("\"26\"", Some(26.0)),
            ("\" 3.5 \"", Some(3.5)),
            ("{\"value\":3.0,\"displayValue\":\"3\"}", Some(3.0)),
            ("{\"value\":{\"value\":1}}", None),
            ("-1", None),
            ("\"NaN\"", None),
            ("\"-\"", None),
            ("null", None),
            ("[1]", None),
            ("true", None),
        ];
        for (json, expected) in cases {
            assert_eq!(serde_json::from_str::<Number>(json).unwrap().0, expected, "{json}");
        }
    }

    #[test]
    fn what_is_of_another_kind_is_none() {
        assert!(serde_json::from_str::<Object<u32>>("[{}]").unwrap().0.is_none());
        assert!(serde_json::from_str::<Array<u32>>("{\"a\":[1]}").unwrap().0.is_empty());
        assert_eq!(serde_json::from_str::<Text>("7").unwrap().0.as_deref(), Some("7"));
        assert!(!serde_json::from_str::<Flag>("\"true\"").unwrap().0);
        let words = [("true", Some(true)), ("{\"athlete\":{}}", Some(true)), ("null", None)];
        for (json, word) in words.into_iter().chain([("false", Some(false)), ("7", None)]) {
            assert_eq!(serde_json::from_str::<Word>(json).unwrap().0, word, "{json}");
        }
    }
}
