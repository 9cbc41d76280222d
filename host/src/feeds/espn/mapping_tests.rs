use super::league::LeagueFacts;
use super::mapping::{Doubt, Milestone, map_games};
use crate::model::{FeeSchedule, GameInfo, League, Market, MarketStatus, Outcome, PriceGrid, Team};
use hotpit_units::Timestamp;
use std::sync::Arc;

const KICKOFF: u64 = 1_789_000_000;

fn facts(league: &str) -> &'static LeagueFacts {
    LeagueFacts::find(&League(league.into())).unwrap()
}

fn team(location: &str, nickname: &str, abbreviation: &str) -> Team {
    Team {
        name: format!("{location} {nickname}"),
        location: location.to_owned(),
        abbreviation: abbreviation.to_owned(),
    }
}

fn game(espn_id: &str, away: Team, home: Team, start: u64) -> GameInfo {
    GameInfo {
        espn_id: espn_id.into(),
        league: League("nfl".into()),
        home,
        away,
        start: Timestamp::from_secs(start),
        periods: 4,
        period_ms: 900_000,
        markets: vec![],
    }
}

fn seattle() -> Team {
    team("Seattle", "Seahawks", "SEA")
}

fn new_england() -> Team {
    team("New England", "Patriots", "NE")
}

fn milestone(id: &str, title: &str, start: u64) -> Milestone {
    Milestone {
        id: id.to_owned(),
        start: Timestamp::from_secs(start),
        league: "NFL".to_owned(),
        title: title.to_owned(),
        home_team_id: Some("uuid-sea".to_owned()),
        away_team_id: Some("uuid-ne".to_owned()),
        event_tickers: vec![if id == "m" { "E".into() } else { format!("E-{id}").into() }],
        main_event: None,
    }
}

/// What each game is mapped to, by id.
fn pairs(games: &[GameInfo], milestones: &[Milestone]) -> Vec<(String, Result<String, Doubt>)> {
    let mapped = map_games(facts("nfl"), games, milestones, &[]);
    let ids = games.iter().map(|game| game.espn_id.to_string());
    ids.zip(mapped.into_iter().map(|mapped| mapped.map(|mapped| mapped.milestone))).collect()
}

fn pair(game: &str, milestone: Result<&str, Doubt>) -> (String, Result<String, Doubt>) {
    (game.to_owned(), milestone.map(str::to_owned))
}

fn market(ticker: &str, event: &str, yes_title: &str, target: Option<&str>) -> Arc<Market> {
    Arc::new(Market {
        ticker: ticker.into(),
        event_ticker: event.into(),
        series_ticker: "S".into(),
        title: String::new(),
        yes_title: yes_title.to_owned(),
        status: MarketStatus::Active,
        grid: PriceGrid::cents(),
        exchange_index: 0,
        close_time: None,
        settlement: None,
        fees: FeeSchedule::default(),
        mutually_exclusive: true,
        strike_target: target.map(str::to_owned),
    })
}

/// The outcome of each market, by ticker; none if the game is unmapped.
fn outcomes(milestone: Milestone, markets: &[Arc<Market>]) -> Option<Vec<(String, Outcome)>> {
    let games = [game("1", new_england(), seattle(), KICKOFF)];
    let mapped = map_games(facts("nfl"), &games, &[milestone], markets).pop()?.ok()?;
    let outcomes = mapped.markets.iter().map(|market| (market.ticker.to_string(), market.outcome));
    Some(outcomes.collect())
}

#[test]
fn a_game_is_mapped_by_league_start_and_both_names() {
    let titles = [
        ("New England at Seattle", true),
        ("New England Patriots at Seattle Seahawks", true),
        ("NE @ SEA", true),
        ("Patriots vs. Seahawks", true),
        ("Seattle vs New England", true),
        ("New England at Seattle Winner?", true),
        ("Seattle at New England", false),
        ("New England at Seattle State", false),
        ("New at Seattle", false),
        ("New England, Seattle", false),
        ("Buffalo at Seattle", false),
        ("", false),
    ];
    for (title, expected) in titles {
        let mapped = outcomes(milestone("m", title, KICKOFF), &[]).is_some();
        assert_eq!(mapped, expected, "{title}");
    }
    let starts = [(0, true), (4_000, true), (5_000, false), (86_400, false)];
    for (later, expected) in starts {
        let mapped = outcomes(milestone("m", "NE @ SEA", KICKOFF + later), &[]).is_some();
        assert_eq!(mapped, expected, "{later}");
    }
    let other = Milestone { league: "NCAAFB".to_owned(), ..milestone("m", "NE @ SEA", KICKOFF) };
    assert_eq!(outcomes(other, &[]), None);
}

