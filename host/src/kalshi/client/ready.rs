//! [`ReadySignature`]: the signature that is kept ready for orders, and whether it is trusted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hotpit_units::Timestamp;

use crate::kalshi::auth::SignedHeaders;

/// How often in a row the exchange may refuse ready signatures until none is used any more.
const REFUSALS_MAX: u32 = 3;

/// How an order was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignedBy {
    /// By the signature that was ready.
    Ready,
    /// By one of its own.
    Itself,
}

/// A signature that was made before it is needed. After a 401 the next order is signed in line;
/// after several, all are.
#[derive(Debug, Default)]
pub(super) struct ReadySignature(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    signed: Option<SignedHeaders>,
    refusals: u32,
    distrusted: bool,
}

impl ReadySignature {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signature, if it is trusted and at most `age` old.
    pub(super) fn get(&self, now: Timestamp, age: Duration) -> Option<SignedHeaders> {
        let state = self.state();
        let signed = state.signed.as_ref().filter(|_| !state.distrusted)?;
        let is_young = signed.signed_at() <= now && now.since(signed.signed_at()) <= age;
        is_young.then(|| signed.clone())
    }

    /// Puts a new signature in place.
    pub(super) fn put(&self, signed: SignedHeaders) {
        self.state().signed = Some(signed);
    }

    /// Whether making a new one is of use.
    pub(super) fn is_wanted(&self) -> bool {
        self.state().refusals < REFUSALS_MAX
    }

    /// Takes note of the answer to an order.
    pub(super) fn answered(&self, status: u16, by: SignedBy) {
        let mut state = self.state();
        match (by, status) {
            (SignedBy::Ready, 401) => {
                state.refusals = state.refusals.saturating_add(1);
                state.distrusted = true;
                state.signed = None;
                if state.refusals == REFUSALS_MAX {
                    tracing::error!("ready signatures are refused: orders are signed one by one");
                }
            }
            (SignedBy::Ready, _) => state.refusals = 0,
            (SignedBy::Itself, 401) => {}
            (SignedBy::Itself, _) => state.distrusted = state.refusals >= REFUSALS_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kalshi::auth::{Credentials, Signer, tests::ed25519};
    use crate::kalshi::http::Method;

    const AGE: Duration = Duration::from_secs(1);

    fn signed(at: u64) -> SignedHeaders {
        let credentials = Credentials::new("id", Signer::from_pem(&ed25519().0).unwrap()).unwrap();
        credentials.sign(Timestamp::from_millis(at), Method::Post, "/").unwrap()
    }

    #[test]
    fn a_signature_is_used_while_it_is_young() {
        let ready = ReadySignature::default();
        ready.put(signed(1_000));
        let is_used = |at| ready.get(Timestamp::from_millis(at), AGE).is_some();
        assert_eq!([999, 1_000, 2_000, 2_001].map(is_used), [false, true, true, false]);
    }

    #[test]
    fn a_refusal_signs_the_next_order_by_itself_and_several_sign_all() {
        let ready = ReadySignature::default();
        let now = Timestamp::from_millis(1_000);
        for _ in 0..2 {
            ready.put(signed(1_000));
            assert!(ready.get(now, AGE).is_some());
            ready.answered(401, SignedBy::Ready);
            ready.put(signed(1_000));
            assert!(ready.get(now, AGE).is_none());
            ready.answered(201, SignedBy::Itself);
        }
        assert!(ready.is_wanted());
        ready.answered(401, SignedBy::Ready);
        ready.answered(201, SignedBy::Itself);
        ready.put(signed(1_000));
        assert!(ready.get(now, AGE).is_none());
        assert!(!ready.is_wanted());
    }
}
