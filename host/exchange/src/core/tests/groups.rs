//! Order groups: what counts, what triggers them, what that does.

use std::time::Duration;

use super::*;

impl Floor {
    pub(super) fn group(&mut self, account: AccountId, limit: i64) -> Uuid {
        let limit = contracts(limit);
        self.exchange.create_order_group(self.now, account, SHARD, limit).unwrap()
    }

    fn in_group(&self, group: Uuid, side: Side, cents: u32, contracts: i64) -> NewOrder {
        NewOrder { order_group_id: Some(group), ..self.order(side, cents, contracts) }
    }

    fn group_of(&self, account: AccountId, group: Uuid) -> &OrderGroup {
        self.exchange.account(account).order_group(group).unwrap()
    }

    fn is_triggered(&self, account: AccountId, group: Uuid) -> bool {
        self.exchange.check_invariants().unwrap();
        self.group_of(account, group).is_triggered
    }

    fn changes(&mut self) -> Vec<GroupChange> {
        let effects = self.exchange.take_effects().into_iter();
        let changes = effects.filter_map(|effect| match effect {
            Effect::OrderGroup(update) => Some(update.change),
            Effect::Book(_)
            | Effect::Trade(_)
            | Effect::Fill(_)
            | Effect::Order(_)
            | Effect::Position { .. }
            | Effect::Ticker { .. }
            | Effect::Lifecycle(_) => None,
        });
        changes.collect()
    }
}

#[test]
fn a_group_that_trades_more_than_its_limit_loses_its_orders_and_no_others() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 5);
    let traded = floor.send(own, floor.in_group(group, Side::Ask, 50, 9)).unwrap();
    let [bid, ask] = [(Side::Bid, 40), (Side::Ask, 60)]
        .map(|(side, cents)| floor.send(own, floor.in_group(group, side, cents, 1)).unwrap());
    floor.bid(own, 41, 1);
    floor.ask(other, 61, 1);
    floor.bid(other, 50, 5);
    assert!(!floor.is_triggered(own, group), "the limit itself may be reached");
    floor.exchange.take_effects();

    floor.bid(other, 50, 1);
    assert!(floor.is_triggered(own, group));
    assert_eq!(floor.changes(), [GroupChange::Triggered]);
    for created in [traded, bid, ask] {
        let order = floor.order_of(&created);
        assert_eq!(order.status, OrderStatus::Canceled);
        assert_eq!(order.last_update_reason, Some(UpdateReason::HaltCancel));
        assert_eq!(order.order_group_id, Some(group));
    }
    assert_eq!(floor.levels(Side::Bid), [(41, 1)]);
    assert_eq!(floor.levels(Side::Ask), [(61, 1)]);
    assert_eq!(floor.position(own).quantity, contracts(-6));
}

#[test]
fn a_triggered_group_takes_no_orders_until_it_is_reset() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 1);
    floor.send(own, floor.in_group(group, Side::Ask, 50, 2)).unwrap();
    floor.bid(other, 50, 2);
    floor.now = floor.now + Duration::from_secs(60);
    let error = floor.send(own, floor.in_group(group, Side::Ask, 50, 1)).unwrap_err();
    assert_eq!((error.code(), error.status()), ("exceeded_order_group_risk_limit", 400));
    floor.ask(own, 50, 1);

    floor.exchange.reset_order_group(floor.now, own, SHARD, group).unwrap();
    floor.send(own, floor.in_group(group, Side::Ask, 51, 1)).unwrap();
    assert!(!floor.is_triggered(own, group));
}

#[test]
fn making_and_taking_count_together_and_a_reset_starts_again() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 3);
    let make = |floor: &mut Floor| {
        floor.send(own, floor.in_group(group, Side::Ask, 50, 2)).unwrap();
        floor.bid(other, 50, 2);
    };
    let take = |floor: &mut Floor| {
        floor.ask(other, 50, 2);
        floor.send(own, floor.in_group(group, Side::Bid, 50, 2)).unwrap();
    };
    make(&mut floor);
    floor.exchange.reset_order_group(floor.now, own, SHARD, group).unwrap();
    take(&mut floor);
    assert!(!floor.is_triggered(own, group));
    make(&mut floor);
    assert!(floor.is_triggered(own, group));
}

#[test]
fn what_was_matched_counts_for_fifteen_seconds() {
    for (wait, triggered) in [(14_999, true), (15_000, false)] {
        let mut floor = Floor::new();
        let [own, other] = [(); 2].map(|()| floor.member(100));
        let group = floor.group(own, 5);
        floor.send(own, floor.in_group(group, Side::Ask, 50, 20)).unwrap();
        floor.bid(other, 50, 3);
        floor.now = floor.now + Duration::from_millis(wait);
        floor.bid(other, 50, 3);
        assert_eq!(floor.is_triggered(own, group), triggered, "after {wait} ms");
    }
}

