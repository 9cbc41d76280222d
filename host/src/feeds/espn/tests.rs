//! The feed over a fake ESPN, a fake Kalshi and the real cache.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hotpit_rt::{Clock, Entropy};
use hotpit_units::Timestamp;
use serde_json::json;

use super::fetch::Answer;
use super::{
    Espn, Fetch, FetchError, HttpFetch, LeagueFacts, Milestone, Milestones, MilestonesError, Pace,
    Settings,
};
use crate::bus::Message;
use crate::cache::Cache;
use crate::feeds::{Publish, Wanted};
use crate::model::{
    FeeSchedule, GameStatus, League, Market, MarketStatus, Outcome, PriceGrid, Subscription,
};
use crate::streams::{StreamPhase, Streams};

/// A path, and the tag that was sent with it.
type Asked = (String, Option<String>);

/// Gives one answer after the other, the last one again and again.
#[derive(Clone, Default)]
struct FakeEspn {
    answers: Arc<Mutex<VecDeque<Result<Answer, FetchError>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeEspn {
    fn then(&self, answer: Result<Answer, FetchError>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for FakeEspn {
    async fn get(&self, path: &str, etag: Option<&str>) -> Result<Answer, FetchError> {
        self.asked.lock().unwrap().push((path.to_owned(), etag.map(str::to_owned)));
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap()
    }
}

struct FakeKalshi(Vec<Milestone>);

impl Milestones for FakeKalshi {
    async fn of_league(&self, _: &'static LeagueFacts) -> Result<Vec<Milestone>, MilestonesError> {
        Ok(self.0.clone())
    }
}

/// The embedded bus with a cache at its end.
#[derive(Default)]
struct Bus {
    cache: Arc<Cache>,
    heard: Mutex<Vec<Message>>,
}

impl Publish for Bus {
    fn publish(&self, message: Message, received: Timestamp) {
        self.cache.apply(&message, received);
        self.heard.lock().unwrap().push(message);
    }
}

fn board(home_score: u32) -> Result<Answer, FetchError> {
    let team = |place: &str, location: &str, abbreviation: &str, score: u32| {
        json!({"homeAway": place, "score": score.to_string(),
               "team": {"location": location, "abbreviation": abbreviation,
                        "displayName": format!("{location} Club")}})
    };
    let board = json!({"events": [{"id": "401", "date": "2026-09-10T00:20Z",
        "status": {"clock": 60, "period": 1, "type": {"name": "STATUS_IN_PROGRESS"}},
        "competitions": [{"competitors": [
            team("home", "Seattle", "SEA", home_score), team("away", "New England", "NE", 0)]}]}]});
    Ok(Answer::Fresh {
        body: board.to_string().into_bytes(),
        etag: Some(format!("\"{home_score}\"")),
    })
}

fn settings() -> Settings {
    Settings { live_ms: 10, soon_ms: 10, idle_ms: 20, map_ms: 10, ..Settings::default() }
}

fn nfl() -> League {
    League("nfl".into())
}

fn start(espn: &FakeEspn, kalshi: FakeKalshi) -> (Espn<FakeEspn, FakeKalshi>, Arc<Bus>, Wanted) {
    start_in(espn, kalshi, &streams())
}

fn streams() -> Arc<Streams> {
    Arc::new(Streams::new(Clock::system(), Entropy::seeded(3)))
}

fn start_in(
    espn: &FakeEspn,
    kalshi: FakeKalshi,
    streams: &Arc<Streams>,
) -> (Espn<FakeEspn, FakeKalshi>, Arc<Bus>, Wanted) {
    let (bus, wanted) = (Arc::<Bus>::default(), Wanted::default());
    wanted.update(|wants| {
        wants.agents.insert(Subscription::League(nfl()));
    });
    let feed = Espn::new(
        settings(),
        espn.clone(),
        kalshi,
        Arc::clone(&bus) as Arc<dyn Publish>,
        Arc::clone(&bus.cache),
        wanted.clone(),
        Arc::clone(streams),
        Clock::system(),
        Entropy::seeded(3),
    );
    (feed, bus, wanted)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), wait).await.is_ok(), "never: {what}");
}

#[tokio::test]
async fn only_changes_are_published_and_the_etag_is_sent_back() {
    let espn = FakeEspn::default();
    for answer in [board(0), board(0), Ok(Answer::NotModified), board(7)] {
        espn.then(answer);
    }
    let (feed, bus, _wanted) = start(&espn, FakeKalshi(vec![]));
    let status = feed.status();
    let task = tokio::spawn(feed.run());
    until("five readings", || espn.asked().len() >= 6).await;
    task.abort();

    let mut heard = bus.heard.lock().unwrap().clone();
    heard.retain(|message| !matches!(message, Message::BoardRead(_)));
    let scores: Vec<u32> = heard
        .iter()
        .filter_map(|message| match message {
            Message::Game(game) => Some(game.home_score),
            _ => None,
        })
        .collect();
    assert_eq!(scores, [0, 7]);
    assert_eq!(heard.len(), 3, "one description and two states: {heard:?}");
    let etags: Vec<_> = espn.asked().into_iter().map(|(_, etag)| etag).take(3).collect();
    assert_eq!(etags, [None, Some("\"0\"".to_owned()), Some("\"0\"".to_owned())]);
    let status = status.borrow()[&nfl()].clone();
    assert_eq!((status.pace, status.not_modified, status.games), (Pace::Live, 1, 1));
}