#[test]
fn markets_are_mapped_by_target_and_by_name_and_doubt_is_something_else() {
    use Outcome::{AwayWins, HomeWins, Other, Tie};
    type Row = (&'static str, Option<&'static str>, Outcome);
    let cases: [(&str, &[Row]); 8] = [
        (
            "both",
            &[("Seattle", Some("uuid-sea"), HomeWins), ("New England", Some("uuid-ne"), AwayWins)],
        ),
        ("names alone", &[("Seattle", None, HomeWins), ("NE", None, AwayWins)]),
        (
            "ids alone",
            &[("Hawks", Some("uuid-sea"), HomeWins), ("Pats", Some("uuid-ne"), AwayWins)],
        ),
        (
            "with a tie",
            &[("Seattle", None, HomeWins), ("New England", None, AwayWins), ("Tie", None, Tie)],
        ),
        (
            "id and name differ",
            &[("Seattle", Some("uuid-ne"), Other), ("New England", Some("uuid-ne"), Other)],
        ),
        (
            "a spread",
            &[
                ("Seattle wins by over 3.5 points", Some("uuid-sea"), Other),
                ("New England wins by over 3.5 points", Some("uuid-ne"), Other),
            ],
        ),
        (
            "two of one team",
            &[
                ("Seattle", Some("uuid-sea"), Other),
                ("Seattle Seahawks", Some("uuid-sea"), Other),
                ("New England", Some("uuid-ne"), Other),
            ],
        ),
        ("one team alone", &[("Seattle", Some("uuid-sea"), Other)]),
    ];
    for (name, rows) in cases {
        let markets: Vec<_> = rows
            .iter()
            .enumerate()
            .map(|(at, (title, target, _))| market(&format!("M{at}"), "E", title, *target))
            .collect();
        let expected: Vec<_> =
            rows.iter().enumerate().map(|(at, row)| (format!("M{at}"), row.2)).collect();
        let found = outcomes(milestone("m", "New England at Seattle", KICKOFF), &markets);
        assert_eq!(found, Some(expected), "{name}");
    }
}

#[test]
fn ids_alone_are_not_enough_where_the_title_does_not_say_who_is_at_home() {
    let markets =
        [market("M0", "E", "Hawks", Some("uuid-sea")), market("M1", "E", "Pats", Some("uuid-ne"))];
    let found = outcomes(milestone("m", "NE vs SEA", KICKOFF), &markets).unwrap();
    assert!(found.iter().all(|(_, outcome)| *outcome == Outcome::Other), "{found:?}");
}

#[test]
fn markets_of_other_events_are_not_on_the_game() {
    let markets = [market("M0", "ELSEWHERE", "Seattle", Some("uuid-sea"))];
    let found = outcomes(milestone("m", "NE @ SEA", KICKOFF), &markets);
    assert_eq!(found, Some(vec![]));
}

#[test]
fn two_milestones_that_fit_leave_the_game_unmapped() {
    let games = [game("1", new_england(), seattle(), KICKOFF)];
    let milestones = [milestone("a", "NE @ SEA", KICKOFF), milestone("b", "NE @ SEA", KICKOFF)];
    assert_eq!(pairs(&games, &milestones), [pair("1", Err(Doubt::SeveralMilestones))]);
}

#[test]
fn two_games_that_fit_leave_both_unmapped() {
    let games = ["1", "2"].map(|id| game(id, new_england(), seattle(), KICKOFF));
    let milestones = [milestone("a", "NE @ SEA", KICKOFF)];
    let doubt = Err(Doubt::SeveralGames);
    assert_eq!(pairs(&games, &milestones), [pair("1", doubt), pair("2", doubt)]);
}

#[test]
fn the_games_of_a_doubleheader_are_told_apart_by_their_start() {
    let later = KICKOFF + 3 * 3_600;
    let games = [("1", KICKOFF + 300), ("2", later)]
        .map(|(id, start)| game(id, new_england(), seattle(), start));
    let milestones = [milestone("b", "NE @ SEA", later), milestone("a", "NE @ SEA", KICKOFF)];
    assert_eq!(pairs(&games, &milestones), [pair("1", Ok("a")), pair("2", Ok("b"))]);
}

