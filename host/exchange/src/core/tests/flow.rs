//! Random order flow against the plain engine, and against the promises.

use proptest::prelude::*;

use super::reference::{Plain, Reference};
use super::*;

/// One step of a flow.
#[derive(Debug, Clone)]
enum Step {
    Create(Plain),
    /// Cancel one of the orders so far.
    Cancel(usize),
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn plain() -> impl Strategy<Value = Plain> {
    let time_in_force = prop_oneof![
        4 => Just(TimeInForce::GoodTillCanceled),
        1 => Just(TimeInForce::ImmediateOrCancel),
        1 => Just(TimeInForce::FillOrKill),
    ];
    let prevention =
        prop_oneof![Just(SelfTradePrevention::TakerAtCross), Just(SelfTradePrevention::Maker)];
    (0_usize..4, side(), 45_u32..56, 1_i64..500, time_in_force, prevention, any::<u8>()).prop_map(
        |(account, side, cents, count, time_in_force, prevention, post)| Plain {
            account,
            side,
            cents,
            count,
            time_in_force,
            prevention,
            post_only: post < 30 && time_in_force == TimeInForce::GoodTillCanceled,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => plain().prop_map(Step::Create),
        1 => (0_usize..60).prop_map(Step::Cancel),
    ]
}

fn new_order(market: MarketKey, plain: &Plain) -> NewOrder {
    NewOrder {
        time_in_force: plain.time_in_force,
        self_trade_prevention: plain.prevention,
        post_only: plain.post_only,
        ..NewOrder::limit(
            market,
            plain.side,
            Price::from_cents(plain.cents),
            Quantity::from_raw(plain.count),
        )
    }
}

proptest! {
    #[test]
    fn matching_equals_the_plain_engine(steps in prop::collection::vec(step(), 1..60)) {
        let mut floor = Floor::new();
        let accounts = [(); 4].map(|()| floor.member(1_000_000));
        let mut plain = Reference::default();
        let mut orders: Vec<(AccountId, Uuid)> = Vec::new();
        let mut replayed = Replayed::default();
        for step in steps {
            match step {
                Step::Create(order) => {
                    let account = accounts[order.account];
                    prop_assert_eq!(plain.next_number(), orders.len());
                    let created = floor.send(account, new_order(floor.market, &order));
                    let expected = plain.create(order);
                    let answer = created.as_ref().ok().map(|created| {
                        (created.fill_count.raw(), created.remaining_count.raw())
                    });
                    prop_assert_eq!(answer, expected, "{:?}: {:?}", order, &created);
                    orders.extend(created.ok().map(|created| (account, created.order_id)));
                }
                Step::Cancel(number) => {
                    let Some(&(account, order)) = orders.get(number) else { continue };
                    let answer =
                        floor.exchange.cancel_order(floor.now, account, order, Route::Anywhere);
                    let reduced = answer.ok().map(|reduced| reduced.reduced_by.raw());
                    prop_assert_eq!(reduced, plain.cancel(number));
                }
            }
            replayed.apply(&floor.exchange.take_effects());
            prop_assert_eq!(&replayed, &Replayed::of(&floor.exchange));
            for side in [Side::Bid, Side::Ask] {
                let book = floor.exchange.market(floor.market).book();
                let levels: BTreeMap<u32, i64> = book
                    .levels(side)
                    .map(|level| (level.price.raw() / 100, level.quantity.raw()))
                    .collect();
                prop_assert_eq!(levels, plain.levels(side));
            }
            for (number, account) in accounts.iter().enumerate() {
                let position = floor.position(*account).quantity.raw();
                prop_assert_eq!(position, plain.position(number));
            }
        }
    }
}

/// A step of a flow that looks for a way to break the ledger: little cash, fine prices and
/// fractions of contracts, every command there is.
#[derive(Debug, Clone)]
enum Poor {
    Create { plain: Plain, expires: bool, grouped: bool },
    Amend { number: usize, price: u32, count: i64 },
    Decrease { number: usize, by: i64 },
    Cancel(usize),
    CancelAll(usize),
    Reset(usize),
    Trigger(usize),
    Limit { account: usize, limit: i64 },
    Wait(u64),
    Pause(bool),
}

fn poor() -> impl Strategy<Value = Poor> {
    let number = || 0_usize..40;
    prop_oneof![
        8 => (plain(), any::<bool>(), any::<bool>())
            .prop_map(|(plain, expires, grouped)| Poor::Create { plain, expires, grouped }),
        3 => (number(), 0_u32..1_001, 1_i64..600)
            .prop_map(|(number, price, count)| Poor::Amend { number, price: price * 10, count }),
        1 => (number(), 1_i64..300).prop_map(|(number, by)| Poor::Decrease { number, by }),
        1 => number().prop_map(Poor::Cancel),
        1 => (0_usize..4).prop_map(Poor::CancelAll),
        1 => (0_usize..4).prop_map(Poor::Reset),
        1 => (0_usize..4).prop_map(Poor::Trigger),
        1 => (0_usize..4, 100_i64..600)
            .prop_map(|(account, limit)| Poor::Limit { account, limit }),
        1 => (1_u64..100).prop_map(Poor::Wait),
        1 => any::<bool>().prop_map(Poor::Pause),
    ]
}

fn fee_type() -> impl Strategy<Value = FeeType> {
    prop_oneof![
        Just(FeeType::Quadratic),
        Just(FeeType::QuadraticWithMakerFees),
        Just(FeeType::QuadraticWithComboMakerFees),
    ]
}

fn run_poor(
    floor: &mut Floor,
    accounts: &[(AccountId, Uuid)],
    orders: &mut Vec<(usize, Uuid)>,
    step: Poor,
) {
    let (now, market) = (floor.now, floor.market);
    let exchange = &mut floor.exchange;
    let order_at = |number: usize| orders.get(number).map(|(owner, id)| (accounts[*owner].0, *id));
    // Most of these are refused now and then: what counts is what holds afterwards.
    match step {
        Poor::Create { plain, expires, grouped } => {
            let (account, group) = accounts[plain.account];
            let expiration = (expires && plain.time_in_force == TimeInForce::GoodTillCanceled)
                .then(|| now + std::time::Duration::from_secs(50));
            let order_group_id = grouped.then_some(group);
            let order = NewOrder { expiration, order_group_id, ..new_order(market, &plain) };
            let created = exchange.create_order(now, account, order);
            orders.extend(created.ok().map(|created| (plain.account, created.order_id)));
        }
        Poor::Amend { number, price, count } => {
            let Some((account, id)) = order_at(number) else { return };
            let Some(side) = exchange.order(id).map(|order| order.side) else { return };
            let amend = Amend {
                market,
                side,
                price: Price::from_raw(price),
                count: Quantity::from_raw(count),
                client_order_id: None,
                updated_client_order_id: None,
                expiration: None,
            };
            let _ = exchange.amend_order(now, account, id, amend);
        }
        Poor::Decrease { number, by } => {
            let Some((account, id)) = order_at(number) else { return };
            let by = Decrease::By(Quantity::from_raw(by));
            let _ = exchange.decrease_order(now, account, id, by, Route::Market(market));
        }
        Poor::Cancel(number) => {
            let Some((account, id)) = order_at(number) else { return };
            let _ = exchange.cancel_order(now, account, id, Route::Shard(SHARD));
        }
        Poor::CancelAll(account) => {
            exchange.cancel_all(now, accounts[account].0, None).unwrap();
        }
        Poor::Reset(account) => {
            let (account, group) = accounts[account];
            exchange.reset_order_group(now, account, SHARD, group).unwrap();
        }
        Poor::Trigger(account) => {
            let (account, group) = accounts[account];
            exchange.trigger_order_group(now, account, SHARD, group).unwrap();
        }
        Poor::Limit { account, limit } => {
            let ((account, group), limit) = (accounts[account], Quantity::from_raw(limit));
            exchange.set_order_group_limit(now, account, SHARD, group, limit).unwrap();
        }
        Poor::Wait(secs) => {
            floor.now = now + std::time::Duration::from_secs(secs);
            exchange.advance(floor.now);
        }
        Poor::Pause(true) => {
            let _ = exchange.deactivate(now, market);
        }
        Poor::Pause(false) => {
            let _ = exchange.activate(now, market);
        }
    }
}

proptest! {
    #[test]
    fn no_flow_breaks_a_promise(
        steps in prop::collection::vec(poor(), 1..120),
        fee_type in fee_type(),
        multiplier_milli in prop_oneof![Just(0_u32), Just(500), Just(1_000), 1_u32..3_000],
        value in 0_u32..=100,
    ) {
        let mut floor = Floor::with_fees(FeeSchedule { fee_type, multiplier_milli });
        floor.exchange.set_grid(floor.now, floor.market, PriceGrid {
            name: "deci_cent".into(),
            ranges: vec![PriceRange {
                start: Price::ZERO,
                end: Price::ONE,
                step: Price::from_raw(10),
            }],
        }).unwrap();
        let accounts = [5, 5, 8, 20].map(|dollars| {
            let account = floor.member(dollars);
            (account, floor.group(account, 4))
        });
        let mut orders = Vec::new();
        let mut replayed = Replayed::default();
        for step in steps {
            run_poor(&mut floor, &accounts, &mut orders, step);
            let holds = floor.exchange.check_invariants();
            prop_assert!(holds.is_ok(), "{:?}", holds);
            replayed.apply(&floor.exchange.take_effects());
            prop_assert_eq!(&replayed, &Replayed::of(&floor.exchange));
        }
        let outcome = Outcome::Scalar(Price::from_cents(value));
        let (now, market) = (floor.now, floor.market);
        floor.exchange.determine(now, market, outcome).unwrap();
        floor.exchange.settle(now, market).unwrap();
        let holds = floor.exchange.check_invariants();
        prop_assert!(holds.is_ok(), "{:?}", holds);
        replayed.apply(&floor.exchange.take_effects());
        prop_assert_eq!(replayed, Replayed::default());
        for (account, _) in accounts {
            prop_assert!(floor.balance(account).reserved.is_zero());
        }
    }
}
