//! [`Collector`]: takes spans as an OpenTelemetry collector does, over OTLP/HTTP with JSON.

#![allow(unreachable_pub, reason = "each test that includes this uses its own part")]

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

/// A collector on a port of its own, which has no time for the first request.
pub struct Collector {
    pub endpoint: String,
    got: Arc<Mutex<Got>>,
}

/// What a collector was sent.
#[derive(Default)]
pub struct Got {
    pub requests: u32,
    /// The `Authorization` of each request.
    pub authorizations: Vec<Option<String>>,
    pub spans: Vec<Span>,
    /// What each request said of the host, as JSON.
    pub resources: Vec<String>,
}

impl Collector {
    pub async fn start() -> Self {
        let got = Arc::<Mutex<Got>>::default();
        let shared = Arc::clone(&got);
        let take = async move |headers: HeaderMap, body: String| {
            shared.lock().unwrap().take(&headers, &body)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, got }
    }

    pub fn got(&self) -> MutexGuard<'_, Got> {
        self.got.lock().unwrap()
    }
}

impl Got {
    fn take(&mut self, headers: &HeaderMap, body: &str) -> Response {
        let authorization = headers.get(header::AUTHORIZATION);
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        self.authorizations.push(authorization);
        self.requests += 1;
        if self.requests == 1 {
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response();
        }
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_in_form(&serde_json::from_str(body).unwrap());
        let request: ExportTraceServiceRequest = serde_json::from_str(body).unwrap();
        for resource in request.resource_spans {
            self.resources.push(serde_json::to_string(&resource.resource).unwrap());
            self.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        (StatusCode::OK, "{}").into_response()
    }
}

/// What OTLP says of its JSON: ids in hexadecimal, 64 bits as text, enumerations as numbers.
fn assert_in_form(request: &Value) {
    let spans = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
    for span in spans.as_array().unwrap() {
        let is_hex = |key: &str, length: usize| {
            let text = span[key].as_str().unwrap();
            text.len() == length && text.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
        };
        assert!(is_hex("traceId", 32) && is_hex("spanId", 16), "{span}");
        assert!(is_hex("parentSpanId", if span["name"] == "order" { 0 } else { 16 }), "{span}");
        for key in ["startTimeUnixNano", "endTimeUnixNano"] {
            assert!(span[key].as_str().unwrap().parse::<u64>().unwrap() > 0, "{span}");
        }
        assert!(span["kind"].is_u64() && span["status"]["code"].is_u64(), "{span}");
    }
}