#[test]
fn an_event_that_two_milestones_list_is_on_neither_game() {
    let later = KICKOFF + 3 * 3_600;
    let games =
        [("1", KICKOFF), ("2", later)].map(|(id, start)| game(id, new_england(), seattle(), start));
    let listing = |id: &str, start, events: &[&str]| Milestone {
        event_tickers: events.iter().map(|event| (*event).into()).collect(),
        ..milestone(id, "NE @ SEA", start)
    };
    let both = [listing("a", KICKOFF, &["E"]), listing("b", later, &["E"])];
    let doubt = Err(Doubt::NoEvent);
    assert_eq!(pairs(&games, &both), [pair("1", doubt), pair("2", doubt)]);
    let more = [listing("a", KICKOFF, &["E", "F"]), listing("b", later, &["E", "G"])];
    let mapped = map_games(facts("nfl"), &games, &more, &[]);
    let events: Vec<_> = mapped.into_iter().flat_map(|mapped| mapped.unwrap().events).collect();
    assert_eq!(events, ["F", "G"].map(Arc::<str>::from));
    assert_eq!(pairs(&games[..1], &[listing("a", KICKOFF, &[])]), [pair("1", doubt)]);
}

#[test]
fn a_game_that_kalshi_does_not_list_is_told_from_one_between_others() {
    let games = [game("1", new_england(), seattle(), KICKOFF)];
    assert_eq!(pairs(&games, &[]), [pair("1", Err(Doubt::NoMilestone))]);
    let tomorrow = [milestone("a", "NE @ SEA", KICKOFF + 86_400)];
    assert_eq!(pairs(&games, &tomorrow), [pair("1", Err(Doubt::NoMilestone))]);
    let others = [milestone("a", "Buffalo @ SEA", KICKOFF)];
    assert_eq!(pairs(&games, &others), [pair("1", Err(Doubt::OtherTeams))]);
}

#[test]
fn names_that_begin_alike_and_cities_with_two_teams_are_told_apart() {
    let washington = || team("Washington", "Huskies", "WASH");
    let washington_state = || team("Washington State", "Cougars", "WSU");
    let oregon = || team("Oregon", "Ducks", "ORE");
    let oregon_state = || team("Oregon State", "Beavers", "ORST");
    let rams = || team("Los Angeles", "Rams", "LAR");
    let chargers = || team("Los Angeles", "Chargers", "LAC");
    let games = [
        game("1", washington(), oregon_state(), KICKOFF),
        game("2", washington_state(), oregon(), KICKOFF),
        game("3", seattle(), rams(), KICKOFF),
        game("4", seattle(), chargers(), KICKOFF),
    ];
    let milestones = [
        milestone("a", "Washington State at Oregon", KICKOFF),
        milestone("b", "Washington at Oregon State", KICKOFF),
        milestone("c", "Seattle at Los Angeles C", KICKOFF),
    ];
    let expected = [
        pair("1", Ok("b")),
        pair("2", Ok("a")),
        pair("3", Err(Doubt::OtherTeams)),
        pair("4", Ok("c")),
    ];
    assert_eq!(pairs(&games, &milestones), expected);
}

#[test]
fn two_events_that_both_look_like_the_winners_are_a_doubt_unless_kalshi_names_one() {
    let markets: Vec<Arc<Market>> = ["E", "F"]
        .into_iter()
        .flat_map(|event| {
            [("SEA", "Seattle"), ("NE", "New England")]
                .map(|(team, title)| market(&format!("{event}-{team}"), event, title, None))
        })
        .collect();
    let both = Milestone {
        event_tickers: vec!["E".into(), "F".into()],
        ..milestone("m", "NE @ SEA", KICKOFF)
    };
    let doubt = outcomes(both.clone(), &markets).unwrap();
    assert_eq!(doubt.len(), 4);
    assert!(doubt.iter().all(|(_, outcome)| *outcome == Outcome::Other), "{doubt:?}");
    let named = Milestone { main_event: Some("F".to_owned()), ..both };
    let certain: Vec<_> = outcomes(named, &markets)
        .unwrap()
        .into_iter()
        .filter(|(_, outcome)| *outcome != Outcome::Other)
        .collect();
    let expected = [("F-NE", Outcome::AwayWins), ("F-SEA", Outcome::HomeWins)];
    assert_eq!(certain, expected.map(|(ticker, outcome)| (ticker.to_owned(), outcome)));
}
