//! [`Scope`]: the markets and games that an agent's subscriptions mean at one moment.

use std::collections::BTreeSet;

use crate::cache::Cache;
use crate::model::{GameId, Market, MarketId, MarketStatus, Subscription};

/// The markets and games that an agent hears of and may look up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The markets.
    pub markets: BTreeSet<MarketId>,
    /// The games.
    pub games: BTreeSet<GameId>,
}

impl Scope {
    /// What the subscriptions mean now.
    #[must_use]
    pub fn resolve(subscriptions: &BTreeSet<Subscription>, cache: &Cache) -> Self {
        Self {
            markets: subscriptions.iter().flat_map(|one| cache.markets_matching(one)).collect(),
            games: subscriptions.iter().flat_map(|one| cache.games_matching(one)).collect(),
        }
    }
}

/// Whether a subscription means this market; the cache's own rule
/// ([`Cache::markets_matching`]) for a single market.
pub(crate) fn wants_market(
    subscription: &Subscription,
    id: MarketId,
    market: &Market,
    cache: &Cache,
) -> bool {
    match subscription {
        Subscription::Market(ticker) => *ticker == market.ticker,
        Subscription::Event(event) => *event == market.event_ticker,
        Subscription::Series(series) => {
            *series == market.series_ticker && may_still_trade(market.status)
        }
        Subscription::League(league) => cache
            .game_of_market(id)
            .and_then(|game| cache.game_info(game))
            .is_some_and(|info| info.league == *league),
    }
}

fn may_still_trade(status: MarketStatus) -> bool {
    match status {
        MarketStatus::Initialized
        | MarketStatus::Active
        | MarketStatus::Inactive
        | MarketStatus::Closed
        | MarketStatus::Unknown => true,
        MarketStatus::Determined
        | MarketStatus::Disputed
        | MarketStatus::Amended
        | MarketStatus::Finalized => false,
    }
}
