//! What a WebSocket client asks for: `subscribe`, `update_subscription`, `unsubscribe`,
//! `list_subscriptions`, and what is answered (Kalshi, WebSocket, commands and replies).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::channels::{Channel, Code};
use super::frames;
use super::sessions::{Draft, Exit, Filter, Session};
use crate::core::{Exchange, MarketKey};

/// Carries out one command of a client.
pub(super) fn execute(
    session: &mut Session,
    text: &str,
    exchange: &Exchange,
    market_limit: usize,
    exit: &mut Exit<'_>,
) {
    let Ok(Value::Object(command)) = serde_json::from_str::<Value>(text) else {
        session.refuse(None, Code::Unprocessable, None, exit);
        return;
    };
    // 0 means: no id.
    let id = command.get("id").and_then(Value::as_u64).filter(|id| *id != 0);
    let mut request = Request { session, exchange, market_limit, id, exit };
    let params = command.get("params").and_then(Value::as_object);
    let outcome = match (command.get("cmd").and_then(Value::as_str), params) {
        (Some("list_subscriptions"), _) => request.list(),
        (Some("subscribe" | "unsubscribe" | "update_subscription"), None) => {
            Err(Code::ParamsRequired)
        }
        (Some("subscribe"), Some(params)) => request.subscribe(params),
        (Some("unsubscribe"), Some(params)) => request.unsubscribe(params),
        (Some("update_subscription"), Some(params)) => request.update(params),
        (Some(_), _) => Err(Code::UnknownCommand),
        (None, _) => Err(Code::Unprocessable),
    };
    if let Err(code) = outcome {
        request.session.refuse(id, code, None, request.exit);
    }
}

/// One command while it is carried out.
struct Request<'a, 'e> {
    session: &'a mut Session,
    exchange: &'a Exchange,
    market_limit: usize,
    id: Option<u64>,
    exit: &'a mut Exit<'e>,
}

impl Request<'_, '_> {
    fn list(&mut self) -> Result<(), Code> {
        let mut listed: Vec<_> = self
            .session
            .subscriptions
            .iter()
            .map(|(channel, subscription)| (subscription.sid, channel.name()))
            .collect();
        listed.sort_unstable();
        let body = listed
            .into_iter()
            .map(|(sid, channel)| json!({ "channel": channel, "sid": sid }))
            .collect();
        self.session.reply("ok", self.id, None, Some(&body), self.exit);
        Ok(())
    }

    fn subscribe(&mut self, params: &Map<String, Value>) -> Result<(), Code> {
        let names = params.get("channels").and_then(Value::as_array);
        let names = names.filter(|names| !names.is_empty()).ok_or(Code::ChannelsRequired)?;
        let channels = names
            .iter()
            .map(|name| name.as_str().and_then(Channel::parse).ok_or(Code::UnknownChannel))
            .collect::<Result<BTreeSet<_>, _>>()?;
        let by_id = params.contains_key("market_id") || params.contains_key("market_ids");
        if by_id && channels.iter().any(|channel| *channel != Channel::Ticker) {
            return Err(Code::InvalidParameter);
        }
        let markets = self.markets(params)?;
        if channels.contains(&Channel::OrderbookDelta) && markets.is_none() {
            return Err(Code::MarketTickerRequired);
        }
        for channel in channels {
            self.subscribe_channel(channel, markets.as_ref(), params)?;
        }
        Ok(())
    }

    fn subscribe_channel(
        &mut self,
        channel: Channel,
        markets: Option<&BTreeSet<MarketKey>>,
        params: &Map<String, Value>,
    ) -> Result<(), Code> {
        let flag = |name| params.get(name).and_then(Value::as_bool).unwrap_or(false);
        let filter = match markets {
            Some(markets) if channel.has_market_filter() => Filter::Only(markets.clone()),
            Some(_) | None => Filter::All,
        };
        if self.session.subscriptions.contains_key(&channel) {
            return self.merge(channel, filter, flag("send_initial_snapshot"));
        }
        if markets.is_some_and(|markets| markets.len() > self.market_limit) {
            return Err(Code::MarketLimit);
        }
        let skip_ack = flag("skip_ticker_ack");
        let sid = self.session.open(channel, filter.clone(), flag("use_yes_price"), skip_ack);
        let body = json!({ "channel": channel.name(), "sid": sid });
        self.session.reply("subscribed", self.id, None, Some(&body), self.exit);
        self.greet(channel, &filter, flag("send_initial_snapshot"));
        Ok(())
    }

