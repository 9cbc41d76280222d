//! [`Looker`]: what a look at the agents' folder means. Pure: listings and the time go in, what
//! to read comes out. Every event of the file system is only a reason to look.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use hotpit_units::Timestamp;

use crate::model::AgentId;

/// A file that cannot be parsed is taken as it is once it has not changed for this long: it is
/// not being written any more, and somebody should be told. Changed settings are taken no sooner:
/// half of a file, and an empty one, are settings too, and looser ones.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// A file must be gone for this long: some editors and build tools delete before they write.
const GONE_AFTER: Duration = Duration::from_millis(100);

/// How soon to look again while something is going on.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// The longest name of an agent.
const NAME_MAX: usize = 64;

/// What tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) inode: u64,
}

/// The two files of an agent at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamps {
    pub(crate) wasm: Option<Stamp>,
    pub(crate) toml: Option<Stamp>,
}

/// What a look means for one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// Its files are new or changed: read them, and say with [`Looker::taken`] that they were
    /// taken. `settled`: take them even if they cannot be parsed.
    Read { settled: bool },
    /// It is gone.
    Gone,
}

/// Remembers what was taken.
#[derive(Debug, Default)]
pub(crate) struct Looker {
    known: BTreeMap<AgentId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    taken: Option<Stamps>,
    /// What was seen last, and since when it has been like that.
    seen: Stamps,
    since: Timestamp,
}

impl Known {
    /// Whether the settings may be half written, or away for the moment.
    fn may_be_half(&self, stamps: &Stamps) -> bool {
        let changed = self.taken.is_some_and(|taken| taken.toml != stamps.toml);
        changed || stamps.toml.is_some_and(|stamp| stamp.bytes == 0)
    }
}

impl Looker {
    /// Looks at a listing. Gives what to do, and when to look again if something is going on.
    pub(crate) fn look(
        &mut self,
        listing: &BTreeMap<AgentId, Stamps>,
        now: Timestamp,
    ) -> (Vec<(AgentId, Look)>, Option<Duration>) {
        for (agent, stamps) in listing {
            if stamps.wasm.is_some() {
                self.known.entry(agent.clone()).or_default();
            }
        }
        let mut looks = vec![];
        let mut again = None;
        for (agent, known) in &mut self.known {
            let stamps = listing.get(agent).copied().unwrap_or_default();
            if known.seen != stamps {
                known.seen = stamps;
                known.since = now;
            }
            let age = now.since(known.since);
            if known.taken == Some(stamps) {
                continue;
            }
            let settled = age >= SETTLED_AFTER;
            if stamps.wasm.is_some() && known.may_be_half(&stamps) && !settled {
                again = Some(LOOK_AGAIN);
            } else if stamps.wasm.is_some() {
                looks.push((agent.clone(), Look::Read { settled }));
            } else if age >= GONE_AFTER {
                looks.push((agent.clone(), Look::Gone));
            } else {
                again = Some(LOOK_AGAIN);
            }
        }
        for (agent, look) in &looks {
            if *look == Look::Gone {
                self.known.remove(agent);
            }
        }
        (looks, again)
    }

    /// The files of an agent were read, and they were these.
    pub(crate) fn taken(&mut self, agent: &AgentId, stamps: Stamps) {
        if let Some(known) = self.known.get_mut(agent) {
            known.taken = Some(stamps);
        }
    }

    /// How soon to look again for files that could not be taken yet.
    pub(crate) fn retry() -> Duration {
        LOOK_AGAIN
    }
}

/// The agent that a file belongs to; none for other files.
pub(crate) fn agent_of(file_name: &str) -> Option<(AgentId, Kind)> {
    let (name, kind) = match file_name.rsplit_once('.')? {
        (name, "wasm") => (name, Kind::Wasm),
        (name, "toml") => (name, Kind::Toml),
        _ => return None,
    };
    let is_fit = |symbol: char| symbol.is_ascii_alphanumeric() || "-_.".contains(symbol);
    let fits = !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.');
    (fits && name.chars().all(is_fit)).then(|| (AgentId::from(name), kind))
}

