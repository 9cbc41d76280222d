//! What the answers and the errors of HTTP say, for all who ask over it.

use std::error::Error;
use std::time::Duration;

/// How long a `Retry-After` asks to wait: seconds, or a time, which is compared with the server's
/// own clock. Source: RFC 9110, section 10.2.3.
pub(crate) fn retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(secs) = text.trim().parse() {
        return Some(Duration::from_secs(secs));
    }
    let time = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp());
    let wait = time(text)?.duration_since(time(date?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// An error with its causes: the client's own says little.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_seconds_or_a_date_of_the_servers_clock() {
        let date = Some("Thu, 26 Nov 2026 20:00:00 GMT");
        let cases = [
            ("120", date, Some(120)),
            (" 7 ", None, Some(7)),
            ("Thu, 26 Nov 2026 20:01:30 GMT", date, Some(90)),
            ("Thu, 26 Nov 2026 19:59:00 GMT", date, Some(0)),
            ("Thu, 26 Nov 2026 20:01:30 GMT", None, None),
            ("soon", date, None),
            ("-5", date, None),
            ("", date, None),
        ];
        for (text, date, expected) in cases {
            assert_eq!(retry_after(text, date), expected.map(Duration::from_secs), "{text}");
        }
    }
}
