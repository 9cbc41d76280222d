use hotpit_units::Timestamp;
use serde_json::{Value, json};

use super::league::LeagueFacts;
use super::scoreboard::{Scoreboard, parse};
use crate::model::{Game, GameStatus, League, Possession, Situation};

const RECEIVED: Timestamp = Timestamp::from_secs(7);

fn read(league: &str, board: &Value) -> Scoreboard {
    let facts = LeagueFacts::find(&League(league.into())).unwrap();
    parse(board.to_string().as_bytes(), facts, RECEIVED).unwrap()
}

fn status(name: &str, state: &str, completed: bool) -> Value {
    json!({"clock": 48.0, "displayClock": "0:48", "period": 2,
           "type": {"id": "2", "name": name, "state": state, "completed": completed}})
}

fn team(place: &str, score: Value, location: &str, abbreviation: &str) -> Value {
    json!({"id": "1", "homeAway": place, "score": score, "linescores": [{"value": 7.0}],
           "team": {"id": "26", "location": location, "abbreviation": abbreviation,
                    "displayName": format!("{location} Club")}})
}

fn event(status: &Value, home: Value, away: Value) -> Value {
    json!({"id": "401", "uid": "s:20", "date": "2026-09-10T00:20Z", "shortName": "ARI @ SD",
           "status": status,
           "competitions": [{"situation": {"down": 1}, "competitors": [
               team("home", home, "Seattle", "SEA"), team("away", away, "New England", "NE")]}]})
}

fn board(events: &[Value]) -> Value {
    json!({"leagues": [{}], "season": {"year": 2026}, "day": {"date": "2026-09-10"}, "events": events})
}

fn only(league: &str, event: Value) -> Game {
    read(league, &board(&[event])).games.remove(0).game.unwrap()
}

#[test]
fn a_game_is_read_with_its_teams_its_start_and_its_state() {
    let board = read(
        "nfl",
        &board(&[event(&status("STATUS_IN_PROGRESS", "in", false), json!("26"), json!("3"))]),
    );
    let shown = &board.games[0];
    assert_eq!(shown.info.start, Timestamp::from_secs(1_788_999_600));
    assert_eq!(
        (shown.info.home.name.as_str(), shown.info.home.location.as_str()),
        ("Seattle Club", "Seattle")
    );
    assert_eq!((shown.info.away.abbreviation.as_str(), shown.info.periods), ("NE", 4));
    let expected = Game {
        espn_id: "401".into(),
        status: GameStatus::InProgress,
        period: 2,
        clock_ms: 48_000,
        home_score: 26,
        away_score: 3,
        situation: Some(Situation { down: Some(1), ..Situation::default() }),
        ts: RECEIVED,
    };
    assert_eq!(shown.game, Some(expected));
    assert_eq!(board.skipped, []);
}

#[test]
fn a_status_is_read_by_its_name_and_final_means_completed() {
    use GameStatus::{
        Canceled, Delayed, EndOfPeriod, Final, Halftime, InProgress, Postponed, Scheduled,
        Suspended, Unknown,
    };
    let cases = [
        ("STATUS_SCHEDULED", "pre", false, Scheduled),
        ("STATUS_IN_PROGRESS", "in", false, InProgress),
        ("STATUS_HALFTIME", "in", false, Halftime),
        ("STATUS_END_PERIOD", "in", false, EndOfPeriod),
        ("STATUS_SECOND_HALF", "in", false, InProgress),
        ("STATUS_FULL_TIME", "post", true, Final),
        ("STATUS_FINAL", "post", true, Final),
        ("STATUS_FINAL_PEN", "post", true, Final),
        ("STATUS_FINAL", "post", false, Unknown),
        ("STATUS_SOMETHING_NEW", "post", true, Final),
        ("STATUS_SOMETHING_NEW", "in", false, Unknown),
        ("STATUS_DELAYED", "in", false, Delayed),
        ("STATUS_RAIN_DELAY", "in", false, Delayed),
        ("STATUS_POSTPONED", "post", false, Postponed),
        ("STATUS_POSTPONED", "post", true, Postponed),
        ("STATUS_CANCELED", "post", true, Canceled),
        ("STATUS_SUSPENDED", "in", false, Suspended),
    ];
    for (name, state, completed, expected) in cases {
        let game = only("nfl", event(&status(name, state, completed), json!("1"), json!("2")));
        assert_eq!(game.status, expected, "{name} {state} {completed}");
    }
    let nameless = [
        ("pre", false, Scheduled),
        ("in", false, InProgress),
        ("post", false, Unknown),
        ("post", true, Final),
    ];
    for (state, completed, expected) in nameless {
        let status = json!({"type": {"state": state, "completed": completed}});
        let game = only("nfl", event(&status, json!("1"), json!("2")));
        assert_eq!(game.status, expected, "{state} {completed}");
    }
}

