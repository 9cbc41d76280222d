//! Order groups: a switch of an account that ends a run of its own fills (Kalshi, "Order Groups").
//!
//! What the orders of a group trade, making or taking, counts for 15 seconds. Once more is
//! counted than the group's limit, the group is *triggered*: its resting orders are canceled, and
//! no others are taken until it is reset. The fill that passes the limit happens in full; what is
//! left of its order then is canceled too, unless it is fill-or-kill, which is never cut short.
//!
//! A group belongs to an account and a shard, and knows only the orders that rest.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::Exchange;
use super::effects::{Effect, GroupChange, GroupUpdate};
use super::errors::ExchangeError;
use super::ids::{AccountId, Uuid};
use super::ledger::AccountKind;
use super::market::Shard;
use super::order::{Order, UpdateReason};

/// How long a matched contract counts. Source: `contracts_limit`, "over a rolling 15-second
/// window".
const WINDOW: Duration = Duration::from_secs(15);

/// The least and the most that a limit can be. Source: "Order Groups", "1–1,000,000".
const LIMITS: (Quantity, Quantity) =
    (Quantity::from_contracts(1), Quantity::from_contracts(1_000_000));

/// The most groups that an account can have, as Kalshi has it.
const GROUPS_MAX: usize = 100_000;

/// An order group.
#[derive(Debug)]
pub struct OrderGroup {
    /// Where the markets of its orders are: a group does not span shards.
    pub exchange_index: Shard,
    /// How many contracts may be matched within 15 seconds.
    pub limit: Quantity,
    /// Whether it takes no orders until it is reset.
    pub is_triggered: bool,
    /// Its resting orders.
    pub(super) orders: BTreeSet<Uuid>,
    /// What was matched, oldest first, at least that within the window.
    matched: VecDeque<(Timestamp, Quantity)>,
}

impl OrderGroup {
    fn new(exchange_index: Shard, limit: Quantity) -> Self {
        Self {
            exchange_index,
            limit,
            is_triggered: false,
            orders: BTreeSet::new(),
            matched: VecDeque::new(),
        }
    }

    /// The ids of its resting orders.
    pub fn orders(&self) -> impl Iterator<Item = Uuid> + '_ {
        self.orders.iter().copied()
    }

    fn count(&mut self, now: Timestamp, count: Quantity) {
        self.matched.push_back((now, count));
        while self.matched.pop_front_if(|(at, _)| now.since(*at) >= WINDOW).is_some() {}
    }

    /// More was matched within the window than the limit, if `more` is too: the limit itself may
    /// be reached ("exceeds the contracts limit", "Order Groups").
    fn is_exceeded(&self, now: Timestamp, more: Quantity) -> bool {
        let within = |(at, _): &&(Timestamp, Quantity)| now.since(*at) < WINDOW;
        let matched: Quantity = self.matched.iter().filter(within).map(|(_, count)| *count).sum();
        matched + more > self.limit
    }
}

impl Exchange {
    /// Makes an order group; its id.
    ///
    /// # Errors
    /// When the limit is not between 1 and 1,000,000 contracts, the account has 100,000 groups
    /// already, or the exchange is paused.
    pub fn create_order_group(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        limit: Quantity,
    ) -> Result<Uuid, ExchangeError> {
        self.advance(now);
        self.check_not_paused()?;
        check_limit(limit)?;
        if self.account(account).groups.len() >= GROUPS_MAX {
            return Err(ExchangeError::InvalidParameters("there are 100,000 order groups already"));
        }
        let id = self.new_id();
        self.accounts[account.index()].groups.insert(id, OrderGroup::new(shard, limit));
        self.tell_group(now, account, id, GroupChange::Created { limit });
        Ok(id)
    }

    /// Forgets what was matched; a triggered group takes orders again.
    ///
    /// # Errors
    /// When the account has no such group on that shard, or the exchange is paused.
    pub fn reset_order_group(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        id: Uuid,
    ) -> Result<(), ExchangeError> {
        let group = self.change_group(now, account, shard, id)?;
        group.is_triggered = false;
        group.matched.clear();
        self.tell_group(now, account, id, GroupChange::Reset);
        Ok(())
    }

    /// Triggers a group, whatever was matched. One that is triggered already stays as it is, and
    /// nothing is told.
    ///
    /// # Errors
    /// As [`Exchange::reset_order_group`].
    pub fn trigger_order_group(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        id: Uuid,
    ) -> Result<(), ExchangeError> {
        self.change_group(now, account, shard, id)?;
        self.trigger(now, account, id);
        self.flush_tickers(now);
        Ok(())
    }

