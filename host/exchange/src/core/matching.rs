//! Creating orders: the checks, the match, the rest.

use std::collections::HashMap;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::collateral::Slot;
use super::effects::{BookDelta, Cause, Effect, Fill, Trade};
use super::errors::ExchangeError;
use super::fees::{self, BALANCE_STEP, RoundingAccumulator};
use super::ids::{AccountId, MarketKey, Uuid};
use super::ledger::{AccountKind, leg_price};
use super::market::MarketStatus;
use super::order::{
    Created, NewOrder, Order, OrderStatus, SelfTradePrevention, TimeInForce, UpdateReason,
};
use super::{Deadline, Exchange, PostOnlyCross, TRADES_KEPT, Trading};

/// What an order took out of the book.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) count: Quantity,
    /// Price of the YES leg times count.
    pub(super) cost: Dollars,
    pub(super) fees: Dollars,
    /// Why no more of it may trade or rest.
    pub(super) stopped: Option<UpdateReason>,
}

/// One side of a trade.
struct Party<'order> {
    order: &'order mut Order,
    is_taker: bool,
}

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
        self.advance(now);
        let created = self.try_create(now, account, order);
        self.flush_tickers(now);
        created
    }

    /// Creates several orders, one after the other, each with its own answer.
    pub fn create_orders(
        &mut self,
        now: Timestamp,
        account: AccountId,
        orders: Vec<NewOrder>,
    ) -> Vec<Result<Created, ExchangeError>> {
        orders.into_iter().map(|order| self.create_order(now, account, order)).collect()
    }

    fn try_create(
        &mut self,
        now: Timestamp,
        account: AccountId,
        new: NewOrder,
    ) -> Result<Created, ExchangeError> {
        self.check_create(now, account, &new)?;
        let crosses = self.market(new.market).book.first_match(new.side, new.price).is_some();
        if new.post_only && crosses && self.rules.post_only_cross == PostOnlyCross::Reject {
            return Err(ExchangeError::PostOnlyCross);
        }
        let closable = self.closable(account, new.market, new.side);
        let count = if new.reduce_only { new.count.min(closable) } else { new.count };
        if new.time_in_force == TimeInForce::FillOrKill {
            self.check_fill_or_kill(now, account, &new)?;
        }
        if !(new.post_only && crosses) {
            let slot = self.slot(new.price, count);
            self.check_collateral(account, new.market, new.side, slot, None)?;
        }

        let mut order = self.open_order(now, account, &new);
        if new.post_only && crosses {
            self.close_unrested(&mut order, Some(UpdateReason::PostOnlyCrossCancel));
            return Ok(self.answer(now, order, &Taken::default()));
        }
        let taken = self.take(now, &mut order, count);
        let left = order.initial_count - order.fill_count;
        if left.is_zero() {
            order.status = OrderStatus::Executed;
            order.last_update_reason = Some(UpdateReason::Trade);
        } else if taken.stopped.is_some() {
            self.close_unrested(&mut order, taken.stopped);
        } else if new.time_in_force == TimeInForce::GoodTillCanceled {
            let reason = taken.count.is_positive().then_some(UpdateReason::Trade);
            self.rest(now, &mut order, left, reason);
        } else {
            let short = new.reduce_only && count < new.count && taken.count == count;
            let traded = taken.count.is_positive().then_some(UpdateReason::Trade);
            let reason = if short { Some(UpdateReason::ReduceOnlyCancel) } else { traded };
            self.close_unrested(&mut order, reason);
        }
        Ok(self.answer(now, order, &taken))
    }

    fn check_create(
        &self,
        now: Timestamp,
        account: AccountId,
        new: &NewOrder,
    ) -> Result<(), ExchangeError> {
        self.check_trading()?;
        let market = self.market(new.market);
        if new.exchange_index.is_some_and(|shard| shard != -1 && shard != market.exchange_index) {
            return Err(ExchangeError::MarketNotFound(market.spec.ticker.to_string()));
        }
        if !new.count.is_positive() {
            return Err(ExchangeError::InvalidCount(new.count));
        }
        let rests = new.time_in_force == TimeInForce::GoodTillCanceled;
        if new.expiration.is_some() && !rests {
            return Err(ExchangeError::InvalidParameters(
                "expiration_time needs time_in_force good_till_canceled",
            ));
        }
        if new.post_only && !rests {
            return Err(ExchangeError::InvalidParameters(
                "post_only needs time_in_force good_till_canceled",
            ));
        }
        if new.reduce_only && new.time_in_force != TimeInForce::ImmediateOrCancel {
            return Err(ExchangeError::InvalidParameters(
                "reduce_only needs time_in_force immediate_or_cancel",
            ));
        }
        if let Some(name) = &new.client_order_id {
            self.check_client_order_id(account, name)?;
        }
        self.check_market(new.market, new.price)?;
        if new.expiration.is_some_and(|expiration| expiration <= now) {
            return Err(ExchangeError::Expired);
        }
        if let Some(group) = new.order_group_id {
            self.check_group(account, market.exchange_index, group)?;
        }
        Ok(())
    }

    /// New orders and changes of orders get through.
    pub(super) const fn check_trading(&self) -> Result<(), ExchangeError> {
        match self.trading {
            Trading::Active => Ok(()),
            Trading::Paused => Err(ExchangeError::TradingPaused),
            Trading::ExchangePaused => Err(ExchangeError::ExchangePaused),
        }
    }

    /// The account has never used this client order id; one of a background account is not
    /// looked at.
    pub(super) fn check_client_order_id(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<(), ExchangeError> {
        if name.is_empty() || name.len() > 64 {
            return Err(ExchangeError::InvalidParameters("client_order_id has 1 to 64 characters"));
        }
        if self.account(account).client_order_ids.contains(name) {
            return Err(ExchangeError::DuplicateClientOrderId(name.into()));
        }
        Ok(())
    }

    /// The market trades, at this price among others.
    pub(super) fn check_market(&self, key: MarketKey, price: Price) -> Result<(), ExchangeError> {
        let market = self.market(key);
        if market.status != MarketStatus::Active {
            return Err(ExchangeError::MarketInactive(market.status));
        }
        if !market.spec.grid.contains(price) {
            return Err(ExchangeError::InvalidPrice(price));
        }
        Ok(())
    }

    fn check_fill_or_kill(
        &self,
        now: Timestamp,
        account: AccountId,
        new: &NewOrder,
    ) -> Result<(), ExchangeError> {
        let book = &self.market(new.market).book;
        let mut wanted = new.count;
        let mut traded: HashMap<Uuid, Quantity> = HashMap::new();
        for id in book.matches(new.side, new.price) {
            let Some(resting) = self.orders.get(&id) else { continue };
            if resting.account == account {
                return Ok(());
            }
            if let Some(group) = resting.order_group_id {
                let traded = traded.entry(group).or_default();
                if !self.outlasts(now, resting, *traded) {
                    continue;
                }
                *traded += resting.remaining_count;
            }
            wanted -= resting.remaining_count;
            if !wanted.is_positive() {
                return Ok(());
            }
        }
        Err(ExchangeError::FillOrKillInsufficientVolume)
    }

    /// What an order of this side can close of the account's position.
    fn closable(&self, account: AccountId, market: MarketKey, side: Side) -> Quantity {
        let position = self.account(account).position(market).quantity;
        match side {
            Side::Bid => (-position).max(Quantity::ZERO),
            Side::Ask => position.max(Quantity::ZERO),
        }
    }

    /// An order that does not exist yet, as far as its collateral goes.
    pub(super) const fn slot(&self, price: Price, count: Quantity) -> Slot {
        Slot { id: Uuid::NIL, price, place: self.next_place, count }
    }

    fn open_order(&mut self, now: Timestamp, account: AccountId, new: &NewOrder) -> Order {
        let id = self.new_id();
        let exchange_index = self.market(new.market).exchange_index;
        let owner = &mut self.accounts[account.index()];
        if owner.kind == AccountKind::Member {
            owner.orders.push(id);
            owner.client_order_ids.extend(new.client_order_id.clone());
        }
        Order {
            id,
            account,
            client_order_id: new.client_order_id.clone(),
            market: new.market,
            exchange_index,
            side: new.side,
            price: new.price,
            status: OrderStatus::Resting,
            initial_count: new.count,
            fill_count: Quantity::ZERO,
            remaining_count: Quantity::ZERO,
            taker_fill_cost: Dollars::ZERO,
            maker_fill_cost: Dollars::ZERO,
            taker_fees: Dollars::ZERO,
            maker_fees: Dollars::ZERO,
            time_in_force: new.time_in_force,
            self_trade_prevention: new.self_trade_prevention,
            post_only: new.post_only,
            cancel_on_pause: new.cancel_on_pause,
            order_group_id: new.order_group_id,
            created: now,
            updated: now,
            expiration: new.expiration,
            last_update_reason: None,
            rounding: RoundingAccumulator::default(),
            place: 0,
        }
    }

    /// Trades up to `count` of an order that is not in the book against what rests there.
    pub(super) fn take(&mut self, now: Timestamp, order: &mut Order, count: Quantity) -> Taken {
        let mut taken = Taken::default();
        while taken.count < count {
            let book = &self.market(order.market).book;
            let Some((price, id)) = book.first_match(order.side, order.price) else { break };
            let Some(resting) = self.orders.get(&id) else { break };
            if resting.account == order.account {
                match order.self_trade_prevention {
                    SelfTradePrevention::TakerAtCross => {
                        taken.stopped = Some(UpdateReason::SelfTradeCancel);
                        break;
                    }
                    SelfTradePrevention::Maker => {
                        let all = resting.remaining_count;
                        let cause = cause_of(order);
                        let reason = Some(UpdateReason::SelfTradeCancel);
                        self.take_out(now, id, all, Some(cause), reason);
                        continue;
                    }
                }
            }
            let matched = resting.remaining_count.min(count - taken.count);
            taken.fees += self.trade(now, order, id, price, matched);
            taken.count += matched;
            taken.cost += price * matched;
            let triggered = self.group_of(order).is_some_and(|group| group.is_triggered);
            if triggered && order.time_in_force != TimeInForce::FillOrKill {
                taken.stopped = Some(UpdateReason::HaltCancel);
                break;
            }
        }
        self.update_reserve(order.account, order.market);
        taken
    }

    /// Trades `count` of an order with the resting order `id`. Returns the taker's fee.
    fn trade(
        &mut self,
        now: Timestamp,
        taker: &mut Order,
        id: Uuid,
        price: Price,
        count: Quantity,
    ) -> Dollars {
        let Some(mut maker) = self.orders.remove(&id) else { return Dollars::ZERO };
        let key = taker.market;
        self.shrink(now, &mut maker, count, Some(cause_of(taker)));

        let trade =
            Trade { id: self.new_id(), market: key, price, count, taker: taker.side, ts: now };
        let tape = &mut self.markets[key.index()].tape;
        tape.last_price = Some(price);
        tape.last_size = count;
        tape.volume += count;
        tape.dollar_volume += price * count;
        let trades = &mut self.trades[key.index()];
        if trades.len() == TRADES_KEPT {
            trades.pop_front();
        }
        trades.push_back(trade.clone());
        self.effects.push(Effect::Trade(trade.clone()));

        let fee = self.book_fill(&trade, Party { order: taker, is_taker: true });
        self.book_fill(&trade, Party { order: &mut maker, is_taker: false });
        maker.last_update_reason = Some(UpdateReason::Trade);
        if maker.remaining_count.is_zero() {
            maker.status = OrderStatus::Executed;
        }
        self.update_reserve(maker.account, key);
        let (maker_account, maker_group) = (maker.account, maker.order_group_id);
        self.keep(maker);
        self.count_matched(now, taker.account, taker.order_group_id, count);
        self.count_matched(now, maker_account, maker_group, count);
        fee
    }

    /// Books one party's fill: order, position, cash and fee.
    fn book_fill(&mut self, trade: &Trade, party: Party<'_>) -> Dollars {
        let Party { order, is_taker } = party;
        let Trade { market: key, price, count, ts, .. } = *trade;
        let market = &mut self.markets[key.index()];
        let account = &mut self.accounts[order.account.index()];
        let position = account.positions.entry(key).or_default();

        let moved = position.fill(order.side, price, count, ts);
        let trade_fee = fees::trade_fee(market.fees, is_taker, price, count);
        let fee = order.rounding.charge(moved.revenue, trade_fee, BALANCE_STEP).total();
        position.charge(fee, moved.opening, count);
        let position = *position;
        market.tape.open_interest += moved.long_change;
        account.fill_count += 1;
        account.balances.entry(market.exchange_index).or_default().cash += moved.revenue - fee;
        self.totals.entry(market.exchange_index).or_default().fees += fee;

        order.fill_count += count;
        order.updated = ts;
        let cost = leg_price(order.side, price) * count;
        let (order_cost, order_fees) = if is_taker {
            (&mut order.taker_fill_cost, &mut order.taker_fees)
        } else {
            (&mut order.maker_fill_cost, &mut order.maker_fees)
        };
        *order_cost += cost;
        *order_fees += fee;

        if account.kind == AccountKind::Member {
            let fill = Fill {
                trade_id: trade.id,
                order_id: order.id,
                client_order_id: order.client_order_id.clone(),
                account: order.account,
                market: key,
                side: order.side,
                price,
                count,
                is_taker,
                fee,
                post_position: position.quantity,
                ts,
            };
            account.fills.push(fill.clone());
            self.effects.push(Effect::Fill(fill));
            self.effects.push(Effect::Position {
                account: order.account,
                market: key,
                position,
                ts,
            });
        }
        fee
    }

    /// Puts what is left of an order into the book.
    pub(super) fn rest(
        &mut self,
        now: Timestamp,
        order: &mut Order,
        left: Quantity,
        reason: Option<UpdateReason>,
    ) {
        self.touch(order.market);
        order.place = self.next_place;
        self.next_place += 1;
        order.status = OrderStatus::Resting;
        order.remaining_count = left;
        order.last_update_reason = reason;
        let book = &mut self.markets[order.market.index()].book;
        book.insert(order.side, order.price, order.place, order.id, left);
        let slot = Slot { id: order.id, price: order.price, place: order.place, count: left };
        let account = &mut self.accounts[order.account.index()];
        account.resting.entry(order.market).or_default().insert(order.side, slot);
        if let Some(group) = self.group_of(order) {
            group.orders.insert(order.id);
        }
        if let Some(expiration) = order.expiration {
            self.deadlines.insert((expiration, Deadline::Expire(order.id)));
        }
        self.update_reserve(order.account, order.market);
        self.effects.push(Effect::Book(BookDelta {
            market: order.market,
            side: order.side,
            price: order.price,
            delta: left,
            cause: Some(cause_of(order)),
            ts: now,
        }));
    }

    /// Keeps the order and answers the request that created or amended it.
    pub(super) fn answer(&mut self, now: Timestamp, order: Order, taken: &Taken) -> Created {
        let per_contract = |amount: Dollars| {
            let count = taken.count.raw();
            let nearest = (amount.raw() + count / 2).checked_div(count)?;
            u32::try_from(nearest).ok().map(Price::from_raw)
        };
        let created = Created {
            order_id: order.id,
            client_order_id: order.client_order_id.clone(),
            fill_count: taken.count,
            remaining_count: order.remaining_count,
            average_fill_price: per_contract(taken.cost),
            average_fee_paid: per_contract(taken.fees),
            ts: now,
        };
        self.keep(order);
        created
    }

    /// Keeps an order, unless it is closed and its account keeps no history, and tells its owner.
    pub(super) fn keep(&mut self, order: Order) {
        let member = self.account(order.account).kind == AccountKind::Member;
        if member {
            self.effects.push(Effect::Order(Box::new(order.clone())));
        }
        if member || order.status == OrderStatus::Resting {
            self.orders.insert(order.id, order);
        }
    }
}

/// Who causes what this order does to the book.
pub(super) fn cause_of(order: &Order) -> Cause {
    Cause { account: order.account, client_order_id: order.client_order_id.clone() }
}
