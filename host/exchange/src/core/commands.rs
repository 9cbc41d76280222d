//! Commands on orders that exist.

use hotpit_units::{Quantity, Timestamp};

use super::errors::ExchangeError;
use super::ids::{AccountId, MarketKey, Uuid};
use super::ledger::AccountKind;
use super::market::MarketStatus;
use super::matching::{Taken, cause_of};
use super::order::{Amend, Created, Decrease, Order, OrderStatus, Reduced, Route, UpdateReason};
use super::{Deadline, Exchange, PostOnlyCross, Trading};

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
        self.advance(now);
        self.check_not_paused()?;
        let found = self.resting(account, order, route)?;
        let all = found.remaining_count;
        let cause = cause_of(found);
        self.take_out(now, order, all, Some(cause), None);
        self.flush_tickers(now);
        Ok(self.reduced(now, order, all))
    }

    /// Cancels several orders, one after the other, each with its own answer.
    pub fn cancel_orders(
        &mut self,
        now: Timestamp,
        account: AccountId,
        orders: &[(Uuid, Route)],
    ) -> Vec<Result<Reduced, ExchangeError>> {
        orders.iter().map(|&(id, route)| self.cancel_order(now, account, id, route)).collect()
    }

    /// Cancels all resting orders of an account, in one market or in all; those whose market has
    /// closed stay until the exchange cancels them. By market, bids before asks, best first.
    ///
    /// # Errors
    /// When the exchange is paused.
    pub fn cancel_all(
        &mut self,
        now: Timestamp,
        account: AccountId,
        market: Option<MarketKey>,
    ) -> Result<Vec<Reduced>, ExchangeError> {
        self.advance(now);
        self.check_not_paused()?;
        let orders: Vec<Uuid> = self
            .account(account)
            .resting
            .iter()
            .filter(|(key, _)| market.is_none_or(|market| market == **key))
            .flat_map(|(_, resting)| resting.bids.iter().chain(&resting.asks))
            .map(|slot| slot.id)
            .collect();
        let mut canceled = Vec::with_capacity(orders.len());
        for order in orders {
            if let Ok(reduced) = self.cancel_order(now, account, order, Route::Anywhere) {
                canceled.push(reduced);
            }
        }
        Ok(canceled)
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
        self.advance(now);
        self.check_trading()?;
        let found = self.resting(account, order, route)?;
        let by = match decrease {
            Decrease::By(by) => by,
            Decrease::To(rest) if rest.is_negative() => {
                return Err(ExchangeError::InvalidOrderSize);
            }
            Decrease::To(rest) => found.remaining_count - rest,
        };
        if !by.is_positive() || by > found.remaining_count {
            return Err(ExchangeError::InvalidOrderSize);
        }
        let cause = cause_of(found);
        self.take_out(now, order, by, Some(cause), Some(UpdateReason::Decrease));
        self.flush_tickers(now);
        Ok(self.reduced(now, order, by))
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
        self.advance(now);
        self.check_trading()?;
        let found = self.resting(account, order, Route::Market(amend.market))?.clone();
        self.check_amend(now, &found, &amend)?;
        let left = amend.count - found.fill_count;
        let amended = if amend.price == found.price && left <= found.remaining_count {
            Ok(self.amend_in_place(now, found, &amend, left))
        } else {
            self.replace(now, found, &amend, left)
        };
        self.flush_tickers(now);
        amended
    }

    fn check_amend(
        &self,
        now: Timestamp,
        found: &Order,
        amend: &Amend,
    ) -> Result<(), ExchangeError> {
        if amend.side != found.side {
            return Err(ExchangeError::OrderSideMismatch);
        }
        if amend.client_order_id.is_some() && amend.client_order_id != found.client_order_id {
            return Err(ExchangeError::OrderIdMismatch);
        }
        if let Some(name) = &amend.updated_client_order_id
            && amend.updated_client_order_id != found.client_order_id
        {
            self.check_client_order_id(found.account, name)?;
        }
        self.check_market(amend.market, amend.price)?;
        if amend.count <= found.fill_count {
            return Err(ExchangeError::InvalidOrderSize);
        }
        if amend.expiration.flatten().is_some_and(|expiration| expiration <= now) {
            return Err(ExchangeError::Expired);
        }
        Ok(())
    }

    fn amend_in_place(
        &mut self,
        now: Timestamp,
        mut order: Order,
        amend: &Amend,
        left: Quantity,
    ) -> Created {
        self.rename(&mut order, amend);
        if let Some(expiration) = amend.expiration {
            let deadline = Deadline::Expire(order.id);
            if let Some(before) = order.expiration {
                self.deadlines.remove(&(before, deadline));
            }
            if let Some(after) = expiration {
                self.deadlines.insert((after, deadline));
            }
            order.expiration = expiration;
        }
        order.initial_count = amend.count;
        order.updated = now;
        order.last_update_reason = Some(UpdateReason::Amend);
        let by = order.remaining_count - left;
        if by.is_positive() {
            let cause = cause_of(&order);
            self.shrink(now, &mut order, by, Some(cause));
        }
        self.answer(now, order, &Taken::default())
    }

    /// Takes the order out of the book and lets it come in again as amended.
    fn replace(
        &mut self,
        now: Timestamp,
        found: Order,
        amend: &Amend,
        left: Quantity,
    ) -> Result<Created, ExchangeError> {
        let slot = self.slot(amend.price, left);
        self.check_collateral(found.account, found.market, found.side, slot, Some(found.id))?;
        let book = &self.market(found.market).book;
        let crosses = found.post_only && book.first_match(found.side, amend.price).is_some();
        if crosses && self.rules.post_only_cross == PostOnlyCross::Reject {
            return Err(ExchangeError::PostOnlyCross);
        }
        let mut order = found;
        self.rename(&mut order, amend);
        let (all, cause) = (order.remaining_count, cause_of(&order));
        self.shrink(now, &mut order, all, Some(cause));
        order.price = amend.price;
        order.initial_count = amend.count;
        order.updated = now;
        order.expiration = amend.expiration.unwrap_or(order.expiration);
        if crosses {
            self.close_unrested(&mut order, Some(UpdateReason::PostOnlyCrossCancel));
            return Ok(self.answer(now, order, &Taken::default()));
        }
        let taken = self.take(now, &mut order, left);
        let rest = left - taken.count;
        if rest.is_zero() {
            order.status = OrderStatus::Executed;
            order.last_update_reason = Some(UpdateReason::Trade);
        } else if taken.stopped.is_some() {
            self.close_unrested(&mut order, taken.stopped);
        } else {
            let traded = taken.count.is_positive();
            let reason = if traded { UpdateReason::Trade } else { UpdateReason::Amend };
            self.rest(now, &mut order, rest, Some(reason));
        }
        Ok(self.answer(now, order, &taken))
    }

    /// Cancels get through, and whatever else works when trading alone is paused.
    pub(super) const fn check_not_paused(&self) -> Result<(), ExchangeError> {
        match self.trading {
            Trading::Active | Trading::Paused => Ok(()),
            Trading::ExchangePaused => Err(ExchangeError::ExchangePaused),
        }
    }

    /// Gives an order its new name, if the amendment has one.
    fn rename(&mut self, order: &mut Order, amend: &Amend) {
        let Some(name) = &amend.updated_client_order_id else { return };
        order.client_order_id = Some(name.clone());
        let owner = &mut self.accounts[order.account.index()];
        if owner.kind == AccountKind::Member {
            owner.client_order_ids.insert(name.clone());
        }
    }

    /// How many contracts trade before the first of this order, those at better prices not
    /// counted (`queue_position`). `None` if it does not rest.
    #[must_use]
    pub fn queue_position(&self, order: Uuid) -> Option<Quantity> {
        let order = self.orders.get(&order).filter(|order| order.status == OrderStatus::Resting)?;
        let book = &self.market(order.market).book;
        let (_, queue) = book.queues(order.side).find(|(price, _)| *price == order.price)?;
        let before = queue.orders().take_while(|(place, _)| *place < order.place);
        Some(before.filter_map(|(_, id)| self.orders.get(&id)).map(|o| o.remaining_count).sum())
    }

    /// The resting order of an account on a route, in a market that still trades.
    fn resting(
        &self,
        account: AccountId,
        order: Uuid,
        route: Route,
    ) -> Result<&Order, ExchangeError> {
        let found = self.orders.get(&order).filter(|found| found.account == account);
        let found = found.ok_or(ExchangeError::OrderNotFound)?;
        match route {
            Route::Anywhere => {}
            Route::Shard(shard) if shard == found.exchange_index => {}
            Route::Shard(_) => return Err(ExchangeError::OrderNotFound),
            Route::Market(market) if market == found.market => {}
            Route::Market(_) => return Err(ExchangeError::OrderTickerMismatch),
        }
        let status = self.market(found.market).status;
        match status {
            MarketStatus::Initialized | MarketStatus::Active | MarketStatus::Inactive => {}
            MarketStatus::Closed | MarketStatus::Determined | MarketStatus::Finalized => {
                return Err(ExchangeError::MarketInactive(status));
            }
        }
        if found.status == OrderStatus::Resting {
            Ok(found)
        } else {
            Err(ExchangeError::OrderNotResting)
        }
    }

    fn reduced(&self, now: Timestamp, order: Uuid, reduced_by: Quantity) -> Reduced {
        // The closed order of a background account is forgotten already: nobody asks for its name.
        let kept = self.orders.get(&order);
        Reduced {
            order_id: order,
            client_order_id: kept.and_then(|order| order.client_order_id.clone()),
            reduced_by,
            remaining_count: kept.map_or(Quantity::ZERO, |order| order.remaining_count),
            ts: now,
        }
    }
}
