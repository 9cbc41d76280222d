//! ESPN's scoreboard (`/apis/site/v2/sports/{sport}/{league}/scoreboard`), drawn from the games
//! of the floor. Unofficial and without a key, as the real one.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hotpit_units::Timestamp;
use serde_json::{Value, json};

use super::App;
use super::errors::ApiError;
use super::frames::rfc3339;
use crate::scenario::{Game, GameStatus, HomeAway, Situation, Team};

/// Leagues that ESPN knows. They have no games here unless the floor has.
const LEAGUES: [(&str, &str); 9] = [
    ("football", "nfl"),
    ("football", "college-football"),
    ("basketball", "nba"),
    ("basketball", "wnba"),
    ("basketball", "mens-college-basketball"),
    ("baseball", "mlb"),
    ("hockey", "nhl"),
    ("soccer", "eng.1"),
    ("soccer", "usa.1"),
];

/// The scoreboard of a league. It has an ETag, and none is sent to whoever has it already.
pub(super) async fn scoreboard(
    State(app): State<App>,
    Path((sport, league)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if !LEAGUES.contains(&(sport.as_str(), league.as_str())) {
        let body = json!({ "code": 404, "message": "Failed to get league" });
        return (StatusCode::NOT_FOUND, axum::Json(body)).into_response();
    }
    let asked = app.floor.ask(move |floor| {
        let now = floor.now();
        let here = |game: &&Game| game.sport == sport && game.league == league;
        let games: Vec<Value> = floor.games().filter(here).map(event_json).collect();
        scoreboard_json(&league, now, games).to_string()
    });
    let Ok(body) = asked.await else { return ApiError::unavailable().into_response() };
    let etag = format!("\"{:016x}\"", fnv1a(body.as_bytes()));
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag)) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response();
    }
    let headers = [
        (CONTENT_TYPE, "application/json;charset=UTF-8".to_owned()),
        (CACHE_CONTROL, "max-age=1".to_owned()),
        (ETAG, etag),
    ];
    (headers, body).into_response()
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn scoreboard_json(league: &str, now: Timestamp, events: Vec<Value>) -> Value {
    let today = rfc3339(now).get(..10).unwrap_or_default().to_owned();
    json!({
        "leagues": [{ "id": "28", "slug": league, "abbreviation": league.to_uppercase() }],
        "season": { "type": 2, "year": 2026 },
        "day": { "date": today },
        "events": events,
    })
}

/// ESPN writes times to the minute: `2026-11-22T18:00Z`.
fn minute(ts: Timestamp) -> String {
    format!("{}Z", rfc3339(ts).get(..16).unwrap_or_default())
}

fn event_json(game: &Game) -> Value {
    let status = status_json(game);
    let mut competition = json!({
        "id": game.espn_id,
        "date": minute(game.start),
        "competitors": [competitor_json(game, HomeAway::Home), competitor_json(game, HomeAway::Away)],
        "status": status,
    });
    if let Some(situation) = &game.situation {
        competition["situation"] = situation_json(game, situation);
    }
    let (home, away) = (&game.home, &game.away);
    json!({
        "id": game.espn_id,
        "uid": format!("s:20~l:28~e:{}", game.espn_id),
        "date": minute(game.start),
        "name": format!("{} at {}", away.display_name(), home.display_name()),
        "shortName": format!("{} @ {}", away.abbreviation, home.abbreviation),
        "season": { "year": 2026, "type": 2, "slug": "regular-season" },
        "competitions": [competition],
        "status": status,
    })
}

