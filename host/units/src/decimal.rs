//! Decimal text to a scaled integer and back: the one parser behind every unit.

/// Why a text is not a number of the wanted unit.
///
/// ```
/// # use hotpit_units::Price;
/// let error = "0.55555".parse::<Price>().unwrap_err();
/// assert_eq!(error.to_string(), "`0.55555` has more than 4 decimal places");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDecimalError {
    /// The text has a character that no decimal number has, or no digit at all.
    #[error("`{0}` is not a decimal number")]
    NotANumber(String),
    /// Digits other than zero stand beyond the unit's last place: the value would be changed.
    #[error("`{text}` has more than {places} decimal places")]
    TooPrecise {
        /// The text as received.
        text: String,
        /// The places that the unit has.
        places: u32,
    },
    /// The value does not fit the unit's integer.
    #[error("`{0}` is out of range")]
    OutOfRange(String),
}

/// Reads `text` as a decimal number and scales it by `10^places`, exactly.
pub(crate) fn parse(text: &str, places: u32) -> Result<i64, ParseDecimalError> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let mut value: i64 = 0;
    let mut seen_digit = false;
    let mut fraction: Option<u32> = None;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen_digit = true;
                if fraction == Some(places) {
                    if byte != b'0' {
                        return Err(ParseDecimalError::TooPrecise { text: text.into(), places });
                    }
                    continue;
                }
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                    .ok_or_else(|| ParseDecimalError::OutOfRange(text.into()))?;
                fraction = fraction.map(|places_read| places_read + 1);
            }
            b'.' if fraction.is_none() => fraction = Some(0),
            _ => return Err(ParseDecimalError::NotANumber(text.into())),
        }
    }
    if !seen_digit {
        return Err(ParseDecimalError::NotANumber(text.into()));
    }
    let missing = places - fraction.unwrap_or(0);
    let value = value
        .checked_mul(10_i64.pow(missing))
        .ok_or_else(|| ParseDecimalError::OutOfRange(text.into()))?;
    Ok(if negative { -value } else { value })
}

/// `value / 10^places` with all its places, as Kalshi writes it. On the stack: a message has several.
pub(crate) struct Text {
    bytes: [u8; Self::LEN_MAX],
    from: usize,
}

impl Text {
    /// A sign, 19 digits, or as many zeros as a small number needs, and a point.
    const LEN_MAX: usize = 24;

    /// The text of a number; `places` from 1 to 18.
    pub(crate) fn of(value: i64, places: usize) -> Self {
        let mut text = Self { bytes: [b'0'; Self::LEN_MAX], from: Self::LEN_MAX };
        let mut rest = value.unsigned_abs();
        let mut written = 0;
        while rest > 0 || written <= places {
            if written == places {
                text.put(b'.');
            }
            // Less than ten.
            text.put(b'0' + u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
            written += 1;
        }
        if value < 0 {
            text.put(b'-');
        }
        text
    }

    fn put(&mut self, byte: u8) {
        self.from -= 1;
        self.bytes[self.from] = byte;
    }

    pub(crate) fn as_str(&self) -> &str {
        // ASCII alone was put.
        std::str::from_utf8(&self.bytes[self.from..]).unwrap_or_default()
    }
}

/// Gives a unit its text form (`FromStr`, `Display`) and its serde form: a decimal string, and
/// on the way in also a JSON number, which Kalshi has been seen to send now and then.
macro_rules! decimal_unit {
    ($unit:ident, $integer:ty, $places:literal, $expecting:literal) => {
        impl std::str::FromStr for $unit {
            type Err = $crate::ParseDecimalError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let scaled = $crate::decimal::parse(text, $places)?;
                <$integer>::try_from(scaled)
                    .map(Self::from_raw)
                    .map_err(|_| $crate::ParseDecimalError::OutOfRange(text.into()))
            }
        }

        impl std::fmt::Display for $unit {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::decimal::Text::of(i64::from(self.raw()), $places).as_str())
            }
        }

        impl std::fmt::Debug for $unit {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($unit), "({})"), self)
            }
        }

        impl serde::Serialize for $unit {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text = $crate::decimal::Text::of(i64::from(self.raw()), $places);
                serializer.serialize_str(text.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $unit {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $unit;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$unit, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_u64<E: serde::de::Error>(self, whole: u64) -> Result<$unit, E> {
                        self.visit_str(&whole.to_string())
                    }

                    fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<$unit, E> {
                        self.visit_str(&whole.to_string())
                    }

                    // The parser hands a JSON number over as a float. Its shortest text form is
                    // the decimal that was sent (up to 15 digits), and that text is what we read:
                    // the float itself is never computed with.
                    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$unit, E> {
                        self.visit_str(&number.to_string())
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

pub(crate) use decimal_unit;

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn every_number_has_its_sign_and_all_its_places() {
        for (value, places, expected) in [
            (0, 4, "0.0000"),
            (5, 4, "0.0005"),
            (5_500, 4, "0.5500"),
            (10_000, 4, "1.0000"),
            (-7, 2, "-0.07"),
            (123_456, 2, "1234.56"),
            (i64::MAX, 6, "9223372036854.775807"),
            (i64::MIN, 6, "-9223372036854.775808"),
            (i64::MIN, 18, "-9.223372036854775808"),
        ] {
            assert_eq!(Text::of(value, places).as_str(), expected);
        }
    }
}