#[test]
fn a_score_may_be_text_a_number_an_object_or_absent() {
    let playing = status("STATUS_IN_PROGRESS", "in", false);
    let cases = [
        (json!("26"), Some(26)),
        (json!(26), Some(26)),
        (json!({"value": 26.0, "displayValue": "26"}), Some(26)),
        (Value::Null, None),
        (json!(""), None),
        (json!("-"), None),
        (json!([26]), None),
    ];
    for (score, expected) in cases {
        let shown =
            read("nfl", &board(&[event(&playing, score.clone(), json!("3"))])).games.remove(0);
        assert_eq!(shown.game.map(|game| game.home_score), expected, "{score}");
    }
    // Before the start there is nothing to say.
    let scheduled = event(&status("STATUS_SCHEDULED", "pre", false), Value::Null, Value::Null);
    assert_eq!(only("nfl", scheduled).home_score, 0);
}

#[test]
fn the_clock_is_what_is_left_of_the_period() {
    let cases = [
        ("nba", "STATUS_IN_PROGRESS", json!(32.7), json!(4), 32_700),
        ("nfl", "STATUS_END_PERIOD", json!(0.0), json!(1), 0),
        ("nfl", "STATUS_HALFTIME", json!(5.0), json!(2), 0),
        ("mlb", "STATUS_IN_PROGRESS", json!(0.0), json!(7), 0),
        ("eng.1", "STATUS_SECOND_HALF", json!(4_000), json!(2), 1_400_000),
        ("nhl", "STATUS_IN_PROGRESS", json!("61"), json!("3"), 61_000),
        ("nhl", "STATUS_IN_PROGRESS", json!(1e300), json!(1e300), 0),
    ];
    for (league, name, clock, period, expected) in cases {
        let status = json!({"clock": clock, "period": period,
                            "type": {"name": name, "state": "in", "completed": false}});
        let game = only(league, event(&status, json!("1"), json!("2")));
        assert_eq!(game.clock_ms, expected, "{league} {name} {clock}");
    }
}

#[test]
fn an_event_that_cannot_be_read_loses_itself_alone() {
    let playing = status("STATUS_IN_PROGRESS", "in", false);
    let good = event(&playing, json!("1"), json!("2"));
    let without = |field: &str| {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(field);
        event
    };
    let with = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let bad = [
        json!(null),
        json!("event"),
        json!([1, 2]),
        without("id"),
        without("date"),
        with("/date", json!("tomorrow")),
        with("/competitions", json!([])),
        with("/competitions", json!({"0": 1})),
        with("/competitions/0/competitors", json!("two")),
        with("/competitions/0/competitors/0/homeAway", json!("away")),
        with("/competitions/0/competitors/1/team", json!(null)),
        // Tennis: competitions inside of groupings.
        json!({"id": "5", "date": "2026-09-10T00:20Z", "groupings": [{"competitions": []}]}),
    ];
    for bad in bad {
        let board = read("nfl", &board(&[good.clone(), bad.clone(), good.clone()]));
        assert_eq!((board.games.len(), board.skipped.len()), (2, 1), "{bad}");
    }
    // What comes and goes is not missed.
    let bare = with("/status", json!(7));
    let shown = read("nfl", &board(&[bare])).games.remove(0);
    assert_eq!(shown.game.unwrap().status, GameStatus::Unknown);
}

#[test]
fn what_is_no_scoreboard_is_an_error() {
    let facts = LeagueFacts::find(&League("nfl".into())).unwrap();
    for body in ["", "<html>", "{}", "[]", "{\"events\":"] {
        assert!(parse(body.as_bytes(), facts, RECEIVED).is_err(), "{body}");
    }
    let empty = parse(b"{\"events\":null}", facts, RECEIVED).unwrap();
    assert_eq!(empty, Scoreboard::default());
}

#[test]
fn what_goes_on_is_read_as_far_as_it_is_said() {
    let with = |situation: Value| {
        let mut event = event(&status("STATUS_IN_PROGRESS", "in", false), json!("1"), json!("2"));
        for (at, id) in [(0, "26"), (1, "17")] {
            event["competitions"][0]["competitors"][at]["id"] = json!(id);
        }
        event["competitions"][0]["situation"] = situation;
        event
    };
    let drive = json!({"down": 3, "distance": 7, "yardLine": 82, "possession": "17",
        "isRedZone": true, "homeTimeouts": 2, "awayTimeouts": 3, "lastPlay": {"text": "Pass"}});
    let expected = Situation {
        possession: Some(Possession::Away),
        down: Some(3),
        distance: Some(7),
        yard_line: Some(82),
        red_zone: Some(true),
        home_timeouts: Some(2),
        away_timeouts: Some(3),
        ..Situation::default()
    };
    assert_eq!(only("nfl", with(drive)).situation, Some(expected));
    // Between plays, and where there is nothing or nonsense.
    for nothing in [json!({"down": -1, "possession": "99"}), json!([]), Value::Null, json!({})] {
        assert_eq!(only("nfl", with(nothing.clone())).situation, None, "{nothing}");
    }
    let mut inning = with(json!({"balls": 3, "strikes": "2", "outs": 1, "onFirst": true,
        "onSecond": false, "onThird": {"athlete": {"id": "7"}}}));
    inning["status"]["type"]["detail"] = json!("Bot 7th");
    let expected = Situation {
        balls: Some(3),
        strikes: Some(2),
        outs: Some(1),
        bases: [Some(true), Some(false), Some(true)],
        top_of_inning: Some(false),
        ..Situation::default()
    };
    assert_eq!(only("mlb", inning).situation, Some(expected));
}
