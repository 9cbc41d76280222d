//! `/control`: what no real exchange has. Faults are posted here, and an account's truth is read.

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::errors::ApiError;
use super::faults::Fault;
use super::rest::audit;

/// The control paths.
pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/control/faults", get(list_faults).post(post_fault).delete(clear_faults))
        .route("/control/audit", get(audit_account))
}

async fn post_fault(
    State(app): State<App>,
    body: axum::body::Bytes,
) -> Result<(StatusCode, Response), ApiError> {
    let fault: Fault =
        serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(&error.to_string()))?;
    let id = app.post_fault(fault).await;
    Ok((StatusCode::CREATED, Json(json!({ "id": id })).into_response()))
}

async fn list_faults(State(app): State<App>) -> Response {
    let posted = app.board(|board| board.list().to_vec());
    Json(json!({ "faults": posted })).into_response()
}

#[derive(Debug, Deserialize)]
struct Which {
    id: Option<u64>,
}

async fn clear_faults(State(app): State<App>, Query(which): Query<Which>) -> StatusCode {
    app.board(|board| board.clear(which.id));
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
struct Whose {
    key: String,
    #[serde(default)]
    subaccount: u8,
}

async fn audit_account(
    State(app): State<App>,
    Query(Whose { key, subaccount }): Query<Whose>,
) -> Result<Response, ApiError> {
    let answer = app.floor.ask(move |floor| {
        let account = floor.subaccount(&key, subaccount)?;
        Some(audit(floor, account))
    });
    let audit = answer.await?.ok_or_else(|| ApiError::not_found("key or subaccount"))?;
    Ok(Json(audit).into_response())
}
