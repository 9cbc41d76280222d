//! Money, and the life of a market.

use std::time::Duration;

use super::*;

#[test]
fn resting_orders_reserve_their_cost_and_a_takers_fee() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    let bid = floor.bid(member, 40, 100);
    // 0.40 × 100 + 0.07 × 100 × 0.4 × 0.6
    assert_eq!(floor.balance(member).reserved, dollars("41.68"));
    floor.ask(member, 90, 100);
    // + 0.10 × 100 + 0.07 × 100 × 0.9 × 0.1
    assert_eq!(floor.balance(member).reserved, dollars("52.31"));
    assert_eq!(floor.balance(member).cash, dollars("100"));
    floor.exchange.cancel_order(floor.now, member, bid.order_id, Route::Anywhere).unwrap();
    assert_eq!(floor.balance(member).reserved, dollars("10.63"));
}

#[test]
fn what_closes_a_position_needs_no_cash() {
    let mut floor = Floor::new();
    let [member, other] = [floor.member(55), floor.member(1_000)];
    floor.ask(other, 50, 100);
    floor.bid(member, 50, 100);
    assert_eq!(floor.balance(member).available(), dollars("3.25"));
    floor.ask(member, 60, 100);
    assert_eq!(floor.balance(member).reserved, Dollars::ZERO);
    let more = floor.order(Side::Ask, 60, 100);
    assert_eq!(floor.send(member, more).unwrap_err().code(), "insufficient_balance");
}

#[test]
fn a_round_trip_leaves_its_profit_less_fees() {
    let mut floor = Floor::with_fees(FeeSchedule {
        fee_type: FeeType::QuadraticWithMakerFees,
        multiplier_milli: 1_000,
    });
    let [member, other] = [floor.member(100), floor.member(1_000)];
    floor.ask(other, 40, 10);
    floor.bid(member, 40, 10);
    floor.ask(member, 60, 10);
    floor.bid(other, 60, 10);
    let position = floor.position(member);
    assert_eq!(position.quantity, Quantity::ZERO);
    assert_eq!(position.realized_pnl, dollars("2"));
    // 0.07 × 10 × 0.24 as taker, a quarter of it as maker
    assert_eq!(position.fees_paid, dollars("0.21"));
    assert_eq!(floor.balance(member).cash, dollars("101.79"));
    assert_eq!(floor.position(other).realized_pnl, dollars("-2"));
    let [taken, made] = floor.exchange.account(member).fills() else { panic!("two fills") };
    assert_eq!((taken.is_taker, taken.fee), (true, dollars("0.168")));
    assert_eq!((made.is_taker, made.fee), (false, dollars("0.042")));
}

#[test]
fn a_position_that_turns_closes_and_opens() {
    let mut floor = Floor::new();
    let [member, other] = [(); 2].map(|()| floor.member(1_000));
    floor.ask(other, 40, 10);
    floor.bid(member, 40, 10);
    floor.bid(other, 50, 15);
    floor.ask(member, 50, 15);
    let position = floor.position(member);
    assert_eq!(position.quantity, contracts(-5));
    assert_eq!(position.cost, dollars("2.5"));
    assert_eq!(position.realized_pnl, dollars("1"));
    assert_eq!(position.total_traded, dollars("11.5"));
    assert_eq!(floor.exchange.market(floor.market).tape().open_interest, contracts(5));
}