#[test]
fn the_fill_that_passes_the_limit_is_the_last_of_an_order_that_takes() {
    use OrderStatus::{Canceled, Executed};
    // 3 rest at each of three prices; the group may trade 4, and bids for all.
    let cases = [
        (TimeInForce::GoodTillCanceled, 12, 6, Canceled),
        (TimeInForce::ImmediateOrCancel, 12, 6, Canceled),
        (TimeInForce::GoodTillCanceled, 6, 6, Executed),
        // All or nothing: it is not cut short.
        (TimeInForce::FillOrKill, 9, 9, Executed),
    ];
    for (time_in_force, wanted, filled, status) in cases {
        let mut floor = Floor::new();
        let [own, other] = [(); 2].map(|()| floor.member(100));
        let group = floor.group(own, 4);
        for cents in [50, 51, 52] {
            floor.ask(other, cents, 3);
        }
        let resting = floor.send(own, floor.in_group(group, Side::Bid, 40, 1)).unwrap();
        let bid = NewOrder { time_in_force, ..floor.in_group(group, Side::Bid, 52, wanted) };
        let created = floor.send(own, bid).unwrap();
        assert_eq!(created.fill_count, contracts(filled), "{time_in_force:?}");
        assert_eq!(floor.order_of(&created).status, status);
        assert_eq!(floor.order_of(&resting).status, Canceled);
        assert!(floor.is_triggered(own, group));
        assert_eq!(floor.levels(Side::Bid), []);
    }
}

#[test]
fn a_fill_or_kill_order_does_not_count_on_orders_that_go_when_their_group_is_triggered() {
    for (wanted, filled) in [(8, None), (7, Some(7))] {
        let mut floor = Floor::new();
        let [maker, other, taker] = [(); 3].map(|()| floor.member(100));
        let group = floor.group(maker, 4);
        for cents in [50, 51, 52] {
            floor.send(maker, floor.in_group(group, Side::Ask, cents, 3)).unwrap();
        }
        floor.ask(other, 52, 1);
        let time_in_force = TimeInForce::FillOrKill;
        let order = NewOrder { time_in_force, ..floor.order(Side::Bid, 52, wanted) };
        match floor.send(taker, order) {
            Ok(created) => assert_eq!(Some(created.fill_count), filled.map(contracts)),
            Err(error) => {
                assert_eq!(error, ExchangeError::FillOrKillInsufficientVolume);
                assert_eq!(filled, None);
                assert_eq!(floor.levels(Side::Ask), [(50, 3), (51, 3), (52, 4)]);
            }
        }
    }
}

#[test]
fn an_order_that_is_amended_into_a_trade_can_trigger_its_group() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 1);
    let created = floor.send(own, floor.in_group(group, Side::Bid, 40, 5)).unwrap();
    floor.ask(other, 50, 2);
    let amend = |price| Amend {
        market: floor.market,
        side: Side::Bid,
        price: Price::from_cents(price),
        count: contracts(5),
        client_order_id: None,
        updated_client_order_id: None,
        expiration: None,
    };
    let (moved, crossing) = (amend(41), amend(50));
    floor.exchange.amend_order(floor.now, own, created.order_id, moved).unwrap();
    let kept: Vec<Uuid> = floor.group_of(own, group).orders().collect();
    assert_eq!(kept, [created.order_id]);
    let answer = floor.exchange.amend_order(floor.now, own, created.order_id, crossing).unwrap();
    assert_eq!((answer.fill_count, answer.remaining_count), (contracts(2), Quantity::ZERO));
    assert!(floor.is_triggered(own, group));
    assert_eq!(floor.order_of(&created).status, OrderStatus::Canceled);
}

#[test]
fn an_order_is_taken_into_a_group_of_its_account_and_its_shard_alone() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let unknown = floor.exchange.new_id();
    let of_other = floor.group(other, 5);
    let (now, limit) = (floor.now, contracts(5));
    let elsewhere = floor.exchange.create_order_group(now, own, 0, limit).unwrap();
    for group in [unknown, of_other, elsewhere] {
        let error = floor.send(own, floor.in_group(group, Side::Bid, 50, 1)).unwrap_err();
        assert_eq!((error.code(), error.status()), ("order_group_not_found", 404));
        for change in [
            Exchange::reset_order_group,
            Exchange::trigger_order_group,
            Exchange::delete_order_group,
        ] {
            let changed = change(&mut floor.exchange, now, own, SHARD, group);
            assert_eq!(changed, Err(ExchangeError::OrderGroupNotFound));
        }
    }
}

