//! Trades the markets on a game when the score moves its own win probability away from the price.
//!
//! The probability is that of [`model`]; what a trade must gain after the fee is in [`edge`]. What
//! the agent promises:
//! - It takes liquidity with immediate orders alone: nothing of it rests in a book.
//! - One order per game at a time, and none within the cool-down after the last.
//! - The net position on a game, both teams' markets together, stays within its limit.
//! - It does nothing on games that the host has not mapped to markets, that are not being played,
//!   or that have no clock; it closes a position only when the price has turned far enough against
//!   the model to trade the other way.

mod edge;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hotpit_agent::GameMarket;
use hotpit_agent::prelude::*;
use serde::{Deserialize, Serialize};

use crate::edge::{Offer, best_offer};
use crate::model::Model;

parameters! {
    /// What the operator can set.
    pub struct Params {
        /// The league whose games are traded, as ESPN names it. The model's numbers fit one league;
        /// with another one, set `leagues` in the agent's file too.
        pub league: String = "nfl".into(),
        /// What a trade must gain against the model after the fee, in dollars per contract.
        pub edge: Price = Price::from_cents(3),
        /// The largest single order, in contracts.
        pub order_quantity: Quantity = Quantity::from_contracts(10),
        /// The largest net position on a game, in contracts of the home team or against it.
        pub position_limit: Quantity = Quantity::from_contracts(50),
        /// The shortest time between two orders on a game, in milliseconds.
        pub cool_down_ms: u64 = 2_000,
        /// Kalshi's taker fee factor in thousandths: 70 is 0.07 x price x (1 - price).
        pub fee_thousandths: u32 = 70,
        /// The scale of the logistic of a whole game's margin, in tenths of a point.
        pub scale_tenths: u32 = 76,
        /// What playing at home is worth over a whole game, in tenths of a point.
        pub home_advantage_tenths: i32 = 15,
    }
}

impl Params {
    fn problems(&self) -> Vec<&'static str> {
        let checks = [
            (self.edge == Price::ZERO, "`edge` must be more than 0"),
            (
                self.order_quantity < Quantity::from_contracts(1),
                "`order_quantity` must be at least 1",
            ),
            (!self.position_limit.is_positive(), "`position_limit` must be more than 0"),
            (self.scale_tenths == 0, "`scale_tenths` must be more than 0"),
            (self.fee_thousandths > 1_000, "`fee_thousandths` must be at most 1000"),
        ];
        checks.into_iter().filter_map(|(wrong, problem)| wrong.then_some(problem)).collect()
    }
}

/// The agent. Its state is its orders under way, by market.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WinProbability {
    taken: MarketMap<Taken>,
    #[serde(skip)]
    params: Params,
    /// The latest state of each game.
    #[serde(skip)]
    games: BTreeMap<GameId, Game>,
    /// Games that this batch changed, their markets included.
    #[serde(skip)]
    dirty: BTreeSet<GameId>,
}

/// What the agent did in a market.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Taken {
    /// The order under way.
    working: Option<Working>,
    /// When the last one was sent.
    sent: Timestamp,
}

impl Agent for WinProbability {
    type Params = Params;

    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::League(Params::default().league)]
    }

    fn requires() -> Vec<Requirement> {
        vec![Requirement::GameFeed]
    }

    fn configure(&mut self, params: Params) -> Result<(), String> {
        let problems = params.problems();
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        self.params = params;
        Ok(())
    }

    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        self.dirty.extend(ctx.game_of(quote.market));
    }

    fn on_game(&mut self, _: &mut Context, game: &Game) {
        self.games.insert(game.game, *game);
        self.dirty.insert(game.game);
    }

    fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
        if change.status == MarketStatus::Finalized {
            self.taken.remove(ctx, change.market);
        }
    }

    fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let now = ctx.now();
        if let Some(working) = &mut self.taken.entry(ctx, update.market).working {
            working.on_order(update, now);
        }
        if update.state.is_refused() {
            warn!("order {} is {:?}: {}", update.order.0, update.state, update.reason);
        }
    }

    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        let now = ctx.now();
        if let Some(working) = &mut self.taken.entry(ctx, fill.market).working {
            working.on_fill(fill, now);
        }
    }

    /// Forgets the games: a score may have been missed. The next state of each is fresh.
    fn on_gap(&mut self, _: &mut Context, gap: &Gap) {
        if gap.market.is_none() {
            self.games.clear();
        }
    }

    fn after_events(&mut self, ctx: &mut Context) {
        for game in std::mem::take(&mut self.dirty) {
            self.consider(ctx, game);
        }
    }
}

