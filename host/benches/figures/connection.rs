//! One connection, from the socket to the book: the whole feed against an exchange that sends as
//! fast as it is read. And what an order waits for before it is on its way.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hotpit::bus::Message;
use hotpit::cache::Cache;
use hotpit::desk::venue::{PlaceOutcome, PlaceRequest, Venue};
use hotpit::feeds::kalshi::wire::Channel;
use hotpit::feeds::kalshi::{Feed, FeedStats, Links, Network, Settings};
use hotpit::feeds::{Publish, Wanted};
use hotpit::kalshi::http::{Request, Response};
use hotpit::kalshi::{self, Client, Credentials, Signer, Transport, TransportError};
use hotpit::model::{Subscription, TimeInForce};
use hotpit::streams::Streams;
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message as Frame, WebSocket, accept};

use crate::feed::{DELTA, TICKER};
use crate::measure::{figure, median_ns, percentile};

const FRAMES: u64 = 500_000;
const ROUNDS: usize = 5;
const CHANNELS: usize = 8;

/// Prints how many frames a second one connection brings.
pub(crate) fn print() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let total = FRAMES * u64::try_from(ROUNDS).unwrap();
    let server = std::thread::spawn(move || serve(listener.accept().unwrap().0, total));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let count = Arc::new(Count::default());
    let stop = runtime.block_on(follow(format!("ws://{address}"), Arc::clone(&count)));
    let mut rounds: Vec<Duration> = (1..)
        .take(ROUNDS)
        .map(|round| {
            let began = Instant::now();
            while count.deltas.load(Ordering::Relaxed) < FRAMES * round {
                std::thread::sleep(Duration::from_micros(200));
            }
            began.elapsed()
        })
        .collect();
    let median = percentile(&mut rounds, 50);
    figure("frames_through_one_connection", FRAMES as f64 / median.as_secs_f64(), "frames_per_s");
    drop(stop);
    server.join().unwrap();
}

/// What is published goes into a cache, and is counted.
#[derive(Default)]
struct Count {
    cache: Cache,
    deltas: AtomicU64,
}

impl Publish for Count {
    fn publish(&self, message: Message, received: Timestamp) {
        let is_delta = matches!(message, Message::Delta(_));
        self.cache.apply(&message, received);
        self.deltas.fetch_add(u64::from(is_delta), Ordering::Relaxed);
    }
}

/// Starts a feed that follows one market; it ends when what is returned is dropped.
async fn follow(ws_url: String, publish: Arc<Count>) -> mpsc::Sender<Vec<Arc<str>>> {
    let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
    let (desk, mut inbox) = mpsc::channel(64);
    tokio::spawn(async move { while inbox.recv().await.is_some() {} });
    let wanted = Wanted::default();
    wanted.update(|wants| {
        wants.agents.insert(Subscription::Market(TICKER.into()));
    });
    let (stop, broken) = mpsc::channel(1);
    let stopped = stop.downgrade();
    let settings = kalshi::Settings { ws_url, ..kalshi::Settings::default() };
    let feed = Feed {
        settings: Settings::default(),
        client: Arc::new(client(KeyKind::Ed25519, settings)),
        publish,
        desk,
        wanted,
        broken,
        leagues: |_| None,
        stats: Arc::<FeedStats>::default(),
        links: Arc::<Links>::default(),
        streams: Arc::new(Streams::new(clock, entropy)),
        channels: &Channel::ALL,
        tap: None,
        dial: Arc::new(Network),
        clock,
        entropy,
    };
    tokio::spawn(feed.run(async move {
        while stopped.upgrade().is_some() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }));
    stop
}

