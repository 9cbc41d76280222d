//! `hotpit-exchange`: the practice exchange as a program.

mod practice;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use hotpit_exchange::scenario;
use hotpit_exchange::server::credentials::{Credentials, KeyKind, load_or_generate_credentials};
use hotpit_exchange::server::limits::Tier;
use hotpit_exchange::server::{AccountSettings, Handle, Settings, start};
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
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the exchange until Ctrl-C
    Serve(Serve),
    /// Run a host against the exchange, and compare their books at the end
    Practice(practice::Arguments),
}

/// Run the exchange until Ctrl-C.
#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    world: World,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8081)]
    port: u16,
    /// The folder of the account's key pair, made if it is missing.
    #[arg(long, default_value = "keys")]
    keys: PathBuf,
    /// The kind of that key pair.
    #[arg(long, value_enum, default_value_t = KeyKind::Ed25519)]
    key_type: KeyKind,
}

/// What happens on the exchange.
#[derive(Debug, clap::Args)]
struct World {
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
    /// The account's cash on every shard, in dollars.
    #[arg(long, default_value = "10000")]
    cash: Dollars,
}

impl World {
    /// Starts the exchange with one account.
    async fn start(
        &self,
        listener: TcpListener,
        credentials: &Credentials,
    ) -> anyhow::Result<Handle> {
        let account = AccountSettings::new(&*credentials.key_id, credentials.public_key_pem()?);
        let world = scenario::Settings {
            game_ms: REAL_GAME_MS / self.speed,
            book_changes_per_second: self.rate,
            ..scenario::Settings::default()
        };
        let settings = Settings {
            accounts: vec![account.with_cash(self.cash)],
            scenario: Some(world),
            tier: self.tier,
            ..Settings::default()
        };
        Ok(start(settings, listener, Clock::system(), Entropy::seeded(self.seed)).await?)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Arguments::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Practice(arguments) => practice::run(arguments).await,
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        let credentials = load_or_generate_credentials(&self.keys, self.key_type)
            .with_context(|| format!("no key pair in `{}`", self.keys.display()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .await
            .with_context(|| format!("port {} cannot be used", self.port))?;
        // Taken before the ready line, so that whoever waits for it can end the program at once.
        let ended = ended()?;
        let exchange = self.world.start(listener, &credentials).await?;
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
}

/// Resolves when somebody wants the program to end: ctrl-c or SIGTERM.
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
