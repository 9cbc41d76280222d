//! The world as a whole.

use std::collections::BTreeMap;

use hotpit_units::{Price, Quantity, Side};

use super::*;
use crate::core::{Effect, Lifecycle, MarketStatus, Rules};

const START: Timestamp = Timestamp::from_secs(1_795_392_000);

fn world(seed: u64, settings: Settings) -> (Scenario, Exchange) {
    let entropy = Entropy::seeded(seed);
    let mut exchange = Exchange::new(Rules::default(), entropy.rng("exchange.ids"));
    let scenario = Scenario::build(settings, entropy, START, &mut exchange).unwrap();
    (scenario, exchange)
}

fn short_game() -> Settings {
    Settings {
        kickoff_after_ms: 500,
        game_ms: 20_000,
        book_changes_per_second: 500,
        settle_after_ms: 500,
    }
}

/// Runs for so long in steps of this size and gives all effects.
fn run(seed: u64, settings: Settings, long: Duration, step: Duration) -> Vec<Effect> {
    let (mut scenario, mut exchange) = world(seed, settings);
    let mut now = START;
    let mut effects = exchange.take_effects();
    while now < START + long {
        now = (now + step).min(START + long);
        scenario.step(now, &mut exchange);
        effects.extend(exchange.take_effects());
    }
    effects
}

#[test]
fn a_seed_makes_a_world_and_another_seed_another_one() {
    let (long, step) = (Duration::from_secs(5), Duration::from_millis(10));
    let first = run(1, short_game(), long, step);
    assert!(first.len() > 2_000, "{}", first.len());
    assert_eq!(first, run(1, short_game(), long, step));
    assert_ne!(first, run(2, short_game(), long, step));
}

#[test]
fn one_long_step_and_many_short_ones_come_to_the_same() {
    let long = Duration::from_secs(25);
    let short_steps = run(3, short_game(), long, Duration::from_millis(7));
    assert_eq!(short_steps, run(3, short_game(), long, long));
}

#[test]
fn a_game_is_played_to_its_end_and_its_markets_are_settled() {
    for seed in 0..20 {
        let (mut scenario, mut exchange) = world(seed, short_game());
        let [home, away] = [scenario.games()[0].home_market, scenario.games()[0].away_market];
        let mut now = START;
        let mut lifecycle = Vec::new();
        let mut periods = Vec::new();
        let mut score = 0;
        while exchange.market(home).status != MarketStatus::Finalized {
            now = now + Duration::from_millis(100);
            assert!(now < START + Duration::from_secs(90), "seed {seed} does not end");
            scenario.step(now, &mut exchange);
            exchange.check_invariants().unwrap();
            let game = &scenario.games()[0];
            assert!((0.0..=1.0).contains(&game.home_win_probability), "{game:?}");
            assert!(game.clock_ms <= football::QUARTER_MS);
            let total = game.home_score() + game.away_score();
            assert!(total >= score, "points do not go away");
            score = total;
            periods.push(game.period);
            for effect in exchange.take_effects() {
                if let Effect::Lifecycle(
                    told @ (Lifecycle::CloseDateUpdated { .. }
                    | Lifecycle::Determined { .. }
                    | Lifecycle::Settled { .. }),
                ) = effect
                {
                    lifecycle.push(told);
                }
            }
        }
        let game = &scenario.games()[0];
        assert_eq!(game.status, GameStatus::Final);
        assert_ne!(game.home_score(), game.away_score());
        assert!(periods.is_sorted() && periods.contains(&3) && game.period >= 4);
        let home_won = game.home_score() > game.away_score();
        let (yes, no) = if home_won { (home, away) } else { (away, home) };
        assert_eq!(exchange.market(yes).outcome, Some(Outcome::Yes));
        assert_eq!(exchange.market(no).outcome, Some(Outcome::No));
        assert_eq!(lifecycle.len(), 6, "{lifecycle:?}");
        let milestone = &exchange.milestones()[0];
        assert_eq!(milestone.details["status"], "closed");
    }
}

