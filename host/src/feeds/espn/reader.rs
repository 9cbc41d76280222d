//! [`Reader`]: what is known of one league, and what a reading changes. Pure: bodies and
//! milestones go in, messages come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::league::LeagueFacts;
use super::mapping::{Milestone, map_games};
use super::pace::{Pace, pace};
use super::scoreboard::{Scoreboard, Shown, parse};
use super::settings::Settings;
use crate::bus::Message;
use crate::model::{Game, GameInfo, GameStatus, Market};

/// After this long nothing is asked of a milestone any more.
const LONG_OVER: Duration = Duration::from_secs(3 * 86_400);

/// What is known of one league.
#[derive(Debug)]
pub(super) struct Reader {
    facts: &'static LeagueFacts,
    /// The games of the last board, and those before that are still published.
    games: BTreeMap<Arc<str>, Known>,
    /// By their id. One that Kalshi no longer lists stays: its game stays mapped.
    milestones: BTreeMap<String, Milestone>,
    /// The markets that the games were mapped with last; none if games or milestones are newer.
    mapped_with: Option<Vec<Arc<Market>>>,
    /// Events that could not be read on the last board.
    skipped: BTreeSet<Option<String>>,
}

#[derive(Debug)]
struct Known {
    info: Arc<GameInfo>,
    game: Option<Game>,
    /// Whether it is on the last board.
    shown: bool,
    events: Vec<Arc<str>>,
}

impl Reader {
    pub(super) fn new(facts: &'static LeagueFacts) -> Self {
        Self {
            facts,
            games: BTreeMap::new(),
            milestones: BTreeMap::new(),
            mapped_with: None,
            skipped: BTreeSet::new(),
        }
    }

    /// Takes in a board; the messages for what it changes.
    pub(super) fn board(
        &mut self,
        body: &[u8],
        received: Timestamp,
    ) -> Result<Vec<Message>, serde_json::Error> {
        let Scoreboard { games, skipped } = parse(body, self.facts, received)?;
        for skipped in &skipped {
            if !self.skipped.contains(&skipped.espn_id) {
                let (league, missing) = (self.facts.name, skipped.missing);
                tracing::warn!(league, event = ?skipped.espn_id, missing, "event cannot be read");
            }
        }
        self.skipped = skipped.into_iter().map(|skipped| skipped.espn_id).collect();
        for known in self.games.values_mut() {
            known.shown = false;
        }
        let mut messages = vec![];
        for shown in games {
            self.show(shown, &mut messages);
        }
        for known in self.games.values_mut().filter(|known| !known.shown && !known.is_over()) {
            // It was being played and is on the board no more: nobody knows how it stands.
            if let Some(game) = known.game.as_mut().filter(|it| it.status != GameStatus::Unknown) {
                game.status = GameStatus::Unknown;
                game.situation = None;
                game.ts = received;
                messages.push(Message::Game(game.clone()));
            }
        }
        // A game that has left the board and is over will not come back.
        self.games.retain(|_, known| {
            known.shown || (!known.is_over() && received.since(known.info.start) < LONG_OVER)
        });
        self.mapped_with = None;
        Ok(messages)
    }

    fn show(&mut self, Shown { mut info, game }: Shown, messages: &mut Vec<Message>) {
        let known = match self.games.get_mut(&info.espn_id) {
            Some(known) => {
                info.markets.clone_from(&known.info.markets);
                if *known.info != info {
                    known.info = Arc::new(info);
                    messages.push(Message::GameInfo(Arc::clone(&known.info)));
                }
                known
            }
            None => {
                let espn_id = Arc::clone(&info.espn_id);
                let info = Arc::new(info);
                messages.push(Message::GameInfo(Arc::clone(&info)));
                let known = Known { info, game: None, shown: true, events: vec![] };
                self.games.entry(espn_id).or_insert(known)
            }
        };
        known.shown = true;
        let Some(game) = game else { return };
        let is_same = |before: &Game| Game { ts: game.ts, ..before.clone() } == game;
        if !known.game.as_ref().is_some_and(is_same) {
            known.game = Some(game.clone());
            messages.push(Message::Game(game));
        }
    }

    /// Takes in what Kalshi says of the league.
    pub(super) fn milestones(&mut self, milestones: Vec<Milestone>, now: Timestamp) {
        self.milestones.retain(|_, milestone| now.since(milestone.start) < LONG_OVER);
        for milestone in milestones {
            self.milestones.insert(milestone.id.clone(), milestone);
        }
        self.mapped_with = None;
    }

    /// Whether there is a game whose events are not known and that is not over.
    pub(super) fn has_unmapped(&self) -> bool {
        self.games.values().any(|known| known.events.is_empty() && !known.is_over())
    }

    /// Maps the games anew, where anything is new; the messages for what that changes.
    pub(super) fn map(&mut self, markets: Vec<Arc<Market>>) -> Vec<Message> {
        let is_same = |(left, right): (&Arc<Market>, &Arc<Market>)| Arc::ptr_eq(left, right);
        if let Some(before) = &self.mapped_with
            && before.len() == markets.len()
            && before.iter().zip(&markets).all(is_same)
        {
            return vec![];
        }
        let milestones: Vec<Milestone> = self.milestones.values().cloned().collect();
        let infos: Vec<GameInfo> = self.games.values().map(|known| (*known.info).clone()).collect();
        let mapped = map_games(self.facts, &infos, &milestones, &markets);
        self.mapped_with = Some(markets);
        let mut mapped: BTreeMap<_, _> =
            mapped.into_iter().map(|mapped| (Arc::clone(&mapped.espn_id), mapped)).collect();
        let mut messages = vec![];
        for (espn_id, known) in &mut self.games {
            let mapped = mapped.remove(espn_id);
            let (events, markets) =
                mapped.map(|mapped| (mapped.events, mapped.markets)).unwrap_or_default();
            if known.events != events {
                let (league, game) = (self.facts.name, &known.info);
                let (away, home) = (&game.away.abbreviation, &game.home.abbreviation);
                tracing::info!(league, %espn_id, %away, %home, ?events, "game mapped");
                known.events = events;
            }
            if known.info.markets != markets {
                known.info = Arc::new(GameInfo { markets, ..(*known.info).clone() });
                messages.push(Message::GameInfo(Arc::clone(&known.info)));
            }
        }
        messages
    }

    /// The events of the games that are mapped.
    pub(super) fn events(&self) -> BTreeSet<Arc<str>> {
        self.games.values().flat_map(|known| known.events.iter().cloned()).collect()
    }

    /// How many games there are, and how many of them are mapped.
    pub(super) fn counts(&self) -> (usize, usize) {
        let mapped = self.games.values().filter(|known| !known.events.is_empty()).count();
        (self.games.len(), mapped)
    }

    /// What goes on, and how long until the next reading.
    pub(super) fn pace(&self, now: Timestamp, settings: &Settings) -> (Pace, Duration) {
        let shown = self.games.values().filter(|known| known.shown);
        let games = shown.map(|known| {
            let status = known.game.as_ref().map_or(GameStatus::Unknown, |game| game.status);
            (status, known.info.start)
        });
        pace(games, now, settings)
    }
}

impl Known {
    fn is_over(&self) -> bool {
        self.game.as_ref().is_some_and(|game| match game.status {
            GameStatus::Final | GameStatus::Canceled | GameStatus::Postponed => true,
            GameStatus::Scheduled
            | GameStatus::InProgress
            | GameStatus::Halftime
            | GameStatus::EndOfPeriod
            | GameStatus::Delayed
            | GameStatus::Suspended
            | GameStatus::Unknown => false,
        })
    }
}
