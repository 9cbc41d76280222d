//! Games, by handle.

use std::collections::BTreeMap;
use std::sync::Arc;

use hotpit_units::Timestamp;

use crate::bus::BoardRead;
use crate::model::{Game, GameId, GameInfo, League};

/// All games. Grows, never shrinks: a handle stays good for the run.
#[derive(Debug, Default)]
pub(super) struct Games {
    ids: BTreeMap<Arc<str>, GameId>,
    slots: Vec<Slot>,
    /// The game of each market that is on one.
    of_market: BTreeMap<Arc<str>, GameId>,
    boards: BTreeMap<League, Timestamp>,
}

#[derive(Debug, Default)]
struct Slot {
    info: Option<Arc<GameInfo>>,
    game: Option<Game>,
}

impl Games {
    pub(super) fn board_was_read(&mut self, board: &BoardRead, now: Timestamp) {
        self.boards.insert(board.league.clone(), board.at.min(now));
    }

    pub(super) fn board_read(&self, league: &League) -> Option<Timestamp> {
        self.boards.get(league).copied()
    }

    pub(super) fn id(&self, espn_id: &str) -> Option<GameId> {
        self.ids.get(espn_id).copied()
    }

    pub(super) fn info(&self, id: GameId) -> Option<Arc<GameInfo>> {
        self.slot(id)?.info.clone()
    }

    pub(super) fn game(&self, id: GameId) -> Option<Game> {
        self.slot(id)?.game.clone()
    }

    pub(super) fn of_market(&self, ticker: &str) -> Option<GameId> {
        self.of_market.get(ticker).copied()
    }

    /// The described games of a league, ascending.
    pub(super) fn of_league(&self, league: &League) -> Vec<GameId> {
        let is_of = |id: &GameId| {
            let info = self.slot(*id).and_then(|slot| slot.info.as_ref());
            info.is_some_and(|info| info.league == *league)
        };
        let mut ids: Vec<GameId> = self.ids.values().copied().filter(is_of).collect();
        ids.sort_unstable();
        ids
    }

    /// The markets on the games of a league.
    pub(super) fn markets_of(&self, league: &League) -> Vec<Arc<str>> {
        let infos = self.slots.iter().filter_map(|slot| slot.info.as_ref());
        infos
            .filter(|info| info.league == *league)
            .flat_map(|info| info.markets.iter().map(|market| Arc::clone(&market.ticker)))
            .collect()
    }

    /// Takes in what is known of a game; whether that is news.
    pub(super) fn describe(&mut self, info: &Arc<GameInfo>) -> (GameId, bool) {
        let id = self.intern(&info.espn_id);
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return (id, false) };
        let before = slot.info.replace(Arc::clone(info));
        if before.as_deref() == Some(&**info) {
            return (id, false);
        }
        for market in before.iter().flat_map(|before| &before.markets) {
            if self.of_market.get(&market.ticker) == Some(&id) {
                self.of_market.remove(&market.ticker);
            }
        }
        for market in &info.markets {
            self.of_market.insert(Arc::clone(&market.ticker), id);
        }
        (id, true)
    }

    /// Takes in the state of a game; whether that is news. The time of a state is not news.
    pub(super) fn update(&mut self, game: &Game) -> (GameId, bool) {
        let id = self.intern(&game.espn_id);
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return (id, false) };
        let before = slot.game.replace(game.clone());
        (id, before.is_none_or(|before| Game { ts: game.ts, ..before } != *game))
    }

    fn slot(&self, id: GameId) -> Option<&Slot> {
        self.slots.get(id.0 as usize)
    }

    fn intern(&mut self, espn_id: &Arc<str>) -> GameId {
        if let Some(id) = self.id(espn_id) {
            return id;
        }
        #[expect(clippy::expect_used, reason = "4 billion slots do not fit into memory")]
        let id = GameId(u32::try_from(self.slots.len()).expect("fewer than 2^32 games"));
        self.slots.push(Slot::default());
        self.ids.insert(Arc::clone(espn_id), id);
        id
    }
}
