//! Client order ids: how this host's are made, and how they are told from others'; and the trace of
//! an order, which is its client order id in another form.

use std::fmt;

use hotpit_rt::Rng;
use rand::RngExt;

use crate::model::ClientOrderId;

/// The beginning of every client order id of a run: its number for people, and 64 random bits so
/// that a lost journal, or another host on the same account, cannot lead to the same name twice.
#[must_use]
pub fn run_nonce(run: u64, rng: &mut Rng) -> String {
    format!("hp{run}-{:016x}", rng.random::<u64>())
}

/// Whether a name has the form of those that hosts of this kind give their orders: a beginning as
/// of [`run_nonce`], and a number.
#[must_use]
pub fn is_our_form(name: &ClientOrderId) -> bool {
    parts(name).is_some()
}

/// The random part and the number of a name of ours.
fn parts(name: &ClientOrderId) -> Option<(&str, &str)> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.as_str().split('-');
    let (run, nonce, number) = (parts.next()?, parts.next()?, parts.next()?);
    let is_ours = parts.next().is_none()
        && run.strip_prefix("hp").is_some_and(is_number)
        && nonce.len() == 16
        && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())
        && is_number(number);
    is_ours.then_some((nonce, number))
}

/// The trace of an order, by which its log lines and spans are found. Made of its client order id
/// alone, so that it is the same after a restart and wherever the id is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// That of an order of ours; none: it is not, or nothing can be made of it.
    #[must_use]
    pub fn of(name: &ClientOrderId) -> Option<Self> {
        let (nonce, number) = parts(name)?;
        let nonce = u64::from_str_radix(nonce, 16).ok()?;
        let number: u64 = number.parse().ok()?;
        // The lower half is what samplers decide by. The bits of a counter, turned round, spread
        // evenly over it.
        let low = nonce ^ number.reverse_bits();
        let id = (u128::from(nonce) << 64) | u128::from(low);
        // Of no meaning as a trace: W3C Trace Context, trace-id.
        (id != 0).then_some(Self(id))
    }

    /// The bytes as they stand in a span.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_told_from_others() {
        let mut rng = hotpit_rt::Entropy::seeded(7).rng("names");
        let ours = format!("{}-12", run_nonce(3, &mut rng));
        for (name, is_ours) in [
            (ours.as_str(), true),
            ("hp0-0123456789abcdef-1", true),
            ("hp0-0123456789abcdef", false),
            ("hp0-0123456789abcdef-", false),
            ("hp0-0123456789abcdef-1-2", false),
            ("hp-0123456789abcdef-1", false),
            ("hp0-0123456789abcde-1", false),
            ("hp0-0123456789abcdeg-1", false),
            ("0123456789abcdef", false),
            ("", false),
        ] {
            assert_eq!(is_our_form(&name.into()), is_ours, "{name}");
        }
    }

    #[test]
    fn each_order_of_ours_has_one_trace_of_its_own() {
        let trace = |name: &str| TraceId::of(&name.into()).map(|trace| trace.to_string());
        let first = trace("hp3-0123456789abcdef-1");
        assert_eq!(first.as_deref(), Some("0123456789abcdef8123456789abcdef"));
        assert_eq!(trace("hp3-0123456789abcdef-1"), first);
        let others = ["hp3-0123456789abcdef-2", "hp3-0123456789abcdee-1"].map(trace);
        assert!(others.iter().all(|other| other.is_some() && *other != first));
        for none in
            ["theirs", "hp0-0000000000000000-0", "hp0-0123456789abcdef-99999999999999999999"]
        {
            assert_eq!(trace(none), None, "{none}");
        }
    }
}
