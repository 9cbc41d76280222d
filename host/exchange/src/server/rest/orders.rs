//! Order entry, V2 (Kalshi, REST, `/portfolio/events/orders`).

use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hotpit_units::{Price, Quantity, Side, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::floor::Floor;
use super::super::limits::{Budget, DEFAULT_COST, LOW_COST};
use super::query::Params;
use super::{Answer, Member};
use crate::core::{
    AccountId, Amend, Created, Decrease, Exchange, ExchangeError, NewOrder, Reduced, Route,
    SelfTradePrevention, Shard, TimeInForce, Uuid,
};

/// The longest client order id (Kalshi, FIX).
const CLIENT_ORDER_ID_CHARS_MAX: usize = 64;

/// `CreateOrderV2Request`. Amounts are strings: Kalshi refuses numbers.
#[derive(Debug, Deserialize)]
struct CreateOrder {
    ticker: String,
    side: Side,
    count: String,
    price: String,
    time_in_force: TimeInForce,
    self_trade_prevention_type: SelfTradePrevention,
    client_order_id: Option<String>,
    expiration_time: Option<u64>,
    post_only: Option<bool>,
    reduce_only: Option<bool>,
    cancel_order_on_pause: Option<bool>,
    order_group_id: Option<String>,
    #[serde(default)]
    subaccount: u8,
    exchange_index: Option<Shard>,
}

/// `AmendOrderV2Request`.
#[derive(Debug, Deserialize)]
struct AmendOrder {
    ticker: String,
    side: Side,
    price: String,
    count: String,
    client_order_id: Option<String>,
    updated_client_order_id: Option<String>,
    /// Seconds; 0 clears, missing keeps.
    expiration_time: Option<u64>,
    exchange_index: Option<Shard>,
}

/// `DecreaseOrderV2Request`.
#[derive(Debug, Deserialize)]
struct DecreaseOrder {
    reduce_by: Option<String>,
    reduce_to: Option<String>,
    exchange_index: Option<Shard>,
    market_ticker: Option<String>,
}

/// The orders of a batch, read one by one: one that cannot be read spoils no other.
#[derive(Debug, Deserialize)]
struct Batch {
    orders: Vec<Value>,
}

/// One item of `BatchCancelOrdersV2Request`.
#[derive(Debug, Deserialize)]
struct CancelItem {
    order_id: String,
    #[serde(default)]
    subaccount: u8,
    exchange_index: Option<Shard>,
    market_ticker: Option<String>,
}

/// `POST /portfolio/events/orders`
pub(super) async fn create(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    let request: CreateOrder = read(&body)?;
    app.charge(&key, Budget::of_write(request.exchange_index), DEFAULT_COST)?;
    let created = app.floor.ask(move |floor| place(floor, &key, request)).await??;
    Ok((StatusCode::CREATED, Json(created_json(&created))))
}

/// `POST /portfolio/events/orders/batched`
pub(super) async fn create_batch(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    let batch: Batch = read(&body)?;
    app.charge(&key, Budget::Write(0), batch_cost(&batch, DEFAULT_COST))?;
    let orders = app
        .floor
        .ask(move |floor| {
            let one = |item: Value| {
                let name = item.get("client_order_id").cloned().unwrap_or(Value::Null);
                let created = read_value(item).and_then(|request| place(floor, &key, request));
                match created {
                    Ok(created) => batch_item(created_json(&created)),
                    Err(error) => {
                        batch_item(json!({ "client_order_id": name, "error": error.item() }))
                    }
                }
            };
            batch.orders.into_iter().map(one).collect::<Vec<_>>()
        })
        .await?;
    Ok((StatusCode::CREATED, Json(json!({ "orders": orders }))))
}

/// `DELETE /portfolio/events/orders/{id}`
pub(super) async fn cancel(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?.unwrap_or(0);
    let shard = params.number("exchange_index")?.map(shard).transpose()?;
    let ticker = params.text("market_ticker").map(str::to_owned);
    app.charge(&key, cancel_budget(shard, ticker.as_deref()), LOW_COST)?;
    let reduced = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, subaccount)?;
            let route = route(&floor.exchange, shard, ticker.as_deref())?;
            let now = floor.now();
            Ok::<_, ApiError>(floor.exchange.cancel_order(now, account, order_id(&id)?, route)?)
        })
        .await??;
    Ok(Json(canceled_json(&reduced)))
}

