//! Orders: what is filled, what rests, what is refused.

use super::*;

#[test]
fn the_better_price_trades_first_and_then_the_earlier_order() {
    let mut floor = Floor::new();
    let [early, late, cheap, taker] = [(); 4].map(|()| floor.member(100));
    floor.ask(early, 50, 1);
    floor.ask(late, 50, 1);
    floor.ask(cheap, 49, 1);
    let created = floor.bid(taker, 50, 2);
    assert_eq!(created.fill_count, contracts(2));
    assert_eq!(created.average_fill_price, Some("0.495".parse().unwrap()));
    assert_eq!(floor.position(cheap).quantity, contracts(-1));
    assert_eq!(floor.position(early).quantity, contracts(-1));
    assert_eq!(floor.position(late).quantity, Quantity::ZERO);
    assert_eq!(floor.levels(Side::Ask), [(50, 1)]);
}

#[test]
fn what_is_not_filled_rests_at_its_limit() {
    let mut floor = Floor::new();
    let [maker, taker] = [(); 2].map(|()| floor.member(100));
    floor.ask(maker, 50, 1);
    let created = floor.bid(taker, 52, 3);
    assert_eq!((created.fill_count, created.remaining_count), (contracts(1), contracts(2)));
    assert_eq!(floor.levels(Side::Bid), [(52, 2)]);
    let order = floor.order_of(&created);
    assert_eq!(order.status, OrderStatus::Resting);
    assert_eq!(order.last_update_reason, Some(UpdateReason::Trade));
}

#[test]
fn time_in_force_decides_what_becomes_of_the_rest() {
    use OrderStatus::{Canceled, Executed, Resting};
    use TimeInForce::{FillOrKill, GoodTillCanceled, ImmediateOrCancel};
    // (time in force, wanted of the 5 that rest at 50, filled, rests, status)
    let cases = [
        (GoodTillCanceled, 3, Some((3, 0, Executed))),
        (GoodTillCanceled, 8, Some((5, 3, Resting))),
        (ImmediateOrCancel, 3, Some((3, 0, Executed))),
        (ImmediateOrCancel, 8, Some((5, 0, Canceled))),
        (FillOrKill, 5, Some((5, 0, Executed))),
        (FillOrKill, 6, None),
    ];
    for (time_in_force, wanted, expected) in cases {
        let mut floor = Floor::new();
        let [maker, taker] = [(); 2].map(|()| floor.member(100));
        floor.ask(maker, 49, 2);
        floor.ask(maker, 50, 3);
        floor.ask(maker, 51, 100);
        let order = NewOrder { time_in_force, ..floor.order(Side::Bid, 50, wanted) };
        let answer = floor.send(taker, order).map(|created| {
            let filled = created.fill_count.raw() / 100;
            let rests = created.remaining_count.raw() / 100;
            (filled, rests, floor.order_of(&created).status)
        });
        match expected {
            Some(expected) => assert_eq!(answer, Ok(expected), "{time_in_force:?} {wanted}"),
            None => {
                assert_eq!(answer, Err(ExchangeError::FillOrKillInsufficientVolume));
                assert!(floor.exchange.account(taker).orders().is_empty());
            }
        }
    }
}

#[test]
fn a_post_only_order_never_takes() {
    for (rule, refused) in [(PostOnlyCross::Cancel, false), (PostOnlyCross::Reject, true)] {
        let fees = FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 };
        let mut floor = Floor::with_rules(Rules { post_only_cross: rule }, fees);
        let [maker, taker] = [(); 2].map(|()| floor.member(100));
        floor.ask(maker, 50, 1);
        let order = |cents| NewOrder { post_only: true, ..floor.order(Side::Bid, cents, 1) };
        let (crossing, passive) = (order(50), order(49));
        match floor.send(taker, crossing) {
            Ok(created) => {
                assert!(!refused);
                let order = floor.order_of(&created);
                assert_eq!(order.status, OrderStatus::Canceled);
                assert_eq!(order.last_update_reason, Some(UpdateReason::PostOnlyCrossCancel));
            }
            Err(error) => {
                assert!(refused);
                assert_eq!(
                    (error.code(), error.details()),
                    ("invalid_order", Some("post only cross"))
                );
            }
        }
        assert_eq!(floor.position(taker).quantity, Quantity::ZERO);
        assert_eq!(floor.send(taker, passive).unwrap().remaining_count, contracts(1));
    }
}

