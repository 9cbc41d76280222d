//! A full college Saturday's scoreboard, as large as ESPN's: from its text to games.

use std::hint::black_box;

use hotpit::feeds::espn::{LeagueFacts, scoreboard};
use hotpit::model::League;
use serde_json::{Value, json};

use crate::feed::NOW;
use crate::measure::{figure, median_ns};

const GAMES: usize = 60;
/// About 400 KB, of which the host looks at a few.
const BALLAST: usize = 36;

pub(crate) fn print() {
    let facts = LeagueFacts::find(&League("college-football".into())).unwrap();
    let body = serde_json::to_vec(&board()).unwrap();
    let read = || {
        let board = scoreboard::parse(black_box(&body), facts, NOW).unwrap();
        assert_eq!(board.games.len(), GAMES);
    };
    figure("scoreboard_bytes", body.len() as f64, "bytes");
    figure("scoreboard_read", median_ns(read) / 1e3, "us");
}

fn board() -> Value {
    json!({ "leagues": [{}], "season": {}, "events": (0..GAMES).map(event).collect::<Vec<_>>() })
}

fn event(number: usize) -> Value {
    let team = |side: &str| {
        let id = format!("{number}{}", side.len());
        json!({
            "id": id, "homeAway": side, "score": "17", "winner": false,
            "team": { "id": id, "abbreviation": "ABC", "displayName": format!("{side} {number}"),
                      "location": side, "logo": "https://a.espncdn.com/i/teamlogos/ncaa/500/2.png" },
            "linescores": (0..4).map(|_| json!({ "value": 7.0 })).collect::<Vec<_>>(),
            "statistics": ballast(), "leaders": ballast(),
        })
    };
    let status = json!({
        "clock": 48.0, "displayClock": "0:48", "period": 2,
        "type": { "id": "2", "name": "STATUS_IN_PROGRESS", "state": "in", "completed": false },
    });
    json!({
        "id": number.to_string(), "date": "2026-11-28T18:00Z", "name": "away at home",
        "status": status,
        "competitions": [{
            "competitors": [team("home"), team("away")], "status": status,
            "situation": { "down": 3, "distance": 7, "yardLine": 82, "possession": "1" },
            "broadcasts": ballast(), "odds": ballast(),
        }],
    })
}

fn ballast() -> Vec<Value> {
    let one = |number: usize| json!({ "name": number, "abbreviation": "X" });
    (0..BALLAST).map(one).collect()
}