/// `DELETE /portfolio/events/orders/batched`, which has a body.
pub(super) async fn cancel_batch(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<Json<Value>> {
    let batch: Batch = read(&body)?;
    app.charge(&key, Budget::Write(0), batch_cost(&batch, LOW_COST))?;
    let orders = app
        .floor
        .ask(move |floor| {
            let mut one = |item: Value| {
                let id = item.get("order_id").cloned().unwrap_or(Value::Null);
                match cancel_item(floor, &key, item) {
                    Ok(reduced) => canceled_json(&reduced),
                    Err(error) => {
                        let none = Quantity::ZERO;
                        json!({ "order_id": id, "reduced_by": none, "error": error.item() })
                    }
                }
            };
            batch.orders.into_iter().map(&mut one).collect::<Vec<_>>()
        })
        .await?;
    Ok(Json(json!({ "orders": orders })))
}

/// `DELETE /portfolio/events/orders`: all of them, for the price of one.
pub(super) async fn cancel_all(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?.unwrap_or(0);
    app.charge(&key, Budget::Write(0), LOW_COST)?;
    let reduced = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, subaccount)?;
            let now = floor.now();
            Ok::<_, ApiError>(floor.exchange.cancel_all(now, account, None)?)
        })
        .await??;
    let orders: Vec<Value> = reduced.iter().map(canceled_json).collect();
    Ok(Json(json!({ "orders": orders })))
}

/// `POST /portfolio/events/orders/{id}/amend`
pub(super) async fn amend(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?.unwrap_or(0);
    let request: AmendOrder = read(&body)?;
    app.charge(&key, Budget::of_write(request.exchange_index), DEFAULT_COST)?;
    let (resting_before, amended) = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, subaccount)?;
            let order = order_id(&id)?;
            let amend = Amend {
                market: floor.exchange.find(&request.ticker)?,
                side: request.side,
                price: amount(&request.price, "price")?,
                count: amount(&request.count, "count")?,
                client_order_id: client_order_id(request.client_order_id)?,
                updated_client_order_id: client_order_id(request.updated_client_order_id)?,
                expiration: request
                    .expiration_time
                    .map(|secs| (secs != 0).then(|| Timestamp::from_secs(secs))),
            };
            let before = floor.exchange.order(order).map(|order| order.remaining_count);
            let now = floor.now();
            let amended = floor.exchange.amend_order(now, account, order, amend)?;
            Ok::<_, ApiError>((before, amended))
        })
        .await??;
    Ok(Json(amended_json(resting_before, &amended)))
}

/// `POST /portfolio/events/orders/{id}/decrease`
pub(super) async fn decrease(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?.unwrap_or(0);
    let request: DecreaseOrder = read(&body)?;
    let ticker = request.market_ticker;
    app.charge(&key, cancel_budget(request.exchange_index, ticker.as_deref()), DEFAULT_COST)?;
    let decrease = match (request.reduce_by, request.reduce_to) {
        (Some(by), None) => Decrease::By(amount(&by, "reduce_by")?),
        (None, Some(to)) => Decrease::To(amount(&to, "reduce_to")?),
        (Some(_), Some(_)) | (None, None) => {
            return Err(ApiError::bad_request(
                "exactly one of reduce_by and reduce_to is required",
            ));
        }
    };
    let reduced = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, subaccount)?;
            let route = route(&floor.exchange, request.exchange_index, ticker.as_deref())?;
            let order = order_id(&id)?;
            let now = floor.now();
            let reduced = floor.exchange.decrease_order(now, account, order, decrease, route)?;
            Ok::<_, ApiError>(reduced)
        })
        .await??;
    let mut answer = json!({
        "order_id": reduced.order_id.to_string(),
        "remaining_count": reduced.remaining_count,
        "ts_ms": reduced.ts.as_millis(),
    });
    add_name(&mut answer, reduced.client_order_id.as_deref());
    Ok(Json(answer))
}

/// The order entry of old, switched off in June 2026.
pub(super) async fn deprecated() -> ApiError {
    ApiError::deprecated()
}

fn place(floor: &mut Floor, key: &str, request: CreateOrder) -> Answer<Created> {
    let account = account(floor, key, request.subaccount)?;
    let order = NewOrder {
        market: floor.exchange.find(&request.ticker)?,
        exchange_index: request.exchange_index,
        side: request.side,
        price: amount(&request.price, "price")?,
        count: amount(&request.count, "count")?,
        time_in_force: request.time_in_force,
        self_trade_prevention: request.self_trade_prevention_type,
        client_order_id: client_order_id(request.client_order_id)?,
        expiration: request.expiration_time.map(Timestamp::from_secs),
        post_only: request.post_only.unwrap_or(false),
        reduce_only: request.reduce_only.unwrap_or(false),
        cancel_on_pause: request.cancel_order_on_pause.unwrap_or(false),
        order_group_id: order_group_id(request.order_group_id)?,
    };
    let now = floor.now();
    Ok(floor.exchange.create_order(now, account, order)?)
}

fn cancel_item(floor: &mut Floor, key: &str, item: Value) -> Answer<Reduced> {
    let item: CancelItem = read_value(item)?;
    let account = account(floor, key, item.subaccount)?;
    let route = route(&floor.exchange, item.exchange_index, item.market_ticker.as_deref())?;
    let now = floor.now();
    Ok(floor.exchange.cancel_order(now, account, order_id(&item.order_id)?, route)?)
}

