//! The exchange without its sockets: what is listed, the matching engine, the ledger.
//!
//! [`Exchange`] is a pure state machine. Every command takes the time as `now`, returns its
//! answer, and appends what happened to a list of [`Effect`]s, in order: whoever applies the
//! book deltas of that list to an empty book has the book. The same commands at the same times,
//! from the same seed, give the same answers and the same effects.
//!
//! ```text
//! create_order ─► advance(now) ─► checks ─► match ─► rest ─► answer
//!                 what is due       │         │        └─► effects
//!                 (expiry, close)   │         └─► fills, fees, positions
//!                                   └─► ExchangeError: nothing changed
//! ```
//!
//! What never lives here: a socket, a clock, a text of the wire, and anything of the host: the
//! exchange is the oracle that the host is compared with, so it shares no code with it but the
//! units.
//!
//! Promises, which [`Exchange::check_invariants`] verifies: a book is never crossed and its
//! levels are the sums of their orders; positions of a market add up to nothing; cash, $1 for
//! every contract of open interest and fees add up to what was deposited; nobody spends what he
//! does not have; no order of a triggered group rests.
//!
//! A user has a primary account and up to 63 subaccounts, each an [`Account`] with cash,
//! positions, orders and order groups of its own.
//!
//! Simulated in a simpler way than Kalshi does: collateral is netted within a market, never across
//! an event's markets; what an account must not trade with, and which client order ids it has
//! used, is its own matter, so that two subaccounts of a user trade with each other.

mod book;
mod collateral;
mod commands;
mod effects;
mod errors;
pub mod fees;
mod groups;
mod ids;
mod invariants;
mod ledger;
mod lifecycle;
mod listing;
mod market;
mod matching;
mod order;
mod resting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use hotpit_rt::Rng;
use hotpit_units::{Dollars, Timestamp};

pub use book::{Book, Level};
pub use effects::{BookDelta, Cause, Effect, Fill, GroupChange, GroupUpdate, Lifecycle, Trade};
pub use errors::{ExchangeError, ListingError};
pub use groups::OrderGroup;
pub use ids::{AccountId, MarketKey, ParseUuidError, Uuid};
pub use invariants::Violation;
pub use ledger::{Account, AccountKind, Balance, Position, Settlement};
pub use market::{
    Event, FeeSchedule, FeeType, Market, MarketSpec, MarketStatus, Milestone, Outcome, PriceGrid,
    PriceRange, Series, Shard, Tape, Ticker,
};
pub use order::{
    Amend, Created, Decrease, NewOrder, Order, OrderStatus, Reduced, Route, SelfTradePrevention,
    TimeInForce, UpdateReason,
};

/// Trades kept for each market; the oldest go first. Enough for any test to page through.
pub const TRADES_KEPT: usize = 10_000;

/// The most subaccounts of a user, the primary account apart. Source: Kalshi, `CreateSubaccount`.
pub const SUBACCOUNTS_MAX: u8 = 63;

/// Where Kalshi's behaviour is not certain, which way this exchange behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// What becomes of a post-only order that would take.
    pub post_only_cross: PostOnlyCross,
}

/// What becomes of a post-only order that would take. Kalshi has been seen to do both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PostOnlyCross {
    /// The order is created and canceled at once, with [`UpdateReason::PostOnlyCrossCancel`].
    #[default]
    Cancel,
    /// The order is refused with [`ExchangeError::PostOnlyCross`].
    Reject,
}

/// What the exchange lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trading {
    /// Everything.
    #[default]
    Active,
    /// Cancels alone (`trading_active: false`), as in the weekly maintenance.
    Paused,
    /// Nothing (`exchange_active: false`).
    ExchangePaused,
}

/// Something that happens by itself at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Open(MarketKey),
    Close(MarketKey),
    Expire(Uuid),
}

/// What came into a shard and left the accounts for good.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    deposits: Dollars,
    fees: Dollars,
    /// Fractions of a cent that settlements did not pay.
    residue: Dollars,
}

