//! `hotpit-exchange practice`: a first run without an account. Starts the exchange, runs a host
//! against it, and compares the books of both at the end.
//!
//! The host is a process of its own that gets an address, a key and nothing else: what it does
//! here it does at Kalshi.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hotpit_exchange::server::Handle;
use hotpit_exchange::server::credentials::{Credentials, KeyKind, generate_credentials};
use hotpit_rt::net::TcpListener;
use hotpit_units::{Dollars, Quantity};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::World;

/// How long the host may take to end after it was asked to: it cancels its orders first.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// Run a host against the exchange, and compare their books at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    world: World,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The host's program.
    #[arg(long, default_value = "target/release/hotpit")]
    host: PathBuf,
    /// The folder with the agents.
    #[arg(long, default_value = "agents")]
    agents: PathBuf,
    /// The folder for everything that the run leaves behind; emptied first.
    #[arg(long, default_value = "target/practice")]
    state: PathBuf,
    /// End by itself after this time, such as 20s or 5m.
    #[arg(long = "for", value_name = "TIME")]
    run_for: Option<String>,
    /// Fan the data out over this Redis.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// The port of the host's operator commands; 0 takes a free one.
    #[arg(long, default_value_t = 7700)]
    ops_port: u16,
}

/// What the host says of itself at its end, as far as it is compared.
#[derive(Debug, Deserialize)]
struct HostReport {
    desk: Desk,
}

#[derive(Debug, Deserialize)]
struct Desk {
    fills: u64,
    unknown: u64,
    cash: Dollars,
    fees: Dollars,
    positions: Vec<Position>,
    working: Vec<Value>,
}

/// The exchange's word on the account.
#[derive(Debug, Deserialize)]
struct Audit {
    cash_total: Dollars,
    fees_paid: Dollars,
    fills_count: u64,
    positions: Vec<AuditPosition>,
    open_orders: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Position {
    ticker: String,
    quantity: Quantity,
}

#[derive(Debug, Deserialize)]
struct AuditPosition {
    ticker: String,
    position_fp: Quantity,
}

/// Runs the practice. An error is a host that failed, or books that differ.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let state = &arguments.state;
    empty(state)?;
    let credentials = generate_credentials(&state.join("keys"), KeyKind::Ed25519)
        .with_context(|| format!("no key pair in `{}`", state.display()))?;
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .with_context(|| format!("port {} cannot be used", arguments.port))?;
    let exchange = arguments.world.start(listener, &credentials).await?;
    let config = state.join("hotpit.toml");
    std::fs::write(&config, configuration(&arguments, &exchange))
        .with_context(|| format!("cannot write {}", config.display()))?;
    eprintln!(
        "practice exchange at {}; look in with: {} --config {} status",
        exchange.rest_url(),
        arguments.host.display(),
        config.display()
    );
    let summary = host(&arguments, &config, &credentials).await?;
    let audit = exchange.audit(&credentials.key_id).await.context("the exchange has stopped")?;
    let audit = Audit::deserialize(audit.context("the exchange lost the account")?)?;
    let report = std::fs::read(report_path(state)).context("the host left no report")?;
    let report: HostReport = serde_json::from_slice(&report).context("the host's report")?;
    let differences = differences(&report.desk, &audit);
    if differences.is_empty() {
        eprintln!(
            "books agree: {} fills, cash {}, fees {}, {} markets",
            audit.fills_count,
            audit.cash_total,
            audit.fees_paid,
            audit.positions.len()
        );
    }
    for difference in &differences {
        eprintln!("books differ: {difference}");
    }
    println!("{summary}");
    exchange.stop().await;
    ensure!(differences.is_empty(), "the host's books are not the exchange's");
    Ok(())
}

fn report_path(state: &Path) -> PathBuf {
    state.join("report.json")
}

/// Empties the folder, if it is one that an earlier practice left, or not there.
fn empty(state: &Path) -> anyhow::Result<()> {
    let left_by_practice = state.join("hotpit.toml").is_file() && state.join("keys").is_dir();
    let is_empty = std::fs::read_dir(state).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        left_by_practice || is_empty,
        "`{}` is not a folder of an earlier practice: name another with --state",
        state.display()
    );
    if left_by_practice {
        std::fs::remove_dir_all(state)
            .with_context(|| format!("cannot empty `{}`", state.display()))?;
    }
    std::fs::create_dir_all(state).with_context(|| format!("cannot make `{}`", state.display()))
}

