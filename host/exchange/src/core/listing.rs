//! Setting the exchange up: listings and accounts.

use std::collections::VecDeque;

use hotpit_units::{Dollars, Timestamp};

use super::book::Book;
use super::effects::{Effect, Lifecycle};
use super::errors::ListingError;
use super::ids::{AccountId, MarketKey, Uuid};
use super::ledger::{Account, AccountKind, Balance};
use super::market::{Event, Market, MarketSpec, MarketStatus, Milestone, Series, Shard, Tape};
use super::{Deadline, Exchange, SUBACCOUNTS_MAX};

impl Exchange {
    /// Draws an id, for whoever sets the exchange up.
    pub fn new_id(&mut self) -> Uuid {
        Uuid::random(&mut self.rng)
    }

    /// Lists a series.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn list_series(&mut self, series: Series) -> Result<(), ListingError> {
        if self.series.contains_key(&series.ticker) {
            return Err(ListingError::Duplicate(series.ticker.to_string()));
        }
        self.series.insert(series.ticker.clone(), series);
        Ok(())
    }

    /// Lists an event.
    ///
    /// # Errors
    /// When the name is taken, or the series is not listed.
    pub fn list_event(&mut self, event: Event) -> Result<(), ListingError> {
        if self.events.contains_key(&event.ticker) {
            return Err(ListingError::Duplicate(event.ticker.to_string()));
        }
        if !self.series.contains_key(&event.series_ticker) {
            return Err(ListingError::Missing(event.series_ticker.to_string()));
        }
        let created = Lifecycle::EventCreated { event: event.ticker.clone() };
        self.effects.push(Effect::Lifecycle(created));
        self.events.insert(event.ticker.clone(), event);
        Ok(())
    }

    /// Lists a market: it trades at once if its open time has come.
    ///
    /// # Errors
    /// When the name is taken, or the event is not listed.
    pub fn list_market(
        &mut self,
        now: Timestamp,
        spec: MarketSpec,
    ) -> Result<MarketKey, ListingError> {
        if self.by_ticker.contains_key(&spec.ticker) {
            return Err(ListingError::Duplicate(spec.ticker.to_string()));
        }
        let missing = |ticker: &str| ListingError::Missing(ticker.to_owned());
        let event =
            self.events.get(&spec.event_ticker).ok_or_else(|| missing(&spec.event_ticker))?;
        let series_ticker = event.series_ticker.clone();
        let series = self.series.get(&series_ticker).ok_or_else(|| missing(&series_ticker))?;
        let fees = event.fee_override.unwrap_or(series.fees);
        let exchange_index = event.exchange_index;

        let key = MarketKey(u32::try_from(self.markets.len()).unwrap_or(u32::MAX));
        self.by_ticker.insert(spec.ticker.clone(), key);
        self.deadlines.insert((spec.open_time, Deadline::Open(key)));
        self.deadlines.insert((spec.close_time, Deadline::Close(key)));
        let id = self.new_id();
        self.markets.push(Market {
            key,
            id,
            spec,
            series_ticker,
            exchange_index,
            fees,
            status: MarketStatus::Initialized,
            outcome: None,
            created: now,
            updated: now,
            settled: None,
            book: Book::default(),
            tape: Tape::default(),
        });
        self.trades.push(VecDeque::new());
        self.effects.push(Effect::Lifecycle(Lifecycle::Created { market: key }));
        self.advance(now);
        Ok(key)
    }

    /// Lists a milestone, or changes the one with its id.
    pub fn put_milestone(&mut self, milestone: Milestone) {
        match self.milestones.iter_mut().find(|listed| listed.id == milestone.id) {
            Some(listed) => *listed = milestone,
            None => self.milestones.push(milestone),
        }
    }

    /// Opens an account without cash.
    pub fn open_account(&mut self, kind: AccountKind) -> AccountId {
        let id = AccountId(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
        let user_id = self.new_id();
        self.accounts.push(Account::new(id, user_id, kind));
        id
    }

    /// Opens the next subaccount of a user, without cash.
    ///
    /// # Errors
    /// When `owner` is itself a subaccount, or has all [`SUBACCOUNTS_MAX`] of them.
    pub fn open_subaccount(&mut self, owner: AccountId) -> Result<AccountId, ListingError> {
        let (user_id, kind) = (self.account(owner).user_id, self.account(owner).kind);
        let number = self.account(owner).subaccounts.len() + 1;
        let number = u8::try_from(number).ok().filter(|number| *number <= SUBACCOUNTS_MAX);
        let is_primary = self.account(owner).owner == owner;
        let number = number.filter(|_| is_primary).ok_or(ListingError::Subaccounts)?;
        let id = AccountId(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
        let account = Account { owner, subaccount: number, ..Account::new(id, user_id, kind) };
        self.accounts.push(account);
        self.accounts[owner.index()].subaccounts.push(id);
        Ok(id)
    }

    /// Puts cash on a shard of an account, rounded down to the precision of balances.
    pub fn deposit(&mut self, account: AccountId, shard: Shard, amount: Dollars) {
        let step = super::fees::BALANCE_STEP.raw();
        let amount = Dollars::from_raw(amount.raw().div_euclid(step) * step);
        self.balance_mut(account, shard).cash += amount;
        self.totals.entry(shard).or_default().deposits += amount;
    }

    /// Moves cash of an account between shards.
    ///
    /// # Errors
    /// When less is available, or the amount is not positive or not on the precision of balances.
    pub fn transfer(
        &mut self,
        account: AccountId,
        from: Shard,
        to: Shard,
        amount: Dollars,
    ) -> Result<(), ListingError> {
        self.check_available(account, from, amount)?;
        self.balance_mut(account, from).cash -= amount;
        self.balance_mut(account, to).cash += amount;
        self.totals.entry(from).or_default().deposits -= amount;
        self.totals.entry(to).or_default().deposits += amount;
        Ok(())
    }

    /// Moves cash on one shard between two accounts of a user.
    ///
    /// # Errors
    /// As [`Exchange::transfer`]; when the accounts are one, or of two users.
    pub fn transfer_between(
        &mut self,
        from: AccountId,
        to: AccountId,
        shard: Shard,
        amount: Dollars,
    ) -> Result<(), ListingError> {
        if from == to || self.account(from).owner != self.account(to).owner {
            return Err(ListingError::Subaccounts);
        }
        self.check_available(from, shard, amount)?;
        self.balance_mut(from, shard).cash -= amount;
        self.balance_mut(to, shard).cash += amount;
        Ok(())
    }

    fn check_available(
        &self,
        account: AccountId,
        shard: Shard,
        wanted: Dollars,
    ) -> Result<(), ListingError> {
        let available = self.account(account).balance(shard).available();
        let on_step = wanted.raw() % super::fees::BALANCE_STEP.raw() == 0;
        if !wanted.is_positive() || !on_step || wanted > available {
            return Err(ListingError::Balance { shard, available, wanted });
        }
        Ok(())
    }

    pub(super) fn balance_mut(&mut self, account: AccountId, shard: Shard) -> &mut Balance {
        self.accounts[account.index()].balances.entry(shard).or_default()
    }
}
