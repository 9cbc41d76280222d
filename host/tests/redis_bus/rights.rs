//! What a publisher does with a Redis that does not do, or let it do, everything.

use hotpit::bus::{BusState, Settings};
use hotpit_units::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::redis_server::RedisServer;
use crate::{connect, joined, level, live, publisher, settings, snapshot, until};

/// The settings of a user with these rights, as ACL rules.
async fn user(server: &RedisServer, rules: &str) -> Settings {
    let mut connection = connect(server).await;
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("hotpit").arg("reset").arg("on").arg(">hunter2");
    for rule in rules.split(' ') {
        command.arg(rule);
    }
    command.exec_async(&mut connection).await.unwrap();
    let url = server.url().replacen("redis://", "redis://hotpit:hunter2@", 1);
    Settings { url, ..settings(server) }
}

const ALL: &str = "~hotpit:* &kalshi:* &espn:* +@pubsub +@read +@write +@connection";

#[tokio::test]
async fn the_rights_that_the_page_names_are_enough() {
    let server = RedisServer::start().await;
    let page = include_str!("../../REDIS.md");
    for rule in ALL.split(' ').filter(|rule| rule.starts_with('+')) {
        assert!(page.contains(rule), "{rule}");
    }
    books_come_through(&user(&server, ALL).await).await;
}

#[tokio::test]
async fn a_redis_that_answers_every_message_is_published_to_as_well() {
    let server = RedisServer::start().await;
    books_come_through(&user(&server, &format!("{ALL} -client|reply")).await).await;
}

/// Words of the protocol, as they go over the wire.
fn wire(words: &[&str]) -> Vec<u8> {
    let word = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>()).into_bytes()
}

/// Between a host and a Redis, with other commands in the place of some.
async fn between(server: &RedisServer, changes: Vec<(Vec<u8>, Vec<u8>)>) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let behind = server.url().trim_start_matches("redis://").to_owned();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&behind).await.unwrap();
            let (mut asks, mut is_told) = near.into_split();
            let (mut answers, mut asked) = far.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut is_told).await });
            let changes = changes.clone();
            tokio::spawn(async move {
                let mut held = vec![];
                while asks.read_buf(&mut held).await.is_ok_and(|count| count > 0) {
                    let through = changed(&mut held, &changes);
                    asked.write_all(&through).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    Settings { url, ..settings(server) }
}

/// What goes through of what is held; the beginning of what might be changed is held on.
fn changed(held: &mut Vec<u8>, changes: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (mut through, mut at) = (vec![], 0);
    while at < held.len() {
        let rest = &held[at..];
        if let Some((from, to)) = changes.iter().find(|(from, _)| rest.starts_with(from)) {
            at += from.len();
            through.extend_from_slice(to);
        } else if changes.iter().any(|(from, _)| from.starts_with(rest)) {
            break;
        } else {
            through.push(held[at]);
            at += 1;
        }
    }
    held.drain(..at);
    through
}

#[tokio::test]
async fn a_redis_that_only_says_that_it_leaves_answers_out_is_published_to_as_well() {
    let server = RedisServer::start().await;
    let [off, on] = ["OFF", "ON"].map(|word| wire(&["CLIENT", "REPLY", word]));
    let (done, refused) = (wire(&["SELECT", "0"]), wire(&["SELECT", "nowhere"]));
    for answer_to_off in [&done, &refused] {
        let changes = vec![(off.clone(), answer_to_off.clone()), (on.clone(), done.clone())];
        books_come_through(&between(&server, changes).await).await;
    }
}

async fn books_come_through(settings: &Settings) {
    let (publisher, subscriber, listener) = joined(settings).await;
    for number in 1..=2_000 {
        let ticker = format!("KX-{}", number % 7);
        publisher.publish(snapshot(&ticker, &[level(40, number)], &[]), Timestamp::EPOCH);
    }
    publisher.publish(snapshot("KX-LAST", &[level(40, 5)], &[]), Timestamp::EPOCH);
    until("the last book", || listener.book("KX-LAST").is_some()).await;
    until("all are counted", || publisher.stats().published >= 2_001).await;
    assert_eq!(subscriber.stats().gaps, 0);
    assert_eq!(publisher.stats().dropped_down, 0);
}

#[tokio::test]
async fn a_right_that_is_missing_or_taken_away_is_told() {
    let server = RedisServer::start().await;
    let settings = user(&server, ALL).await;
    let publisher = publisher(&settings);
    live(publisher.state()).await;
    let without_games = "~hotpit:* &kalshi:* +@pubsub +@read +@write +@connection";
    let mut connection = connect(&server).await;
    let mut taken_away = redis::cmd("ACL");
    taken_away.arg("SETUSER").arg("hotpit").arg("resetchannels").arg("&kalshi:*");
    taken_away.exec_async(&mut connection).await.unwrap();
    let is_told = |state: &BusState| match state {
        BusState::Down { reason } => reason.contains("give its user +@pubsub"),
        BusState::Starting | BusState::Live => false,
    };
    let state = publisher.state();
    until("it is told what it may not", || is_told(&state.borrow())).await;

    let beginner = crate::publisher(&user(&server, without_games).await);
    let state = beginner.state();
    until("one that starts is told", || is_told(&state.borrow())).await;
}
