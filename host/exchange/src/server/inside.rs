//! [`Inside`]: requests and sessions that come past the socket: what a simulated network in the
//! same process brings. All else is as over the real one: signatures, limits, JSON, frames.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::IntoResponse as _;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use super::door::Peer;
use super::frames::Frame;
use super::sessions::Outbox;
use super::websocket::Guard;
use super::{App, WS_PATH};

/// The way in past the socket. Cheap to clone.
#[derive(Clone)]
pub struct Inside {
    app: App,
    router: Router,
}

impl Inside {
    pub(super) const fn new(app: App, router: Router) -> Self {
        Self { app, router }
    }

    /// Answers a request, with its status and its body. The future belongs to the exchange, and
    /// goes on when whoever asked does not listen any more: spawn it.
    pub async fn call(&self, mut request: Request<Body>) -> (StatusCode, Bytes) {
        request.extensions_mut().insert(ConnectInfo(Peer { cut: Arc::default() }));
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        // A body that was made here is whole.
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default())
    }

    /// Opens a session of the WebSocket.
    ///
    /// # Errors
    /// The status with which the handshake is refused.
    pub async fn open_session(&self, headers: &HeaderMap) -> Result<InsideSession, StatusCode> {
        let authenticated = self.app.authenticate(headers, "GET", WS_PATH);
        let key = authenticated.map_err(|error| error.into_response().status())?;
        let (frames, queue) = mpsc::channel(self.app.settings.queue_size());
        let outbox = Outbox { frames, cut: Arc::default() };
        let connected = self.app.floor.ask(move |floor| floor.connect(key, outbox)).await;
        let connection = connected.ok().flatten().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        Ok(InsideSession { queue, guard: Guard { app: self.app.clone(), connection } })
    }
}

/// A session of the WebSocket without its socket. Dropping it ends it.
pub struct InsideSession {
    queue: mpsc::Receiver<Frame>,
    guard: Guard,
}

impl InsideSession {
    /// The next frame to the client; none: the exchange was stopped.
    pub async fn next(&mut self) -> Option<String> {
        let frame = self.queue.recv().await?;
        Some(frame.render(self.guard.app.clock.now()))
    }

    /// Carries out a command of the client.
    pub async fn command(&self, text: String) {
        let connection = self.guard.connection;
        let told = self.guard.app.floor.tell(move |floor| floor.command(connection, &text));
        // An exchange that was stopped carries out nothing.
        let _ = told.await;
    }
}
