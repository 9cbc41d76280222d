//! A master behind Redis Sentinel that is killed, and servers that the bus cannot use.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hotpit::bus::redis::{PUBLISHER_KEY, examine};
use hotpit::bus::{BusState, Message, Settings};
use hotpit::cache::Cache;
use hotpit_units::{Side, Timestamp};
use tempfile::TempDir;

use crate::redis_server::RedisServer;
use crate::{book, connect, delta, joined, level, live, publisher, settings, snapshot};
use crate::{trade, until};

/// A port that was free a moment ago. Below those that a cluster adds 10000 to in vain.
fn free_port() -> u16 {
    loop {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}

fn port(server: &RedisServer) -> u16 {
    server.url().rsplit_once(':').unwrap().1.parse().unwrap()
}

fn client(server: &RedisServer) -> redis::Client {
    redis::Client::open(server.url()).unwrap()
}

/// A `redis-server` with a configuration file in a folder of its own. Killed when dropped.
struct Configured {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Configured {
    /// Starts one and waits until it answers; with `--sentinel` where `options` are of a sentinel.
    async fn start(options: &str) -> Self {
        for _ in 0..5 {
            let port = free_port();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("server.conf");
            let text = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\n{options}\n",
                folder.path().display()
            );
            std::fs::write(&path, text).unwrap();
            let mut command = Command::new("redis-server");
            command.arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
            if options.starts_with("sentinel ") {
                command.arg("--sentinel");
            }
            let child = command.spawn().expect("redis-server is installed");
            let mut server = Self { port, child, _folder: folder };
            if server.answers().await {
                return server;
            }
        }
        panic!("no redis-server came up with these options: {options}");
    }

    /// False when it ended, as it does when another process took the port.
    async fn answers(&mut self) -> bool {
        for _ in 0..2_000 {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut connection) = self.client().get_multiplexed_async_connection().await
                && redis::cmd("PING").exec_async(&mut connection).await.is_ok()
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(("127.0.0.1", self.port)).unwrap()
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until the answer is one that is waited for; fails after a minute, which is
/// enough for a sentinel that was halted and waits half of one before it trusts its clock again.
async fn answered<T: redis::FromRedisValue>(
    client: redis::Client,
    command: &[&str],
    mut is_so: impl FnMut(&T) -> bool,
) {
    let wait = async {
        loop {
            // Anew each time: a server that becomes master closes the connections it has.
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let mut asked = redis::cmd(command[0]);
                let answer = asked.arg(&command[1..]).query_async(&mut connection).await;
                if answer.is_ok_and(|answer| is_so(&answer)) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok(), "{command:?}");
}

/// A master, its replica that has all of it, and a sentinel that knows both.
async fn watched() -> (RedisServer, RedisServer, Configured) {
    let (master, replica) = (RedisServer::start().await, RedisServer::start().await);
    let master_port = port(&master).to_string();
    let say = async |server: &RedisServer, words: &[&str]| {
        let mut connection = connect(server).await;
        redis::cmd(words[0]).arg(&words[1..]).exec_async(&mut connection).await.unwrap();
    };
    // At once, and over the socket alone: there is no folder to put a file into.
    say(&master, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).await;
    say(&replica, &["CONFIG", "SET", "repl-diskless-load", "on-empty-db"]).await;
    say(&replica, &["REPLICAOF", "127.0.0.1", &master_port]).await;
    let is_linked = |info: &String| info.contains("master_link_status:up");
    answered(client(&replica), &["INFO", "replication"], is_linked).await;
    let sentinel = Configured::start(&format!(
        "sentinel monitor desk 127.0.0.1 {master_port} 1\n\
         sentinel down-after-milliseconds desk 500\n\
         sentinel failover-timeout desk 3000"
    ))
    .await;
    let knows = |replicas: &Vec<std::collections::HashMap<String, String>>| {
        let is = |key: &str, value: &str| {
            replicas.iter().any(|replica| replica.get(key).is_some_and(|is| is == value))
        };
        is("flags", "slave") && is("master-link-status", "ok")
    };
    answered(sentinel.client(), &["SENTINEL", "REPLICAS", "desk"], knows).await;
    (master, replica, sentinel)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_everything_goes_on_over_the_new_master() {
    let (mut master, replica, sentinel) = watched().await;
    // The first of the sentinels is gone.
    let url =
        format!("redis-sentinel://127.0.0.1:{},127.0.0.1:{}/0#desk", free_port(), sentinel.port);
    let settings = Settings { url, ..settings(&master) };
    let (publisher, subscriber, listener) = joined(&settings).await;
    let place = |server: &RedisServer| Some(format!("127.0.0.1:{}", port(server)));
    assert_eq!(examine(&settings).await.unwrap().master, place(&master));

    // A feed that goes on all the time: what is lost on the way is as random as can be.
    let (truth, ends) = (Cache::default(), AtomicBool::new(false));
    let publish = |message: Message| {
        truth.apply(&message, Timestamp::EPOCH);
        publisher.publish(message, Timestamp::EPOCH);
    };
    let tickers = ["KX-1", "KX-2", "KX-3"];
    for ticker in tickers {
        publish(snapshot(ticker, &[level(40, 5)], &[]));
    }
    let feed = async {
        for number in 0.. {
            publish(delta(
                tickers[number % 3],
                Side::Bid,
                30 + u32::try_from(number % 17).unwrap(),
                1,
            ));
            if ends.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let failover = async {
        until("the books", || tickers.iter().all(|ticker| listener.book(ticker).is_some())).await;
        master.kill();
        let stale = |message: &Message| matches!(message, Message::Stale(_));
        until("it is noticed", || listener.heard().iter().any(stale)).await;
        let is_master = |info: &String| info.contains("role:master");
        answered(client(&replica), &["INFO", "replication"], is_master).await;
        // What it has from before is another's; what changes now is written there.
        let mut before = None;
        let is_written = |key: &Option<String>| {
            key.is_some() && before.get_or_insert_with(|| key.clone()) != key
        };
        answered(client(&replica), &["GET", PUBLISHER_KEY], is_written).await;
        live(publisher.state()).await;
        live(subscriber.state()).await;
        ends.store(true, Ordering::Relaxed);
    };
    tokio::join!(feed, failover);

    assert_eq!(examine(&settings).await.unwrap().master, place(&replica));
    publish(trade(7));
    until("what is said afterwards", || listener.heard().contains(&trade(7))).await;
    until("equal books", || {
        tickers.iter().all(|ticker| {
            let theirs = listener.book(ticker);
            theirs.is_some() && theirs == book(&truth, ticker)
        })
    })
    .await;
    assert_eq!(listener.cache.counters().book_errors, 0);
    assert!(publisher.stats().dropped_down > 0, "nothing was said while there was no master");
}

#[tokio::test]
async fn a_server_that_is_none_for_the_bus_says_what_it_is() {
    let cluster = Configured::start("cluster-enabled yes\nsave \"\"").await;
    let plain = RedisServer::start().await;
    let sentinel =
        Configured::start(&format!("sentinel monitor desk 127.0.0.1 {} 1", port(&plain))).await;
    let cases = [
        (format!("redis://127.0.0.1:{}", cluster.port), "it is a node of a Redis Cluster"),
        (format!("redis://127.0.0.1:{}", sentinel.port), "it is a sentinel: write"),
        (format!("redis-sentinel://127.0.0.1:{}#desk", port(&plain)), "it is no sentinel"),
        (format!("redis-sentinel://127.0.0.1:{}#x", sentinel.port), "it knows no master of this"),
        (
            format!("redis-sentinel://:hunter2@127.0.0.1:{}#desk", sentinel.port),
            // The master has no password.
            "Password authentication failed",
        ),
    ];
    for (url, expected) in cases {
        let settings = Settings { url, ..settings(&plain) };
        let found = examine(&settings).await.unwrap_err().to_string();
        assert!(found.contains(expected) && !found.contains("hunter2"), "{found}");
        let publisher = publisher(&settings);
        let state = publisher.state();
        until(expected, || match &*state.borrow() {
            BusState::Down { reason } => reason.contains(expected),
            BusState::Starting | BusState::Live => false,
        })
        .await;
    }
}
