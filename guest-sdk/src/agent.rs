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
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # use serde::{Deserialize, Serialize};
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter { trades: u32 }
///
/// impl Agent for Counter {
///     type Params = ();
///     fn on_trade(&mut self, _: &mut Context, _: &Trade) {
///         self.trades += 1;
///     }
/// }
///
/// let mut harness = Harness::<Counter>::new().market("KX-1");
/// harness.trade("KX-1", cents(40), contracts(3), Side::Bid);
/// assert_eq!(harness.agent().trades, 1);
/// ```
pub trait Agent: Default + Serialize + DeserializeOwned {
    /// What the operator can set; `()` for nothing. See [`parameters!`](crate::parameters).
    type Params: Parameters;

    /// What the agent hears about, where the operator's settings name nothing.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn subscriptions() -> Vec<Subscription> {
    ///     vec![Subscription::Series("KXNFLGAME".into()), Subscription::League("nfl".into())]
    /// }
    /// # }
    /// assert_eq!(Mine::subscriptions()[1], Subscription::League("nfl".into()));
    /// ```
    #[must_use]
    fn subscriptions() -> Vec<Subscription> {
        Vec::new()
    }

    /// What the agent cannot trade without.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn requires() -> Vec<Requirement> {
    ///     vec![Requirement::GameFeed]
    /// }
    /// # }
    /// assert_eq!(Mine::requires(), [Requirement::GameFeed]);
    /// ```
    #[must_use]
    fn requires() -> Vec<Requirement> {
        Vec::new()
    }

    /// Takes over the operator's parameters. Called at every start, after saved state was read:
    /// parameters that are kept in the agent belong in a field marked `#[serde(skip)]`, or a saved
    /// value would be seen until this call.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # parameters! {
    /// #     /// Of the example.
    /// #     struct Params {
    /// #         /// How much to buy, in contracts.
    /// #         size: Quantity = contracts(1),
    /// #     }
    /// # }
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { #[serde(skip)] params: Params }
    /// # impl Agent for Mine {
    /// # type Params = Params;
    /// fn configure(&mut self, params: Params) -> Result<(), String> {
    ///     if !params.size.is_positive() {
    ///         return Err("`size` must be more than 0".into());
    ///     }
    ///     self.params = params;
    ///     Ok(())
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().param("size", "0");
    /// assert_eq!(harness.start(), Err("`size` must be more than 0".into()));
    /// ```
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
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Begins with nothing in the book.
    /// fn on_start(&mut self, ctx: &mut Context, restored: bool) {
    ///     if !restored {
    ///         ctx.cancel_all();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new();
    /// assert_eq!(harness.batch(&[]), [Action::CancelAll(None)]);
    /// harness.swap();
    /// assert!(harness.batch(&[]).is_empty());
    /// ```
    fn on_start(&mut self, ctx: &mut Context, restored: bool) {
        let _ = (ctx, restored);
    }

    /// Takes a whole batch. The default calls the handler of each event in order.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { trades: usize }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Counts the trades of a batch without a handler for each.
    /// fn on_events(&mut self, _: &mut Context, events: &[Event]) {
    ///     self.trades += events.iter().filter(|event| matches!(event, Event::Trade(_))).count();
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.trade("KX-1", cents(40), contracts(1), Side::Bid);
    /// harness.quote("KX-1", cents(40), cents(42));
    /// assert_eq!(harness.agent().trades, 1);
    /// ```
    fn on_events(&mut self, ctx: &mut Context, events: &[Event]) {
        for event in events {
            event.dispatch(self, ctx);
        }
    }

    /// Called when the events of a batch were handled: the place to decide once on all that they
    /// brought.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { changed: Vec<String> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     self.changed.extend(ctx.market(quote.market).map(|market| market.ticker.clone()));
    /// # }
    /// /// Decides once on all the markets whose quotes came in this batch.
    /// fn after_events(&mut self, ctx: &mut Context) {
    ///     if !std::mem::take(&mut self.changed).is_empty() {
    ///         ctx.cancel_all();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # let market = harness.market_id("KX-1");
    /// # let quote = Event::Quote(Quote { market, bid: None, ask: None, ts: harness.now() });
    /// let actions = harness.batch(&[quote.clone(), quote]);
    /// assert_eq!(actions, [Action::CancelAll(None)]);
    /// ```
    fn after_events(&mut self, ctx: &mut Context) {
        let _ = ctx;
    }

    /// The best levels of a book changed.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Takes what is offered below 30 cents.
    /// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    ///     if let Some(ask) = quote.ask && ask.price < Price::from_cents(30) {
    ///         ctx.buy(quote.market, ask.price, ask.quantity).immediate_or_cancel().send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert!(harness.quote("KX-1", cents(30), cents(31)).is_empty());
    /// assert_eq!(placed(&harness.quote("KX-1", cents(27), cents(29)))[0].price, cents(29));
    /// ```
    fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
        let _ = (ctx, quote);
    }

