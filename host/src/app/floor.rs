//! [`Floor`]: where messages come out of the bus, and where the desk looks and tells.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::agents::Router;
use crate::bus::{Message, Sink};
use crate::cache::Cache;
use crate::desk::MarketView;
use crate::desk::{Notify, Step, Views};
use crate::feeds::Wanted;
use crate::feeds::kalshi::Links;
use crate::model::{Account, AgentId, GameStatus, MarketId, Notice, Subscription};
use crate::traces::Tracer;
use crate::units::Timestamp;

/// Cache and agents, as the bus and the desk see them.
#[derive(Clone)]
pub(super) struct Floor {
    pub(super) cache: Arc<Cache>,
    pub(super) router: Arc<Router>,
    pub(super) wanted: Wanted,
    /// As of when books are true that come straight from this host's own feed; none: they come over
    /// Redis, with their proof.
    pub(super) links: Option<Arc<Links>>,
    pub(super) events: Arc<AtomicU64>,
    /// Where traces of orders are made, if they are.
    pub(super) tracer: Option<Tracer>,
}

impl Floor {
    /// When the state of a market's game was last known to be right: a board that was read shows
    /// every game on it, also those that did not change.
    fn game_as_of(&self, id: MarketId) -> Option<Timestamp> {
        let game = self.cache.game_of_market(id)?;
        let info = self.cache.game_info(game)?;
        let state = self.cache.game(game)?;
        if state.status == GameStatus::Unknown {
            return None;
        }
        Some(self.cache.board_read(&info.league).unwrap_or(Timestamp::EPOCH).max(state.ts))
    }
}

impl Sink for Floor {
    fn deliver(&self, message: Message, received: Timestamp) {
        self.events.fetch_add(1, Ordering::Relaxed);
        if let Some(change) = self.cache.apply(&message, received) {
            self.router.route(&change);
        }
    }
}

impl Views for Floor {
    fn view(&self, id: MarketId) -> Option<MarketView> {
        let market = self.cache.market(id)?;
        let view = self.cache.view(id)?;
        let game_as_of = self.game_as_of(id);
        // A book in which nothing happens is as fresh as the stream that would tell; one whose
        // changes come late is as old as they are.
        let proved = match &self.links {
            Some(links) => links.as_of(&market.ticker).filter(|_| view.synced),
            // A change may come late, and be no proof.
            None => Some(self.cache.proved()),
        };
        let as_of = proved.unwrap_or(view.received);
        Some(MarketView { id, market, quote: view.quote, synced: view.synced, as_of, game_as_of })
    }

    fn find(&self, ticker: &str) -> Option<MarketView> {
        self.view(self.cache.market_id(ticker)?)
    }
}

impl Notify for Floor {
    fn notify(&self, agent: &AgentId, notice: Notice, account: Arc<Account>) {
        self.router.notify(agent, notice, account);
    }

    fn account(&self, agent: &AgentId, account: Arc<Account>) {
        self.router.account(agent, account);
    }

    fn interests(&self, tickers: &BTreeSet<Arc<str>>) {
        let markets = tickers.iter().cloned().map(Subscription::Market).collect();
        self.wanted.update(|wants| wants.desk = markets);
    }

    fn carried_out(&self, step: &Step<'_>) {
        if let Some(tracer) = &self.tracer {
            tracer.carried_out(step);
        }
    }
}
