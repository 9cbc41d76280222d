//! Any records, and the same rules on plain collections: what is recovered is what was appended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use proptest::prelude::*;

use super::Floor;
use crate::desk::record::{
    AgentChanged, CommandGiven, Decision, Difference, EquityChanged, FillBooked, GroupChanged,
    Halt, Halted, Holding, HoldingCause, HoldingChanged, Intent, OrderEvent, OrderGroup, Readiness,
    RecoveredHolding, RecoveredOrder, Started, UsedOrderIds,
};
use crate::desk::{Equity, Journal, Record, Recovered};
use crate::journal::words::Word;
use crate::model::{AgentId, ClientOrderId, OrderId, OrderState, TimeInForce};

/// What a journal should say of a run of records: the same rules on plain collections.
#[derive(Default)]
struct Model {
    runs: u64,
    since: Option<Timestamp>,
    orders: BTreeMap<ClientOrderId, (usize, RecoveredOrder)>,
    fill_ids: Vec<Arc<str>>,
    last_fill: Option<Timestamp>,
    holdings: BTreeMap<(Option<AgentId>, Arc<str>), Holding>,
    halts: BTreeMap<Option<AgentId>, Option<Halted>>,
    equities: BTreeMap<Option<AgentId>, Equity>,
    groups: BTreeMap<(AgentId, i32), OrderGroup>,
    order_ids: BTreeMap<AgentId, BTreeSet<OrderId>>,
}

impl Model {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Started(started) => {
                self.runs += 1;
                self.since = Some(self.since.map_or(started.ts, |since| since.min(started.ts)));
            }
            Record::Intent(intent) => {
                self.order_ids.entry(intent.agent.clone()).or_default().insert(intent.order);
                if let Decision::Approved { client_order_id, .. } = &intent.decision {
                    let order = RecoveredOrder {
                        intent: intent.clone(),
                        venue_order_id: None,
                        state: OrderState::Sent,
                        filled: Quantity::ZERO,
                        booked: Quantity::ZERO,
                    };
                    self.orders.insert(client_order_id.clone(), (self.orders.len(), order));
                }
            }
            Record::Order(event) => {
                let order = event.client_order_id.as_ref().and_then(|id| self.orders.get_mut(id));
                if let Some((_, order)) = order {
                    order.state = event.state;
                    order.filled = event.filled;
                    if event.venue_order_id.is_some() {
                        order.venue_order_id.clone_from(&event.venue_order_id);
                    }
                }
            }
            Record::Fill(fill) => {
                self.fill_ids.push(Arc::clone(&fill.fill_id));
                self.last_fill = self.last_fill.max(Some(fill.venue_ts));
                self.holdings.insert((fill.agent.clone(), Arc::clone(&fill.ticker)), fill.holding);
                let order = fill.client_order_id.as_ref().and_then(|id| self.orders.get_mut(id));
                if let Some((_, order)) = order {
                    order.booked += fill.quantity;
                }
            }
            Record::Holding(changed) => {
                let key = (changed.agent.clone(), Arc::clone(&changed.ticker));
                self.holdings.insert(key, changed.holding);
            }
            Record::Halt(halt) => {
                self.halts.insert(halt.agent.clone(), halt.halted.clone());
            }
            Record::Equity(changed) => {
                self.equities.insert(changed.agent.clone(), changed.equity);
            }
            Record::Group(changed) => {
                let key = (changed.agent.clone(), changed.exchange_index);
                match &changed.group {
                    Some(group) => self.groups.insert(key, group.clone()),
                    None => self.groups.remove(&key),
                };
            }
            Record::Command(_) | Record::Agent(_) | Record::Ready(_) | Record::Difference(_) => {}
        }
    }

    fn recovered(self) -> Recovered {
        let mut orders: Vec<_> = self.orders.into_values().collect();
        orders.sort_by_key(|(made, _)| *made);
        let unfinished =
            |order: &RecoveredOrder| !order.state.is_final() || order.filled > order.booked;
        let mut halts = self.halts;
        let mut equities = self.equities;
        Recovered {
            runs: self.runs,
            since: self.since,
            orders: orders.into_iter().map(|(_, order)| order).filter(unfinished).collect(),
            fill_ids: self.fill_ids,
            last_fill: self.last_fill,
            holdings: self
                .holdings
                .into_iter()
                .map(|((agent, ticker), holding)| RecoveredHolding { agent, ticker, holding })
                .collect(),
            halted: halts.remove(&None).flatten(),
            halted_agents: halts
                .into_iter()
                .filter_map(|(agent, halted)| Some((agent?, halted?)))
                .collect(),
            equity: equities.remove(&None),
            equities: equities
                .into_iter()
                .filter_map(|(agent, equity)| Some((agent?, equity)))
                .collect(),
            groups: self.groups,
            order_ids: self
                .order_ids
                .into_iter()
                .map(|(agent, used)| {
                    (agent, UsedOrderIds { floor: None, used: used.into_iter().collect() })
                })
                .collect(),
        }
    }
}

