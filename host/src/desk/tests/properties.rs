//! What must hold whatever happens: a desk against an exchange that loses answers, delays
//! fills and repeats itself.

use proptest::prelude::*;

use super::*;
use crate::desk::record::OrderGroup;
use crate::desk::{CancelOutcome, ReadError};

/// An order as the exchange truly has it.
#[derive(Debug, Clone)]
struct Truth {
    sent: Sent,
    place: Place,
    traded: i64,
    /// The answer to the request is still to be given.
    unanswered: bool,
}

/// Where an order truly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    OnTheWay,
    Live,
    Ended,
    NeverArrived,
}

/// One thing that can happen. The numbers pick an order or a fill.
#[derive(Debug, Clone)]
enum Step {
    Place { agent: bool, is_bid: bool, price: u32, quantity: i64 },
    Arrive(u8),
    Answer(u8),
    LoseAnswer { order: u8, arrives: bool },
    Trade { order: u8, quantity: i64 },
    DeliverFill(u8),
    RepeatFill(u8),
    Report(u8),
    CancelAll { agent: bool },
    ExchangeCancels(u8),
    AnswerRequests { fail: bool },
    Pass(u16),
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), 1_u32..100, 1_i64..20).prop_map(
            |(agent, is_bid, price, quantity)| Step::Place { agent, is_bid, price, quantity }
        ),
        3 => any::<u8>().prop_map(Step::Arrive),
        3 => any::<u8>().prop_map(Step::Answer),
        1 => (any::<u8>(), any::<bool>())
            .prop_map(|(order, arrives)| Step::LoseAnswer { order, arrives }),
        4 => (any::<u8>(), 1_i64..20).prop_map(|(order, quantity)| Step::Trade { order, quantity }),
        3 => any::<u8>().prop_map(Step::DeliverFill),
        1 => any::<u8>().prop_map(Step::RepeatFill),
        2 => any::<u8>().prop_map(Step::Report),
        1 => any::<bool>().prop_map(|agent| Step::CancelAll { agent }),
        1 => any::<u8>().prop_map(Step::ExchangeCancels),
        3 => any::<bool>().prop_map(|fail| Step::AnswerRequests { fail }),
        2 => (1_u16..4_000).prop_map(Step::Pass),
        1 => Just(Step::Snapshot),
    ]
}

/// The exchange, and the desk that trades on it.
struct World {
    floor: Floor,
    orders: Vec<Truth>,
    undelivered: Vec<VenueFill>,
    delivered: Vec<VenueFill>,
    requests: Vec<Request>,
    /// Everything that went into the desk, for a replay.
    inputs: Vec<(Timestamp, Input)>,
    /// Everything that came out of it.
    records: Vec<Record>,
    next_order: u64,
}

fn unlimited() -> Limits {
    Limits {
        duplicate_window_ms: 0,
        price_collar: Price::ONE,
        size_multiple_max: u32::MAX,
        fills_per_market: 1_000,
        fills_window_ms: 1,
        exposure_per_event: Dollars::MAX,
        exposure_per_series: Dollars::MAX,
        open_orders_per_market: u32::MAX,
        refused_in_a_row: u32::MAX,
        daily_loss: Dollars::MAX,
        daily_loss_per_agent: Dollars::MAX,
        drawdown: Dollars::MAX,
        drawdown_per_agent: Dollars::MAX,
        order_quantity: contracts(1_000),
        order_cost: Dollars::from_dollars(10_000),
        position_per_market: contracts(100_000),
        exposure_per_agent: Dollars::from_dollars(1_000_000),
        exposure: Dollars::from_dollars(1_000_000),
        open_orders_per_agent: 10_000,
        open_orders: 10_000,
        orders_per_second: 10_000,
        ..Limits::default()
    }
}

fn name(agent: bool) -> AgentId {
    if agent { "maker".into() } else { "taker".into() }
}

