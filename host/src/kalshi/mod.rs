//! Kalshi's REST API: what the feeds and the desk share.
//!
//! - [`auth`]: keys and request signatures.
//! - [`http`]: one request to one answer, behind the trait [`Transport`].
//! - [`limits`]: the exchange's token buckets, kept here so that it need not refuse us.
//! - [`wire`]: the JSON of requests and answers, and how it becomes the host's own words.
//! - [`client`]: the calls, [`Client`] among them the desk's
//!   [`Venue`](crate::desk::venue::Venue).
//!
//! What it promises: an order is reported as rejected only on proof, a failed read is never an
//! empty one, only reads are tried again, and every call ends in bounded time. What never lives
//! here: the WebSocket (see [`feeds::kalshi`](crate::feeds::kalshi)) and any decision to trade.

pub mod auth;
pub mod client;
pub mod http;
pub mod limits;
mod settings;
pub mod wire;

pub use auth::{Credentials, KeyError, SignedHeaders, Signer};
pub use client::{CallError, Client};
pub use http::{HttpTransport, Method, Transport, TransportError};
pub use settings::Settings;