/// The exchange.
#[derive(Debug)]
pub struct Exchange {
    rules: Rules,
    rng: Rng,
    trading: Trading,
    series: BTreeMap<Arc<str>, Series>,
    events: BTreeMap<Arc<str>, Event>,
    markets: Vec<Market>,
    trades: Vec<VecDeque<Trade>>,
    by_ticker: HashMap<Arc<str>, MarketKey>,
    milestones: Vec<Milestone>,
    accounts: Vec<Account>,
    /// All orders of members, and the resting orders of background accounts. Never iterated.
    orders: HashMap<Uuid, Order>,
    deadlines: BTreeSet<(Timestamp, Deadline)>,
    next_place: u64,
    totals: BTreeMap<Shard, Totals>,
    /// Fees were raised over resting orders, whose reserve may then fall short.
    fees_changed: bool,
    effects: Vec<Effect>,
    /// Markets whose ticker may have changed in this command, with what it was before.
    touched: BTreeMap<MarketKey, Ticker>,
}

impl Exchange {
    /// An exchange with nothing listed. Ids are drawn from `ids`.
    #[must_use]
    pub fn new(rules: Rules, ids: Rng) -> Self {
        Self {
            rules,
            rng: ids,
            trading: Trading::Active,
            series: BTreeMap::new(),
            events: BTreeMap::new(),
            markets: Vec::new(),
            trades: Vec::new(),
            by_ticker: HashMap::new(),
            milestones: Vec::new(),
            accounts: Vec::new(),
            orders: HashMap::new(),
            deadlines: BTreeSet::new(),
            next_place: 0,
            totals: BTreeMap::new(),
            fees_changed: false,
            effects: Vec::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Takes the effects of all commands since the last call, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Takes the effects as [`Exchange::take_effects`] does, into a buffer that is used again.
    pub fn drain_effects(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.effects.drain(..)
    }

    /// What the exchange lets through now.
    #[must_use]
    pub const fn trading(&self) -> Trading {
        self.trading
    }

    /// The handle of a market.
    ///
    /// # Errors
    /// When there is no such market.
    pub fn find(&self, ticker: &str) -> Result<MarketKey, ExchangeError> {
        let found = self.by_ticker.get(ticker).copied();
        found.ok_or_else(|| ExchangeError::MarketNotFound(ticker.into()))
    }

    /// A market.
    #[must_use]
    pub fn market(&self, key: MarketKey) -> &Market {
        &self.markets[key.index()]
    }

    /// All markets, in the order in which they were listed.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// The last trades of a market, oldest first, at most [`TRADES_KEPT`].
    pub fn trades(&self, key: MarketKey) -> impl DoubleEndedIterator<Item = &Trade> + '_ {
        self.trades[key.index()].iter()
    }

    /// An event.
    #[must_use]
    pub fn event(&self, ticker: &str) -> Option<&Event> {
        self.events.get(ticker)
    }

    /// All events, by name.
    pub fn events(&self) -> impl Iterator<Item = &Event> + '_ {
        self.events.values()
    }

    /// A series.
    #[must_use]
    pub fn series(&self, ticker: &str) -> Option<&Series> {
        self.series.get(ticker)
    }

    /// All series, by name.
    pub fn all_series(&self) -> impl Iterator<Item = &Series> + '_ {
        self.series.values()
    }

    /// All milestones, in the order in which they were listed.
    #[must_use]
    pub fn milestones(&self) -> &[Milestone] {
        &self.milestones
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> &Account {
        &self.accounts[id.index()]
    }

    /// An account of a user by its number: 0 is the primary one.
    #[must_use]
    pub fn subaccount(&self, owner: AccountId, number: u8) -> Option<AccountId> {
        match usize::from(number).checked_sub(1) {
            None => Some(owner),
            Some(at) => self.account(owner).subaccounts.get(at).copied(),
        }
    }

    /// All accounts of a user, the primary one first.
    pub fn accounts_of(&self, owner: AccountId) -> impl Iterator<Item = AccountId> + '_ {
        std::iter::once(owner).chain(self.account(owner).subaccounts.iter().copied())
    }

    /// All accounts, in the order in which they were opened.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// An order. Closed orders of background accounts are forgotten.
    #[must_use]
    pub fn order(&self, id: Uuid) -> Option<&Order> {
        self.orders.get(&id)
    }

    /// The orders of an account, oldest first. None for a background account.
    pub fn orders_of(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Order> + '_ {
        self.account(account).orders.iter().filter_map(|id| self.orders.get(id))
    }

    /// When the next thing happens by itself: an expiry, an opening, a close. Call
    /// [`Exchange::advance`] then; every command does it as well.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }
}