    /// Somebody traded.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Follows whoever buys a hundred contracts or more.
    /// fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
    ///     if trade.taker == Side::Bid && trade.quantity >= Quantity::from_contracts(100) {
    ///         ctx.buy(trade.market, trade.price, Quantity::from_contracts(1)).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let actions = harness.trade("KX-1", cents(40), contracts(250), Side::Bid);
    /// assert_eq!(placed(&actions)[0].quantity, contracts(1));
    /// assert!(harness.trade("KX-1", cents(40), contracts(99), Side::Bid).is_empty());
    /// ```
    fn on_trade(&mut self, ctx: &mut Context, trade: &Trade) {
        let _ = (ctx, trade);
    }

    /// The status of a market changed, or the market is new.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { quotes: MarketMap<u32> }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     *self.quotes.entry(ctx, quote.market) += 1;
    /// # }
    /// /// Forgets markets that are settled.
    /// fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
    ///     if change.status == MarketStatus::Finalized {
    ///         self.quotes.remove(ctx, change.market);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.status("KX-1", MarketStatus::Finalized);
    /// assert_eq!(harness.agent().quotes.iter().count(), 0);
    /// ```
    fn on_market(&mut self, ctx: &mut Context, change: &MarketChange) {
        let _ = (ctx, change);
    }

    /// The state of a game changed, or the game is new.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Buys the home team when it leads by two touchdowns.
    /// fn on_game(&mut self, ctx: &mut Context, game: &Game) {
    ///     let Some(info) = ctx.game(game.game) else { return };
    ///     let home = info.markets.iter().find(|it| it.outcome == Outcome::HomeWins);
    ///     if let Some(home) = home && game.home_score >= game.away_score + 14 {
    ///         ctx.buy(home.market, Price::from_cents(90), Quantity::from_contracts(1)).send();
    ///     }
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new().game("KX-HOM", "KX-AWY");
    /// # use std::time::Duration;
    /// let actions = harness.score(2, Duration::from_secs(300), 14, 0);
    /// assert_eq!(placed(&actions)[0].market, harness.market_id("KX-HOM"));
    /// ```
    fn on_game(&mut self, ctx: &mut Context, game: &Game) {
        let _ = (ctx, game);
    }

    /// An order of this agent changed.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { refused: u32 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(1)).send();
    /// # }
    /// fn on_order(&mut self, _: &mut Context, update: &OrderUpdate) {
    ///     if update.state.is_refused() {
    ///         self.refused += 1;
    ///         warn!("refused: {}", update.reason);
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(39), cents(40)))[0].order;
    /// harness.deny(order, "ORDER_RATE: limit=1");
    /// assert_eq!(harness.agent().refused, 1);
    /// ```
    fn on_order(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let _ = (ctx, update);
    }

    /// An order of this agent traded.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// # fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #     ctx.buy(quote.market, cents(40), contracts(5)).send();
    /// # }
    /// /// Offers what was bought two cents higher.
    /// fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
    ///     if fill.side == Side::Bid {
    ///         let higher = Price::from_raw(fill.price.raw() + 200);
    ///         ctx.sell(fill.market, higher, fill.quantity).send();
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(44)))[0].order;
    /// let offer = placed(&harness.fill(order, contracts(3)))[0];
    /// assert_eq!((offer.side, offer.price, offer.quantity), (Side::Ask, cents(42), contracts(3)));
    /// ```
    fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
        let _ = (ctx, fill);
    }

    /// A [`Context::wake_at`] came due; `due` is the time that was asked for.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine { ticks: u32 }
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_start(&mut self, ctx: &mut Context, _: bool) {
    ///     ctx.wake_after(Duration::from_secs(10));
    /// }
    /// fn on_timer(&mut self, ctx: &mut Context, _: Timestamp) {
    ///     self.ticks += 1;
    ///     ctx.wake_after(Duration::from_secs(10));
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// # harness.batch(&[]);
    /// harness.advance(Duration::from_secs(25));
    /// assert_eq!(harness.agent().ticks, 2);
    /// ```
    fn on_timer(&mut self, ctx: &mut Context, due: Timestamp) {
        let _ = (ctx, due);
    }

    /// What the agent knows may be stale.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// /// Leaves the market until something fresh comes.
    /// fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
    ///     match gap.market {
    ///         Some(market) => ctx.cancel_all_in(market),
    ///         None => ctx.cancel_all(),
    ///     }
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
    /// let market = harness.market_id("KX-1");
    /// assert_eq!(harness.gap(Some("KX-1")), [Action::CancelAll(Some(market))]);
    /// ```
    fn on_gap(&mut self, ctx: &mut Context, gap: &Gap) {
        let _ = (ctx, gap);
    }
}
