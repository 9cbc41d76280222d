//! The practice exchange: Kalshi's protocol over real sockets, for tests, benchmarks and a first
//! run. Never linked into the host.
//!
//! # Layout
//! - [`core`]: the exchange itself, a pure state machine: listings, matching engine, ledger.
//! - [`scenario`]: a small world that trades on it, from a seed.
//! - [`server`]: the sockets: Kalshi's REST API and WebSocket, ESPN's scoreboard, and faults on
//!   request.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
//! use hotpit_exchange::server::{AccountSettings, Settings, start};
//! use hotpit_rt::{Clock, Entropy, net::TcpListener};
//!
//! let key = generate_credentials("keys".as_ref(), KeyKind::Ed25519)?;
//! let account = AccountSettings::new(&*key.key_id, key.public_key_pem()?);
//! let settings = Settings { accounts: vec![account], ..Settings::default() };
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let exchange = start(settings, listener, Clock::system(), Entropy::seeded(7)).await?;
//! println!("{}", exchange.rest_url());
//! exchange.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod core;
pub mod scenario;
pub mod server;