/// The exchange's side: answers the subscriptions, and sends changes of one book.
fn serve(stream: TcpStream, frames: u64) {
    stream.set_nodelay(true).unwrap();
    let mut socket = accept(stream).unwrap();
    for sid in 1..=CHANNELS {
        let command: Value =
            serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap();
        let (id, channel) = (&command["id"], &command["params"]["channels"][0]);
        send(
            &mut socket,
            format!(
                r#"{{"id":{id},"type":"subscribed","msg":{{"channel":{channel},"sid":{sid}}}}}"#
            ),
        );
        if channel == "orderbook_delta" {
            send(
                &mut socket,
                format!(
                    r#"{{"type":"orderbook_snapshot","sid":{sid},"seq":1,"msg":{{"market_ticker":"{TICKER}"}}}}"#
                ),
            );
        }
    }
    // The books' subscription is the first.
    let (head, tail) = DELTA.split_once(r#""sid":2,"seq":3"#).unwrap();
    for number in 0..frames {
        let tail =
            if number % 2 == 0 { tail.to_owned() } else { tail.replace("\"54.00", "\"-54.00") };
        let text = format!(r#"{head}"sid":1,"seq":{}{tail}"#, number + 2);
        socket.write(Frame::text(text)).unwrap();
        if number % 64 == 63 && socket.flush().is_err() {
            break;
        }
    }
    let _ = socket.flush();
    // Until the host hangs up.
    while socket.read().is_ok() {}
}

fn send(socket: &mut WebSocket<TcpStream>, text: String) {
    socket.send(Frame::text(text)).unwrap();
}

/// An API that answers at once.
struct Api;

impl Transport for Api {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.path.trim_start_matches("/trade-api/v2");
        let event = r#"{"event_ticker":"E","series_ticker":"S"}"#;
        let body = match path {
            "/markets" => format!(
                r#"{{"markets":[{{"ticker":"{TICKER}","event_ticker":"E","status":"active"}}]}}"#
            ),
            "/events/E" => format!(r#"{{"event":{event}}}"#),
            "/series/S" => {
                r#"{"series":{"ticker":"S","fee_type":"quadratic","fee_multiplier":1}}"#.to_owned()
            }
            "/account/limits" => r#"{"usage_tier":"bench",
                "read":{"refill_rate":100000000,"bucket_capacity":1000000000},
                "write":{"refill_rate":100000000,"bucket_capacity":1000000000}}"#
                .to_owned(),
            "/account/endpoint_costs" => r#"{"endpoint_costs":[],"default_cost":10}"#.to_owned(),
            _ => r#"{"order_id":"1","fill_count":"0.00","remaining_count":"1.00"}"#.to_owned(),
        };
        Ok(Response { status: 200, body: body.into_bytes() })
    }
}

fn client(kind: KeyKind, settings: kalshi::Settings) -> Client<Api> {
    let folder = tempfile::tempdir().unwrap();
    let key = generate_credentials(folder.path(), kind).unwrap();
    let pem = std::fs::read_to_string(key.private_key).unwrap();
    let credentials = Credentials::new(&key.key_id, Signer::from_pem(&pem).unwrap()).unwrap();
    let (clock, entropy) = (Clock::system(), Entropy::seeded(1));
    let rest = Streams::new(clock, entropy).open("kalshi rest", settings.policy());
    Client::new(Api, Some(credentials), settings, rest, clock, entropy)
}

/// Prints what an order takes until it is handed to the socket, by how it is signed.
pub(crate) fn print_signing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        for (name, signature_max_age_ms) in [("in_line", 0), ("prepared", 60_000)] {
            let settings = kalshi::Settings { signature_max_age_ms, ..kalshi::Settings::default() };
            let client = Arc::new(client(kind, settings));
            runtime.block_on(client.refresh_limits()).unwrap();
            let background = Arc::clone(&client);
            let maintain = runtime.spawn(async move { background.maintain().await });
            std::thread::sleep(Duration::from_millis(200));
            let place = || {
                let outcome = runtime.block_on(client.place(order()));
                assert!(matches!(outcome, PlaceOutcome::Accepted { .. }), "{outcome:?}");
            };
            let name = format!("order_signed_{name}_{}", kind.as_str());
            figure(&name, median_ns(place) / 1e3, "us");
            maintain.abort();
        }
    }
}

fn order() -> PlaceRequest {
    PlaceRequest {
        client_order_id: "hp-bench-1".into(),
        ticker: TICKER.into(),
        exchange_index: 0,
        side: Side::Bid,
        price: Price::from_cents(40),
        quantity: Quantity::from_contracts(1),
        time_in_force: TimeInForce::ImmediateOrCancel,
        post_only: false,
        expires: None,
        cancel_on_pause: false,
        order_group_id: None,
    }
}
