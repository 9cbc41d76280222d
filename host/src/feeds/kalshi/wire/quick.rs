//! [`delta`]: the one frame that comes a million times, read without a general parser.
//!
//! It knows the form in which the exchange writes changes of books, and nothing else: whatever it
//! does not expect (a space, an escape, a new field, a number out of range) it leaves to
//! [`parse`](super::parse), which reads the same text in full. So it never decides that a frame is
//! wrong, and what it does read is what the parser would have read.

use std::borrow::Cow;
use std::str::FromStr;

use super::body::{Delta, Leg};
use super::frame::{Body, Frame, Header};
use crate::kalshi::wire::Lenient;

/// How a delta begins.
const HEAD: &str = r#"{"type":"orderbook_delta","#;

/// Reads a delta; none: it is something else, or written in another way.
pub(super) fn delta(text: &str) -> Option<Frame<'_>> {
    let mut cursor = Cursor(text.strip_prefix(HEAD)?);
    let mut header = Header::default();
    let mut body = None;
    loop {
        match cursor.key()? {
            "sid" => set(&mut header.sid, cursor.number()?)?,
            "seq" => set(&mut header.seq, cursor.number()?)?,
            "sending_ts_ms" => set(&mut header.sending_ts_ms, cursor.number()?)?,
            "msg" => set(&mut body, cursor.delta()?)?,
            _ => return None,
        }
        if !cursor.goes_on()? {
            break;
        }
    }
    cursor.0.is_empty().then_some(Frame { header, body: Body::Delta(body?) })
}

/// Sets what was not set yet.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value);
    Some(())
}

/// What of the text is not read yet.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, expected: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A text without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.take("\"")?;
        let plain = |byte: &u8| *byte >= b' ' && *byte != b'\\';
        let end = self.0.bytes().position(|byte| byte == b'"')?;
        let (text, rest) = self.0.split_at_checked(end)?;
        if !text.as_bytes().iter().all(plain) {
            return None;
        }
        self.0 = rest;
        self.take("\"")?;
        Some(text)
    }

    fn key(&mut self) -> Option<&'a str> {
        let key = self.text()?;
        self.take(":")?;
        Some(key)
    }

    /// A whole number as JSON has it.
    fn number(&mut self) -> Option<u64> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(end)?;
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        let number = digits.parse().ok()?;
        // A fraction or an exponent goes on.
        rest.starts_with([',', '}']).then_some(())?;
        self.0 = rest;
        Some(number)
    }

    fn parsed<T: FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }

    /// After a value: whether another follows, or the object ends.
    fn goes_on(&mut self) -> Option<bool> {
        let goes_on = self.0.starts_with(',');
        self.take(if goes_on { "," } else { "}" })?;
        Some(goes_on)
    }

    fn delta(&mut self) -> Option<Delta<'a>> {
        self.take("{")?;
        let (mut ticker, mut price, mut quantity, mut side, mut ts) =
            (None, None, None, None, None);
        let (mut id, mut time) = (None, None);
        loop {
            match self.key()? {
                "market_ticker" => set(&mut ticker, self.text()?)?,
                "market_id" => set(&mut id, self.text()?)?,
                "price_dollars" => set(&mut price, self.parsed()?)?,
                "delta_fp" => set(&mut quantity, self.parsed()?)?,
                "ts" => set(&mut time, self.text()?)?,
                "ts_ms" => set(&mut ts, self.number()?)?,
                "side" => {
                    let leg = match self.text()? {
                        "yes" => Leg::Yes,
                        "no" => Leg::No,
                        _ => return None,
                    };
                    set(&mut side, leg)?;
                }
                _ => return None,
            }
            if !self.goes_on()? {
                break;
            }
        }
        Some(Delta {
            market_ticker: Cow::Borrowed(ticker?),
            price_dollars: price?,
            delta_fp: quantity?,
            side: side?,
            ts_ms: Lenient(ts),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::parse_in_full;
    use super::*;

    const FRAME: &str = r#"{"type":"orderbook_delta","sending_ts_ms":1669149841234,"sid":2,"seq":3,"msg":{"market_ticker":"FED-23DEC-T3.00","market_id":"9b0f6b43","price_dollars":"0.9600","delta_fp":"-54.00","side":"yes","ts":"2022-11-22T20:44:01Z","ts_ms":1669149841000}}"#;

    fn shown(frame: &Frame<'_>) -> String {
        format!("{frame:?}")
    }

    #[test]
    fn the_form_of_the_exchange_is_read() {
        let frame = delta(FRAME).unwrap();
        assert_eq!(shown(&frame), shown(&parse_in_full(FRAME).unwrap()));
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_the_parser() {
        let others = [
            FRAME.replace("\"sid\":2", "\"sid\": 2"),
            FRAME.replace("\"seq\":3", "\"seq\":3.0"),
            FRAME.replace("\"seq\":3", "\"seq\":03"),
            FRAME.replace("\"seq\":3", "\"seq\":null"),
            FRAME.replace("FED-", "FED\\u002d"),
            FRAME.replace("\"side\"", "\"new\":1,\"side\""),
            FRAME.replace("\"yes\"", "\"maybe\""),
            FRAME.replace("0.9600", "0.96000000001"),
            FRAME.replace("\"price_dollars\":\"0.9600\"", "\"price_dollars\":0.96"),
            FRAME.replace("\"side\":\"yes\"", "\"side\":\"yes\",\"side\":\"no\""),
            format!("{FRAME} "),
            FRAME[..FRAME.len() - 1].to_owned(),
            String::new(),
        ];
        for text in others {
            assert!(delta(&text).is_none(), "{text}");
        }
    }

    proptest! {
        /// Whatever is done to a frame: what is read is what the parser reads.
        #[test]
        fn nothing_is_read_otherwise_than_by_the_parser(
            cuts in prop::collection::vec((0_usize..FRAME.len(), 0_usize..4, "[ -~]{0,3}"), 0..3),
        ) {
            let mut text = FRAME.to_owned();
            for (at, length, with) in cuts {
                let at = at.min(text.len());
                let end = (at + length).min(text.len());
                text.replace_range(at..end, &with);
            }
            if let Some(frame) = delta(&text) {
                let in_full = parse_in_full(&text);
                prop_assert_eq!(in_full.as_ref().map(shown).ok(), Some(shown(&frame)), "{}", text);
            }
        }
    }
}
