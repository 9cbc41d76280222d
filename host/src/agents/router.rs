//! [`Router`]: who hears what. Every change of the cache goes through here into the mailboxes of
//! the agents that follow it; so does every word of the desk to an agent.
//!
//! It runs inside the feed and the desk, so it never waits: it takes a shared lock that is held
//! exclusively only for the moment in which an agent comes, goes or gets a new market.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hotpit_rt::Clock;

use super::items::Slot;
use super::mailbox::Mailbox;
use super::scope::{Scope, wants_market};
use crate::cache::{Cache, Change};
use crate::feeds::Wanted;
use crate::model::{Account, AgentId, GameId, MarketId, Notice, Subscription};

/// Routes changes and notices to agents. Shared by [`Arc`].
#[derive(Debug)]
pub struct Router {
    cache: Arc<Cache>,
    clock: Clock,
    wanted: Wanted,
    routes: RwLock<Routes>,
}

#[derive(Debug, Default)]
struct Routes {
    /// By market handle, and by game handle: both are dense.
    by_market: Vec<Vec<Arc<Mailbox>>>,
    by_game: Vec<Vec<Arc<Mailbox>>>,
    agents: BTreeMap<AgentId, Route>,
}

#[derive(Debug, Clone)]
struct Route {
    mailbox: Arc<Mailbox>,
    subscriptions: BTreeSet<Subscription>,
}

impl Router {
    /// A router without agents.
    #[must_use]
    pub fn new(cache: Arc<Cache>, clock: Clock, wanted: Wanted) -> Self {
        Self { cache, clock, wanted, routes: RwLock::default() }
    }

    /// Tells a change to all who follow what changed. Changes of one market or game must come
    /// from one thread at a time, in order, after the cache has applied them.
    pub fn route(&self, change: &Change) {
        match change {
            Change::Quote(market) => {
                let routes = self.read();
                routes.of_market(*market).iter().for_each(|mailbox| mailbox.quote(*market));
            }
            Change::Trade(market, trade) => {
                let routes = self.read();
                routes.of_market(*market).iter().for_each(|mailbox| mailbox.trade(*market, trade));
            }
            Change::Game(id) => {
                let Some(game) = self.cache.game(*id) else { return };
                self.read().of_game(*id).iter().for_each(|mailbox| mailbox.game(*id, &game));
            }
            Change::Market(market) => self.market(*market),
            Change::GameInfo(game) => self.game_info(*game),
            Change::Stale(markets) => self.stale(markets),
        }
    }

    /// Tells an agent of its own order, with its account after that.
    pub fn notify(&self, agent: &AgentId, notice: Notice, account: Arc<Account>) {
        if let Some(route) = self.read().agents.get(agent) {
            route.mailbox.notice(notice, account);
        }
    }

    /// Gives an agent its account as it is now, without an event: when it went live, and whenever
    /// the account changed without one.
    pub fn account(&self, agent: &AgentId, account: Arc<Account>) {
        if let Some(route) = self.read().agents.get(agent) {
            route.mailbox.set_account(account);
        }
    }

    /// Feeds an agent from now on; first with the present state of all that is new to it.
    pub(crate) fn add(
        &self,
        agent: &AgentId,
        mailbox: &Arc<Mailbox>,
        subscriptions: &BTreeSet<Subscription>,
    ) {
        // Twice: what comes up between the first look and the entry is found by the second.
        for _ in 0..2 {
            let scope = Scope::resolve(subscriptions, &self.cache);
            // The same markets now may be others tomorrow: a series, or a market that nobody
            // described yet, is more than what it means at the moment.
            let is_entered = self.read().agents.get(agent).is_some_and(|route| {
                route.mailbox.slot() == mailbox.slot() && route.subscriptions == *subscriptions
            });
            if is_entered && *mailbox.view().0 == scope {
                continue;
            }
            let mut routes = self.write();
            routes.leave(mailbox.slot());
            routes.enter(mailbox, &scope);
            let route =
                Route { mailbox: Arc::clone(mailbox), subscriptions: subscriptions.clone() };
            routes.agents.insert(agent.clone(), route);
            mailbox.set_scope(scope);
        }
        self.publish();
    }

    /// Feeds an agent no more.
    pub(crate) fn remove(&self, agent: &AgentId) {
        let mut routes = self.write();
        if let Some(route) = routes.agents.remove(agent) {
            routes.leave(route.mailbox.slot());
        }
        drop(routes);
        self.publish();
    }