/// What a file is to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its code.
    Wasm,
    /// Its settings.
    Toml,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_000 + ms)
    }

    fn stamp(bytes: u64) -> Option<Stamp> {
        Some(Stamp { bytes, modified: None, inode: 1 })
    }

    fn listing(wasm: Option<Stamp>, toml: Option<Stamp>) -> BTreeMap<AgentId, Stamps> {
        BTreeMap::from([("a".into(), Stamps { wasm, toml })])
    }

    fn read(settled: bool) -> Vec<(AgentId, Look)> {
        vec![("a".into(), Look::Read { settled })]
    }

    #[test]
    fn a_file_is_read_until_it_was_taken_and_again_when_it_changes() {
        let mut looker = Looker::default();
        let files = listing(stamp(1), None);
        assert_eq!(looker.look(&files, at(0)).0, read(false));
        assert_eq!(looker.look(&files, at(25)).0, read(false));
        looker.taken(&"a".into(), files[&"a".into()]);
        assert_eq!(looker.look(&files, at(50)), (vec![], None));
        assert_eq!(looker.look(&listing(stamp(2), None), at(75)).0, read(false));
    }

    #[test]
    fn settings_that_change_are_taken_when_they_do_not_change_any_more() {
        let mut looker = Looker::default();
        let files = listing(stamp(1), stamp(9));
        assert_eq!(looker.look(&files, at(0)).0, read(false));
        looker.taken(&"a".into(), files[&"a".into()]);
        for (ms, toml) in [(10, None), (20, stamp(0)), (30, stamp(4)), (529, stamp(4))] {
            let looked = looker.look(&listing(stamp(1), toml), at(ms));
            assert_eq!(looked, (vec![], Some(LOOK_AGAIN)), "{ms}");
        }
        assert_eq!(looker.look(&listing(stamp(1), stamp(4)), at(530)).0, read(true));
        let mut new = Looker::default();
        assert_eq!(new.look(&listing(stamp(1), stamp(0)), at(0)), (vec![], Some(LOOK_AGAIN)));
    }

    #[test]
    fn what_does_not_change_any_more_is_settled() {
        let mut looker = Looker::default();
        assert_eq!(looker.look(&listing(stamp(1), None), at(0)).0, read(false));
        assert_eq!(looker.look(&listing(stamp(2), None), at(400)).0, read(false));
        assert_eq!(looker.look(&listing(stamp(2), None), at(899)).0, read(false));
        assert_eq!(looker.look(&listing(stamp(2), None), at(900)).0, read(true));
    }

    #[test]
    fn a_file_is_gone_only_after_a_moment() {
        let mut looker = Looker::default();
        let files = listing(stamp(1), None);
        looker.look(&files, at(0));
        looker.taken(&"a".into(), files[&"a".into()]);
        let none = BTreeMap::new();
        assert_eq!(looker.look(&none, at(10)), (vec![], Some(LOOK_AGAIN)));
        assert_eq!(looker.look(&none, at(110)).0, [("a".into(), Look::Gone)]);
        assert_eq!(looker.look(&none, at(120)), (vec![], None));
    }

    #[test]
    fn a_file_that_comes_back_at_once_was_never_gone() {
        let mut looker = Looker::default();
        let files = listing(stamp(1), None);
        looker.look(&files, at(0));
        looker.taken(&"a".into(), files[&"a".into()]);
        looker.look(&BTreeMap::new(), at(10));
        assert_eq!(looker.look(&files, at(35)), (vec![], None));
    }

    #[test]
    fn settings_without_an_agent_are_nobody() {
        let mut looker = Looker::default();
        assert_eq!(looker.look(&listing(None, stamp(1)), at(0)), (vec![], None));
    }

    #[test]
    fn names_of_files() {
        let cases = [
            ("maker.wasm", Some(("maker", Kind::Wasm))),
            ("maker-2_b.toml", Some(("maker-2_b", Kind::Toml))),
            ("maker.v2.wasm", Some(("maker.v2", Kind::Wasm))),
            (".maker.wasm", None),
            ("maker.wasm.partial", None),
            (".wasm", None),
            ("wasm", None),
            ("ma ker.wasm", None),
        ];
        for (file, expected) in cases {
            let expected = expected.map(|(name, kind)| (AgentId::from(name), kind));
            assert_eq!(agent_of(file), expected, "{file}");
        }
    }
}