#[test]
fn a_new_limit_that_is_passed_already_triggers_at_once() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 10);
    floor.send(own, floor.in_group(group, Side::Ask, 50, 8)).unwrap();
    floor.bid(other, 50, 4);
    floor.exchange.take_effects();
    let (now, set) = (floor.now, Exchange::set_order_group_limit);
    set(&mut floor.exchange, now, own, SHARD, group, contracts(4)).unwrap();
    assert!(!floor.is_triggered(own, group));
    set(&mut floor.exchange, now, own, SHARD, group, contracts(3)).unwrap();
    assert!(floor.is_triggered(own, group));
    assert_eq!(floor.levels(Side::Ask), []);
    set(&mut floor.exchange, now, own, SHARD, group, contracts(100)).unwrap();
    assert!(floor.is_triggered(own, group), "a limit is no reset");
    let told = floor.changes();
    let limits = [4, 3, 100].map(|limit| GroupChange::LimitUpdated { limit: contracts(limit) });
    assert_eq!(told, [limits[0], limits[1], GroupChange::Triggered, limits[2]]);
}

#[test]
fn a_limit_is_between_one_and_a_million_contracts() {
    let mut floor = Floor::new();
    let own = floor.member(100);
    let group = floor.group(own, 1_000_000);
    for raw in [-100, 0, 99, 100_000_001] {
        let (now, limit) = (floor.now, Quantity::from_raw(raw));
        let created = floor.exchange.create_order_group(now, own, SHARD, limit);
        assert_eq!(created.unwrap_err().code(), "invalid_parameters");
        let set = floor.exchange.set_order_group_limit(now, own, SHARD, group, limit);
        assert_eq!(set.unwrap_err().code(), "invalid_parameters");
    }
}

#[test]
fn a_group_is_triggered_and_deleted_by_hand() {
    let mut floor = Floor::new();
    let own = floor.member(100);
    let group = floor.group(own, 5);
    let first = floor.send(own, floor.in_group(group, Side::Bid, 50, 1)).unwrap();
    for _ in 0..2 {
        floor.exchange.trigger_order_group(floor.now, own, SHARD, group).unwrap();
    }
    assert!(floor.is_triggered(own, group));
    floor.exchange.reset_order_group(floor.now, own, SHARD, group).unwrap();
    let second = floor.send(own, floor.in_group(group, Side::Bid, 50, 1)).unwrap();
    floor.exchange.delete_order_group(floor.now, own, SHARD, group).unwrap();
    for created in [first, second] {
        assert_eq!(floor.order_of(&created).status, OrderStatus::Canceled);
    }
    assert_eq!(floor.exchange.account(own).order_groups().count(), 0);
    assert_eq!(floor.balance(own).reserved, Dollars::ZERO);
    let created = GroupChange::Created { limit: contracts(5) };
    // One that is triggered already is not triggered again.
    let told = [created, GroupChange::Triggered, GroupChange::Reset, GroupChange::Deleted];
    assert_eq!(floor.changes(), told);
}

#[test]
fn closed_orders_leave_their_group() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    let group = floor.group(own, 100);
    let [filled, canceled, rests] = [52, 51, 50]
        .map(|cents| floor.send(own, floor.in_group(group, Side::Bid, cents, 2)).unwrap());
    floor.ask(other, 52, 2);
    let route = Route::Anywhere;
    floor.exchange.cancel_order(floor.now, own, canceled.order_id, route).unwrap();
    floor.ask(other, 50, 1);
    let orders: Vec<Uuid> = floor.group_of(own, group).orders().collect();
    assert_eq!(orders, [rests.order_id]);
    assert_eq!(floor.order_of(&filled).status, OrderStatus::Executed);
    floor.exchange.check_invariants().unwrap();
}

#[test]
fn groups_are_stopped_while_trading_is_paused_and_not_while_the_exchange_is() {
    let mut floor = Floor::new();
    let own = floor.member(100);
    let group = floor.group(own, 5);
    floor.exchange.set_trading(floor.now, Trading::ExchangePaused);
    let refused = floor.exchange.trigger_order_group(floor.now, own, SHARD, group);
    assert_eq!(refused, Err(ExchangeError::ExchangePaused));
    floor.exchange.set_trading(floor.now, Trading::Paused);
    floor.exchange.trigger_order_group(floor.now, own, SHARD, group).unwrap();
    assert!(floor.is_triggered(own, group));
}

#[test]
fn an_account_has_a_hundred_thousand_groups_at_most() {
    let mut floor = Floor::new();
    let [own, other] = [(); 2].map(|()| floor.member(100));
    for _ in 0..100_000 {
        floor.group(own, 1);
    }
    let (now, limit) = (floor.now, contracts(1));
    let error = floor.exchange.create_order_group(now, own, SHARD, limit).unwrap_err();
    assert_eq!(error.code(), "invalid_parameters");
    floor.group(other, 1);
}
