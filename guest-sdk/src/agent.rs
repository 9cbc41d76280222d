//! [`Agent`]: what an author writes.

use hotpit_units::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Context;
use crate::event::{Event, Fill, Game, Gap, MarketChange, OrderUpdate, Quote, Trade};
use crate::manifest::{Requirement, Subscription};
use crate::params::Parameters;

/// A trading agent. Every method has a default: implement what you need.
///
/// The type itself is the agent's state. It is made by [`Default`], saved with serde when the
/// host swaps the file or stops, and read back before the next start. What must not be carried
/// over is marked `#[serde(skip)]`; a new field of a later version needs `#[serde(default)]`.
///
/// The account that the methods see is as of the batch; markets, books and games are as they are
/// when they ask. What they order is sent together when the batch is done.
pub trait Agent: Default + Serialize + DeserializeOwned {
    /// What the operator can set; `()` for nothing. See [`parameters!`](crate::parameters).
    type Params: Parameters;

    /// What the agent hears about, where the operator's settings name nothing.
    #[must_use]
    fn subscriptions() -> Vec<Subscription> {
        Vec::new()
    }

    /// What the agent cannot trade without.
    #[must_use]
    fn requires() -> Vec<Requirement> {
        Vec::new()
    }

    /// Takes over the operator's parameters. Called at every start, after saved state was read:
    /// parameters that are kept in the agent belong in a field marked `#[serde(skip)]`, or a saved
    /// value would be seen until this call.
    ///
    /// # Errors
    /// Why the agent cannot work with them: the host shows it to the operator and does not start
    /// the agent (on a swap, the version that runs goes on).
    fn configure(&mut self, params: Self::Params) -> Result<(), String> {
        let _ = params;
        Ok(())
    }

    /// Called at the head of the first batch after a start; `restored` tells whether saved state
    /// was read. Timers of an earlier run are gone, orders of it may still work.
    fn on_start(&mut self, ctx: &mut Context, restored: bool) {
        let _ = (ctx, restored);
    }

    /// Takes a whole batch. The default calls the handler of each event in order.
    fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
        for event in events {
            event.dispatch(self, ctx);
        }
    }

    /// Called when the events of a batch were handled: the place to decide once on all that they
    /// brought.
    fn after_events(&mut self, ctx: &mut Context) {
        let _ = ctx;
    }

    /// The best levels of a book changed.
    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        let _ = (ctx, quote);
    }

    /// Somebody traded.
    fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
        let _ = (ctx, trade);
    }

    /// The status of a market changed, or the market is new.
    fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
        let _ = (ctx, change);
    }

    /// The state of a game changed, or the game is new.
    fn on_game(&mut self, ctx: &mut Context, game: &Game) {
        let _ = (ctx, game);
    }

    /// An order of this agent changed.
    fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let _ = (ctx, update);
    }

    /// An order of this agent traded.
    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        let _ = (ctx, fill);
    }

    /// A [`Context::wake_at`] came due; `due` is the time that was asked for.
    fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
        let _ = (ctx, due);
    }

    /// What the agent knows may be stale.
    fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
        let _ = (ctx, gap);
    }
}
