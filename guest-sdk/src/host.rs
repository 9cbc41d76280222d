//! [`Host`]: the seam between an agent and what it runs in. In wasm it is the imports of the
//! contract, natively the test harness; strategy code cannot tell.

use hotpit_units::Dollars;

use crate::ids::{GameId, MarketId};
use crate::info::{GameInfo, Market, OpenOrder, OrderBook, Position, Situation, Statistics};

/// What an agent can look up.
pub(crate) trait Host {
    fn markets(&self) -> Vec<MarketId>;
    fn market(&self, market: MarketId) -> Option<Market>;
    fn book(&self, market: MarketId, depth: u32) -> Option<OrderBook>;
    fn statistics(&self, market: MarketId) -> Option<Statistics>;
    fn games(&self) -> Vec<GameId>;
    fn game(&self, game: GameId) -> Option<GameInfo>;
    fn situation(&self, game: GameId) -> Option<Situation>;
    fn game_of(&self, market: MarketId) -> Option<GameId>;
    fn position(&self, market: MarketId) -> Position;
    fn open_orders(&self) -> Vec<OpenOrder>;
    fn budget(&self) -> Dollars;
}
