//! The session against a small exchange over real sockets.

use std::sync::Mutex;

use hotpit_rt::net::{TcpListener, TcpStream};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::*;
use crate::bus::Message;
use crate::desk::ToDesk;
use crate::kalshi::client::tests::{Fake, with_settings};
use crate::streams::{StreamPhase, Streams};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands on what is published, in short words.
struct Tape(Mutex<mpsc::UnboundedSender<String>>);

impl Publish for Tape {
    fn publish(&self, message: Message, _: Timestamp) {
        let word = match message {
            Message::Snapshot(book) => format!("snapshot {}", book.ticker),
            Message::Delta(delta) => format!("delta {}", delta.ticker),
            Message::Stale(stale) => format!("stale {}", stale.tickers.join("+")),
            Message::Trade(trade) => format!("trade {}", trade.trade_id),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().send(word).unwrap();
    }
}

/// A session that runs against an address of ours.
struct Floor {
    listener: TcpListener,
    heard: mpsc::UnboundedReceiver<String>,
    inbox: mpsc::Receiver<ToDesk>,
    stream: Arc<Stream>,
    stop: oneshot::Sender<()>,
    session: JoinHandle<()>,
    api: Arc<Fake>,
    /// Held open: what is wanted does not change.
    _markets: watch::Sender<Arc<Tickers>>,
}

impl Floor {
    async fn open(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let api = Arc::new(Fake::default());
        let client = with_settings(
            &api,
            crate::kalshi::Settings {
                ws_url: format!("ws://{address}/trade-api/ws/v2"),
                ..crate::kalshi::Settings::default()
            },
        );
        let (tape, heard) = mpsc::unbounded_channel();
        let (desk, inbox) = mpsc::channel(64);
        let (catalog, _) = mpsc::channel(64);
        let wanted: Tickers = ["A".into(), "B".into()].into();
        let (markets, followed) = watch::channel(Arc::new(wanted));
        let stream =
            Streams::new(Clock::system(), Entropy::seeded(3)).open("kalshi", settings.policy());
        let (stop, stopped) = oneshot::channel();
        let session = Session {
            settings,
            credentials: client.credentials().unwrap(),
            client: Arc::new(client),
            channels: &Channel::ALL,
            publish: Tape(Mutex::new(tape)),
            stats: Arc::default(),
            dial: Arc::new(Network),
            stream: Arc::clone(&stream),
            desk,
            catalog,
            markets: followed,
            left_out: watch::channel(Tickers::new()).0,
            broken: Arc::default(),
            seen: Arc::default(),
            tap: None,
            clock: Clock::system(),
            entropy: Entropy::seeded(3),
        };
        let session = tokio::spawn(session.run(async {
            let _ = stopped.await;
        }));
        Self { listener, heard, inbox, stream, stop, session, api, _markets: markets }
    }

    async fn accept(&self) -> Exchange {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let mut headers = None;
        #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            headers = Some(request.headers().clone());
            Ok(response)
        };
        let socket = accept_hdr_async(stream, look).await.unwrap();
        let mut exchange = Exchange { socket, headers: headers.unwrap(), seq: 0 };
        for _ in Channel::ALL {
            let command = exchange.command().await;
            exchange.subscribed(&command).await;
        }
        for ticker in ["A", "B"] {
            exchange.snapshot(ticker).await;
        }
        exchange
    }

    async fn hears(&mut self, expected: &[&str]) {
        for expected in expected {
            let word = timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap();
            assert_eq!(word, *expected);
        }
    }

    async fn is_told(&mut self, expected: &[&str]) {
        for expected in expected {
            let message = timeout(PATIENCE, self.inbox.recv()).await.unwrap().unwrap();
            let word = match message {
                ToDesk::Connected => "connected",
                ToDesk::Disconnected { .. } => "disconnected",
                _ => "report",
            };
            assert_eq!(word, *expected);
        }
    }
}

/// The exchange's end of one connection.
struct Exchange {
    socket: WebSocketStream<TcpStream>,
    headers: tokio_tungstenite::tungstenite::http::HeaderMap,
    seq: u64,
}

impl Exchange {
    async fn next(&mut self) -> Frame {
        timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap()
    }

    async fn command(&mut self) -> Value {
        serde_json::from_str(self.next().await.to_text().unwrap()).unwrap()
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(Frame::text(frame.to_string())).await.unwrap();
    }

    async fn subscribed(&mut self, command: &Value) {
        let channel = command["params"]["channels"][0].as_str().unwrap();
        let sid = super::super::wire::Channel::named(channel).unwrap() as u64 + 1;
        let msg = json!({"channel": channel, "sid": sid});
        self.send(json!({"id": command["id"], "type": "subscribed", "msg": msg})).await;
    }

    async fn snapshot(&mut self, ticker: &str) {
        self.seq += 1;
        let msg = json!({"market_ticker": ticker, "yes_dollars_fp": [["0.4000", "5.00"]]});
        self.send(json!({"type": "orderbook_snapshot", "sid": 1, "seq": self.seq, "msg": msg}))
            .await;
    }

