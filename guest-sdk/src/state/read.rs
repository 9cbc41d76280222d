//! [`Reader`]: a text to its value.

use std::str::FromStr;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{DEPTH_MAX, Error};

/// What is left to read.
///
/// The work is done by the methods that are not generic, and those are kept out of line: whatever
/// is generic here is compiled once for each type of an agent's state.
pub(super) struct Reader<'de> {
    rest: &'de str,
    depth: u32,
}

/// A value, or how one begins.
enum Token<'de> {
    Null,
    Bool(bool),
    Whole(u64),
    Signed(i64),
    Borrowed(&'de str),
    Text(String),
    List,
    Map,
}

impl<'de> Reader<'de> {
    pub(super) fn new(text: &'de str) -> Self {
        Self { rest: text, depth: 0 }
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::new("text after the end of the value"))
        }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    #[inline(never)]
    fn expect(&mut self, mark: char) -> Result<(), Error> {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None if self.rest.is_empty() => Err(cut_short()),
            None => Err(Error(format!("`{mark}` is missing before `{:.20}`", self.rest))),
        }
    }

    /// Takes a bracket that opens.
    #[inline(never)]
    fn open(&mut self, bracket: char) -> Result<(), Error> {
        self.expect(bracket)?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(Error::new("the text is nested too deep")) } else { Ok(()) }
    }

    /// Takes a bracket that closes.
    #[inline(never)]
    fn close(&mut self, bracket: char) -> Result<(), Error> {
        self.depth -= 1;
        self.expect(bracket)
    }

    /// Whether an item of a list or a map follows; takes the comma before it.
    #[inline(never)]
    fn more(&mut self, close: char, first: bool) -> Result<bool, Error> {
        if self.rest.starts_with(close) {
            return Ok(false);
        }
        if !first {
            self.expect(',')?;
        }
        Ok(true)
    }

    /// A bare word: a number, `null`, `true`, `false`, `NaN`.
    #[inline(never)]
    fn word(&mut self) -> Result<&'de str, Error> {
        let is_mark = |byte: &u8| b",:]}[{\"".contains(byte);
        let end = self.rest.as_bytes().iter().position(is_mark).unwrap_or(self.rest.len());
        if end == 0 {
            return Err(if self.rest.is_empty() {
                cut_short()
            } else {
                Error::new("a value is missing")
            });
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(word)
    }

    /// A bare word that must be a number.
    fn number<T: FromStr>(&mut self) -> Result<T, Error> {
        let word = self.word()?;
        word.parse().map_err(|_| Error(format!("`{word}` is not a number that fits")))
    }

    /// A string; the reader stands on its first quote.
    #[inline(never)]
    fn string(&mut self) -> Result<Token<'de>, Error> {
        self.expect('"')?;
        let end = self.rest.find(['"', '\\']).ok_or_else(cut_short)?;
        let (text, after) = self.rest.split_at(end);
        if let Some(rest) = after.strip_prefix('"') {
            self.rest = rest;
            return Ok(Token::Borrowed(text));
        }
        let mut text = text.to_owned();
        let mut characters = after.chars();
        loop {
            let character = match characters.next() {
                Some('"') => break,
                Some('\\') => characters.next(),
                other => other,
            };
            text.push(character.ok_or_else(cut_short)?);
        }
        self.rest = characters.as_str();
        Ok(Token::Text(text))
    }

    /// The next value. Of a list or a map, nothing is taken yet. Not a float: see the module's
    /// reason.
    #[inline(never)]
    fn token(&mut self) -> Result<Token<'de>, Error> {
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'[') => return Ok(Token::List),
            Some(b'{') => return Ok(Token::Map),
            Some(_) | None => {}
        }
        match self.word()? {
            "null" => Ok(Token::Null),
            "true" => Ok(Token::Bool(true)),
            "false" => Ok(Token::Bool(false)),
            word => {
                let whole = word.parse().map(Token::Whole);
                whole
                    .or_else(|_| word.parse().map(Token::Signed))
                    .map_err(|_| Error(format!("`{word}` is not a whole number that fits")))
            }
        }
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.open('[')?;
        let list = visitor.visit_seq(Items { reader: self, close: ']', first: true })?;
        self.close(']')?;
        Ok(list)
    }

    fn map<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.open('{')?;
        let map = visitor.visit_map(Items { reader: self, close: '}', first: true })?;
        self.close('}')?;
        Ok(map)
    }
}

fn cut_short() -> Error {
    Error::new("the text ends in the middle of a value")
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.token()? {
            Token::Null => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Whole(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Borrowed(text) => visitor.visit_borrowed_str(text),
            Token::Text(text) => visitor.visit_string(text),
            Token::List => self.list(visitor),
            Token::Map => self.map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.rest.strip_prefix("null") {
            Some(rest) => {
                self.rest = rest;
                visitor.visit_none()
            }
            None => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.peek() != Some(b'{') {
            return visitor.visit_enum(Variant { reader: self, bare: true });
        }
        self.open('{')?;
        let value = visitor.visit_enum(Variant { reader: self, bare: false })?;
        self.close('}')?;
        Ok(value)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i128(self.number()?)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u128(self.number()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.number()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'"' | b'[' | b'{') => self.deserialize_any(visitor),
            Some(_) | None => self.word().and_then(|_| visitor.visit_unit()),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

/// The items of a list or a map.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    close: char,
    first: bool,
}

impl<'de> Items<'_, 'de> {
    /// Reads the next item, which is a key in a map.
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if !self.reader.more(self.close, std::mem::take(&mut self.first))? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.reader.expect(':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// A variant: its bare name, or its name with content.
struct Variant<'a, 'de> {
    reader: &'a mut Reader<'de>,
    bare: bool,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.reader)?;
        if !self.bare {
            self.reader.expect(':')?;
        }
        Ok((name, self))
    }
}

impl Variant<'_, '_> {
    fn with_content(&self) -> Result<(), Error> {
        if self.bare { Err(Error::new("a variant lacks its content")) } else { Ok(()) }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.bare { Ok(()) } else { Err(Error::new("a variant has content that it lacks")) }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.with_content()?;
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.with_content()?;
        self.reader.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.with_content()?;
        self.reader.map(visitor)
    }
}
