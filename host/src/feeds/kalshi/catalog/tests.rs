//! The catalog against scripted REST answers.

use std::sync::Mutex;

use hotpit_units::Price;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::feeds::Wanted;
use crate::kalshi::client::tests::{Fake, client, status};
use crate::model::{FeeType, MarketStatus};

const PATIENCE: Duration = Duration::from_secs(10);

struct Tape(Mutex<mpsc::UnboundedSender<Arc<Market>>>);

impl Publish for Tape {
    fn publish(&self, message: Message, _: Timestamp) {
        match message {
            Message::Market(market) => self.0.lock().unwrap().send(market).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// A catalog at work, with a hand on everything around it.
struct Desk {
    api: Arc<Fake>,
    wanted: Wanted,
    steps: mpsc::Sender<Step>,
    published: mpsc::UnboundedReceiver<Arc<Market>>,
    followed: watch::Receiver<Arc<Tickers>>,
    now: Timestamp,
}

fn leagues(league: &League) -> Option<LeagueNames> {
    (&*league.0 == "nfl")
        .then_some(LeagueNames { milestone_type: "football_game", spellings: &["NFL"] })
}

impl Desk {
    fn open() -> Self {
        let api = Arc::new(Fake::default());
        let client = Arc::new(client(&api));
        let (tape, published) = mpsc::unbounded_channel();
        let (steps, received) = mpsc::channel(STEPS_CAPACITY);
        let (markets, followed) = watch::channel(Arc::default());
        let wanted = Wanted::default();
        let clock = client.clock();
        let catalog = Catalog::new(
            Settings::default(),
            client,
            Tape(Mutex::new(tape)),
            leagues,
            wanted.watch(),
            received,
            markets,
            clock,
        );
        tokio::spawn(catalog.run());
        Self { api, wanted, steps, published, followed, now: clock.now() }
    }

    /// Lists an event with its markets, and its series.
    fn list(&self, event: &str, series: &str, markets: &[Value]) {
        let body = json!({"event": event_json(event, series, markets), "markets": []});
        self.api.clear(&format!("GET /events/{event}"));
        self.api.json(&format!("GET /events/{event}"), &body.to_string());
        let body =
            json!({"series": {"ticker": series, "fee_type": "quadratic", "fee_multiplier": 0.5}});
        self.api.json(&format!("GET /series/{series}"), &body.to_string());
    }

    fn want(&self, subscriptions: &[Subscription]) {
        self.wanted.update(|wants| wants.agents = subscriptions.iter().cloned().collect());
    }

    async fn next(&mut self) -> Arc<Market> {
        timeout(PATIENCE, self.published.recv()).await.unwrap().unwrap()
    }

    async fn follows(&mut self, tickers: &[&str]) {
        let wanted: Tickers = tickers.iter().map(|ticker| Arc::from(*ticker)).collect();
        let followed = self.followed.wait_for(|followed| **followed == wanted);
        timeout(PATIENCE, followed).await.unwrap().unwrap();
    }

    async fn step(&self, body: Value) {
        let step = Step::Market(serde_json::from_value(body).unwrap());
        self.steps.send(step).await.unwrap();
    }
}

fn market(ticker: &str, event: &str, status: &str) -> Value {
    json!({"ticker": ticker, "event_ticker": event, "title": "t", "yes_sub_title": "y",
           "status": status, "open_time": "2020-01-01T00:00:00Z",
           "close_time": "2030-01-01T00:00:00Z", "result": "", "exchange_index": 3,
           "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
           "custom_strike": {"football_team": "uuid"}})
}

fn event_json(event: &str, series: &str, markets: &[Value]) -> Value {
    json!({"event_ticker": event, "series_ticker": series, "mutually_exclusive": true,
           "fee_type_override": null, "fee_multiplier_override": null, "markets": markets})
}

#[tokio::test]
async fn an_event_brings_its_markets_with_their_fees() {
    let mut desk = Desk::open();
    desk.list("E", "S", &[market("E-A", "E", "active"), market("E-B", "E", "finalized")]);
    desk.want(&[Subscription::Event("E".into())]);
    let first = desk.next().await;
    assert_eq!(&*first.ticker, "E-A");
    assert_eq!(&*first.series_ticker, "S");
    assert!(first.mutually_exclusive);
    assert_eq!(first.fees.fee_type, FeeType::Quadratic);
    assert_eq!(first.fees.multiplier_milli, 500);
    assert_eq!(first.exchange_index, 3);
    assert_eq!(first.strike_target.as_deref(), Some("uuid"));
    assert_eq!(&*desk.next().await.ticker, "E-B");
    desk.follows(&["E-A"]).await;
    desk.want(&[]);
    desk.follows(&[]).await;
}

#[tokio::test]
async fn a_market_is_found_by_its_ticker_once_it_is_listed() {
    let mut desk = Desk::open();
    desk.list("E", "S", &[market("E-A", "E", "active"), market("E-B", "E", "active")]);
    desk.api.json("GET /markets", r#"{"markets":[],"cursor":""}"#);
    desk.want(&[Subscription::Market("E-A".into())]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    desk.api.clear("GET /markets");
    let page = json!({"markets": [market("E-A", "E", "active")], "cursor": ""});
    desk.api.json("GET /markets", &page.to_string());
    assert_eq!(&*desk.next().await.ticker, "E-A");
    desk.follows(&["E-A"]).await;
}

#[tokio::test]
async fn a_series_brings_the_markets_of_its_open_events() {
    let mut desk = Desk::open();
    desk.list("S-1", "S", &[]);
    let events = [
        event_json("S-1", "S", &[market("S-1-A", "S-1", "active")]),
        event_json("S-2", "S", &[market("S-2-A", "S-2", "active"), json!({"new": "form"})]),
    ];
    let page = json!({"events": events, "cursor": "", "milestones": []});
    desk.api.json(
        "GET /events?series_ticker=S&status=open&with_nested_markets=true&limit=200",
        &page.to_string(),
    );
    desk.want(&[Subscription::Series("S".into())]);
    desk.follows(&["S-1-A", "S-2-A"]).await;
    // A market that is made later joins them.
    desk.list("S-3", "S", &[market("S-3-A", "S-3", "active")]);
    let metadata = json!({"event_ticker": "S-3"});
    desk.step(
        json!({"market_ticker": "S-3-A", "event_type": "created", "additional_metadata": metadata}),
    )
    .await;
    desk.follows(&["S-1-A", "S-2-A", "S-3-A"]).await;
}

#[tokio::test]
async fn a_league_brings_the_events_of_its_games_that_are_near() {
    let mut desk = Desk::open();
    desk.list("G1", "S", &[market("G1-A", "G1", "active")]);
    desk.list("G1-TOTAL", "S", &[market("G1-T", "G1-TOTAL", "active")]);
    let milestone = |id: &str, league: &str, hours: u64, events: Value| {
        let start = jiff::Timestamp::from_second(
            i64::try_from(desk.now.as_secs() + hours * 3_600).unwrap(),
        );
        json!({"id": id, "type": "football_game", "start_date": start.unwrap().to_string(),
               "details": {"league": league}, "primary_event_tickers": [events[0]],
               "related_event_tickers": events})
    };
    let milestones = [
        milestone("m1", "NFL", 5, json!(["G1", "G1-TOTAL"])),
        milestone("m2", "NCAAFB", 5, json!(["G2"])),
        milestone("m3", "NFL", 500, json!(["G3"])),
    ];
    desk.api.json("GET /milestones", &json!({"milestones": milestones}).to_string());
    desk.want(&[Subscription::League(League("nfl".into()))]);
    desk.follows(&["G1-A", "G1-T"]).await;
    let calls = desk.api.calls();
    assert!(!calls.iter().any(|call| call.contains("G2") || call.contains("G3")), "{calls:?}");
}

#[tokio::test]
async fn every_step_of_a_market_is_published() {
    let mut desk = Desk::open();
    desk.list("E", "S", &[market("E-A", "E", "active")]);
    desk.want(&[Subscription::Event("E".into())]);
    desk.next().await;
    let step = |kind: &str| json!({"market_ticker": "E-A", "event_type": kind});
    desk.step(step("deactivated")).await;
    assert_eq!(desk.next().await.status, MarketStatus::Inactive);
    desk.step(step("activated")).await;
    assert_eq!(desk.next().await.status, MarketStatus::Active);
    let mut grid = step("price_level_structure_updated");
    grid["price_ranges"] = json!([{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]);
    desk.step(grid).await;
    assert!(desk.next().await.grid.contains(Price::from_raw(10)));
    let fees = json!({"event_ticker": "E", "fee_type_override": "quadratic_with_maker_fees",
                      "fee_multiplier_override": 1});
    desk.steps.send(Step::Fees(serde_json::from_value(fees).unwrap())).await.unwrap();
    let market = desk.next().await;
    assert_eq!(market.fees.fee_type, FeeType::QuadraticWithMakerFees);
    assert_eq!(market.fees.multiplier_milli, 1_000);
    let fees = json!({"event_ticker": "E"});
    desk.steps.send(Step::Fees(serde_json::from_value(fees).unwrap())).await.unwrap();
    assert_eq!(desk.next().await.fees.multiplier_milli, 500);
    let mut result = step("determined");
    result["result"] = json!("no");
    result["settlement_value"] = json!("0.0000");
    desk.step(result).await;
    let market = desk.next().await;
    assert_eq!((market.status, market.settlement), (MarketStatus::Determined, Some(Price::ZERO)));
    desk.follows(&[]).await;
    desk.step(step("settled")).await;
    assert_eq!(desk.next().await.status, MarketStatus::Finalized);
}

#[tokio::test]
async fn a_market_closes_at_its_time_though_nobody_says_so() {
    let mut desk = Desk::open();
    let closes = desk.now + Duration::from_secs(2);
    let text = jiff::Timestamp::from_second(i64::try_from(closes.as_secs()).unwrap()).unwrap();
    let mut soon = market("E-A", "E", "active");
    soon["close_time"] = json!(text.to_string());
    desk.list("E", "S", &[soon]);
    desk.want(&[Subscription::Event("E".into())]);
    assert_eq!(desk.next().await.status, MarketStatus::Active);
    assert_eq!(desk.next().await.status, MarketStatus::Closed);
}

#[tokio::test]
async fn a_market_that_should_have_opened_is_read_again() {
    let mut desk = Desk::open();
    desk.list("E", "S", &[market("E-A", "E", "initialized")]);
    desk.want(&[Subscription::Event("E".into())]);
    assert_eq!(desk.next().await.status, MarketStatus::Initialized);
    let page = json!({"markets": [market("E-A", "E", "active")], "cursor": ""});
    desk.api.json("GET /markets", &page.to_string());
    assert_eq!(desk.next().await.status, MarketStatus::Active);
}

#[tokio::test]
async fn after_missed_steps_everything_is_read_anew() {
    let mut desk = Desk::open();
    desk.list("E", "S", &[market("E-A", "E", "active")]);
    desk.want(&[Subscription::Event("E".into())]);
    desk.next().await;
    desk.list("E", "S", &[market("E-A", "E", "inactive")]);
    desk.steps.send(Step::Missed).await.unwrap();
    assert_eq!(desk.next().await.status, MarketStatus::Inactive);
}

#[tokio::test]
async fn what_could_not_be_read_is_read_later_and_keeps_nobody_waiting() {
    let mut desk = Desk::open();
    desk.api.on("GET /events/BAD", status(400, r#"{"msg":"no"}"#));
    desk.list("E", "S", &[market("E-A", "E", "active")]);
    desk.want(&[Subscription::Event("BAD".into()), Subscription::Event("E".into())]);
    assert_eq!(&*desk.next().await.ticker, "E-A");
    desk.list("BAD", "S", &[market("BAD-A", "BAD", "active")]);
    assert_eq!(&*desk.next().await.ticker, "BAD-A");
}
