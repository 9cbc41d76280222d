//! What comes out of a mailbox, and what does not.

use hotpit_units::{Price, Quantity, Side};
use proptest::prelude::*;

use super::*;
use crate::model::{MarketId, OrderId, OrderState, OrderUpdate};

const BOUNDS: Bounds = Bounds { events: 4, notices: 3, timers: 2 };

fn mailbox(markets: u32) -> Mailbox {
    let mailbox = Mailbox::new(Slot(7), Arc::default(), BOUNDS);
    let markets = (0..markets).map(MarketId).collect();
    mailbox.set_scope(Scope { markets, ..Scope::default() });
    take(&mailbox);
    mailbox
}

fn trade(id: u64) -> Arc<Trade> {
    Arc::new(Trade {
        trade_id: id.to_string().into(),
        ticker: "KX-1".into(),
        price: Price::from_cents(50),
        quantity: Quantity::from_contracts(1),
        taker: Side::Bid,
        ts: Timestamp::from_secs(1),
    })
}

fn notice(order: u64) -> Notice {
    Notice::Order(OrderUpdate {
        order: OrderId(order),
        market: MarketId(0),
        state: OrderState::Resting,
        filled: Quantity::ZERO,
        remaining: Quantity::ZERO,
        reason: String::new(),
        ts: Timestamp::EPOCH,
    })
}

fn take(mailbox: &Mailbox) -> Vec<Item> {
    let mut items = vec![];
    mailbox.take(usize::MAX, Timestamp::EPOCH, &mut items);
    items
}

const M0: MarketId = MarketId(0);
const M1: MarketId = MarketId(1);

#[test]
fn quotes_of_a_market_are_one_until_they_are_taken() {
    let mailbox = mailbox(2);
    for _ in 0..100 {
        mailbox.quote(M1);
        mailbox.quote(M0);
    }
    assert_eq!(take(&mailbox), [Item::Quote(M1), Item::Quote(M0)]);
    mailbox.quote(M0);
    assert_eq!(take(&mailbox), [Item::Quote(M0)]);
}

#[test]
fn what_waits_comes_out_in_order_and_in_parts() {
    let mailbox = mailbox(2);
    mailbox.quote(M0);
    mailbox.trade(M0, &trade(1));
    mailbox.notice(notice(1), Arc::default());
    mailbox.trade(M1, &trade(2));
    let mut items = vec![];
    mailbox.take(3, Timestamp::EPOCH, &mut items);
    assert_eq!(
        items,
        [Item::Quote(M0), Item::Trade(M0, trade(1)), Item::Notice(Box::new(notice(1)))]
    );
    assert_eq!(take(&mailbox), [Item::Trade(M1, trade(2))]);
}

#[test]
fn trades_beyond_the_bound_are_one_gap_and_then_the_present_state() {
    let mailbox = mailbox(1);
    for id in 0..10 {
        mailbox.trade(M0, &trade(id));
    }
    let mut items = vec![];
    mailbox.take(4, Timestamp::EPOCH, &mut items);
    assert!(items.iter().all(|item| matches!(item, Item::Trade(..))), "{items:?}");
    // There is room again, but what comes now is behind the gap.
    mailbox.trade(M0, &trade(10));
    assert_eq!(take(&mailbox), [Item::Gap(None, GapCause::TooSlow, 7), Item::MarketState(M0)]);
    assert_eq!(mailbox.dropped(), 7);
    mailbox.trade(M0, &trade(11));
    assert_eq!(take(&mailbox), [Item::Trade(M0, trade(11))]);
}

#[test]
fn no_flood_of_trades_costs_word_on_own_orders() {
    let mailbox = mailbox(1);
    for id in 0..1_000 {
        mailbox.trade(M0, &trade(id));
    }
    mailbox.notice(notice(1), Arc::default());
    assert!(take(&mailbox).contains(&Item::Notice(Box::new(notice(1)))));
}

#[test]
fn too_many_notices_are_a_gap_as_well() {
    let mailbox = mailbox(1);
    for order in 0..5 {
        mailbox.notice(notice(order), Arc::default());
    }
    let items = take(&mailbox);
    assert_eq!(items[3], Item::Gap(None, GapCause::TooSlow, 2), "{items:?}");
}