#[test]
fn an_account_never_trades_with_itself() {
    use SelfTradePrevention::{Maker, TakerAtCross};
    // Its own 2 rest at 50 behind another's 1 at 49; it bids for 5 at 51, and 1 rests at 51.
    let cases = [
        // The incoming order stops where it meets its own; what it traded stays traded.
        (TakerAtCross, TimeInForce::GoodTillCanceled, 1, vec![(50, 2), (51, 1)], vec![]),
        // The resting order goes, the incoming order goes on.
        (Maker, TimeInForce::GoodTillCanceled, 2, vec![], vec![(51, 3)]),
        // Fill-or-kill that meets its own order works as immediate-or-cancel.
        (TakerAtCross, TimeInForce::FillOrKill, 1, vec![(50, 2), (51, 1)], vec![]),
        (Maker, TimeInForce::FillOrKill, 2, vec![], vec![]),
    ];
    for (self_trade_prevention, time_in_force, filled, asks, bids) in cases {
        let mut floor = Floor::new();
        let [own, other] = [(); 2].map(|()| floor.member(100));
        floor.ask(other, 49, 1);
        let resting = floor.ask(own, 50, 2);
        floor.ask(other, 51, 1);
        let bid =
            NewOrder { self_trade_prevention, time_in_force, ..floor.order(Side::Bid, 51, 5) };
        let created = floor.send(own, bid).unwrap();
        assert_eq!(created.fill_count, contracts(filled), "{self_trade_prevention:?}");
        assert_eq!(floor.levels(Side::Ask), asks);
        assert_eq!(floor.levels(Side::Bid), bids);
        let gave_way = match self_trade_prevention {
            TakerAtCross => &created.order_id,
            Maker => &resting.order_id,
        };
        let gave_way = floor.exchange.order(*gave_way).unwrap();
        assert_eq!(gave_way.status, OrderStatus::Canceled);
        assert_eq!(gave_way.last_update_reason, Some(UpdateReason::SelfTradeCancel));
    }
}

#[test]
fn reduce_only_closes_and_never_opens() {
    let mut floor = Floor::new();
    let [maker, taker] = [(); 2].map(|()| floor.member(100));
    floor.ask(maker, 50, 3);
    floor.bid(taker, 50, 3);
    floor.bid(maker, 48, 10);
    let sell = NewOrder {
        reduce_only: true,
        time_in_force: TimeInForce::ImmediateOrCancel,
        ..floor.order(Side::Ask, 48, 5)
    };
    let first = floor.send(taker, sell.clone()).unwrap();
    assert_eq!(first.fill_count, contracts(3));
    assert_eq!(floor.position(taker).quantity, Quantity::ZERO);
    let second = floor.send(taker, sell.clone()).unwrap();
    assert_eq!(second.fill_count, Quantity::ZERO);
    for created in [first, second] {
        let order = floor.order_of(&created);
        assert_eq!(order.status, OrderStatus::Canceled);
        assert_eq!(order.last_update_reason, Some(UpdateReason::ReduceOnlyCancel));
    }
    let resting = NewOrder { time_in_force: TimeInForce::GoodTillCanceled, ..sell };
    assert_eq!(floor.send(taker, resting).unwrap_err().code(), "invalid_parameters");
}

#[test]
fn what_is_wrong_with_an_order_is_said_in_kalshis_words() {
    type Change = fn(&mut NewOrder);
    let cases: [(Change, &str, u16); 9] = [
        (|order| order.count = Quantity::ZERO, "invalid_order_size", 400),
        (|order| order.count = Quantity::from_raw(-1), "invalid_order_size", 400),
        (|order| order.price = Price::from_raw(5_050), "invalid_price", 400),
        (|order| order.price = Price::ONE, "invalid_price", 400),
        (|order| order.exchange_index = Some(0), "market_not_found", 404),
        (|order| order.expiration = Some(Timestamp::from_secs(1_000)), "expired", 400),
        (
            |order| {
                order.time_in_force = TimeInForce::ImmediateOrCancel;
                order.expiration = Some(Timestamp::from_secs(1_500));
            },
            "invalid_parameters",
            400,
        ),
        (|order| order.client_order_id = Some("".into()), "invalid_parameters", 400),
        (|order| order.count = contracts(1_000), "insufficient_balance", 400),
    ];
    for (change, code, status) in cases {
        let mut floor = Floor::new();
        let member = floor.member(100);
        let mut order = floor.order(Side::Bid, 50, 1);
        change(&mut order);
        let error = floor.send(member, order).unwrap_err();
        assert_eq!((error.code(), error.status()), (code, status), "{error}");
        assert!(floor.exchange.take_effects().is_empty());
    }
    let floor = Floor::new();
    assert_eq!(floor.exchange.find("KXNONE").unwrap_err().code(), "market_not_found");
}

