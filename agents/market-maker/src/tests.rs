//! The agent in the harness: what it does, event by event.

use hotpit_agent::testing::{Harness, TestOrder, canceled, cents, contracts, level, placed};

use super::*;

const KX: &str = "KXNFLGAME-26SEP09NESEA-SEA";

fn maker() -> Harness<MarketMaker> {
    Harness::new().market(KX)
}

/// A maker whose bid at 52 and ask at 54 rest.
fn quoting() -> Harness<MarketMaker> {
    let mut harness = maker();
    harness.quote(KX, cents(50), cents(56));
    harness.acknowledge();
    harness
}

fn working(harness: &Harness<MarketMaker>, side: Side) -> Option<TestOrder> {
    let mut orders: Vec<_> =
        harness.working().into_iter().filter(|order| order.order.side == side).collect();
    assert!(orders.len() <= 1, "more than one {side}: {orders:?}");
    orders.pop()
}

#[test]
fn it_quotes_both_sides_with_post_only_orders() {
    let mut harness = maker();
    let orders = placed(&harness.quote(KX, cents(50), cents(56)));
    let seen: Vec<_> =
        orders.iter().map(|order| (order.side, order.price, order.quantity)).collect();
    assert_eq!(
        seen,
        [(Side::Bid, cents(52), contracts(10)), (Side::Ask, cents(54), contracts(10))]
    );
    assert!(orders.iter().all(|order| order.post_only));
}

#[test]
fn it_keeps_a_quote_that_did_not_move() {
    let mut harness = quoting();
    assert_eq!(harness.quote(KX, cents(49), cents(57)), []);
    assert_eq!(harness.quote(KX, cents(50), cents(56)), []);
}

#[test]
fn it_keeps_a_quote_that_moved_less_than_the_requote_distance() {
    let mut harness = Harness::<MarketMaker>::new().market(KX).param("requote_distance", "0.03");
    harness.quote(KX, cents(50), cents(56));
    harness.acknowledge();
    assert_eq!(harness.quote(KX, cents(52), cents(58)), []);
    assert_eq!(canceled(&harness.quote(KX, cents(53), cents(59))).len(), 2);
}

#[test]
fn it_replaces_a_quote_only_when_the_one_before_is_gone() {
    let mut harness = quoting();
    let actions = harness.quote(KX, cents(54), cents(60));
    assert_eq!((canceled(&actions).len(), placed(&actions).len()), (2, 0));
    assert_eq!(harness.quote(KX, cents(55), cents(61)), [], "the cancels are under way");
    let orders = placed(&harness.acknowledge());
    assert_eq!([orders[0].price, orders[1].price], [cents(57), cents(59)]);
}

#[test]
fn it_does_not_quote_around_its_own_quotes() {
    let mut harness = quoting();
    let with_own = |quantity| [level(52, quantity), level(50, 100)];
    let asks = [level(54, 10), level(56, 100)];
    assert_eq!(harness.book(KX, &with_own(10), &asks), [], "only itself is at 52 and 54");
    let actions = harness.book(KX, &with_own(11), &asks);
    assert_eq!(canceled(&actions).len(), 2, "somebody joined at 52: the mid is 54");
}

#[test]
fn it_stops_buying_at_the_inventory_limit() {
    let mut harness =
        Harness::<MarketMaker>::new().market(KX).holding(KX, contracts(47), cents(50));
    harness.quote(KX, cents(50), cents(56));
    harness.acknowledge();
    let bid = working(&harness, Side::Bid).unwrap();
    assert_eq!(bid.order.quantity, contracts(3));
    harness.fill(bid.order.order, contracts(3));
    harness.acknowledge();
    assert_eq!(harness.position(KX).quantity, contracts(50));
    assert_eq!(working(&harness, Side::Bid), None);
    assert!(working(&harness, Side::Ask).is_some());
}

