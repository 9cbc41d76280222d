//! Secrets are in one place: where the user put them.

use std::fs;
use std::path::Path;

use hotpit_exchange::server::credentials::KeyKind;

use crate::support::collector::Collector;
use crate::support::redis::RedisServer;
use crate::support::{BOTH, Floor, Setup};

/// What the collector of traces knows the host by.
const HEADER: &str = "c0llector-hunter2";

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Keys and values of everything in a Redis.
async fn everything_in(redis: &RedisServer) -> Vec<u8> {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<Vec<u8>> =
        redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let mut all = vec![];
    for key in keys {
        let value: Vec<u8> =
            redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.unwrap();
        all.extend(key);
        all.extend(value);
        all.push(b'\n');
    }
    all
}

/// What is published on any channel while a future runs.
async fn published(redis: &RedisServer, during: impl Future<Output = ()>) -> Vec<u8> {
    use futures_util::StreamExt as _;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut subscriber = client.get_async_pubsub().await.unwrap();
    subscriber.psubscribe("*").await.unwrap();
    let mut stream = subscriber.on_message();
    let mut all = vec![];
    tokio::pin!(during);
    loop {
        tokio::select! {
            biased;
            () = &mut during => return all,
            Some(message) = stream.next() => all.extend_from_slice(message.get_payload_bytes()),
        }
    }
}

async fn a_key_stays_where_it_is(kind: KeyKind) {
    let redis = RedisServer::start().await;
    let collector = Collector::start().await;
    let mut setup = Setup::with(&BOTH)
        .over(&redis)
        .line("log", "level = \"trace\"")
        .line("traces", format!("endpoint = \"{}\"", collector.endpoint));
    setup.key = kind;
    let floor = Floor::open(&setup).await;
    let headers = format!("authorization=Bearer%20{HEADER}");
    let program = floor.spawn_with(&[("HOTPIT_TRACES_HEADERS", &headers)]);
    let trades = async {
        floor
            .until_so("it trades", async || {
                floor.hit().await;
                floor.audit().await["fills_count"].as_u64().unwrap() >= 3
            })
            .await;
        floor.until_told("it knows", |status| status.desk.fills >= 3).await;
        floor.until_so("traces come", async || !collector.got().spans.is_empty()).await;
    };
    let published = published(&redis, trades).await;
    let in_redis = everything_in(&redis).await;
    let told = [floor.text_of(&["status", "--json"]).await, floor.text_of(&["orders"]).await];
    let metrics = floor.page("/metrics").await;
    assert!(metrics.contains("hotpit_spans_exported_total"), "{metrics}");
    let sizes = (published.len(), in_redis.len());
    assert!(sizes.0 > 0 && sizes.1 > 0, "the bus goes through Redis: {sizes:?}");
    program.stop();

    let pem = fs::read_to_string(&floor.key.private_key).unwrap();
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    // Each line of the body, and what would stay of it in the middle of other text.
    let secrets: Vec<&[u8]> = lines
        .iter()
        .map(|line| line.as_bytes())
        .filter(|line| line.len() >= 16)
        .map(|line| &line[line.len() / 2..])
        .chain([b"PRIVATE KEY".as_slice(), b"access-signature", HEADER.as_bytes()])
        .chain([floor.key.key_id.as_bytes()])
        .collect();
    assert!(secrets.len() >= 2);
    let assert_clean = |what: &str, bytes: &[u8]| {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == *secret);
            assert!(!found, "{what} has a part of a secret");
        }
    };
    assert_clean("the bus", &published);
    assert_clean("Redis", &in_redis);
    for page in told.iter().chain([&metrics]) {
        assert_clean("what the host tells", page.as_bytes());
    }
    assert_clean("a trace", collector.got().resources.concat().as_bytes());
    assert_clean("a trace", format!("{:?}", collector.got().spans).as_bytes());
    let mut looked_at = 0;
    for path in files(floor.folder.path()) {
        if path.starts_with(floor.folder.path().join("keys")) {
            continue;
        }
        looked_at += 1;
        assert_clean(&path.display().to_string(), &fs::read(&path).unwrap());
    }
    assert!(looked_at >= 6, "log, report, journal, states, configuration, agents");
    let log = fs::read_to_string(floor.folder.path().join("stderr")).unwrap();
    assert!(log.contains("TRACE"), "the log is as talkative as it can be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ed25519_key_is_in_no_log_journal_state_or_redis() {
    a_key_stays_where_it_is(KeyKind::Ed25519).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_rsa_key_is_in_no_log_journal_state_or_redis() {
    a_key_stays_where_it_is(KeyKind::Rsa).await;
}
