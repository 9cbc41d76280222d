//! Names and handles.

use std::fmt;
use std::str::FromStr;

use hotpit_rt::Rng;
use rand::Rng as _;

/// A handle for a market: its place in the order of creation, valid for one [`Exchange`].
///
/// [`Exchange`]: super::Exchange
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketKey(pub(super) u32);

impl MarketKey {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A handle for an account, valid for one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub(super) u32);

impl AccountId {
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A UUID: names an order, a trade, a market, a user. Written as Kalshi writes it, in lower case
/// with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(u128);

impl Uuid {
    /// All zeros: names nothing.
    pub(super) const NIL: Self = Self(0);

    /// A random UUID (version 4) drawn from `rng`.
    pub fn random(rng: &mut Rng) -> Self {
        let bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        let version = 0x4 << 76;
        let variant = 0x8 << 60;
        Self(bits & !(0xf << 76) & !(0xc << 60) | version | variant)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            bits >> 96,
            bits >> 80 & 0xffff,
            bits >> 64 & 0xffff,
            bits >> 48 & 0xffff,
            bits & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a uuid")]
pub struct ParseUuidError(String);

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseUuidError(text.into());
        let bytes = text.as_bytes();
        let hyphen = |place: usize| matches!(place, 8 | 13 | 18 | 23);
        let shape = |(place, byte): (usize, &u8)| {
            if hyphen(place) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        };
        if bytes.len() != 36 || !bytes.iter().enumerate().all(shape) {
            return Err(error());
        }
        u128::from_str_radix(&text.replace('-', ""), 16).map(Self).map_err(|_| error())
    }
}

#[cfg(test)]
mod tests {
    use hotpit_rt::Entropy;

    use super::*;

    #[test]
    fn a_uuid_and_its_text_are_one() {
        let mut rng = Entropy::seeded(1).rng("ids");
        for _ in 0..100 {
            let uuid = Uuid::random(&mut rng);
            let text = uuid.to_string();
            assert_eq!(text.parse::<Uuid>(), Ok(uuid));
            assert_eq!(&text[14..15], "4", "{text}");
            assert!(["8", "9", "a", "b"].contains(&&text[19..20]), "{text}");
        }
    }

    #[test]
    fn a_text_of_another_shape_is_no_uuid() {
        for text in
            ["", "1", "ee587a1c8b874dcfb7219f6f790619fa", "+e587a1c-8b87-4dcf-b721-9f6f790619fa"]
        {
            assert_eq!(text.parse::<Uuid>(), Err(ParseUuidError(text.into())));
        }
    }
}
