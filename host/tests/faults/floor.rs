//! [`Floor`]: where one life of the host keeps its books: the real cache, fed by the real feed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hotpit::bus::Message;
use hotpit::cache::Cache;
use hotpit::desk::{Limits, MarketView};
use hotpit::desk::{Notify, Step, Views};
use hotpit::feeds::kalshi::Links;
use hotpit::feeds::{Publish, Wanted};
use hotpit::model::{Account, AgentId, MarketId, Notice, Subscription};
use hotpit_rt::Clock;
use hotpit_units::Timestamp;

#[derive(Clone)]
pub struct Floor {
    pub cache: Arc<Cache>,
    pub links: Arc<Links>,
    pub wanted: Wanted,
    pub clock: Clock,
}

impl Floor {
    pub fn new(clock: Clock) -> Self {
        let (cache, links, wanted) = <(Arc<Cache>, Arc<Links>, Wanted)>::default();
        Self { cache, links, wanted, clock }
    }

    /// Whether orders may be sent on the book of this market as it is now.
    pub fn is_good(&self, ticker: &str) -> bool {
        let longest = Duration::from_millis(Limits::default().book_age_ms_max);
        let view = self.find(ticker);
        view.is_some_and(|view| view.synced && self.clock.now().since(view.as_of) <= longest)
    }
}

impl Publish for Floor {
    fn publish(&self, message: Message, received: Timestamp) {
        self.cache.apply(&message, received);
    }
}

impl Views for Floor {
    fn view(&self, id: MarketId) -> Option<MarketView> {
        let market = self.cache.market(id)?;
        let view = self.cache.view(id)?;
        let as_of = self.links.as_of(&market.ticker).filter(|_| view.synced);
        let as_of = as_of.unwrap_or(view.received);
        let synced = view.synced;
        Some(MarketView { id, market, quote: view.quote, synced, as_of, game_as_of: None })
    }

    fn find(&self, ticker: &str) -> Option<MarketView> {
        self.view(self.cache.market_id(ticker)?)
    }
}

impl Notify for Floor {
    fn notify(&self, _: &AgentId, _: Notice, _: Arc<Account>) {}

    fn account(&self, _: &AgentId, _: Arc<Account>) {}

    fn interests(&self, tickers: &BTreeSet<Arc<str>>) {
        let markets = tickers.iter().cloned().map(Subscription::Market).collect();
        self.wanted.update(|wants| wants.desk = markets);
    }

    fn carried_out(&self, _: &Step<'_>) {}
}
