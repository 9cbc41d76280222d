//! Write a hotpit agent in Rust, test it natively, run it as a wasm component.
//!
//! ```
//! use hotpit_agent::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! parameters! {
//!     /// What the operator can set.
//!     pub struct Params {
//!         /// The most to pay for a contract, in dollars.
//!         pub limit: Price = Price::from_cents(40),
//!     }
//! }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! pub struct Sniper {
//!     bought: bool,
//!     #[serde(skip)]
//!     params: Params,
//! }
//!
//! impl Agent for Sniper {
//!     type Params = Params;
//!
//!     fn configure(&mut self, params: Params) -> Result<(), String> {
//!         self.params = params;
//!         Ok(())
//!     }
//!
//!     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
//!         if let Some(ask) = quote.ask
//!             && !self.bought
//!             && ask.price <= self.params.limit
//!         {
//!             let one = Quantity::from_contracts(1);
//!             ctx.buy(quote.market, ask.price, one).immediate_or_cancel().send();
//!             self.bought = true;
//!             info!("bought one at {}", ask.price);
//!         }
//!     }
//! }
//!
//! hotpit_agent::export!(Sniper);
//!
//! // A test, native: no wasm, no host.
//! use hotpit_agent::testing::{Harness, cents, placed};
//!
//! let mut harness = Harness::<Sniper>::new().param("limit", "0.30").market("KX-1");
//! assert!(harness.quote("KX-1", cents(35), cents(38)).is_empty());
//!
//! let actions = harness.quote("KX-1", cents(27), cents(29));
//! assert_eq!(placed(&actions)[0].price, cents(29));
//!
//! harness.swap(); // saved and restored, as when the file is replaced
//! assert!(harness.quote("KX-1", cents(26), cents(28)).is_empty(), "it remembers");
//! ```
//!
//! An agent's `Cargo.toml`:
//!
//! ```toml
//! [package]
//! name = "sniper"
//! version = "0.1.0"
//! edition = "2024"
//!
//! [lib]
//! crate-type = ["cdylib", "rlib"]
//!
//! [dependencies]
//! hotpit-agent = { path = "../hotpit/guest-sdk" }
//! serde = { version = "1", features = ["derive"] }
//!
//! [profile.release]
//! lto = true
//! codegen-units = 1
//! strip = "debuginfo"
//! ```
//!
//! Build it with `cargo build --release --target wasm32-unknown-unknown` and drop the `.wasm` file
//! in the host's agents folder.
//!
//! # Layout
//! - [`Agent`] is what an author writes, [`export!`] makes it a component.
//! - [`Context`] is all an agent can see and do; [`Event`] is what it hears, [`Action`] what it
//!   wants.
//! - [`parameters!`] declares what the operator can set, once.
//! - [`MarketMap`] keeps state per market over restarts, [`Working`] follows one order.
//! - [`testing`] drives an agent natively.
//!
//! What never lives here: a clock, randomness, a socket, a file. The same events give the same
//! actions on every machine.

mod action;
mod agent;
mod codes;
mod context;
mod event;
mod grid;
mod host;
mod ids;
mod info;
pub mod log;
mod manifest;
mod market_map;
mod params;
mod runner;
mod sorted;
mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(target_family = "wasm")]
mod wasm;
mod working;

pub use action::{Action, NewOrder, TimeInForce};
pub use agent::Agent;
pub use codes::{GameStatus, GapCause, MarketStatus, OrderState, Outcome};
pub use context::{Context, OrderBuilder};
pub use event::{Event, Fill, Game, Gap, Level, MarketChange, OrderUpdate, Quote, Trade};
pub use grid::{PriceGrid, PriceRange};
pub use hotpit_units::{Dollars, ParseDecimalError, Price, Quantity, Side, Timestamp};
pub use ids::{GameId, MarketId, OrderId};
pub use info::{
    GameInfo, GameMarket, Market, OpenOrder, OrderBook, Position, Possession, Situation,
    Statistics, Team,
};
pub use manifest::{Manifest, Requirement, Subscription};
pub use market_map::MarketMap;
pub use params::{Parameter, Parameters, Values};
pub use working::Working;

/// What an agent needs to name.
///
/// ```
/// use hotpit_agent::prelude::*;
///
/// let cost: Dollars = Price::from_cents(40) * Quantity::from_contracts(5);
/// assert_eq!(cost, Dollars::from_dollars(2));
/// ```
pub mod prelude {
    pub use crate::{
        Action, Agent, Context, Dollars, Event, Fill, Game, GameId, GameInfo, GameStatus, Gap,
        Level, Market, MarketChange, MarketId, MarketMap, MarketStatus, OrderBook, OrderId,
        OrderState, OrderUpdate, Outcome, Parameters, Position, Possession, Price, PriceGrid,
        Quantity, Quote, Requirement, Side, Situation, Statistics, Subscription, TimeInForce,
        Timestamp, Trade, Working,
    };
    pub use crate::{debug, error, info, parameters, trace, warn};
}

/// Makes a crate an agent: exports its [`Agent`] as the component's world. Its name and version
/// are those of the crate. On other targets than wasm it does nothing but check the type, so that
/// the same crate is tested natively.
///
/// ```
/// use hotpit_agent::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// pub struct Idle;
///
/// impl Agent for Idle {
///     type Params = ();
/// }
///
/// hotpit_agent::export!(Idle);
///
/// # use hotpit_agent::testing::Harness;
/// assert!(Harness::<Idle>::new().batch(&[]).is_empty());
/// ```
#[macro_export]
macro_rules! export {
    ($agent:ty) => {
        #[cfg(target_family = "wasm")]
        $crate::__export_component!($agent);

        const _: fn() = || {
            const fn is_an_agent<A: $crate::Agent>() {}
            is_an_agent::<$agent>();
        };
    };
}

/// Behind [`export!`]: not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::runner::Runner;
    #[cfg(target_family = "wasm")]
    pub use crate::wasm::{bindings, describe, on_events, save, start};
}
