//! A real exchange on a free port, and clients of it that know nothing of its insides.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(missing_docs, unreachable_pub, reason = "helpers of tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use hotpit_exchange::core::{
    AccountId, AccountKind, Event, FeeSchedule, FeeType, MarketKey, MarketSpec, NewOrder,
    PriceGrid, Series,
};
use hotpit_exchange::server::credentials::{Credentials, KeyKind, generate_credentials};
use hotpit_exchange::server::{AccountSettings, Floor, Handle, Pace, Settings, start};
use hotpit_rt::net::{TcpListener, TcpStream};
use hotpit_rt::{Clock, Entropy};
use hotpit_units::{Dollars, Price, Quantity, Side, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

pub const SEA: &str = "KXNFLGAME-26NOV22NESEA-SEA";
pub const NE: &str = "KXNFLGAME-26NOV22NESEA-NE";
pub const LAL: &str = "KXNBAGAME-26NOV22BOSLAL-LAL";

/// A folder that goes away with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("hotpit-exchange-{}-{}", std::process::id(), fresh());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The private half of an account's key.
pub enum Signer {
    Ed25519(String, Ed25519KeyPair),
    Rsa(String, RsaKeyPair),
}

impl Signer {
    pub fn load(credentials: &Credentials) -> Self {
        let pem = std::fs::read_to_string(&credentials.private_key).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = BASE64.decode(body).unwrap();
        let id = credentials.key_id.clone();
        match RsaKeyPair::from_pkcs8(&der) {
            Ok(pair) => Self::Rsa(id, pair),
            Err(_) => Self::Ed25519(id, Ed25519KeyPair::from_pkcs8(&der).unwrap()),
        }
    }

    pub fn key_id(&self) -> &str {
        match self {
            Self::Ed25519(id, _) | Self::Rsa(id, _) => id,
        }
    }

    pub fn sign(&self, message: &str) -> String {
        match self {
            Self::Ed25519(_, pair) => BASE64.encode(pair.sign(message.as_bytes())),
            Self::Rsa(_, pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let rng = SystemRandom::new();
                pair.sign(&RSA_PSS_SHA256, &rng, message.as_bytes(), &mut signature).unwrap();
                BASE64.encode(signature)
            }
        }
    }

    /// The three headers of a request, signed now.
    pub fn headers(&self, method: &str, path: &str) -> [(&'static str, String); 3] {
        let stamp = now_ms().to_string();
        let signature = self.sign(&format!("{stamp}{method}{path}"));
        self.headers_of(stamp, signature)
    }

    pub fn headers_of(&self, stamp: String, signature: String) -> [(&'static str, String); 3] {
        [
            ("KALSHI-ACCESS-KEY", self.key_id().to_owned()),
            ("KALSHI-ACCESS-TIMESTAMP", stamp),
            ("KALSHI-ACCESS-SIGNATURE", signature),
        ]
    }
}

pub fn now_ms() -> u64 {
    Clock::system().now().as_millis()
}

/// An exchange with one member and three quiet markets: two of a game on shard 0, one on shard 3.
pub struct World {
    pub exchange: Handle,
    pub signer: Signer,
    http: reqwest::Client,
    _folder: Folder,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(quiet(), KeyKind::Ed25519).await
    }

    pub async fn start_with(settings: Settings, kind: KeyKind) -> Self {
        Self::start_from(settings, kind, 7).await
    }

    pub async fn start_from(mut settings: Settings, kind: KeyKind, seed: u64) -> Self {
        let folder = Folder::new();
        let credentials = generate_credentials(folder.path(), kind).unwrap();
        let pem = credentials.public_key_pem().unwrap();
        settings.accounts = vec![AccountSettings::new(&*credentials.key_id, pem)];
        let is_empty = settings.scenario.is_none();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let exchange =
            start(settings, listener, Clock::system(), Entropy::seeded(seed)).await.unwrap();
        if is_empty {
            exchange.with_floor(list_markets).await.unwrap();
        }
        let signer = Signer::load(&credentials);
        Self { exchange, signer, http: reqwest::Client::new(), _folder: folder }
    }

    /// A signed request; its status and its JSON (null if it is not JSON).
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        self.try_call(method, path, body).await.unwrap()
    }

    /// The same, when it may fail on its way.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> reqwest::Result<(u16, Value)> {
        let full = format!("/trade-api/v2{path}");
        let signed = full.split('?').next().unwrap();
        let headers = self.signer.headers(method.as_str(), signed);
        let url = format!("http://{}{full}", self.exchange.address());
        let mut request = self.http.request(method, url).timeout(Duration::from_secs(10));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.call(Method::DELETE, path, None).await
    }

    /// A request without a signature, to any path.
    pub async fn plain(&self, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.http.get(format!("http://{}{path}", self.exchange.address()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub async fn place(&self, order: Value) -> (u16, Value) {
        self.post("/portfolio/events/orders", order).await
    }

    pub async fn audit(&self) -> Value {
        self.exchange.audit(self.signer.key_id(), 0).await.unwrap().unwrap()
    }

    /// Somebody else's order, good till canceled.
    pub async fn background(&self, ticker: &'static str, side: Side, cents: u32, contracts: i64) {
        let place = move |floor: &mut Floor| {
            let account = stranger(floor);
            let market = floor.exchange.find(ticker).unwrap();
            let count = Quantity::from_contracts(contracts);
            let order = NewOrder::limit(market, side, Price::from_cents(cents), count);
            let now = floor.now();
            floor.exchange.create_order(now, account, order).unwrap();
        };
        self.exchange.with_floor(place).await.unwrap();
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self).await.unwrap()
    }
}

/// Settings for an exchange where nothing happens by itself.
pub fn quiet() -> Settings {
    Settings { scenario: None, ..Settings::default() }
}

/// The same, where time stands still too.
pub fn frozen() -> Settings {
    let start = Timestamp::from_secs(1_795_000_000);
    Settings { pace: Pace::Manual { start }, ..quiet() }
}

/// A background account with plenty of cash, made if there is none.
fn stranger(floor: &mut Floor) -> AccountId {
    let mut accounts = floor.exchange.accounts().iter();
    let known = accounts.find(|account| account.kind == AccountKind::Background);
    if let Some(account) = known {
        return account.id;
    }
    let account = floor.exchange.open_account(AccountKind::Background);
    for shard in 0..4 {
        floor.exchange.deposit(account, shard, Dollars::from_dollars(1_000_000));
    }
    account
}

fn list_markets(floor: &mut Floor) {
    list_event(floor, "KXNFLGAME", "KXNFLGAME-26NOV22NESEA", 0, &[SEA, NE]);
    list_event(floor, "KXNBAGAME", "KXNBAGAME-26NOV22BOSLAL", 3, &[LAL]);
}

fn list_event(floor: &mut Floor, series: &str, event: &str, shard: i32, tickers: &[&str]) {
    let fees = FeeSchedule { fee_type: FeeType::Quadratic, multiplier_milli: 1_000 };
    let listed = Series {
        ticker: series.into(),
        title: "Games".into(),
        category: "Sports".into(),
        tags: vec!["Football".into()],
        frequency: "custom".into(),
        fees,
        exchange_index: shard,
    };
    floor.exchange.list_series(listed).unwrap();
    let listed = Event {
        ticker: event.into(),
        series_ticker: series.into(),
        title: "New England at Seattle Winner?".into(),
        sub_title: "NE at SEA (Nov 22)".into(),
        mutually_exclusive: true,
        collateral_return_type: "MECNET".into(),
        product_metadata: BTreeMap::from([("competition".into(), "Pro Football".into())]),
        exchange_index: shard,
        fee_override: None,
    };
    floor.exchange.list_event(listed).unwrap();
    for ticker in tickers {
        list_market(floor, event, ticker);
    }
}

pub fn list_market(floor: &mut Floor, event: &str, ticker: &str) -> MarketKey {
    let now = floor.now();
    let spec = MarketSpec {
        ticker: ticker.into(),
        event_ticker: event.into(),
        title: "New England at Seattle Winner?".into(),
        yes_sub_title: "Seattle".into(),
        no_sub_title: "Seattle".into(),
        rules_primary: "If Seattle wins, then the market resolves to Yes.".into(),
        strike_type: "structured".into(),
        custom_strike: BTreeMap::from([("football_team".into(), format!("target-{ticker}"))]),
        grid: PriceGrid::linear_cent(),
        open_time: now,
        close_time: now + Duration::from_secs(86_400),
        expected_expiration_time: now + Duration::from_secs(40_000),
        occurrence_time: now + Duration::from_secs(30_000),
    };
    floor.exchange.list_market(now, spec).unwrap()
}

/// An order as a host would send it.
pub fn order(name: &str, side: &str, price: &str, count: &str, time_in_force: &str) -> Value {
    json!({
        "ticker": SEA,
        "client_order_id": name,
        "side": side,
        "price": price,
        "count": count,
        "time_in_force": time_in_force,
        "self_trade_prevention_type": "taker_at_cross",
        "exchange_index": 0,
    })
}

/// A good-till-canceled bid.
pub fn bid(name: &str, price: &str, count: &str) -> Value {
    order(name, "bid", price, count, "good_till_canceled")
}

/// A WebSocket client.
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    next_id: u64,
}

impl Client {
    pub async fn connect(world: &World) -> Result<Self, Box<WsError>> {
        let headers = world.signer.headers("GET", "/trade-api/ws/v2");
        Self::connect_with(world, &headers).await
    }

    pub async fn connect_with(
        world: &World,
        headers: &[(&'static str, String)],
    ) -> Result<Self, Box<WsError>> {
        let mut request = world.exchange.ws_url().into_client_request().map_err(Box::new)?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let address = world.exchange.address();
        let stream = hotpit_rt::net::connect(&address.ip().to_string(), address.port())
            .await
            .map_err(|error| Box::new(WsError::Io(error)))?;
        let (socket, _) =
            tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?;
        Ok(Self { socket, next_id: 0 })
    }

    /// Sends a command with the next id, which is returned.
    pub async fn send(&mut self, cmd: &str, params: Value) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.text(&json!({ "id": id, "cmd": cmd, "params": params }).to_string()).await;
        id
    }

    pub async fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn subscribe(&mut self, channel: &str, tickers: &[&str]) -> u64 {
        let mut params = json!({ "channels": [channel] });
        if !tickers.is_empty() {
            params["market_tickers"] = json!(tickers);
        }
        self.send("subscribe", params).await
    }

    /// The next WebSocket message of any kind.
    pub async fn message(&mut self) -> Option<Result<Message, WsError>> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.socket.next());
        next.await.expect("no frame within 10 s")
    }

    /// The next text frame as it came.
    pub async fn raw(&mut self) -> String {
        loop {
            match self.message().await {
                Some(Ok(Message::Text(text))) => return text.as_str().to_owned(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not a text frame: {other:?}"),
            }
        }
    }

    /// The next text frame as JSON.
    pub async fn frame(&mut self) -> Value {
        let text = self.raw().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// All frames that were sent before now.
    pub async fn drain(&mut self) -> Vec<Value> {
        let id = self.send("list_subscriptions", json!({})).await;
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            if frame["id"] == id {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// The next `count` frames.
    pub async fn frames(&mut self, count: usize) -> Vec<Value> {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(self.frame().await);
        }
        frames
    }

    /// Whether the server ends the connection, whatever comes before that.
    pub async fn is_closed(&mut self) -> bool {
        loop {
            match self.message().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => return true,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Asserts that nothing more comes: the answer to a question is the next frame.
    pub async fn assert_silent(&mut self) {
        let id = self.send("list_subscriptions", json!({})).await;
        let frame = self.frame().await;
        assert_eq!((frame["id"].as_u64(), &frame["type"]), (Some(id), &json!("ok")), "{frame}");
    }
}

/// The types of frames, with their sequence numbers.
pub fn outline(frames: &[Value]) -> Vec<(String, Option<u64>)> {
    let one = |frame: &Value| (frame["type"].as_str().unwrap().to_owned(), frame["seq"].as_u64());
    frames.iter().map(one).collect()
}