fn any_agent() -> impl Strategy<Value = AgentId> {
    prop::sample::select(vec!["maker", "taker", "ü 'quoted'"]).prop_map(AgentId::from)
}

fn any_ticker() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(vec!["KX-1", "KX-2", "KX-3"]).prop_map(Arc::from)
}

fn any_ts() -> impl Strategy<Value = Timestamp> {
    (0..=i64::MAX.unsigned_abs()).prop_map(Timestamp::from_nanos)
}

fn any_state() -> impl Strategy<Value = OrderState> {
    let states: Vec<OrderState> = OrderState::WORDS.iter().map(|(state, _)| *state).collect();
    prop::sample::select(states)
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn any_quantity() -> impl Strategy<Value = Quantity> {
    (-1_000_000_000_i64..1_000_000_000).prop_map(Quantity::from_raw)
}

fn any_holding() -> impl Strategy<Value = Holding> {
    (any_quantity(), any::<[i64; 3]>()).prop_map(|(quantity, [cost, realized, fees])| Holding {
        quantity,
        cost: Dollars::from_raw(cost),
        realized: Dollars::from_raw(realized),
        fees: Dollars::from_raw(fees),
    })
}

/// Names of orders that there may be: some never are.
fn any_name() -> impl Strategy<Value = Option<ClientOrderId>> {
    prop::option::of((0..20_u32).prop_map(|number| format!("order {number}").into()))
}

fn any_intent() -> impl Strategy<Value = Record> {
    let time_in_force = prop_oneof![
        Just(TimeInForce::GoodTillCanceled),
        Just(TimeInForce::ImmediateOrCancel),
        Just(TimeInForce::FillOrKill),
    ];
    let decision = prop_oneof![
        3 => any::<i32>().prop_map(|exchange_index| Decision::Approved {
            client_order_id: "".into(),
            exchange_index,
        }),
        1 => ".{0,20}".prop_map(|reason| Decision::Denied { reason }),
    ];
    let names = (any_ts(), any_agent(), any::<u64>(), prop::option::of(any_ticker()));
    let terms = (any_side(), any::<u32>(), any::<i64>(), time_in_force, any::<bool>());
    (names, terms, prop::option::of(any_ts()), decision).prop_map(
        |((ts, agent, order, ticker), terms, expires, decision)| {
            let (side, price, quantity, time_in_force, post_only) = terms;
            Record::Intent(Intent {
                ts,
                agent,
                order: OrderId(order),
                ticker,
                side,
                price: Price::from_raw(price),
                quantity: Quantity::from_raw(quantity),
                time_in_force,
                post_only,
                expires,
                decision,
            })
        },
    )
}

fn any_event() -> impl Strategy<Value = Record> {
    let venue_order_id = prop::option::of("[a-z]{1,8}".prop_map(|id| id.as_str().into()));
    let of = (any_ts(), any_name(), venue_order_id, prop::option::of(any_agent()), any_ticker());
    (of, any_state(), any_state(), any_quantity(), ".{0,20}").prop_map(
        |((ts, client_order_id, venue_order_id, agent, ticker), from, state, filled, reason)| {
            Record::Order(OrderEvent {
                ts,
                client_order_id,
                venue_order_id,
                agent,
                order: None,
                ticker,
                event: "recovered".into(),
                from,
                state,
                filled,
                reason,
            })
        },
    )
}

fn any_fill() -> impl Strategy<Value = Record> {
    let of = (any_ts(), any_name(), prop::option::of(any_agent()), any_ticker());
    let terms = (any_side(), 0..=10_000_u32, any_quantity(), any::<i64>(), any::<bool>());
    (of, terms, any_ts(), any_holding()).prop_map(
        |((ts, client_order_id, agent, ticker), terms, venue_ts, holding)| {
            let (side, price, quantity, fee, taker) = terms;
            Record::Fill(FillBooked {
                ts,
                fill_id: "".into(),
                venue_order_id: "venue".into(),
                client_order_id,
                agent,
                order: None,
                ticker,
                side,
                price: Price::from_raw(price),
                quantity,
                fee: Dollars::from_raw(fee),
                taker,
                venue_ts,
                holding,
            })
        },
    )
}

fn any_other() -> impl Strategy<Value = Record> {
    let cause = prop_oneof![
        (0..=10_000_u32).prop_map(|price| HoldingCause::Settled { price: Price::from_raw(price) }),
        Just(HoldingCause::Adopted),
    ];
    let maybe_agent = || prop::option::of(any_agent());
    let words = || prop::option::of(".{0,20}");
    prop_oneof![
        any_ts().prop_map(|ts| Record::Started(Started { ts, nonce: "n".into() })),
        (any_ts(), maybe_agent(), any_ticker(), cause, any_holding()).prop_map(
            |(ts, agent, ticker, cause, holding)| Record::Holding(HoldingChanged {
                ts,
                agent,
                ticker,
                cause,
                holding,
            })
        ),
        (any_ts(), maybe_agent(), any::<bool>(), words()).prop_map(
            |(ts, agent, reducing, reason)| {
                let halted = reason.map(|reason| Halted { reducing, reason });
                Record::Halt(Halt { ts, agent, halted })
            }
        ),
        (any_ts(), maybe_agent(), any::<u32>(), any::<i64>(), any::<i64>()).prop_map(
            |(ts, agent, day, at_start, best)| {
                let (at_start, best) = (Dollars::from_raw(at_start), Dollars::from_raw(best));
                let equity = Equity { day: day.into(), at_start, best };
                Record::Equity(EquityChanged { ts, agent, equity })
            }
        ),
        (any_ts(), any_agent(), 0..3_i32, prop::option::of((".{1,8}", 1..1_000_i64))).prop_map(
            |(ts, agent, exchange_index, group)| {
                let group = group.map(|(id, limit)| OrderGroup {
                    id: id.into(),
                    limit: Quantity::from_contracts(limit),
                });
                Record::Group(GroupChanged { ts, agent, exchange_index, group })
            }
        ),
        (any_ts(), maybe_agent(), ".{0,20}")
            .prop_map(|(ts, agent, command)| Record::Command(CommandGiven { ts, agent, command })),
        (any_ts(), any_agent(), words())
            .prop_map(|(ts, agent, down)| Record::Agent(AgentChanged { ts, agent, down })),
        (any_ts(), words()).prop_map(|(ts, not_ready)| Record::Ready(Readiness { ts, not_ready })),
        (any_ts(), prop::option::of(any_ticker()), ".{0,20}").prop_map(|(ts, ticker, detail)| {
            Record::Difference(Difference { ts, kind: "position".into(), ticker, detail })
        }),
    ]
}

/// Gives orders and fills the names that no two of them share.
fn named(mut records: Vec<Record>) -> Vec<Record> {
    let (mut orders, mut fills) = (0, 0);
    for record in &mut records {
        match record {
            Record::Intent(Intent {
                decision: Decision::Approved { client_order_id, .. }, ..
            }) => {
                *client_order_id = format!("order {orders}").into();
                orders += 1;
            }
            Record::Fill(fill) => {
                fill.fill_id = format!("fill {fills}").into();
                fills += 1;
            }
            _ => {}
        }
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_recovered_is_what_was_appended(
        records in prop::collection::vec(
            prop_oneof![3 => any_intent(), 3 => any_event(), 2 => any_fill(), 2 => any_other()],
            0..60,
        ),
        batch in 1..8_usize,
    ) {
        let records = named(records);
        let mut model = Model::default();
        let mut floor = Floor::new();
        for chunk in records.chunks(batch) {
            floor.store.append(chunk).unwrap();
            chunk.iter().for_each(|record| model.apply(record));
        }
        let expected = model.recovered();
        prop_assert_eq!(&floor.after_kill(), &expected);
        prop_assert_eq!(&floor.reopened().store.recover().unwrap(), &expected);
    }
}
