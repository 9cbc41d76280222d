//! Amounts that nobody ever has: whatever the exchange says, the desk goes on and counts right.

use proptest::prelude::*;

use super::*;
use crate::desk::CancelOutcome;
use crate::desk::exposure::worst_case;

fn raw() -> impl Strategy<Value = i64> {
    let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, 100, 100_000_000_000, i64::MAX - 1, i64::MAX];
    prop_oneof![2 => prop::sample::select(edges.to_vec()), 1 => any::<i64>(), 1 => 1_i64..10_000]
}

fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![
        2 => 1_u32..10_000,
        1 => prop::sample::select(vec![0, 1, 10_000, 10_001, u32::MAX]),
    ]
    .prop_map(Price::from_raw)
}

fn quantity() -> impl Strategy<Value = Quantity> {
    raw().prop_map(Quantity::from_raw)
}

fn dollars() -> impl Strategy<Value = Dollars> {
    raw().prop_map(Dollars::from_raw)
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

/// One of our two orders, or one from outside.
fn name() -> impl Strategy<Value = (String, Option<ClientOrderId>)> {
    prop_oneof![
        (1_u64..3).prop_map(|number| {
            let ours: ClientOrderId = format!("test-{number}").as_str().into();
            (venue_name(&ours), Some(ours))
        }),
        (0_u8..5).prop_map(|number| (format!("elsewhere-{number}"), None)),
    ]
}

fn ticker() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(vec![TICKER, "KX-2"]).prop_map(Arc::from)
}

prop_compose! {
    fn any_order()(
        (venue, client) in name(), ticker in ticker(), side in side(), price in any_price(),
        filled in quantity(), remaining in quantity(), exchange_index in any::<i32>(),
        status in prop::sample::select(vec![
            VenueOrderStatus::Resting, VenueOrderStatus::Canceled, VenueOrderStatus::Executed,
            VenueOrderStatus::Unknown,
        ]),
    ) -> VenueOrder {
        VenueOrder {
            venue_order_id: venue.as_str().into(), client_order_id: client, ticker, side, price,
            status, filled, remaining, reason: None, exchange_index, ts: None,
        }
    }
}

prop_compose! {
    fn any_fill()(
        id in 0_u8..30, (venue, client) in name(), ticker in ticker(), side in side(),
        price in any_price(), quantity in quantity(), fee in dollars(),
    ) -> VenueFill {
        VenueFill {
            fill_id: Arc::from(format!("f{id}")), venue_order_id: venue.as_str().into(),
            client_order_id: client, ticker, side, price, quantity, fee, taker: true, ts: START,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Order(VenueOrder),
    Fill(VenueFill),
    Accepted { second: bool, filled: Quantity, remaining: Quantity },
    Canceled { second: bool, left: Quantity },
    Account { resting: Vec<VenueOrder>, fills: Vec<VenueFill>, held: Vec<Quantity>, cash: Dollars },
    Pays { price: Price, multiplier: u32 },
    Pass,
    Intent { side: Side, price: Price, quantity: Quantity },
}

fn step() -> impl Strategy<Value = Step> {
    let lists = (prop::collection::vec(any_order(), 0..3), prop::collection::vec(any_fill(), 0..3));
    prop_oneof![
        3 => any_order().prop_map(Step::Order),
        3 => any_fill().prop_map(Step::Fill),
        1 => (any::<bool>(), quantity(), quantity()).prop_map(|(second, filled, remaining)| {
            Step::Accepted { second, filled, remaining }
        }),
        1 => (any::<bool>(), quantity())
            .prop_map(|(second, left)| Step::Canceled { second, left }),
        2 => (lists, prop::collection::vec(quantity(), 0..3), dollars()).prop_map(
            |((resting, fills), held, cash)| Step::Account { resting, fills, held, cash }
        ),
        1 => (any_price(), any::<u32>())
            .prop_map(|(price, multiplier)| Step::Pays { price, multiplier }),
        2 => Just(Step::Pass),
        1 => (side(), any_price(), quantity())
            .prop_map(|(side, price, quantity)| Step::Intent { side, price, quantity }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn absurd_amounts_neither_end_the_desk_nor_spoil_its_sums(
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut floor = Floor::open();
        let ours = [floor.place(bid(1, 50, 5)), floor.place(bid(2, 45, 5))];
        for (number, step) in steps.into_iter().enumerate() {
            let now = floor.now;
            let input = match step {
                Step::Order(order) => Input::Order(order),
                Step::Fill(fill) => Input::Fill(fill),
                Step::Accepted { second, filled, remaining } => {
                    let sent = &ours[usize::from(second)];
                    let venue_order_id = venue_name(&sent.request.client_order_id).into();
                    let outcome = PlaceOutcome::Accepted { venue_order_id, filled, remaining };
                    Input::Placed { order: sent.key, outcome }
                }
                Step::Canceled { second, left: reduced_by } => Input::Canceled {
                    order: ours[usize::from(second)].key,
                    outcome: CancelOutcome::Canceled { reduced_by },
                },
                Step::Account { resting, fills, held, cash } => {
                    let position = |quantity| VenuePosition { ticker: TICKER.into(), quantity };
                    let positions = held.into_iter().map(position).collect();
                    let balances = on_shard(cash);
                    let requested_at = now;
                    let account =
                        AccountSnapshot { requested_at, resting, fills, positions, settlements: Vec::new(), balances };
                    Input::Account(Ok(account))
                }
                Step::Pays { price, multiplier } => {
                    let mut market = market(MARKET, TICKER);
                    market.status = MarketStatus::Finalized;
                    market.settlement = Some(price);
                    market.fees.multiplier_milli = multiplier;
                    Input::Market(view_of(market, MARKET, now))
                }
                Step::Pass => {
                    floor.now = floor.now + Duration::from_secs(61);
                    Input::Tick
                }
                Step::Intent { side, price, quantity } => {
                    let number = 100 + u64::try_from(number).unwrap();
                    let order = NewOrder { price, quantity, ..order(number, side, 50, 1) };
                    Input::Actions { agent: agent(), actions: vec![Action::Place(order)] }
                }
            };
            floor.apply(input);
            // Whatever it says: that it can say it.
            let _ = floor.desk.report();
            let ledger = &floor.desk.ledger;
            let sum: i128 = ledger
                .stakes()
                .map(|(_, _, stake)| i128::from(worst_case(&stake.holding, &stake.working).raw()))
                .sum();
            prop_assert_eq!(i128::from(ledger.exposure().raw()), sum);
        }
    }
}
