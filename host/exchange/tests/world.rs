//! The world on sockets: reproducible, consistent between REST, WebSocket and scoreboard, fast.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{SEA, World, quiet};
use hotpit_exchange::core::{NewOrder, Route};
use hotpit_exchange::scenario::{self, GameStatus};
use hotpit_exchange::server::credentials::KeyKind;
use hotpit_exchange::server::{Floor, Pace, Settings};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde_json::{Value, json};

const SCOREBOARD: &str = "/apis/site/v2/sports/football/nfl/scoreboard";

/// A world whose time is moved by hand.
async fn played(seed: u64) -> World {
    let start = Timestamp::from_secs(1_795_000_000);
    let scenario = scenario::Settings { game_ms: 60_000, ..scenario::Settings::default() };
    let pace = Pace::Manual { start };
    let settings = Settings { scenario: Some(scenario), pace, ..Settings::default() };
    World::start_from(settings, KeyKind::Ed25519, seed).await
}

async fn advance(world: &World, by: Duration) {
    world.exchange.with_floor(move |floor: &mut Floor| floor.advance(by)).await.unwrap();
}

async fn tickers(world: &World) -> Vec<String> {
    let markets = world.get("/markets?limit=1000").await;
    let tickers = markets["markets"].as_array().unwrap().iter();
    tickers.map(|market| market["ticker"].as_str().unwrap().to_owned()).collect()
}

/// Everything that a subscriber of all channels sees in ten seconds, but the time of sending.
async fn film(seed: u64) -> Vec<Value> {
    let world = played(seed).await;
    let mut client = world.connect().await;
    let channels = ["orderbook_delta", "ticker", "trade", "market_lifecycle_v2"];
    let params = json!({ "channels": channels, "market_tickers": tickers(&world).await });
    client.send("subscribe", params).await;
    let mut frames = Vec::new();
    for _ in 0..20 {
        advance(&world, Duration::from_millis(500)).await;
        frames.extend(client.drain().await);
    }
    for frame in &mut frames {
        frame.as_object_mut().unwrap().remove("sending_ts_ms");
    }
    frames
}

#[tokio::test]
async fn the_same_seed_gives_the_same_frames() {
    let (first, again, other) = (film(1).await, film(1).await, film(2).await);
    assert!(first.len() > 500, "{}", first.len());
    assert_eq!(first, again);
    assert_ne!(first, other);
}

/// A book on the scale of the YES leg: side and price to quantity.
type Book = BTreeMap<(String, Price), Quantity>;

fn levels(side: &str, list: &Value) -> Book {
    let list = list.as_array().cloned().unwrap_or_default();
    let level = |level: Value| {
        let (price, quantity): (Price, Quantity) = serde_json::from_value(level).unwrap();
        ((side.to_owned(), price), quantity)
    };
    list.into_iter().map(level).collect()
}

#[tokio::test]
async fn a_replayed_book_is_the_book_that_rest_shows() {
    let world = played(3).await;
    let tickers = tickers(&world).await;
    let mut client = world.connect().await;
    let all: Vec<&str> = tickers.iter().map(String::as_str).collect();
    client.subscribe("orderbook_delta", &all).await;
    let mut books: BTreeMap<String, Book> = BTreeMap::new();
    let mut seq = 0;
    for _ in 0..20 {
        advance(&world, Duration::from_secs(1)).await;
        for frame in client.drain().await {
            let msg = &frame["msg"];
            let Some(ticker) = msg["market_ticker"].as_str() else { continue };
            seq += 1;
            assert_eq!(frame["seq"], seq);
            if frame["type"] == "orderbook_snapshot" {
                let mut book = levels("yes", &msg["yes_dollars_fp"]);
                book.extend(levels("no", &msg["no_dollars_fp"]));
                books.insert(ticker.to_owned(), book);
                continue;
            }
            let price = serde_json::from_value(msg["price_dollars"].clone()).unwrap();
            let delta: Quantity = serde_json::from_value(msg["delta_fp"].clone()).unwrap();
            let book = books.get_mut(ticker).unwrap();
            let side = msg["side"].as_str().unwrap().to_owned();
            let level = book.entry((side, price)).or_default();
            *level += delta;
            assert!(!level.is_negative(), "{frame}");
            book.retain(|_, quantity| quantity.is_positive());
        }
        for ticker in &tickers {
            let shown = world.get(&format!("/markets/{ticker}/orderbook")).await;
            let shown = &shown["orderbook_fp"];
            let mut book = levels("yes", &shown["yes_dollars"]);
            book.extend(levels("no", &shown["no_dollars"]));
            assert_eq!(books[ticker], book, "{ticker}");
        }
    }
    assert!(seq > 1_000, "{seq}");
}

