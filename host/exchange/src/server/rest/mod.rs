//! Kalshi's REST API: the paths, who may use them, and what a request costs.

mod account;
mod audit;
mod catalog;
mod groups;
mod market;
mod orders;
mod portfolio;
mod query;
mod subaccounts;

pub(super) use audit::audit;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use hotpit_units::Timestamp;

use super::auth::KEY_HEADER;
use super::door::Peer;
use super::errors::ApiError;
use super::limits::{Budget, DEFAULT_COST, LOW_COST};
use super::{App, REST_PATH};

/// The key id whose signature the request has.
#[derive(Debug, Clone)]
struct Member(String);

/// An answer, or why there is none.
type Answer<T> = Result<T, ApiError>;

/// All paths of the API, in full: signatures cover the full path.
pub(super) fn router(app: &App) -> Router<App> {
    let at = |path: &str| format!("{REST_PATH}{path}");
    let public = Router::new()
        .route(&at("/exchange/status"), get(account::status))
        .route(&at("/exchange/schedule"), get(account::schedule))
        .route(&at("/exchange/user_data_timestamp"), get(account::user_data_timestamp))
        .route(&at("/account/endpoint_costs"), get(account::endpoint_costs))
        .route(&at("/markets"), get(market::list))
        .route(&at("/markets/trades"), get(market::trades))
        .route(&at("/markets/orderbooks"), get(market::orderbooks))
        .route(&at("/markets/{ticker}"), get(market::one))
        .route(&at("/markets/{ticker}/orderbook"), get(market::orderbook))
        .route(&at("/events"), get(catalog::events))
        .route(&at("/events/fee_changes"), get(catalog::event_fee_changes))
        .route(&at("/events/{ticker}"), get(catalog::event))
        .route(&at("/series"), get(catalog::all_series))
        .route(&at("/series/fee_changes"), get(catalog::series_fee_changes))
        .route(&at("/series/{ticker}"), get(catalog::series))
        .route(&at("/milestones"), get(catalog::milestones))
        .route(&at("/milestones/{id}"), get(catalog::milestone))
        .route(&at("/structured_targets/{id}"), get(catalog::structured_target))
        .layer(from_fn_with_state(app.clone(), visitor));
    let private = Router::new()
        .route(&at("/account/limits"), get(account::limits))
        .route(&at("/portfolio/balance"), get(portfolio::balance))
        .route(&at("/portfolio/positions"), get(portfolio::positions))
        .route(&at("/portfolio/fills"), get(portfolio::fills))
        .route(&at("/portfolio/settlements"), get(portfolio::settlements))
        .route(&at("/portfolio/orders"), get(portfolio::orders).post(orders::deprecated))
        .route(
            &at("/portfolio/orders/batched"),
            post(orders::deprecated).delete(orders::deprecated),
        )
        .route(&at("/portfolio/orders/queue_positions"), get(portfolio::queue_positions))
        .route(&at("/portfolio/orders/{id}"), get(portfolio::order).delete(orders::deprecated))
        .route(&at("/portfolio/orders/{id}/amend"), post(orders::deprecated))
        .route(&at("/portfolio/orders/{id}/decrease"), post(orders::deprecated))
        .route(&at("/portfolio/orders/{id}/queue_position"), get(portfolio::queue_position))
        .route(&at("/portfolio/events/orders"), post(orders::create).delete(orders::cancel_all))
        .route(
            &at("/portfolio/events/orders/batched"),
            post(orders::create_batch).delete(orders::cancel_batch),
        )
        .route(&at("/portfolio/events/orders/{id}"), delete(orders::cancel))
        .route(&at("/portfolio/events/orders/{id}/amend"), post(orders::amend))
        .route(&at("/portfolio/events/orders/{id}/decrease"), post(orders::decrease))
        .route(&at("/portfolio/order_groups"), get(groups::list))
        .route(&at("/portfolio/order_groups/create"), post(groups::create))
        .route(&at("/portfolio/order_groups/{id}"), get(groups::one).delete(groups::remove))
        .route(&at("/portfolio/order_groups/{id}/reset"), put(groups::reset))
        .route(&at("/portfolio/order_groups/{id}/trigger"), put(groups::trigger))
        .route(&at("/portfolio/order_groups/{id}/limit"), put(groups::set_limit))
        .route(&at("/portfolio/subaccounts"), post(subaccounts::create))
        .route(&at("/portfolio/subaccounts/transfer"), post(subaccounts::transfer))
        .route(&at("/portfolio/subaccounts/balances"), get(subaccounts::balances))
        .route(&at("/portfolio/intra_exchange_instance_transfer"), post(account::transfer))
        .layer(from_fn_with_state(app.clone(), member));
    public.merge(private)
}

/// Lets everyone through; who signs must sign well, and pays for the question.
async fn visitor(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(KEY_HEADER)
        && let Err(error) = admit(&app, &request)
    {
        return error.into_response();
    }
    next.run(request).await
}

/// Lets members through.
async fn member(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app, &request) {
        Ok(member) => {
            request.extensions_mut().insert(member);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Verifies the signature, and bills questions. What a write costs depends on its body, so that
/// writes are billed where they are read.
fn admit(app: &App, request: &Request) -> Answer<Member> {
    let method = request.method().as_str();
    let path = request.uri().path();
    let key = app.authenticate(request.headers(), method, path)?;
    if method == "GET" {
        let cost = if is_one_order(path) { LOW_COST } else { DEFAULT_COST };
        app.charge(&key, Budget::Read, cost)?;
    }
    Ok(Member(key))
}

/// `GET /portfolio/orders/{id}` is cheaper than other questions.
fn is_one_order(path: &str) -> bool {
    path.strip_prefix("/trade-api/v2/portfolio/orders/").is_some_and(|id| !id.contains('/'))
}

/// Does to a request what the posted faults say.
pub(super) async fn faults(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let route = format!("{} {}", request.method(), request.uri().path());
    let key = claimed_key(request.headers()).map(str::to_owned);
    let verdict = app.board(|board| board.judge_request(&route, key.as_deref()));
    if let Some(status) = verdict.refuse {
        return ApiError::fault(status).into_response();
    }
    let response = next.run(request).await;
    if verdict.lose {
        peer.cut.now();
        return std::future::pending().await;
    }
    if !verdict.delay.is_zero() {
        tokio::time::sleep(verdict.delay).await;
    }
    if let Some(status) = verdict.status {
        return ApiError::fault(status).into_response();
    }
    if verdict.garbage {
        let html = "<html><body><h1>upstream answered strangely</h1></body></html>";
        return (response.status(), [(CONTENT_TYPE, "text/html")], html).into_response();
    }
    response
}

/// Puts the exchange's own time on every answer: a client compares its clock with it.
pub(super) async fn dated(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(date) = http_date(app.clock.now()) {
        response.headers_mut().insert(DATE, date);
    }
    response
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(time: Timestamp) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()?;
    let text =
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()?;
    HeaderValue::from_str(&text).ok()
}

fn claimed_key(headers: &HeaderMap) -> Option<&str> {
    headers.get(KEY_HEADER).and_then(|key| key.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_has_it() {
        let date = http_date(Timestamp::from_secs(784_111_777)).unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn one_order_is_told_from_a_list_and_from_its_queue() {
        assert!(is_one_order("/trade-api/v2/portfolio/orders/abc"));
        assert!(!is_one_order("/trade-api/v2/portfolio/orders"));
        assert!(!is_one_order("/trade-api/v2/portfolio/orders/abc/queue_position"));
    }
}
