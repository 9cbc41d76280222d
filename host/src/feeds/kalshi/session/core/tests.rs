use std::sync::Mutex;

use hotpit_rt::Clock;
use tokio::sync::mpsc;

use super::*;
use crate::bus::Message;
use crate::feeds::kalshi::session::reports::{CatalogLink, DeskLink};
use crate::streams::Streams;

mod fresh;
mod random;
mod subaccount;

/// Keeps what is published, in short words.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<String>>>);

impl Publish for Tape {
    fn publish(&self, message: Message, _: Timestamp) {
        let word = match message {
            Message::Snapshot(book) => format!("snapshot {}", book.ticker),
            Message::Delta(delta) => format!("delta {} {}", delta.ticker, delta.delta),
            Message::Stale(stale) => format!("stale {}", stale.tickers.join("+")),
            Message::Trade(trade) => format!("trade {}", trade.trade_id),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(word);
    }
}

/// A session without a socket, and a pen for the exchange's frames.
struct Bench {
    core: Core<Tape>,
    tape: Tape,
    inbox: mpsc::Receiver<ToDesk>,
    steps: mpsc::Receiver<Step>,
    now: Timestamp,
    seq: u64,
}

impl Bench {
    fn new() -> Self {
        let (desk, inbox) = mpsc::channel(64);
        let (catalog, steps) = mpsc::channel(64);
        let stats: Arc<FeedStats> = Arc::default();
        let tape = Tape::default();
        let entropy = Entropy::seeded(1);
        let streams = Streams::new(Clock::system(), entropy);
        let mut core = Core::new(Parts {
            settings: Settings::default(),
            channels: &Channel::ALL,
            subaccount: 0,
            publish: tape.clone(),
            desk: DeskLink::new(desk, Arc::clone(&stats)),
            catalog: CatalogLink::new(catalog, Arc::clone(&stats)),
            stats,
            stream: streams.open("kalshi", Settings::default().policy()),
            seen: Arc::default(),
            entropy,
        });
        let now = Timestamp::from_secs(1_000);
        core.opened(None, now, now);
        core.stream.heard(now);
        Self { core, tape, inbox, steps, now, seq: 0 }
    }

    /// A connection on which these books are subscribed and synced, on sid 1.
    fn following(names: &[&str]) -> Self {
        let mut bench = Self::new();
        bench.want(names);
        bench.open();
        for name in names {
            bench.snapshot(name);
        }
        bench.heard();
        bench
    }

    fn want(&mut self, names: &[&str]) {
        let wanted = names.iter().map(|name| Arc::from(*name)).collect();
        self.core.want(Arc::new(wanted), self.now);
    }

    /// Connects and answers every subscribe: books get sid 1, trades 2, and so on.
    fn open(&mut self) {
        self.seq = 0;
        self.core.opened(None, self.now, self.now);
        let wanted = Arc::clone(&self.core.wanted);
        self.core.want(wanted, self.now);
        for command in self.commands() {
            let id = &command["id"];
            let channel = command["params"]["channels"][0].as_str().unwrap();
            let sid = Channel::named(channel).unwrap() as u64 + 1;
            self.frame(&format!(
                r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"{channel}","sid":{sid}}}}}"#
            ));
        }
    }

    fn commands(&mut self) -> Vec<serde_json::Value> {
        let commands = self.core.take_commands();
        commands.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn frame(&mut self, text: &str) {
        self.core.frame(text, self.now).unwrap();
    }

    fn snapshot(&mut self, name: &str) {
        self.seq += 1;
        let seq = self.seq;
        self.frame(&format!(
            r#"{{"type":"orderbook_snapshot","sid":1,"seq":{seq},"msg":{{"market_ticker":"{name}"}}}}"#
        ));
    }

    fn delta(&mut self, name: &str) {
        self.seq += 1;
        let seq = self.seq;
        self.frame(&format!(
            r#"{{"type":"orderbook_delta","sid":1,"seq":{seq},"msg":{{"market_ticker":"{name}","price_dollars":"0.4","delta_fp":"1.00","side":"yes","ts_ms":999000}}}}"#
        ));
    }

    fn trade(&mut self, seq: u64, id: &str) {
        self.frame(&format!(
            r#"{{"type":"trade","sid":2,"seq":{seq},"msg":{{"trade_id":"{id}","market_ticker":"A","yes_price_dollars":"0.36","count_fp":"1","taker_book_side":"ask","ts_ms":999000}}}}"#
        ));
    }

    fn pass(&mut self, secs: u64) -> Result<(), Restart> {
        self.now = self.now + Duration::from_secs(secs);
        self.core.tick(self.now)
    }

    fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.tape.0.lock().unwrap())
    }

    fn told(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.inbox.try_recv().ok())
            .map(|message| match message {
                ToDesk::Connected => "connected",
                ToDesk::Disconnected { .. } => "disconnected",
                ToDesk::Fill(_) => "fill",
                ToDesk::Order(_) => "order",
                ToDesk::GroupStopped { .. } => "group",
                _ => "other",
            })
            .collect()
    }
}

