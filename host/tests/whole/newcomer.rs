//! A newcomer's way: an agent from nothing to its first order on a running host.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Floor, Setup, agent, is_running};

/// How long compiling may take on a busy machine, the dependencies of the SDK included.
const COMPILING: Duration = Duration::from_secs(300);

impl Floor {
    /// Builds the crate, with the dependencies that are on this machine already.
    async fn build(&self, path: &Path) -> String {
        let mut command = self.hotpit(&["build", path.to_str().unwrap()]);
        command
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer"))
            .env("CARGO_NET_OFFLINE", "true");
        let output = tokio::process::Command::from(command).output();
        let output = tokio::time::timeout(COMPILING, output).await.expect("it ends").unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {error}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let file = path.join("src/lib.rs");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_agent_is_built_edited_and_swapped_on_a_running_host() {
    let floor = Floor::open(&Setup::with(&[])).await;
    let program = floor.spawn();
    floor.until_told("the desk is ready", |status| status.desk.not_ready.is_none()).await;
    let path = floor.folder.path().join("first-agent");
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
    let arguments = ["new", path.to_str().unwrap(), "--sdk", sdk.to_str().unwrap()];
    let began = Instant::now();
    floor.text_of(&arguments).await;
    println!("{:>8} ms  hotpit new", began.elapsed().as_millis());

    let began = Instant::now();
    let said = floor.build(&path).await;
    assert!(said.contains("first-agent 0.1.0"), "{said}");
    println!("{:>8} ms  hotpit build, the SDK included", began.elapsed().as_millis());
    let first = floor
        .until_told("it trades", |status| {
            is_running(status, "first-agent") && status.desk.fills == 3
        })
        .await;
    println!("{:>8} ms  until it has traded as it comes", began.elapsed().as_millis());
    assert_eq!(agent(&first, "first-agent").unwrap().swaps, 0);

    // It remembers what it bought, and may buy one more.
    edit(&path, "contracts: u32 = 3", "contracts: u32 = 4");
    let began = Instant::now();
    floor.build(&path).await;
    println!("{:>8} ms  hotpit build after an edit", began.elapsed().as_millis());
    let traded = floor
        .until_told("the new version trades", |status| {
            agent(status, "first-agent").is_some_and(|line| line.swaps == 1)
                && status.desk.fills == 4
        })
        .await;
    println!("{:>8} ms  until its first fill", began.elapsed().as_millis());
    assert_eq!(agent(&traded, "first-agent").unwrap().failures, 0);

    // What does not work does not get there.
    edit(&path, "limit: Price = Price::from_cents(45)", "limit: Prices = 1");
    let mut command = floor.hotpit(&["build", path.to_str().unwrap()]);
    command
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer"))
        .env("CARGO_NET_OFFLINE", "true");
    let output = tokio::process::Command::from(command).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("cannot find type `Prices`"), "{error}");
    let status = floor.told().await.unwrap();
    assert_eq!(agent(&status, "first-agent").unwrap().swaps, 1, "it goes on");
    floor.compare(&program.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_agent_in_python_is_tested_built_and_trades() {
    let environment = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python");
    if !environment.join("bin/componentize-py").is_file() {
        eprintln!("left out: {} has no componentize-py", environment.display());
        return;
    }
    // An interpreter that is started on a busy machine needs longer than what is compiled.
    let setup = Setup::with(&[]).line("agents.budget", "start_ms = 2_000");
    let floor = Floor::open(&setup).await;
    let path = floor.folder.path().join("first-snake");
    floor.text_of(&["new", path.to_str().unwrap(), "--lang", "python"]).await;
    let mut tests = tokio::process::Command::new(environment.join("bin/python"));
    let tests = tests.args(["-m", "unittest", "discover"]).arg(&path).output().await.unwrap();
    let said = String::from_utf8_lossy(&tests.stderr).into_owned();
    assert!(tests.status.success() && said.contains("Ran 2 tests"), "{said}");

    // Before it is there, the folder is. What is compiled for the check, the host need not compile.
    std::fs::create_dir_all(floor.folder.path().join("state/agents")).unwrap();
    let mut command = floor.hotpit(&["build", path.to_str().unwrap()]);
    command.env("VIRTUAL_ENV", environment.canonicalize().unwrap());
    let began = Instant::now();
    let output = tokio::process::Command::from(command).output();
    let output = tokio::time::timeout(COMPILING, output).await.expect("it ends").unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    println!("{:>8} ms  hotpit build", began.elapsed().as_millis());

    let began = Instant::now();
    let program = floor.spawn();
    let traded = floor
        .until_told("it trades", |status| {
            is_running(status, "first-snake") && status.desk.fills == 3
        })
        .await;
    println!("{:>8} ms  until it has traded as it comes", began.elapsed().as_millis());
    assert_eq!(agent(&traded, "first-snake").unwrap().failures, 0);
    floor.compare(&program.stop()).await;
}
