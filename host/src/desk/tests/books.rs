//! What is kept of markets, and where the cash lies.

use super::*;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn paid() -> MarketView {
    let market = Market {
        status: MarketStatus::Finalized,
        settlement: Some(Price::ONE),
        ..market(MARKET, TICKER)
    };
    view_of(market, MARKET, START)
}

/// Lets time pass in steps that a test can afford.
fn sleep(floor: &mut Floor, duration: Duration) {
    floor.now = floor.now + duration;
    floor.apply(Input::Tick);
}

/// A floor on which ten contracts at 40 cents paid a dollar each.
fn settled() -> Floor {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
    floor.apply(Input::Market(paid()));
    floor
}

#[test]
fn what_is_settled_goes_after_an_hour_and_stays_in_the_sums() {
    let mut floor = settled();
    let before = floor.desk.report();
    assert_eq!((before.realized, before.positions.len()), (Dollars::from_dollars(6), 1));
    sleep(&mut floor, HOUR - Duration::from_secs(1));
    assert_eq!(floor.account().positions.len(), 1);
    sleep(&mut floor, Duration::from_secs(61));
    let after = floor.desk.report();
    assert_eq!((after.realized, after.fees), (before.realized, before.fees));
    assert_eq!((after.cash, after.positions.len()), (before.cash, 0));
    assert_eq!(floor.account().positions, []);
    assert_eq!(floor.desk.ledger.stakes().count(), 0);
    // The order that ended still names the market.
    assert_eq!(floor.desk.ledger.markets.iter().count(), 1);
}

#[test]
fn what_may_still_change_stays() {
    // A position, a working order, a position that is flat where trading goes on.
    let flat = |floor: &mut Floor| {
        let (buy, sell) = (floor.rest(bid(1, 40, 1)), floor.rest(ask(2, 60, 1)));
        floor.apply(Input::Fill(filled(&buy, "f1", 1, START)));
        floor.apply(Input::Fill(filled(&sell, "f2", 1, START)));
    };
    let arrange: [fn(&mut Floor); 3] = [
        |floor| {
            let sent = floor.rest(bid(1, 40, 10));
            floor.apply(Input::Fill(filled(&sent, "f1", 10, START)));
        },
        |floor| {
            floor.rest(bid(1, 40, 10));
        },
        flat,
    ];
    for arrange in arrange {
        let mut floor = Floor::open();
        arrange(&mut floor);
        sleep(&mut floor, 3 * HOUR);
        assert_eq!(floor.account().positions.len(), 1);
    }
}

#[test]
fn a_market_that_was_only_looked_at_is_forgotten_and_its_place_is_used_again() {
    let mut floor = Floor::open();
    for number in 100..200 {
        let ticker = format!("KX-{number}");
        floor.apply(Input::Market(view_of(
            market(MarketId(number), &ticker),
            MarketId(number),
            START,
        )));
    }
    assert_eq!(floor.desk.ledger.markets.iter().count(), 101);
    sleep(&mut floor, 2 * HOUR);
    assert_eq!(floor.desk.ledger.markets.iter().count(), 0);
    // What comes now stands in the place of another, and is itself.
    let sent = floor.rest(bid(1, 40, 10));
    floor.apply(Input::Fill(filled(&sent, "f1", 10, floor.now)));
    assert_eq!(floor.position(), contracts(10));
    assert_eq!(
        floor.denied(NewOrder { market: MarketId(150), ..bid(2, 40, 1) }),
        "MARKET_UNKNOWN: market=150"
    );
}

#[test]
fn an_account_lists_its_positions_by_market() {
    let mut floor = Floor::open();
    for (number, id) in [(1, 9), (2, 3), (3, 6)] {
        let id = MarketId(id);
        floor.apply(Input::Market(view_of(market(id, &format!("KX-{}", id.0)), id, START)));
        let sent = floor.place_as_is(NewOrder { market: id, ..bid(number, 40, 1) });
        floor.apply(Input::Fill(filled(&sent, &format!("f{number}"), 1, START)));
    }
    let account = floor.account();
    let markets: Vec<u32> = account.positions.iter().map(|position| position.market.0).collect();
    assert_eq!(markets, [3, 6, 9]);
    assert_eq!(account.position(MarketId(6)).unwrap().quantity, contracts(1));
    assert_eq!(account.position(MarketId(7)), None);
}

