//! [`replay`]: recordings played to agents, and what they did, line by line.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use aws_lc_rs::digest;

use crate::agents::{Did, Replay};
use crate::bus::Message;
use crate::cache::Cache;
use crate::config::Config;
use crate::model::{Action, AgentId, MarketId, NewOrder, TimeInForce};
use crate::recording::Playback;
use crate::units::{Side, Timestamp};

/// What came out of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Messages that were played.
    pub messages: u64,
    /// Those that say what a market is: agents hear of no other market.
    pub markets: u64,
    /// Actions of all agents.
    pub actions: u64,
    /// Agents that faulted or did not start.
    pub failures: u64,
    /// Lines of the recording that say nothing that can be played.
    pub unreadable: u64,
    /// The SHA-256 of what the agents did, in hex: the same recording and agents give the same.
    pub digest: String,
}

/// Plays recordings to agents, in order, and writes each action with what it answers to `out`.
///
/// # Errors
/// When a recording or an agent cannot be read, or `out` cannot be written.
pub fn replay(
    config: &Config,
    recordings: &[PathBuf],
    agents: &[PathBuf],
    out: &mut impl Write,
) -> anyhow::Result<Replayed> {
    let mut replay = Replay::new(config.agent_settings())?;
    for file in agents {
        add(&mut replay, file).with_context(|| format!("{}", file.display()))?;
    }
    let mut playback = Playback::default();
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut replayed = Replayed {
        messages: 0,
        markets: 0,
        actions: 0,
        failures: 0,
        unreadable: 0,
        digest: String::new(),
    };
    let mut written = Ok(());
    let mut did = Vec::new();
    for file in recordings {
        let played = playback.file(file, |message, received| {
            replayed.messages += 1;
            replayed.markets += u64::from(matches!(message, Message::Market(_)));
            replay.hear(&message, received, &mut |at, agent, what| {
                did.push((at, agent.clone(), what));
            });
            for (at, agent, what) in did.drain(..) {
                let line = line(at, &agent, &what, replay.cache());
                sum.update(line.as_bytes());
                match what {
                    Did::Action(_) => replayed.actions += 1,
                    Did::Fault(_) | Did::NotStarted(_) => replayed.failures += 1,
                }
                if written.is_ok() {
                    // What came before the message was due by itself.
                    let cause = if at < received { "timer".to_owned() } else { cause(&message) };
                    written = writeln!(out, "{line}  <- {cause}");
                }
            }
        });
        played.with_context(|| format!("{}", file.display()))?;
    }
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            return Err(error).context("cannot write what was played");
        }
        Ok(()) | Err(_) => {}
    }
    replayed.unreadable = playback.unreadable;
    ensure!(
        replayed.messages > 0,
        "nothing in the recordings can be played ({} lines cannot be read): were they made by \
         `hotpit record`, or a run with `[recording]`?",
        replayed.unreadable
    );
    for byte in sum.finish().as_ref() {
        // Writing to a string does not fail.
        let _ = write!(replayed.digest, "{byte:02x}");
    }
    Ok(replayed)
}

fn add(replay: &mut Replay, file: &Path) -> anyhow::Result<()> {
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(!name.is_empty(), "it has no name");
    let wasm = std::fs::read(file).context("cannot be read")?;
    let options = match std::fs::read_to_string(file.with_extension("toml")) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).context("the options beside it cannot be read"),
    };
    Ok(replay.add(AgentId::from(name), &wasm, options.as_deref())?)
}

/// One thing that an agent did, the same on every machine.
fn line(at: Timestamp, agent: &AgentId, did: &Did, cache: &Cache) -> String {
    let what = match did {
        Did::Action(action) => describe(action, cache),
        Did::Fault(reason) => format!("FAULT {reason}"),
        Did::NotStarted(reason) => format!("does not start: {reason}"),
    };
    let at = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3} {agent} {what}")
}

fn describe(action: &Action, cache: &Cache) -> String {
    let ticker = |id: MarketId| {
        cache.market(id).map_or_else(|| format!("market {}", id.0), |it| it.ticker.to_string())
    };
    match action {
        Action::Place(order) => place(order, &ticker(order.market)),
        Action::Cancel(id) => format!("cancel order {}", id.0),
        Action::CancelAll(Some(market)) => format!("cancel all in {}", ticker(*market)),
        Action::CancelAll(None) => "cancel all".to_owned(),
        Action::WakeAt(at) => format!("wake at {} ns", at.as_nanos()),
    }
}

fn place(order: &NewOrder, ticker: &str) -> String {
    let NewOrder { order, side, price, quantity, time_in_force, post_only, expires, .. } = order;
    let verb = match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    };
    let mut text = format!("{verb} {quantity} {ticker} at {price}, ");
    text.push_str(match time_in_force {
        TimeInForce::GoodTillCanceled => "good till canceled",
        TimeInForce::ImmediateOrCancel => "immediate or cancel",
        TimeInForce::FillOrKill => "fill or kill",
    });
    if *post_only {
        text.push_str(", post only");
    }
    if let Some(at) = expires {
        text.push_str(&format!(", expires at {} ns", at.as_nanos()));
    }
    text.push_str(&format!(", order {}", order.0));
    text
}

/// What an action answers, in a few words.
fn cause(message: &Message) -> String {
    match message {
        Message::Market(market) => format!("market {}", market.ticker),
        Message::Snapshot(book) => format!("book of {}", book.ticker),
        Message::Delta(it) => {
            format!("{} level {} of {} by {}", it.side, it.price, it.ticker, it.delta)
        }
        Message::Stale(stale) => format!("stale: {}", stale.reason),
        Message::Trade(it) => format!("trade of {} {} at {}", it.quantity, it.ticker, it.price),
        Message::Statistics(it) => format!("statistics of {}", it.ticker),
        Message::BoardRead(board) => format!("scoreboard of {}", board.league.0),
        Message::Proof(_) => "proof of the books".to_owned(),
        Message::GameInfo(info) => format!("game {}", info.espn_id),
        Message::Game(game) => {
            format!("game {}: {} to {}", game.espn_id, game.home_score, game.away_score)
        }
    }
}
