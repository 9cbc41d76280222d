//! What an account has and did (Kalshi, REST, `/portfolio`).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use hotpit_units::{Dollars, Timestamp};
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::floor::Floor;
use super::super::frames::{no_price, outcome_side, rfc3339};
use super::orders::account;
use super::query::Params;
use super::{Answer, Member};
use crate::core::{
    AccountId, Exchange, Fill, MarketKey, MarketStatus, Order, OrderStatus, Position, Settlement,
    Uuid,
};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// `GET /portfolio/balance`: what is available, by shard. What resting orders may need is not.
pub(super) async fn balance(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let shard = params.number("exchange_index")?;
    let subaccount = params.subaccount()?.unwrap_or(0);
    ask(&app, move |floor| {
        let now = floor.now();
        let account = floor.exchange.account(account(floor, &key, subaccount)?);
        let wanted = |at: i64| shard.is_none_or(|shard| shard == -1 || shard == at);
        let shards: Vec<(i64, Dollars)> = account
            .balances()
            .map(|(at, balance)| (i64::from(at), balance.available()))
            .filter(|(at, _)| wanted(*at))
            .collect();
        let total: Dollars = shards.iter().map(|(_, available)| *available).sum();
        let value: Dollars = account
            .positions()
            .filter(|(market, _)| wanted(floor.exchange.market(*market).exchange_index.into()))
            .map(|(market, position)| worth(&floor.exchange, market, &position))
            .sum();
        let breakdown: Vec<Value> = shards
            .iter()
            .map(|(at, available)| json!({ "exchange_index": at, "balance": available }))
            .collect();
        Ok(json!({
            "balance": cents(total),
            "balance_dollars": total,
            "portfolio_value": cents(value),
            "updated_ts": now.as_secs(),
            "balance_breakdown": breakdown,
        }))
    })
    .await
}

/// `GET /portfolio/positions`: every market that was traded and is not settled, unless asked
/// otherwise.
pub(super) async fn positions(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let page = params.page(LIMIT_DEFAULT, LIMIT_MAX)?;
    let settled = match params.text("settlement_status").unwrap_or("unsettled") {
        "unsettled" => Some(false),
        "settled" => Some(true),
        "all" => None,
        _ => return Err(ApiError::bad_query("settlement_status is invalid")),
    };
    let subaccount = params.subaccount()?.unwrap_or(0);
    ask(&app, move |floor| {
        let account = account(floor, &key, subaccount)?;
        let exchange = &floor.exchange;
        let filter = Filter::new(&params, exchange)?;
        let counts = params.list("count_filter").unwrap_or_default();
        let listed = exchange.account(account).positions().filter(|(market, position)| {
            let finalized = exchange.market(*market).status == MarketStatus::Finalized;
            filter.admits(exchange, *market)
                && settled.is_none_or(|settled| settled == finalized)
                && counts.iter().all(|count| match *count {
                    "position" => !position.quantity.is_zero(),
                    "total_traded" => !position.total_traded.is_zero(),
                    _ => true,
                })
        });
        let listed: Vec<(MarketKey, Position)> = listed.collect();
        let ticker = |key: MarketKey| exchange.market(key).spec.ticker.to_string();
        let (markets, cursor) = page.cut(
            listed.iter(),
            |(market, _)| ticker(*market),
            |(market, position)| position_json(exchange, *market, position),
        );
        let events = event_positions(exchange, &listed);
        Ok(json!({ "market_positions": markets, "event_positions": events, "cursor": cursor }))
    })
    .await
}

/// `GET /portfolio/orders`, newest first.
pub(super) async fn orders(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let page = params.page(LIMIT_DEFAULT, LIMIT_MAX)?;
    let status = match params.text("status") {
        None => None,
        Some("resting") => Some(OrderStatus::Resting),
        Some("canceled") => Some(OrderStatus::Canceled),
        Some("executed") => Some(OrderStatus::Executed),
        Some(_) => return Err(ApiError::bad_query("status is invalid")),
    };
    let subaccount = params.subaccount()?;
    ask(&app, move |floor| {
        let exchange = &floor.exchange;
        let filter = Filter::new(&params, exchange)?;
        let accounts = accounts(floor, &key, subaccount)?;
        let all = newest_first(&accounts, |it| exchange.orders_of(it), |order| order.created);
        let listed = all.into_iter().filter(|order| {
            filter.admits(exchange, order.market)
                && filter.admits_time(order.created)
                && status.is_none_or(|status| status == order.status)
        });
        let (orders, cursor) =
            page.cut(listed, |order| order.id.to_string(), |order| order_json(exchange, order));
        Ok(json!({ "orders": orders, "cursor": cursor }))
    })
    .await
}