#[test]
fn a_client_order_id_works_once_for_ever_and_only_if_the_order_was_taken() {
    let mut floor = Floor::new();
    let [member, other] = [(); 2].map(|()| floor.member(100));
    let named = |floor: &Floor, count| NewOrder {
        client_order_id: Some("a".into()),
        ..floor.order(Side::Bid, 50, count)
    };
    let refused = floor.send(member, named(&floor, 1_000)).unwrap_err();
    assert_eq!(refused.code(), "insufficient_balance");
    let created = floor.send(member, named(&floor, 1)).unwrap();
    floor.exchange.cancel_order(floor.now, member, created.order_id, Route::Anywhere).unwrap();
    let error = floor.send(member, named(&floor, 1)).unwrap_err();
    assert_eq!((error.code(), error.status()), ("order_already_exists", 409));
    assert!(floor.send(other, named(&floor, 1)).is_ok());
}

#[test]
fn an_order_is_found_on_its_shard_alone() {
    let mut floor = Floor::new();
    let [member, other] = [(); 2].map(|()| floor.member(100));
    let created = floor.bid(member, 50, 1);
    let now = floor.now;
    let cases = [
        (member, Route::Shard(0), Err("not_found")),
        (other, Route::Anywhere, Err("not_found")),
        (member, Route::Shard(SHARD), Ok(contracts(1))),
        (member, Route::Market(floor.market), Err("not_found")),
    ];
    for (account, route, expected) in cases {
        let answer = floor.exchange.cancel_order(now, account, created.order_id, route);
        let answer = answer.map(|reduced| reduced.reduced_by);
        assert_eq!(answer.map_err(|error| error.code()), expected, "{route:?}");
    }
    assert_eq!(floor.order_of(&created).status, OrderStatus::Canceled);
}

#[test]
fn a_decrease_keeps_the_place_and_an_amend_upwards_loses_it() {
    let mut floor = Floor::new();
    let [first, second, taker] = [(); 3].map(|()| floor.member(100));
    let mine = floor.bid(first, 50, 5);
    floor.bid(second, 50, 5);
    let now = floor.now;
    let route = Route::Market(floor.market);
    let to = Decrease::To(contracts(3));
    let reduced = floor.exchange.decrease_order(now, first, mine.order_id, to, route).unwrap();
    assert_eq!((reduced.reduced_by, reduced.remaining_count), (contracts(2), contracts(3)));
    assert_eq!(floor.exchange.queue_position(mine.order_id), Some(Quantity::ZERO));
    let amend = Amend {
        market: floor.market,
        side: Side::Bid,
        price: Price::from_cents(50),
        count: contracts(4),
        client_order_id: None,
        updated_client_order_id: Some("renamed".into()),
        expiration: None,
    };
    let amended = floor.exchange.amend_order(now, first, mine.order_id, amend.clone()).unwrap();
    assert_eq!(amended.remaining_count, contracts(4));
    assert_eq!(amended.client_order_id.as_deref(), Some("renamed"));
    assert_eq!(floor.exchange.queue_position(mine.order_id), Some(contracts(5)));
    floor.ask(taker, 50, 6);
    assert_eq!(floor.position(first).quantity, contracts(1));

    let wrong = Amend { side: Side::Ask, ..amend.clone() };
    let error = floor.exchange.amend_order(now, first, mine.order_id, wrong).unwrap_err();
    assert_eq!(error.code(), "order_side_mismatch");
    let wrong = Amend { client_order_id: Some("another".into()), ..amend };
    let error = floor.exchange.amend_order(now, first, mine.order_id, wrong).unwrap_err();
    assert_eq!(error.code(), "order_id_and_client_order_id_mismatch");
}

