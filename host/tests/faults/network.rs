//! The simulated network between one host and the practice exchange.
//!
//! Requests travel as tasks of the network, not of the host: what has left arrives, or does not,
//! whatever becomes of who sent it. What the network does to each is drawn from the seed and the
//! [`Weather`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request as HttpRequest, header::CONTENT_TYPE};
use hotpit::kalshi::http::{Method, Request, Response};
use hotpit::kalshi::{Transport, TransportError};
use hotpit_exchange::server::Inside;
use hotpit_rt::{Clock, Rng};
use hotpit_units::Timestamp;
use rand::RngExt;
use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::facts::{Facts, InFlight};
use super::floor::Floor;

/// How likely what is, in thousandths, and how slow things are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub lose_request: u32,
    pub lose_answer: u32,
    pub double: u32,
    pub late: u32,
    /// 5xx before the exchange looked at it.
    pub fail_before: u32,
    /// 5xx after the exchange did it.
    pub fail_after: u32,
    pub too_many: u32,
    pub refuse: u32,
    pub lose_frame: u32,
    pub double_frame: u32,
    pub swap_frames: u32,
    pub late_frame: u32,
    pub cut: u32,
}

impl Weather {
    /// Draws one: calm, mixed, or bad in one way.
    pub fn draw(rng: &mut Rng) -> Self {
        let mut weather = Self::default();
        let all = [
            &mut weather.lose_request,
            &mut weather.lose_answer,
            &mut weather.double,
            &mut weather.late,
            &mut weather.fail_before,
            &mut weather.fail_after,
            &mut weather.too_many,
            &mut weather.refuse,
            &mut weather.lose_frame,
            &mut weather.double_frame,
            &mut weather.swap_frames,
            &mut weather.late_frame,
            &mut weather.cut,
        ];
        let count = all.len();
        match rng.random_range(0..4_u32) {
            0 => {}
            1 => all.into_iter().for_each(|part| *part = rng.random_range(0..60)),
            _ => {
                let bad = rng.random_range(0..count);
                for (number, part) in all.into_iter().enumerate() {
                    *part = rng.random_range(0..15);
                    if number == bad {
                        *part = rng.random_range(100..900);
                    }
                }
            }
        }
        weather.cut /= 8;
        weather
    }
}

/// What everything in a seed shares.
pub struct Network {
    pub inside: Inside,
    /// The exchange's clock.
    pub clock: Clock,
    start: Timestamp,
    state: Mutex<State>,
    /// Counts the times that all connections were cut.
    pub cuts: watch::Sender<u64>,
}

struct State {
    rng: Rng,
    weather: Weather,
    facts: Facts,
    next_flight: u64,
    disk_is_full: bool,
    is_down: bool,
}

impl Network {
    pub fn new(inside: Inside, clock: Clock, rng: Rng, is_told: bool) -> Self {
        let facts = Facts::told(is_told);
        let weather = Weather::default();
        let (disk_is_full, is_down) = (false, false);
        let state = State { rng, weather, facts, next_flight: 0, disk_is_full, is_down };
        let cuts = watch::Sender::new(0);
        Self { inside, clock, start: clock.now(), state: Mutex::new(state), cuts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn facts<T>(&self, with: impl FnOnce(&mut Facts) -> T) -> T {
        with(&mut self.state().facts)
    }

    pub fn saw(&self, what: impl std::fmt::Display) {
        let at = self.clock.now().since(self.start).as_nanos();
        self.facts(|facts| facts.saw(u64::try_from(at).unwrap(), &what));
    }

    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub fn fill_disk(&self, is_full: bool) {
        self.state().disk_is_full = is_full;
    }

    pub fn disk_is_full(&self) -> bool {
        self.state().disk_is_full
    }

    pub fn set_down(&self, is_down: bool) {
        self.state().is_down = is_down;
        if is_down {
            self.cut();
        }
    }

    pub fn is_down(&self) -> bool {
        self.state().is_down
    }

    /// Cuts every connection of the WebSocket.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Whether something happens, by the part of the weather that it depends on.
    pub fn happens(&self, part: impl FnOnce(&Weather) -> u32) -> bool {
        let mut state = self.state();
        let likely = part(&state.weather);
        state.rng.random_range(0..1_000) < likely
    }

    pub fn millis(&self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.state().rng.random_range(range))
    }

    /// How long a request or an answer is on its way.
    fn trip(&self) -> Duration {
        let usual = self.millis(1..40);
        if self.happens(|weather| weather.late) { self.millis(100..6_000) } else { usual }
    }

    fn depart(&self, order: Option<InFlight>) -> Option<u64> {
        let order = order?;
        let mut state = self.state();
        state.next_flight += 1;
        let flight = state.next_flight;
        state.facts.in_flight.insert(flight, order);
        Some(flight)
    }

    fn land(&self, flight: Option<u64>) {
        if let Some(flight) = flight {
            self.state().facts.in_flight.remove(&flight);
        }
    }
}

/// One life of the host: it ends at one of its operations, and nothing of it has any effect after
/// that.
#[derive(Debug, Default)]
pub struct Life {
    is_over: AtomicBool,
    done: AtomicU64,
    ends_at: AtomicU64,
    pub ended: Notify,
}

impl Life {
    /// The host does something at a seam. False: it does not, because it is dead.
    pub fn step(&self) -> bool {
        if self.is_over() {
            return false;
        }
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done == self.ends_at.load(Ordering::Relaxed) {
            self.end();
            return false;
        }
        true
    }

    /// Ends so many operations from now.
    pub fn end_in(&self, operations: u64) {
        self.ends_at.store(self.done.load(Ordering::Relaxed) + operations, Ordering::Relaxed);
    }