/// Where an order is looked for: an id alone says nothing, so that without more it is shard 0.
fn route(exchange: &Exchange, shard: Option<Shard>, ticker: Option<&str>) -> Answer<Route> {
    match (shard, ticker) {
        (None | Some(-1), Some(ticker)) => Ok(Route::Market(exchange.find(ticker)?)),
        (Some(-1), None) => Err(ApiError::bad_request("market_ticker is required")),
        (Some(shard), _) => Ok(Route::Shard(shard)),
        (None, None) => Ok(Route::Shard(0)),
    }
}

/// What a cancel is billed on: routed by its market it costs everywhere, without anything it goes
/// to shard 0.
fn cancel_budget(shard: Option<Shard>, ticker: Option<&str>) -> Budget {
    match (shard, ticker) {
        (None | Some(-1), Some(_)) | (Some(-1), None) => Budget::WriteEverywhere,
        (Some(shard), _) => Budget::Write(shard),
        (None, None) => Budget::Write(0),
    }
}

fn batch_cost(batch: &Batch, cost: u64) -> u64 {
    u64::try_from(batch.orders.len()).unwrap_or(u64::MAX).saturating_mul(cost)
}

/// An account of a key by its number: 0 is the primary one, which a request means that names none.
pub(super) fn account(floor: &Floor, key: &str, subaccount: u8) -> Answer<AccountId> {
    let unknown = || ApiError::bad_request(&format!("there is no subaccount {subaccount}"));
    floor.subaccount(key, subaccount).ok_or_else(unknown)
}

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(&error.to_string()))
}

fn read_value<T: DeserializeOwned>(value: Value) -> Answer<T> {
    serde_json::from_value(value).map_err(|error| ApiError::bad_request(&error.to_string()))
}

pub(super) fn amount<T: FromStr>(text: &str, name: &str) -> Answer<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| ApiError::bad_request(&format!("{name}: {error}")))
}

fn client_order_id(name: Option<String>) -> Answer<Option<Arc<str>>> {
    let name = name.filter(|name| !name.is_empty());
    if name.as_ref().is_some_and(|name| name.chars().count() > CLIENT_ORDER_ID_CHARS_MAX) {
        return Err(ApiError::bad_request("client_order_id is longer than 64 characters"));
    }
    Ok(name.map(Arc::from))
}

fn order_group_id(id: Option<String>) -> Answer<Option<Uuid>> {
    let id = id.filter(|id| !id.is_empty()).map(|id| id.parse());
    id.transpose().map_err(|_| ExchangeError::OrderGroupNotFound.into())
}

fn order_id(text: &str) -> Answer<Uuid> {
    text.parse().map_err(|_| ExchangeError::OrderNotFound.into())
}

pub(super) fn shard(number: i64) -> Answer<Shard> {
    Shard::try_from(number).map_err(|_| ApiError::bad_query("exchange_index is out of range"))
}

fn add_name(answer: &mut Value, client_order_id: Option<&str>) {
    if let Some(name) = client_order_id {
        answer["client_order_id"] = json!(name);
    }
}

fn created_json(created: &Created) -> Value {
    let mut answer = json!({
        "order_id": created.order_id.to_string(),
        "fill_count": created.fill_count,
        "remaining_count": created.remaining_count,
        "ts_ms": created.ts.as_millis(),
    });
    add_name(&mut answer, created.client_order_id.as_deref());
    add_averages(&mut answer, created.average_fill_price, created.average_fee_paid);
    answer
}

fn add_averages(answer: &mut Value, price: Option<Price>, fee: Option<Price>) {
    if let Some(price) = price {
        answer["average_fill_price"] = json!(price);
    }
    if let Some(fee) = fee {
        answer["average_fee_paid"] = json!(fee);
    }
}

/// What the amend changed; what it did not change is null.
fn amended_json(resting_before: Option<Quantity>, amended: &Created) -> Value {
    let filled = amended.fill_count.is_positive();
    let changed = filled || resting_before != Some(amended.remaining_count);
    let mut answer = json!({
        "order_id": amended.order_id.to_string(),
        "remaining_count": changed.then_some(amended.remaining_count),
        "fill_count": changed.then_some(amended.fill_count),
        "average_fill_price": amended.average_fill_price,
        "average_fee_paid": amended.average_fee_paid,
        "ts_ms": amended.ts.as_millis(),
    });
    add_name(&mut answer, amended.client_order_id.as_deref());
    answer
}

fn canceled_json(reduced: &Reduced) -> Value {
    let mut answer = json!({
        "order_id": reduced.order_id.to_string(),
        "reduced_by": reduced.reduced_by,
        "ts_ms": reduced.ts.as_millis(),
    });
    add_name(&mut answer, reduced.client_order_id.as_deref());
    answer
}

/// The items of a batch have all keys, null where there is nothing.
fn batch_item(mut item: Value) -> Value {
    let keys = [
        "client_order_id",
        "fill_count",
        "remaining_count",
        "average_fill_price",
        "average_fee_paid",
        "ts_ms",
        "error",
    ];
    if let Value::Object(fields) = &mut item {
        for key in keys {
            fields.entry(key).or_insert(Value::Null);
        }
    }
    item
}