#[tokio::test]
async fn the_scoreboard_follows_the_game_and_has_an_etag() {
    let world = played(5).await;
    let board = async |headers: Vec<(&str, &str)>| {
        let answer = world.plain(SCOREBOARD, &headers).await;
        let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, etag, serde_json::from_str::<Value>(&text).unwrap_or(Value::Null))
    };
    let (status, before, scheduled) = board(vec![]).await;
    assert_eq!(status, 200);
    let game = &scheduled["events"][0]["competitions"][0];
    assert_eq!(game["status"]["type"]["state"], "pre");
    assert!(game.get("situation").is_none());
    assert_eq!(board(vec![("if-none-match", before.as_str())]).await.0, 304);

    let mut with_situation = 0;
    let mut score = String::new();
    for _ in 0..60 {
        advance(&world, Duration::from_secs(1)).await;
        let (status, _, body) = board(vec![("if-none-match", before.as_str())]).await;
        if status == 304 {
            continue;
        }
        let game = &body["events"][0]["competitions"][0];
        with_situation += u32::from(game.get("situation").is_some());
        score = game["competitors"][0]["score"].as_str().unwrap().to_owned();
    }
    assert!((1..60).contains(&with_situation), "it comes and goes: {with_situation}");
    let game =
        world.exchange.with_floor(|floor| floor.scenario.as_ref().unwrap().games()[0].clone());
    let game = game.await.unwrap();
    let scores = [game.home_score().to_string(), game.away_score().to_string()];
    assert!(scores.contains(&score), "{score} is not one of {scores:?}");
    assert_ne!(scores, ["0", "0"], "nobody scored: the check would hold for a board that stands");

    let other = world.plain("/apis/site/v2/sports/hockey/nhl/scoreboard", &[]).await;
    let other: Value = serde_json::from_str(&other.text().await.unwrap()).unwrap();
    assert_eq!(other["events"], json!([]));
    let unknown = world.plain("/apis/site/v2/sports/chess/fide/scoreboard", &[]).await;
    assert_eq!(unknown.status().as_u16(), 404);
}

#[tokio::test]
async fn a_test_can_move_the_score_itself() {
    let world = played(6).await;
    let score = |floor: &mut Floor| {
        let mut game = floor.scenario.as_ref().unwrap().games()[0].clone();
        game.status = GameStatus::Final;
        game.home_points = vec![7, 3, 0, 14];
        game.away_points = vec![0, 10, 0, 7];
        floor.show_game(game);
    };
    world.exchange.with_floor(score).await.unwrap();
    let board = world.plain(SCOREBOARD, &[]).await.text().await.unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    assert_eq!(board["events"].as_array().unwrap().len(), 1);
    let game = &board["events"][0]["competitions"][0];
    let home = &game["competitors"][0];
    assert_eq!(
        (&home["homeAway"], &home["score"], &home["winner"]),
        (&json!("home"), &json!("24"), &json!(true))
    );
    assert_eq!(game["competitors"][1]["winner"], false);
    assert_eq!(game["status"]["type"]["completed"], true);
}

#[tokio::test]
async fn a_game_leads_to_its_markets_and_their_teams() {
    let world = played(8).await;
    let board = world.plain(SCOREBOARD, &[]).await.text().await.unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let home = board["events"][0]["competitions"][0]["competitors"][0]["team"].clone();

    let games = world.get("/milestones?type=football_game&limit=200").await;
    let milestone = &games["milestones"][0];
    let event = milestone["primary_event_tickers"][0].as_str().unwrap();
    let again = world.get(&format!("/milestones?limit=1&related_event_ticker={event}")).await;
    assert_eq!(&again["milestones"][0]["id"], &milestone["id"]);

    let event = world.get(&format!("/events/{event}?with_nested_markets=true")).await;
    let markets = event["event"]["markets"].as_array().unwrap();
    let target = milestone["details"]["home_team_id"].as_str().unwrap();
    let of_home = |market: &&Value| market["custom_strike"]["football_team"] == target;
    assert_eq!(markets.iter().filter(of_home).count(), 1);
    let team = world.get(&format!("/structured_targets/{target}")).await;
    assert_eq!(team["structured_target"]["name"], home["displayName"]);

    let series = event["event"]["series_ticker"].as_str().unwrap();
    let series = world.get(&format!("/series/{series}")).await;
    assert!(series["series"]["fee_multiplier"].is_number());
    let fees = world.get("/series/fee_changes").await;
    assert_eq!(fees, json!({ "series_fee_change_arr": [] }));
    assert_eq!(world.get("/exchange/status").await["trading_active"], true);
    assert!(world.get("/exchange/schedule").await["schedule"]["standard_hours"].is_array());
    assert_eq!(world.get("/account/endpoint_costs").await["default_cost"], 10);
}

#[tokio::test]
async fn one_client_takes_more_than_ten_thousand_frames_a_second() {
    const FRAMES: usize = 50_000;
    let settings = Settings { frames_queued_max: FRAMES, ..quiet() };
    let world = World::start_with(settings, KeyKind::Ed25519).await;
    let mut client = world.connect().await;
    client.subscribe("orderbook_delta", &[SEA]).await;
    client.frames(2).await;
    let before = tokio::time::Instant::now();
    let flood = |floor: &mut Floor| {
        let account = floor.exchange.accounts()[0].id;
        let market = floor.exchange.find(SEA).unwrap();
        let now = floor.now();
        for number in 0..250 {
            let price = Price::from_cents(1 + number % 40);
            let order = NewOrder::limit(market, Side::Bid, price, Quantity::from_raw(1));
            let created = floor.exchange.create_order(now, account, order).unwrap();
            floor.exchange.cancel_order(now, account, created.order_id, Route::Anywhere).unwrap();
        }
    };
    let floods = async {
        for _ in 0..FRAMES / 500 {
            world.exchange.with_floor(flood).await.unwrap();
        }
    };
    let reads = async {
        for seq in 2..FRAMES as u64 + 2 {
            let text = client.raw().await;
            assert!(text.contains(&format!("\"seq\":{seq},")), "{text}");
        }
    };
    tokio::join!(floods, reads);
    let rate = FRAMES as f64 / before.elapsed().as_secs_f64();
    assert!(rate > 10_000.0, "{rate:.0} frames a second");
}
