//! [`Client`]: the calls of Kalshi's REST API.
//!
//! - here: how a call is signed, paced, sent, and for reads tried again.
//! - [`markets`]: what is public: markets, events, series, milestones, trades.
//! - [`schedule`]: when the exchange is there.
//! - [`venue`]: the desk's [`Venue`](crate::desk::venue::Venue).
//! - [`account`]: what the exchange says of our orders, fills, positions and cash.
//! - [`orders`], [`groups`], [`portfolio`]: what a trading account can do beyond that.
//! - [`written`]: what the answer to a write proves.
//! - [`upkeep`]: what runs beside the calls: ready signatures, warm connections, limits.

mod account;
mod groups;
mod markets;
mod orders;
mod portfolio;
mod query;
mod ready;
mod schedule;
mod upkeep;
mod venue;
mod written;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use account::{Filter, QueuePosition};
pub use groups::{GroupState, OrderGroup};
use hotpit_rt::{Backoff, Clock, Entropy};
pub use orders::{AmendRequest, Amended, Decrease, Decreased, Expiry};
pub use portfolio::Settlement;
pub use query::Query;
pub use schedule::{Session, StandardHours};
use serde::de::DeserializeOwned;

use self::ready::ReadySignature;
use super::auth::{Credentials, KeyError, SignedHeaders};
use super::http::{Method, Request, Response, Transport, TransportError};
use super::limits::{Bill, Limits, Shortage};
use super::settings::Settings;
use super::wire::error::{Refusal, shown};
use crate::desk::venue::ReadError;
use crate::streams::Stream;
pub use written::Written;

/// Where an order is placed: the one path whose signature is kept ready.
const ORDERS: &str = "/portfolio/events/orders";

/// The pause before a read is tried the second time; it doubles from there.
const RETRY_BASE: Duration = Duration::from_millis(200);
/// The longest pause before a read is tried again.
const RETRY_CAP: Duration = Duration::from_secs(2);

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no such thing (404).
    #[error("not found: {0}")]
    NotFound(Refusal),
    /// The exchange refused.
    #[error("status {status}: {refusal}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        refusal: Refusal,
    },
    /// There was no answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The answer is not what it should be.
    #[error("status {status}, and the answer cannot be read: {reason}: {body}")]
    Unreadable {
        /// The HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
        /// How it begins.
        body: String,
    },
    /// The rate limit leaves no room, and would not for longer than a call may wait.
    #[error("not sent: the rate limit leaves no room for {} ms", .0.as_millis())]
    RateLimited(Duration),
    /// The request needs more of the rate limit at once than there ever is.
    #[error(
        "not sent: it needs {tokens} tokens of the rate limit at once, and there are {most} at \
         most: ask for fewer at a time"
    )]
    TooLarge {
        /// What it needs.
        tokens: u32,
        /// What there is at most.
        most: u32,
    },
    /// The API keeps failing and is left alone for a while.
    #[error("not sent: the API keeps failing, and is tried again in {} ms", .0.as_millis())]
    LeftAlone(Duration),
    /// There is no key.
    #[error("not sent: there is no api key")]
    NoKey,
    /// The request could not be signed.
    #[error("not sent: {0}")]
    Signing(#[from] KeyError),
    /// A listing does not end: its cursor came back, or it has too many pages.
    #[error("the listing does not end: {0}")]
    Endless(String),
}

impl From<Shortage> for CallError {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::For(wait) => Self::RateLimited(wait),
            Shortage::Forever { tokens, most } => Self::TooLarge { tokens, most },
        }
    }
}

impl CallError {
    /// The error as the desk takes it.
    #[must_use]
    pub fn of(self, call: &'static str) -> ReadError {
        ReadError { call, reason: self.to_string() }
    }

    /// Whether a read is worth another try.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Transport(_) => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::NotFound(_)
            | Self::Unreadable { .. }
            | Self::RateLimited(_)
            | Self::TooLarge { .. }
            | Self::LeftAlone(_)
            | Self::NoKey
            | Self::Signing(_)
            | Self::Endless(_) => false,
        }
    }
}

/// Kalshi's REST API. With credentials it is the desk's venue as well; without, it reads what
/// is public.
#[derive(Debug)]
pub struct Client<T> {
    transport: T,
    credentials: Option<Arc<Credentials>>,
    settings: Settings,
    clock: Clock,
    entropy: Entropy,
    /// The part of every path that is the API's version: `/trade-api/v2`.
    base: String,
    limits: Arc<Mutex<Limits>>,
    ready: Arc<ReadySignature>,
    stream: Arc<Stream>,
}

impl<T: Transport> Client<T> {
    /// A client of the API at the settings' address, whose health `stream` keeps.
    #[must_use]
    pub fn new(
        transport: T,
        credentials: Option<Credentials>,
        settings: Settings,
        stream: Arc<Stream>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let base = reqwest::Url::parse(&settings.rest_url)
            .map_or_else(|_| String::new(), |url| url.path().trim_end_matches('/').to_owned());
        let limits = Limits::basic(clock.now(), settings.cancel_reserve_tokens);
        Self {
            transport,
            credentials: credentials.map(Arc::new),
            settings,
            clock,
            entropy,
            base,
            limits: Arc::new(Mutex::new(limits)),
            ready: Arc::default(),
            stream,
        }
    }

    /// The same account over other connections: limits and ready signatures are shared, because
    /// they are the account's; connections are not, because each lives on the runtime that opened
    /// it, and an order must not wait for another thread.
    #[must_use]
    pub fn over<U>(&self, transport: U) -> Client<U> {
        Client {
            transport,
            credentials: self.credentials.clone(),
            settings: self.settings.clone(),
            clock: self.clock,
            entropy: self.entropy,
            base: self.base.clone(),
            limits: Arc::clone(&self.limits),
            ready: Arc::clone(&self.ready),
            stream: Arc::clone(&self.stream),
        }
    }