#[test]
fn scores_are_those_of_football_games() {
    let scores: Vec<u32> = (0..60)
        .map(|seed| {
            let settings = Settings { book_changes_per_second: 1, ..short_game() };
            let (mut scenario, mut exchange) = world(seed, settings);
            scenario.step(START + Duration::from_secs(80), &mut exchange);
            scenario.games()[0].home_score() + scenario.games()[0].away_score()
        })
        .collect();
    let average = scores.iter().sum::<u32>() / 60;
    assert!((30..=60).contains(&average), "{average}: {scores:?}");
}

#[test]
fn the_books_move_at_the_rate_that_is_set() {
    for rate in [50, 300, 3_000] {
        let settings =
            Settings { book_changes_per_second: rate, game_ms: 600_000, ..Settings::default() };
        let effects = run(4, settings, Duration::from_secs(20), Duration::from_secs(1));
        let changes = effects.iter().filter(|effect| match effect {
            Effect::Book(delta) => delta.ts > START,
            Effect::Trade(_)
            | Effect::Fill(_)
            | Effect::Order(_)
            | Effect::Position { .. }
            | Effect::Ticker { .. }
            | Effect::OrderGroup(_)
            | Effect::Lifecycle(_) => false,
        });
        let per_second = changes.count() / 20;
        let rate = usize::try_from(rate).unwrap();
        assert!((rate * 8 / 10..=rate * 12 / 10).contains(&per_second), "{per_second} for {rate}");
    }
}

#[test]
fn books_have_two_sides_and_prices_follow_the_game() {
    let (mut scenario, mut exchange) =
        world(5, Settings { game_ms: 60_000, ..Settings::default() });
    let mut traded: BTreeMap<Price, Quantity> = BTreeMap::new();
    for tenths in 1..=500 {
        scenario.step(START + Duration::from_millis(tenths * 100), &mut exchange);
        let game = &scenario.games()[0];
        if game.status == GameStatus::Final {
            break;
        }
        for market in exchange.markets() {
            let quote = (market.book().best(Side::Bid), market.book().best(Side::Ask));
            assert!(quote.0.is_some() || quote.1.is_some(), "{}", market.spec.ticker);
        }
        for effect in exchange.take_effects() {
            if let Effect::Trade(trade) = effect {
                assert!(trade.price > Price::ZERO && trade.price < Price::ONE);
                *traded.entry(trade.price).or_default() += trade.count;
            }
        }
        // Traders need a moment after a score: compare where nothing happened for a while.
        if tenths % 50 == 0 && (0.1..0.9).contains(&game.home_win_probability) {
            let bid = exchange.market(game.home_market).book().best(Side::Bid).unwrap();
            let off = f64::from(bid.price.raw()) / 10_000.0 - game.home_win_probability;
            assert!(off.abs() < 0.25, "{off} at {tenths}");
        }
    }
    assert!(traded.len() > 5, "{traded:?}");
}

#[test]
fn the_game_and_its_markets_name_each_other() {
    let (scenario, exchange) = world(6, Settings::default());
    let game = &scenario.games()[0];
    let milestone = &exchange.milestones()[0];
    assert_eq!(milestone.id, game.milestone);
    assert_eq!(milestone.start_date, game.start);
    for (market, team, role) in [
        (game.home_market, &game.home, "home_team_id"),
        (game.away_market, &game.away, "away_team_id"),
    ] {
        let market = exchange.market(market);
        let team_id = team.target.to_string();
        assert_eq!(market.spec.custom_strike["football_team"], team_id);
        assert_eq!(milestone.details[role], team_id);
        assert!(market.spec.ticker.ends_with(&format!("-{}", team.abbreviation)));
        assert_eq!(milestone.primary_event_tickers[0], market.spec.event_ticker);
    }
    let ticker = &exchange.market(game.home_market).spec.event_ticker;
    let (away, home) = (&game.away.abbreviation, &game.home.abbreviation);
    assert_eq!(**ticker, *format!("KXNFLGAME-26NOV22{away}{home}"));
    let shards: Vec<_> = exchange.markets().iter().map(|market| market.exchange_index).collect();
    assert_eq!(shards, [0, 0, 3, 3]);
}