fn competitor_json(game: &Game, side: HomeAway) -> Value {
    let (team, points, other, order, name) = match side {
        HomeAway::Home => (&game.home, &game.home_points, game.away_score(), 0, "home"),
        HomeAway::Away => (&game.away, &game.away_points, game.home_score(), 1, "away"),
    };
    let score: u32 = points.iter().sum();
    let mut json = json!({
        "id": team.espn_id,
        "uid": format!("s:20~l:28~t:{}", team.espn_id),
        "type": "team",
        "order": order,
        "homeAway": name,
        "score": score.to_string(),
        "team": team_json(team),
    });
    if !points.is_empty() {
        let value = |(at, points): (usize, &u32)| json!({ "value": points, "displayValue": points.to_string(), "period": at + 1 });
        json["linescores"] = points.iter().enumerate().map(value).collect();
    }
    if game.status == GameStatus::Final {
        json["winner"] = json!(score > other);
    }
    json
}

fn team_json(team: &Team) -> Value {
    json!({
        "id": team.espn_id,
        "uid": format!("s:20~l:28~t:{}", team.espn_id),
        "location": team.location,
        "name": team.nickname,
        "abbreviation": team.abbreviation,
        "displayName": team.display_name(),
        "shortDisplayName": team.nickname,
        "isActive": true,
    })
}

fn status_json(game: &Game) -> Value {
    let secs = game.clock_ms.div_ceil(1_000);
    let display = format!("{}:{:02}", secs / 60, secs % 60);
    let period = match game.period {
        1 => "1st".to_owned(),
        2 => "2nd".to_owned(),
        3 => "3rd".to_owned(),
        4 => "4th".to_owned(),
        _ => "OT".to_owned(),
    };
    let (id, detail) = match game.status {
        GameStatus::Scheduled => ("1", minute(game.start)),
        GameStatus::InProgress => ("2", format!("{display} - {period}")),
        GameStatus::EndOfPeriod => ("22", format!("End of {period}")),
        GameStatus::Halftime => ("23", "Halftime".to_owned()),
        GameStatus::Final if game.period > 4 => ("3", "Final/OT".to_owned()),
        GameStatus::Final => ("3", "Final".to_owned()),
    };
    json!({
        "clock": secs,
        "displayClock": display,
        "period": game.period,
        "type": {
            "id": id,
            "name": game.status.espn_name(),
            "state": game.status.espn_state(),
            "completed": game.status == GameStatus::Final,
            "description": detail,
            "detail": detail,
            "shortDetail": detail,
        },
    })
}

/// Where the ball is, as real boards have it: yards from the home team's goal line, whoever has it.
const fn yard_line(situation: &Situation) -> u8 {
    match situation.possession {
        HomeAway::Home => 100_u8.saturating_sub(situation.yards_to_goal),
        HomeAway::Away => situation.yards_to_goal,
    }
}

fn situation_json(game: &Game, situation: &Situation) -> Value {
    let team = match situation.possession {
        HomeAway::Home => &game.home,
        HomeAway::Away => &game.away,
    };
    let ordinal = ["1st", "2nd", "3rd", "4th"];
    let down = ordinal.get(usize::from(situation.down.saturating_sub(1))).unwrap_or(&"4th");
    let mut json = json!({
        "down": situation.down,
        "distance": situation.distance,
        "yardLine": yard_line(situation),
        "downDistanceText": format!("{down} & {}", situation.distance),
        "shortDownDistanceText": format!("{down} & {}", situation.distance),
        "possession": team.espn_id,
        "possessionText": team.abbreviation,
        "isRedZone": situation.yards_to_goal <= 20,
        "homeTimeouts": 3,
        "awayTimeouts": 3,
    });
    if let Some(text) = &game.last_play {
        json["lastPlay"] = json!({
            "id": format!("{}{}", game.espn_id, game.updated.as_millis()),
            "type": { "id": "5", "text": "Play" },
            "text": text,
            "scoreValue": 0,
            "probability": {},
        });
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ball_is_where_it_is_whoever_has_it() {
        let ball = |possession| Situation { possession, down: 1, distance: 10, yards_to_goal: 99 };
        // First down on one's own one-yard line.
        assert_eq!(yard_line(&ball(HomeAway::Home)), 1);
        assert_eq!(yard_line(&ball(HomeAway::Away)), 99);
    }
}
