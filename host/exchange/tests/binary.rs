//! The program: it says when it is ready, answers, and ends when it is told to.

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::Folder;
use hotpit_exchange::server::credentials::{KeyKind, load_or_generate_credentials};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn it_prints_one_line_when_ready_and_ends_on_sigterm() {
    let folder = Folder::new();
    let mut program = Command::new(env!("CARGO_BIN_EXE_hotpit-exchange"))
        .args(["--port", "0", "--seed", "5", "--key-type", "rsa", "--keys"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let ready = tokio::time::timeout(Duration::from_secs(30), lines.next_line());
    let ready = ready.await.unwrap().unwrap().unwrap();
    let value = |name: &str| {
        let fields = ready.split(' ').filter_map(|field| field.split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).unwrap().1.to_owned()
    };
    assert!(ready.starts_with("ready: "), "{ready}");
    let status = reqwest::get(format!("{}/exchange/status", value("rest"))).await.unwrap();
    assert_eq!(status.status().as_u16(), 200);
    // The key pair that it made is kept.
    let kept = load_or_generate_credentials(folder.path(), KeyKind::Rsa).unwrap();
    assert_eq!(kept.key_id, value("key_id"));
    assert_eq!(kept.private_key.display().to_string(), value("private_key"));

    let id = program.id().unwrap().to_string();
    Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), program.wait()).await;
    assert!(ended.unwrap().unwrap().success());
    assert_eq!(lines.next_line().await.unwrap(), None);
}