impl World {
    fn new() -> Self {
        let settings = Settings { limits: unlimited(), ..Settings::default() };
        let floor = Floor::cold(settings, Recovered { runs: 1, ..Recovered::default() });
        let mut world = Self {
            floor,
            orders: Vec::new(),
            undelivered: Vec::new(),
            delivered: Vec::new(),
            requests: Vec::new(),
            inputs: Vec::new(),
            records: Vec::new(),
            next_order: 1,
        };
        world.records.append(&mut world.floor.out.records);
        world.apply(Input::Connected);
        world.requests.clear();
        world.apply(Input::Account(Ok(world.snapshot())));
        for agent in [true, false] {
            world.apply(Input::AgentUp { agent: name(agent), limits: AgentLimits::default() });
        }
        world
    }

    fn apply(&mut self, input: Input) {
        self.inputs.push((self.floor.now, input.clone()));
        self.floor.apply(input);
        self.records.append(&mut self.floor.out.records);
        for request in self.floor.out.requests.drain(..) {
            if let Request::Place { order, approved } = &request {
                let sent = Sent { key: *order, request: approved.request().clone() };
                let place = Place::OnTheWay;
                self.orders.push(Truth { sent, place, traded: 0, unanswered: true });
            } else {
                self.requests.push(request);
            }
        }
    }

    fn pass(&mut self, millis: u64) {
        self.floor.now = self.floor.now + Duration::from_millis(millis);
        self.apply(Input::Tick);
    }

    fn pick(&self, number: u8) -> Option<usize> {
        (!self.orders.is_empty()).then(|| usize::from(number) % self.orders.len())
    }

    fn truth_of(&self, key: OrderKey) -> Option<&Truth> {
        self.orders.iter().find(|truth| truth.sent.key == key)
    }

    fn report_of(truth: &Truth) -> VenueOrder {
        let all = truth.sent.request.quantity == contracts(truth.traded);
        let status = match truth.place {
            Place::Live => VenueOrderStatus::Resting,
            Place::Ended if all => VenueOrderStatus::Executed,
            Place::OnTheWay | Place::Ended | Place::NeverArrived => VenueOrderStatus::Canceled,
        };
        reported(&truth.sent, status, truth.traded)
    }

    fn is_known(truth: &Truth) -> bool {
        matches!(truth.place, Place::Live | Place::Ended)
    }

    fn fills(&self) -> impl Iterator<Item = &VenueFill> {
        self.undelivered.iter().chain(&self.delivered)
    }

    fn position(&self) -> Quantity {
        self.fills()
            .map(|fill| if fill.side == Side::Bid { fill.quantity } else { -fill.quantity })
            .sum()
    }

    fn snapshot(&self) -> AccountSnapshot {
        let resting = self.orders.iter().filter(|truth| truth.place == Place::Live);
        AccountSnapshot {
            requested_at: self.floor.now,
            resting: resting.map(Self::report_of).collect(),
            fills: self
                .fills()
                .map(|fill| VenueFill { client_order_id: None, ..fill.clone() })
                .collect(),
            positions: vec![VenuePosition { ticker: Arc::from(TICKER), quantity: self.position() }],
            settlements: Vec::new(),
            balances: on_shard(Dollars::from_dollars(1_000_000)),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Place { agent, is_bid, price, quantity } => {
                let side = if is_bid { Side::Bid } else { Side::Ask };
                let order = order(self.next_order, side, price, quantity);
                self.next_order += 1;
                self.apply(Input::Market(view(self.floor.now)));
                let actions = vec![Action::Place(order)];
                self.apply(Input::Actions { agent: name(agent), actions });
            }
            Step::Arrive(order) => {
                if let Some(index) = self.pick(order)
                    && self.orders[index].place == Place::OnTheWay
                {
                    self.orders[index].place = Place::Live;
                }
            }
            Step::Answer(order) => self.answer(order),
            Step::LoseAnswer { order, arrives } => self.lose_answer(order, arrives),
            Step::Trade { order, quantity } => self.trade(order, quantity),
            Step::DeliverFill(fill) => {
                if !self.undelivered.is_empty() {
                    let index = usize::from(fill) % self.undelivered.len();
                    let fill = self.undelivered.remove(index);
                    self.delivered.push(fill.clone());
                    self.apply(Input::Fill(fill));
                }
            }
            Step::RepeatFill(fill) => {
                if !self.delivered.is_empty() {
                    let index = usize::from(fill) % self.delivered.len();
                    self.apply(Input::Fill(self.delivered[index].clone()));
                }
            }
            Step::Report(order) => {
                if let Some(index) = self.pick(order)
                    && Self::is_known(&self.orders[index])
                {
                    self.apply(Input::Order(Self::report_of(&self.orders[index])));
                }
            }
            Step::CancelAll { agent } => {
                let actions = vec![Action::CancelAll(None)];
                self.apply(Input::Actions { agent: name(agent), actions });
            }
            Step::ExchangeCancels(order) => {
                if let Some(index) = self.pick(order)
                    && self.orders[index].place == Place::Live
                {
                    self.orders[index].place = Place::Ended;
                }
            }
            Step::AnswerRequests { fail } => self.answer_requests(fail),
            Step::Pass(millis) => self.pass(u64::from(millis)),
            Step::Snapshot => {
                let snapshot = self.snapshot();
                self.apply(Input::Account(Ok(snapshot)));
            }
        }
    }

