//! Redis: how fast the publisher writes, against a bare one with the same bytes, with one subscriber
//! that reads as fast as it can; and how long a message is on its way at 5,000 a second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hotpit::bus::redis::{Publisher, Subscriber};
use hotpit::bus::{BusState, Delta, Kind, Message, Settings, Sink};
use hotpit::streams::Streams;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;

use crate::market::trade;
use crate::measure::{figure, micros, percentile};
use crate::redis_server::RedisServer;

/// Messages of one measurement of the rate.
const MESSAGES: u64 = 200_000;
/// As the publisher writes: messages in a pipeline, pipelines on their way.
const BATCH: usize = 512;
const IN_FLIGHT: usize = 4;
/// Measurements of each rate: the best counts, as others use the machine too.
const ROUNDS: usize = 5;

/// Messages a second, and for how many seconds, where the time on the way is measured.
const PER_SECOND: u32 = 5_000;
const SECONDS: u32 = 5;

pub(crate) fn print() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start().await;
        let listener = tokio::spawn(listen(server.url()));
        let mut best = [0.0_f64; 3];
        for _ in 0..ROUNDS {
            let (ours, bytes) = publish(&server).await;
            let rates =
                [ours, bare(&server, &bytes, false).await, bare(&server, &bytes, true).await];
            best = std::array::from_fn(|index| best[index].max(rates[index]));
        }
        let [ours, bare, quiet] = best;
        figure("redis_publish", ours, "messages/s");
        figure("redis_publish_bare", bare, "messages/s");
        figure("redis_publish_of_bare", ours / bare * 100.0, "%");
        figure("redis_publish_bare_without_answers", quiet, "messages/s");
        listener.abort();
        let mut times = on_the_way(&server).await;
        figure("redis_on_the_way_p50", micros(percentile(&mut times, 50)), "us");
        figure("redis_on_the_way_p99", micros(percentile(&mut times, 99)), "us");
    });
}

fn settings(server: &RedisServer) -> Settings {
    let (kind, url) = (Kind::Redis, server.url());
    Settings { kind, url, queue_max: 1 << 20, ..Settings::default() }
}

fn streams() -> Streams {
    Streams::new(Clock::system(), Entropy::os())
}

async fn live(mut state: tokio::sync::watch::Receiver<BusState>) {
    state.wait_for(|state| *state == BusState::Live).await.unwrap();
}

fn delta(number: u64) -> Message {
    Message::Delta(Delta {
        ticker: "KXNFLGAME-26NOV22PHIDAL-DAL".into(),
        side: Side::Bid,
        price: Price::from_cents(1 + u32::try_from(number % 98).unwrap()),
        delta: Quantity::from_contracts(1),
        ts: Timestamp::from_nanos(1_795_852_481_086_000_000 + number),
    })
}

/// Reads everything and looks at nothing.
async fn listen(url: String) {
    let address = url.trim_start_matches("redis://");
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(b"SUBSCRIBE kalshi:markets\r\n").await.unwrap();
    let mut buffer = vec![0; 1 << 20];
    while socket.read(&mut buffer).await.unwrap() > 0 {}
}

/// Messages a second by the host's publisher; and the bytes of one.
async fn publish(server: &RedisServer) -> (f64, Vec<u8>) {
    let publisher = Publisher::start(&settings(server), &streams(), Clock::system()).unwrap();
    live(publisher.state()).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut channel = client.get_async_pubsub().await.unwrap();
    channel.subscribe("kalshi:markets").await.unwrap();
    let bytes = {
        let mut messages = channel.on_message();
        publisher.publish(delta(1), Timestamp::from_nanos(1));
        loop {
            let message = messages.next().await.unwrap();
            if message.get_payload_bytes().windows(5).any(|it| it == b"delta") {
                break message.get_payload_bytes().to_vec();
            }
        }
    };
    drop(channel);
    let before = publisher.stats().published;
    let began = Instant::now();
    for number in 0..MESSAGES {
        publisher.publish(delta(number), Timestamp::from_nanos(number));
    }
    while publisher.stats().published < before + MESSAGES {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
    publisher.close().await;
    (rate, bytes)
}

/// Messages a second by as little as can be; each is answered, or, as the publisher has it, none.
async fn bare(server: &RedisServer, bytes: &[u8], is_quiet: bool) -> f64 {
    let client = redis::Client::open(server.url()).unwrap();
    let connection = client.get_multiplexed_async_connection().await.unwrap();
    let began = Instant::now();
    let pipelines = usize::try_from(MESSAGES).unwrap() / BATCH;
    let sent = futures_util::stream::iter(0..pipelines).map(|_| {
        let mut connection = connection.clone();
        let mut pipeline = redis::Pipeline::with_capacity(BATCH + 2);
        if is_quiet {
            pipeline.cmd("CLIENT").arg(&["REPLY", "OFF"]);
        }
        for _ in 0..BATCH {
            pipeline.cmd("PUBLISH").arg("kalshi:markets").arg(bytes).ignore();
        }
        if is_quiet {
            pipeline.cmd("CLIENT").arg(&["REPLY", "ON"]);
        }
        async move {
            if is_quiet {
                connection.send_packed_commands(&pipeline, 0, 1).await.map(drop).unwrap();
            } else {
                pipeline.exec_async(&mut connection).await.unwrap();
            }
        }
    });
    sent.buffered(IN_FLIGHT).for_each(|()| std::future::ready(())).await;
    (pipelines * BATCH) as f64 / began.elapsed().as_secs_f64()
}

/// How long each message was on its way.
#[derive(Default)]
struct Times(Mutex<Vec<Duration>>);

impl Sink for Times {
    fn deliver(&self, message: Message, _received: Timestamp) {
        if let Message::Trade(trade) = message {
            self.0.lock().unwrap().push(Clock::system().now().since(trade.ts));
        }
    }
}

async fn on_the_way(server: &RedisServer) -> Vec<Duration> {
    let (streams, clock) = (streams(), Clock::system());
    let publisher = Publisher::start(&settings(server), &streams, clock).unwrap();
    let times = Arc::<Times>::default();
    let sink = Arc::clone(&times) as Arc<dyn Sink>;
    let entropy = Entropy::os();
    let subscriber = Subscriber::start(&settings(server), sink, &streams, clock, &entropy).unwrap();
    live(publisher.state()).await;
    live(subscriber.state()).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    for number in 0..u64::from(PER_SECOND * SECONDS) {
        if number % u64::from(PER_SECOND / 1_000) == 0 {
            ticks.tick().await;
        }
        let mut trade = trade(number);
        trade.ts = clock.now();
        publisher.publish(Message::Trade(trade), clock.now());
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    subscriber.close();
    publisher.close().await;
    std::mem::take(&mut *times.0.lock().unwrap())
}
