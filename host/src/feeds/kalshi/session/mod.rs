//! The one task that owns the connection to Kalshi's WebSocket.
//!
//! It connects, subscribes to what is wanted, and starts again when anything breaks: a closed
//! socket, a command without an answer, a lost book that does not come back, or silence. What it
//! knows and decides is in [`core`]; here are the socket and the time.

mod books;
mod channel;
mod core;
mod lag;
mod reports;
mod socket;

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use hotpit_rt::{Clock, Entropy};
use hotpit_units::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use self::core::{Core, Parts};
use self::reports::{CatalogLink, DeskLink};
pub use self::socket::{Dial, Frames, Network, Opened, Socket};
use super::catalog::Step;
use super::settings::Settings;
use super::spread::Broken;
use super::stats::FeedStats;
use super::trades::{Seen, TradeQuery, requests};
use super::wire::Channel;
use super::{Tap, Tickers};
use crate::desk::DeskSender;
use crate::feeds::Publish;
use crate::kalshi::{CallError, Client, Credentials, Transport};
use crate::model::Trade;
use crate::streams::Stream;

/// How often the session looks for what is overdue.
const TICK: Duration = Duration::from_millis(100);
/// How many frames are read in a row before anything else has its turn.
const BURST: usize = 256;

/// Why the connection is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Restart(pub(super) String);

/// Everything a session needs.
pub(super) struct Session<T, P> {
    pub(super) settings: Settings,
    pub(super) client: Arc<Client<T>>,
    pub(super) credentials: Arc<Credentials>,
    /// Which channels this connection is for.
    pub(super) channels: &'static [Channel],
    pub(super) publish: P,
    pub(super) stats: Arc<FeedStats>,
    /// How connections are opened.
    pub(super) dial: Arc<dyn Dial>,
    /// How this connection stands.
    pub(super) stream: Arc<Stream>,
    pub(super) desk: DeskSender,
    pub(super) catalog: mpsc::Sender<Step>,
    /// The markets to follow.
    pub(super) markets: watch::Receiver<Arc<Tickers>>,
    /// The markets for which this connection has no room.
    pub(super) left_out: watch::Sender<Tickers>,
    /// Markets whose books turned out not to be the exchange's.
    pub(super) broken: Arc<Broken>,
    /// The trades that were published, whatever connection they came over.
    pub(super) seen: Arc<Seen>,
    /// Who else hears what comes.
    pub(super) tap: Option<Arc<dyn Tap>>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// A reading of missed trades that is under way.
type Reading = Pin<Box<dyn Future<Output = (TradeQuery, Result<Vec<Trade>, CallError>)> + Send>>;

impl<T: Transport, P: Publish> Session<T, P> {
    /// Runs until `shutdown`.
    pub(super) async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { settings, client, credentials, stats, stream, clock, .. } = self;
        let mut markets = self.markets;
        let mut core = Core::new(Parts {
            settings: settings.clone(),
            channels: self.channels,
            subaccount: client.settings().subaccount,
            publish: self.publish,
            desk: DeskLink::new(self.desk, Arc::clone(&stats)),
            catalog: CatalogLink::new(self.catalog, Arc::clone(&stats)),
            stats: Arc::clone(&stats),
            stream: Arc::clone(&stream),
            seen: self.seen,
            entropy: self.entropy,
        });
        let mut shutdown = pin!(shutdown);
        loop {
            // What the desk had no room for when the connection broke.
            core.flush();
            let life = async {
                stream.connecting();
                let limit = Duration::from_millis(settings.connect_timeout_ms);
                let url = &client.settings().ws_url;
                let opening = self.dial.open(url, &credentials, clock);
                let Opened { socket, date, asked } = timeout(limit, opening)
                    .await
                    .map_err(|_| Restart("timeout while connecting".to_owned()))?
                    .map_err(Restart)?;
                stream.connected();
                tracing::info!(url, "connected");
                core.opened(date, asked, clock.now());
                let tapped = self.tap.as_deref().map(|tap| (tap, tap.opened(clock.now())));
                let connection = Connection {
                    socket,
                    client: &client,
                    settings: &settings,
                    stats: &stats,
                    stream: &stream,
                    left_out: &self.left_out,
                    tapped,
                    clock,
                };
                let end = connection.serve(&mut core, &mut markets, &self.broken).await;
                if let (Some((tap, number)), Err(Restart(reason))) = (tapped, &end) {
                    tap.closed(number, reason, clock.now());
                }
                end
            };
            let end = tokio::select! {
                biased;
                () = &mut shutdown => break,
                end = life => end,
            };
            let Err(Restart(reason)) = end;
            core.closed(&reason, clock.now());
            let delay = stream.lost(&reason);
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(reason, delay_ms, "connection lost, its books are stale");
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = sleep(delay) => {}
            }
        }
        core.closed("the feed stops", clock.now());
        stream.closed();
    }
}

