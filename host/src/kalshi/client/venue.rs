//! The desk's [`Venue`]: orders, cancels, and what the exchange says of our account.
//!
//! What it promises: an outcome other than unknown is proved by the exchange's own words, and an
//! order or cancel is sent once per call.

use std::sync::Arc;
use std::time::Duration;

use hotpit_units::{Quantity, Timestamp};

use super::account::Filter;
use super::query::encoded;
use super::ready::SignedBy;
use super::written::{Written, proof};
use super::{CallError, Client, ORDERS, decode};
use crate::desk::venue::{
    AccountSnapshot, CancelOutcome, CancelRequest, PlaceOutcome, PlaceRequest, ReadError, Venue,
};
use crate::kalshi::http::{Method, Request, Response, Transport, TransportError};
use crate::kalshi::limits::Bill;
use crate::kalshi::wire::error::{Refusal, shown};
use crate::kalshi::wire::order::{BatchAnswer, CreateOrder, OrderCanceled, OrderCreated};
use crate::model::{ClientOrderId, VenueOrder, VenueOrderId, VenueSettlement};

/// How far before an order was placed a search for it begins: our clock may have been ahead of the
/// exchange's, by as much as it lets a signature be, which Kalshi does not tell. Too little would
/// hide an order that is there; too much costs nothing but a longer answer.
const CLOCK_SKEW: Duration = Duration::from_secs(3_600);

impl<T: Transport> Client<T> {
    /// The request for an order: what stands between a decision and the socket, so nothing here
    /// waits if the ready signature is fresh.
    async fn order_request(
        &self,
        request: &PlaceRequest,
    ) -> Result<(Request, SignedBy), CallError> {
        let path = format!("{}{ORDERS}", self.base);
        let age = self.settings.signature_max_age();
        let (signed, by) = match self.ready.get(self.clock.now(), age) {
            Some(signed) => (signed, SignedBy::Ready),
            None => {
                let signed = self.sign(Method::Post, &path).await?.ok_or(CallError::NoKey)?;
                (signed, SignedBy::Itself)
            }
        };
        let body = serde_json::to_vec(&CreateOrder::new(request, self.settings.subaccount))
            .map_err(|error| unreadable(error.to_string()))?;
        let request = Request {
            method: Method::Post,
            path,
            query: String::new(),
            signed: Some(signed),
            body: Some(body),
            timeout: self.settings.order_timeout(),
        };
        Ok((request, by))
    }

    async fn cancel_request(&self, cancel: &CancelRequest) -> Result<Request, CallError> {
        let id = encoded(cancel.venue_order_id.as_str());
        let path = format!("{}{ORDERS}/{id}", self.base);
        let signed = self.sign(Method::Delete, &path).await?.ok_or(CallError::NoKey)?;
        let query = self
            .ours()
            .with("exchange_index", cancel.exchange_index)
            .with("market_ticker", &cancel.ticker);
        Ok(Request {
            method: Method::Delete,
            path,
            query: query.as_str().to_owned(),
            signed: Some(signed),
            body: None,
            timeout: self.settings.order_timeout(),
        })
    }
}

impl<T: Transport> Venue for Client<T> {
    async fn place(&self, request: PlaceRequest) -> PlaceOutcome {
        if self.credentials.is_none() {
            return not_sent("NO_KEY", CallError::NoKey);
        }
        if self.stream.is_left_alone() {
            return not_sent("VENUE_DOWN", "the API keeps failing");
        }
        let bill = Bill::Order { shard: request.exchange_index, count: 1 };
        let taken = self.limits().take(bill, self.clock.now());
        if let Err(shortage) = taken {
            return not_sent("VENUE_BUDGET", CallError::from(shortage));
        }
        let (request, signed_by) = match self.order_request(&request).await {
            Ok(request) => request,
            Err(error) => return not_sent("NOT_SIGNED", error),
        };
        match self.send(request, bill).await {
            Ok(response) => {
                self.ready.answered(response.status, signed_by);
                placed(&response)
            }
            Err(TransportError::NotSent(reason)) => not_sent("VENUE_UNREACHABLE", reason),
            Err(error @ TransportError::NoAnswer(_)) => {
                PlaceOutcome::Unknown { reason: error.to_string() }
            }
        }
    }

