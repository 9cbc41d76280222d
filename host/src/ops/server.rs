//! [`Server`]: the operator's HTTP port.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hotpit_rt::Entropy;
use hotpit_rt::net::TcpListener;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::files::{Endpoint, reachable};
use super::guard::{Guard, Refusal};
use super::levels::Levels;
use super::{Settings, Source, Status, metrics};
use crate::config::Secret;
use crate::desk::record::Halted;
use crate::model::AgentId;

/// How many requests are answered at a time; more are refused at once, so that a storm of
/// monitors never becomes a queue at the desk.
const REQUESTS_MAX: usize = 32;

/// How many of strangers, who may ask for the health alone, are answered at a time: they must not
/// keep the operator out, nor the desk busy.
const STRANGERS_MAX: usize = 2;

/// The largest body of a request, in bytes: a halt with its reason.
const BODY_BYTES_MAX: usize = 4_096;

/// How long requests that are under way at the end may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// The running port. [`Server::stop`] ends it; dropping it does so too, but leaves its files.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    folder: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Why the port does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}, which ops.bind names: {cause}; port 0 takes a free one")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The address and the token cannot be written.
    #[error("cannot write to the state folder {folder}: {cause}")]
    Publish {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// The port, taken but not answering yet: whoever cannot have it finds out before anything else
/// has begun.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    timeout: Duration,
}

impl Bound {
    /// Takes the port.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn take(settings: &Settings) -> Result<Self, OpsError> {
        let bind = |cause| OpsError::Bind { address: settings.bind, cause };
        let listener = TcpListener::bind(settings.bind).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address, timeout: settings.timeout() })
    }
}

impl Server {
    /// Writes address and token to the state folder, and answers from now on.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub fn start<S: Source>(
        port: Bound,
        state_folder: &Path,
        entropy: &Entropy,
        source: Arc<S>,
    ) -> Result<Self, OpsError> {
        let Bound { listener, address: bound, timeout } = port;
        if !bound.ip().is_loopback() {
            warn!(address = %bound, "the operator's port can be reached from other machines");
        }
        let token = Secret::new(format!("{:032x}", entropy.rng("ops token").random::<u128>()));
        let endpoint = Endpoint { address: reachable(bound), token: token.clone() };
        endpoint
            .publish(state_folder)
            .map_err(|cause| OpsError::Publish { folder: state_folder.into(), cause })?;
        let app = App {
            source,
            guard: Guard::new(token, bound.ip()),
            requests: Semaphore::new(REQUESTS_MAX),
            strangers: Semaphore::new(STRANGERS_MAX),
            timeout,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let until = async {
                // An error means that the server was dropped: the end as well.
                let _ = stopped.await;
            };
            if let Err(error) =
                axum::serve(listener, routes(app)).with_graceful_shutdown(until).await
            {
                warn!(%error, "the operator's port has closed");
            }
        });
        info!(address = %bound, "the operator's port is open");
        Ok(Self { address: bound, folder: state_folder.into(), stop, task })
    }

    /// The address it listens on, with the port that was found for port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port, gives requests that are under way a moment, and removes the files.
    pub async fn stop(mut self) {
        // An error means that it has ended already.
        let _ = self.stop.send(());
        if tokio::time::timeout(GOODBYE, &mut self.task).await.is_err() {
            self.task.abort();
        }
        Endpoint::withdraw(&self.folder);
    }
}

/// What the handlers share.
struct App<S> {
    source: Arc<S>,
    guard: Guard,
    requests: Semaphore,
    strangers: Semaphore,
    timeout: Duration,
}

fn routes<S: Source>(app: App<S>) -> Router {
    let app = Arc::new(app);
    Router::new()
        .route("/health", get(health::<S>))
        .route("/_health", get(alive::<S>))
        .route("/_agentuity/health", get(alive::<S>))
        .route("/_idle", get(idle))
        .route("/_agentuity/idle", get(idle))
        .route("/status", get(status::<S>))
        .route("/agents", get(agents::<S>))
        .route("/positions", get(positions::<S>))
        .route("/orders", get(orders::<S>))
        .route("/metrics", get(prometheus::<S>))
        .route("/halt", post(halt::<S>))
        .route("/resume", post(resume::<S>))
        .route("/log", post(log))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), admit::<S>))
        .with_state(app)
}

/// Lets a request pass if it may, and if not too many are under way.
async fn admit<S: Source>(
    State(app): State<Arc<App<S>>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    app.guard.check(request.method(), request.uri().path(), request.headers())?;
    let known = app.guard.may_read(request.headers());
    let places = if known { &app.requests } else { &app.strangers };
    let _permit = places.try_acquire().map_err(|_| Failure::Busy)?;
    Ok(next.run(request).await)
}

/// A request that was not answered as it wanted.
#[derive(Debug)]
enum Failure {
    Refused(Refusal),
    Busy,
    /// The desk did not answer in time.
    Timeout,
    /// The desk cannot answer.
    Unavailable(String),
    /// The body is not what it should be.
    BadBody(String),
    /// It cannot be done as things stand.
    Conflict(String),
}