#[test]
fn settlement_pays_the_winning_leg() {
    let cases = [
        (Outcome::Yes, "10", "0"),
        (Outcome::No, "0", "10"),
        (Outcome::Scalar(Price::from_cents(30)), "3", "7"),
    ];
    for (outcome, long_paid, short_paid) in cases {
        let mut floor = Floor::new();
        let [long, short] = [(); 2].map(|()| floor.member(100));
        floor.ask(short, 40, 10);
        floor.bid(long, 40, 10);
        let before = [long, short].map(|account| floor.balance(account).cash);
        let (now, market) = (floor.now, floor.market);
        assert!(floor.exchange.settle(now, market).is_err());
        floor.exchange.determine(now, market, outcome).unwrap();
        assert!(floor.exchange.determine(now, market, outcome).is_err());
        floor.exchange.settle(now, market).unwrap();
        assert!(floor.exchange.settle(now, market).is_err());
        floor.exchange.check_invariants().unwrap();
        let paid = |at: usize, account| floor.balance(account).cash - before[at];
        assert_eq!([paid(0, long), paid(1, short)], [dollars(long_paid), dollars(short_paid)]);
        let [settlement] = floor.exchange.account(long).settlements() else { panic!("one") };
        assert_eq!(settlement.yes_count, contracts(10));
        assert_eq!(settlement.yes_total_cost, dollars("4"));
        assert_eq!(floor.exchange.market(market).status, MarketStatus::Finalized);
    }
}

#[test]
fn a_scalar_settlement_pays_whole_cents_and_nothing_is_lost() {
    let mut floor = Floor::new();
    let [long, short] = [(); 2].map(|()| floor.member(100));
    let order = |side| NewOrder { count: Quantity::from_raw(1), ..floor.order(side, 40, 1) };
    let (bid, ask) = (order(Side::Bid), order(Side::Ask));
    floor.send(short, ask).unwrap();
    floor.send(long, bid).unwrap();
    let outcome = Outcome::Scalar(Price::from_cents(50));
    floor.exchange.determine(floor.now, floor.market, outcome).unwrap();
    floor.exchange.settle(floor.now, floor.market).unwrap();
    floor.exchange.check_invariants().unwrap();
    assert_eq!(floor.exchange.account(long).settlements()[0].revenue, Dollars::ZERO);
}

#[test]
fn a_market_opens_and_closes_by_its_times() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    let at = |secs| Timestamp::from_secs(secs);
    let key = floor.exchange.list_market(floor.now, market("KXTEST-1-B", at(1_100), at(1_200)));
    let key = key.unwrap();
    floor.market = key;
    let order = floor.order(Side::Bid, 50, 1);
    assert_eq!(floor.send(member, order.clone()).unwrap_err().code(), "MARKET_INACTIVE");
    assert_eq!(floor.exchange.next_due(), Some(at(1_100)));
    floor.now = at(1_100);
    let created = floor.send(member, order.clone()).unwrap();
    floor.now = at(1_300);
    let cancel = floor.exchange.cancel_order(floor.now, member, created.order_id, Route::Anywhere);
    assert_eq!(cancel.unwrap_err().code(), "MARKET_INACTIVE");
    let resting = floor.order_of(&created);
    assert_eq!(resting.last_update_reason, Some(UpdateReason::CloseCancel));
    assert_eq!(resting.updated, at(1_200));
    assert_eq!(floor.send(member, order).unwrap_err().code(), "MARKET_INACTIVE");
    floor.exchange.check_invariants().unwrap();
}

#[test]
fn a_pause_keeps_orders_and_its_end_cancels_them() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    let stays = floor.bid(member, 50, 1);
    let goes = NewOrder { cancel_on_pause: true, ..floor.order(Side::Bid, 49, 1) };
    let goes = floor.send(member, goes).unwrap();
    floor.exchange.deactivate(floor.now, floor.market).unwrap();
    assert_eq!(floor.order_of(&goes).last_update_reason, Some(UpdateReason::HaltCancel));
    assert_eq!(floor.order_of(&stays).status, OrderStatus::Resting);
    let order = floor.order(Side::Bid, 48, 1);
    assert_eq!(floor.send(member, order).unwrap_err().code(), "MARKET_INACTIVE");
    floor.exchange.activate(floor.now, floor.market).unwrap();
    assert_eq!(floor.order_of(&stays).status, OrderStatus::Canceled);
    floor.bid(member, 48, 1);
}