    /// Adds to a subscription that there is. Asking for what it has already changes nothing.
    fn merge(&mut self, channel: Channel, more: Filter, tickers: bool) -> Result<(), Code> {
        let Some(subscription) = self.session.subscriptions.get_mut(&channel) else {
            return Err(Code::UnknownSid);
        };
        let added = match (&mut subscription.filter, more) {
            (Filter::Only(markets), Filter::Only(more)) => {
                let added: BTreeSet<_> = more.difference(markets).copied().collect();
                if markets.len() + added.len() > self.market_limit {
                    return Err(Code::MarketLimit);
                }
                markets.extend(&added);
                Filter::Only(added)
            }
            (Filter::Only(_), Filter::All) => {
                subscription.filter = Filter::All;
                Filter::All
            }
            (Filter::All, Filter::Only(_) | Filter::All) => Filter::Only(BTreeSet::new()),
        };
        // The snapshots of added markets come before the `ok` (seen in recordings).
        self.greet(channel, &added, tickers);
        self.acknowledge(channel);
        Ok(())
    }

    /// What a market shows first on a channel.
    fn greet(&mut self, channel: Channel, markets: &Filter, tickers: bool) {
        let all: Vec<MarketKey>;
        let markets: Vec<MarketKey> = match markets {
            Filter::Only(markets) => markets.iter().copied().collect(),
            Filter::All => {
                all = self.exchange.markets().iter().map(|market| market.key).collect();
                all
            }
        };
        match channel {
            Channel::OrderbookDelta => {
                markets.into_iter().for_each(|market| self.snapshot(market, None));
            }
            Channel::Ticker if tickers => {
                for key in markets {
                    let market = self.exchange.market(key);
                    let body = frames::ticker(market, &market.ticker(), self.exit.now);
                    let market = Some(&*market.spec.ticker);
                    let draft = Draft { channel, kind: "ticker", market, body: &body, id: None };
                    self.session.send(&draft, self.exit);
                }
            }
            Channel::Ticker
            | Channel::Trade
            | Channel::MarketLifecycle
            | Channel::Fill
            | Channel::UserOrders
            | Channel::MarketPositions
            | Channel::OrderGroupUpdates
            | Channel::Silent(_) => {}
        }
    }

    fn snapshot(&mut self, market: MarketKey, id: Option<u64>) {
        let channel = Channel::OrderbookDelta;
        let Some(subscription) = self.session.subscriptions.get(&channel) else { return };
        let market = self.exchange.market(market);
        let body = frames::snapshot(market, subscription.use_yes_price);
        let ticker = Some(&*market.spec.ticker);
        let kind = "orderbook_snapshot";
        self.session.send(&Draft { channel, kind, market: ticker, body: &body, id }, self.exit);
    }

    /// `ok` with the full list of what the subscription now has.
    fn acknowledge(&mut self, channel: Channel) {
        let Some(subscription) = self.session.subscriptions.get(&channel) else { return };
        let body = match &subscription.filter {
            Filter::Only(markets) if !subscription.skip_ticker_ack => {
                let tickers: Vec<&str> = markets
                    .iter()
                    .map(|market| &*self.exchange.market(*market).spec.ticker)
                    .collect();
                json!({ "market_tickers": tickers })
            }
            Filter::Only(_) | Filter::All => json!({}),
        };
        self.session.reply("ok", self.id, Some(channel), Some(&body), self.exit);
    }