/// An account with $1,000 on shard 0 and so much on the shard of the market.
fn spread(floor: &Floor, here: i64) -> AccountSnapshot {
    let dollars = Dollars::from_dollars;
    let balances = [(0, dollars(1_000)), (SHARD, dollars(here))].into();
    AccountSnapshot { balances, ..floor.snapshot() }
}

#[test]
fn an_order_is_paid_from_the_shard_of_its_market() {
    let mut floor = Floor::cold(ungrouped(), Recovered { runs: 1, ..Recovered::default() });
    floor.apply(Input::Connected);
    floor.apply(Input::Account(Ok(spread(&floor, 4))));
    floor.apply(Input::AgentUp { agent: agent(), limits: AgentLimits::default() });
    floor.apply(Input::Market(view(START)));
    let denial = "CASH_SHORT: cost=5.185000 free=4.000000 shard=3";
    assert_eq!(floor.denied(bid(1, 50, 10)), denial);
    let sent = floor.rest(bid(2, 50, 5));
    floor.apply(Input::Fill(filled(&sent, "f1", 5, START)));
    let shards: Vec<(i32, Dollars)> =
        floor.desk.report().shards.iter().map(|line| (line.shard, line.cash)).collect();
    assert_eq!(shards, [(0, Dollars::from_dollars(1_000)), (SHARD, Dollars::from_raw(1_490_000))]);
}

#[test]
fn cash_that_moves_to_another_shard_is_there_when_two_reads_show_it() {
    let mut floor = Floor::open();
    floor.pass(Duration::from_secs(60));
    for _ in 0..2 {
        let dollars = Dollars::from_dollars;
        let balances = [(0, dollars(300)), (SHARD, dollars(700))].into();
        floor.apply(Input::Account(Ok(AccountSnapshot { balances, ..floor.snapshot() })));
    }
    assert_eq!(floor.differences(), ["cash", "cash"]);
    let report = floor.desk.report();
    assert_eq!(report.cash, Dollars::from_dollars(1_000));
    let free: Vec<i64> = report.shards.iter().map(|line| line.free.raw() / 1_000_000).collect();
    assert_eq!(free, [300, 700]);
}

#[test]
fn orders_that_work_are_counted_with_the_fees_of_now() {
    let mut floor = Floor::open();
    floor.rest(bid(1, 50, 10));
    let counted = |floor: &Floor| (floor.account().budget, floor.desk.ledger.shard(SHARD).free());
    let before = counted(&floor);
    let mut dearer = market(MARKET, TICKER);
    dearer.fees.multiplier_milli *= 2;
    floor.apply(Input::Market(view_of(dearer, MARKET, START)));
    let fee = Dollars::from_raw(175_000);
    assert_eq!(counted(&floor), (before.0 - fee, before.1 - fee));
}

#[test]
fn what_orders_reserve_follows_their_market_to_its_shard() {
    let mut floor = Floor::open();
    let sent = floor.rest(bid(1, 10, 1));
    // From outside, in a market that nobody has seen: its order tells the shard.
    let mut foreign = reported(&sent, VenueOrderStatus::Resting, 0);
    foreign.venue_order_id = "elsewhere".into();
    foreign.client_order_id = None;
    foreign.ticker = Arc::from("KX-2");
    foreign.exchange_index = 2;
    let before = floor.desk.ledger.shard(SHARD).free();
    floor.apply(Input::Order(foreign));
    assert_eq!(floor.desk.ledger.shard(SHARD).free(), before);
    let reserved = Dollars::ZERO - floor.desk.ledger.shard(2).free();
    assert!(reserved.is_positive());
    // The market says otherwise, and is right.
    let other = Market { exchange_index: 1, ..market(MarketId(8), "KX-2") };
    floor.apply(Input::Market(view_of(other, MarketId(8), START)));
    assert_eq!(floor.desk.ledger.shard(2).free(), Dollars::ZERO);
    assert_eq!(floor.desk.ledger.shard(1).free(), Dollars::ZERO - reserved);
}
