//! [`Reader`]: what is known of one league, and what a reading changes. Pure: bodies and
//! milestones go in, messages come out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;

use super::league::LeagueFacts;
use super::mapping::{Doubt, Mapped, Milestone, map_games};
use super::pace::{Pace, pace};
use super::scoreboard::{Scoreboard, Shown, parse};
use super::settings::Settings;
use crate::bus::Message;
use crate::model::{Game, GameInfo, GameStatus, Market};
use crate::streams::eastern;

/// How long after its start a game may go on.
const GOES_ON_MAX: Duration = Duration::from_secs(86_400);

/// After this long nothing is asked of a milestone any more.
const LONG_OVER: Duration = Duration::from_secs(3 * 86_400);

/// What is known of one league.
#[derive(Debug)]
pub(super) struct Reader {
    facts: &'static LeagueFacts,
    /// The games of the last boards, and those before that are still published.
    games: BTreeMap<Arc<str>, Known>,
    /// By their id. One that Kalshi no longer lists stays: its game stays mapped.
    milestones: BTreeMap<String, Milestone>,
    /// The markets that the games were mapped with last; none if games or milestones are newer.
    mapped_with: Option<Vec<Arc<Market>>>,
    /// Events that could not be read on the last boards.
    skipped: BTreeSet<Option<String>>,
}

#[derive(Debug)]
struct Known {
    info: Arc<GameInfo>,
    game: Option<Game>,
    /// The board that it is on; none: it is on none.
    shown_on: Option<Board>,
    /// Its events, or why it has none.
    mapped: Result<Vec<Arc<str>>, Doubt>,
}

/// A scoreboard of a league.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Board {
    /// The one that ESPN shows by itself.
    Default,
    /// That of a day, as `dates=` takes it: `20261126`.
    Day(String),
}

/// The day on whose board a game is: ESPN's days are those of Eastern Time.
fn day(start: Timestamp) -> Option<Board> {
    let secs = i64::try_from(start.as_secs()).ok()?;
    let start = jiff::Timestamp::from_second(secs).ok()?.to_zoned(eastern()?);
    Some(Board::Day(start.strftime("%Y%m%d").to_string()))
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

    /// Takes in a board; the messages for what it changes. [`settle`](Self::settle) belongs after
    /// the last one.
    pub(super) fn board(
        &mut self,
        board: &Board,
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
        if *board == Board::Default {
            self.skipped.clear();
        }
        self.skipped.extend(skipped.into_iter().map(|skipped| skipped.espn_id));
        for known in self.games.values_mut().filter(|known| known.shown_on.as_ref() == Some(board))
        {
            known.shown_on = None;
        }
        let mut messages = vec![];
        for shown in games {
            self.show(board, shown, received, &mut messages);
        }
        self.mapped_with = None;
        Ok(messages)
    }

    /// The boards of days on which games began that may go on, and that the default board has
    /// left: it turns to the next day while they are played.
    pub(super) fn other_boards(&self, now: Timestamp) -> BTreeSet<Board> {
        let may_go_on = |known: &&Known| {
            let since = now.since(known.info.start);
            known.shown_on != Some(Board::Default)
                && !known.is_over()
                && !since.is_zero()
                && since < GOES_ON_MAX
        };
        self.games.values().filter(may_go_on).filter_map(|known| day(known.info.start)).collect()
    }

    /// After the boards: the messages for games that none of them shows.
    pub(super) fn settle(&mut self, received: Timestamp) -> Vec<Message> {
        let mut messages = vec![];
        let is_lost = |known: &&mut Known| known.shown_on.is_none() && !known.is_over();
        for known in self.games.values_mut().filter(is_lost) {
            // It was being played and is on no board any more: nobody knows how it stands.
            messages.extend(known.unknown(received));
        }
        // A game that has left the boards and is over will not come back.
        self.games.retain(|_, known| {
            let is_long_over = received.since(known.info.start) >= LONG_OVER;
            known.shown_on.is_some() || (!known.is_over() && !is_long_over)
        });
        messages
    }

    fn show(
        &mut self,
        board: &Board,
        Shown { mut info, game }: Shown,
        received: Timestamp,
        messages: &mut Vec<Message>,
    ) {
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
                let known =
                    Known { info, game: None, shown_on: None, mapped: Err(Doubt::NoMilestone) };
                self.games.entry(espn_id).or_insert(known)
            }
        };
        known.shown_on = Some(board.clone());
        let Some(game) = game else {
            // It is played, and the score is not said.
            messages.extend(known.unknown(received));
            return;
        };
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
        self.games.values().any(|known| known.mapped.is_err() && !known.is_over())
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
        let mut messages = vec![];
        // Both are in the order of the games' ids.
        for (known, mapped) in self.games.values_mut().zip(mapped) {
            let (mapped, markets) = match mapped {
                Ok(Mapped { events, markets, .. }) => (Ok(events), markets),
                Err(doubt) => (Err(doubt), vec![]),
            };
            if known.mapped != mapped {
                known.tell(self.facts, &mapped);
                known.mapped = mapped;
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
        self.games.values().flat_map(|known| known.mapped.iter().flatten().cloned()).collect()
    }

    /// How many games there are, how many of them are mapped, and why the others are not: those
    /// that are over, apart.
    pub(super) fn counts(&self) -> (usize, usize, BTreeMap<Doubt, usize>) {
        let mapped = self.games.values().filter(|known| known.mapped.is_ok()).count();
        let mut doubts = BTreeMap::new();
        for known in self.games.values().filter(|known| !known.is_over()) {
            if let Err(doubt) = known.mapped {
                *doubts.entry(doubt).or_default() += 1;
            }
        }
        (self.games.len(), mapped, doubts)
    }

    /// What goes on, and how long until the next reading.
    pub(super) fn pace(&self, now: Timestamp, settings: &Settings) -> (Pace, Duration) {
        let shown = self.games.values().filter(|known| known.shown_on.is_some());
        let games = shown.map(|known| {
            let status = known.game.as_ref().map_or(GameStatus::Unknown, |game| game.status);
            (status, known.info.start)
        });
        pace(games, now, settings)
    }
}

