//! [`Query`]: the text after the question mark.

use std::fmt::{Display, Write};

/// A query, percent-encoded as it is built. It is not part of what is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(&'static str, String)>,
    text: String,
}

impl Query {
    /// An empty query.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The query with one more pair.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.set(name, value);
        self
    }

    /// The query with one more pair, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Sets a pair, in place of the one of the same name.
    pub fn set(&mut self, name: &'static str, value: impl Display) {
        let value = encoded(&value.to_string());
        match self.pairs.iter_mut().find(|pair| pair.0 == name) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((name, value)),
        }
        let pairs = self.pairs.iter().map(|(name, value)| format!("{name}={value}"));
        self.text = pairs.collect::<Vec<_>>().join("&");
    }

    /// The query as text, without the question mark.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Text fit for a part of a path or a query: everything but letters, digits and `-._~,` is
/// percent-encoded. The comma stays, because Kalshi's lists are separated by it.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                out.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_replaced() {
        let mut query = Query::new().with("a", "x y&z").with_some("b", None::<u8>).with("c", 1);
        assert_eq!(query.as_str(), "a=x%20y%26z&c=1");
        query.set("a", "M1,M2");
        assert_eq!(query.as_str(), "a=M1,M2&c=1");
    }

    #[test]
    fn a_path_cannot_be_broken_out_of() {
        assert_eq!(encoded("../x?y=ü"), "..%2Fx%3Fy%3D%C3%BC");
    }
}
