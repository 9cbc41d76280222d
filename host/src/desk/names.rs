//! Client order ids: how this host's are made, and how they are told from others'.

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
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.as_str().split('-');
    let (Some(run), Some(nonce), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    run.strip_prefix("hp").is_some_and(is_number)
        && nonce.len() == 16
        && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())
        && is_number(number)
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
}