/// `GET /portfolio/orders/{id}`
pub(super) async fn order(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    ask(&app, move |floor| {
        let order = own_order(floor, &key, &id)?;
        Ok(json!({ "order": order_json(&floor.exchange, order) }))
    })
    .await
}

/// `GET /portfolio/orders/{id}/queue_position`
pub(super) async fn queue_position(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    ask(&app, move |floor| {
        let order = own_order(floor, &key, &id)?.id;
        let position = floor.exchange.queue_position(order);
        let position = position.ok_or_else(|| ApiError::not_found("order"))?;
        Ok(json!({ "queue_position_fp": position }))
    })
    .await
}

/// `GET /portfolio/orders/queue_positions?market_tickers=..,..` of our resting orders.
pub(super) async fn queue_positions(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?.unwrap_or(0);
    ask(&app, move |floor| {
        let account = account(floor, &key, subaccount)?;
        let exchange = &floor.exchange;
        let tickers = params.list("market_tickers");
        let listed = exchange.orders_of(account).filter_map(|order| {
            let ticker = &exchange.market(order.market).spec.ticker;
            let is_asked = tickers.as_ref().is_none_or(|tickers| tickers.contains(&&**ticker));
            let position = exchange.queue_position(order.id).filter(|_| is_asked)?;
            Some(json!({
                "order_id": order.id.to_string(),
                "market_ticker": ticker,
                "queue_position_fp": position,
            }))
        });
        Ok(json!({ "queue_positions": listed.collect::<Vec<_>>() }))
    })
    .await
}

/// `GET /portfolio/fills`, newest first.
pub(super) async fn fills(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let page = params.page(LIMIT_DEFAULT, LIMIT_MAX)?;
    let subaccount = params.subaccount()?;
    ask(&app, move |floor| {
        let exchange = &floor.exchange;
        let filter = Filter::new(&params, exchange)?;
        let order = params.text("order_id");
        let accounts = accounts(floor, &key, subaccount)?;
        let fills = |it| exchange.account(it).fills().iter();
        let listed = newest_first(&accounts, fills, |fill| fill.ts).into_iter().filter(|fill| {
            filter.admits(exchange, fill.market)
                && filter.admits_time(fill.ts)
                && order.is_none_or(|order| order == fill.order_id.to_string())
        });
        // Two subaccounts may trade with each other: then two fills have the id of one trade.
        let (fills, cursor) = page.cut(
            listed,
            |fill| format!("{} {}", fill.trade_id, fill.order_id),
            |fill| fill_json(exchange, fill),
        );
        Ok(json!({ "fills": fills, "cursor": cursor }))
    })
    .await
}

/// `GET /portfolio/settlements`, newest first.
pub(super) async fn settlements(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let page = params.page(LIMIT_DEFAULT, LIMIT_MAX)?;
    let subaccount = params.subaccount()?;
    ask(&app, move |floor| {
        let exchange = &floor.exchange;
        let filter = Filter::new(&params, exchange)?;
        let accounts = accounts(floor, &key, subaccount)?;
        let settlements =
            |it| exchange.account(it).settlements().iter().map(move |settled| (it, settled));
        let all = newest_first(&accounts, settlements, |(_, settled)| settled.ts);
        let listed = all.into_iter().filter(|(_, settled)| {
            filter.admits(exchange, settled.market) && filter.admits_time(settled.ts)
        });
        let id = |account: AccountId, settled: &Settlement| {
            let ticker = &exchange.market(settled.market).spec.ticker;
            format!("{ticker} {}", exchange.account(account).subaccount)
        };
        let (settlements, cursor) = page.cut(
            listed,
            |(account, settled)| id(*account, settled),
            |(account, settled)| settlement_json(exchange, account, settled),
        );
        Ok(json!({ "settlements": settlements, "cursor": cursor }))
    })
    .await
}

