//! The shapes in which Kalshi says no.
//!
//! The documented one is `{code, message, details}`; on the wire it also comes wrapped in
//! `error`, as `{"error":"text"}`, as `{"msg":"text"}`, and from the edge as plain text or HTML.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The most characters of an answer that are shown.
const SHOWN_MAX: usize = 200;

/// Codes that do not say whether a request was applied. Kalshi, FIX: `EXCHANGE_UNAVAILABLE`
/// "could not confirm whether applied"; the others say as little.
const UNPROVEN: [&str; 6] = [
    "exchange_unavailable",
    "internal_error",
    "internal_server_error",
    "service_unavailable",
    "timeout",
    "unknown",
];

/// What the exchange said in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The exchange itself, in one of its shapes.
    Said {
        /// Kalshi's code; empty where it gave none.
        code: String,
        /// The text for people.
        message: String,
        /// More of it.
        details: String,
    },
    /// Something that is no error of the exchange: the edge, most likely. The first characters.
    Other(String),
}

#[derive(Deserialize)]
struct Shape {
    #[serde(default)]
    error: Value,
    #[serde(default)]
    code: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    msg: Value,
    #[serde(default)]
    details: Value,
}

impl Refusal {
    /// Reads the body of an answer that is not a success.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        Self::in_json(body).unwrap_or_else(|| Self::Other(shown(body)))
    }

    /// Reads an error in any of its JSON shapes; none if the body is something else.
    #[must_use]
    pub fn in_json(body: &[u8]) -> Option<Self> {
        let shape: Shape = serde_json::from_slice(body).ok()?;
        let (code, message, details) = match &shape.error {
            Value::Object(inner) => {
                let field = |name: &str| text(inner.get(name));
                (field("code"), first([field("message"), field("msg")]), field("details"))
            }
            Value::String(said) => {
                (text(Some(&shape.code)), said.clone(), text(Some(&shape.details)))
            }
            _ => (
                text(Some(&shape.code)),
                first([text(Some(&shape.message)), text(Some(&shape.msg))]),
                text(Some(&shape.details)),
            ),
        };
        if code.is_empty() && message.is_empty() {
            return None;
        }
        Some(Self::Said { code, message, details })
    }

    /// Whether this proves that the exchange did not do what it was asked.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        match self {
            Self::Said { code, .. } => {
                !UNPROVEN.iter().any(|unproven| code.eq_ignore_ascii_case(unproven))
            }
            Self::Other(_) => false,
        }
    }

    /// Whether it has a code, and which.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Said { code, .. } if !code.is_empty() => Some(code),
            Self::Said { .. } | Self::Other(_) => None,
        }
    }
}

/// As an item of a batch has it.
impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self::read(value.to_string().as_bytes()))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, message, details) = match self {
            Self::Said { code, message, details } => (code.as_str(), message.as_str(), details),
            Self::Other(body) if body.is_empty() => return f.write_str("empty answer"),
            Self::Other(body) => return f.write_str(body),
        };
        let parts = [code, message, details.as_str()];
        let parts = parts.iter().filter(|part| !part.is_empty()).enumerate();
        for (index, part) in parts {
            if index > 0 {
                f.write_str(": ")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.chars().take(SHOWN_MAX).collect(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn first(texts: [String; 2]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// The start of a body, fit for a log line.
pub(crate) fn shown(body: &[u8]) -> String {
    let start = &body[..body.len().min(SHOWN_MAX * 4)];
    String::from_utf8_lossy(start)
        .chars()
        .take(SHOWN_MAX)
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_read() {
        let cases = [
            (
                r#"{"error":{"code":"insufficient_balance","message":"Insufficient balance","details":"d"}}"#,
                "insufficient_balance: Insufficient balance: d",
                Some("insufficient_balance"),
                true,
            ),
            (
                r#"{"code":"invalid_order","message":"Invalid","details":"post only cross"}"#,
                "invalid_order: Invalid: post only cross",
                Some("invalid_order"),
                true,
            ),
            (r#"{"error":"too many requests"}"#, "too many requests", None, true),
            (
                r#"{"msg":"Query argument limit is required, but not found"}"#,
                "Query argument limit is required, but not found",
                None,
                true,
            ),
            (r#"{"code":17,"msg":"m"}"#, "17: m", Some("17"), true),
            (
                r#"{"error":{"code":"INTERNAL_ERROR"}}"#,
                "INTERNAL_ERROR",
                Some("INTERNAL_ERROR"),
                false,
            ),
            (
                r#"{"code":"EXCHANGE_UNAVAILABLE","message":""}"#,
                "EXCHANGE_UNAVAILABLE",
                Some("EXCHANGE_UNAVAILABLE"),
                false,
            ),
            ("upstream\nconnect error", "upstream connect error", None, false),
            ("<html><body>403</body></html>", "<html><body>403</body></html>", None, false),
            ("", "empty answer", None, false),
            (r#"{"order_id":"x"}"#, r#"{"order_id":"x"}"#, None, false),
            (r#"{"error":{}}"#, r#"{"error":{}}"#, None, false),
            ("[1]", "[1]", None, false),
        ];
        for (body, shown, code, proof) in cases {
            let refusal = Refusal::read(body.as_bytes());
            assert_eq!(refusal.to_string(), shown, "{body}");
            assert_eq!(refusal.code(), code, "{body}");
            assert_eq!(refusal.is_proof(), proof, "{body}");
        }
    }

    #[test]
    fn a_long_or_broken_body_is_shown_in_part() {
        assert_eq!(shown(&[b'x'; 5_000]).len(), 200);
        assert_eq!(shown(&[0xff, b'a']), "\u{fffd}a");
    }
}
