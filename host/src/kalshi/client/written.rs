//! [`Written`]: what the answer to a write proves.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CallError, Client, Query, decode};
use crate::kalshi::http::{Method, Request, Transport, TransportError};
use crate::kalshi::limits::Bill;

/// What became of a write that is not sent twice by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<T> {
    /// The exchange did it.
    Done(T),
    /// It proved that it did not.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// It never left this machine.
    NotSent {
        /// Why.
        reason: String,
    },
    /// Nobody knows: it is to be looked up, and not to be sent again.
    Unknown {
        /// What came instead of an answer.
        reason: String,
    },
}

impl<T> Written<T> {
    /// The same with what was done in another form.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Done(done) => Written::Done(change(done)),
            Self::Refused { status, reason } => Written::Refused { status, reason },
            Self::NotSent { reason } => Written::NotSent { reason },
            Self::Unknown { reason } => Written::Unknown { reason },
        }
    }
}

/// A write, as it is to be sent. `path` without the API's version.
pub(super) struct Write<'a, B> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: Query,
    pub(super) body: Option<&'a B>,
    pub(super) bill: Bill,
}

impl<T: Transport> Client<T> {
    /// Sends a write once. Waits for the rate limit as long as a cancel may.
    pub(super) async fn write<B: Serialize + Sync, R: DeserializeOwned>(
        &self,
        write: Write<'_, B>,
    ) -> Written<R> {
        let bill = write.bill;
        let request = match self.write_request(write).await {
            Ok(request) => request,
            Err(error) => return Written::NotSent { reason: error.to_string() },
        };
        match self.send(request, bill).await {
            Ok(response) if response.status == 429 => {
                Written::NotSent { reason: "status 429: refused before it was looked at".into() }
            }
            Ok(response) => match decode(&response) {
                Ok(answer) => Written::Done(answer),
                Err(error) => match proof(&error) {
                    // A conflict: perhaps it was done before.
                    Some(reason) if response.status != 409 => {
                        Written::Refused { status: response.status, reason }
                    }
                    Some(_) | None => Written::Unknown { reason: error.to_string() },
                },
            },
            Err(TransportError::NotSent(reason)) => Written::NotSent { reason },
            Err(error @ TransportError::NoAnswer(_)) => {
                Written::Unknown { reason: error.to_string() }
            }
        }
    }

    async fn write_request<B: Serialize>(&self, write: Write<'_, B>) -> Result<Request, CallError> {
        let Write { method, path, query, body, bill } = write;
        if self.credentials.is_none() {
            return Err(CallError::NoKey);
        }
        self.pace(bill, std::time::Duration::from_millis(self.settings.cancel_wait_ms)).await?;
        let path = format!("{}{path}", self.base);
        let signed = self.sign(method, &path).await?;
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| {
            CallError::Unreadable { status: 0, reason: error.to_string(), body: String::new() }
        })?;
        Ok(Request {
            method,
            path,
            query: query.as_str().to_owned(),
            signed,
            body,
            timeout: self.settings.order_timeout(),
        })
    }
}

/// The exchange's own words, if they prove that it did not do what it was asked: an error of its
/// own in a 4xx, or with a code in a success. 408, 425 and 429 speak of the request's way, not
/// of its end; so does anything that is not the exchange's own.
pub(super) fn proof(error: &CallError) -> Option<String> {
    let (status, refusal) = match error {
        CallError::NotFound(refusal) => (404, refusal),
        CallError::Refused { status, refusal } => (*status, refusal),
        CallError::Transport(_)
        | CallError::Unreadable { .. }
        | CallError::RateLimited(_)
        | CallError::TooLarge { .. }
        | CallError::LeftAlone(_)
        | CallError::NoKey
        | CallError::Signing(_)
        | CallError::Endless(_) => return None,
    };
    let proves = match status {
        408 | 425 | 429 => false,
        200..300 => refusal.code().is_some(),
        400..500 => true,
        _ => false,
    };
    (proves && refusal.is_proof()).then(|| refusal.to_string())
}