    fn market(&self, id: MarketId) {
        let Some(market) = self.cache.market(id) else { return };
        let now = self.clock.now();
        let newly: Vec<AgentId> = {
            let routes = self.read();
            let followers = routes.of_market(id);
            followers.iter().for_each(|mailbox| mailbox.market(id, &market, now));
            let follows = |route: &Route| {
                followers.iter().any(|mailbox| mailbox.slot() == route.mailbox.slot())
            };
            let wants = |route: &Route| {
                let mut all = route.subscriptions.iter();
                all.any(|one| wants_market(one, id, &market, &self.cache))
            };
            let newly = routes.agents.iter().filter(|(_, route)| !follows(route) && wants(route));
            newly.map(|(agent, _)| agent.clone()).collect()
        };
        for agent in newly {
            self.write().widen(&agent, &[id], &[]);
        }
    }

    fn game_info(&self, id: GameId) {
        let Some(info) = self.cache.game_info(id) else { return };
        let subscription = Subscription::League(info.league.clone());
        let known = |ticker: &Arc<str>| {
            self.cache.market_id(ticker).filter(|id| self.cache.market(*id).is_some())
        };
        let markets: Vec<MarketId> =
            info.markets.iter().filter_map(|market| known(&market.ticker)).collect();
        let followers: Vec<AgentId> = {
            let routes = self.read();
            let wants = |route: &Route| route.subscriptions.contains(&subscription);
            let wanting = routes.agents.iter().filter(|(_, route)| wants(route));
            wanting.map(|(agent, _)| agent.clone()).collect()
        };
        if followers.is_empty() {
            return;
        }
        for agent in followers {
            self.write().widen(&agent, &markets, &[id]);
        }
        self.publish();
    }

    fn stale(&self, markets: &[MarketId]) {
        let routes = self.read();
        let mut of_slot: BTreeMap<Slot, (&Mailbox, Vec<MarketId>)> = BTreeMap::new();
        for &market in markets {
            for mailbox in routes.of_market(market) {
                let entry = of_slot.entry(mailbox.slot());
                entry.or_insert_with(|| (mailbox, vec![])).1.push(market);
            }
        }
        for (mailbox, markets) in of_slot.into_values() {
            mailbox.stale(&markets);
        }
    }

    /// Tells the feeds what the agents want. Worked out where the wants are locked, so that of two
    /// threads at it at once none puts back what it saw before the other.
    fn publish(&self) {
        self.wanted.update(|wants| {
            let routes = self.read();
            let all = routes.agents.values().flat_map(|route| route.subscriptions.clone());
            let agents: BTreeSet<Subscription> = all.collect();
            drop(routes);
            let mut games = BTreeSet::new();
            for subscription in &agents {
                let Subscription::League(league) = subscription else { continue };
                for info in self.cache.games_of(league) {
                    let tickers = info.markets.iter().map(|market| Arc::clone(&market.ticker));
                    games.extend(tickers.map(Subscription::Market));
                }
            }
            wants.agents = agents;
            wants.games = games;
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Routes> {
        self.routes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Routes> {
        self.routes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Routes {
    fn of_market(&self, market: MarketId) -> &[Arc<Mailbox>] {
        self.by_market.get(market.0 as usize).map_or(&[], Vec::as_slice)
    }

    fn of_game(&self, game: GameId) -> &[Arc<Mailbox>] {
        self.by_game.get(game.0 as usize).map_or(&[], Vec::as_slice)
    }

    fn enter(&mut self, mailbox: &Arc<Mailbox>, scope: &Scope) {
        for market in &scope.markets {
            follow(&mut self.by_market, market.0, mailbox);
        }
        for game in &scope.games {
            follow(&mut self.by_game, game.0, mailbox);
        }
    }

    fn leave(&mut self, slot: Slot) {
        for followers in self.by_market.iter_mut().chain(&mut self.by_game) {
            followers.retain(|mailbox| mailbox.slot() != slot);
        }
    }

    /// Adds to what an agent follows.
    fn widen(&mut self, agent: &AgentId, markets: &[MarketId], games: &[GameId]) {
        let Some(route) = self.agents.get(agent) else { return };
        let mailbox = Arc::clone(&route.mailbox);
        markets.iter().for_each(|market| follow(&mut self.by_market, market.0, &mailbox));
        games.iter().for_each(|game| follow(&mut self.by_game, game.0, &mailbox));
        mailbox.add_to_scope(markets, games);
    }
}

fn follow(table: &mut Vec<Vec<Arc<Mailbox>>>, handle: u32, mailbox: &Arc<Mailbox>) {
    let index = handle as usize;
    if table.len() <= index {
        table.resize_with(index + 1, Vec::new);
    }
    if !table[index].iter().any(|follower| follower.slot() == mailbox.slot()) {
        table[index].push(Arc::clone(mailbox));
    }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
