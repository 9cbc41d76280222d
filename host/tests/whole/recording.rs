//! `hotpit record` and `hotpit inspect` against the practice exchange.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use hotpit_exchange::server::faults::{Fault, Kind};
use hotpit_units::{Price, Quantity, Side};
use serde_json::Value;

use crate::support::{Floor, MAKER, PATIENCE, Setup};

/// Bids of the legs, as `hotpit inspect --books` prints them.
type Levels = BTreeMap<String, Vec<(Price, Quantity)>>;

impl Floor {
    /// Starts `hotpit record` of what the agents want, with the account.
    fn record(&self, arguments: &[&str]) -> tokio::process::Child {
        let folder = self.recordings();
        let stderr = std::fs::File::create(self.folder.path().join("record.stderr")).unwrap();
        let mut command = self.hotpit(&["record", folder.to_str().unwrap()]);
        command
            .args(arguments)
            .env("KALSHI_KEY_ID", &self.key.key_id)
            .env("KALSHI_PRIVATE_KEY_FILE", &self.key.private_key)
            .stdout(Stdio::piped())
            .stderr(stderr);
        tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap()
    }

    fn recordings(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    /// What `hotpit inspect` prints of everything recorded.
    async fn inspect(&self, flag: &str) -> Value {
        let mut files: Vec<_> = std::fs::read_dir(self.recordings())
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        files.sort();
        if files.is_empty() {
            return Value::Null;
        }
        let files = files.iter().map(|file| file.to_str().unwrap());
        let arguments: Vec<_> = ["inspect", flag].into_iter().chain(files).collect();
        serde_json::from_str(&self.text_of(&arguments).await).unwrap()
    }

    /// What the agents do on the recording, twice the same.
    async fn replays_alike(&self) {
        let files = std::fs::read_dir(self.recordings()).unwrap();
        let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        let maker = self.agent_path("market-maker.wasm");
        let mut arguments = vec!["replay", "--agent", maker.to_str().unwrap()];
        arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
        let played = self.text_of(&arguments).await;
        assert!(played.lines().count() > 2, "{played}");
        assert!(played.lines().last().unwrap().contains("failures=0 unreadable=0"), "{played}");
        assert_eq!(self.text_of(&arguments).await, played);
    }

    /// The exchange's book of a market, in the form of `hotpit inspect --books`.
    async fn book(&self, ticker: &str) -> Levels {
        let ticker = ticker.to_owned();
        let job = move |floor: &mut hotpit_exchange::server::Floor| {
            let book = floor.exchange.market(floor.exchange.find(&ticker).unwrap()).book();
            let levels = |side| book.levels(side).map(|level| (level.price, level.quantity));
            let mut yes: Vec<_> = levels(Side::Bid).collect();
            let mut no: Vec<_> = levels(Side::Ask)
                .map(|(price, quantity)| (price.complement().unwrap(), quantity))
                .collect();
            yes.sort();
            no.sort();
            Levels::from([("yes".to_owned(), yes), ("no".to_owned(), no)])
        };
        self.exchange.with_floor(job).await.unwrap()
    }
}

fn count(report: &Value, kind: &str) -> u64 {
    report["types"][kind].as_u64().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_ends_with_the_exchanges_books() {
    let floor = Floor::open(&Setup::with(&MAKER)).await;
    let mut recording = floor.record(&[]);
    floor
        .until_so("books and trades are recorded", async || {
            let report = floor.inspect("--json").await;
            count(&report, "orderbook_delta") > 100 && count(&report, "trade") > 0
        })
        .await;
    let loss = Fault::new(Kind::DropFrames).on_channel("orderbook_delta").times(1);
    floor.exchange.post_fault(loss).await;
    floor
        .until_so("a loss is recorded and recovered from", async || {
            floor.inspect("--json").await["missing"] == 1
        })
        .await;
    floor.exchange.post_fault(Fault::new(Kind::CloseConnections)).await;
    floor
        .until_so("another connection is recorded", async || {
            floor.inspect("--json").await["connections"] == 2
        })
        .await;
    let ticker = floor.home().await;
    let _world = floor.freeze().await;
    floor
        .until_so("the book is the exchange's", async || {
            let recorded = floor.inspect("--books").await;
            let recorded: Option<Levels> =
                serde_json::from_value(recorded[&ticker].clone()).unwrap();
            recorded == Some(floor.book(&ticker).await)
        })
        .await;
    let id = recording.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("sh");
    let sent = kill.args(["-c", &format!("kill -TERM {id}")]);
    assert!(sent.status().await.unwrap().success());
    let status = tokio::time::timeout(PATIENCE, recording.wait()).await.unwrap().unwrap();
    let said = std::fs::read_to_string(floor.folder.path().join("record.stderr")).unwrap();
    assert!(status.success(), "{said}");
    let report = floor.inspect("--json").await;
    for nothing in ["unknown_types", "unknown_fields", "unreadable"] {
        assert_eq!(report[nothing], serde_json::json!({}), "{report:#}");
    }
    assert_eq!((&report["cut_off"], &report["bad_lines"]), (&serde_json::json!([]), &0.into()));
    assert_eq!(count(&report, "user_order"), 0, "what is said of our account is not recorded");
    floor.replays_alike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_records_itself_can_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("of-runs");
    let quoted = Value::from(recordings.to_str().unwrap()).to_string();
    let setup = Setup::with(&MAKER).line("recording", format!("folder = {quoted}"));
    let mut floor = Floor::trading(&setup).await;
    floor.stop().await;
    let files = std::fs::read_dir(&recordings).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    let maker = floor.agent_path("market-maker.wasm");
    let mut arguments = vec!["replay", "--agent", maker.to_str().unwrap()];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let played = floor.text_of(&arguments).await;
    assert!(played.contains(" buy 10.00 ") && played.contains(" sell 10.00 "), "{played}");
    assert!(played.lines().last().unwrap().contains("failures=0 unreadable=0"), "{played}");
}
