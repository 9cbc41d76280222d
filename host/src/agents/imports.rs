//! What an agent may call: `log`, `markets`, `games`, `portfolio`. All of it is answered from
//! memory, nothing waits, and nothing tells of a market or game that the agent did not subscribe
//! to.

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use tracing::Level;

use super::bindings::{games, log, markets, portfolio, types};
use super::host_state::HostState;
use crate::model::{self, GameId, MarketId};

/// The deepest book given; more levels than a whole-cent grid has.
const DEPTH_MAX: usize = 1_000;

impl types::Host for HostState {}

impl log::Host for HostState {
    fn enabled(&mut self, level: log::Level) -> bool {
        self.log.enabled(level_of(level))
    }

    fn write(&mut self, level: log::Level, message: String) {
        self.log.write(level_of(level), &message);
    }

    fn panicked(&mut self, message: String) {
        self.log.panicked(&message);
    }
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::ERROR,
        log::Level::Warn => Level::WARN,
        log::Level::Info => Level::INFO,
        log::Level::Debug => Level::DEBUG,
        log::Level::Trace => Level::TRACE,
    }
}

impl markets::Host for HostState {
    fn list(&mut self) -> Vec<u32> {
        self.scope.markets.iter().map(|market| market.0).collect()
    }

    fn describe(&mut self, market: u32) -> Option<markets::Market> {
        let id = self.own_market(market)?;
        let known = self.cache.market(id)?;
        Some(markets::Market {
            market,
            ticker: known.ticker.to_string(),
            event_ticker: known.event_ticker.to_string(),
            series_ticker: known.series_ticker.to_string(),
            title: known.title.clone(),
            yes_title: known.yes_title.clone(),
            status: known.status.code(),
            price_ranges: known.grid.0.iter().map(price_range).collect(),
            close_time: known.close_time.map(Timestamp::as_nanos),
        })
    }

    fn book(&mut self, market: u32, depth: u32) -> Option<markets::OrderBook> {
        let id = self.own_market(market)?;
        let depth = usize::try_from(depth).unwrap_or(DEPTH_MAX).min(DEPTH_MAX);
        self.cache.with_book(id, |book, synced| {
            let levels = |side| book.levels(side).take(depth).map(level).collect();
            markets::OrderBook { bids: levels(Side::Bid), asks: levels(Side::Ask), synced }
        })
    }

    fn statistics(&mut self, market: u32) -> Option<markets::MarketStatistics> {
        let known = self.cache.statistics(self.own_market(market)?)?;
        Some(markets::MarketStatistics {
            last_price: known.last_price.map(Price::raw),
            volume: known.volume.raw(),
            open_interest: known.open_interest.raw(),
            ts: known.ts.as_nanos(),
        })
    }
}

impl games::Host for HostState {
    fn list(&mut self) -> Vec<u32> {
        self.scope.games.iter().map(|game| game.0).collect()
    }

    fn describe(&mut self, game: u32) -> Option<games::GameInfo> {
        if !self.scope.games.contains(&GameId(game)) {
            return None;
        }
        let info = self.cache.game_info(GameId(game))?;
        let market = |on: &model::GameMarket| {
            let id = self.cache.market_id(&on.ticker)?;
            let outcome = on.outcome as u16;
            self.scope.markets.contains(&id).then_some(games::GameMarket { market: id.0, outcome })
        };
        Some(games::GameInfo {
            game,
            league: info.league.0.to_string(),
            home: team(&info.home),
            away: team(&info.away),
            start: info.start.as_nanos(),
            periods: info.periods,
            period_ms: info.period_ms,
            markets: info.markets.iter().filter_map(market).collect(),
        })
    }

    fn situation(&mut self, game: u32) -> Option<games::GameSituation> {
        if !self.scope.games.contains(&GameId(game)) {
            return None;
        }
        let known = self.cache.game(GameId(game))?.situation?;
        let [on_first, on_second, on_third] = known.bases;
        Some(games::GameSituation {
            possession: known.possession.map_or(0, |possession| possession as u16),
            down: known.down,
            distance: known.distance,
            yard_line: known.yard_line,
            red_zone: known.red_zone,
            home_timeouts: known.home_timeouts,
            away_timeouts: known.away_timeouts,
            balls: known.balls,
            strikes: known.strikes,
            outs: known.outs,
            on_first,
            on_second,
            on_third,
            top_of_inning: known.top_of_inning,
        })
    }

    fn of_market(&mut self, market: u32) -> Option<u32> {
        let id = self.own_market(market)?;
        self.cache.game_of_market(id).map(|game| game.0)
    }
}

impl portfolio::Host for HostState {
    fn position(&mut self, market: u32) -> portfolio::MarketPosition {
        let id = MarketId(market);
        let position = self.account.position(id).copied().unwrap_or(model::Position {
            market: id,
            quantity: Quantity::ZERO,
            average_price: Price::ZERO,
            realized: Dollars::ZERO,
            fees: Dollars::ZERO,
        });
        portfolio::MarketPosition {
            market,
            quantity: position.quantity.raw(),
            average_price: position.average_price.raw(),
            realized: position.realized.raw(),
            fees: position.fees.raw(),
        }
    }

    fn open_orders(&mut self) -> Vec<portfolio::OpenOrder> {
        let order = |order: &model::OpenOrder| portfolio::OpenOrder {
            order: order.order.0,
            market: order.market.0,
            side: side(order.side),
            price: order.price.raw(),
            remaining: order.remaining.raw(),
            state: order.state as u16,
        };
        self.account.open_orders.iter().map(order).collect()
    }

    fn budget(&mut self) -> i64 {
        self.account.budget.raw()
    }
}

impl HostState {
    fn own_market(&self, market: u32) -> Option<MarketId> {
        Some(MarketId(market)).filter(|id| self.scope.markets.contains(id))
    }
}

pub(super) fn level(level: model::Level) -> types::Level {
    types::Level { price: level.price.raw(), quantity: level.quantity.raw() }
}

pub(super) fn side(side: Side) -> types::Side {
    match side {
        Side::Bid => types::Side::Bid,
        Side::Ask => types::Side::Ask,
    }
}

fn price_range(range: &model::PriceRange) -> markets::PriceRange {
    markets::PriceRange { start: range.start.raw(), end: range.end.raw(), step: range.step.raw() }
}

fn team(team: &model::Team) -> games::Team {
    games::Team { name: team.name.clone(), abbreviation: team.abbreviation.clone() }
}
