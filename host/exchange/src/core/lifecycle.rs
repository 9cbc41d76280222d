//! The life of markets and of the exchange: what happens by itself, and what an operator does.

use std::sync::Arc;

use hotpit_units::Timestamp;

use super::errors::ListingError;
use super::ids::MarketKey;
use super::market::{FeeSchedule, Outcome, PriceGrid};
use super::{Exchange, Trading};

impl Exchange {
    /// Does what is due: opens and closes markets by their times, which is told to nobody, and
    /// cancels orders that expire or whose market closes.
    pub fn advance(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Opens a market before its time, or ends its pause. The end of a pause cancels all resting
    /// orders.
    ///
    /// # Errors
    /// When it is neither before its open time nor paused.
    pub fn activate(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        let _ = (now, market);
        Ok(())
    }

    /// Pauses a market: nothing trades, orders that asked for it are canceled, the others stay.
    ///
    /// # Errors
    /// When it does not trade.
    pub fn deactivate(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        let _ = (now, market);
        Ok(())
    }

    /// Moves the close time; a time that has passed closes the market at once.
    ///
    /// # Errors
    /// When it is closed already.
    pub fn set_close_time(
        &mut self,
        now: Timestamp,
        market: MarketKey,
        close_time: Timestamp,
    ) -> Result<(), ListingError> {
        let _ = (now, market, close_time);
        Ok(())
    }

    /// Changes the price grid. Resting orders stay where they are.
    ///
    /// # Errors
    /// When the market is closed already.
    pub fn set_grid(
        &mut self,
        now: Timestamp,
        market: MarketKey,
        grid: PriceGrid,
    ) -> Result<(), ListingError> {
        let _ = (now, market, grid);
        Ok(())
    }

    /// Sets the fees of an event's markets, or goes back to those of its series.
    ///
    /// # Errors
    /// When the event is not listed.
    pub fn set_event_fees(
        &mut self,
        now: Timestamp,
        event: &Arc<str>,
        fees: Option<FeeSchedule>,
    ) -> Result<(), ListingError> {
        let _ = (now, event, fees);
        Ok(())
    }

    /// States the result of a market, which closes it if it is not closed.
    ///
    /// # Errors
    /// When the result is known already, or a scalar value is above $1.
    pub fn determine(
        &mut self,
        now: Timestamp,
        market: MarketKey,
        outcome: Outcome,
    ) -> Result<(), ListingError> {
        let _ = (now, market, outcome);
        Ok(())
    }

    /// Pays all positions of a market out.
    ///
    /// # Errors
    /// When the result is not known, or it is settled already.
    pub fn settle(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        let _ = (now, market);
        Ok(())
    }

    /// Pauses or resumes trading or the whole exchange. A pause cancels the orders that asked for
    /// it; the others stay.
    pub fn set_trading(&mut self, now: Timestamp, trading: Trading) {
        let _ = (now, trading);
    }
}