#[test]
fn inventory_moves_the_quotes_against_it() {
    let mut harness =
        Harness::<MarketMaker>::new().market(KX).holding(KX, contracts(25), cents(50));
    let orders = placed(&harness.quote(KX, cents(50), cents(56)));
    assert_eq!([orders[0].price, orders[1].price], [cents(51), cents(53)]);
}

#[test]
fn after_a_gap_it_cancels_and_waits_for_a_fresh_quote() {
    let mut harness = quoting();
    assert_eq!(harness.gap(None), [Action::CancelAll(None)]);
    assert_eq!(placed(&harness.acknowledge()), [], "canceled, and nothing fresh yet");
    assert_eq!(placed(&harness.quote(KX, cents(40), cents(46))).len(), 2);
}

#[test]
fn a_gap_in_another_market_changes_nothing() {
    let mut harness = Harness::<MarketMaker>::new().market(KX).market("KX-2");
    harness.quote(KX, cents(50), cents(56));
    harness.acknowledge();
    assert_eq!(harness.gap(Some("KX-2")), [Action::CancelAll(Some(harness.market_id("KX-2")))]);
    assert_eq!(harness.quote(KX, cents(50), cents(56)), []);
}

#[test]
fn it_leaves_a_book_that_is_not_synced_or_lost_a_side() {
    let mut harness = quoting();
    assert_eq!(canceled(&harness.book(KX, &[level(50, 100)], &[])).len(), 2);

    let mut harness = quoting();
    let rebuilding = OrderBook { synced: false, ..OrderBook::default() };
    harness.set_book(KX, rebuilding);
    assert_eq!(canceled(&harness.advance(HEARTBEAT)).len(), 2);
}

#[test]
fn it_leaves_a_market_that_is_paused_and_comes_back() {
    let mut harness = quoting();
    assert_eq!(canceled(&harness.status(KX, MarketStatus::Inactive)).len(), 2);
    assert_eq!(placed(&harness.acknowledge()), []);
    assert_eq!(placed(&harness.status(KX, MarketStatus::Active)).len(), 2);
}

#[test]
fn refused_orders_are_sent_again_ever_more_slowly() {
    let mut harness =
        Harness::<MarketMaker>::new().market(KX).holding(KX, contracts(50), cents(50));
    let mut order = placed(&harness.quote(KX, cents(50), cents(56)))[0].order;
    for quiet in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert_eq!(placed(&harness.deny(order, "ORDER_RATE: limit=1")), []);
        assert_eq!(placed(&harness.quote(KX, cents(50), cents(56))), [], "not at once");
        let waited = harness.advance(Duration::from_secs(quiet - 1));
        assert_eq!(placed(&waited), [], "quiet for {quiet} s");
        order = placed(&harness.advance(Duration::from_secs(2)))[0].order;
    }
    harness.acknowledge();
    harness.reject(order, "insufficient_balance");
    assert_eq!(placed(&harness.advance(Duration::from_secs(2))).len(), 1, "it rested between");
}

#[test]
fn a_post_only_order_that_the_exchange_threw_out_counts_as_refused() {
    let mut harness = maker();
    let bid = placed(&harness.quote(KX, cents(50), cents(56)))[0].order;
    let actions = harness.order_state(bid, OrderState::Canceled, "PostOnlyCrossCancel");
    assert_eq!(placed(&actions), []);
    assert_eq!(placed(&harness.advance(Duration::from_secs(3))).len(), 1);
}

#[test]
fn a_swap_keeps_the_quotes_and_a_restart_too() {
    let mut harness = quoting();
    harness.swap();
    assert_eq!(placed(&harness.quote(KX, cents(50), cents(56))), []);
    harness.restart();
    assert_eq!(placed(&harness.quote(KX, cents(50), cents(56))), []);
    assert_eq!(harness.working().len(), 2);
}