/// One connection, open.
struct Connection<'a, T> {
    socket: Socket,
    client: &'a Arc<Client<T>>,
    settings: &'a Settings,
    stats: &'a FeedStats,
    stream: &'a Stream,
    left_out: &'a watch::Sender<Tickers>,
    /// Who else hears what comes, and by which number it knows the connection.
    tapped: Option<(&'a dyn Tap, u32)>,
    clock: Clock,
}

impl<T: Transport> Connection<'_, T> {
    /// Serves the connection until it ends, which it never does without a reason.
    async fn serve<P: Publish>(
        mut self,
        core: &mut Core<P>,
        markets: &mut watch::Receiver<Arc<Tickers>>,
        broken: &Broken,
    ) -> Result<Infallible, Restart> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Option<Reading> = None;
        let mut heard = self.clock.now();
        let mut is_watched = true;
        core.want(markets.borrow_and_update().clone(), heard);
        loop {
            self.send(core.take_commands()).await?;
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    let now = self.clock.now();
                    if now.since(heard) > self.settings.silence_timeout() {
                        let ms = self.settings.silence_timeout_ms;
                        return Err(Restart(format!("nothing came for {ms} ms")));
                    }
                    core.tick(now)?;
                    self.tell_left_out(core.left_out());
                    if reading.is_none() {
                        reading = core.trade_query(now).map(|query| self.read_trades(query));
                    }
                }
                changed = markets.changed(), if is_watched => {
                    is_watched = changed.is_ok();
                    core.want(markets.borrow_and_update().clone(), self.clock.now());
                }
                tickers = broken.next() => core.rebuild(&tickers, self.clock.now()),
                (query, read) = finished(&mut reading) => {
                    reading = None;
                    let now = self.clock.now();
                    match read {
                        Ok(trades) => core.trades_read(&query, trades, now),
                        Err(error) => core.trades_not_read(&error.to_string(), now),
                    }
                }
                frame = self.socket.next() => heard = self.burst(core, frame)?,
            }
        }
    }

    /// Takes a frame and those that have already arrived behind it. Returns when the last was
    /// read.
    fn burst<P: Publish>(
        &mut self,
        core: &mut Core<P>,
        first: Option<Result<Frame, Error>>,
    ) -> Result<Timestamp, Restart> {
        let mut next = first;
        let mut left = BURST;
        loop {
            let now = self.clock.now();
            self.stream.alive(now);
            match next {
                None => return Err(Restart("the connection was closed".to_owned())),
                Some(Err(error)) => return Err(socket::describe(&error)),
                Some(Ok(Frame::Text(text))) => {
                    if let Some((tap, number)) = self.tapped {
                        tap.frame(number, &text, now);
                    }
                    core.frame(&text, now)?;
                }
                Some(Ok(Frame::Close(frame))) => {
                    let reason = frame.map_or_else(String::new, |frame| frame.to_string());
                    return Err(Restart(format!("closed by the exchange: {reason}")));
                }
                // Pings are answered by the socket itself, with the next read.
                Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
                Some(Ok(Frame::Binary(_))) => self.stats.malformed.bump(),
            }
            left -= 1;
            let waiting = if left == 0 { None } else { self.socket.next().now_or_never() };
            let Some(waiting) = waiting else { return Ok(now) };
            next = waiting;
        }
    }

    /// Tells who spreads the markets which of them do not fit here.
    fn tell_left_out(&self, now: Tickers) {
        self.left_out.send_if_modified(|left_out| {
            let is_changed = *left_out != now;
            *left_out = now;
            is_changed
        });
    }

    async fn send(&mut self, commands: Vec<String>) -> Result<(), Restart> {
        if commands.is_empty() {
            return Ok(());
        }
        let sending = async {
            for command in commands {
                self.socket.feed(Frame::text(command)).await?;
            }
            self.socket.flush().await
        };
        timeout(self.settings.command_timeout(), sending)
            .await
            .map_err(|_| Restart("the exchange does not read".to_owned()))?
            .map_err(|error| socket::describe(&error))
    }

    fn read_trades(&self, query: TradeQuery) -> Reading {
        let client = Arc::clone(self.client);
        let few = self.settings.trade_recovery_markets;
        Box::pin(async move {
            let mut read = Vec::new();
            for ticker in requests(&query.tickers, few) {
                match client.trades(ticker.as_deref(), query.since).await {
                    Ok(trades) => read.extend(trades),
                    Err(error) => return (query, Err(error)),
                }
            }
            (query, Ok(read))
        })
    }
}

/// The result of the reading under way; waits for ever where there is none.
async fn finished(reading: &mut Option<Reading>) -> (TradeQuery, Result<Vec<Trade>, CallError>) {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
