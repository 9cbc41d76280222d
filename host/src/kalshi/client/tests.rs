//! A scripted transport, and the tests of reads.

use std::collections::{BTreeMap, VecDeque};

use hotpit_units::Timestamp;

use super::*;
use crate::desk::venue::{CancelOutcome, PlaceOutcome, Venue};
use crate::kalshi::auth::{Signer, tests::ed25519};
use crate::streams::Streams;

/// The answer to one request.
pub(crate) type Answer = Result<Response, TransportError>;

/// Answers by script, and remembers what was asked.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    sent: Mutex<Vec<Request>>,
}

impl Fake {
    /// Answers this call (`GET /markets`, the API's version left out, the query alone if there
    /// is one given) so; several answers to one call come in turn, and the last one stays.
    pub(crate) fn on(&self, call: &str, answer: Answer) {
        self.answers.lock().unwrap().entry(call.to_owned()).or_default().push_back(answer);
    }

    pub(crate) fn json(&self, call: &str, json: &str) {
        self.on(call, status(200, json));
    }

    /// Forgets the answers to this call.
    pub(crate) fn clear(&self, call: &str) {
        self.answers.lock().unwrap().remove(call);
    }

    /// What was asked, without the API's version.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(call).collect()
    }

    pub(crate) fn sent(&self) -> Vec<Request> {
        self.sent.lock().unwrap().clone()
    }
}

pub(crate) fn status(status: u16, body: &str) -> Answer {
    Ok(Response { status, body: body.as_bytes().to_vec() })
}

fn call(request: &Request) -> String {
    let path = request.path.strip_prefix("/trade-api/v2").unwrap_or(&request.path);
    let mark = if request.query.is_empty() { "" } else { "?" };
    format!("{} {path}{mark}{}", request.method.as_str(), request.query)
}

