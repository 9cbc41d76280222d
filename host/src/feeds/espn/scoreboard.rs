//! A scoreboard: ESPN's JSON becomes [`GameInfo`] and [`Game`]. Pure.
//!
//! The format is ESPN's own, undocumented, and differs between sports; so nothing that is not
//! needed is looked at, and an event that cannot be read loses itself alone.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::Timestamp;
use serde::Deserialize;

use super::lax::{Array, Flag, Number, Object, Text, Word};
use super::league::LeagueFacts;
use crate::model::{Game, GameInfo, GameStatus, League, Possession, Situation, Team};

/// What a scoreboard shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scoreboard {
    /// The games that could be read, in the order of the board.
    pub games: Vec<Shown>,
    /// Events that could not, each with why.
    pub skipped: Vec<Skipped>,
}

/// A game on a scoreboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Who plays; without markets.
    pub info: GameInfo,
    /// How it stands; none if the board does not say it completely at this moment.
    pub game: Option<Game>,
}

/// An event that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its id, where there is one.
    pub espn_id: Option<String>,
    /// What is missing.
    pub missing: &'static str,
}

/// Reads a scoreboard.
///
/// # Errors
/// When it is not JSON, or not an object with `events`.
pub fn parse(
    body: &[u8],
    facts: &LeagueFacts,
    received: Timestamp,
) -> Result<Scoreboard, serde_json::Error> {
    let board: wire::Board = serde_json::from_slice(body)?;
    let mut scoreboard = Scoreboard::default();
    for event in board.events.0 {
        let Some(event) = event.0 else {
            scoreboard.skipped.push(Skipped { espn_id: None, missing: "an object" });
            continue;
        };
        let espn_id = event.id.0.clone();
        match shown(event, facts, received) {
            Ok(shown) => scoreboard.games.push(shown),
            Err(missing) => scoreboard.skipped.push(Skipped { espn_id, missing }),
        }
    }
    Ok(scoreboard)
}

/// The parts that are looked at.
mod wire {
    use super::{Array, Deserialize, Flag, Number, Object, Text, Word};

