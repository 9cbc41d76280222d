//! [`Exchange`]: the exchange's side of a connection, its books in the open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hotpit_rt::Rng;
use hotpit_units::{Price, Quantity, Side};
use rand::RngExt;
use serde_json::Value;

use super::MARKETS;
use crate::feeds::kalshi::wire::Channel;

/// A frame on its way; whether it has a number on the books' subscription.
pub(super) struct OnItsWay {
    pub(super) text: String,
    pub(super) is_numbered: bool,
}

/// The exchange's side.
pub(super) struct Exchange {
    pub(super) names: Vec<Arc<str>>,
    /// By market: quantities by side and price.
    pub(super) books: Vec<BTreeMap<(Side, u32), i64>>,
    pub(super) held: BTreeSet<usize>,
    pub(super) is_subscribed: bool,
    seq: u64,
    pub(super) wire: VecDeque<OnItsWay>,
}

impl Exchange {
    pub(super) fn open() -> Self {
        Self {
            names: (0..MARKETS).map(|number| Arc::from(format!("KX-{number}"))).collect(),
            books: vec![BTreeMap::new(); MARKETS],
            held: BTreeSet::new(),
            is_subscribed: false,
            seq: 0,
            wire: VecDeque::new(),
        }
    }

    /// The connection is gone, with all that is on its way.
    pub(super) fn cut(&mut self) {
        (self.is_subscribed, self.seq) = (false, 0);
        self.held.clear();
        self.wire.clear();
    }

    pub(super) fn push(&mut self, text: String) {
        self.wire.push_back(OnItsWay { text, is_numbered: false });
    }

    /// Sends with the next number of the books' subscription.
    pub(super) fn push_numbered(&mut self, kind: &str, id: Option<u64>, msg: &str) {
        self.seq += 1;
        let seq = self.seq;
        let id = id.map_or_else(String::new, |id| format!(r#""id":{id},"#));
        let text = format!(r#"{{{id}"type":"{kind}","sid":1,"seq":{seq},"msg":{msg}}}"#);
        self.wire.push_back(OnItsWay { text, is_numbered: true });
    }

    pub(super) fn push_snapshot(&mut self, market: usize, id: Option<u64>) {
        let side = |side: Side| {
            let levels = self.books[market].iter().filter(|((at, _), _)| *at == side);
            let levels: Vec<String> = levels
                .map(|((_, price), quantity)| {
                    let (price, quantity) =
                        (Price::from_raw(*price), Quantity::from_raw(*quantity));
                    format!(r#"["{price}","{quantity}"]"#)
                })
                .collect();
            levels.join(",")
        };
        let msg = format!(
            r#"{{"market_ticker":"{}","yes_dollars_fp":[{}],"no_dollars_fp":[{}]}}"#,
            self.names[market],
            side(Side::Bid),
            side(Side::Ask)
        );
        self.push_numbered("orderbook_snapshot", id, &msg);
    }

    /// Changes a level of a book, never so that it is crossed.
    pub(super) fn trade_on(&mut self, rng: &mut Rng) {
        let market = rng.random_range(0..MARKETS);
        let (side, price) = if rng.random_bool(0.5) {
            (Side::Bid, rng.random_range(1..50_u32) * 100)
        } else {
            (Side::Ask, rng.random_range(50..100_u32) * 100)
        };
        let level = self.books[market].entry((side, price)).or_insert(0);
        let delta = if *level > 0 && rng.random_bool(0.5) {
            -rng.random_range(1..=*level)
        } else {
            rng.random_range(1..5_000)
        };
        *level += delta;
        if *level == 0 {
            self.books[market].remove(&(side, price));
        }
        if self.held.contains(&market) {
            let leg = if side == Side::Bid { "yes" } else { "no" };
            let msg = format!(
                r#"{{"market_ticker":"{}","price_dollars":"{}","delta_fp":"{}","side":"{leg}"}}"#,
                self.names[market],
                Price::from_raw(price),
                Quantity::from_raw(delta)
            );
            self.push_numbered("orderbook_delta", None, &msg);
        }
    }

    pub(super) fn answer(&mut self, command: &Value) {
        let id = command["id"].as_u64().unwrap();
        let params = &command["params"];
        let named: Vec<usize> = params["market_tickers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| {
                self.names.iter().position(|known| **known == *name.as_str().unwrap()).unwrap()
            })
            .collect();
        match command["cmd"].as_str().unwrap() {
            "subscribe" => {
                let name = params["channels"][0].as_str().unwrap();
                let channel = Channel::named(name).unwrap();
                let sid = channel as u64 + 1;
                self.push(format!(
                    r#"{{"id":{id},"type":"subscribed","msg":{{"channel":"{name}","sid":{sid}}}}}"#
                ));
                if channel == Channel::Books {
                    self.is_subscribed = true;
                    self.seq = 0;
                    self.hold(&named);
                }
            }
            "update_subscription" | "unsubscribe"
                if params["sids"][0] == 1 && !self.is_subscribed =>
            {
                self.push(format!(r#"{{"id":{id},"type":"error","msg":{{"code":7}}}}"#));
            }
            "update_subscription" if params["sids"][0] == 1 => {
                match params["action"].as_str().unwrap() {
                    "get_snapshot" => {
                        for market in named {
                            self.push_snapshot(market, Some(id));
                        }
                        return;
                    }
                    "add_markets" => self.hold(&named),
                    _ => self.held.retain(|market| !named.contains(market)),
                }
                let held: Vec<&str> =
                    self.held.iter().map(|market| &*self.names[*market]).collect();
                let msg = format!(r#"{{"market_tickers":{}}}"#, serde_json::json!(held));
                self.push_numbered("ok", Some(id), &msg);
            }
            "unsubscribe" if params["sids"][0] == 1 => {
                self.push_numbered("unsubscribed", Some(id), "{}");
                self.is_subscribed = false;
                self.held.clear();
            }
            "unsubscribe" => self.push(format!(r#"{{"id":{id},"type":"unsubscribed"}}"#)),
            _ => self.push(format!(r#"{{"id":{id},"type":"ok"}}"#)),
        }
    }

    pub(super) fn hold(&mut self, markets: &[usize]) {
        for market in markets {
            self.held.insert(*market);
            self.push_snapshot(*market, None);
        }
    }
}
