//! [`Fetch`]: one reading of one address.

use std::future::Future;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{DATE, ETAG, IF_NONE_MATCH, RETRY_AFTER};

use crate::streams::{chain, retry_after};

/// The most bytes of an answer that are read: a full college Saturday is about 2 MB.
const BODY_BYTES_MAX: usize = 16 << 20;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It changed.
    Fresh {
        /// The body.
        body: Vec<u8>,
        /// The server's tag for this body, to ask with the next time.
        etag: Option<String>,
    },
    /// It is what the tag was for.
    NotModified,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// We are asked to read less often (403, 429), or the server is overloaded (503).
    #[error("refused with {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// How long to wait, where the server says so.
        retry_after: Option<Duration>,
    },
    /// Another status than 200 and 304.
    #[error("status {0}")]
    Status(u16),
    /// No answer, or not a whole one.
    #[error("{0}")]
    Transport(String),
}

/// Reads addresses of one host. The seam right above the HTTP client, whose sockets are its
/// own.
pub trait Fetch: Send + Sync + 'static {
    /// Reads `path` (with its query), unless what is there is what `etag` stands for.
    fn get(
        &self,
        path: &str,
        etag: Option<&str>,
    ) -> impl Future<Output = Result<Answer, FetchError>> + Send;
}

/// [`Fetch`] over HTTP.
#[derive(Debug, Clone)]
pub struct HttpFetch {
    client: reqwest::Client,
    url: String,
}

impl HttpFetch {
    /// Reads from `url`, each answer within `timeout`.
    ///
    /// # Errors
    /// When the HTTP client cannot start (no certificates of trusted authorities, most likely).
    pub fn new(url: &str, timeout: Duration) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            .user_agent(concat!("hotpit/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| FetchError::Transport(error.to_string()))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned() })
    }
}

impl Fetch for HttpFetch {
    async fn get(&self, path: &str, etag: Option<&str>) -> Result<Answer, FetchError> {
        let transport = |error: reqwest::Error| FetchError::Transport(chain(&error));
        let mut request = self.client.get(format!("{}{path}", self.url));
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        match status {
            StatusCode::NOT_MODIFIED => return Ok(Answer::NotModified),
            StatusCode::OK => {}
            StatusCode::FORBIDDEN
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE => {
                let retry_after = header(RETRY_AFTER)
                    .and_then(|text| retry_after(&text, header(DATE).as_deref()));
                return Err(FetchError::Refused { status: status.as_u16(), retry_after });
            }
            _ => return Err(FetchError::Status(status.as_u16())),
        }
        let etag = header(ETAG);
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                let error = format!("the answer is longer than {BODY_BYTES_MAX} bytes");
                return Err(FetchError::Transport(error));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer::Fresh { body, etag })
    }
}
