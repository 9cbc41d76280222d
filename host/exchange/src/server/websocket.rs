//! One WebSocket connection: its handshake, its reader and writer, its pings.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse as _, Response};
use futures_util::SinkExt as _;
use hotpit_units::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::App;
use super::door::Peer;
use super::errors::ApiError;
use super::frames::Frame;
use super::sessions::{ConnectionId, Outbox};

/// The body of every ping (Kalshi, WebSocket, connection keep-alive).
const PING_BODY: &[u8] = b"heartbeat";

/// Frames written before they are flushed, so that a full queue does not keep the first waiting.
const FRAMES_PER_FLUSH: usize = 64;

/// `GET /trade-api/ws/v2`: always authenticated, also for public channels.
pub(super) async fn upgrade(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let key = match app.authenticate(&headers, "GET", uri.path()) {
        Ok(key) => key,
        Err(error) => return error.into_response(),
    };
    let (frames, queue) = mpsc::channel(app.settings.queue_size());
    let outbox = Outbox { frames, cut: Arc::clone(&peer.cut) };
    let connected = app.floor.ask(move |floor| floor.connect(key, outbox)).await;
    let Ok(Some(connection)) = connected else {
        return ApiError::unavailable().into_response();
    };
    // Whatever ends the handshake or the session, the floor forgets it.
    let guard = Guard { app: app.clone(), connection };
    upgrade.on_upgrade(move |socket| async move {
        let end = serve(&guard, socket, queue).await;
        debug!(connection, ?end, "websocket session over");
        peer.cut.now();
    })
}

/// Takes the session off the floor when it is dropped.
pub(super) struct Guard {
    pub(super) app: App,
    pub(super) connection: ConnectionId,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let floor = self.app.floor.clone();
        let connection = self.connection;
        // No runtime: the whole program ends.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let _ = floor.tell(move |floor| floor.disconnect(connection)).await;
        });
    }
}

/// Why a session ended.
#[derive(Debug)]
enum End {
    /// The client went away, with or without a goodbye.
    Client,
    /// The client did not answer pings.
    Silent,
    /// The client takes nothing.
    Stuck,
    /// The exchange stopped.
    Stopped,
}

async fn serve(guard: &Guard, mut socket: WebSocket, mut queue: mpsc::Receiver<Frame>) -> End {
    let app = &guard.app;
    let settings = &app.settings;
    let mut pings = tokio::time::interval(settings.ping_interval);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    pings.tick().await;
    let mut heard = app.clock.now();
    // The frame whose turn it is. Others wait behind it, and neither pings nor commands do.
    let mut head: Option<Frame> = None;
    loop {
        let due = head.as_ref().map(|frame| frame.due);
        tokio::select! {
            biased;
            message = socket.recv() => {
                heard = app.clock.now();
                match message {
                    Some(Ok(Message::Text(text))) => {
                        let connection = guard.connection;
                        let command = app.floor.tell(move |floor| {
                            floor.command(connection, text.as_str());
                        });
                        if command.await.is_err() {
                            return End::Stopped;
                        }
                    }
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Client,
                }
            }
            _ = pings.tick() => {
                if is_silent(heard, app.clock.now(), settings.pong_timeout) {
                    warn!(connection = guard.connection, "websocket client does not pong");
                    return End::Silent;
                }
                let ping = socket.send(Message::Ping(PING_BODY.into()));
                match tokio::time::timeout(settings.pong_timeout, ping).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Client,
                    Err(_) => return End::Stuck,
                }
            }
            () = wait_for(due) => {
                let Some(frame) = head.take() else { continue };
                let write = write(app, &mut socket, frame, &mut queue);
                match tokio::time::timeout(settings.pong_timeout, write).await {
                    Ok(Ok(late)) => head = late,
                    Ok(Err(_)) => return End::Client,
                    Err(_) => return End::Stuck,
                }
            }
            frame = queue.recv(), if head.is_none() => match frame {
                Some(frame) => head = Some(frame),
                None => return End::Stopped,
            },
        }
    }
}

/// Waits until the head of the queue is due; for ever where there is none.
async fn wait_for(head: Option<Option<Instant>>) {
    match head {
        Some(Some(due)) => tokio::time::sleep_until(due).await,
        Some(None) => {}
        None => std::future::pending().await,
    }
}

/// Sends a frame and those that wait behind it with one flush, up to a late one, which it gives
/// back.
async fn write(
    app: &App,
    socket: &mut WebSocket,
    first: Frame,
    queue: &mut mpsc::Receiver<Frame>,
) -> Result<Option<Frame>, axum::Error> {
    let mut next = Some(first);
    let mut fed = 0;
    while let Some(frame) = next.take_if(|frame| frame.due.is_none_or(|due| due <= Instant::now()))
    {
        socket.feed(Message::Text(frame.render(app.clock.now()).into())).await?;
        fed += 1;
        next = if fed < FRAMES_PER_FLUSH { queue.try_recv().ok() } else { None };
    }
    socket.flush().await?;
    Ok(next)
}

fn is_silent(heard: Timestamp, now: Timestamp, limit: Duration) -> bool {
    now.since(heard) > limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_silent_once_the_limit_has_passed() {
        let heard = Timestamp::from_secs(100);
        let limit = Duration::from_secs(25);
        assert!(!is_silent(heard, Timestamp::from_secs(125), limit));
        assert!(is_silent(heard, Timestamp::from_secs(126), limit));
    }
}