/// A trade to make.
struct Trade {
    market: MarketId,
    offer: Offer,
    quantity: Quantity,
}

impl WinProbability {
    /// Trades on a game if its price is far enough from the model's.
    fn consider(&mut self, ctx: &mut Context, game: GameId) {
        let (Some(state), Some(info)) = (self.games.get(&game), ctx.game(game)) else { return };
        if info.league != self.params.league {
            return;
        }
        let model = Model {
            scale_tenths: self.params.scale_tenths,
            home_advantage_tenths: self.params.home_advantage_tenths,
        };
        let Some(home_wins) = model.home_wins(state, &info) else { return };
        if self.is_busy(ctx, &info.markets) {
            return;
        }
        if let Some(trade) = self.best_trade(ctx, &info.markets, home_wins) {
            let Trade { market, offer, quantity } = trade;
            info!("{} {quantity} at {}, gain {}", offer.side, offer.level.price, offer.gain);
            let order = ctx.order(market, offer.side, offer.level.price, quantity);
            let working = order.immediate_or_cancel().track();
            let taken = self.taken.entry(ctx, market);
            taken.working = Some(working);
            taken.sent = ctx.now();
        }
    }

    /// Whether an order on the game is under way, or the last one was sent just now.
    fn is_busy(&mut self, ctx: &mut Context, markets: &[GameMarket]) -> bool {
        let cool_down = Duration::from_millis(self.params.cool_down_ms);
        let mut busy = false;
        for on_game in markets {
            let taken = self.taken.entry(ctx, on_game.market);
            if let Some(working) = &mut taken.working {
                working.check(ctx);
            }
            taken.working.take_if(|working| working.is_done());
            busy |= taken.working.is_some() || ctx.now().since(taken.sent) < cool_down;
        }
        busy
    }

    /// The trade that gains most, over all markets of a game.
    fn best_trade(&self, ctx: &Context, markets: &[GameMarket], home_wins: Price) -> Option<Trade> {
        let net = net_position(ctx, markets);
        let trade = |on_game: &GameMarket| {
            let fair = match on_game.outcome {
                Outcome::HomeWins => home_wins,
                Outcome::AwayWins => home_wins.complement()?,
                _ => return None,
            };
            let market = ctx.market(on_game.market)?;
            let book = ctx.book(on_game.market, 1)?;
            if market.status != MarketStatus::Active || !book.synced {
                return None;
            }
            let params = &self.params;
            let offer = best_offer(fair, &book, params.edge, params.fee_thousandths)?;
            let for_home = (on_game.outcome == Outcome::HomeWins) == (offer.side == Side::Bid);
            let room = if for_home {
                params.position_limit.saturating_sub(net)
            } else {
                params.position_limit.saturating_add(net)
            };
            let quantity = params.order_quantity.min(offer.level.quantity).min(room);
            // Whole contracts alone: not every market trades parts of one.
            let quantity = Quantity::from_contracts(quantity.raw().div_euclid(100));
            let market = on_game.market;
            quantity.is_positive().then_some(Trade { market, offer, quantity })
        };
        markets.iter().filter_map(trade).max_by_key(|trade| trade.offer.gain)
    }
}

/// The position on a game in contracts of the home team: a contract of the away team counts
/// against it.
fn net_position(ctx: &Context, markets: &[GameMarket]) -> Quantity {
    let signed = |on_game: &GameMarket| match on_game.outcome {
        Outcome::HomeWins => ctx.position(on_game.market).quantity,
        Outcome::AwayWins => -ctx.position(on_game.market).quantity,
        _ => Quantity::ZERO,
    };
    markets.iter().map(signed).sum()
}

hotpit_agent::export!(WinProbability);

#[cfg(test)]
mod tests;