/// Asks the floor something.
pub(super) async fn ask(
    app: &App,
    question: impl FnOnce(&mut Floor) -> Answer<Value> + Send + 'static,
) -> Answer<Json<Value>> {
    app.floor.ask(question).await?.map(Json)
}

/// The account of a key with this number, or all where a request names none (`SubaccountQuery`).
pub(super) fn accounts(floor: &Floor, key: &str, number: Option<u8>) -> Answer<Vec<AccountId>> {
    if let Some(number) = number {
        return Ok(vec![account(floor, key, number)?]);
    }
    Ok(floor.exchange.accounts_of(account(floor, key, 0)?).collect())
}

/// What several accounts have, each oldest first, as one list with the newest first.
fn newest_first<T, I: Iterator<Item = T>>(
    accounts: &[AccountId],
    of: impl Fn(AccountId) -> I,
    at: impl Fn(&T) -> Timestamp,
) -> Vec<T> {
    let mut all: Vec<T> = accounts.iter().flat_map(|account| of(*account)).collect();
    all.sort_by_key(at);
    all.reverse();
    all
}

/// The filters that all listings have.
struct Filter {
    tickers: Option<Vec<MarketKey>>,
    events: Option<Vec<String>>,
    shard: Option<i64>,
    min_ts: Option<i64>,
    max_ts: Option<i64>,
}

impl Filter {
    fn new(params: &Params, exchange: &Exchange) -> Answer<Self> {
        let tickers = params.list("ticker").map(|tickers| {
            tickers.into_iter().filter_map(|ticker| exchange.find(ticker).ok()).collect()
        });
        let events = params.list("event_ticker");
        if events.as_ref().is_some_and(|events| events.len() > 10) {
            return Err(ApiError::bad_query("event_ticker has more than 10 tickers"));
        }
        Ok(Self {
            tickers,
            events: events.map(|events| events.into_iter().map(str::to_owned).collect()),
            shard: params.number("exchange_index")?.filter(|shard| *shard != -1),
            min_ts: params.number("min_ts")?,
            max_ts: params.number("max_ts")?,
        })
    }

    fn admits(&self, exchange: &Exchange, key: MarketKey) -> bool {
        let market = exchange.market(key);
        let event = &*market.spec.event_ticker;
        self.tickers.as_ref().is_none_or(|tickers| tickers.contains(&key))
            && self.events.as_ref().is_none_or(|events| events.iter().any(|one| one == event))
            && self.shard.is_none_or(|shard| shard == i64::from(market.exchange_index))
    }

    /// Both ends belong to it, in whole seconds.
    fn admits_time(&self, ts: Timestamp) -> bool {
        let secs = i64::try_from(ts.as_secs()).unwrap_or(i64::MAX);
        self.min_ts.is_none_or(|min| secs >= min) && self.max_ts.is_none_or(|max| secs <= max)
    }
}

/// An order of any account of a key.
fn own_order<'a>(floor: &'a Floor, key: &str, id: &str) -> Answer<&'a Order> {
    let exchange = &floor.exchange;
    let order = id.parse::<Uuid>().ok().and_then(|id| exchange.order(id));
    let is_own = |order: &&Order| Some(exchange.account(order.account).owner) == floor.account(key);
    order.filter(is_own).ok_or_else(|| ApiError::not_found("order"))
}

/// What a position would bring at the last price; before the first trade, what it cost.
fn worth(exchange: &Exchange, market: MarketKey, position: &Position) -> Dollars {
    let Some(last) = exchange.market(market).tape().last_price else { return position.cost };
    let leg = if position.quantity.is_negative() { no_price(last) } else { last };
    leg * position.quantity.abs()
}

const fn cents(amount: Dollars) -> i64 {
    amount.raw().div_euclid(10_000)
}

pub(super) fn position_json(exchange: &Exchange, market: MarketKey, position: &Position) -> Value {
    let market = exchange.market(market);
    json!({
        "ticker": market.spec.ticker,
        "exchange_index": market.exchange_index,
        "position_fp": position.quantity,
        "total_traded_dollars": position.total_traded,
        "market_exposure_dollars": position.cost,
        "realized_pnl_dollars": position.realized_pnl,
        "fees_paid_dollars": position.fees_paid,
        "last_updated_ts": rfc3339(position.updated),
    })
}