#[test]
fn a_broken_stream_is_one_gap_for_everything_or_one_for_each_market() {
    let mailbox = mailbox(3);
    mailbox.stale(&[M0]);
    mailbox.stale(&[M0]);
    assert_eq!(
        take(&mailbox),
        [Item::Gap(Some(M0), GapCause::StreamBroke, 0), Item::MarketState(M0)]
    );
    let all = [M0, M1, MarketId(2)];
    mailbox.stale(&all);
    mailbox.stale(&all);
    let mut expected = vec![Item::Gap(None, GapCause::StreamBroke, 0)];
    expected.extend(all.map(Item::MarketState));
    assert_eq!(take(&mailbox), expected);
}

#[test]
fn a_restart_is_told_before_what_waited() {
    let mailbox = mailbox(1);
    mailbox.trade(M0, &trade(1));
    mailbox.restarted(9);
    assert_eq!(
        take(&mailbox),
        [Item::Gap(None, GapCause::Restarted, 9), Item::Trade(M0, trade(1)), Item::MarketState(M0)]
    );
}

#[test]
fn a_new_scope_tells_what_is_new_and_drops_what_is_gone() {
    let mailbox = mailbox(2);
    mailbox.quote(M0);
    mailbox.quote(M1);
    mailbox.trade(M0, &trade(1));
    mailbox.notice(notice(1), Arc::default());
    let m2 = MarketId(2);
    mailbox.set_scope(Scope { markets: [M1, m2].into(), games: [GameId(5)].into() });
    assert_eq!(
        take(&mailbox),
        [
            Item::Quote(M1),
            Item::Notice(Box::new(notice(1))),
            Item::MarketState(m2),
            Item::GameState(GameId(5))
        ]
    );
    // What was taken out is not marked any more.
    mailbox.add_to_scope(&[M0], &[]);
    mailbox.quote(M0);
    assert_eq!(take(&mailbox), [Item::MarketState(M0)]);
}

#[test]
fn wake_times_come_due_once_each_and_are_bounded() {
    let at = Timestamp::from_secs;
    let mailbox = mailbox(0);
    assert!(mailbox.add_timer(at(5)));
    assert!(mailbox.add_timer(at(3)));
    assert!(mailbox.add_timer(at(3)));
    assert!(!mailbox.add_timer(at(4)));
    assert_eq!(mailbox.dropped(), 1);
    let due = |now| mailbox.take(1, now, &mut vec![]).timers;
    assert_eq!(due(at(2)), []);
    assert_eq!(due(at(3)), [at(3)]);
    assert_eq!(due(at(9)), [at(5)]);
    assert_eq!(due(at(9)), []);
}

#[test]
fn the_run_queue_is_told_once_until_the_agent_has_run() {
    let runs = Arc::new(RunQueue::new(1));
    let mailbox = Mailbox::new(Slot(7), Arc::clone(&runs), BOUNDS);
    let told = || std::iter::from_fn(|| runs.try_next()).count();
    // Not live yet.
    mailbox.quote(M0);
    assert_eq!(told(), 0);
    mailbox.open();
    mailbox.quote(M1);
    assert_eq!(told(), 1);
    mailbox.take(1, Timestamp::EPOCH, &mut vec![]);
    mailbox.finish();
    assert_eq!(runs.try_next(), Some(Slot(7)));
    take(&mailbox);
    mailbox.finish();
    assert_eq!(told(), 0);
    mailbox.quote(M0);
    assert_eq!(told(), 1);
}

/// How often the run queue was told.
fn told(mailbox: &Mailbox) -> usize {
    std::iter::from_fn(|| mailbox.runs.try_next()).count()
}

/// A mailbox whose agent has just run and sent actions.
fn at_the_desk() -> (Arc<Mailbox>, Receipt) {
    let mailbox = Arc::new(mailbox(2));
    mailbox.open();
    assert_eq!(told(&mailbox), 1);
    let receipt = mailbox.receipt();
    mailbox.finish();
    (mailbox, receipt)
}

