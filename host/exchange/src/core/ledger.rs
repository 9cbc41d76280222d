//! Accounts: cash, positions and what is reserved for resting orders.
//!
//! A YES contract at `p` costs `p`, a NO contract `1 − p`; both together are worth $1, which is
//! paid back when a position is closed. So the cash of all accounts, $1 for every contract of
//! open interest, and the fees that were paid always add up to what was deposited.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};

use super::collateral::Resting;
use super::effects::Fill;
use super::groups::OrderGroup;
use super::ids::{AccountId, MarketKey, Uuid};
use super::market::{Outcome, Shard};

/// Whether an account's private history is kept and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKind {
    /// A member with an API key: orders, fills and settlements are kept, and told as effects.
    Member,
    /// Simulated flow: cash and positions are kept like a member's, closed orders and fills are
    /// forgotten, and nothing private is told. Its client order ids are not checked.
    Background,
}

/// Cash on one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// All of it; a multiple of [`BALANCE_STEP`](super::fees::BALANCE_STEP).
    pub cash: Dollars,
    /// What resting orders may need.
    pub reserved: Dollars,
}

impl Balance {
    /// What a new order may use. Rounding fees are not reserved: an account that has spent all it
    /// has may be short of $0.0001 for each of its fills.
    #[must_use]
    pub fn available(self) -> Dollars {
        self.cash - self.reserved
    }
}

/// A position in one market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Contracts: more than zero are YES, less are NO.
    pub quantity: Quantity,
    /// What the open contracts cost, without fees (`market_exposure`, `position_cost`).
    pub cost: Dollars,
    /// What closed contracts brought beyond what they cost, without fees.
    pub realized_pnl: Dollars,
    /// All net fees.
    pub fees_paid: Dollars,
    /// The part of the fees that was paid for what is open, in proportion
    /// (`position_fee_cost`).
    pub fee_cost: Dollars,
    /// What all contracts bought cost, both legs (`total_traded`).
    pub total_traded: Dollars,
    /// Contracts traded (`volume`).
    pub volume: Quantity,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What a fill does to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    /// What it moves the cash by, before fees.
    pub(super) revenue: Dollars,
    /// How many of the contracts open a position.
    pub(super) opening: Quantity,
    /// By how much it changes the contracts held long.
    pub(super) long_change: Quantity,
}

impl Position {
    /// Books a fill, its fee apart.
    pub(super) fn fill(
        &mut self,
        side: Side,
        price: Price,
        count: Quantity,
        ts: Timestamp,
    ) -> Moved {
        let before = self.quantity;
        let signed = match side {
            Side::Bid => count,
            Side::Ask => -count,
        };
        let closes = before.is_positive() != signed.is_positive() && !before.is_zero();
        let closing = if closes { count.min(before.abs()) } else { Quantity::ZERO };
        let opening = count - closing;
        let bought = leg_price(side, price);
        let sold = leg_price(side.opposite(), price);

        let closed_cost = share(self.cost, closing, before.abs());
        let proceeds = sold * closing;
        self.fee_cost -= share(self.fee_cost, closing, before.abs());
        self.cost += bought * opening - closed_cost;
        self.realized_pnl += proceeds - closed_cost;
        self.quantity += signed;
        self.total_traded += bought * count;
        self.volume += count;
        self.updated = ts;
        Moved {
            revenue: proceeds - bought * opening,
            opening,
            long_change: self.quantity.max(Quantity::ZERO) - before.max(Quantity::ZERO),
        }
    }

    /// Books the fee of a fill of which `opening` of `count` contracts open a position.
    pub(super) fn charge(&mut self, fee: Dollars, opening: Quantity, count: Quantity) {
        self.fees_paid += fee;
        self.fee_cost += share(fee, opening, count);
    }

    /// Pays the position out. Returns what it brings: whole cents, the rest is the exchange's.
    pub(super) fn settle(&mut self, value: Price, ts: Timestamp) -> Dollars {
        let leg = if self.quantity.is_negative() { value.complement() } else { Some(value) };
        let exact = leg.unwrap_or(Price::ZERO) * self.quantity.abs();
        let paid = Dollars::from_raw(exact.raw() / 10_000 * 10_000);
        self.realized_pnl += paid - self.cost;
        self.quantity = Quantity::ZERO;
        self.cost = Dollars::ZERO;
        self.fee_cost = Dollars::ZERO;
        self.updated = ts;
        paid
    }
}