impl Transport for Arc<Fake> {
    async fn send(&self, request: Request) -> Answer {
        let call = call(&request);
        self.sent.lock().unwrap().push(request);
        let mut answers = self.answers.lock().unwrap();
        let path = call.split('?').next().unwrap();
        let key = if answers.contains_key(&call) { call.as_str() } else { path };
        match answers.get_mut(key) {
            Some(script) if script.len() > 1 => script.pop_front().unwrap(),
            Some(script) => script.front().cloned().unwrap(),
            None => status(404, r#"{"error":{"code":"not_found","message":"not found"}}"#),
        }
    }
}

pub(crate) fn client(fake: &Arc<Fake>) -> Client<Arc<Fake>> {
    with_settings(fake, Settings::default())
}

pub(crate) fn with_settings(fake: &Arc<Fake>, settings: Settings) -> Client<Arc<Fake>> {
    let credentials = Credentials::new("id", Signer::from_pem(&ed25519().0).unwrap()).unwrap();
    let clock = Clock::simulated(Timestamp::from_secs(1_700_000_000));
    Client::new(
        Arc::clone(fake),
        Some(credentials),
        settings,
        rest(clock),
        clock,
        Entropy::seeded(7),
    )
}

#[tokio::test]
async fn a_read_is_tried_again_while_the_failure_may_pass() {
    let fake = Arc::new(Fake::default());
    fake.on("GET /exchange/status", status(503, "upstream"));
    fake.on("GET /exchange/status", Err(TransportError::NoAnswer("reset".into())));
    fake.json("GET /exchange/status", r#"{"exchange_active":true,"trading_active":false}"#);
    let status = client(&fake).exchange_status().await.unwrap();
    assert!(status.exchange_active && !status.trading_active);
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn a_read_gives_up_after_the_attempts_of_the_settings() {
    let fake = Arc::new(Fake::default());
    fake.on("GET /exchange/status", status(500, ""));
    let error = client(&fake).exchange_status().await.unwrap_err();
    assert!(matches!(error, CallError::Refused { status: 500, .. }), "{error}");
    assert_eq!(fake.calls().len(), 3);
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    let fake = Arc::new(Fake::default());
    fake.on("GET /series/S", status(400, r#"{"msg":"bad"}"#));
    assert!(client(&fake).series("S").await.is_err());
    assert!(matches!(client(&fake).event("E").await.unwrap_err(), CallError::NotFound(_)));
    assert_eq!(fake.calls(), ["GET /series/S", "GET /events/E?with_nested_markets=true"]);
}

#[tokio::test]
async fn a_success_that_holds_an_error_is_an_error() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /series/S", r#"{"error":{"code":"deprecated","message":"gone"}}"#);
    let error = client(&fake).series("S").await.unwrap_err();
    assert_eq!(error.to_string(), "status 200: deprecated: gone");
}

#[tokio::test]
async fn a_listing_is_read_to_its_end() {
    let fake = Arc::new(Fake::default());
    let market =
        |ticker: &str| format!(r#"{{"ticker":"{ticker}","event_ticker":"E","status":"active"}}"#);
    let first = format!(r#"{{"markets":[{}],"cursor":"next page"}}"#, market("A"));
    fake.json("GET /markets?tickers=A,B&limit=1000", &first);
    let second = format!(r#"{{"markets":[{}],"cursor":""}}"#, market("B"));
    fake.json("GET /markets?tickers=A,B&limit=1000&cursor=next%20page", &second);
    let markets = client(&fake).markets(&["A".into(), "B".into()]).await.unwrap();
    let tickers: Vec<_> = markets.iter().map(|market| &*market.ticker).collect();
    assert_eq!(tickers, ["A", "B"]);
}

#[tokio::test]
async fn a_cursor_that_comes_back_ends_the_listing_with_an_error() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /milestones", r#"{"milestones":[],"cursor":"same"}"#);
    let error = client(&fake).milestones_of_event("E").await.unwrap_err();
    assert!(matches!(error, CallError::Endless(_)), "{error}");
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test]
async fn reads_wait_for_the_rate_limit_and_not_for_ever() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /exchange/status", r#"{"exchange_active":true,"trading_active":true}"#);
    let client = client(&fake);
    let started = client.clock().now();
    for _ in 0..62 {
        client.exchange_status().await.unwrap();
    }
    // 600 tokens at once, then 200 a second: two reads of 10 more than there are.
    assert!(client.clock().now().since(started) >= Duration::from_millis(100));
    let settings = Settings { read_wait_ms: 10, ..Settings::default() };
    let client = with_settings(&fake, settings);
    client.limits().refused(Bill::Read { tokens: 10 }, client.clock.now());
    let error = client.exchange_status().await.unwrap_err();
    assert!(matches!(error, CallError::RateLimited(_)), "{error}");
}

#[tokio::test]
async fn the_path_is_signed_without_the_query() {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base64::Engine;

    let (pem, public) = ed25519();
    let fake = Arc::new(Fake::default());
    fake.json("GET /milestones", r#"{"milestones":null}"#);
    let credentials = Credentials::new("id", Signer::from_pem(&pem).unwrap()).unwrap();
    let clock = Clock::simulated(Timestamp::from_secs(1_700_000_000));
    let settings = Settings::default();
    let client = Client::new(
        Arc::clone(&fake),
        Some(credentials),
        settings,
        rest(clock),
        clock,
        Entropy::seeded(1),
    );
    client.milestones("football_game", Timestamp::from_secs(1_700_000_000)).await.unwrap();
    let request = fake.sent().remove(0);
    assert_eq!(
        request.query,
        "type=football_game&limit=500&minimum_start_date=2023-11-14T22%3A13%3A20Z"
    );
    let [_, (_, signed_at), (_, signature)] = request.signed.unwrap().into_headers();
    let signed_at = signed_at.to_str().unwrap();
    let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public)
        .verify(format!("{signed_at}GET/trade-api/v2/milestones").as_bytes(), &signature)
        .unwrap();
}

#[tokio::test]
async fn without_a_key_the_public_is_read_and_nothing_is_sent() {
    let fake = Arc::new(Fake::default());
    fake.json("GET /exchange/status", r#"{"exchange_active":true,"trading_active":true}"#);
    let clock = Clock::simulated(Timestamp::from_secs(1));
    let client = Client::new(
        Arc::clone(&fake),
        None,
        Settings::default(),
        rest(clock),
        clock,
        Entropy::seeded(1),
    );
    client.exchange_status().await.unwrap();
    assert!(fake.sent()[0].signed.is_none());
}

#[tokio::test]
async fn trades_come_oldest_first_without_block_trades() {
    let fake = Arc::new(Fake::default());
    let trade = |id: &str, time: &str, block: bool| {
        format!(
            r#"{{"trade_id":"{id}","ticker":"M","count_fp":"1.00","yes_price_dollars":"0.5",
                "taker_outcome_side":"no","created_time":"{time}","is_block_trade":{block}}}"#
        )
    };
    let page = [
        trade("c", "2026-01-01T00:00:03Z", false),
        trade("b", "2026-01-01T00:00:02Z", true),
        trade("a", "2026-01-01T00:00:01Z", false),
        "{}".to_owned(),
    ];
    fake.json("GET /markets/trades", &format!(r#"{{"trades":[{}]}}"#, page.join(",")));
    let trades = client(&fake).trades(Some("M"), Timestamp::EPOCH).await.unwrap();
    let ids: Vec<_> = trades.iter().map(|trade| &*trade.trade_id).collect();
    assert_eq!(ids, ["a", "c"]);
}

/// The health of an API that answers.
pub(crate) fn rest(clock: Clock) -> Arc<Stream> {
    Streams::new(clock, Entropy::seeded(1)).open("kalshi rest", Settings::default().policy())
}

#[tokio::test]
async fn an_api_that_keeps_failing_is_left_alone_and_cancels_go_out_all_the_same() {
    let fake = Arc::new(Fake::default());
    let client = client(&fake);
    fake.on("GET /exchange/status", status(503, "down"));
    for _ in 0..3 {
        client.exchange_status().await.unwrap_err();
    }
    assert_eq!(fake.calls().len(), 5, "the breaker opens at the fifth failure");
    assert!(matches!(client.exchange_status().await, Err(CallError::LeftAlone(_))));
    let placed = client.place(super::venue::tests::place()).await;
    assert!(matches!(placed, PlaceOutcome::NotSent { .. }), "{placed:?}");
    assert_eq!(fake.calls().len(), 5);
    assert_eq!(client.cancel(super::venue::tests::cancel()).await, CancelOutcome::NotFound);
    assert_eq!(fake.calls().len(), 6);
    // The cancel was answered: the API is there.
    assert!(!matches!(client.exchange_status().await, Err(CallError::LeftAlone(_))));
}

/// Every shape in which the exchange says no, under a status that says yes.
const ERRORS: [&str; 5] = [
    r#"{"error":{"code":"unavailable","message":"m","details":"d"}}"#,
    r#"{"error":{"message":"m"}}"#,
    r#"{"code":"unavailable","message":"m"}"#,
    r#"{"error":"too many requests"}"#,
    r#"{"msg":"m"}"#,
];

#[tokio::test]
async fn an_error_under_a_success_is_never_an_empty_answer() {
    let since = Timestamp::EPOCH;
    let all = Filter::default();
    for error in ERRORS {
        let fake = Arc::new(Fake::default());
        let client = client(&fake);
        for listing in [
            "/markets",
            "/events",
            "/series",
            "/milestones",
            "/markets/trades",
            "/portfolio/orders",
            "/portfolio/fills",
            "/portfolio/positions",
            "/portfolio/settlements",
            "/portfolio/balance",
            "/portfolio/order_groups",
            "/portfolio/order_groups/g",
            "/portfolio/orders/queue_positions",
            "/exchange/schedule",
            "/exchange/status",
        ] {
            fake.json(&format!("GET {listing}"), error);
        }
        let answers = [
            client.markets(&["M".into()]).await.err(),
            client.events_of_series("S", "open").await.err(),
            client.all_series(None).await.err(),
            client.milestones("football_game", since).await.err(),
            client.trades(None, since).await.err(),
            client.orders(&all).await.err(),
            client.fills(&all).await.err(),
            client.positions(&all).await.err(),
            client.settlements(since).await.err(),
            client.balances(&all).await.err(),
            client.order_groups().await.err(),
            client.order_group("g").await.err(),
            client.queue_positions(&["M".into()]).await.err(),
            client.standard_hours().await.err(),
            client.exchange_status().await.err(),
        ];
        for (number, answer) in answers.into_iter().enumerate() {
            let is_refused = matches!(answer, Some(CallError::Refused { status: 200, .. }));
            assert!(is_refused, "{number}: {error} gave {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_its_list_is_not_an_empty_list() {
    let fake = Arc::new(Fake::default());
    for listing in ["/markets", "/series", "/portfolio/settlements", "/markets/trades"] {
        fake.json(&format!("GET {listing}"), r#"{"cursor":""}"#);
    }
    let client = client(&fake);
    let answers = [
        client.markets(&["M".into()]).await.err(),
        client.all_series(None).await.err(),
        client.settlements(Timestamp::EPOCH).await.err(),
        client.trades(None, Timestamp::EPOCH).await.err(),
    ];
    for answer in answers {
        assert!(matches!(answer, Some(CallError::Unreadable { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_batch_that_never_fits_says_so_and_is_not_sent() {
    let fake = Arc::new(Fake::default());
    let orders = vec![super::venue::tests::place(); 20];
    let outcomes = client(&fake).place_batch(&orders).await;
    let PlaceOutcome::NotSent { reason } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert!(reason.contains("200 tokens") && reason.contains("80 at most"), "{reason}");
    assert_eq!(fake.calls(), Vec::<String>::new());
}
