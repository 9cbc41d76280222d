//! The subaccounts of a key, and cash between them (Kalshi, REST, `/portfolio/subaccounts`).

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use hotpit_units::Dollars;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use super::super::limits::{Budget, DEFAULT_COST, SHARDS};
use super::orders::{account, read};
use super::portfolio::{accounts, ask};
use super::{Answer, Member};
use crate::core::{Shard, Uuid};

/// `ApplySubaccountTransferRequest`.
#[derive(Debug, Deserialize)]
struct Transfer {
    client_transfer_id: String,
    from_subaccount: u8,
    to_subaccount: u8,
    amount_cents: i64,
    #[serde(default)]
    exchange_index: Shard,
}

/// `POST /portfolio/subaccounts`: opens the next one, without cash.
pub(super) async fn create(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
) -> Answer<(StatusCode, Json<Value>)> {
    app.charge(&key, Budget::Write(0), DEFAULT_COST)?;
    let answer = ask(&app, move |floor| {
        let owner = account(floor, &key, 0)?;
        let opened = floor.exchange.open_subaccount(owner);
        let opened = opened.map_err(|error| ApiError::bad_request(&error.to_string()))?;
        Ok(json!({ "subaccount_number": floor.exchange.account(opened).subaccount }))
    });
    Ok((StatusCode::CREATED, answer.await?))
}

/// `POST /portfolio/subaccounts/transfer`: moves cash on one shard. Its
/// `client_transfer_id` is looked at and not remembered: here a transfer sent twice moves twice.
pub(super) async fn transfer(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
    body: Bytes,
) -> Answer<Json<Value>> {
    let request: Transfer = read(&body)?;
    let shard = request.exchange_index;
    app.charge(&key, Budget::Write(shard), DEFAULT_COST)?;
    if request.client_transfer_id.parse::<Uuid>().is_err() {
        return Err(ApiError::bad_request("client_transfer_id is not a uuid"));
    }
    if !SHARDS.contains(&shard) {
        return Err(ApiError::bad_request(&format!("there is no exchange shard {shard}")));
    }
    let amount = request.amount_cents.checked_mul(10_000).map(Dollars::from_raw);
    let amount = amount.ok_or_else(|| ApiError::bad_request("amount_cents is out of range"))?;
    ask(&app, move |floor| {
        let from = account(floor, &key, request.from_subaccount)?;
        let to = account(floor, &key, request.to_subaccount)?;
        let moved = floor.exchange.transfer_between(from, to, shard, amount);
        moved.map_err(|error| ApiError::bad_request(&error.to_string()))?;
        Ok(json!({}))
    })
    .await
}

/// `GET /portfolio/subaccounts/balances`: what is available in each, by shard.
pub(super) async fn balances(
    State(app): State<App>,
    Extension(Member(key)): Extension<Member>,
) -> Answer<Json<Value>> {
    ask(&app, move |floor| {
        let now = floor.now().as_secs();
        let accounts = accounts(floor, &key, None)?;
        let accounts = accounts.into_iter().map(|account| floor.exchange.account(account));
        let balances = accounts.flat_map(|account| {
            account.balances().map(move |(shard, balance)| {
                json!({
                    "subaccount_number": account.subaccount,
                    "exchange_index": shard,
                    "balance": balance.available(),
                    "updated_ts": now,
                })
            })
        });
        Ok(json!({ "subaccount_balances": balances.collect::<Vec<_>>() }))
    })
    .await
}