    /// Whether there is a key: without one nothing can be sent, and the account not be read.
    #[must_use]
    pub const fn has_key(&self) -> bool {
        self.credentials.is_some()
    }

    /// The key, for the WebSocket's handshake.
    #[must_use]
    pub fn credentials(&self) -> Option<Arc<Credentials>> {
        self.credentials.clone()
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The clock that requests are signed by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the tokens of a request, waiting at most `longest`.
    async fn pace(&self, bill: Bill, longest: Duration) -> Result<(), CallError> {
        let mut left = longest;
        loop {
            let taken = self.limits().take(bill, self.clock.now());
            let wait = match taken {
                Ok(()) => return Ok(()),
                Err(Shortage::For(wait)) if wait <= left => wait,
                Err(shortage) => return Err(shortage.into()),
            };
            left -= wait;
            tokio::time::sleep(wait).await;
        }
    }

    /// The signature for a request; none without a key. RSA is signed on a thread for blocking
    /// work: it takes longer than everything else on the way to the socket.
    async fn sign(&self, method: Method, path: &str) -> Result<Option<SignedHeaders>, CallError> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        let now = self.clock.now();
        if !credentials.signer().is_slow() {
            return Ok(Some(credentials.sign(now, method, path)?));
        }
        let (credentials, path) = (Arc::clone(credentials), path.to_owned());
        let signing = tokio::task::spawn_blocking(move || credentials.sign(now, method, &path));
        Ok(Some(signing.await.map_err(|_| KeyError::Signing)??))
    }

    /// Sends a request, and takes note of how it went: a refusal for the rate limit slows the
    /// bucket, and a failure that is the exchange's own counts against the whole API.
    async fn send(&self, request: Request, bill: Bill) -> Result<Response, TransportError> {
        let answer = self.transport.send(request).await;
        match &answer {
            Ok(response) if response.status >= 500 => {
                self.stream.failed(&format!("status {}", response.status));
            }
            Ok(response) => {
                self.stream.succeeded();
                if response.status == 429 {
                    self.limits().refused(bill, self.clock.now());
                }
            }
            Err(error) => self.stream.failed(&error.to_string()),
        }
        answer
    }

    /// Reads: paced, signed where there is a key, tried again while the failure may pass.
    async fn get<R: DeserializeOwned>(&self, path: &str, query: &Query) -> Result<R, CallError> {
        let tokens = self.limits().costs().read;
        self.get_for(tokens, path, query).await
    }

    /// [`get`](Self::get) of what costs another number of tokens.
    async fn get_for<R: DeserializeOwned>(
        &self,
        tokens: u32,
        path: &str,
        query: &Query,
    ) -> Result<R, CallError> {
        let bill = Bill::Read { tokens };
        let wait = Duration::from_millis(self.settings.read_wait_ms);
        let mut backoff =
            Backoff::new(RETRY_BASE, RETRY_CAP, self.entropy.rng("kalshi.client.read"));
        loop {
            self.pace(bill, wait).await?;
            self.stream.admit().map_err(CallError::LeftAlone)?;
            let error = match self.get_once(path, query, bill).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let delay = backoff.next_delay();
            if !error.is_passing() || backoff.attempt() >= self.settings.read_attempts {
                return Err(error);
            }
            tracing::debug!(path, %error, "read failed, will be tried again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn get_once<R: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        bill: Bill,
    ) -> Result<R, CallError> {
        let path = format!("{}{path}", self.base);
        let signed = self.sign(Method::Get, &path).await?;
        let request = Request {
            method: Method::Get,
            path,
            query: query.as_str().to_owned(),
            signed,
            body: None,
            timeout: self.settings.read_timeout(),
        };
        decode(&self.send(request, bill).await?)
    }

    /// Reads a listing to its end. `page` takes the items out of an answer and gives the next
    /// cursor.
    async fn get_pages<R: DeserializeOwned>(
        &self,
        path: &str,
        mut query: Query,
        mut page: impl FnMut(R) -> Option<String>,
    ) -> Result<(), CallError> {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..self.settings.pages_max {
            let answer = self.get(path, &query).await?;
            let Some(cursor) = page(answer).filter(|cursor| !cursor.is_empty()) else {
                return Ok(());
            };
            if !seen.insert(cursor.clone()) {
                return Err(CallError::Endless(format!("{path} gave the cursor {cursor} twice")));
            }
            query.set("cursor", &cursor);
        }
        Err(CallError::Endless(format!("{path} has more than {} pages", self.settings.pages_max)))
    }
}

/// The answer in a response, or why there is none. An error under a success is an error; beside an
/// answer it contradicts it, and proves nothing.
fn decode<R: DeserializeOwned>(response: &Response) -> Result<R, CallError> {
    let Response { status, body } = response;
    let status = *status;
    if !(200..300).contains(&status) {
        let refusal = Refusal::read(body);
        return Err(match status {
            404 => CallError::NotFound(refusal),
            _ => CallError::Refused { status, refusal },
        });
    }
    let unreadable =
        |reason: String| Err(CallError::Unreadable { status, reason, body: shown(body) });
    let answer = serde_json::from_slice(body);
    let Some(refusal) = Refusal::in_json(body) else {
        return answer.or_else(|error| unreadable(error.to_string()));
    };
    // What is read from an empty object as well is no answer.
    let is_answer = answer.is_ok() && serde_json::from_str::<R>("{}").is_err();
    if is_answer {
        return unreadable("it is an answer and an error at once".to_owned());
    }
    Err(CallError::Refused { status, refusal })
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod tests;
