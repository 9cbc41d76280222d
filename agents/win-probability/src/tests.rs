//! The agent in the harness: what it does as the score moves.

use hotpit_agent::Requirement;
use hotpit_agent::testing::{self, Harness, cents, contracts, level, placed};

use super::*;

const HOME: &str = "KXNFLGAME-26SEP09NESEA-SEA";
const AWAY: &str = "KXNFLGAME-26SEP09NESEA-NE";
const QUARTER: Duration = Duration::from_secs(15 * 60);
const COOL_DOWN: Duration = Duration::from_secs(2);

/// A level game at the start of the last quarter, with both markets at an even price. The home
/// team has no advantage.
fn floor() -> Harness<WinProbability> {
    let mut harness = Harness::new().game(HOME, AWAY).param("home_advantage_tenths", "0");
    harness.score(4, QUARTER, 0, 0);
    assert_eq!(harness.quote(HOME, cents(49), cents(51)), []);
    assert_eq!(harness.quote(AWAY, cents(49), cents(51)), []);
    harness
}

/// A book of a hundred contracts on each side.
fn book(bid: u32, ask: u32) -> OrderBook {
    OrderBook { bids: vec![level(bid, 100)], asks: vec![level(ask, 100)], synced: true }
}

/// Fills whatever is under way, and lets the cool-down pass.
fn fill_and_wait(harness: &mut Harness<WinProbability>) {
    for order in harness.working() {
        harness.fill(order.order.order, order.remaining());
    }
    harness.advance(COOL_DOWN);
}

#[test]
fn a_touchdown_is_bought_before_the_market_moves() {
    let mut harness = floor();
    let orders = placed(&harness.score(4, QUARTER, 7, 0));
    assert_eq!(orders.len(), 1);
    let order = orders[0];
    assert_eq!((order.market, order.side), (harness.market_id(AWAY), Side::Ask));
    assert_eq!((order.price, order.quantity), (cents(49), contracts(10)));
    assert_eq!(order.time_in_force, TimeInForce::ImmediateOrCancel);
}

#[test]
fn the_market_with_the_better_price_is_taken() {
    let mut harness = floor();
    harness.set_book(AWAY, book(12, 14));
    let order = placed(&harness.score(4, QUARTER, 7, 0))[0];
    assert_eq!((order.market, order.side), (harness.market_id(HOME), Side::Bid));
    assert_eq!(order.price, cents(51));
}

#[test]
fn a_price_within_the_edge_is_left_alone() {
    // A lead of 7 with a quarter left is worth 86.32 cents; at 82 cents the fee is 1.04.
    let mut harness = floor();
    harness.set_book(AWAY, book(13, 15));
    harness.set_book(HOME, book(80, 83));
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
    let order = placed(&harness.quote(HOME, cents(80), cents(82)))[0];
    assert_eq!((order.side, order.price), (Side::Bid, cents(82)));
}

#[test]
fn no_second_order_while_one_is_under_way_or_within_the_cool_down() {
    let mut harness = floor();
    let order = placed(&harness.score(4, QUARTER, 7, 0))[0].order;
    assert_eq!(harness.score(4, QUARTER, 14, 0), [], "under way");
    assert_eq!(harness.fill(order, contracts(10)), []);
    assert_eq!(harness.quote(AWAY, cents(49), cents(51)), [], "cool-down");
    harness.advance(COOL_DOWN);
    assert_eq!(placed(&harness.quote(AWAY, cents(49), cents(51))).len(), 1);
}

#[test]
fn a_denied_order_is_not_sent_again_at_once() {
    let mut harness = floor();
    let order = placed(&harness.score(4, QUARTER, 7, 0))[0].order;
    assert_eq!(harness.deny(order, "SELF_MATCH: market=KX price=0.49"), []);
    assert_eq!(harness.quote(AWAY, cents(49), cents(51)), []);
    harness.advance(COOL_DOWN);
    assert_eq!(placed(&harness.quote(AWAY, cents(49), cents(51))).len(), 1);
}

#[test]
fn the_net_position_on_the_game_stays_within_its_limit() {
    let mut harness = floor();
    harness.score(4, QUARTER, 7, 0);
    for _ in 0..10 {
        fill_and_wait(&mut harness);
        harness.quote(HOME, cents(49), cents(51));
        fill_and_wait(&mut harness);
        harness.quote(AWAY, cents(49), cents(51));
    }
    let net = harness.position(HOME).quantity - harness.position(AWAY).quantity;
    assert_eq!(net, contracts(50));
    assert_eq!(placed(harness.actions()).len(), 5);
}