#[test]
fn an_amended_price_may_trade_and_the_total_counts_what_was_filled() {
    let mut floor = Floor::new();
    let [member, other] = [(); 2].map(|()| floor.member(100));
    let mine = floor.bid(member, 48, 5);
    floor.ask(other, 48, 2);
    floor.ask(other, 50, 1);
    let amend = Amend {
        market: floor.market,
        side: Side::Bid,
        price: Price::from_cents(50),
        count: contracts(6),
        client_order_id: None,
        updated_client_order_id: None,
        expiration: Some(Some(floor.now + std::time::Duration::from_secs(5))),
    };
    let amended = floor.exchange.amend_order(floor.now, member, mine.order_id, amend).unwrap();
    floor.exchange.check_invariants().unwrap();
    assert_eq!((amended.fill_count, amended.remaining_count), (contracts(1), contracts(3)));
    assert_eq!(floor.order_of(&mine).fill_count, contracts(3));
    floor.exchange.advance(floor.now + std::time::Duration::from_secs(5));
    let order = floor.order_of(&mine);
    assert_eq!(order.status, OrderStatus::Canceled);
    assert_eq!(order.last_update_reason, Some(UpdateReason::ExpiryCancel));
}

#[test]
fn cancel_all_takes_every_order_of_the_account_and_no_other() {
    let mut floor = Floor::new();
    let [member, other] = [(); 2].map(|()| floor.member(100));
    floor.bid(member, 48, 1);
    floor.ask(member, 52, 1);
    floor.bid(other, 47, 1);
    let canceled = floor.exchange.cancel_all(floor.now, member, None).unwrap();
    assert_eq!(canceled.len(), 2);
    assert_eq!((floor.levels(Side::Bid), floor.levels(Side::Ask)), (vec![(47, 1)], vec![]));
    assert_eq!(floor.balance(member).reserved, Dollars::ZERO);
}

#[test]
fn effects_come_in_the_order_in_which_things_happened() {
    let mut floor = Floor::new();
    let [maker, taker] = [(); 2].map(|()| floor.member(100));
    floor.ask(maker, 50, 1);
    floor.exchange.take_effects();
    let named = NewOrder { client_order_id: Some("t".into()), ..floor.order(Side::Bid, 50, 2) };
    floor.send(taker, named).unwrap();
    let told: Vec<String> = floor
        .exchange
        .take_effects()
        .into_iter()
        .map(|effect| match effect {
            Effect::Book(delta) => {
                assert_eq!(delta.cause.unwrap().client_order_id.as_deref(), Some("t"));
                format!("book {} {} {}", delta.side, delta.price, delta.delta)
            }
            Effect::Trade(trade) => format!("trade {} {}", trade.taker, trade.count),
            Effect::Fill(fill) => format!("fill taker={} {}", fill.is_taker, fill.post_position),
            Effect::Order(order) => {
                format!("order {} {}", order.status.as_str(), order.remaining_count)
            }
            Effect::Position { position, .. } => format!("position {}", position.quantity),
            Effect::Ticker { ticker, .. } => {
                assert_eq!(ticker.tape.volume, contracts(1));
                format!("ticker {}", ticker.bid.unwrap().price)
            }
            other @ (Effect::OrderGroup(_) | Effect::Lifecycle(_)) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "book ask 0.5000 -1.00",
            "trade bid 1.00",
            "fill taker=true 1.00",
            "position 1.00",
            "fill taker=false -1.00",
            "position -1.00",
            "order executed 0.00",
            "book bid 0.5000 1.00",
            "order resting 1.00",
            "ticker 0.5000",
        ]
    );
}

#[test]
fn the_items_of_a_batch_stand_and_fall_alone() {
    let mut floor = Floor::new();
    let member = floor.member(100);
    let [good, poor, last] = [1, 1_000, 2].map(|count| floor.order(Side::Bid, 50, count));
    let now = floor.now;
    let answers = floor.exchange.create_orders(now, member, vec![good, poor, last]);
    let [Ok(first), Err(error), Ok(third)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(error.code(), "insufficient_balance");
    assert_eq!(floor.levels(Side::Bid), [(50, 3)]);
    let unknown = floor.exchange.new_id();
    let route = Route::Shard(SHARD);
    let orders = [(first.order_id, route), (unknown, route), (third.order_id, route)];
    let answers = floor.exchange.cancel_orders(now, member, &orders);
    assert!(matches!(&answers[..], [Ok(_), Err(ExchangeError::OrderNotFound), Ok(_)]));
    assert!(floor.exchange.market(floor.market).book().is_empty());
}
