//! Opening the WebSocket: address, TLS, signed handshake.
//!
//! [`Dial`] is the seam right above the socket: a simulated network takes its place there.

use std::fmt::Debug;
use std::pin::Pin;

use futures_util::future::BoxFuture;
use futures_util::{Sink, Stream};
use hotpit_rt::{Clock, net};
use hotpit_units::Timestamp;
use tokio_tungstenite::client_async_tls_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::Restart;
use crate::kalshi::http::date;
use crate::kalshi::{Credentials, Method};

/// The largest message. Kalshi: 64 MiB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What frames come from and go to.
pub trait Frames: Stream<Item = Result<Frame, Error>> + Sink<Frame, Error = Error> + Send {}

impl<S: Stream<Item = Result<Frame, Error>> + Sink<Frame, Error = Error> + Send> Frames for S {}

/// An open WebSocket.
pub type Socket = Pin<Box<dyn Frames>>;

/// A connection that stands.
pub struct Opened {
    /// The socket.
    pub socket: Socket,
    /// What the exchange's clock showed when it answered, cut to the second.
    pub date: Option<Timestamp>,
    /// When it was asked.
    pub asked: Timestamp,
}

/// Opens WebSockets.
pub trait Dial: Debug + Send + Sync {
    /// Connects and shakes hands; an error is the reason why it could not. The signature is made
    /// at each try: it carries the time.
    fn open<'a>(
        &'a self,
        url: &'a str,
        credentials: &'a Credentials,
        clock: Clock,
    ) -> BoxFuture<'a, Result<Opened, String>>;
}

/// The real network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network;

impl Dial for Network {
    fn open<'a>(
        &'a self,
        url: &'a str,
        credentials: &'a Credentials,
        clock: Clock,
    ) -> BoxFuture<'a, Result<Opened, String>> {
        Box::pin(
            async move { open(url, credentials, clock).await.map_err(|Restart(reason)| reason) },
        )
    }
}

async fn open(url: &str, credentials: &Credentials, clock: Clock) -> Result<Opened, Restart> {
    let mut request = url.into_client_request().map_err(|error| describe(&error))?;
    let uri = request.uri();
    let is_tls = uri.scheme_str() == Some("wss");
    let host = uri.host().ok_or_else(|| Restart(format!("no host in {url}")))?;
    // An address of IP version 6 stands in brackets.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let signed = credentials
        .sign(clock.now(), Method::Get, uri.path())
        .map_err(|error| Restart(error.to_string()))?;
    request.headers_mut().extend(signed.into_headers());
    let stream = net::connect(&host, port)
        .await
        .map_err(|error| Restart(format!("{host}:{port}: {error}")))?;
    if is_tls {
        // The process may have no default yet; if it has one, that one stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let asked = clock.now();
    let (socket, answer) = client_async_tls_with_config(request, stream, Some(config), None)
        .await
        .map_err(|error| refused(&error, asked))?;
    let socket = Box::pin(socket);
    Ok(Opened { socket, date: date(answer.headers()), asked })
}

/// Why a handshake failed. A refused signature is most often a clock that is wrong, and the answer
/// shows whether it is.
fn refused(error: &Error, now: Timestamp) -> Restart {
    let Restart(reason) = describe(error);
    let Error::Http(answer) = error else { return Restart(reason) };
    let Some(date) = date(answer.headers()) else { return Restart(reason) };
    let (ahead, behind) = (now.since(date).as_secs(), date.since(now).as_secs());
    Restart(match (ahead, behind) {
        (2.., _) => format!("{reason}: our clock is about {ahead} s ahead of the exchange's"),
        (_, 2..) => format!("{reason}: our clock is about {behind} s behind the exchange's"),
        _ => reason,
    })
}

/// What went wrong, in words that help.
pub(super) fn describe(error: &Error) -> Restart {
    Restart(match error {
        Error::Http(answer) => match answer.status().as_u16() {
            status @ (401 | 403) => format!(
                "the handshake was refused with status {status}: check the key, its environment \
                 and this machine's clock"
            ),
            status => format!("the handshake was answered with status {status}"),
        },
        Error::ConnectionClosed | Error::AlreadyClosed => "the connection was closed".to_owned(),
        other => other.to_string(),
    })
}
