//! The command line against a running host, and without one.

use serde_json::Value;

use crate::support::{Floor, MAKER, Setup, agent, guest_bytes};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_host_is_shown_halted_and_resumed() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let program = floor.spawn();
    let status = floor
        .until_told("orders work", |status| {
            status.desk.not_ready.is_none() && status.desk.working.len() >= 2
        })
        .await;
    assert!(status.sends_orders);
    assert!(agent(&status, "market-maker").is_some());
    assert!(floor.text_of(&["status"]).await.contains(&floor.exchange.address().to_string()));
    assert!(floor.text_of(&["agents"]).await.contains("market-maker"));
    assert_eq!(json(&floor.text_of(&["agents", "--json"]).await)[0]["phase"], "running");
    floor
        .until_so("orders are shown", async || {
            !json(&floor.text_of(&["orders", "--json"]).await).as_array().unwrap().is_empty()
        })
        .await;

    floor
        .until_so("an order trades", async || {
            floor.hit().await;
            !json(&floor.text_of(&["positions", "--json"]).await).as_array().unwrap().is_empty()
        })
        .await;
    let positions = json(&floor.text_of(&["positions", "--json"]).await);
    let ticker = positions[0]["ticker"].as_str().unwrap();
    assert!(floor.text_of(&["positions"]).await.contains(ticker));

    let said = floor.text_of(&["halt", "--reason", "lunch"]).await;
    assert!(said.starts_with("halted: "), "{said}");
    floor
        .until_so("nothing works at the exchange", async || {
            floor.audit().await["open_orders"].as_array().unwrap().is_empty()
        })
        .await;
    let halted = floor.until_told("it is halted", |status| status.desk.halted.is_some()).await;
    assert_eq!(halted.desk.halted.as_deref(), Some("lunch"));
    assert!(floor.text_of(&["status"]).await.contains("halted: lunch"));
    let denied = floor
        .until_told("wishes are denied", |status| status.desk.denied > halted.desk.denied)
        .await;
    assert_eq!(denied.desk.orders, halted.desk.orders);
    assert!(json(&floor.text_of(&["orders", "--json"]).await).as_array().unwrap().is_empty());

    assert!(json(&floor.text_of(&["resume", "--json"]).await).is_object());
    floor
        .until_told("orders work again", |status| {
            status.desk.halted.is_none() && !status.desk.working.is_empty()
        })
        .await;
    let one = floor.text_of(&["halt", "--agent", "market-maker", "--json"]).await;
    assert_eq!(json(&one)["agent"], "market-maker");
    floor
        .until_told("its orders are canceled", |status| {
            status.desk.working.is_empty() && status.desk.halted_agents.len() == 1
        })
        .await;

    let nobody = floor.command(&["halt", "--agent", "market_maker"]).await;
    assert_eq!(nobody.status.code(), Some(1), "a misspelt name is no success");
    let error = String::from_utf8(nobody.stderr).unwrap();
    assert!(error.contains("known are: market-maker"), "{error}");

    floor.compare(&program.stop()).await;
    let summary = std::fs::read_to_string(floor.folder.path().join("stdout")).unwrap();
    assert!(summary.lines().last().unwrap().starts_with("summary: events="), "{summary}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_changes_while_the_host_runs() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let program = floor.spawn();
    floor.until_told("it trades", |status| !status.desk.working.is_empty()).await;
    let log = || std::fs::read_to_string(floor.folder.path().join("stderr")).unwrap();
    assert!(!log().contains("TRACE"));

    let wrong = floor.command(&["log", "=loud="]).await;
    assert_eq!(wrong.status.code(), Some(1));
    let error = String::from_utf8(wrong.stderr).unwrap();
    assert!(error.contains("`=loud=` is not a filter such as"), "{error}");
    assert_eq!(floor.text_of(&["log", "trace"]).await, "log: trace\n");
    floor.until_so("more is logged", async || log().contains("TRACE")).await;
    let now = json(&floor.text_of(&["log", "warn", "--json"]).await);
    assert_eq!(now["level"], "warn");
    program.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_holds_over_a_restart() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let program = floor.spawn();
    floor.until_told("orders work", |status| !status.desk.working.is_empty()).await;
    floor.text_of(&["halt", "--reason", "night"]).await;
    program.stop();
    let program = floor.spawn();
    let status = floor
        .until_told("wishes are denied", |status| {
            status.desk.not_ready.is_none() && status.desk.denied > 0
        })
        .await;
    assert_eq!(status.desk.halted.as_deref(), Some("night"));
    assert!(status.desk.working.is_empty());
    program.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_the_commands_say_what_to_do() {
    let floor = Floor::open(&Setup::with(&[])).await;
    let log = floor.command(&["log", "debug"]).await;
    assert_eq!(log.status.code(), Some(1));
    for command in ["status", "agents", "positions", "orders", "halt", "resume"] {
        let output = floor.command(&[command]).await;
        assert_eq!(output.status.code(), Some(1), "{command}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: "), "{error}");
        assert!(error.contains("hotpit run"), "{command} does not say what to do: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_checked_and_a_broken_one_is_an_error() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let good = floor.agent_path("market-maker.wasm");
    let bad = floor.folder.path().join("bad.wasm");
    std::fs::write(&bad, &guest_bytes("market_maker")[..5_000]).unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

    let text = floor.text_of(&["check", good]).await;
    assert!(text.contains("an agent that can be loaded"), "{text}");
    assert!(text.contains("KXNFLGAME"), "{text}");
    assert!(text.contains("half_spread = 0.0100: The distance"), "{text}");
    let checked = json(&floor.text_of(&["check", "--json", good]).await);
    assert!(checked[0]["agent"]["hash"].is_string(), "{checked:#}");

    let output = floor.command(&["check", "--json", good, bad]).await;
    assert_eq!(output.status.code(), Some(1));
    let checked = json(&String::from_utf8(output.stdout).unwrap());
    assert!(checked[0]["agent"].is_object(), "{checked:#}");
    let error = checked[1]["error"].as_str().unwrap();
    assert!(!error.is_empty() && !error.contains('\n'), "{error}");
    // Cents meant as dollars: the agent's own word, before it is dropped.
    let options = floor.agent_path("market-maker.toml");
    std::fs::write(&options, "[params]\nhalf_spread = 2\n").unwrap();
    let output = floor.command(&["check", good]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("`half_spread` must be more than 0 and less than 1 dollar"), "{text}");
    let output = floor.command(&["check", "/nowhere/agent.wasm"]).await;
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_mistakes_starts_nothing_and_names_them_all() {
    let floor = Floor::open(&Setup::with(&[])).await;
    let text = std::fs::read_to_string(floor.config_path()).unwrap();
    std::fs::write(floor.config_path(), format!("lvie = true\n{text}\n[desks]\nx = 1\n")).unwrap();
    let output = floor.command(&["run", "--for", "1s"]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("lvie") && error.contains("desks"), "{error}");
}

#[test]
fn variables_that_mean_nothing_end_the_start_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hotpit"))
        .arg("run")
        .current_dir(&folder)
        .env_clear()
        .envs([("HOTPIT_AGENTS_DIR", "hunter2"), ("HOTPIT_LIVE", "hunter2")])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("HOTPIT_AGENTS_DIR: no such setting"), "{error}");
    assert!(error.contains("HOTPIT_LIVE: neither true nor false"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(std::fs::read_dir(&folder).unwrap().next().is_none(), "nothing has begun");
}