    fn unsubscribe(&mut self, params: &Map<String, Value>) -> Result<(), Code> {
        let sids = params.get("sids").and_then(Value::as_array);
        let sids = sids.filter(|sids| !sids.is_empty()).ok_or(Code::SidsRequired)?;
        for sid in sids {
            let channel = sid.as_u64().and_then(|sid| self.session.channel_of(sid));
            let Some(channel) = channel else {
                self.session.refuse(self.id, Code::UnknownSid, None, self.exit);
                continue;
            };
            self.session.reply("unsubscribed", self.id, Some(channel), None, self.exit);
            self.session.subscriptions.remove(&channel);
        }
        Ok(())
    }

    fn update(&mut self, params: &Map<String, Value>) -> Result<(), Code> {
        let sid = match (params.get("sid"), params.get("sids").and_then(Value::as_array)) {
            (Some(sid), None) => sid,
            (None, Some(sids)) if sids.len() == 1 => &sids[0],
            (Some(_) | None, _) => return Err(Code::ExactlyOneSid),
        };
        let action = params.get("action").and_then(Value::as_str).ok_or(Code::ActionRequired)?;
        let channel = sid.as_u64().and_then(|sid| self.session.channel_of(sid));
        let channel = channel.ok_or(Code::UnknownSid)?;
        let tickers = params.get("send_initial_snapshot").and_then(Value::as_bool).unwrap_or(false);
        if !channel.has_market_filter() {
            return Err(Code::UnsupportedAction);
        }
        match action {
            "add_markets" => {
                let markets = self.markets(params)?.ok_or(Code::MarketTickerRequired)?;
                self.merge(channel, Filter::Only(markets), tickers)
            }
            "delete_markets" => {
                let gone = self.markets(params)?.ok_or(Code::MarketTickerRequired)?;
                if let Some(subscription) = self.session.subscriptions.get_mut(&channel)
                    && let Filter::Only(markets) = &mut subscription.filter
                {
                    markets.retain(|market| !gone.contains(market));
                }
                self.acknowledge(channel);
                Ok(())
            }
            "get_snapshot" if channel == Channel::OrderbookDelta => {
                if params.contains_key("market_ticker") {
                    return Err(Code::MarketTickerRequired);
                }
                let markets = self.markets(params)?.ok_or(Code::MarketTickerRequired)?;
                let id = self.id;
                markets.into_iter().for_each(|market| self.snapshot(market, id));
                Ok(())
            }
            _ => Err(Code::UnsupportedAction),
        }
    }

    /// The markets that the parameters name; `None` if they name none. One that does not exist
    /// is told in an error of its own and left out.
    fn markets(
        &mut self,
        params: &Map<String, Value>,
    ) -> Result<Option<BTreeSet<MarketKey>>, Code> {
        let given = ["market_ticker", "market_tickers", "market_id", "market_ids"]
            .into_iter()
            .filter_map(|name| params.get(name).map(|value| (name, value)))
            .collect::<Vec<_>>();
        let (name, value) = match given.as_slice() {
            [] => return Ok(None),
            [one] => *one,
            _ => return Err(Code::InvalidParameter),
        };
        let texts = match value {
            Value::String(one) => vec![one.as_str()],
            Value::Array(many) => many
                .iter()
                .map(|text| text.as_str().ok_or(Code::InvalidParameter))
                .collect::<Result<_, _>>()?,
            _ => return Err(Code::InvalidParameter),
        };
        if texts.is_empty() {
            return Ok(None);
        }
        let mut found = BTreeSet::new();
        for text in texts {
            let market = if name.starts_with("market_id") {
                let all = self.exchange.markets();
                all.iter().find(|market| market.id.to_string() == text).map(|market| market.key)
            } else {
                self.exchange.find(text).ok()
            };
            match market {
                Some(market) => {
                    found.insert(market);
                }
                None => {
                    self.session.refuse(self.id, Code::InvalidParameter, Some(text), self.exit);
                }
            }
        }
        Ok(Some(found))
    }
}
