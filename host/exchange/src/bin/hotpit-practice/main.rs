//! `hotpit-practice`: a first run without an account. Starts the practice exchange, runs a host
//! on it, and compares the books of both at the end. `make run` calls it.
//!
//! The host is a process of its own and is told nothing but an address and a key: all that it
//! does here it does at Kalshi. Whatever it writes goes through; the last line on standard output
//! is its summary, and the exit code is 0 only if the books agree.

mod books;
mod folder;
mod host;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{KeyKind, generate_credentials};
use hotpit_exchange::server::{AccountSettings, Handle, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};

use books::{ExchangeBooks, HostBooks};
use folder::Folder;
use host::{Host, Signals};

/// How long a football game really takes, in milliseconds.
const REAL_GAME_MS: u64 = 3 * 60 * 60 * 1_000;

/// Runs a host on a practice exchange and compares their books at the end.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The host's program
    #[arg(long, value_name = "FILE", default_value = "target/release/hotpit")]
    hotpit: PathBuf,
    /// The folder with the agents
    #[arg(long, value_name = "FOLDER", default_value = "agents")]
    agents: PathBuf,
    /// Where keys, configuration and journal go: emptied first
    #[arg(long, value_name = "FOLDER", default_value = "target/run")]
    folder: PathBuf,
    /// End by itself after this time, such as 20s; otherwise with Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    run_for: Option<String>,
    /// Let everything go through this Redis, such as redis://127.0.0.1:6379
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// The exchange's port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What the world is made of: the same seed makes the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real the game is played; 18 is a game of ten minutes
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    speed: u64,
    /// The kind of the account's key
    #[arg(long, value_enum, default_value_t = KeyKind::Ed25519)]
    key_type: KeyKind,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::new("warn");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match practice(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn practice(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Taken first, so that nobody who wants this to end is not heard.
    let signals = Signals::new()?;
    let folder = Folder::fresh(&arguments.folder)?;
    let key = generate_credentials(&folder.path().join("keys"), arguments.key_type)
        .context("cannot make a key pair")?;
    let exchange = open(arguments, AccountSettings::new(&*key.key_id, key.public_key_pem()?))
        .await
        .context("the practice exchange does not start")?;
    let config =
        folder.write_config(exchange.address(), &arguments.agents, arguments.redis.as_deref())?;
    eprintln!(
        "practice exchange on http://{}; from another terminal: {} --config {} status",
        exchange.address(),
        arguments.hotpit.display(),
        config.display(),
    );
    let host = Host {
        program: &arguments.hotpit,
        config: &config,
        report: &folder.path().join("report.json"),
        run_for: arguments.run_for.as_deref(),
        key: &key,
    };
    let outcome = host.run(signals).await?;
    let audit = exchange.audit(&key.key_id, 0).await.context("the exchange has stopped")?;
    let audit = audit.context("the exchange does not know the account")?;
    let code = compare(host.report, audit);
    exchange.stop().await;
    if let Some(summary) = &outcome.summary {
        println!("{summary}");
    }
    let agree = match code {
        Ok(agree) => agree,
        // A host that failed has said why; that it wrote no report is a consequence.
        Err(error) if outcome.succeeded => return Err(error),
        Err(_) => false,
    };
    Ok(if agree && outcome.succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens the exchange with one account and a game that is played.
async fn open(arguments: &Arguments, account: AccountSettings) -> anyhow::Result<Handle> {
    let world = scenario::Settings {
        game_ms: REAL_GAME_MS / arguments.speed,
        ..scenario::Settings::default()
    };
    let settings =
        Settings { accounts: vec![account], scenario: Some(world), ..Settings::default() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| format!("port {} cannot be used; 0 takes a free one", arguments.port))?;
    Ok(start(settings, listener, Clock::system(), Entropy::seeded(arguments.seed)).await?)
}

/// Compares the books and says how they stand. True: they agree.
fn compare(report: &std::path::Path, audit: serde_json::Value) -> anyhow::Result<bool> {
    let text = std::fs::read(report)
        .with_context(|| format!("the host left no report in {}", report.display()))?;
    let host: HostBooks = serde_json::from_slice(&text).context("the host's report is not one")?;
    let exchange: ExchangeBooks =
        serde_json::from_value(audit).context("the exchange's audit is not one")?;
    let differences = books::differences(&host, &exchange);
    if differences.is_empty() {
        println!("{}", books::agreement(&exchange));
        return Ok(true);
    }
    eprintln!("error: the books of host and exchange differ:");
    for difference in &differences {
        eprintln!("  {difference}");
    }
    Ok(false)
}