#[test]
fn a_trading_pause_lets_cancels_through_and_an_exchange_pause_nothing() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    let [first, second] = [50, 49].map(|cents| floor.bid(member, cents, 1).order_id);
    let order = floor.order(Side::Bid, 48, 1);
    let now = floor.now;
    floor.exchange.set_trading(now, Trading::Paused);
    assert_eq!(floor.send(member, order.clone()).unwrap_err().code(), "trading_is_paused");
    floor.exchange.cancel_order(now, member, first, Route::Anywhere).unwrap();
    floor.exchange.set_trading(now, Trading::ExchangePaused);
    let cancel = floor.exchange.cancel_order(now, member, second, Route::Anywhere);
    assert_eq!(cancel.unwrap_err().code(), "exchange_is_paused");
    floor.exchange.set_trading(now, Trading::Active);
    floor.send(member, order).unwrap();
}

#[test]
fn every_change_of_a_market_is_told_but_those_of_the_clock() {
    let mut floor = Floor::new();
    let (now, key) = (floor.now, floor.market);
    let later = now + Duration::from_secs(5_000);
    let exchange = &mut floor.exchange;
    exchange.deactivate(now, key).unwrap();
    exchange.activate(now, key).unwrap();
    exchange.set_grid(now, key, PriceGrid::tapered_deci_cent()).unwrap();
    exchange.set_close_time(now, key, later).unwrap();
    let maker_fees =
        FeeSchedule { fee_type: FeeType::QuadraticWithMakerFees, multiplier_milli: 500 };
    exchange.set_event_fees(now, "KXTEST-1", Some(maker_fees)).unwrap();
    assert_eq!(exchange.market(key).fees, maker_fees);
    exchange.advance(later);
    assert_eq!(exchange.market(key).status, MarketStatus::Closed);
    exchange.determine(later, key, Outcome::Yes).unwrap();
    exchange.settle(later, key).unwrap();
    let told = exchange.take_effects();
    let market = key;
    assert_eq!(
        told,
        [
            Lifecycle::Deactivated { market },
            Lifecycle::Activated { market },
            Lifecycle::GridUpdated { market },
            Lifecycle::CloseDateUpdated { market, close_time: later },
            Lifecycle::EventFees { event: "KXTEST-1".into() },
            Lifecycle::Determined { market, outcome: Outcome::Yes, ts: later },
            Lifecycle::Settled { market, ts: later },
        ]
        .map(Effect::Lifecycle)
    );
}

#[test]
fn cash_moves_between_shards_only_if_it_is_there() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    floor.bid(member, 50, 100);
    let error = floor.exchange.transfer(member, SHARD, 0, dollars("60")).unwrap_err();
    assert!(matches!(error, ListingError::Balance { .. }), "{error}");
    floor.exchange.transfer(member, SHARD, 0, dollars("40")).unwrap();
    assert_eq!(floor.exchange.account(member).balance(0).cash, dollars("40"));
    floor.exchange.check_invariants().unwrap();
}

#[test]
fn a_background_account_trades_and_leaves_nothing_behind() {
    let mut floor = Floor::new();
    let maker = floor.exchange.open_account(AccountKind::Background);
    floor.exchange.deposit(maker, SHARD, Dollars::from_dollars(100));
    let member = floor.member(100);
    let (now, limit) = (floor.now, contracts(1));
    let group = floor.exchange.create_order_group(now, maker, SHARD, limit).unwrap();
    let order = NewOrder { order_group_id: Some(group), ..floor.order(Side::Ask, 50, 1) };
    let resting = floor.send(maker, order).unwrap();
    floor.bid(member, 50, 1);
    let private = floor.exchange.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::Fill(fill) => Some(fill.account),
        Effect::Order(order) => Some(order.account),
        Effect::Position { account, .. } => Some(account),
        Effect::OrderGroup(update) => Some(update.account),
        Effect::Book(_) | Effect::Trade(_) | Effect::Ticker { .. } | Effect::Lifecycle(_) => None,
    });
    assert!(private.into_iter().all(|account| account == member));
    assert!(floor.exchange.order(resting.order_id).is_none());
    assert_eq!(floor.position(maker).quantity, contracts(-1));
}