#[test]
fn what_comes_while_the_desk_has_the_actions_waits_and_is_told_once_after_it() {
    let (mailbox, receipt) = at_the_desk();
    for _ in 0..10 {
        mailbox.quote(M0);
    }
    assert_eq!(told(&mailbox), 0);
    drop(receipt);
    assert_eq!(told(&mailbox), 1);
    assert!(!mailbox.waits_for_desk());
    assert_eq!(take(&mailbox), [Item::Quote(M0)]);
}

#[test]
fn a_desk_that_is_done_wakes_nobody_for_nothing() {
    let (mailbox, receipt) = at_the_desk();
    drop(receipt);
    assert_eq!(told(&mailbox), 0);
    mailbox.quote(M0);
    assert_eq!(told(&mailbox), 1);
}

#[test]
fn a_desk_that_is_done_before_the_worker_changes_nothing() {
    let mailbox = Arc::new(mailbox(2));
    mailbox.open();
    assert_eq!(told(&mailbox), 1);
    drop(mailbox.receipt());
    mailbox.quote(M0);
    assert_eq!(told(&mailbox), 0);
    mailbox.finish();
    assert_eq!(told(&mailbox), 1);
}

#[test]
fn a_wake_time_and_a_new_instance_wait_for_the_desk_as_well() {
    let (mailbox, receipt) = at_the_desk();
    mailbox.open();
    assert_eq!(told(&mailbox), 0);
    drop(receipt);
    assert_eq!(told(&mailbox), 1);
    // So does what the run queue held already.
    let receipt = mailbox.receipt();
    assert!(mailbox.waits_for_desk());
    drop(receipt);
    assert_eq!(told(&mailbox), 1);
}

#[test]
fn what_is_at_the_desk_is_there_when_the_rest_is_thrown_away() {
    let (mailbox, receipt) = at_the_desk();
    mailbox.clear();
    assert!(mailbox.waits_for_desk());
    drop(receipt);
    assert!(!mailbox.waits_for_desk());
}

#[derive(Debug, Clone)]
enum Step {
    Quote(u32),
    Trade,
    Notice,
    Stale(u32),
    Take(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..4).prop_map(Step::Quote),
        4 => Just(Step::Trade),
        2 => Just(Step::Notice),
        1 => (0_u32..4).prop_map(Step::Stale),
        2 => (0_usize..12).prop_map(Step::Take),
    ]
}

proptest! {
    /// Whatever comes and however it is taken: every trade is delivered in order or counted in a
    /// gap at its place, notices keep their order, and never more waits than is bounded.
    #[test]
    fn nothing_is_lost_without_being_counted(steps in prop::collection::vec(step(), 0..400)) {
        let mailbox = mailbox(4);
        let (mut trades, mut notices) = (0_u64, 0_u64);
        let mut items = vec![];
        for step in steps {
            match step {
                Step::Quote(market) => mailbox.quote(MarketId(market)),
                Step::Trade => {
                    mailbox.trade(M0, &trade(trades));
                    trades += 1;
                }
                Step::Notice => {
                    mailbox.notice(notice(notices), Arc::default());
                    notices += 1;
                }
                Step::Stale(market) => mailbox.stale(&[MarketId(market)]),
                Step::Take(most) => {
                    mailbox.take(most, Timestamp::EPOCH, &mut items);
                }
            }
            // Bounded: events, notices, a gap, and three marks for each market.
            prop_assert!(mailbox.waiting() <= 4 + 3 + 1 + 3 * 4);
        }
        items.extend(take(&mailbox));
        let mut dropped = 0;
        let mut last_trade = None;
        let mut last_notice = None;
        let mut delivered = 0;
        for item in &items {
            match item {
                Item::Trade(_, trade) => {
                    let id: u64 = trade.trade_id.parse().unwrap();
                    prop_assert!(last_trade.is_none_or(|last| id > last), "{items:?}");
                    last_trade = Some(id);
                    delivered += 1;
                }
                Item::Notice(notice) => {
                    let Notice::Order(update) = &**notice else { panic!("no fill was put in") };
                    prop_assert!(last_notice.is_none_or(|last| update.order.0 > last));
                    last_notice = Some(update.order.0);
                    delivered += 1;
                }
                Item::Gap(None, GapCause::TooSlow, count) => dropped += count,
                _ => {}
            }
        }
        prop_assert_eq!(delivered + dropped, trades + notices);
        prop_assert_eq!(dropped, mailbox.dropped());
    }
}