    fn answer(&mut self, order: u8) {
        let Some(index) = self.pick(order) else { return };
        let truth = self.orders[index].clone();
        if !truth.unanswered || !Self::is_known(&truth) {
            return;
        }
        self.orders[index].unanswered = false;
        let report = Self::report_of(&truth);
        let outcome = PlaceOutcome::Accepted {
            venue_order_id: report.venue_order_id,
            filled: report.filled,
            remaining: report.remaining,
        };
        self.apply(Input::Placed { order: truth.sent.key, outcome });
    }

    /// The answer is lost; a request that was still on the way arrives now or never.
    fn lose_answer(&mut self, order: u8, arrives: bool) {
        let Some(index) = self.pick(order) else { return };
        let truth = &mut self.orders[index];
        if !truth.unanswered {
            return;
        }
        truth.unanswered = false;
        if truth.place == Place::OnTheWay {
            truth.place = if arrives { Place::Live } else { Place::NeverArrived };
        }
        let order = truth.sent.key;
        let outcome = PlaceOutcome::Unknown { reason: "timeout".to_owned() };
        self.apply(Input::Placed { order, outcome });
    }

    fn trade(&mut self, order: u8, quantity: i64) {
        let Some(index) = self.pick(order) else { return };
        let id = format!("f{}", self.undelivered.len() + self.delivered.len());
        let truth = &mut self.orders[index];
        let left = truth.sent.request.quantity.raw() / 100 - truth.traded;
        let quantity = quantity.min(left);
        if truth.place != Place::Live || quantity == 0 {
            return;
        }
        truth.traded += quantity;
        if quantity == left {
            truth.place = Place::Ended;
        }
        self.undelivered.push(filled(&truth.sent, &id, quantity, self.floor.now));
    }

    fn answer_requests(&mut self, fail: bool) {
        for request in std::mem::take(&mut self.requests) {
            match request {
                Request::Cancel { order, .. } => {
                    let Some(index) = self.orders.iter().position(|it| it.sent.key == order) else {
                        continue;
                    };
                    let truth = &mut self.orders[index];
                    let outcome = if fail {
                        CancelOutcome::Unknown { reason: "503".to_owned() }
                    } else if truth.place == Place::Live {
                        truth.place = Place::Ended;
                        let left = truth.sent.request.quantity - contracts(truth.traded);
                        CancelOutcome::Canceled { reduced_by: left }
                    } else {
                        CancelOutcome::NotFound
                    };
                    self.apply(Input::Canceled { order, outcome });
                }
                Request::Find { order, .. } => {
                    let found = self
                        .truth_of(order)
                        .filter(|truth| Self::is_known(truth))
                        .map(Self::report_of);
                    let result = if fail {
                        Err(ReadError { call: "GET", reason: "503".to_owned() })
                    } else {
                        Ok(found)
                    };
                    let asked_at = self.floor.now;
                    self.apply(Input::Found { order, asked_at, result });
                }
                Request::ReadAccount { .. } => {
                    let result = if fail {
                        Err(ReadError { call: "GET", reason: "503".to_owned() })
                    } else {
                        Ok(self.snapshot())
                    };
                    self.apply(Input::Account(result));
                }
                Request::Group { agent, exchange_index, limit } => {
                    let id = format!("group of {agent}").into();
                    let result =
                        if fail { Err("503".to_owned()) } else { Ok(OrderGroup { id, limit }) };
                    self.apply(Input::Grouped { agent, exchange_index, result });
                }
                Request::Place { .. } | Request::Recall { .. } => {}
            }
        }
    }

