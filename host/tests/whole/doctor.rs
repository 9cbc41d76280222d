//! `hotpit doctor` against a practice exchange: all well, and each thing wrong by itself.

use std::process::Output;
use std::time::Duration;

use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_rt::Clock;
use serde_json::Value;

use crate::support::redis::RedisServer;
use crate::support::{Floor, MAKER, PATIENCE, Setup};

/// What `hotpit doctor --json` says with these variables, and whether all is well.
async fn findings(floor: &Floor, variables: &[(&str, &str)]) -> (bool, Vec<Value>) {
    let output = doctor(floor, &["doctor", "--json"], variables).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let findings = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (output.status.success(), findings)
}

async fn doctor(floor: &Floor, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = floor.hotpit(arguments);
    command.envs(variables.iter().copied());
    let mut command = tokio::process::Command::from(command);
    tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap()
}

/// The variables with the floor's key.
fn key(floor: &Floor) -> [(&str, &str); 2] {
    let pem = floor.key.private_key.to_str().unwrap();
    [("KALSHI_KEY_ID", &floor.key.key_id), ("KALSHI_PRIVATE_KEY_FILE", pem)]
}

/// That this alone is wrong; what was found of it.
async fn only_wrong(floor: &Floor, variables: &[(&str, &str)], check: &str) -> String {
    let (is_well, findings) = findings(floor, variables).await;
    let wrong: Vec<&Value> = findings.iter().filter(|it| it["ok"] == false).collect();
    assert!(!is_well && wrong.len() == 1 && wrong[0]["check"] == check, "{findings:#?}");
    assert!(!wrong[0]["advice"].as_str().unwrap().is_empty());
    wrong[0]["found"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_all_well_and_then_each_thing_that_is_not() {
    let mut redis = RedisServer::start().await;
    let floor = Floor::open(&Setup::with(&MAKER).over(&redis)).await;
    let (is_well, found) = findings(&floor, &key(&floor)).await;
    assert!(is_well, "{found:#?}");
    let checks: Vec<&str> = found.iter().map(|it| it["check"].as_str().unwrap()).collect();
    let all = [
        "configuration",
        "state folder",
        "agents",
        "api key",
        "clock",
        "exchange",
        "redis",
        "espn",
    ];
    assert_eq!(checks, all);
    assert!(!floor.folder.path().join("state").exists(), "a look makes nothing");
    let text = doctor(&floor, &["doctor"], &key(&floor)).await;
    assert_eq!(String::from_utf8(text.stdout).unwrap().lines().count(), all.len());

    let found = only_wrong(&floor, &[], "api key").await;
    assert!(found.starts_with("no key"), "{found}");
    let [id, pem] = key(&floor);
    let found = only_wrong(&floor, &[("KALSHI_KEY_ID", "somebody"), pem], "api key").await;
    assert!(found.starts_with("wrong key, or wrong environment"), "{found}");
    let other = generate_credentials(&floor.folder.path().join("other"), KeyKind::Ed25519).unwrap();
    let other = ("KALSHI_PRIVATE_KEY_FILE", other.private_key.to_str().unwrap());
    let found = only_wrong(&floor, &[id, other], "api key").await;
    assert!(found.starts_with("wrong key: the private key"), "{found}");
    let no_pem = doctor(&floor, &["doctor"], &[id, ("KALSHI_PRIVATE_KEY", "hunter2")]).await;
    let said = String::from_utf8(no_pem.stdout).unwrap();
    assert!(said.contains("not PEM") && !said.contains("hunter2"), "{said}");

    std::fs::write(floor.agent_path("bad.wasm"), "no wasm").unwrap();
    let found = only_wrong(&floor, &key(&floor), "agents").await;
    assert!(found.starts_with("1 of 2") && found.contains("bad.wasm"), "{found}");
    std::fs::remove_file(floor.agent_path("bad.wasm")).unwrap();

    let program = floor.spawn();
    floor.until_told("the host runs", |_| true).await;
    let found = only_wrong(&floor, &key(&floor), "state folder").await;
    assert!(found.contains("another hotpit (process "), "{found}");
    program.stop();

    redis.kill();
    let found = only_wrong(&floor, &key(&floor), "redis").await;
    assert!(found.contains("127.0.0.1") && found.contains("cannot be used"), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_a_clock_that_is_off() {
    let ahead = Clock::simulated(Clock::system().now() + Duration::from_secs(30));
    let floor = Floor::open(&Setup::with(&[]).exchange_clock(ahead)).await;
    let found = only_wrong(&floor, &key(&floor), "clock").await;
    assert!(found.starts_with("-3") || found.starts_with("-2"), "{found}");
    assert!(found.contains("the limit is 2000 ms"), "{found}");
}