/// What a failed request is answered with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// What is wrong.
    pub(crate) error: String,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::Refused(Refusal::WrongHost) => {
                (StatusCode::FORBIDDEN, "the host in the request is not this machine".into())
            }
            Self::Refused(Refusal::NoToken) => (
                StatusCode::UNAUTHORIZED,
                "needs `authorization: Bearer TOKEN` with the token in <state_folder>/ops.token"
                    .into(),
            ),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many requests at a time".into()),
            Self::Timeout => {
                (StatusCode::SERVICE_UNAVAILABLE, "the desk does not answer in time".into())
            }
            Self::Unavailable(error) => (StatusCode::SERVICE_UNAVAILABLE, error),
            Self::BadBody(error) => (StatusCode::BAD_REQUEST, error),
            Self::Conflict(error) => (StatusCode::CONFLICT, error),
        };
        (status, Json(Problem { error })).into_response()
    }
}

impl<S: Source> App<S> {
    async fn status(&self) -> Result<Status, Failure> {
        self.in_time(self.source.status()).await?.map_err(Failure::Unavailable)
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::time::timeout(self.timeout, work).await.map_err(|_| Failure::Timeout)
    }
}

/// The answer of `/health`.
#[derive(Debug, Serialize)]
struct Health {
    /// `ok`, or `degraded` where the host runs but does not trade.
    status: &'static str,
    /// Why it does not trade; only for those who may read what it trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    troubles: Option<Vec<String>>,
}

type Answer<T> = Result<Json<T>, Failure>;

/// 200 as long as the desk answers: a host that is halted or reconnecting is not helped by a
/// restart.
async fn health<S: Source>(State(app): State<Arc<App<S>>>, headers: HeaderMap) -> Answer<Health> {
    let troubles = app.status().await?.troubles();
    let status = if troubles.is_empty() { "ok" } else { "degraded" };
    Ok(Json(Health { status, troubles: app.guard.may_read(&headers).then_some(troubles) }))
}

/// The same in the form that platforms ask for: a status and one word.
async fn alive<S: Source>(State(app): State<Arc<App<S>>>) -> Result<&'static str, Failure> {
    app.status().await.map(|_| "OK")
}

/// Asked by platforms that put to sleep what is idle. A host that runs never is: it follows books,
/// and its orders work without a request from anybody.
async fn idle() -> &'static str {
    "NO"
}

async fn status<S: Source>(State(app): State<Arc<App<S>>>) -> Answer<Status> {
    app.status().await.map(Json)
}

async fn agents<S: Source>(State(app): State<Arc<App<S>>>) -> Answer<Vec<super::AgentLine>> {
    app.status().await.map(|status| Json(status.agents))
}

async fn positions<S: Source>(
    State(app): State<Arc<App<S>>>,
) -> Answer<Vec<crate::desk::PositionLine>> {
    app.status().await.map(|status| Json(status.desk.positions))
}

async fn orders<S: Source>(State(app): State<Arc<App<S>>>) -> Answer<Vec<crate::desk::OrderLine>> {
    app.status().await.map(|status| Json(status.desk.working))
}

async fn prometheus<S: Source>(State(app): State<Arc<App<S>>>) -> Result<Response, Failure> {
    let text = metrics::render(&app.status().await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// The body of `POST /halt` and `POST /resume`; none at all means everybody.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Order {
    /// One agent, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<AgentId>,
    /// Why, for the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Of a halt: orders that reduce a position are still accepted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) reducing: bool,
}

impl Order {
    /// Reads a body whatever its content type says: an operator in a hurry has `curl -X POST`.
    fn read(body: &Bytes) -> Result<Self, Failure> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|error| {
            Failure::BadBody(format!("not {{\"agent\": \"...\", \"reason\": \"...\"}}: {error}"))
        })
    }
}

/// What was done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    /// One agent, or all.
    pub(crate) agent: Option<AgentId>,
}

async fn halt<S: Source>(State(app): State<Arc<App<S>>>, body: Bytes) -> Answer<Done> {
    let Order { agent, reason, reducing } = Order::read(&body)?;
    let reason = reason.unwrap_or_else(|| "an operator said so".into());
    let work = app.source.halt(agent.clone(), Halted { reducing, reason });
    app.in_time(work).await?.map_err(Failure::Conflict)?;
    Ok(Json(Done { agent }))
}

async fn resume<S: Source>(State(app): State<Arc<App<S>>>, body: Bytes) -> Answer<Done> {
    let Order { agent, .. } = Order::read(&body)?;
    let work = app.source.resume(agent.clone());
    app.in_time(work).await?.map_err(Failure::Conflict)?;
    Ok(Json(Done { agent }))
}

/// The body of `POST /log`, and its answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogLevel {
    /// As `level` in the section `[log]`.
    pub(crate) level: String,
}

/// Changes the levels of the log; what holds now.
async fn log(body: Bytes) -> Answer<LogLevel> {
    let LogLevel { level } = serde_json::from_slice(&body)
        .map_err(|error| Failure::BadBody(format!("not {{\"level\": \"...\"}}: {error}")))?;
    let levels = Levels::of_process().map_err(Failure::Conflict)?;
    let level = levels.change(&level).map_err(Failure::BadBody)?;
    Ok(Json(LogLevel { level }))
}