    /// Sets the limit of a group. One that is passed already triggers the group; none ends that
    /// it is triggered.
    ///
    /// # Errors
    /// As [`Exchange::reset_order_group`]; when the limit is not between 1 and 1,000,000
    /// contracts.
    pub fn set_order_group_limit(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        id: Uuid,
        limit: Quantity,
    ) -> Result<(), ExchangeError> {
        let group = self.change_group(now, account, shard, id)?;
        check_limit(limit)?;
        group.limit = limit;
        let is_exceeded = group.is_exceeded(now, Quantity::ZERO);
        self.tell_group(now, account, id, GroupChange::LimitUpdated { limit });
        if is_exceeded {
            self.trigger(now, account, id);
            self.flush_tickers(now);
        }
        Ok(())
    }

    /// Cancels the resting orders of a group, and forgets the group.
    ///
    /// # Errors
    /// As [`Exchange::reset_order_group`].
    pub fn delete_order_group(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        id: Uuid,
    ) -> Result<(), ExchangeError> {
        self.change_group(now, account, shard, id)?;
        self.tell_group(now, account, id, GroupChange::Deleted);
        self.cancel_group(now, account, id);
        self.accounts[account.index()].groups.remove(&id);
        self.flush_tickers(now);
        Ok(())
    }

    /// The group takes an order in a market of this shard.
    pub(super) fn check_group(
        &self,
        account: AccountId,
        shard: Shard,
        id: Uuid,
    ) -> Result<(), ExchangeError> {
        let group = self.account(account).groups.get(&id);
        match group.filter(|group| group.exchange_index == shard) {
            None => Err(ExchangeError::OrderGroupNotFound),
            Some(group) if group.is_triggered => Err(ExchangeError::OrderGroupTriggered),
            Some(_) => Ok(()),
        }
    }

    /// The group of an order.
    pub(super) fn group_of(&mut self, order: &Order) -> Option<&mut OrderGroup> {
        let id = order.order_group_id?;
        self.accounts[order.account.index()].groups.get_mut(&id)
    }

    /// A resting order still rests when `traded` more of its group was matched.
    pub(super) fn outlasts(&self, now: Timestamp, order: &Order, traded: Quantity) -> bool {
        let groups = &self.account(order.account).groups;
        let group = order.order_group_id.and_then(|id| groups.get(&id));
        group.is_none_or(|group| !group.is_exceeded(now, traded))
    }

    /// Counts a fill of an order of this group, if it was of one. Call it when both orders of the
    /// trade are where they belong: it may cancel the rest of the one that made.
    pub(super) fn count_matched(
        &mut self,
        now: Timestamp,
        account: AccountId,
        id: Option<Uuid>,
        count: Quantity,
    ) {
        let Some(id) = id else { return };
        let Some(group) = self.accounts[account.index()].groups.get_mut(&id) else { return };
        group.count(now, count);
        if group.is_exceeded(now, Quantity::ZERO) {
            self.trigger(now, account, id);
        }
    }

    fn trigger(&mut self, now: Timestamp, account: AccountId, id: Uuid) {
        let Some(group) = self.accounts[account.index()].groups.get_mut(&id) else { return };
        if !std::mem::replace(&mut group.is_triggered, true) {
            self.tell_group(now, account, id, GroupChange::Triggered);
            self.cancel_group(now, account, id);
        }
    }

    fn cancel_group(&mut self, now: Timestamp, account: AccountId, id: Uuid) {
        let Some(group) = self.accounts[account.index()].groups.get_mut(&id) else { return };
        for order in std::mem::take(&mut group.orders) {
            let Some(all) = self.order(order).map(|order| order.remaining_count) else { continue };
            self.take_out(now, order, all, None, Some(UpdateReason::HaltCancel));
        }
    }

    fn change_group(
        &mut self,
        now: Timestamp,
        account: AccountId,
        shard: Shard,
        id: Uuid,
    ) -> Result<&mut OrderGroup, ExchangeError> {
        self.advance(now);
        self.check_not_paused()?;
        let group = self.accounts[account.index()].groups.get_mut(&id);
        group.filter(|group| group.exchange_index == shard).ok_or(ExchangeError::OrderGroupNotFound)
    }

    fn tell_group(&mut self, now: Timestamp, account: AccountId, id: Uuid, change: GroupChange) {
        if self.account(account).kind == AccountKind::Member {
            let update = GroupUpdate { account, id, change, ts: now };
            self.effects.push(Effect::OrderGroup(update));
        }
    }
}

fn check_limit(limit: Quantity) -> Result<(), ExchangeError> {
    if (LIMITS.0..=LIMITS.1).contains(&limit) {
        Ok(())
    } else {
        Err(ExchangeError::InvalidParameters("contracts_limit is not between 1 and 1,000,000"))
    }
}
