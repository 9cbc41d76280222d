//! The servers: Kalshi's REST API and WebSocket, ESPN's scoreboard, and a control API for what
//! no real exchange has, all on one port.
//!
//! ```text
//! socket ─► door ─► router ─► faults ─► auth, limits ─► rest ──┐ jobs   ┌─► core::Exchange
//!             ▲                                                ├──────► floor
//!             └──── cut, refuse         websocket ◄── frames ──┘        └─► scenario::Scenario
//! ```
//!
//! - [`Floor`] is the one task that owns the exchange. REST handlers ask it, WebSocket commands
//!   are carried out by it, and it tells every subscriber what happened, in order.
//! - [`auth`] verifies signatures, [`limits`] has the token buckets.
//! - [`faults`] is what can go wrong on request.
//! - [`inside`] is the way in for a simulated network, past the socket.
//!
//! [`start`] takes the listener, the clock and the randomness from outside, so that a test runs
//! the real servers on a free port, in its own process.

pub mod auth;
mod channels;
mod commands;
mod control;
pub mod credentials;
mod door;
mod errors;
mod espn;
pub mod faults;
mod floor;
mod frames;
mod handle;
mod inside;
pub mod limits;
mod rest;
mod sessions;
mod settings;
mod websocket;

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use tokio::sync::mpsc;

pub use floor::{Floor, Stopped};
pub use handle::Handle;
pub use inside::{Inside, InsideSession};
pub use settings::{AccountSettings, Pace, Settings};

use crate::core::ListingError;
use auth::{KeyError, Keyring, VerifyingKey};
use door::{Door, DoorControl, Peer};
use errors::ApiError;
use faults::{Board, Fault, Kind};
use floor::FloorDoor;
use limits::{Budget, Limits};

/// Where the REST API begins.
pub const REST_PATH: &str = "/trade-api/v2";
/// Where the WebSocket is.
pub const WS_PATH: &str = "/trade-api/ws/v2";
/// Where ESPN's API begins.
pub const ESPN_PATH: &str = "/apis/site/v2/sports";

/// Why the exchange did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Values that cannot be used, all of them.
    #[error("settings cannot be used: {}", .0.join("; "))]
    Settings(Vec<String>),
    /// An account's key cannot be used.
    #[error("key `{key_id}` cannot be used: {source}")]
    Key {
        /// The id of the key.
        key_id: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The world cannot be listed.
    #[error("scenario cannot be listed: {0}")]
    Listing(#[from] ListingError),
    /// The listener does not know its address.
    #[error("listener cannot be used: {0}")]
    Listener(#[from] io::Error),
}

/// What every handler has.
#[derive(Clone)]
struct App {
    settings: Arc<Settings>,
    clock: Clock,
    floor: FloorDoor,
    keyring: Arc<RwLock<Keyring>>,
    limits: Arc<Mutex<Limits>>,
    board: Arc<Mutex<Board>>,
    door: DoorControl,
}

impl App {
    /// The key that signed.
    fn authenticate(
        &self,
        headers: &HeaderMap,
        method: &str,
        path: &str,
    ) -> Result<String, ApiError> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        Ok(keyring.verify(headers, method, path, self.clock.now())?)
    }

    /// Bills a request, or refuses it with 429.
    fn charge(&self, key: &str, budget: Budget, cost: u64) -> Result<(), ApiError> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.take(key, budget, cost, self.clock.now()) {
            Ok(())
        } else {
            Err(ApiError::too_many_requests())
        }
    }

    fn board<T>(&self, with: impl FnOnce(&mut Board) -> T) -> T {
        with(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Posts a fault; those that happen once happen now.
    async fn post_fault(&self, fault: Fault) -> u64 {
        // The floor's time, which frames are judged by.
        let now = self.floor.ask(|floor| floor.now()).await.unwrap_or_else(|_| self.clock.now());
        let key = fault.key.clone();
        let kind = fault.fault;
        let id = self.board(|board| board.post(fault, now));
        match kind {
            Kind::CloseConnections => {
                let _ = self.floor.ask(move |floor| floor.cut_sessions(key.as_deref())).await;
            }
            Kind::FreezeConnections => self.door.freeze_all(),
            // In tasks of their own: the asker's connection may be among those that are cut, and
            // the door must open again all the same.
            Kind::RefuseConnections { ms } => {
                let app = self.clone();
                let outage = tokio::spawn(async move {
                    app.door.close().await;
                    app.reopen_after(ms);
                });
                let _ = outage.await;
            }
            Kind::Restart { ms } => {
                let app = self.clone();
                let outage = tokio::spawn(async move {
                    app.go_down().await;
                    app.reopen_after(ms);
                });
                let _ = outage.await;
            }
            Kind::DropFrames
            | Kind::DuplicateFrames
            | Kind::SwapFrames
            | Kind::Overflow
            | Kind::DelayFrames { .. }
            | Kind::MalformedFrames
            | Kind::UnknownType
            | Kind::NumbersForStrings
            | Kind::Stall { .. }
            | Kind::Status { .. }
            | Kind::LoseAnswer
            | Kind::DelayAnswer { .. }
            | Kind::GarbageAnswer
            | Kind::TooManyRequests => {}
        }
        id
    }

    /// Refuses new connections and cuts all there are. What the exchange knows stays.
    async fn go_down(&self) {
        self.door.close().await;
        self.door.cut_all();
    }

    fn reopen_after(&self, ms: u64) {
        let door = self.door.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            door.open().await;
        });
    }
}