impl Known {
    /// Says that nobody knows how it stands; none if that was said, or nothing ever.
    fn unknown(&mut self, received: Timestamp) -> Option<Message> {
        let game = self.game.as_mut().filter(|game| game.status != GameStatus::Unknown)?;
        game.status = GameStatus::Unknown;
        game.situation = None;
        game.ts = received;
        Some(Message::Game(game.clone()))
    }

    fn tell(&self, facts: &LeagueFacts, mapped: &Result<Vec<Arc<str>>, Doubt>) {
        let league = facts.name;
        let GameInfo { espn_id, away, home, .. } = &*self.info;
        let (away, home) = (&away.abbreviation, &home.abbreviation);
        match mapped {
            Ok(events) => tracing::info!(league, %espn_id, %away, %home, ?events, "game mapped"),
            Err(doubt) => {
                let reason = doubt.name();
                tracing::info!(league, %espn_id, %away, %home, reason, "game is on no market");
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::feeds::espn::LEAGUES;

    /// 20:20 on September 9 in New York.
    const START: &str = "2026-09-10T00:20Z";

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_secs(1_788_999_600 + hours * 3_600)
    }

    fn event(name: &str, score: Option<&str>) -> Value {
        let team = |place: &str, location: &str| {
            json!({"homeAway": place, "score": score,
                   "team": {"location": location, "displayName": location}})
        };
        json!({"id": "401", "date": START,
            "status": {"clock": 60, "period": 1, "type": {"name": name,
                       "completed": name == "STATUS_FINAL"}},
            "competitions": [{"situation": {"down": 1},
                              "competitors": [team("home", "Seattle"), team("away", "Boston")]}]})
    }

    /// Reads a board and settles; the states that it gives.
    fn read(reader: &mut Reader, board: &Board, events: &[Value], now: Timestamp) -> Vec<Game> {
        let body = json!({ "events": events }).to_string();
        let mut messages = reader.board(board, body.as_bytes(), now).unwrap();
        if *board != Board::Default || reader.other_boards(now).is_empty() {
            messages.extend(reader.settle(now));
        }
        let games = messages.into_iter().filter_map(|message| match message {
            Message::Game(game) => Some(game),
            _ => None,
        });
        games.collect()
    }

    fn statuses(games: &[Game]) -> Vec<GameStatus> {
        games.iter().map(|game| game.status).collect()
    }

    #[test]
    fn a_game_that_goes_on_after_the_board_has_turned_is_read_on_the_board_of_its_day() {
        let mut reader = Reader::new(&LEAGUES[0]);
        let live = |score| event("STATUS_IN_PROGRESS", Some(score));
        let games = read(&mut reader, &Board::Default, &[live("3")], at(3));
        assert_eq!(statuses(&games), [GameStatus::InProgress]);
        assert_eq!(reader.other_boards(at(3)), BTreeSet::new());

        assert_eq!(read(&mut reader, &Board::Default, &[], at(4)), []);
        let day = Board::Day("20260909".to_owned());
        assert_eq!(reader.other_boards(at(4)), BTreeSet::from([day.clone()]));
        let games = read(&mut reader, &day, &[live("10")], at(4));
        assert_eq!((games[0].status, games[0].home_score), (GameStatus::InProgress, 10));
        // The default board still knows nothing of it, and that is no news.
        assert_eq!(read(&mut reader, &Board::Default, &[], at(4)), []);
        let games = read(&mut reader, &day, &[event("STATUS_FINAL", Some("13"))], at(5));
        assert_eq!(statuses(&games), [GameStatus::Final]);
        assert_eq!(reader.other_boards(at(5)), BTreeSet::new(), "it is over");
    }

    #[test]
    fn a_game_that_is_on_no_board_or_without_a_score_is_unknown() {
        let mut reader = Reader::new(&LEAGUES[0]);
        let live = event("STATUS_IN_PROGRESS", Some("3"));
        read(&mut reader, &Board::Default, std::slice::from_ref(&live), at(1));
        let without = event("STATUS_IN_PROGRESS", None);
        let games = read(&mut reader, &Board::Default, std::slice::from_ref(&without), at(1));
        assert_eq!(statuses(&games), [GameStatus::Unknown]);
        assert_eq!(games[0].situation, None, "what is not known is not shown as if it were");
        assert_eq!(read(&mut reader, &Board::Default, &[without], at(1)), []);
        let games = read(&mut reader, &Board::Default, &[live], at(1));
        assert_eq!(statuses(&games), [GameStatus::InProgress]);
        assert!(games[0].situation.is_some());

        read(&mut reader, &Board::Default, &[], at(2));
        let day = reader.other_boards(at(2)).pop_first().unwrap();
        let games = read(&mut reader, &day, &[], at(2));
        assert_eq!(statuses(&games), [GameStatus::Unknown]);
        assert_eq!(reader.other_boards(at(23)).len(), 1, "it may come back");
        assert_eq!(reader.other_boards(at(24)), BTreeSet::new(), "nothing goes on for a day");
    }

    #[test]
    fn why_games_are_on_no_market_is_counted_until_they_are_over() {
        let mut reader = Reader::new(&LEAGUES[0]);
        let live = event("STATUS_IN_PROGRESS", Some("3"));
        read(&mut reader, &Board::Default, &[live], at(1));
        assert!(reader.map(vec![]).is_empty());
        assert_eq!(reader.counts(), (1, 0, BTreeMap::from([(Doubt::NoMilestone, 1)])));
        assert!(reader.has_unmapped());
        read(&mut reader, &Board::Default, &[event("STATUS_FINAL", Some("3"))], at(1));
        reader.map(vec![]);
        assert_eq!(reader.counts(), (1, 0, BTreeMap::new()));
        assert!(!reader.has_unmapped());
    }
}
