//! Order groups (Kalshi, REST, `/portfolio/order_groups`).

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hotpit_units::{Quantity, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::limits::{Budget, DEFAULT_COST, SHARDS};
use super::orders::{account, amount, read, shard};
use super::portfolio::{accounts, ask};
use super::query::Params;
use super::{Answer, Member};
use crate::core::{AccountId, Exchange, ExchangeError, Shard, Uuid};

/// `CreateOrderGroupRequest`.
#[derive(Debug, Deserialize)]
struct CreateGroup {
    #[serde(flatten)]
    limit: Limit,
    #[serde(default)]
    subaccount: u8,
    #[serde(default)]
    exchange_index: Shard,
}

/// `UpdateOrderGroupLimitRequest`.
#[derive(Debug, Deserialize)]
struct Limit {
    contracts_limit: Option<i64>,
    contracts_limit_fp: Option<String>,
}

impl Limit {
    fn count(&self) -> Answer<Quantity> {
        // 0.01 contracts; too many for the type are too many for a group as well.
        let whole = self.contracts_limit.map(|count| Quantity::from_raw(count.saturating_mul(100)));
        let exact = self.contracts_limit_fp.as_deref();
        let exact = exact.map(|text| amount(text, "contracts_limit_fp")).transpose()?;
        match (whole, exact) {
            (Some(whole), Some(exact)) if whole != exact => {
                Err(ApiError::bad_request("contracts_limit and contracts_limit_fp do not match"))
            }
            (Some(count), _) | (None, Some(count)) => Ok(count),
            (None, None) => {
                Err(ApiError::bad_request("contracts_limit or contracts_limit_fp is required"))
            }
        }
    }
}

/// `GET /portfolio/order_groups`
pub(super) async fn list(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    params: Params,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?;
    ask(&app, move |floor| {
        let groups: Vec<Value> = accounts(floor, &key, subaccount)?
            .into_iter()
            .flat_map(|account| floor.exchange.account(account).order_groups())
            .map(|(id, group)| {
                json!({
                    "id": id.to_string(),
                    "contracts_limit_fp": group.limit,
                    "is_auto_cancel_enabled": group.is_triggered,
                    "exchange_index": group.exchange_index,
                })
            })
            .collect();
        Ok(json!({ "order_groups": groups }))
    })
    .await
}

/// `GET /portfolio/order_groups/{id}`. `is_auto_cancel_enabled` is true while the group is
/// triggered and false after its reset: Kalshi says no more than its name, its demo exchange has
/// been seen to do so.
pub(super) async fn one(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let subaccount = params.subaccount()?;
    ask(&app, move |floor| {
        let accounts = accounts(floor, &key, subaccount)?;
        let group = id.parse().ok().and_then(|id| {
            accounts.iter().find_map(|account| floor.exchange.account(*account).order_group(id))
        });
        let group = group.ok_or_else(|| ApiError::not_found("order group"))?;
        let orders: Vec<String> = group.orders().map(|order| order.to_string()).collect();
        Ok(json!({
            "is_auto_cancel_enabled": group.is_triggered,
            "contracts_limit_fp": group.limit,
            "orders": orders,
            "exchange_index": group.exchange_index,
        }))
    })
    .await
}

/// `POST /portfolio/order_groups/create`
pub(super) async fn create(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    let request: CreateGroup = read(&body)?;
    let (shard, subaccount) = (request.exchange_index, request.subaccount);
    app.charge(&key, Budget::Write(shard), DEFAULT_COST)?;
    if !SHARDS.contains(&shard) {
        return Err(ApiError::bad_request(&format!("there is no exchange shard {shard}")));
    }
    let limit = request.limit.count()?;
    let id = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, subaccount)?;
            let now = floor.now();
            Ok::<_, ApiError>(floor.exchange.create_order_group(now, account, shard, limit)?)
        })
        .await??;
    let answer = json!({
        "order_group_id": id.to_string(),
        "subaccount": subaccount,
        "exchange_index": shard,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `PUT /portfolio/order_groups/{id}/reset`
pub(super) async fn reset(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let of = params.subaccount()?.or(Some(0));
    change(&app, key, of, id, &params, Exchange::reset_order_group).await
}

/// `PUT /portfolio/order_groups/{id}/trigger`
pub(super) async fn trigger(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let of = params.subaccount()?.or(Some(0));
    change(&app, key, of, id, &params, Exchange::trigger_order_group).await
}

/// `PUT /portfolio/order_groups/{id}/limit`: the one change that takes no subaccount.
pub(super) async fn set_limit(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
    body: Bytes,
) -> Answer<Json<Value>> {
    let limit = read::<Limit>(&body)?.count()?;
    let set = move |exchange: &mut Exchange, now, account, shard, group| {
        exchange.set_order_group_limit(now, account, shard, group, limit)
    };
    change(&app, key, None, id, &params, set).await
}

/// `DELETE /portfolio/order_groups/{id}`
pub(super) async fn remove(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    Path(id): Path<String>,
    params: Params,
) -> Answer<Json<Value>> {
    let of = params.subaccount()?.or(Some(0));
    change(&app, key, of, id, &params, Exchange::delete_order_group).await
}

/// Changes a group of a subaccount, or of whichever has it, on the shard that the request names,
/// 0 without any (`ExchangeIndex`).
async fn change(
    app: &App,
    key: String,
    subaccount: Option<u8>,
    id: String,
    params: &Params,
    change: impl FnOnce(&mut Exchange, Timestamp, AccountId, Shard, Uuid) -> Result<(), ExchangeError>
    + Send
    + 'static,
) -> Answer<Json<Value>> {
    let shard = params.number("exchange_index")?.map(shard).transpose()?.unwrap_or(0);
    app.charge(&key, Budget::Write(shard), DEFAULT_COST)?;
    ask(app, move |floor| {
        let id = id.parse().map_err(|_| ExchangeError::OrderGroupNotFound)?;
        let has = |account: &AccountId| floor.exchange.account(*account).order_group(id).is_some();
        let account = accounts(floor, &key, subaccount)?.into_iter().find(has);
        let account = account.ok_or(ExchangeError::OrderGroupNotFound)?;
        let now = floor.now();
        change(&mut floor.exchange, now, account, shard, id)?;
        Ok(json!({}))
    })
    .await
}
