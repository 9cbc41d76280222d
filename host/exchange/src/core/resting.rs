//! What every command does to resting orders, and the bookkeeping around it.

use hotpit_units::{Quantity, Timestamp};

use super::effects::{BookDelta, Cause, Effect};
use super::ids::{AccountId, MarketKey, Uuid};
use super::order::{Order, OrderStatus, UpdateReason};
use super::{Deadline, Exchange};

impl Exchange {
    /// Takes quantity out of a resting order; all of it cancels the order.
    pub(super) fn take_out(
        &mut self,
        now: Timestamp,
        id: Uuid,
        by: Quantity,
        cause: Option<Cause>,
        reason: Option<UpdateReason>,
    ) {
        let Some(mut order) = self.orders.remove(&id) else { return };
        order.updated = now;
        order.last_update_reason = reason;
        self.shrink(now, &mut order, by, cause);
        if order.remaining_count.is_zero() {
            order.status = OrderStatus::Canceled;
        }
        self.keep(order);
    }

    /// Takes quantity of an order out of the book, its collateral, and, with the last of it, its
    /// expiration and its group.
    pub(super) fn shrink(
        &mut self,
        now: Timestamp,
        order: &mut Order,
        by: Quantity,
        cause: Option<Cause>,
    ) {
        self.touch(order.market);
        order.remaining_count -= by;
        let book = &mut self.markets[order.market.index()].book;
        book.reduce(order.side, order.price, order.place, by, order.remaining_count);
        if let Some(resting) = self.accounts[order.account.index()].resting.get_mut(&order.market) {
            resting.reduce(order.side, order.id, by);
        }
        if let Some(expiration) = order.expiration
            && order.remaining_count.is_zero()
        {
            self.deadlines.remove(&(expiration, Deadline::Expire(order.id)));
        }
        if order.remaining_count.is_zero()
            && let Some(group) = self.group_of(order)
        {
            group.orders.remove(&order.id);
        }
        self.update_reserve(order.account, order.market);
        self.effects.push(Effect::Book(BookDelta {
            market: order.market,
            side: order.side,
            price: order.price,
            delta: -by,
            cause,
            ts: now,
        }));
    }

    /// Cancels what is left of an order that is not in the book.
    pub(super) fn close_unrested(&self, order: &mut Order, reason: Option<UpdateReason>) {
        order.status = OrderStatus::Canceled;
        order.remaining_count = Quantity::ZERO;
        order.last_update_reason = reason;
    }

    /// Cancels all resting orders of a market that the filter lets through.
    pub(super) fn cancel_resting(
        &mut self,
        now: Timestamp,
        market: MarketKey,
        reason: UpdateReason,
        only_cancel_on_pause: bool,
    ) {
        let orders: Vec<(Uuid, Quantity)> = self
            .market(market)
            .book
            .orders()
            .filter_map(|id| self.orders.get(&id))
            .filter(|order| order.cancel_on_pause || !only_cancel_on_pause)
            .map(|order| (order.id, order.remaining_count))
            .collect();
        for (id, remaining) in orders {
            self.take_out(now, id, remaining, None, Some(reason));
        }
    }

    /// Brings what is reserved for an account's orders in a market up to date.
    pub(super) fn update_reserve(&mut self, account: AccountId, market: MarketKey) {
        let fees = self.market(market).fees;
        let shard = self.market(market).exchange_index;
        let account = &mut self.accounts[account.index()];
        let position = account.position(market).quantity;
        let Some(resting) = account.resting.get_mut(&market) else { return };
        let required = resting.required(position, fees, None);
        let change = required - resting.reserved;
        resting.reserved = required;
        account.balances.entry(shard).or_default().reserved += change;
    }

    /// Remembers what a market's ticker shows before its first change in a command.
    pub(super) fn touch(&mut self, key: MarketKey) {
        let market = &self.markets[key.index()];
        self.touched.entry(key).or_insert_with(|| market.ticker());
    }

    /// Tells the tickers that changed in a command.
    pub(super) fn flush_tickers(&mut self, now: Timestamp) {
        for (market, before) in std::mem::take(&mut self.touched) {
            let ticker = self.market(market).ticker();
            if ticker != before {
                self.effects.push(Effect::Ticker { market, ticker, ts: now });
            }
        }
    }
}
