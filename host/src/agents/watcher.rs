//! The watcher: follows the agents' folder and reports whole, settled contents. It reads files;
//! what they mean is decided by [`super::folder`].

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotpit_rt::Clock;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{Notify, mpsc};
use tracing::{error, info, warn};

use super::folder::{Kind, Look, Looker, Stamp, Stamps, agent_of};
use super::loader::parse;
use crate::model::AgentId;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The files of an agent are these now.
    Files { agent: AgentId, wasm: Arc<[u8]>, toml: Option<String> },
    /// There is a file, but it cannot even be read.
    Unreadable { agent: AgentId, reason: String },
    /// The agent's file is gone.
    Gone { agent: AgentId },
}

/// How the folder is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) folder: PathBuf,
    pub(crate) settle: Duration,
    pub(crate) rescan: Duration,
    pub(crate) bytes_max: u64,
}

impl Watch {
    /// Watches until nobody listens.
    pub(crate) async fn run(self, clock: Clock, found: mpsc::Sender<Found>) {
        let hint = Arc::new(Notify::new());
        let mut looker = Looker::default();
        let mut watcher = None;
        let mut watched = None;
        loop {
            // A folder that is gone, or is another one of the same name, took its watch with it.
            let inode = fs::metadata(&self.folder).ok().map(|folder| folder.ino());
            if watcher.is_none() || inode != watched {
                watcher = inode.and_then(|_| self.watch(&hint));
                watched = inode;
            }
            let watch = self.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let looked = watch.look(&mut looker, clock);
                (looker, looked)
            });
            let Ok((back, looked)) = looked.await else {
                error!("the look at the agents' folder panicked: it is watched no more");
                return;
            };
            looker = back;
            let again = match looked {
                Ok((all, again)) => {
                    for one in all {
                        if found.send(one).await.is_err() {
                            return;
                        }
                    }
                    again
                }
                Err(error) => {
                    warn!(folder = %self.folder.display(), %error, "agents' folder cannot be read");
                    None
                }
            };
            tokio::select! {
                () = tokio::time::sleep(again.unwrap_or(self.rescan)) => {}
                // Not while a look is due anyway: a file that is being written hints all the time.
                () = hint.notified(), if again.is_none() => tokio::time::sleep(self.settle).await,
                () = found.closed() => return,
            }
        }
    }

    fn watch(&self, hint: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let hint = Arc::clone(hint);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Whatever happened is a reason to look, errors and overflows above all; except that
            // somebody looked, which we do ourselves.
            let is_look = event.is_ok_and(|event| match event.kind {
                EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
                kind => kind.is_access(),
            });
            if !is_look {
                hint.notify_one();
            }
        });
        let watched = watcher.and_then(|mut watcher| {
            watcher.watch(&self.folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watched {
            Ok(watcher) => {
                info!(folder = %self.folder.display(), "watching for agents");
                Some(watcher)
            }
            Err(error) => {
                let folder = self.folder.display();
                warn!(%folder, %error, "no word of changes in the agents' folder: looking now and then");
                None
            }
        }
    }

    fn look(
        &self,
        looker: &mut Looker,
        clock: Clock,
    ) -> io::Result<(Vec<Found>, Option<Duration>)> {
        let listing = list(&self.folder)?;
        let (looks, mut again) = looker.look(&listing, clock.now());
        let mut all = vec![];
        for (agent, look) in looks {
            match look {
                Look::Gone => all.push(Found::Gone { agent }),
                Look::Read { settled } => {
                    let seen = listing.get(&agent).copied().unwrap_or_default();
                    match self.read(&agent, seen, settled) {
                        Some(one) => {
                            looker.taken(&agent, seen);
                            all.push(one);
                        }
                        None => again = Some(Looker::retry()),
                    }
                }
            }
        }
        Ok((all, again))
    }

    /// Reads an agent's files; none if they are still being written.
    fn read(&self, agent: &AgentId, seen: Stamps, settled: bool) -> Option<Found> {
        let unreadable = |reason| Some(Found::Unreadable { agent: agent.clone(), reason });
        let bytes = seen.wasm.map_or(0, |stamp| stamp.bytes);
        if bytes > self.bytes_max {
            let limit = self.bytes_max;
            let reason = format!("the file has {bytes} bytes, the limit is {limit}");
            return settled.then(|| unreadable(reason))?;
        }
        let (wasm_path, toml_path) = paths(&self.folder, agent);
        let read = || -> io::Result<(Vec<u8>, Option<String>)> {
            let wasm = fs::read(&wasm_path)?;
            // Settings that cannot be read are no reason to do without them.
            let toml =
                seen.toml.map(|_| fs::read_to_string(&toml_path)).transpose().map_err(|error| {
                    io::Error::other(format!("its settings {}: {error}", toml_path.display()))
                })?;
            Ok((wasm, toml))
        };
        let (wasm, toml) = match read() {
            Ok(read) => read,
            Err(error) if settled => return unreadable(format!("cannot be read: {error}")),
            Err(_) => return None,
        };
        let now = Stamps { wasm: stamp(&wasm_path), toml: stamp_of_settings(&toml_path) };
        if now != seen || (!settled && parse(&wasm).is_err()) {
            return None;
        }
        Some(Found::Files { agent: agent.clone(), wasm: wasm.into(), toml })
    }
}

fn paths(folder: &Path, agent: &AgentId) -> (PathBuf, PathBuf) {
    (folder.join(format!("{agent}.wasm")), folder.join(format!("{agent}.toml")))
}

fn list(folder: &Path) -> io::Result<BTreeMap<AgentId, Stamps>> {
    let mut listing: BTreeMap<AgentId, Stamps> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Who deletes the folder deletes the agents in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some((agent, kind)) = entry.file_name().to_str().and_then(agent_of) else { continue };
        let stamp = match kind {
            Kind::Wasm => stamp(&entry.path()),
            Kind::Toml => stamp_of_settings(&entry.path()),
        };
        let Some(stamp) = stamp else { continue };
        let stamps = listing.entry(agent).or_default();
        match kind {
            Kind::Wasm => stamps.wasm = Some(stamp),
            Kind::Toml => stamps.toml = Some(stamp),
        }
    }
    Ok(listing)
}

/// The stamp of a file; none if there is no file.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(stamp_from(&metadata))
}

/// The stamp of whatever bears the name of settings: a link to nowhere is settings that cannot be
/// read, not settings that are not there.
fn stamp_of_settings(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).or_else(|_| fs::symlink_metadata(path)).ok()?;
    Some(stamp_from(&metadata))
}

fn stamp_from(metadata: &fs::Metadata) -> Stamp {
    Stamp { bytes: metadata.len(), modified: metadata.modified().ok(), inode: metadata.ino() }
}