/// Starts the exchange at `listener`. It runs until the handle stops it.
///
/// # Errors
/// When the settings, a key or the listener cannot be used, or the world cannot be listed.
pub async fn start(
    settings: Settings,
    listener: TcpListener,
    clock: Clock,
    entropy: Entropy,
) -> Result<Handle, StartError> {
    let mut problems = Vec::new();
    settings.validate(&mut problems);
    if !problems.is_empty() {
        return Err(StartError::Settings(problems));
    }
    let mut keyring = Keyring::new(settings.timestamp_tolerance);
    for account in &settings.accounts {
        keyring.insert(account.key_id.clone(), verifying_key(account)?);
    }
    let board = Arc::new(Mutex::new(Board::default()));
    let floor = Floor::new(&settings, Arc::clone(&board), clock, entropy)?;
    let (door, control) = Door::new(listener)?;
    let (jobs, queue) = mpsc::channel(floor::JOBS_MAX);
    let app = App {
        limits: Arc::new(Mutex::new(Limits::new(settings.tier))),
        settings: Arc::new(settings),
        clock,
        floor: FloorDoor::new(jobs),
        keyring: Arc::new(RwLock::new(keyring)),
        board,
        door: control,
    };
    let floor = tokio::spawn(floor::run(floor, queue));
    let router = router(&app);
    let inside = Inside::new(app.clone(), router.clone());
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = tokio::spawn(async move {
        // Serving ends when the task is stopped: an error of one connection ends that alone.
        let _ = axum::serve(door, service).await;
    });
    Ok(Handle::new(app, inside, floor, server))
}

fn verifying_key(account: &AccountSettings) -> Result<VerifyingKey, StartError> {
    VerifyingKey::from_pem(&account.key_pem)
        .map_err(|source| StartError::Key { key_id: account.key_id.clone(), source })
}

fn router(app: &App) -> Router {
    Router::new()
        .merge(rest::router(app))
        .route(WS_PATH, get(websocket::upgrade))
        .route(&format!("{ESPN_PATH}/{{sport}}/{{league}}/scoreboard"), get(espn::scoreboard))
        .fallback(async || ApiError::not_found("endpoint"))
        .layer(from_fn_with_state(app.clone(), rest::faults))
        .merge(control::router())
        .layer(from_fn_with_state(app.clone(), rest::dated))
        .with_state(app.clone())
}
