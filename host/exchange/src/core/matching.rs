//! Creating orders: the checks, the match, the rest.

use hotpit_units::Timestamp;

use super::Exchange;
use super::errors::ExchangeError;
use super::ids::AccountId;
use super::order::{Created, NewOrder};

impl Exchange {
    /// Creates an order: matches it by price and time, and lets the rest of a good-till-canceled
    /// order rest.
    ///
    /// A refused order never was an order: it leaves no trace, and its client order id is free.
    ///
    /// # Errors
    /// When it is refused. An immediate-or-cancel order that finds nothing is not refused but
    /// canceled; a fill-or-kill order that cannot be filled whole is refused, unless it is its
    /// own account's order that stands in the way: then it works as immediate-or-cancel.
    pub fn create_order(
        &mut self,
        now: Timestamp,
        account: AccountId,
        order: NewOrder,
    ) -> Result<Created, ExchangeError> {
        let _ = (now, account, order);
        Err(ExchangeError::TradingPaused)
    }
}
