//! Test a strategy natively: a [`Harness`] feeds an agent events and gives back what it wants.
//!
//! The harness is the host in small: markets with books, games, this agent's positions and
//! orders, a clock that stands still between batches. Orders do nothing by themselves: a test says
//! what becomes of them ([`Harness::acknowledge`], [`Harness::fill`], [`Harness::reject`], ...).
//! Mistakes of a test (an unknown ticker, a fill of an order that never was) panic.
//!
//! ```
//! use hotpit_agent::prelude::*;
//! use hotpit_agent::testing::{Harness, canceled, cents, contracts, placed};
//! use serde::{Deserialize, Serialize};
//!
//! /// Bids one cent below the best ask, and leaves when it is filled.
//! #[derive(Default, Serialize, Deserialize)]
//! struct Bidder { working: Option<OrderId> }
//!
//! impl Agent for Bidder {
//!     type Params = ();
//!     fn on_quote(&mut self, ctx: &mut Context, quote: &Quote) {
//!         if let (None, Some(ask)) = (self.working, quote.ask) {
//!             let price = Price::from_raw(ask.price.raw() - 100);
//!             self.working =
//!                 Some(ctx.buy(quote.market, price, Quantity::from_contracts(5)).post_only().send());
//!         }
//!     }
//!     fn on_fill(&mut self, ctx: &mut Context, fill: &Fill) {
//!         ctx.cancel(fill.order);
//!     }
//! }
//!
//! let mut harness = Harness::<Bidder>::new().market("KX-1");
//! let actions = harness.quote("KX-1", cents(40), cents(44));
//! let order = placed(&actions)[0];
//! assert_eq!((order.price, order.post_only), (cents(43), true));
//!
//! harness.acknowledge();
//! let actions = harness.fill(order.order, contracts(2));
//! assert_eq!(canceled(&actions), [order.order]);
//! assert_eq!(harness.position("KX-1").quantity, contracts(2));
//! ```
#![expect(clippy::panic, reason = "a test harness fails by panicking")]

mod build;
mod harness;
mod holding;
mod world;

pub use build::{canceled, cents, contracts, game, level, market, placed};
pub use harness::Harness;
pub use world::TestOrder;