    /// The most that the account can truly lose since the beginning, fees apart: executed trades,
    /// live orders, and requests that may still arrive. Less than zero: a certain profit.
    fn true_worst_case(&self) -> Dollars {
        let mut cost = 0;
        let mut position = 0;
        for fill in self.fills() {
            let signed =
                if fill.side == Side::Bid { fill.quantity.raw() } else { -fill.quantity.raw() };
            cost += signed * i64::from(fill.price.raw());
            position += signed;
        }
        let (mut buys, mut sells) = (0, 0);
        let may_trade = |truth: &&Truth| matches!(truth.place, Place::OnTheWay | Place::Live);
        for truth in self.orders.iter().filter(may_trade) {
            let request = &truth.sent.request;
            let left = request.quantity.raw() - truth.traded * 100;
            match request.side {
                Side::Bid => buys += left * i64::from(request.price.raw()),
                Side::Ask => sells += left * i64::from(10_000 - request.price.raw()),
            }
        }
        Dollars::from_raw((cost + buys).max(cost - position * 10_000 + sells))
    }

    /// Brings everything to its end: all answers given, all fills delivered, all found.
    fn settle_down(&mut self) {
        self.answer_all();
        while !self.undelivered.is_empty() {
            self.step(Step::DeliverFill(0));
        }
        for _ in 0..80 {
            self.pass(1_000);
            self.answer_requests(false);
            self.answer_all();
        }
    }

    fn answer_all(&mut self) {
        for index in 0..self.orders.len() {
            let number = u8::try_from(index).unwrap();
            self.step(Step::Arrive(number));
            self.step(Step::Answer(number));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn exposure_is_never_under_counted_and_all_is_found_in_the_end(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new();
        for step in steps {
            let told = format!("{step:?}");
            world.step(step);
            // What can be lost from here, and what is lost already.
            let realized = world.floor.desk.report().realized;
            let counted = world.floor.desk.ledger.exposure() - realized;
            let truly = world.true_worst_case();
            prop_assert!(counted >= truly, "after {told}: counted {counted}, truly {truly}");
        }
        world.settle_down();
        let report = world.floor.desk.report();
        let held: Quantity = report.positions.iter().map(|line| line.quantity).sum();
        prop_assert_eq!(held, world.position());
        prop_assert_eq!(report.fills, world.delivered.len() as u64);
        prop_assert_eq!(report.unknown, 0);
        prop_assert_eq!(report.not_ready, None);
        let live = world.orders.iter().filter(|truth| truth.place == Place::Live).count();
        prop_assert_eq!(report.working.len(), live);
        let external = report.positions.iter().any(|line| line.agent.is_none());
        prop_assert!(!external, "a fill was booked on nobody");
    }

    #[test]
    fn the_same_inputs_give_the_same_outputs(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let settings = Settings { limits: unlimited(), ..Settings::default() };
        let mut again = Floor::cold(settings, Recovered { runs: 1, ..Recovered::default() });
        let mut records = std::mem::take(&mut again.out.records);
        for (now, input) in world.inputs.drain(..) {
            again.now = now;
            again.apply(input);
            records.append(&mut again.out.records);
        }
        prop_assert_eq!(records, world.records);
        prop_assert_eq!(again.desk.report(), world.floor.desk.report());
    }

    #[test]
    fn the_sums_are_what_adding_up_gives(steps in prop::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            let desk = &world.floor.desk;
            let sum: Dollars = desk.ledger.stakes()
                .map(|(_, _, stake)| {
                    super::super::exposure::worst_case(&stake.holding, &stake.working)
                })
                .sum();
            prop_assert_eq!(desk.ledger.exposure(), sum);
            let mut working = super::super::exposure::Working::default();
            for (_, order) in desk.orders.open() {
                working.add(&order.committed);
            }
            prop_assert_eq!(desk.ledger.open_orders(), working.orders);
            prop_assert_eq!(desk.ledger.cash() - desk.ledger.shard(SHARD).free(), working.reserved());
        }
    }
}