#[tokio::test]
async fn a_failure_is_seen_and_does_not_end_the_feed() {
    let espn = FakeEspn::default();
    let refused = FetchError::Refused { status: 429, retry_after: Some(Duration::ZERO) };
    let garbage = Answer::Fresh { body: b"<html>".to_vec(), etag: Some("x".to_owned()) };
    espn.then(Err(refused));
    espn.then(Ok(garbage));
    espn.then(Err(FetchError::Status(500)));
    let streams = streams();
    let (feed, _bus, _wanted) = start_in(&espn, FakeKalshi(vec![]), &streams);
    let task = tokio::spawn(feed.run());
    let of_nfl = || streams.reports().into_iter().find(|it| it.name == "espn nfl");
    until("three failures", || of_nfl().is_some_and(|it| it.failures >= 3)).await;
    let report = of_nfl().unwrap();
    assert_eq!(report.phase, StreamPhase::Connecting);
    assert_eq!(report.reason.as_deref(), Some("status 500"));
    assert!(espn.asked().iter().all(|(_, etag)| etag.is_none()), "the tag of a page that is none");

    espn.then(board(3));
    espn.then(board(3));
    until("read again", || of_nfl().is_some_and(|it| it.phase == StreamPhase::Up)).await;
    task.abort();
}

#[tokio::test]
async fn a_game_finds_its_markets_and_loses_them_when_nobody_wants_the_league() {
    let espn = FakeEspn::default();
    espn.then(board(0));
    let milestone = Milestone {
        id: "m".to_owned(),
        start: Timestamp::from_secs(1_788_999_600),
        league: "NFL".to_owned(),
        title: "New England at Seattle".to_owned(),
        home_team_id: None,
        away_team_id: None,
        event_tickers: vec!["E".into()],
        main_event: None,
    };
    let (feed, bus, wanted) = start(&espn, FakeKalshi(vec![milestone]));
    let task = tokio::spawn(feed.run());
    let wants = wanted.watch();
    let event = Subscription::Event("E".into());
    until("the event is wanted", || wants.borrow().games.contains(&event)).await;

    // As the Kalshi feed does once the event is wanted.
    for (ticker, yes_title) in [("E-SEA", "Seattle"), ("E-NE", "New England")] {
        let market = Market {
            ticker: ticker.into(),
            event_ticker: "E".into(),
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
            strike_target: None,
        };
        bus.publish(Message::Market(Arc::new(market)), Timestamp::EPOCH);
    }
    let league = Subscription::League(nfl());
    until("both markets", || bus.cache.markets_matching(&league).len() == 2).await;
    let game = bus.cache.games_matching(&league)[0];
    let info = bus.cache.game_info(game).unwrap();
    let outcome_of = |ticker: &str| {
        info.markets.iter().find(|market| &*market.ticker == ticker).unwrap().outcome
    };
    assert_eq!(outcome_of("E-SEA"), Outcome::HomeWins);
    assert_eq!(outcome_of("E-NE"), Outcome::AwayWins);
    assert_eq!(bus.cache.game(game).unwrap().status, GameStatus::InProgress);

    wanted.update(|wants| wants.agents.clear());
    until("nothing is wanted", || wants.borrow().games.is_empty()).await;
    task.abort();
}

#[tokio::test]
async fn http_sends_the_tag_and_tells_refusals_from_failures() {
    use axum::extract::Path;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::IntoResponse;

    async fn serve(Path(what): Path<String>, headers: HeaderMap) -> axum::response::Response {
        let tag = headers.get("if-none-match").map(|tag| tag.to_str().unwrap().to_owned());
        match (what.as_str(), tag.as_deref()) {
            ("board", Some("\"1\"")) => StatusCode::NOT_MODIFIED.into_response(),
            ("board", _) => ([("etag", "\"1\"")], "{}").into_response(),
            ("busy", _) => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "").into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/{what}", axum::routing::get(serve));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let fetch = HttpFetch::new(&url, Duration::from_secs(5)).unwrap();
    let fresh = Answer::Fresh { body: b"{}".to_vec(), etag: Some("\"1\"".to_owned()) };
    assert_eq!(fetch.get("/board", None).await, Ok(fresh));
    assert_eq!(fetch.get("/board", Some("\"1\"")).await, Ok(Answer::NotModified));
    let refused = FetchError::Refused { status: 429, retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(fetch.get("/busy", None).await, Err(refused));
    assert_eq!(fetch.get("/lost", None).await, Err(FetchError::Status(404)));
    server.abort();
    let _ = server.await;
    let gone = HttpFetch::new("http://127.0.0.1:1", Duration::from_secs(5)).unwrap();
    assert!(matches!(gone.get("/board", None).await, Err(FetchError::Transport(_))));
}