/// What the leg costs that an order of this side buys: YES for a bid, NO for an ask.
pub(super) fn leg_price(side: Side, price: Price) -> Price {
    match side {
        Side::Bid => price,
        Side::Ask => price.complement().unwrap_or(Price::ZERO),
    }
}

/// The share of an amount that falls on `part` of `whole`, rounded to zero; all of it for all.
fn share(amount: Dollars, part: Quantity, whole: Quantity) -> Dollars {
    if whole.is_zero() {
        return Dollars::ZERO;
    }
    let share = i128::from(amount.raw()) * i128::from(part.raw()) / i128::from(whole.raw());
    Dollars::from_raw(i64::try_from(share).unwrap_or(i64::MAX))
}

/// What a position was paid out with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The market.
    pub market: MarketKey,
    /// What it resolved to.
    pub outcome: Outcome,
    /// YES contracts held.
    pub yes_count: Quantity,
    /// What they cost.
    pub yes_total_cost: Dollars,
    /// NO contracts held.
    pub no_count: Quantity,
    /// What they cost.
    pub no_total_cost: Dollars,
    /// What was paid.
    pub revenue: Dollars,
    /// When.
    pub ts: Timestamp,
}

/// An account: the primary one of a user, or one of its subaccounts, which have cash, positions,
/// orders and order groups of their own.
#[derive(Debug)]
pub struct Account {
    /// Its handle.
    pub id: AccountId,
    /// The primary account of the same user; of a primary account itself.
    pub owner: AccountId,
    /// Its number among the accounts of the user: 0 is the primary account.
    pub subaccount: u8,
    /// Kalshi's `user_id`, which all accounts of a user have.
    pub user_id: Uuid,
    /// Whether its history is kept.
    pub kind: AccountKind,
    /// Of a primary account: its subaccounts, from number 1 on.
    pub(super) subaccounts: Vec<AccountId>,
    pub(super) balances: BTreeMap<Shard, Balance>,
    pub(super) positions: BTreeMap<MarketKey, Position>,
    pub(super) resting: BTreeMap<MarketKey, Resting>,
    pub(super) orders: Vec<Uuid>,
    pub(super) fills: Vec<Fill>,
    pub(super) settlements: Vec<Settlement>,
    pub(super) client_order_ids: HashSet<Arc<str>>,
    pub(super) groups: BTreeMap<Uuid, OrderGroup>,
    pub(super) fill_count: u64,
}

impl Account {
    pub(super) fn new(id: AccountId, user_id: Uuid, kind: AccountKind) -> Self {
        Self {
            id,
            owner: id,
            subaccount: 0,
            user_id,
            kind,
            subaccounts: Vec::new(),
            balances: BTreeMap::new(),
            positions: BTreeMap::new(),
            resting: BTreeMap::new(),
            orders: Vec::new(),
            fills: Vec::new(),
            settlements: Vec::new(),
            client_order_ids: HashSet::new(),
            groups: BTreeMap::new(),
            fill_count: 0,
        }
    }

    /// The cash on a shard.
    #[must_use]
    pub fn balance(&self, shard: Shard) -> Balance {
        self.balances.get(&shard).copied().unwrap_or_default()
    }

    /// The cash on all shards where there ever was any.
    pub fn balances(&self) -> impl Iterator<Item = (Shard, Balance)> + '_ {
        self.balances.iter().map(|(shard, balance)| (*shard, *balance))
    }

    /// The position in a market.
    #[must_use]
    pub fn position(&self, market: MarketKey) -> Position {
        self.positions.get(&market).copied().unwrap_or_default()
    }

    /// All markets that the account ever traded, in the order in which they were listed.
    pub fn positions(&self) -> impl Iterator<Item = (MarketKey, Position)> + '_ {
        self.positions.iter().map(|(market, position)| (*market, *position))
    }

    /// The ids of all its orders, oldest first. Empty for a background account.
    #[must_use]
    pub fn orders(&self) -> &[Uuid] {
        &self.orders
    }

    /// All its fills, oldest first. Empty for a background account.
    #[must_use]
    pub fn fills(&self) -> &[Fill] {
        &self.fills
    }

    /// All its order groups, by id.
    pub fn order_groups(&self) -> impl Iterator<Item = (Uuid, &OrderGroup)> + '_ {
        self.groups.iter().map(|(id, group)| (*id, group))
    }

    /// One of its order groups.
    #[must_use]
    pub fn order_group(&self, id: Uuid) -> Option<&OrderGroup> {
        self.groups.get(&id)
    }

    /// All its settlements, oldest first. Empty for a background account.
    #[must_use]
    pub fn settlements(&self) -> &[Settlement] {
        &self.settlements
    }
}
