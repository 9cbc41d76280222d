//! [`Line`]: what stands on a line of a recording.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version of the format: it changes when a reader of this one would misread a file.
pub const FORMAT: u32 = 1;

/// The first line of every file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub format: u32,
    /// When the recording began, in ms: the same in all of its files.
    pub started_ms: u64,
    /// The version of the host that wrote it.
    pub host: String,
}

/// A later version wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "format {0} of recordings is newer than this version, which reads up to {FORMAT}: use the \
     hotpit that wrote it, or a newer one"
)]
pub struct Later(u32);

impl Head {
    /// Whether this version reads what follows.
    ///
    /// # Errors
    /// When a later one wrote it.
    pub const fn check(&self) -> Result<(), Later> {
        if self.format > FORMAT { Err(Later(self.format)) } else { Ok(()) }
    }
}

/// A line, as it is written and read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Line<'a> {
    /// When it came, in ms since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_ms: Option<u64>,
    /// The connection, counted from 1 through the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// Whether `no` levels come in prices of the YES leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_yes_price: Option<bool>,
    /// A frame, byte for byte.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<&'a RawValue>,
    /// A frame that is no JSON on one line.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// What the host learned beside the frames, of markets and games, as it goes over the bus.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a RawValue>,
    /// The connection was opened, to this address.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<Cow<'a, str>>,
    /// The connection ended, for this reason.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Cow<'a, str>>,
    /// So many frames that came before are not in the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// The head of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<Head>,
}

impl<'a> Line<'a> {
    /// A line with a frame.
    #[must_use]
    pub fn of_frame(
        received_ms: u64,
        connection: u32,
        use_yes_price: bool,
        frame: &'a str,
    ) -> Self {
        let raw: Option<&RawValue> = serde_json::from_str(frame).ok();
        // Outside spaces and a bare null would not read back.
        let raw = raw.filter(|raw| {
            raw.get().len() == frame.len() && frame != "null" && !frame.contains(['\n', '\r'])
        });
        Self {
            received_ms: Some(received_ms),
            connection: Some(connection),
            use_yes_price: Some(use_yes_price),
            frame: raw,
            text: raw.is_none().then_some(Cow::Borrowed(frame)),
            ..Self::default()
        }
    }

    /// The frame on it, if it has one.
    #[must_use]
    pub fn frame_text(&self) -> Option<&str> {
        self.frame.map(RawValue::get).or(self.text.as_deref())
    }

    /// Reads a line: of a recording of ours, of another hand (`received_ms` and `frame`), or a
    /// bare frame.
    ///
    /// # Errors
    /// When it is no JSON object, or one of the known fields is something else.
    pub fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        let line: Self = serde_json::from_str(text)?;
        if line.frame_text().is_some() || line.is_about_the_recording() {
            return Ok(line);
        }
        Ok(Self { frame: Some(serde_json::from_str(text.trim())?), ..Self::default() })
    }

    const fn is_about_the_recording(&self) -> bool {
        self.message.is_some()
            || self.opened.is_some()
            || self.closed.is_some()
            || self.lost.is_some()
            || self.recording.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_kept_byte_for_byte() {
        let frame = r#"{"type": "ticker","sid":3,  "msg":{"b":1.50,"a":"\u00e9"}}"#;
        let text = serde_json::to_string(&Line::of_frame(7, 2, true, frame)).unwrap();
        assert_eq!(
            text,
            format!(r#"{{"received_ms":7,"connection":2,"use_yes_price":true,"frame":{frame}}}"#)
        );
        assert_eq!(Line::read(&text).unwrap().frame_text(), Some(frame));
    }

    #[test]
    fn lines_of_other_hands_are_read() {
        let frame = r#"{"type":"ok","id":3,"msg":[]}"#;
        let wrapped = format!(r#"{{"received_ms":5,"source":"x","frame":{frame}}}"#);
        let line = Line::read(&wrapped).unwrap();
        assert_eq!((line.received_ms, line.frame_text()), (Some(5), Some(frame)));
        let line = Line::read(frame).unwrap();
        assert_eq!((line.received_ms, line.frame_text()), (None, Some(frame)));
        for wrong in ["", "7", "{", r#"{"received_ms":"soon","frame":{}}"#] {
            assert!(Line::read(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        /// Whatever came: it is on one line, and reads back as it came.
        #[test]
        fn every_text_reads_back(text in r#".{0,60}|[\x00-\x7f]{0,60}|[ \n]?(null|\{"a":[ \n]?1\}) ?"#) {
            let line = serde_json::to_string(&Line::of_frame(1, 1, false, &text)).unwrap();
            prop_assert!(!line.contains(['\n', '\r']));
            let read = Line::read(&line).unwrap();
            prop_assert_eq!(read.frame_text(), Some(&*text));
        }
    }
}
