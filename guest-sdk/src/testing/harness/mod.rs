//! [`Harness`].

mod events;
mod life;
mod orders;
mod setup;

use std::cell::RefCell;
use std::time::Duration;

use hotpit_units::{Dollars, Timestamp};

use super::world::SharedWorld;
use crate::log::{Level as LogLevel, sink};
use crate::runner::Runner;
use crate::{Action, Agent, Event, MarketId, Position};

/// How much time passes before each batch: enough that no two batches have the same time.
const BATCH_INTERVAL: Duration = Duration::from_millis(1);

/// Drives an agent. Made with [`Harness::new`] and the methods that give it parameters, markets
/// and games; the agent starts with the first event, or with [`Harness::start`].
///
/// `Buyer`, here and below, buys five contracts at the ask of every quote:
///
/// ```
/// # use hotpit_agent::{prelude::*, testing::*};
/// # #[derive(Default, serde::Serialize, serde::Deserialize)]
/// # struct Buyer { quotes: u32 }
/// # impl Agent for Buyer {
/// #     type Params = ();
/// fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
///     self.quotes += 1;
///     if let Some(ask) = quote.ask {
///         ctx.buy(quote.market, ask.price, contracts(5)).send();
///     }
/// }
/// # }
/// let mut harness = Harness::<Buyer>::new().market("KX-1");
/// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
/// harness.fill(order, contracts(2));
/// assert_eq!(harness.position("KX-1").quantity, contracts(2));
/// assert_eq!(harness.agent().quotes, 1);
/// ```
pub struct Harness<A: Agent> {
    world: SharedWorld,
    parameters: Vec<(String, String)>,
    runner: Option<Runner<A>>,
    now: Timestamp,
    actions: Vec<Action>,
    logs: Vec<(LogLevel, String)>,
    /// Not among the logs yet: a save leaves the harness as it is.
    lines_of_saves: RefCell<Vec<(LogLevel, String)>>,
}

impl<A: Agent> Default for Harness<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Agent> Harness<A> {
    /// A harness without markets, on 2026-01-01 at midnight UTC, with a budget of $1,000.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// let harness = Harness::<Buyer>::new().market("KX-1");
    /// assert_eq!(harness.now(), Timestamp::from_secs(1_767_225_600));
    /// assert_eq!(harness.position("KX-1").quantity, Quantity::ZERO);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let world = SharedWorld::default();
        world.0.borrow_mut().budget = Dollars::from_dollars(1_000);
        Self {
            world,
            parameters: Vec::new(),
            runner: None,
            now: Timestamp::from_secs(1_767_225_600),
            actions: Vec::new(),
            logs: Vec::new(),
            lines_of_saves: RefCell::default(),
        }
    }

    /// Sends a batch of events. Like every method that sends events, it lets 1 ms pass before, and
    /// gives back what the agent wants.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let (market, ts) = (harness.market_id("KX-1"), harness.now());
    /// let quote = |ask| Event::Quote(Quote { market, bid: None, ask: Some(level(ask, 10)), ts });
    /// let orders = placed(&harness.batch(&[quote(42), quote(41)]));
    /// assert_eq!([orders[0].price, orders[1].price], [cents(42), cents(41)]);
    /// ```
    ///
    /// # Panics
    /// When the agent does not start.
    pub fn batch(&mut self, events: &[Event]) -> Vec<Action> {
        if self.runner.is_none() {
            self.start().unwrap_or_else(|error| panic!("the agent does not start: {error}"));
        }
        self.now = self.now + BATCH_INTERVAL;
        let runner = self.runner.as_mut();
        let call = || runner.map(|runner| runner.on_events(self.now, events)).unwrap_or_default();
        let (actions, lines) = sink::lines_of(call);
        self.keep(lines);
        self.world.0.borrow_mut().note(self.now, &actions);
        self.actions.extend(&actions);
        actions
    }

    fn keep(&mut self, lines: Vec<(LogLevel, String)>) {
        self.logs.append(self.lines_of_saves.get_mut());
        self.logs.extend(lines);
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.batch(&[event])
    }

    /// The time of the last batch.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let before = harness.now();
    /// harness.advance(Duration::from_secs(3));
    /// assert_eq!(harness.now().since(before), Duration::from_secs(3));
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.quote("KX-1", cents(40), cents(43));
    /// assert_eq!(harness.agent().quotes, 2);
    /// ```
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn agent(&self) -> &A {
        self.runner.as_ref().map_or_else(|| panic!("the agent was not started"), Runner::agent)
    }

    /// The handle of a market.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1").market("KX-2");
    /// let orders = placed(&harness.quote("KX-2", cents(40), cents(42)));
    /// assert_eq!(orders[0].market, harness.market_id("KX-2"));
    /// ```
    ///
    /// # Panics
    /// When the harness has no such market.
    #[must_use]
    pub fn market_id(&self, ticker: &str) -> MarketId {
        self.world.0.borrow().market_id(ticker)
    }

    /// The agent's position in a market.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// let order = placed(&harness.quote("KX-1", cents(40), cents(42)))[0].order;
    /// harness.fill(order, contracts(5));
    /// let position = harness.position("KX-1");
    /// assert_eq!((position.quantity, position.average_price), (contracts(5), cents(42)));
    /// ```
    #[must_use]
    pub fn position(&self, ticker: &str) -> Position {
        let market = self.market_id(ticker);
        self.world.0.borrow().position(market)
    }

    /// Everything the agent wanted so far.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Buyer { quotes: u32 }
    /// # impl Agent for Buyer {
    /// #     type Params = ();
    /// #     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
    /// #         self.quotes += 1;
    /// #         ctx.buy(quote.market, quote.ask.unwrap().price, contracts(5)).send();
    /// #     }
    /// # }
    /// # let mut harness = Harness::<Buyer>::new().market("KX-1");
    /// harness.quote("KX-1", cents(40), cents(42));
    /// harness.quote("KX-1", cents(40), cents(43));
    /// assert_eq!(placed(harness.actions()).len(), 2);
    /// ```
    #[must_use]
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Everything the agent logged so far.
    ///
    /// ```
    /// # use hotpit_agent::log::Level;
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn on_gap(&mut self, _: &mut Context, _: &Gap) {
    ///     warn!("missed something");
    /// }
    /// # }
    /// # let mut harness = Harness::<Mine>::new().market("KX-1");
    /// harness.gap(None);
    /// assert_eq!(harness.logs(), [(Level::Warn, "missed something".into())]);
    /// ```
    #[must_use]
    pub fn logs(&self) -> &[(LogLevel, String)] {
        &self.logs
    }
}

impl<A: Agent> std::fmt::Debug for Harness<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("now", &self.now)
            .field("world", &self.world)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}
