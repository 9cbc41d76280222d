//! The WebSocket over the simulated network: frames lost, doubled, swapped, late, and cuts.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::HeaderMap;
use futures_util::future::BoxFuture;
use futures_util::{Sink, Stream};
use hotpit::feeds::kalshi::{Dial, Opened};
use hotpit::kalshi::{Credentials, Method};
use hotpit_exchange::server::InsideSession;
use hotpit_rt::Clock;
use hotpit_units::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, interval, sleep, sleep_until};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use super::network::{Life, Network};

/// How often the exchange pings.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Opens connections of one life.
#[derive(Clone)]
pub struct SimDial {
    pub network: Arc<Network>,
    pub life: Arc<Life>,
}

impl fmt::Debug for SimDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDial")
    }
}

impl Dial for SimDial {
    fn open<'a>(
        &'a self,
        _: &'a str,
        credentials: &'a Credentials,
        clock: Clock,
    ) -> BoxFuture<'a, Result<Opened, String>> {
        Box::pin(async move {
            if !self.life.step() {
                return std::future::pending().await;
            }
            let (network, asked) = (&self.network, clock.now());
            let signed = credentials.sign(asked, Method::Get, "/trade-api/ws/v2");
            let mut headers = HeaderMap::new();
            headers.extend(signed.map_err(|error| error.to_string())?.into_headers());
            sleep(network.millis(1..40)).await;
            if network.is_down() || network.happens(|weather| weather.refuse) {
                return Err("connection refused".to_owned());
            }
            let session = network.inside.open_session(&headers).await;
            let session = session.map_err(|status| format!("status {status}"))?;
            network.saw("websocket open");
            let (frames, brought) = unbounded_channel();
            let (sent, commands) = unbounded_channel();
            let wire = Wire { network: Arc::clone(network), life: Arc::clone(&self.life), frames };
            tokio::spawn(wire.run(session, commands));
            let date = Timestamp::from_secs(network.clock.now().as_secs());
            let socket = Box::pin(SimSocket { brought, sent });
            Ok(Opened { socket, date: Some(date), asked })
        })
    }
}

/// The host's end of a connection.
struct SimSocket {
    brought: UnboundedReceiver<Result<Frame, Error>>,
    sent: UnboundedSender<String>,
}

impl Stream for SimSocket {
    type Item = Result<Frame, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.brought.poll_recv(cx)
    }
}

impl Sink<Frame> for SimSocket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, frame: Frame) -> Result<(), Error> {
        let Frame::Text(text) = frame else { return Ok(()) };
        self.sent.send(text.to_string()).map_err(|_| Error::ConnectionClosed)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}

/// What lies between the two ends of a connection.
struct Wire {
    network: Arc<Network>,
    life: Arc<Life>,
    frames: UnboundedSender<Result<Frame, Error>>,
}

impl Wire {
    async fn run(self, mut session: InsideSession, mut commands: UnboundedReceiver<String>) {
        let mut cuts = self.network.cuts.subscribe();
        let mut pings = interval(PING_EVERY);
        let mut queue: VecDeque<(Instant, String)> = VecDeque::new();
        let mut swapped = None;
        loop {
            let due = queue.front().map(|(due, _)| *due);
            tokio::select! {
                biased;
                _ = cuts.changed() => break,
                command = commands.recv() => match command {
                    Some(command) => session.command(command).await,
                    // The host hung up.
                    None => return,
                },
                frame = session.next() => match frame {
                    Some(frame) => self.enqueue(frame, &mut queue, &mut swapped),
                    None => break,
                },
                () = until(due) => {
                    let Some((_, frame)) = queue.pop_front() else { continue };
                    if self.network.happens(|weather| weather.cut) {
                        break;
                    }
                    if !self.life.step() {
                        return;
                    }
                    self.network.saw(format_args!("~ {}", kind(&frame)));
                    if self.frames.send(Ok(Frame::text(frame))).is_err() {
                        return;
                    }
                }
                _ = pings.tick() => {
                    if self.frames.send(Ok(Frame::Ping(Vec::new().into()))).is_err() {
                        return;
                    }
                }
            }
        }
        self.network.saw("websocket cut");
        // The host may have hung up by now.
        let _ = self.frames.send(Err(Error::ConnectionClosed));
    }

    fn enqueue(
        &self,
        frame: String,
        queue: &mut VecDeque<(Instant, String)>,
        swapped: &mut Option<String>,
    ) {
        let network = &self.network;
        if network.happens(|weather| weather.lose_frame) {
            network.saw(format_args!("~ lost {}", kind(&frame)));
            return;
        }
        if swapped.is_none() && network.happens(|weather| weather.swap_frames) {
            *swapped = Some(frame);
            return;
        }
        let late = network.happens(|weather| weather.late_frame);
        let trip = if late { network.millis(100..7_000) } else { network.millis(1..30) };
        let last = queue.back().map_or_else(Instant::now, |(due, _)| *due);
        let due = last.max(Instant::now() + trip);
        let double = network.happens(|weather| weather.double_frame).then(|| frame.clone());
        let frames = [Some(frame), double, swapped.take()];
        queue.extend(frames.into_iter().flatten().map(|frame| (due, frame)));
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// What a frame is, for the trace.
fn kind(frame: &str) -> &str {
    let rest = frame.split_once("\"type\":\"").map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}
