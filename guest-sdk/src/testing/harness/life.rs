//! Starts, saves, swaps and restarts of the agent.

use super::Harness;
use crate::Agent;
use crate::log::sink;
use crate::runner::Runner;

impl<A: Agent> Harness<A> {
    /// Starts the agent.
    ///
    /// ```
    /// # use hotpit_agent::{prelude::*, testing::*};
    /// # #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// # struct Mine;
    /// # impl Agent for Mine {
    /// #     type Params = ();
    /// fn configure(&mut self, _: ()) -> Result<(), String> {
    ///     Err("not today".into())
    /// }
    /// # }
    /// let mut harness = Harness::<Mine>::new();
    /// assert_eq!(harness.start(), Err("not today".into()));
    /// ```
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start(&mut self) -> Result<(), String> {
        self.start_from(None)
    }

    /// Starts the agent with saved state, whatever it is.
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
    /// # let mut harness = Harness::<Buyer>::new();
    /// // What an earlier version saved still fits:
    /// harness.start_from(Some(b"0.1.0 0\n{\"quotes\":7}"))?;
    /// assert_eq!(harness.agent().quotes, 7);
    /// assert!(harness.start_from(Some(b"noise")).is_err());
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// What the agent would tell the operator.
    pub fn start_from(&mut self, restored: Option<&[u8]>) -> Result<(), String> {
        let host = Box::new(self.world.clone());
        let start = || Runner::start(host, "0.0.0", &self.parameters, restored);
        let (started, lines) = sink::lines_of(start);
        self.keep(lines);
        self.runner = Some(started?);
        self.world.0.borrow_mut().timers.clear();
        Ok(())
    }

    /// The agent's state, as the host would save it.
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
    /// let saved = harness.save();
    /// let mut later = Harness::<Buyer>::new();
    /// later.start_from(Some(&saved))?;
    /// assert_eq!(later.agent().quotes, 1);
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Panics
    /// When the agent was not started.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let runner = self.runner.as_ref();
        let save = || runner.map_or_else(|| panic!("the agent was not started"), Runner::save);
        let (saved, lines) = sink::lines_of(save);
        self.lines_of_saves.borrow_mut().extend(lines);
        saved
    }

    /// Swaps the agent for a new instance of itself, with its state saved and restored, as when
    /// its file is replaced. The wake times of the instance before are forgotten.
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
    /// harness.swap();
    /// assert_eq!(harness.agent().quotes, 1);
    /// ```
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn swap(&mut self) {
        let saved = self.save();
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the swap failed: {error}"));
    }

    /// Like [`Harness::swap`], in another run of the host: every market and game has another handle.
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
    /// let before = harness.market_id("KX-1");
    /// harness.restart();
    /// assert_ne!(harness.market_id("KX-1"), before);
    /// assert_eq!(harness.agent().quotes, 1);
    /// ```
    ///
    /// # Panics
    /// When the state does not survive the way.
    pub fn restart(&mut self) {
        let saved = self.save();
        self.world.0.borrow_mut().renumber();
        self.start_from(Some(&saved)).unwrap_or_else(|error| panic!("the restart failed: {error}"));
    }
}
