//! The command line: what a user types, and what is printed.
//!
//! `run`, `new`, `build`, `check`, `doctor`, `record`, `inspect` and `replay` do their work here in this process. The others talk to
//! a running host over its operator's port. Nothing here decides about trading.
//!
//! Exit codes: 0 done, 1 it failed (with why on standard error), 2 the command itself is wrong.

mod build;
mod check;
mod client;
mod doctor;
mod inspect;
mod logging;
mod new;
mod record;
mod replay;
mod run;
mod table;
mod talk;
mod text;
mod upstreams;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use check::{CheckReport, ImportLine, ParameterLine};

use crate::config::{Config, DEFAULT_FILE};
use crate::ops::Role;

/// A trading host for Kalshi whose strategies are wasm components in a folder.
#[derive(Debug, Parser)]
#[command(name = "hotpit", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration [default: hotpit.toml, if it exists]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host until Ctrl-C: load the agents, follow the markets, trade
    Run {
        /// Which part of the work this host does [default: what the configuration says]
        #[arg(long, value_enum)]
        role: Option<Role>,
        /// End by itself after this time, such as 20s or 5m
        #[arg(long = "for", value_name = "TIME", value_parser = text::duration)]
        run_for: Option<Duration>,
        /// Write how the host stands at the end to this file, as JSON
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// End when this process, which must be the one that starts hotpit, is gone
        #[arg(long, value_name = "PID")]
        parent: Option<i32>,
    },
    /// Make an agent to begin with: it builds, and trades in the practice run
    New {
        /// The folder to make; its name is the agent's
        #[arg(value_name = "NAME")]
        path: PathBuf,
        /// What it is written in
        #[arg(long = "lang", value_enum, value_name = "LANGUAGE", default_value = "rust")]
        language: new::Language,
        /// The folder `guest-sdk` of hotpit's sources [default: of the sources that this folder or
        /// this program lies in]
        #[arg(long, value_name = "PATH")]
        sdk: Option<PathBuf>,
    },
    /// Compile an agent, check it, and put it into the agents' folder: a running host takes it at
    /// once
    Build {
        /// Its folder: a crate, or one with an agent.py
        #[arg(value_name = "PATH", default_value = ".")]
        path: PathBuf,
    },
    /// Tell whether files are agents that can be loaded, and what they subscribe to and need
    Check {
        /// The wasm files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        format: Format,
    },
    /// Tell whether a host would run and trade as it is configured, on this machine and now
    Doctor(Format),
    /// Record the exchange's WebSocket, frame by frame, without trading
    Record(record::RecordArgs),
    /// Tell what is in recordings: types, losses, unknown fields, latency
    Inspect {
        /// The files of a recording, in order; or plain JSON lines with a frame on each
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Print the book of each market at the end instead, as JSON, in prices of its own leg
        #[arg(long, conflicts_with = "json")]
        books: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Play recordings to agents, and print what they do: a debugger, in which nothing is filled
    Replay {
        /// The files of a recording, in order
        #[arg(required = true, value_name = "RECORDING")]
        recordings: Vec<PathBuf>,
        /// An agent's wasm file, with its options beside it; may be given more than once
        #[arg(long = "agent", required = true, value_name = "FILE")]
        agents: Vec<PathBuf>,
    },
    /// Show how the running host stands
    Status(Format),
    /// Show the agents of the running host
    Agents(Format),
    /// Show positions with profit and loss
    Positions(Format),
    /// Show what each agent, and all together, have made
    Pnl(Format),
    /// Show orders that may still trade
    Orders(Format),
    /// Stop new orders and cancel the working ones
    Halt {
        /// Only of this agent
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Why, for the journal
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Go on accepting orders that only reduce a position
        #[arg(long)]
        reducing: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Accept orders again
    Resume {
        /// Only of this agent
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Change what the running host logs, until it ends
    Log {
        /// As `level` in the section [log], such as info,hotpit::desk=debug
        level: String,
        #[command(flatten)]
        format: Format,
    },
    /// Print the default configuration with every key explained
    Config,
}

#[derive(Debug, Clone, Copy, Args)]
struct Format {
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    match execute(config, command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(config: Option<PathBuf>, command: Command) -> anyhow::Result<ExitCode> {
    let config = config.as_deref();
    // What talks to a running host needs to know where it is, and nothing else of the file.
    let talk = |request| talk::talk(&Config::state_folder_of(config)?, request);
    match command {
        Command::Run { role, run_for, report, parent } => {
            let mut config = Config::load(config)?;
            config.play(role)?;
            run::run(config, run_for, report.as_deref(), parent)?;
        }
        Command::New { path, language, sdk } => new::new(&path, language, sdk.as_deref())?,
        Command::Build { path } => return build::build(&Config::load(config)?, &path),
        Command::Check { files, format } => {
            return check::check(&Config::load(config)?, &files, format.json);
        }
        Command::Doctor(format) => return doctor::doctor(config, format.json),
        Command::Record(args) => record::record(Config::load(config)?, args)?,
        Command::Inspect { files, books, format } => {
            return inspect::inspect(&files, books, format.json);
        }
        Command::Replay { recordings, agents } => {
            return replay::replay(&Config::load(config)?, &recordings, &agents);
        }
        Command::Status(format) => talk(talk::Request::Status { json: format.json })?,
        Command::Agents(format) => talk(talk::Request::Agents { json: format.json })?,
        Command::Positions(format) => talk(talk::Request::Positions { json: format.json })?,
        Command::Pnl(format) => talk(talk::Request::Pnl { json: format.json })?,
        Command::Orders(format) => talk(talk::Request::Orders { json: format.json })?,
        Command::Halt { agent, reason, reducing, format } => {
            talk(talk::Request::Halt { agent, reason, reducing, json: format.json })?;
        }
        Command::Resume { agent, format } => {
            talk(talk::Request::Resume { agent, json: format.json })?;
        }
        Command::Log { level, format } => {
            talk(talk::Request::Log { level, json: format.json })?;
        }
        Command::Config => text::print(DEFAULT_FILE)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_are_read_as_they_are_documented() {
        let read = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| cli.command);
        assert!(matches!(
            read("hotpit run --for 20s"),
            Ok(Command::Run { run_for: Some(time), .. }) if time == Duration::from_secs(20)
        ));
        assert!(matches!(read("hotpit positions --json"), Ok(Command::Positions(_))));
        assert!(matches!(
            read("hotpit halt --agent maker --reason lunch"),
            Ok(Command::Halt { agent: Some(_), reason: Some(_), .. })
        ));
        for wrong in ["hotpit", "hotpit run --for ever", "hotpit check", "hotpit fly"] {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn the_config_can_stand_before_and_after_the_command() {
        for line in ["hotpit --config a.toml status", "hotpit status --config a.toml"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.config, Some(PathBuf::from("a.toml")), "{line}");
        }
    }
}