fn event_positions(exchange: &Exchange, positions: &[(MarketKey, Position)]) -> Vec<Value> {
    let mut events: BTreeMap<&str, Position> = BTreeMap::new();
    for (market, position) in positions {
        let event = events.entry(&exchange.market(*market).spec.event_ticker).or_default();
        event.total_traded += position.total_traded;
        event.volume += position.volume;
        event.cost += position.cost;
        event.realized_pnl += position.realized_pnl;
        event.fees_paid += position.fees_paid;
    }
    let json = |(ticker, sum): (&str, Position)| {
        json!({
            "event_ticker": ticker,
            "exchange_index": exchange.event(ticker).map(|event| event.exchange_index),
            "total_cost_dollars": sum.total_traded,
            "total_cost_shares_fp": sum.volume,
            "event_exposure_dollars": sum.cost,
            "realized_pnl_dollars": sum.realized_pnl,
            "fees_paid_dollars": sum.fees_paid,
        })
    };
    events.into_iter().map(json).collect()
}

/// An order as the REST API shows it.
pub(super) fn order_json(exchange: &Exchange, order: &Order) -> Value {
    let side = outcome_side(order.side);
    let owner = exchange.account(order.account);
    json!({
        "order_id": order.id.to_string(),
        "user_id": owner.user_id.to_string(),
        "client_order_id": order.client_order_id.as_deref().unwrap_or_default(),
        "ticker": exchange.market(order.market).spec.ticker,
        "side": side,
        "action": "buy",
        "outcome_side": side,
        "book_side": order.side,
        "type": "limit",
        "status": order.status.as_str(),
        "yes_price_dollars": order.price,
        "no_price_dollars": no_price(order.price),
        "fill_count_fp": order.fill_count,
        "remaining_count_fp": order.remaining_count,
        "initial_count_fp": order.initial_count,
        "taker_fill_cost_dollars": order.taker_fill_cost,
        "maker_fill_cost_dollars": order.maker_fill_cost,
        "taker_fees_dollars": order.taker_fees,
        "maker_fees_dollars": order.maker_fees,
        "expiration_time": order.expiration.map(rfc3339),
        "created_time": rfc3339(order.created),
        "last_update_time": rfc3339(order.updated),
        "self_trade_prevention_type": order.self_trade_prevention.as_str(),
        "order_group_id": order.order_group_id.map(|id| id.to_string()),
        "cancel_order_on_pause": order.cancel_on_pause,
        "subaccount_number": owner.subaccount,
        "exchange_index": order.exchange_index,
    })
}

fn fill_json(exchange: &Exchange, fill: &Fill) -> Value {
    let market = exchange.market(fill.market);
    let side = outcome_side(fill.side);
    json!({
        "fill_id": fill.trade_id.to_string(),
        "trade_id": fill.trade_id.to_string(),
        "order_id": fill.order_id.to_string(),
        "ticker": market.spec.ticker,
        "market_ticker": market.spec.ticker,
        "exchange_index": market.exchange_index,
        "side": side,
        "action": "buy",
        "outcome_side": side,
        "book_side": fill.side,
        "count_fp": fill.count,
        "yes_price_dollars": fill.price,
        "no_price_dollars": no_price(fill.price),
        "is_taker": fill.is_taker,
        "created_time": rfc3339(fill.ts),
        "ts": fill.ts.as_secs(),
        "fee_cost": fill.fee,
        "subaccount_number": exchange.account(fill.account).subaccount,
    })
}

fn settlement_json(exchange: &Exchange, account: AccountId, settlement: &Settlement) -> Value {
    let market = exchange.market(settlement.market);
    let position = exchange.account(account).position(settlement.market);
    json!({
        "ticker": market.spec.ticker,
        "event_ticker": market.spec.event_ticker,
        "exchange_index": market.exchange_index,
        "market_result": settlement.outcome.as_str(),
        "yes_count_fp": settlement.yes_count,
        "yes_total_cost_dollars": settlement.yes_total_cost,
        "no_count_fp": settlement.no_count,
        "no_total_cost_dollars": settlement.no_total_cost,
        "revenue": cents(settlement.revenue),
        "value": settlement.outcome.value().raw() / 100,
        "settled_time": rfc3339(settlement.ts),
        "fee_cost": position.fees_paid,
    })
}
