//! [`Entropy`]: where randomness comes from, so that a seed can stand in for the machine.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The random number generator of the whole tree: portable, so that a seed gives the same
/// numbers on every machine and in every release.
pub type Rng = ChaCha8Rng;

/// A source of independent generators, one for each purpose.
#[derive(Debug, Clone, Copy)]
pub struct Entropy(Option<u64>);

impl Entropy {
    /// Randomness from the operating system.
    #[must_use]
    pub const fn os() -> Self {
        Self(None)
    }

    /// Randomness that is the same in every run with the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(Some(seed))
    }

    /// A generator for one purpose. With a seed, generators of different purposes are
    /// independent, so that one more draw here does not change what is drawn there.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> Rng {
        match self.0 {
            None => Rng::from_rng(&mut rand::rng()),
            Some(seed) => Rng::seed_from_u64(seed ^ fnv1a(purpose.as_bytes())),
        }
    }
}

/// The FNV-1a hash: stable over releases, which the standard hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
