//! hotpit: a trading host for Kalshi whose strategies are wasm components.
//!
//! # The way of a frame, from the socket to the order
//! 1. [`feeds::kalshi`] reads a frame off the WebSocket, checks that none before it was lost, and
//!    turns it into a [`bus::Message`]; [`feeds::espn`] does so with scoreboards.
//! 2. The [`bus`] carries it, in this process or through Redis, to a [`bus::Sink`].
//! 3. [`cache::Cache`] applies it: the one place with books, markets and games.
//! 4. [`agents::Router`] puts what changed into the mailbox of each agent that follows it.
//! 5. A worker thread takes a batch, calls the agent's component, and sends the actions that it
//!    returned to the desk ([`desk::ToDesk`]). A call that did not return has done nothing.
//! 6. [`desk::Desk`] decides, purely and synchronously: the risk manager ([`desk::risk`]) makes an
//!    `Approved` of an intent, or says why not.
//! 7. [`desk::shell`] writes the records to the [`journal`], and only then
//! 8. [`kalshi::Client`] puts the request on the wire, with a signature that was made before.
//! 9. What the exchange says of the order comes back to the desk, from that answer and from the
//!    WebSocket's private channels, in any order; its outcome is unknown until one of them tells.
//! 10. The desk books fills once, by their id, and tells the agent; [`ops`] and [`cli`] show it.
//!
//! # Layout
//! [`units`] and [`model`] are the vocabulary and know nobody. [`desk`] knows only them. [`streams`]
//! keeps the life of every upstream, for [`feeds`], [`bus`] and [`kalshi`], which do the talking.
//! [`cache`], [`agents`] and [`journal`] each do one thing. [`config`], [`ops`] and [`cli`] are for
//! people. [`recording`] keeps what the WebSocket brings, and reads it. [`traces`] tells a collector
//! where the time of each order went. [`app`] knows all and puts them together. Clock, randomness,
//! sockets and threads come from `hotpit_rt` alone.

pub mod agents;
pub mod app;
pub mod bus;
pub mod cache;
pub mod cli;
pub mod config;
pub mod desk;
pub mod feeds;
pub mod journal;
pub mod kalshi;
pub mod model;
pub mod ops;
pub mod recording;
pub mod streams;
pub mod traces;

pub use hotpit_units as units;
