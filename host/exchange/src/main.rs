//! `hotpit-exchange`: the practice exchange as a program.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{KeyKind, load_or_generate_credentials};
use hotpit_exchange::server::limits::Tier;
use hotpit_exchange::server::{AccountSettings, Settings, start};
use hotpit_rt::net::TcpListener;
use hotpit_rt::{Clock, Entropy};
use hotpit_units::Dollars;

/// How long a football game really takes, in milliseconds.
const REAL_GAME_MS: u64 = 3 * 60 * 60 * 1_000;

/// A practice exchange that speaks Kalshi's protocol on one local port, with a game that is
/// played and traders that make its markets move.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// What the world is made of: the same seed makes the same world.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real the game is played; 18 is a game of ten minutes.
    #[arg(long, default_value_t = 18, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    speed: u64,
    /// Book changes a second over all markets, about.
    #[arg(long, default_value_t = 300)]
    rate: u32,
    /// How fast the account may ask.
    #[arg(long, value_enum, default_value_t = Tier::Prestige)]
    tier: Tier,
    /// The folder of the account's key pair, made if it is missing.
    #[arg(long, default_value = "keys")]
    keys: PathBuf,
    /// The kind of that key pair.
    #[arg(long, value_enum, default_value_t = KeyKind::Ed25519)]
    key_type: KeyKind,
    /// The account's cash on every shard, in dollars.
    #[arg(long, default_value = "10000")]
    cash: Dollars,
    /// How many subaccounts the account has, each with as much cash as itself.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=63))]
    subaccounts: u8,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let arguments = Arguments::parse();
    let credentials = load_or_generate_credentials(&arguments.keys, arguments.key_type)
        .with_context(|| format!("no key pair in `{}`", arguments.keys.display()))?;
    let account = AccountSettings::new(&*credentials.key_id, credentials.public_key_pem()?);
    let world = scenario::Settings {
        game_ms: REAL_GAME_MS / arguments.speed,
        book_changes_per_second: arguments.rate,
        ..scenario::Settings::default()
    };
    let settings = Settings {
        accounts: vec![account.with_cash(arguments.cash).with_subaccounts(arguments.subaccounts)],
        scenario: Some(world),
        tier: arguments.tier,
        ..Settings::default()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))
        .await
        .with_context(|| format!("port {} cannot be used", arguments.port))?;
    // Taken before the ready line, so that whoever waits for it can end the program at once.
    let ended = ended()?;
    let exchange =
        start(settings, listener, Clock::system(), Entropy::seeded(arguments.seed)).await?;
    println!(
        "ready: rest={} ws={} espn={} control={} key_id={} private_key={}",
        exchange.rest_url(),
        exchange.ws_url(),
        exchange.espn_url(),
        exchange.control_url(),
        credentials.key_id,
        credentials.private_key.display(),
    );
    ended.await;
    exchange.stop().await;
    Ok(())
}

/// Resolves when somebody wants the program to end: ctrl-c or SIGTERM.
#[cfg(unix)]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Resolves when somebody wants the program to end: ctrl-c.
#[cfg(not(unix))]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