#[test]
fn orders_of_a_forgotten_run_are_taken_up() {
    let mut harness = quoting();
    harness.start().unwrap();
    assert_eq!(placed(&harness.quote(KX, cents(50), cents(56))), []);
    assert_eq!(canceled(&harness.quote(KX, cents(60), cents(66))).len(), 2);
}

#[test]
fn an_order_whose_end_was_never_told_does_not_block_its_side() {
    let mut harness = quoting();
    let bid = working(&harness, Side::Bid).unwrap().order.order;
    harness.lose_order(bid, OrderState::Canceled);
    assert_eq!(placed(&harness.quote(KX, cents(50), cents(56))), [], "not known yet");
    let orders = placed(&harness.advance(Duration::from_secs(4)));
    assert_eq!((orders.len(), orders[0].side), (1, Side::Bid));
}

#[test]
fn only_its_own_heartbeat_is_answered() {
    let mut harness = quoting();
    let foreign = Event::Timer(Timestamp::from_secs(1));
    assert_eq!(harness.batch(&[foreign]), []);
    let own = harness.advance(HEARTBEAT);
    assert!(matches!(own[..], [Action::WakeAt(_)]), "{own:?}");
}

#[test]
fn parameters_that_make_no_sense_refuse_the_start() {
    let mut harness =
        maker().param("half_spread", "0").param("requote_distance", "0").param("skew", "1");
    let error = harness.start().unwrap_err();
    assert_eq!(
        error,
        "`half_spread` must be more than 0 and less than 1 dollar; \
         `requote_distance` must be more than 0 and less than 1 dollar; \
         `skew` must be less than 1 dollar"
    );
}

/// A thousand steps of whatever may happen, from a seed: in each, the promises hold.
#[test]
fn no_run_of_events_breaks_a_promise() {
    for seed in 1..=20 {
        let mut random = XorShift(seed);
        let mut harness = maker();
        harness.quote(KX, cents(50), cents(56));
        for _ in 0..1_000 {
            step(&mut harness, &mut random);
            let (bid, ask) = (working(&harness, Side::Bid), working(&harness, Side::Ask));
            let held = harness.position(KX).quantity;
            let left = |order: &Option<TestOrder>| {
                order.as_ref().map_or(Quantity::ZERO, TestOrder::remaining)
            };
            assert!(held + left(&bid) <= contracts(50), "long beyond the limit, seed {seed}");
            assert!(held - left(&ask) >= contracts(-50), "short beyond the limit, seed {seed}");
            if let (Some(bid), Some(ask)) = (bid, ask) {
                assert!(bid.order.price < ask.order.price, "crosses itself, seed {seed}");
            }
        }
        assert!(harness.actions().len() > 200, "it traded, seed {seed}");
    }
}

fn step(harness: &mut Harness<MarketMaker>, random: &mut XorShift) {
    let orders = harness.working();
    let any = orders.get(random.below(2)).map(|order| (order.order.order, order.remaining()));
    match (random.below(12), any) {
        (0, _) => drop(harness.gap(None)),
        (1, _) => harness.swap(),
        (2, _) => harness.restart(),
        (3, Some((order, _))) => drop(harness.deny(order, "RANDOM")),
        (4, Some((order, _))) => drop(harness.order_state(order, OrderState::Expired, "")),
        (5, Some((order, left))) => {
            let part = 1 + random.below(usize::try_from(left.raw()).unwrap());
            drop(harness.fill(order, Quantity::from_raw(i64::try_from(part).unwrap())));
        }
        (6, Some((order, left))) => drop(harness.fill(order, left)),
        (7, _) => drop(harness.advance(Duration::from_millis(700))),
        (8, _) => drop(harness.acknowledge()),
        _ => {
            let bid = 5 + u32::try_from(random.below(80)).unwrap();
            let ask = bid + 1 + u32::try_from(random.below(9)).unwrap();
            drop(harness.quote(KX, cents(bid), cents(ask)));
        }
    }
}

/// Numbers that look random and come from a seed.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}
