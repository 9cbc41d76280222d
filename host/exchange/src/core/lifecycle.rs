//! The life of markets and of the exchange: what happens by itself, and what an operator does.

use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Timestamp};

use super::effects::{Effect, Lifecycle};
use super::errors::ListingError;
use super::ids::MarketKey;
use super::ledger::{AccountKind, Settlement};
use super::market::{FeeSchedule, Market, MarketStatus, Outcome, PriceGrid};
use super::order::UpdateReason;
use super::{Deadline, Exchange, Trading};

impl Exchange {
    /// Does what is due: opens and closes markets by their times, which is told to nobody, and
    /// cancels orders that expire or whose market closes.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some(&(due, deadline)) = self.deadlines.first() {
            if due > now {
                break;
            }
            self.deadlines.pop_first();
            match deadline {
                Deadline::Open(key) => {
                    if self.market(key).status == MarketStatus::Initialized {
                        self.set_status(due, key, MarketStatus::Active);
                    }
                }
                Deadline::Close(key) => self.close(due, key),
                Deadline::Expire(order) => {
                    if let Some(remaining) = self.order(order).map(|order| order.remaining_count) {
                        let reason = Some(UpdateReason::ExpiryCancel);
                        self.take_out(due, order, remaining, None, reason);
                    }
                }
            }
            self.flush_tickers(due);
        }
    }

    /// Opens a market before its time, or ends its pause. The end of a pause cancels all resting
    /// orders.
    ///
    /// # Errors
    /// When it is neither before its open time nor paused.
    pub fn activate(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        self.advance(now);
        match self.market(market).status {
            MarketStatus::Initialized => {}
            MarketStatus::Inactive => {
                self.cancel_resting(now, market, UpdateReason::HaltCancel, false);
            }
            MarketStatus::Active
            | MarketStatus::Closed
            | MarketStatus::Determined
            | MarketStatus::Finalized => return Err(self.wrong_status(market)),
        }
        self.set_status(now, market, MarketStatus::Active);
        self.tell(Lifecycle::Activated { market });
        self.flush_tickers(now);
        Ok(())
    }

    /// Pauses a market: nothing trades, orders that asked for it are canceled, the others stay.
    ///
    /// # Errors
    /// When it does not trade.
    pub fn deactivate(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        self.advance(now);
        if self.market(market).status != MarketStatus::Active {
            return Err(self.wrong_status(market));
        }
        self.set_status(now, market, MarketStatus::Inactive);
        self.tell(Lifecycle::Deactivated { market });
        self.cancel_resting(now, market, UpdateReason::HaltCancel, true);
        self.flush_tickers(now);
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
        self.advance(now);
        self.not_closed(market)?;
        let listed = &mut self.markets[market.index()];
        self.deadlines.remove(&(listed.spec.close_time, Deadline::Close(market)));
        listed.spec.close_time = close_time;
        listed.updated = now;
        self.deadlines.insert((close_time, Deadline::Close(market)));
        self.tell(Lifecycle::CloseDateUpdated { market, close_time });
        if close_time <= now {
            self.deadlines.remove(&(close_time, Deadline::Close(market)));
            self.close(now, market);
        }
        self.flush_tickers(now);
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
        self.advance(now);
        self.not_closed(market)?;
        let listed = &mut self.markets[market.index()];
        listed.spec.grid = grid;
        listed.updated = now;
        self.tell(Lifecycle::GridUpdated { market });
        Ok(())
    }

    /// Sets the fees of an event's markets, or goes back to those of its series.
    ///
    /// # Errors
    /// When the event is not listed.
    pub fn set_event_fees(
        &mut self,
        now: Timestamp,
        event: &str,
        fees: Option<FeeSchedule>,
    ) -> Result<(), ListingError> {
        self.advance(now);
        let missing = || ListingError::Missing(event.to_owned());
        let listed = self.events.get_mut(event).ok_or_else(missing)?;
        listed.fee_override = fees;
        let name: Arc<str> = listed.ticker.clone();
        let series = self.series.get(&listed.series_ticker).ok_or_else(missing)?;
        let fees = fees.unwrap_or(series.fees);
        self.fees_changed = true;
        let of_event = |market: &&mut Market| market.spec.event_ticker == name;
        let markets: Vec<MarketKey> = self
            .markets
            .iter_mut()
            .filter(of_event)
            .map(|market| {
                market.fees = fees;
                market.updated = now;
                market.key
            })
            .collect();
        for market in markets {
            for index in 0..self.accounts.len() {
                self.update_reserve(self.accounts[index].id, market);
            }
        }
        self.tell(Lifecycle::EventFees { event: name });
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
        self.advance(now);
        if outcome.value() > Price::ONE {
            return Err(ListingError::Value(outcome.value()));
        }
        match self.market(market).status {
            MarketStatus::Initialized
            | MarketStatus::Active
            | MarketStatus::Inactive
            | MarketStatus::Closed => self.close(now, market),
            MarketStatus::Determined | MarketStatus::Finalized => {
                return Err(self.wrong_status(market));
            }
        }
        self.set_status(now, market, MarketStatus::Determined);
        self.markets[market.index()].outcome = Some(outcome);
        self.tell(Lifecycle::Determined { market, outcome, ts: now });
        self.flush_tickers(now);
        Ok(())
    }

    /// Pays all positions of a market out.
    ///
    /// # Errors
    /// When the result is not known, or it is settled already.
    pub fn settle(&mut self, now: Timestamp, market: MarketKey) -> Result<(), ListingError> {
        self.advance(now);
        let (MarketStatus::Determined, Some(outcome)) =
            (self.market(market).status, self.market(market).outcome)
        else {
            return Err(self.wrong_status(market));
        };
        self.touch(market);
        self.set_status(now, market, MarketStatus::Finalized);
        let listed = &mut self.markets[market.index()];
        listed.settled = Some(now);
        let owed = Price::ONE * std::mem::take(&mut listed.tape.open_interest);
        let shard = listed.exchange_index;
        let paid: Dollars =
            (0..self.accounts.len()).map(|index| self.pay_out(now, index, market, outcome)).sum();
        self.totals.entry(shard).or_default().residue += owed - paid;
        self.tell(Lifecycle::Settled { market, ts: now });
        self.flush_tickers(now);
        Ok(())
    }

    fn pay_out(
        &mut self,
        now: Timestamp,
        index: usize,
        market: MarketKey,
        outcome: Outcome,
    ) -> Dollars {
        let shard = self.market(market).exchange_index;
        let account = &mut self.accounts[index];
        let Some(position) = account.positions.get_mut(&market) else { return Dollars::ZERO };
        let before = *position;
        if before.quantity.is_zero() {
            return Dollars::ZERO;
        }
        let paid = position.settle(outcome.value(), now);
        let position = *position;
        account.balances.entry(shard).or_default().cash += paid;
        if account.kind == AccountKind::Member {
            let yes = before.quantity.is_positive();
            let cost_if = |held: bool| if held { before.cost } else { Dollars::ZERO };
            account.settlements.push(Settlement {
                market,
                outcome,
                yes_count: before.quantity.max(Quantity::ZERO),
                yes_total_cost: cost_if(yes),
                no_count: (-before.quantity).max(Quantity::ZERO),
                no_total_cost: cost_if(!yes),
                revenue: paid,
                ts: now,
            });
            let account = account.id;
            self.effects.push(Effect::Position { account, market, position, ts: now });
        }
        paid
    }

    /// Pauses or resumes trading or the whole exchange. A pause cancels the orders that asked for
    /// it; the others stay.
    pub fn set_trading(&mut self, now: Timestamp, trading: Trading) {
        self.advance(now);
        self.trading = trading;
        match trading {
            Trading::Active => {}
            Trading::Paused | Trading::ExchangePaused => {
                for index in 0..self.markets.len() {
                    let market = self.markets[index].key;
                    self.cancel_resting(now, market, UpdateReason::HaltCancel, true);
                }
            }
        }
        self.flush_tickers(now);
    }

    fn close(&mut self, now: Timestamp, market: MarketKey) {
        if self.market(market).status < MarketStatus::Closed {
            self.set_status(now, market, MarketStatus::Closed);
            self.cancel_resting(now, market, UpdateReason::CloseCancel, false);
        }
    }

    fn set_status(&mut self, now: Timestamp, market: MarketKey, status: MarketStatus) {
        let market = &mut self.markets[market.index()];
        market.status = status;
        market.updated = now;
    }

    fn not_closed(&self, market: MarketKey) -> Result<(), ListingError> {
        if self.market(market).status < MarketStatus::Closed {
            Ok(())
        } else {
            Err(self.wrong_status(market))
        }
    }

    fn wrong_status(&self, market: MarketKey) -> ListingError {
        let market = self.market(market);
        ListingError::WrongStatus { ticker: market.spec.ticker.to_string(), status: market.status }
    }

    fn tell(&mut self, lifecycle: Lifecycle) {
        self.effects.push(Effect::Lifecycle(lifecycle));
    }
}
