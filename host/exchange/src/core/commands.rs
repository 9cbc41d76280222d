//! Commands on orders that exist.

use hotpit_units::{Price, Quantity, Timestamp};

use super::Exchange;
use super::errors::ExchangeError;
use super::ids::{AccountId, MarketKey, Uuid};
use super::order::{Amend, Created, Decrease, Reduced, Route};

impl Exchange {
    /// Cancels what rests of an order.
    ///
    /// # Errors
    /// When it is not found on that route, does not rest any more, its market does not trade any
    /// more, or the exchange is paused.
    pub fn cancel_order(
        &mut self,
        now: Timestamp,
        account: AccountId,
        order: Uuid,
        route: Route,
    ) -> Result<Reduced, ExchangeError> {
        let _ = (now, account, order, route);
        Err(ExchangeError::OrderNotFound)
    }

    /// Cancels all resting orders of an account, in one market or in all; those whose market does
    /// not trade any more stay. Oldest first.
    ///
    /// # Errors
    /// When the exchange is paused.
    pub fn cancel_all(
        &mut self,
        now: Timestamp,
        account: AccountId,
        market: Option<MarketKey>,
    ) -> Result<Vec<Reduced>, ExchangeError> {
        let _ = (now, account, market);
        Err(ExchangeError::OrderNotFound)
    }

    /// Makes an order smaller; it keeps its place. Nothing left cancels it.
    ///
    /// # Errors
    /// As [`Exchange::cancel_order`]; when trading is paused; when more than what rests is to go,
    /// or a negative rest to stay.
    pub fn decrease_order(
        &mut self,
        now: Timestamp,
        account: AccountId,
        order: Uuid,
        decrease: Decrease,
        route: Route,
    ) -> Result<Reduced, ExchangeError> {
        let _ = (now, account, order, decrease, route);
        Err(ExchangeError::OrderNotFound)
    }

    /// Changes price, size, name or expiration of an order, which keeps its id. It keeps its
    /// place if the price stays and the size does not grow; otherwise it goes to the end of its
    /// level, and may trade. The answer counts the fills of the amendment.
    ///
    /// # Errors
    /// As [`Exchange::create_order`]; when the order is not found, does not rest any more, or is
    /// not the one that the amendment describes.
    pub fn amend_order(
        &mut self,
        now: Timestamp,
        account: AccountId,
        order: Uuid,
        amend: Amend,
    ) -> Result<Created, ExchangeError> {
        let _ = (now, account, order, amend);
        Err(ExchangeError::OrderNotFound)
    }

    /// How many contracts trade before the first of this order: those at better prices not
    /// counted (`queue_position`).
    #[must_use]
    pub fn queue_position(&self, order: Uuid) -> Option<Quantity> {
        let _ = (order, Price::ZERO);
        None
    }
}