#[test]
fn a_position_is_turned_only_when_the_edge_turns() {
    let mut harness = Harness::<WinProbability>::new()
        .game(HOME, AWAY)
        .param("home_advantage_tenths", "0")
        .holding(HOME, contracts(50), cents(60));
    harness.quote(HOME, cents(49), cents(51));
    assert_eq!(harness.score(4, QUARTER, 0, 0), [], "at a loss, but at its price");
    let order = placed(&harness.score(4, QUARTER, 0, 3))[0];
    assert_eq!((order.side, order.price), (Side::Ask, cents(49)));
}

#[test]
fn no_more_is_taken_than_is_offered_in_whole_contracts() {
    let mut harness = floor();
    let thin = OrderBook { bids: vec![level(49, 3)], asks: vec![level(51, 3)], synced: true };
    harness.set_book(AWAY, thin);
    assert_eq!(placed(&harness.score(4, QUARTER, 7, 0))[0].quantity, contracts(3));

    let mut harness = floor();
    let part = hotpit_agent::Level { price: cents(49), quantity: Quantity::from_raw(99) };
    for ticker in [HOME, AWAY] {
        harness.set_book(ticker, OrderBook { bids: vec![part], asks: vec![], synced: true });
    }
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
}

#[test]
fn nothing_is_traded_on_a_book_that_is_not_synced_or_a_market_that_is_paused() {
    let mut harness = floor();
    for ticker in [HOME, AWAY] {
        harness.status(ticker, MarketStatus::Inactive);
    }
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
    for ticker in [HOME, AWAY] {
        harness.set_book(ticker, OrderBook { bids: vec![level(49, 9)], ..OrderBook::default() });
        assert_eq!(harness.status(ticker, MarketStatus::Active), []);
    }
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
}

#[test]
fn unmapped_games_other_leagues_and_games_not_played_are_left_alone() {
    let unmapped = testing::game("nfl", "SEA", "NE");
    let mut harness = Harness::<WinProbability>::new().market(HOME).game_with(unmapped);
    harness.quote(HOME, cents(49), cents(51));
    assert_eq!(harness.score(4, QUARTER, 21, 0), []);

    let mut harness = floor();
    assert_eq!(harness.game_state(GameStatus::Final, 4, Duration::ZERO, 21, 0), []);
    assert_eq!(harness.score(0, Duration::ZERO, 21, 0), [], "scheduled");

    let mut harness = Harness::<WinProbability>::new().game(HOME, AWAY).param("league", "nba");
    harness.quote(HOME, cents(49), cents(51));
    assert_eq!(harness.score(4, QUARTER, 21, 0), []);
}

#[test]
fn after_a_gap_it_waits_for_the_score() {
    let mut harness = floor();
    harness.gap(None);
    assert_eq!(harness.quote(HOME, cents(10), cents(12)), []);
    assert_eq!(placed(&harness.score(4, QUARTER, 0, 0)).len(), 1);
}

#[test]
fn an_order_under_way_is_remembered_over_a_swap_and_a_restart() {
    let mut harness = floor();
    harness.score(4, QUARTER, 7, 0);
    harness.swap();
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
    harness.restart();
    assert_eq!(harness.score(4, QUARTER, 7, 0), []);
    let order = harness.working()[0].order.order;
    harness.lose_order(order, OrderState::Canceled);
    harness.advance(Duration::from_secs(3));
    assert_eq!(placed(&harness.score(4, QUARTER, 7, 0)).len(), 1, "found out by itself");
}

#[test]
fn a_market_that_is_settled_is_not_saved_again_even_if_it_was_only_restored() {
    let mut harness = floor();
    harness.score(4, QUARTER, 7, 0);
    harness.restart();
    for ticker in [HOME, AWAY] {
        harness.status(ticker, MarketStatus::Finalized);
    }
    let saved = String::from_utf8(harness.save()).unwrap();
    assert!(saved.ends_with(r#"{"taken":{}}"#), "{saved}");
}

#[test]
fn it_hears_its_league_and_needs_its_game() {
    assert_eq!(WinProbability::subscriptions(), [Subscription::League("nfl".into())]);
    assert_eq!(WinProbability::requires(), [Requirement::GameFeed]);
}

#[test]
fn parameters_that_make_no_sense_refuse_the_start() {
    let mut harness =
        Harness::<WinProbability>::new().param("edge", "0").param("scale_tenths", "0");
    let error = harness.start().unwrap_err();
    assert_eq!(error, "`edge` must be more than 0; `scale_tenths` must be more than 0");
}