    async fn make_group(&self, limit: Quantity, exchange_index: i32) -> Result<Arc<str>, String> {
        match self.create_order_group(limit, exchange_index).await {
            Written::Done(id) => Ok(id.into()),
            Written::Refused { reason, .. }
            | Written::NotSent { reason }
            | Written::Unknown { reason } => Err(reason),
        }
    }

    async fn cancel(&self, request: CancelRequest) -> CancelOutcome {
        let unknown = |reason: String| CancelOutcome::Unknown { reason };
        let bill = Bill::Cancel { shard: request.exchange_index, count: 1 };
        let wait = Duration::from_millis(self.settings.cancel_wait_ms);
        if let Err(error) = self.pace(bill, wait).await {
            return unknown(error.to_string());
        }
        let request = match self.cancel_request(&request).await {
            Ok(request) => request,
            Err(error) => return unknown(error.to_string()),
        };
        // Cancels are sent whatever the API's health: nothing is worse than one that was not tried.
        match self.send(request, bill).await {
            Ok(response) => canceled(&response),
            Err(error) => unknown(error.to_string()),
        }
    }

    async fn find(
        &self,
        client_order_id: &ClientOrderId,
        ticker: &str,
        placed_at: Timestamp,
    ) -> Result<Option<VenueOrder>, ReadError> {
        let since = placed_at.as_secs().saturating_sub(CLOCK_SKEW.as_secs());
        let since = Timestamp::from_secs(since);
        let filter = Filter { ticker: Some(ticker), since: Some(since), ..Filter::default() };
        // Without a status every order should be listed. That an order does not exist is worth
        // more proof than that: it frees what was reserved for it.
        for status in [None, Some("resting"), Some("executed"), Some("canceled")] {
            let orders = self
                .orders(&Filter { status, ..filter })
                .await
                .map_err(|error| error.of("GET /portfolio/orders"))?;
            let found = orders
                .into_iter()
                .find(|order| order.client_order_id.as_ref() == Some(client_order_id));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn account(&self, since: Timestamp) -> Result<AccountSnapshot, ReadError> {
        let requested_at = self.clock.now();
        // In this order: an order that is filled while we read is missing from the orders, and
        // its fill then stands in what is read after them.
        let resting = self
            .orders(&Filter { status: Some("resting"), ..Filter::default() })
            .await
            .map_err(|error| error.of("GET /portfolio/orders"))?;
        let all = Filter::default();
        let recent = Filter { since: Some(since), ..all };
        let fills = self.fills(&recent).await.map_err(|error| error.of("GET /portfolio/fills"))?;
        let positions =
            self.positions(&all).await.map_err(|error| error.of("GET /portfolio/positions"))?;
        let balances =
            self.balances(&all).await.map_err(|error| error.of("GET /portfolio/balance"))?;
        // After the positions: what was paid meanwhile is missing there, and stands here.
        let settlements = self
            .settlements(since)
            .await
            .map_err(|error| error.of("GET /portfolio/settlements"))?;
        let settlements = settlements
            .into_iter()
            .filter_map(|it| Some(VenueSettlement { ticker: it.ticker, price: it.price? }))
            .collect();
        Ok(AccountSnapshot { requested_at, resting, fills, positions, settlements, balances })
    }
}

pub(super) fn unreadable(reason: String) -> CallError {
    CallError::Unreadable { status: 200, reason, body: String::new() }
}

/// The codes of a 409 that is no duplicate: a fill-or-kill order found too little to fill it.
const FILL_OR_KILL_FAILED: [&str; 2] =
    ["fill_or_kill_insufficient_resting_volume", "FOK_INSUFFICIENT_VOLUME"];

/// An order that never left this machine, or was not even looked at: a stable code, and why.
fn not_sent(code: &str, reason: impl std::fmt::Display) -> PlaceOutcome {
    PlaceOutcome::NotSent { reason: format!("{code}: {reason}") }
}

/// What the answer to an order proves.
fn placed(response: &Response) -> PlaceOutcome {
    let Response { status, body } = response;
    match *status {
        // Refused before it was looked at.
        429 => not_sent("VENUE_RATE_LIMIT", Refusal::read(body)),
        409 => {
            let refusal = Refusal::read(body);
            match refusal.code() {
                Some(code) if FILL_OR_KILL_FAILED.contains(&code) => {
                    PlaceOutcome::Rejected { reason: refusal.to_string() }
                }
                // A duplicate most likely; and whatever else it is, asking settles it.
                Some(_) | None => PlaceOutcome::Duplicate,
            }
        }
        _ => match decode::<OrderCreated>(response) {
            Ok(created) if !created.order_id.is_empty() => PlaceOutcome::Accepted {
                venue_order_id: VenueOrderId::from(created.order_id),
                filled: created.fill_count,
                remaining: created.remaining_count,
            },
            Ok(_) => PlaceOutcome::Unknown { reason: format!("no order id: {}", shown(body)) },
            Err(error) => match proof(&error) {
                Some(reason) => PlaceOutcome::Rejected { reason },
                None => PlaceOutcome::Unknown { reason: error.to_string() },
            },
        },
    }
}

/// What the answer to a cancel proves.
fn canceled(response: &Response) -> CancelOutcome {
    let error = match decode::<OrderCanceled>(response) {
        Ok(canceled) => return CancelOutcome::Canceled { reduced_by: canceled.reduced_by },
        Err(error) => error,
    };
    let is_not_found = match &error {
        CallError::NotFound(refusal) => refusal.is_proof(),
        CallError::Refused { refusal, .. } => {
            refusal.code().is_some_and(|code| code.eq_ignore_ascii_case("not_found"))
        }
        _ => false,
    };
    match proof(&error) {
        Some(_) if is_not_found => CancelOutcome::NotFound,
        Some(reason) => CancelOutcome::Refused { reason },
        None => CancelOutcome::Unknown { reason: error.to_string() },
    }
}

/// What the answer to an order of a batch proves.
pub(super) fn placed_item(written: Written<BatchAnswer>) -> PlaceOutcome {
    match written {
        Written::Done(answer) => match answer.error {
            None => match (answer.order_id, answer.fill_count, answer.remaining_count) {
                (Some(id), Some(filled), Some(remaining)) if !id.is_empty() => {
                    let venue_order_id = VenueOrderId::from(id);
                    PlaceOutcome::Accepted { venue_order_id, filled, remaining }
                }
                _ => PlaceOutcome::Unknown { reason: "the answer has no order in it".to_owned() },
            },
            Some(refusal) => match refusal.code() {
                // A duplicate: the one with this name exists.
                Some(code) if is_duplicate(code) => PlaceOutcome::Duplicate,
                Some(_) if refusal.is_proof() => {
                    PlaceOutcome::Rejected { reason: refusal.to_string() }
                }
                Some(_) | None => PlaceOutcome::Unknown { reason: refusal.to_string() },
            },
        },
        Written::Refused { reason, .. } => PlaceOutcome::Rejected { reason },
        Written::NotSent { reason } => PlaceOutcome::NotSent { reason },
        Written::Unknown { reason } => PlaceOutcome::Unknown { reason },
    }
}

/// Whether a code says that there is an order of this name already. Its exact words are not
/// documented.
fn is_duplicate(code: &str) -> bool {
    let code = code.to_ascii_lowercase();
    code.contains("exist") || code.contains("duplicate") || code.contains("conflict")
}

/// What the answer to a cancel of a batch proves.
pub(super) fn canceled_item(written: Written<BatchAnswer>) -> CancelOutcome {
    match written {
        Written::Done(answer) => match (answer.error, answer.reduced_by) {
            (None, Some(reduced_by)) => CancelOutcome::Canceled { reduced_by },
            (None, None) => {
                CancelOutcome::Unknown { reason: "the answer has no order in it".to_owned() }
            }
            (Some(refusal), _) => match refusal.code() {
                Some(code) if code.eq_ignore_ascii_case("not_found") => CancelOutcome::NotFound,
                Some(_) if refusal.is_proof() => {
                    CancelOutcome::Refused { reason: refusal.to_string() }
                }
                Some(_) | None => CancelOutcome::Unknown { reason: refusal.to_string() },
            },
        },
        Written::Refused { reason, .. } => CancelOutcome::Refused { reason },
        Written::NotSent { reason } | Written::Unknown { reason } => {
            CancelOutcome::Unknown { reason }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