    #[derive(Debug, Deserialize)]
    pub(super) struct Board {
        pub(super) events: Array<Object<Event>>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Event {
        pub(super) id: Text,
        pub(super) date: Text,
        pub(super) competitions: Array<Object<Competition>>,
        pub(super) status: Object<Status>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Competition {
        pub(super) competitors: Array<Object<Competitor>>,
        pub(super) status: Object<Status>,
        pub(super) situation: Object<Situation>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    pub(super) struct Situation {
        pub(super) down: Number,
        pub(super) distance: Number,
        pub(super) yard_line: Number,
        /// The id of a team.
        pub(super) possession: Text,
        pub(super) is_red_zone: Word,
        pub(super) home_timeouts: Number,
        pub(super) away_timeouts: Number,
        pub(super) balls: Number,
        pub(super) strikes: Number,
        pub(super) outs: Number,
        pub(super) on_first: Word,
        pub(super) on_second: Word,
        pub(super) on_third: Word,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    pub(super) struct Competitor {
        pub(super) id: Text,
        pub(super) home_away: Text,
        pub(super) score: Number,
        pub(super) team: Object<Team>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    pub(super) struct Team {
        pub(super) abbreviation: Text,
        pub(super) display_name: Text,
        pub(super) location: Text,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    pub(super) struct Status {
        pub(super) clock: Number,
        pub(super) period: Number,
        pub(super) r#type: Object<StatusType>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    pub(super) struct StatusType {
        pub(super) name: Text,
        pub(super) state: Text,
        pub(super) completed: Flag,
        /// Such as `Top 5th`.
        pub(super) detail: Text,
    }
}

fn shown(
    event: wire::Event,
    facts: &LeagueFacts,
    received: Timestamp,
) -> Result<Shown, &'static str> {
    let espn_id: Arc<str> = event.id.0.ok_or("id")?.into();
    let start = event.date.0.and_then(|date| start(&date)).ok_or("date")?;
    let mut competitions = event.competitions.0.into_iter().filter_map(|object| object.0);
    let competition = competitions.next().ok_or("competition")?;
    let (mut home, mut away) = (None, None);
    for competitor in competition.competitors.0.into_iter().filter_map(|object| object.0) {
        let place = match competitor.home_away.0.as_deref() {
            Some("home") => &mut home,
            Some("away") => &mut away,
            Some(_) | None => return Err("homeAway"),
        };
        if place.replace(competitor).is_some() {
            return Err("one team at home and one away");
        }
    }
    let (home, away) = (home.ok_or("home team")?, away.ok_or("away team")?);
    let ids = (home.id.0.clone(), away.id.0.clone());
    let (home_score, home) = team(home)?;
    let (away_score, away) = team(away)?;
    let status = event.status.0.or(competition.status.0).unwrap_or_default();
    let info = GameInfo {
        espn_id: Arc::clone(&espn_id),
        league: League(facts.name.into()),
        home,
        away,
        start,
        periods: facts.periods,
        period_ms: facts.period_ms,
        markets: vec![],
    };
    let is_top = status.r#type.0.as_ref().and_then(|status| is_top_of_inning(&status.detail));
    let situation = competition.situation.0.map(|shown| situation(&shown, &ids));
    let game = state(espn_id, status, (home_score, away_score), facts, received);
    let game = game.map(|game| Game { situation: situation_of(facts, situation, is_top), ..game });
    Ok(Shown { info, game })
}

fn team(competitor: wire::Competitor) -> Result<(Option<u32>, Team), &'static str> {
    let team = competitor.team.0.ok_or("team")?;
    let name = team.display_name.0.ok_or("team.displayName")?;
    let location = team.location.0.unwrap_or_default();
    let abbreviation = team.abbreviation.0.unwrap_or_default();
    Ok((whole(&competitor.score), Team { name, location, abbreviation }))
}

/// How the game stands; none if it is being played and the score is not said.
fn state(
    espn_id: Arc<str>,
    status: wire::Status,
    (home_score, away_score): (Option<u32>, Option<u32>),
    facts: &LeagueFacts,
    ts: Timestamp,
) -> Option<Game> {
    let is_played = |status| {
        matches!(
            status,
            GameStatus::InProgress
                | GameStatus::Halftime
                | GameStatus::EndOfPeriod
                | GameStatus::Final
        )
    };
    let period = whole(&status.period).and_then(|period| u16::try_from(period).ok()).unwrap_or(0);
    let clock = Duration::try_from_secs_f64(status.clock.0.unwrap_or(0.0)).unwrap_or_default();
    let status = game_status(&status.r#type.0.unwrap_or_default());
    if is_played(status) && (home_score.is_none() || away_score.is_none()) {
        return None;
    }
    let left = match status {
        GameStatus::InProgress
        | GameStatus::Delayed
        | GameStatus::Suspended
        | GameStatus::Unknown => facts.left(period, clock),
        // The clock of a period that is over may still show where it stopped.
        GameStatus::Halftime
        | GameStatus::EndOfPeriod
        | GameStatus::Final
        | GameStatus::Scheduled
        | GameStatus::Postponed
        | GameStatus::Canceled => Duration::ZERO,
    };
    let clock_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    let (home_score, away_score) = (home_score.unwrap_or(0), away_score.unwrap_or(0));
    let situation = None;
    Some(Game { espn_id, status, period, clock_ms, home_score, away_score, situation, ts })
}

/// What a board says beyond the score. `ids` are those of the home and the away team.
fn situation(shown: &wire::Situation, ids: &(Option<String>, Option<String>)) -> Situation {
    let number = |number: &Number| whole(number).and_then(|number| u8::try_from(number).ok());
    let possession = shown.possession.0.as_ref();
    let has_ball = |id: &Option<String>| possession.is_some() && id.as_ref() == possession;
    Situation {
        possession: match (has_ball(&ids.0), has_ball(&ids.1)) {
            (true, false) => Some(Possession::Home),
            (false, true) => Some(Possession::Away),
            (false, false) | (true, true) => None,
        },
        // Between plays ESPN has been seen to write down 0 or -1.
        down: number(&shown.down).filter(|down| (1..=4).contains(down)),
        distance: number(&shown.distance),
        yard_line: number(&shown.yard_line).filter(|yards| *yards <= 100),
        red_zone: shown.is_red_zone.0,
        home_timeouts: number(&shown.home_timeouts),
        away_timeouts: number(&shown.away_timeouts),
        balls: number(&shown.balls),
        strikes: number(&shown.strikes),
        outs: number(&shown.outs),
        bases: [shown.on_first.0, shown.on_second.0, shown.on_third.0],
        top_of_inning: None,
    }
}

/// The situation with the half of the inning, which the status alone says; none where nothing is
/// said.
fn situation_of(
    facts: &LeagueFacts,
    situation: Option<Situation>,
    is_top: Option<bool>,
) -> Option<Situation> {
    let top_of_inning = is_top.filter(|_| facts.sport == "baseball");
    let situation = Situation { top_of_inning, ..situation.unwrap_or_default() };
    (situation != Situation::default()).then_some(situation)
}

fn is_top_of_inning(detail: &Text) -> Option<bool> {
    match detail.0.as_deref()?.split_whitespace().next()? {
        "Top" => Some(true),
        "Bot" | "Bottom" => Some(false),
        _ => None,
    }
}

/// ESPN's words for a status. A game is final when ESPN says `completed`, and never because its
/// state is `post`, which postponed games are in too.
fn game_status(status: &wire::StatusType) -> GameStatus {
    let name = status.name.0.as_deref();
    let by_name = name.map(|name| match name.strip_prefix("STATUS_").unwrap_or(name) {
        "SCHEDULED" | "PRE_GAME" | "TBD" => GameStatus::Scheduled,
        "IN_PROGRESS"
        | "FIRST_HALF"
        | "SECOND_HALF"
        | "OVERTIME"
        | "EXTRA_TIME"
        | "FIRST_HALF_EXTRA_TIME"
        | "SECOND_HALF_EXTRA_TIME"
        | "SHOOTOUT" => GameStatus::InProgress,
        "HALFTIME" => GameStatus::Halftime,
        "END_PERIOD" | "END_OF_REGULATION" | "END_OF_EXTRATIME" | "HALFTIME_ET" => {
            GameStatus::EndOfPeriod
        }
        "DELAYED" | "RAIN_DELAY" => GameStatus::Delayed,
        "POSTPONED" => GameStatus::Postponed,
        "CANCELED" | "CANCELLED" => GameStatus::Canceled,
        "SUSPENDED" | "ABANDONED" => GameStatus::Suspended,
        _ => GameStatus::Unknown,
    });
    match by_name {
        Some(
            off @ (GameStatus::Delayed
            | GameStatus::Postponed
            | GameStatus::Canceled
            | GameStatus::Suspended),
        ) => off,
        Some(_) | None if status.completed.0 => GameStatus::Final,
        Some(known) => known,
        None => match status.state.0.as_deref() {
            Some("pre") => GameStatus::Scheduled,
            Some("in") => GameStatus::InProgress,
            Some(_) | None => GameStatus::Unknown,
        },
    }
}

fn start(date: &str) -> Option<Timestamp> {
    let nanos = date.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
    u64::try_from(nanos).ok().map(Timestamp::from_nanos)
}

/// A number as a count; none beyond any score.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number that is read is not negative, and the range is checked"
)]
fn whole(number: &Number) -> Option<u32> {
    number.0.filter(|number| *number < 1e6).map(|number| number as u32)
}
