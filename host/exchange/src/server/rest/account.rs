//! The exchange as a whole, and how fast an account may ask (Kalshi, REST, `/exchange` and
//! `/account`).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use hotpit_units::Dollars;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::frames::rfc3339;
use super::super::limits::{Budget, DEFAULT_COST, LOW_COST, SHARDS};
use super::orders::account;
use super::{Answer, Member};
use crate::core::{Shard, Trading, Uuid};

/// `GET /exchange/status`
pub(super) async fn status(State(app): State<App>) -> Answer<Json<Value>> {
    let trading = app.floor.ask(|floor| floor.exchange.trading()).await?;
    let (exchange_active, trading_active) = match trading {
        Trading::Active => (true, true),
        Trading::Paused => (true, false),
        Trading::ExchangePaused => (false, false),
    };
    let flags = json!({
        "exchange_active": exchange_active,
        "trading_active": trading_active,
        "intra_exchange_transfers_active": exchange_active,
    });
    let shards = SHARDS.map(|shard| {
        let mut status = flags.clone();
        status["exchange_index"] = json!(shard);
        status
    });
    let mut answer = flags;
    answer["exchange_index_statuses"] = json!(shards);
    Ok(Json(answer))
}

/// `GET /exchange/schedule`: always open.
pub(super) async fn schedule() -> Json<Value> {
    let mut week = json!({
        "start_time": "2026-01-01T05:00:00Z",
        "end_time": "2036-01-01T05:00:00Z",
    });
    for day in ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] {
        week[day] = json!([{ "open_time": "00:00", "close_time": "00:00" }]);
    }
    Json(json!({ "schedule": { "standard_hours": [week], "maintenance_windows": [] } }))
}

/// `GET /exchange/user_data_timestamp`: nothing lags here.
pub(super) async fn user_data_timestamp(State(app): State<App>) -> Answer<Json<Value>> {
    let now = app.floor.ask(|floor| floor.now()).await?;
    Ok(Json(json!({ "as_of_time": rfc3339(now) })))
}

/// `GET /account/limits`
pub(super) async fn limits(State(app): State<App>) -> Json<Value> {
    let tier = app.settings.tier;
    Json(json!({
        "usage_tier": tier.as_str(),
        "read": tier.read(),
        "write": tier.write(),
        "grants": [],
    }))
}

/// `GET /account/endpoint_costs`
pub(super) async fn endpoint_costs() -> Json<Value> {
    let cost = |method: &str, path: &str| json!({ "method": method, "path": format!("/trade-api/v2{path}"), "cost": LOW_COST });
    Json(json!({
        "default_cost": DEFAULT_COST,
        "endpoint_costs": [
            cost("DELETE", "/portfolio/events/orders"),
            cost("DELETE", "/portfolio/events/orders/batched"),
            cost("DELETE", "/portfolio/events/orders/{order_id}"),
            cost("GET", "/portfolio/orders/{order_id}"),
        ],
    }))
}

/// `IntraExchangeInstanceTransferRequest`
#[derive(Debug, Deserialize)]
struct Transfer {
    source: String,
    destination: String,
    /// In 1e-4 dollars.
    amount: i64,
    #[serde(default)]
    source_exchange_shard: Shard,
    #[serde(default)]
    destination_exchange_shard: Shard,
    client_transfer_id: Option<String>,
}

/// `POST /portfolio/intra_exchange_instance_transfer`: moves cash between shards.
pub(super) async fn transfer(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Value>)> {
    let request: Transfer =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(&error.to_string()))?;
    app.charge(&key, Budget::Write(0), DEFAULT_COST)?;
    if request.source != "event_contract" || request.destination != "event_contract" {
        return Err(ApiError::bad_request("only event_contract can be moved from and to"));
    }
    if request.client_transfer_id.is_some_and(|id| id.parse::<Uuid>().is_err()) {
        return Err(ApiError::bad_request("client_transfer_id is not a uuid"));
    }
    let shards = [request.source_exchange_shard, request.destination_exchange_shard];
    if let Some(unknown) = shards.iter().find(|shard| !SHARDS.contains(shard)) {
        return Err(ApiError::bad_request(&format!("there is no exchange shard {unknown}")));
    }
    let amount = request.amount.checked_mul(100).map(Dollars::from_raw);
    let amount = amount.ok_or_else(|| ApiError::bad_request("amount is out of range"))?;
    let id = app
        .floor
        .ask(move |floor| {
            let account = account(floor, &key, 0)?;
            let (from, to) = (request.source_exchange_shard, request.destination_exchange_shard);
            floor
                .exchange
                .transfer(account, from, to, amount)
                .map_err(|error| ApiError::bad_request(&error.to_string()))?;
            Ok::<_, ApiError>(floor.exchange.new_id())
        })
        .await??;
    Ok((StatusCode::CREATED, Json(json!({ "transfer_id": id.to_string() }))))
}