    async fn delta(&mut self, ticker: &str) {
        self.seq += 1;
        let msg = json!({"market_ticker": ticker, "price_dollars": "0.40", "delta_fp": "1.00",
                         "side": "yes", "ts_ms": 1});
        self.send(json!({"type": "orderbook_delta", "sid": 1, "seq": self.seq, "msg": msg})).await;
    }

    async fn trade(&mut self, seq: u64, id: &str) {
        let msg = json!({"market_ticker": "A", "trade_id": id, "yes_price_dollars": "0.40",
                         "count_fp": "1.00", "taker_book_side": "bid", "ts_ms": 2_000_000});
        self.send(json!({"type": "trade", "sid": 2, "seq": seq, "msg": msg})).await;
    }
}

#[tokio::test]
async fn a_gap_is_recovered_on_the_same_connection() {
    let mut floor = Floor::open(Settings::default()).await;
    let mut exchange = floor.accept().await;
    floor.hears(&["snapshot A", "snapshot B"]).await;
    exchange.delta("A").await;
    exchange.seq += 1;
    exchange.delta("B").await;
    floor.hears(&["delta A", "stale A+B"]).await;
    let command = exchange.command().await;
    assert_eq!(command["params"]["action"], "get_snapshot");
    exchange.snapshot("A").await;
    exchange.delta("B").await;
    exchange.snapshot("B").await;
    exchange.delta("B").await;
    floor.hears(&["snapshot A", "snapshot B", "delta B"]).await;
    let report = floor.stream.report();
    assert_eq!((report.gaps, report.failures, report.phase), (1, 0, StreamPhase::Up));
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_missed_trades_are_read() {
    let settings = Settings { trade_recovery_delay_ms: 0, ..Settings::default() };
    let mut floor = Floor::open(settings).await;
    let trade = |id: &str| {
        json!({"trade_id": id, "ticker": "A", "count_fp": "1.00", "yes_price_dollars": "0.40",
               "taker_book_side": "bid", "created_time": "2026-01-01T00:00:00Z"})
    };
    let missed = json!({"trades": [trade("t2"), trade("t1")], "cursor": ""});
    floor.api.json("GET /markets/trades", &missed.to_string());
    let mut exchange = floor.accept().await;
    exchange.trade(1, "t1").await;
    floor.hears(&["snapshot A", "snapshot B", "trade t1"]).await;
    drop(exchange);
    floor.hears(&["stale A+B"]).await;
    let mut exchange = floor.accept().await;
    floor.hears(&["snapshot A", "snapshot B", "trade t2"]).await;
    exchange.trade(1, "t2").await;
    exchange.trade(2, "t3").await;
    floor.hears(&["trade t3"]).await;
    floor.is_told(&["connected", "disconnected", "connected"]).await;
    let calls = floor.api.calls();
    assert_eq!(calls[0], "GET /markets/trades?ticker=A&min_ts=1998&limit=1000");
}

#[tokio::test]
async fn pings_are_answered_and_none_are_sent() {
    let floor = Floor::open(Settings::default()).await;
    let mut exchange = floor.accept().await;
    exchange.socket.send(Frame::Ping("heartbeat".into())).await.unwrap();
    assert_eq!(exchange.next().await, Frame::Pong("heartbeat".into()));
}

#[tokio::test]
async fn the_handshake_is_signed() {
    let floor = Floor::open(Settings::default()).await;
    let exchange = floor.accept().await;
    for name in ["kalshi-access-key", "kalshi-access-timestamp", "kalshi-access-signature"] {
        assert!(exchange.headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_refused_handshake_says_what_to_check() {
    let floor = Floor::open(Settings::default()).await;
    for _ in 0..2 {
        let (mut stream, _) = timeout(PATIENCE, floor.listener.accept()).await.unwrap().unwrap();
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).await.unwrap();
        let answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\
            date: Sun, 22 Nov 2026 20:44:01 GMT\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    }
    let error = floor.stream.report().reason.unwrap();
    assert!(error.contains("401") && error.contains("s ahead of the exchange's"), "{error}");
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let settings = Settings { silence_timeout_ms: 300, ..Settings::default() };
    let mut floor = Floor::open(settings).await;
    let _silent = floor.accept().await;
    floor.hears(&["snapshot A", "snapshot B", "stale A+B"]).await;
    assert!(floor.stream.report().reason.unwrap().contains("nothing came"));
    let _next = floor.accept().await;
    floor.hears(&["snapshot A", "snapshot B"]).await;
}

#[tokio::test]
async fn the_end_of_the_feed_leaves_no_book_trusted() {
    let mut floor = Floor::open(Settings::default()).await;
    let _exchange = floor.accept().await;
    floor.hears(&["snapshot A", "snapshot B"]).await;
    floor.stop.send(()).unwrap();
    timeout(PATIENCE, floor.session).await.unwrap().unwrap();
    assert_eq!(floor.heard.recv().await.unwrap(), "stale A+B");
    assert_eq!(floor.stream.report().phase, StreamPhase::Down);
}
