//! What a refused request is answered with. Kalshi has several shapes for it, and a client must
//! read them all, so that all of them are used here, each where Kalshi uses it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::auth::Refusal;
use super::floor::Stopped;
use crate::core::ExchangeError;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Body,
}

/// The shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    /// `{"error":{"code":..,"message":..,"details":..}}`
    Nested(Parts),
    /// `{"code":..,"message":..,"details":..}`
    Flat(Parts),
    /// `{"error":"too many requests"}`
    Bare(&'static str),
    /// `{"msg":".."}`
    Message(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    code: String,
    message: String,
    details: Option<String>,
}

impl Parts {
    fn json(&self) -> Value {
        let mut parts = json!({ "code": self.code, "message": self.message });
        if let Some(details) = &self.details {
            parts["details"] = json!(details);
        }
        parts
    }
}

impl ApiError {
    fn nested(status: StatusCode, code: &str, message: String, details: Option<&str>) -> Self {
        let details = details.map(str::to_owned);
        Self { status, body: Body::Nested(Parts { code: code.into(), message, details }) }
    }

    /// 404 of a listing.
    pub(super) fn not_found(what: &str) -> Self {
        let message = format!("{what} not found");
        let parts = Parts { code: "not_found".into(), message, details: None };
        Self { status: StatusCode::NOT_FOUND, body: Body::Flat(parts) }
    }

    /// 400 of a question that cannot be answered.
    pub(super) fn bad_query(details: impl Into<String>) -> Self {
        let parts = Parts {
            code: "invalid_parameters".into(),
            message: "invalid parameters".into(),
            details: Some(details.into()),
        };
        Self { status: StatusCode::BAD_REQUEST, body: Body::Flat(parts) }
    }

    /// 400 of an argument that is missing in the query.
    pub(super) fn argument_required(name: &str) -> Self {
        let text = format!("Query argument {name} is required, but not found");
        Self { status: StatusCode::BAD_REQUEST, body: Body::Message(text) }
    }

    /// 400 of a body that cannot be carried out.
    pub(super) fn bad_request(details: &str) -> Self {
        let message = "invalid parameters".to_owned();
        Self::nested(StatusCode::BAD_REQUEST, "invalid_parameters", message, Some(details))
    }

    /// 429.
    pub(super) const fn too_many_requests() -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, body: Body::Bare("too many requests") }
    }

    /// 503 of an exchange that goes away.
    pub(super) fn unavailable() -> Self {
        let message = "exchange is unavailable".to_owned();
        Self::nested(StatusCode::SERVICE_UNAVAILABLE, "exchange_unavailable", message, None)
    }

    /// 410 of the order entry of old.
    pub(super) fn deprecated() -> Self {
        Self::nested(
            StatusCode::GONE,
            "deprecated_v1_order_endpoint",
            "Please switch to the V2 endpoints".into(),
            Some("https://docs.kalshi.com/api-reference/orders/create-order-v2"),
        )
    }

    /// Any status, for a fault.
    pub(super) fn fault(status: u16) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Self::too_many_requests();
        }
        let message = status.canonical_reason().unwrap_or("error").to_lowercase();
        Self::nested(status, "internal_error", message, None)
    }

    /// The `error` of one item of a batch.
    pub(super) fn item(&self) -> Value {
        match &self.body {
            Body::Nested(parts) | Body::Flat(parts) => parts.json(),
            Body::Bare(text) => json!({ "code": text, "message": text }),
            Body::Message(text) => json!({ "code": "invalid_parameters", "message": text }),
        }
    }
}

impl From<ExchangeError> for ApiError {
    fn from(error: ExchangeError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self::nested(status, error.code(), error.to_string(), error.details())
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let details = refusal.to_string();
        let code = "authentication_error";
        Self::nested(StatusCode::UNAUTHORIZED, code, code.into(), Some(&details))
    }
}

impl From<Stopped> for ApiError {
    fn from(_: Stopped) -> Self {
        Self::unavailable()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = match &self.body {
            Body::Nested(parts) => json!({ "error": parts.json() }),
            Body::Flat(parts) => parts.json(),
            Body::Bare(text) => json!({ "error": text }),
            Body::Message(text) => json!({ "msg": text }),
        };
        (self.status, Json(body)).into_response()
    }
}
