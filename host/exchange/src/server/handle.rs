//! [`Handle`]: a running exchange, in the hands of whoever started it.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::faults::{Fault, Posted};
use super::floor::{Floor, Stopped};
use super::inside::Inside;
use super::{App, ESPN_PATH, REST_PATH, StartError, WS_PATH, rest, verifying_key};
use crate::core::AccountId;
use crate::server::AccountSettings;

/// A running exchange. Dropping it stops the exchange.
pub struct Handle {
    app: App,
    inside: Inside,
    floor: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl Handle {
    pub(super) const fn new(
        app: App,
        inside: Inside,
        floor: JoinHandle<()>,
        server: JoinHandle<()>,
    ) -> Self {
        Self { app, inside, floor, server }
    }

    /// The way in for a simulated network, past the socket.
    #[must_use]
    pub fn inside(&self) -> Inside {
        self.inside.clone()
    }

    /// The address that clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.app.door.address()
    }

    /// The base of the REST API: `http://127.0.0.1:PORT/trade-api/v2`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}{REST_PATH}", self.address())
    }

    /// The WebSocket: `ws://127.0.0.1:PORT/trade-api/ws/v2`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}{WS_PATH}", self.address())
    }

    /// The base of ESPN's API: `http://127.0.0.1:PORT/apis/site/v2/sports`.
    #[must_use]
    pub fn espn_url(&self) -> String {
        format!("http://{}{ESPN_PATH}", self.address())
    }

    /// The base of the control API: `http://127.0.0.1:PORT/control`.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}/control", self.address())
    }

    /// Posts a fault; its number. [`Kind::Restart`](super::faults::Kind::Restart) and its like
    /// have begun when this returns.
    pub async fn post_fault(&self, fault: Fault) -> u64 {
        self.app.post_fault(fault).await
    }

    /// Takes all faults off.
    pub fn clear_faults(&self) {
        self.app.board(|board| board.clear(None));
    }

    /// Takes one fault off.
    pub fn clear_fault(&self, id: u64) {
        self.app.board(|board| board.clear(Some(id)));
    }

    /// The faults that are posted, with their hits.
    #[must_use]
    pub fn faults(&self) -> Vec<Posted> {
        self.app.board(|board| board.list().to_vec())
    }

    /// How often a fault hit; 0 if it is not posted.
    #[must_use]
    pub fn hits(&self, id: u64) -> u64 {
        self.app.board(|board| {
            board.list().iter().find(|posted| posted.id == id).map_or(0, |posted| posted.hits)
        })
    }

    /// Opens an account while the exchange runs.
    ///
    /// # Errors
    /// When its key cannot be used, or it cannot have so many subaccounts.
    pub async fn open_account(&self, account: AccountSettings) -> Result<(), StartError> {
        let key = verifying_key(&account)?;
        let key_id = account.key_id.clone();
        // A stopped exchange has no accounts that anybody could ask for.
        if let Ok(opened) = self.with_floor(move |floor| floor.open_account(&account)).await {
            opened?;
        }
        let mut keyring =
            self.app.keyring.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        keyring.insert(key_id, key);
        Ok(())
    }

    /// What an account of a key really has: cash by shard, positions, fees, fills, orders. 0 is
    /// the primary account. `None` for a key or a subaccount that nobody has.
    ///
    /// # Errors
    /// When the exchange was stopped.
    pub async fn audit(&self, key_id: &str, subaccount: u8) -> Result<Option<Value>, Stopped> {
        let key_id = key_id.to_owned();
        self.with_floor(move |floor| {
            let account = floor.subaccount(&key_id, subaccount);
            account.map(|account: AccountId| rest::audit(floor, account))
        })
        .await
    }

    /// Does something with the exchange itself, between two requests: lists a market, places a
    /// background order, moves the score. Subscribers are told before the next request.
    ///
    /// # Errors
    /// When the exchange was stopped.
    pub async fn with_floor<T, F>(&self, job: F) -> Result<T, Stopped>
    where
        T: Send + 'static,
        F: FnOnce(&mut Floor) -> T + Send + 'static,
    {
        self.app.floor.ask(job).await
    }

    /// Goes away: refuses new connections and cuts all there are. The exchange itself goes on
    /// trading and forgets nothing.
    pub async fn go_down(&self) {
        self.app.go_down().await;
    }

    /// Comes back on the same port.
    pub async fn come_back(&self) {
        self.app.door.open().await;
    }

    /// Cuts all connections; whoever connects again is welcome.
    pub fn cut_connections(&self) -> usize {
        self.app.door.cut_all()
    }

    /// Stops for good. Returns when nothing runs any more.
    pub async fn stop(mut self) {
        self.app.go_down().await;
        self.server.abort();
        self.floor.abort();
        let _ = (&mut self.server).await;
        let _ = (&mut self.floor).await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.app.door.cut_all();
        self.server.abort();
        self.floor.abort();
    }
}