/// The host's configuration: another address, and a scoreboard that may be read often.
fn configuration(arguments: &Arguments, exchange: &Handle) -> String {
    let text = |text: &str| Value::from(text).to_string();
    let path = |path: &Path| text(&path.to_string_lossy());
    let address = format!("http://{}", exchange.address());
    let mut config = format!(
        "venue = {}\nstate_folder = {}\n\n[agents]\nfolder = {}\n\n[ops]\nbind = \"127.0.0.1:{}\"\n\n\
         [espn]\nurl = {}\nlive_ms = 250\nsoon_ms = 500\nidle_ms = 1000\nmap_ms = 500\n",
        text(&address),
        path(&arguments.state.join("host")),
        path(&arguments.agents),
        arguments.ops_port,
        text(&address),
    );
    if let Some(redis) = &arguments.redis {
        config.push_str(&format!("\n[bus]\nkind = \"redis\"\nurl = {}\n", text(redis)));
    }
    config
}

/// Runs the host to its end; its summary.
async fn host(
    arguments: &Arguments,
    config: &Path,
    credentials: &Credentials,
) -> anyhow::Result<String> {
    let mut command = Command::new(&arguments.host);
    command
        .arg("--config")
        .arg(config)
        .arg("run")
        .arg("--report")
        .arg(report_path(&arguments.state));
    if let Some(time) = &arguments.run_for {
        command.arg("--for").arg(time);
    }
    command
        .env("KALSHI_KEY_ID", &credentials.key_id)
        .env("KALSHI_PRIVATE_KEY_FILE", &credentials.private_key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    // Listened to before the host starts, so that no signal is missed. Ctrl-C reaches the host
    // by itself, because it is in the terminal's foreground too; a SIGTERM is passed on.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut child =
        command.spawn().with_context(|| format!("cannot run {}", arguments.host.display()))?;
    let stdout = child.stdout.take().context("the host has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut summary = None;
    let output = async {
        while let Ok(Some(line)) = lines.next_line().await {
            summary = Some(line);
        }
    };
    let ended = async {
        tokio::select! {
            biased;
            status = child.wait() => return status,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => terminate_child(&child),
        }
        match tokio::time::timeout(END_TIMEOUT, child.wait()).await {
            Ok(status) => status,
            Err(_) => {
                child.start_kill()?;
                child.wait().await
            }
        }
    };
    let (status, ()) = tokio::join!(ended, output);
    let status = status.context("cannot wait for the host")?;
    ensure!(status.success(), "the host failed: {status}");
    summary.context("the host printed no summary")
}

fn terminate_child(child: &Child) {
    let pid =
        child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // Gone already is what was wanted.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// Where the two do not agree, to the last unit.
fn differences(host: &Desk, exchange: &Audit) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, host: String, exchange: String| {
        if host != exchange {
            differences.push(format!("{what}: host {host}, exchange {exchange}"));
        }
    };
    compare("cash", host.cash.to_string(), exchange.cash_total.to_string());
    compare("fees", host.fees.to_string(), exchange.fees_paid.to_string());
    compare("fills", host.fills.to_string(), exchange.fills_count.to_string());
    compare("open orders", host.working.len().to_string(), exchange.open_orders.len().to_string());
    compare("unknown orders", host.unknown.to_string(), "0".to_owned());
    let mut positions: BTreeMap<&str, (Quantity, Quantity)> = BTreeMap::new();
    for position in &host.positions {
        positions.entry(&position.ticker).or_default().0 += position.quantity;
    }
    for position in &exchange.positions {
        positions.entry(&position.ticker).or_default().1 += position.position_fp;
    }
    for (ticker, (host, exchange)) in positions {
        compare(&format!("position in {ticker}"), host.to_string(), exchange.to_string());
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books() -> (Desk, Audit) {
        let position = |ticker: &str, contracts| Position {
            ticker: ticker.to_owned(),
            quantity: Quantity::from_contracts(contracts),
        };
        let desk = Desk {
            fills: 3,
            unknown: 0,
            cash: Dollars::from_dollars(90),
            fees: Dollars::from_raw(70_001),
            positions: vec![position("KX-1", 5), position("KX-1", -2)],
            working: vec![],
        };
        let audit = Audit {
            cash_total: Dollars::from_dollars(90),
            fees_paid: Dollars::from_raw(70_001),
            fills_count: 3,
            positions: vec![AuditPosition {
                ticker: "KX-1".to_owned(),
                position_fp: Quantity::from_contracts(3),
            }],
            open_orders: vec![],
        };
        (desk, audit)
    }

    #[test]
    fn books_that_agree_have_no_difference() {
        let (desk, audit) = books();
        assert_eq!(differences(&desk, &audit), Vec::<String>::new());
    }

    #[test]
    fn the_smallest_difference_is_told() {
        let (mut desk, mut audit) = books();
        audit.fees_paid = Dollars::from_raw(70_000);
        desk.positions[0].quantity = Quantity::from_raw(501);
        desk.unknown = 1;
        let differences = differences(&desk, &audit);
        assert_eq!(
            differences,
            [
                "fees: host 0.070001, exchange 0.070000",
                "unknown orders: host 1, exchange 0",
                "position in KX-1: host 3.01, exchange 3.00"
            ]
        );
    }
}
