//! One request to one answer.
//!
//! [`Transport`] is the seam right above the HTTP client, whose sockets are its own: tests and
//! simulations put their own transport in its place. It tries nothing twice; what it promises is
//! to say whether a request that failed may have reached the exchange.

use std::future::Future;
use std::time::Duration;

use hotpit_units::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};

use super::auth::SignedHeaders;
use crate::streams::chain;

/// The most bytes of an answer that are read: a page of 1,000 markets is about 3 MB.
const BODY_BYTES_MAX: usize = 32 << 20;

/// How long an idle connection is kept. Longer than the pause between two requests that keep
/// it warm, shorter than a load balancer's usual minute.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes.
    Put,
    /// Cancels.
    Delete,
}

impl Method {
    /// The method as it stands in a request, and in what is signed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path from the root, encoded.
    pub path: String,
    /// The query, encoded, without `?`; empty: none.
    pub query: String,
    /// The signature; none on public requests.
    pub signed: Option<SignedHeaders>,
    /// JSON; none on requests without a body.
    pub body: Option<Vec<u8>>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection could be opened: the request never left.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Anything else: the request may have reached the exchange.
    #[error("no answer: {0}")]
    NoAnswer(String),
}

/// Sends requests to one host.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request once and waits for its answer, at most as long as the request says.
    fn send(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, TransportError>> + Send;
}

/// HTTP/1.1 over kept connections with Nagle's algorithm off. Its connections live on the
/// runtime that opened them: give the desk one of its own, and no request crosses a thread.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
    origin: reqwest::Url,
}

/// Why no transport could be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address is not one.
    #[error("`{0}` is not an http or https address")]
    Address(String),
    /// The HTTP client cannot start (no TLS certificates of trusted authorities, most likely).
    #[error("the http client cannot start: {0}")]
    Client(String),
}

impl HttpTransport {
    /// A transport to the host of `url`.
    ///
    /// # Errors
    /// When the address is not one, or the machine has no trusted certificates.
    pub fn new(url: &str, connect_timeout: Duration) -> Result<Self, BuildError> {
        let origin = reqwest::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| BuildError::Address(url.to_owned()))?;
        let client = reqwest::Client::builder()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE_MAX)
            // A redirect would carry a signature to where it was not made for, and a second
            // try of an order is the desk's decision.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(concat!("hotpit/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| BuildError::Client(chain(&error)))?;
        Ok(Self { client, origin })
    }

    /// The time of the other end, by what it answers to an unsigned `GET` of `path`; none if it
    /// does not say.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn date(
        &self,
        path: &str,
        timeout: Duration,
    ) -> Result<Option<Timestamp>, TransportError> {
        let mut url = self.origin.clone();
        url.set_path(path);
        let answer = self.client.get(url).timeout(timeout).send().await.map_err(classify)?;
        Ok(date(answer.headers()))
    }
}

/// The time that an answer carries, cut to the second. Source: RFC 9110, section 6.6.1.
#[must_use]
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    u64::try_from(date.as_second()).ok().map(Timestamp::from_secs)
}

/// What lies between the clocks, in ms, at least and at most, by the date of an answer; more than 0
/// where ours is ahead. None if our clock was set back meanwhile, which bounds nothing.
#[must_use]
pub fn ahead_ms(date: Timestamp, asked: Timestamp, answered: Timestamp) -> Option<(i64, i64)> {
    let millis = |time: Timestamp| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let (asked, answered, date) = (millis(asked), millis(answered), millis(date));
    let bounds = (asked - date - 1_000, answered - date);
    Some(bounds).filter(|(least, most)| least <= most)
}

impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, path, query, signed, body, timeout } = request;
        let mut url = self.origin.clone();
        url.set_path(&path);
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut headers = HeaderMap::with_capacity(8);
        if let Some(signed) = signed {
            headers.extend(signed.into_headers());
        }
        let mut outgoing = self.client.request(method, url);
        if let Some(body) = body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            outgoing = outgoing.body(body);
        }
        let exchange = async {
            let mut answer = outgoing.headers(headers).send().await.map_err(classify)?;
            let status = answer.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(no_answer)? {
                if body.len() + chunk.len() > BODY_BYTES_MAX {
                    let reason = format!("the answer is longer than {BODY_BYTES_MAX} bytes");
                    return Err(TransportError::NoAnswer(reason));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Response { status, body })
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| {
            Err(TransportError::NoAnswer(format!("timeout after {} ms", timeout.as_millis())))
        })
    }
}

fn classify(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(chain(&error.without_url()))
    } else {
        no_answer(error)
    }
}

fn no_answer(error: reqwest::Error) -> TransportError {
    TransportError::NoAnswer(chain(&error.without_url()))
}

#[cfg(test)]
mod tests {
    use hotpit_rt::net::TcpListener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn request(timeout: Duration) -> Request {
        Request {
            method: Method::Post,
            path: "/trade-api/v2/portfolio/events/orders".into(),
            query: "a=b%20c".into(),
            signed: None,
            body: Some(b"{}".to_vec()),
            timeout,
        }
    }

    fn transport(port: u16) -> HttpTransport {
        let url = format!("http://127.0.0.1:{port}/trade-api/v2");
        HttpTransport::new(&url, Duration::from_secs(1)).unwrap()
    }

    /// Sends one request to a peer that answers so; empty: it hangs up without an answer.
    async fn exchange(answer: &'static str) -> (Result<Response, TransportError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"{}") {
                stream.read_buf(&mut read).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(read).unwrap()
        });
        let response = transport(port).send(request(Duration::from_secs(10))).await;
        (response, peer.await.unwrap())
    }

    #[tokio::test]
    async fn a_request_goes_out_whole_and_the_answer_comes_back() {
        let answer = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok";
        let (response, sent) = exchange(answer).await;
        assert_eq!(response, Ok(Response { status: 201, body: b"ok".to_vec() }));
        let line = "POST /trade-api/v2/portfolio/events/orders?a=b%20c HTTP/1.1\r\n";
        assert!(sent.starts_with(line), "{sent}");
        assert!(sent.contains("content-type: application/json"), "{sent}");
    }

    #[tokio::test]
    async fn a_refused_connection_proves_that_nothing_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = transport(port).send(request(Duration::from_secs(10))).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent(_)), "{error}");
    }

    #[tokio::test]
    async fn a_hang_up_after_the_request_proves_nothing() {
        for answer in
            ["", "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\nhalf", "noise\r\n\r\n"]
        {
            let (response, _) = exchange(answer).await;
            assert!(matches!(response, Err(TransportError::NoAnswer(_))), "{answer}: {response:?}");
        }
    }

    #[tokio::test]
    async fn a_timeout_proves_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sending = transport(port).send(request(Duration::from_millis(100))).await;
        assert!(matches!(sending, Err(TransportError::NoAnswer(_))), "{sending:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let answer = "HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(exchange(answer).await.0.unwrap().status, 307);
    }

    #[test]
    fn an_address_must_be_one() {
        for url in ["", "exchange", "ftp://x/", "http://"] {
            let made = HttpTransport::new(url, Duration::from_secs(1));
            assert!(matches!(made, Err(BuildError::Address(_))), "{url}");
        }
    }
}