#[test]
fn what_is_wanted_is_subscribed_with_the_price_scale_said() {
    let mut bench = Bench::new();
    bench.want(&["A", "B"]);
    let commands = bench.commands();
    assert_eq!(commands.len(), 8);
    let books = &commands[0]["params"];
    assert_eq!(books["channels"][0], "orderbook_delta");
    assert_eq!(books["market_tickers"], serde_json::json!(["A", "B"]));
    assert_eq!(books["use_yes_price"], true);
    assert_eq!(commands[1]["params"]["channels"][0], "trade");
    assert!(commands[1]["params"].get("use_yes_price").is_none());
    let ids: Vec<_> = commands.iter().map(|command| command["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn nothing_of_a_book_is_published_before_its_snapshot() {
    let mut bench = Bench::new();
    bench.want(&["A", "B"]);
    bench.open();
    bench.delta("A");
    bench.snapshot("A");
    bench.delta("A");
    bench.delta("B");
    bench.delta("C");
    assert_eq!(bench.heard(), ["snapshot A", "delta A 1.00"]);
    let report = bench.core.stats.report();
    assert_eq!((report.deltas_held_back, report.unwanted), (2, 1));
}

#[test]
fn a_gap_marks_every_book_of_the_sid_stale_and_asks_for_them_once() {
    let mut bench = Bench::following(&["A", "B"]);
    bench.commands();
    bench.seq += 1;
    bench.delta("A");
    assert_eq!(bench.heard(), ["stale A+B"]);
    let commands = bench.commands();
    assert_eq!(commands.len(), 1);
    assert_eq!(
        commands[0]["params"],
        serde_json::json!({"sids":[1],"market_tickers":["A","B"],"action":"get_snapshot"})
    );
    bench.delta("A");
    bench.snapshot("B");
    bench.delta("B");
    bench.delta("A");
    bench.snapshot("A");
    bench.delta("A");
    assert_eq!(bench.heard(), ["snapshot B", "delta B 1.00", "snapshot A", "delta A 1.00"]);
    bench.pass(1).unwrap();
    assert_eq!(bench.commands().len(), 0);
}

#[test]
fn every_sequenced_frame_counts_whatever_its_type() {
    let mut bench = Bench::following(&["A"]);
    bench.frame(r#"{"id":99,"type":"ok","sid":1,"seq":2,"msg":{"market_tickers":["A"]}}"#);
    bench.frame(r#"{"type":"brand_new","sid":1,"seq":3,"msg":{}}"#);
    bench.frame(r#"{"type":"error","sid":1,"seq":4,"msg":{"code":27,"msg":"slow down"}}"#);
    bench.seq = 4;
    bench.delta("A");
    assert_eq!(bench.heard(), ["delta A 1.00"]);
    assert_eq!(bench.core.stream.report().gaps, 0);
}

#[test]
fn a_frame_that_comes_twice_is_applied_once() {
    let mut bench = Bench::following(&["A"]);
    bench.delta("A");
    bench.seq -= 1;
    bench.delta("A");
    assert_eq!(bench.heard(), ["delta A 1.00"]);
    assert_eq!(bench.core.stats.duplicates.get(), 1);
}

#[test]
fn a_frame_that_cannot_be_read_is_a_loss() {
    let mut bench = Bench::following(&["A"]);
    bench.frame("garbage");
    assert_eq!(bench.heard(), Vec::<String>::new());
    bench.frame(r#"{"type":"orderbook_delta","sid":1,"seq":2,"msg":{"market_ticker":"A"}}"#);
    assert_eq!(bench.heard(), ["stale A"]);
    bench.seq = 2;
    bench.delta("A");
    assert_eq!(bench.core.stream.report().gaps, 0);
    assert_eq!(bench.core.stats.malformed.get(), 2);
    bench.told();
    bench.frame(r#"{"type":"fill","sid":4,"msg":{"trade_id":"t"}}"#);
    assert_eq!(bench.told(), ["disconnected", "connected"]);
}

#[test]
fn books_that_do_not_come_back_end_the_connection() {
    let mut bench = Bench::following(&["A"]);
    bench.seq += 1;
    bench.delta("A");
    bench.pass(5).unwrap();
    assert!(bench.pass(1).is_err());
}

#[test]
fn a_command_without_an_answer_ends_the_connection() {
    let mut bench = Bench::new();
    bench.want(&["A"]);
    bench.pass(5).unwrap();
    assert!(bench.pass(1).is_err());
}

#[test]
fn a_dead_subscription_is_made_again() {
    for code in [7, 10, 25] {
        let mut bench = Bench::following(&["A"]);
        bench.commands();
        bench.frame(&format!(
            r#"{{"type":"error","sid":1,"seq":2,"msg":{{"code":{code},"msg":"overflow"}}}}"#
        ));
        assert_eq!(bench.heard(), ["stale A"], "{code}");
        let commands = bench.commands();
        assert_eq!(commands[0]["cmd"], "subscribe", "{code}");
        let id = &commands[0]["id"];
        bench.frame(&format!(
            r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"orderbook_delta","sid":1}}}}"#
        ));
        bench.seq = 0;
        bench.snapshot("A");
        assert_eq!(bench.heard(), ["snapshot A"], "{code}");
        assert_eq!(bench.core.stream.report().gaps, 0);
        bench.frame(r#"{"type":"error","sid":1,"seq":2,"msg":{"code":10,"msg":"again"}}"#);
        assert_eq!(bench.commands().len(), 0, "not at once, when it ends again");
    }
}

#[test]
fn markets_come_and_go_while_the_connection_lasts() {
    let mut bench = Bench::following(&["A", "B"]);
    bench.commands();
    bench.want(&["B", "C"]);
    assert_eq!(bench.heard(), ["stale A"], "at once: another connection may follow it by now");
    let commands = bench.commands();
    assert_eq!(commands[0]["params"]["action"], "add_markets");
    bench.snapshot("C");
    bench.seq += 1;
    let (id, seq) = (&commands[0]["id"], bench.seq);
    bench.frame(&format!(
        r#"{{"id":{id},"type":"ok","sid":1,"seq":{seq},"msg":{{"market_tickers":["A","B","C"]}}}}"#
    ));
    let commands = bench.commands();
    assert_eq!(commands[0]["params"]["action"], "delete_markets");
    assert_eq!(commands[0]["params"]["market_tickers"], serde_json::json!(["A"]));
    bench.delta("A");
    bench.delta("C");
    assert_eq!(bench.heard(), ["snapshot C", "delta C 1.00"]);
}

#[test]
fn a_lost_connection_makes_every_book_stale_and_the_next_one_starts_afresh() {
    let mut bench = Bench::following(&["A", "B"]);
    assert_eq!(bench.told(), ["connected"]);
    bench.core.closed("reset", bench.now);
    assert_eq!(bench.heard(), ["stale A+B"]);
    assert_eq!(bench.told(), ["disconnected"]);
    assert!(bench.commands().is_empty());
    bench.open();
    bench.snapshot("A");
    assert_eq!(bench.heard(), ["snapshot A"]);
    assert_eq!(bench.told(), ["connected"]);
    assert_eq!(bench.core.stream.report().gaps, 0);
}

#[test]
fn the_desk_is_connected_once_both_private_channels_are() {
    let mut bench = Bench::new();
    bench.frame(r#"{"id":4,"type":"subscribed","msg":{"channel":"fill","sid":4}}"#);
    assert!(bench.told().is_empty());
    bench.frame(r#"{"id":5,"type":"subscribed","msg":{"channel":"user_orders","sid":5}}"#);
    assert_eq!(bench.told(), ["connected"]);
    bench.frame(r#"{"type":"unsubscribed","sid":5}"#);
    assert_eq!(bench.told(), ["disconnected"]);
}

fn read(id: &str, secs: u64) -> model::Trade {
    model::Trade {
        trade_id: id.into(),
        ticker: "A".into(),
        price: hotpit_units::Price::from_cents(36),
        quantity: hotpit_units::Quantity::from_contracts(1),
        taker: hotpit_units::Side::Ask,
        ts: Timestamp::from_secs(secs),
    }
}

#[test]
fn missed_trades_are_published_once_each() {
    let mut bench = Bench::following(&["A"]);
    bench.trade(1, "t1");
    bench.core.closed("reset", bench.now);
    bench.open();
    assert_eq!(bench.core.trade_query(bench.now), None, "reads lag");
    bench.pass(2).unwrap();
    let query = bench.core.trade_query(bench.now).unwrap();
    assert_eq!(query.since, Timestamp::from_secs(997));
    bench.trade(1, "t3");
    let mut stranger = read("t9", 999);
    stranger.ticker = "Z".into();
    let trades =
        vec![read("t0", 996), read("t1", 999), read("t2", 1_000), read("t3", 1_001), stranger];
    bench.core.trades_read(&query, trades, bench.now);
    bench.trade(2, "t2");
    assert_eq!(bench.heard(), ["trade t1", "stale A", "trade t3", "trade t2"]);
    let report = bench.core.stats.report();
    assert_eq!((report.trades_recovered, report.trades_repeated), (1, 1));
    bench.pass(60).unwrap();
    assert_eq!(bench.core.trade_query(bench.now), None);
}

#[test]
fn a_gap_is_read_from_the_last_trade_on_however_late_it_shows() {
    let mut bench = Bench::following(&["A"]);
    bench.trade(1, "t1");
    bench.pass(100).unwrap();
    let sent = bench.now.as_millis();
    bench.frame(&format!(
        r#"{{"type":"orderbook_snapshot","sending_ts_ms":{sent},"sid":1,"seq":2,"msg":{{"market_ticker":"A"}}}}"#
    ));
    bench.trade(3, "t3");
    bench.pass(2).unwrap();
    let query = bench.core.trade_query(bench.now).unwrap();
    assert_eq!(query.since, Timestamp::from_secs(997), "the trade before the gap was at 999");
}

#[test]
fn a_book_that_was_not_let_in_is_not_trusted_though_its_snapshot_came() {
    let mut bench = Bench::following(&["A"]);
    bench.commands();
    bench.want(&["A", "B"]);
    let id = bench.commands()[0]["id"].clone();
    bench.snapshot("B");
    bench.frame(&format!(r#"{{"id":{id},"type":"error","msg":{{"code":18,"msg":"timeout"}}}}"#));
    bench.pass(2).unwrap();
    assert_eq!(bench.commands()[0]["params"]["action"], "add_markets");
    bench.delta("B");
    assert_eq!(bench.heard(), ["snapshot B", "stale B"]);
}

#[test]
fn the_end_of_a_subscription_takes_every_book_with_it() {
    let mut bench = Bench::following(&["A"]);
    bench.commands();
    bench.want(&["A", "B"]);
    bench.snapshot("B");
    let seq = bench.seq + 1;
    bench.frame(&format!(r#"{{"type":"error","sid":1,"seq":{seq},"msg":{{"code":25}}}}"#));
    assert_eq!(bench.heard(), ["snapshot B", "stale A+B"], "B was not answered for yet");
}

#[test]
fn a_gap_in_the_trades_is_read_over_rest_and_leaves_the_books_alone() {
    let mut bench = Bench::following(&["A"]);
    bench.trade(1, "t1");
    bench.trade(3, "t3");
    assert_eq!(bench.heard(), ["trade t1", "trade t3"]);
    bench.pass(2).unwrap();
    assert!(bench.core.trade_query(bench.now).is_some());
}

#[test]
fn steps_of_markets_go_to_the_catalog_and_their_loss_too() {
    let mut bench = Bench::following(&[]);
    assert!(matches!(bench.steps.try_recv(), Ok(Step::Missed)), "what was before is not known");
    let step = r#"{"type":"market_lifecycle_v2","sid":3,"seq":1,"msg":{"market_ticker":"A","event_type":"deactivated","is_deactivated":true}}"#;
    bench.frame(step);
    assert!(matches!(bench.steps.try_recv(), Ok(Step::Market(_))));
    bench.frame(&step.replace("\"seq\":1", "\"seq\":3"));
    assert!(matches!(bench.steps.try_recv(), Ok(Step::Missed)));
    assert!(matches!(bench.steps.try_recv(), Ok(Step::Market(_))));
}

#[test]
fn reports_on_our_orders_go_to_the_desk_alone() {
    let mut bench = Bench::following(&["A"]);
    bench.told();
    for line in include_str!("../../fixtures/frames.jsonl").lines() {
        if line.contains("\"type\":\"fill\"") || line.contains("\"type\":\"user_order\"") {
            // Some are of another subaccount, and those are not ours.
            let ours = line.replace("\"subaccount\":3", "\"subaccount\":0");
            bench.frame(&ours.replace("\"subaccount_number\":3", "\"subaccount_number\":0"));
        }
    }
    assert_eq!(bench.told(), ["fill", "order", "order"]);
    assert!(bench.heard().is_empty());
}

#[test]
fn a_refused_handshake_of_a_channel_is_not_hammered() {
    let mut bench = Bench::new();
    bench.want(&[]);
    let commands = bench.commands();
    assert_eq!(commands.len(), 5, "no markets, no market channels");
    for command in commands {
        let id = &command["id"];
        bench.frame(&format!(
            r#"{{"id":{id},"type":"error","msg":{{"code":8,"msg":"Unknown channel"}}}}"#
        ));
    }
    for _ in 0..59 {
        bench.pass(1).unwrap();
        assert!(bench.commands().is_empty());
        bench.core.stream.heard(bench.now);
    }
    bench.pass(1).unwrap();
    assert_eq!(bench.commands().len(), 5);
}

#[test]
fn an_error_nobody_can_place_ends_the_connection_only_where_it_must() {
    let mut bench = Bench::following(&["A"]);
    let mut verdict = |code: u32| {
        let text = format!(r#"{{"type":"error","msg":{{"code":{code}}}}}"#);
        bench.core.frame(&text, bench.now).is_err()
    };
    assert_eq!([5, 11, 27, 9, 10, 25].map(&mut verdict), [false, false, false, true, true, true]);
}