    /// It does not end by itself any more.
    pub fn go_on(&self) {
        self.ends_at.store(0, Ordering::Relaxed);
    }

    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.ended.notify_one();
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Requests of one life over the simulated network.
#[derive(Clone)]
pub struct SimTransport {
    pub network: Arc<Network>,
    pub life: Arc<Life>,
    pub floor: Floor,
}

impl Transport for SimTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let order = order_of(&request);
        if !self.life.step() {
            return std::future::pending().await;
        }
        let (network, longest) = (&self.network, request.timeout);
        network.saw(format_args!("> {} {}", request.method.as_str(), shown(&request, &order)));
        if let Some(order) = &order {
            let book_is_good = self.floor.is_good(&order.ticker);
            network.facts(|facts| facts.leaves(order, book_is_good));
        }
        let answer = timeout(longest, self.exchange(request, order)).await.unwrap_or_else(|_| {
            Err(TransportError::NoAnswer(format!("timeout after {} ms", longest.as_millis())))
        });
        if !self.life.step() {
            return std::future::pending().await;
        }
        match &answer {
            Ok(response) => network.saw(format_args!("< {}", response.status)),
            Err(error) => network.saw(format_args!("< {error}")),
        }
        answer
    }
}

impl SimTransport {
    async fn exchange(
        &self,
        request: Request,
        order: Option<InFlight>,
    ) -> Result<Response, TransportError> {
        let network = &self.network;
        if network.is_down() || network.happens(|weather| weather.refuse) {
            sleep(network.millis(0..50)).await;
            return Err(TransportError::NotSent("connection refused".to_owned()));
        }
        let (answer, answered) = oneshot::channel();
        let flight = network.depart(order);
        tokio::spawn(travel(Arc::clone(network), request, flight, answer));
        match answered.await {
            Ok(answer) => answer,
            // Nobody will ever answer.
            Err(_) => std::future::pending().await,
        }
    }
}

type Answer = oneshot::Sender<Result<Response, TransportError>>;

/// The way of a request to the exchange, and of its answer back. What lies between may send it a
/// second time before it answers, and passes on the first success, or that the second is a
/// duplicate of it.
async fn travel(network: Arc<Network>, request: Request, flight: Option<u64>, answer: Answer) {
    sleep(network.trip()).await;
    let mut found = arrive(&network, request.clone()).await;
    if network.happens(|weather| weather.double) {
        sleep(network.millis(0..3_000)).await;
        let again = arrive(&network, request).await;
        let is_done = matches!(&found, Ok(response) if response.status < 300);
        let is_duplicate = matches!(&again, Ok(response) if response.status == 409);
        if !is_done || is_duplicate && !network.millis(0..2).is_zero() {
            found = again;
        }
    }
    network.land(flight);
    sleep(network.trip()).await;
    let is_lost = found.is_err() || network.happens(|weather| weather.lose_answer);
    let found = match found {
        // The connection breaks, or nothing comes any more.
        _ if is_lost && network.millis(0..2).is_zero() => return,
        _ if is_lost || network.is_down() => Err(reset()),
        Ok(_) if network.happens(|weather| weather.fail_after) => {
            Ok(failure(504, "gateway_timeout"))
        }
        found => found,
    };
    // Who asked may be gone.
    let _ = answer.send(found);
}

/// What becomes of a request where the exchange begins.
async fn arrive(network: &Network, request: Request) -> Result<Response, TransportError> {
    if network.is_down() || network.happens(|weather| weather.lose_request) {
        return Err(reset());
    }
    if network.happens(|weather| weather.fail_before) {
        return Ok(failure(503, "service_unavailable"));
    }
    if network.happens(|weather| weather.too_many) {
        return Ok(failure(429, "too_many_requests"));
    }
    let (status, body) = network.inside.call(http(request)).await;
    network.saw(format_args!("  = {status}"));
    Ok(Response { status: status.as_u16(), body: body.to_vec() })
}

fn reset() -> TransportError {
    TransportError::NoAnswer("connection reset".to_owned())
}

fn failure(status: u16, code: &str) -> Response {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"simulated"}}}}"#);
    Response { status, body: body.into_bytes() }
}

fn http(request: Request) -> HttpRequest<Body> {
    let uri = if request.query.is_empty() {
        request.path
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let body = request.body.map_or_else(Body::empty, Body::from);
    let mut http = HttpRequest::builder()
        .method(request.method.as_str())
        .uri(uri)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body)
        .unwrap();
    if let Some(signed) = request.signed {
        http.headers_mut().extend(signed.into_headers());
    }
    http
}

/// The order that a request is for.
fn order_of(request: &Request) -> Option<InFlight> {
    if request.method != Method::Post || !request.path.ends_with("/portfolio/events/orders") {
        return None;
    }
    let body: Value = serde_json::from_slice(request.body.as_deref()?).ok()?;
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    Some(InFlight {
        name: text("client_order_id")?,
        ticker: text("ticker")?,
        side: serde_json::from_value(body["side"].clone()).ok()?,
        price: text("price")?.parse().ok()?,
        quantity: text("count")?.parse().ok()?,
    })
}

/// A request as the trace has it: the exchange's ids in it are from the seed as well.
fn shown(request: &Request, order: &Option<InFlight>) -> String {
    let path = request.path.trim_start_matches("/trade-api/v2");
    match order {
        Some(order) => {
            format!("{path} {} {:?} {} at {}", order.name, order.side, order.quantity, order.price)
        }
        None => format!("{path}?{}", request.query),
    }
}
