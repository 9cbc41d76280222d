//! [`Client`]: talks to the operator's port of a running host.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ops::{Endpoint, EndpointError, Problem};

/// How long an answer may take: longer than the host lets its desk take.
const TIMEOUT: Duration = Duration::from_secs(70);
/// How long a connection to this machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Talks to one host.
pub(super) struct Client {
    endpoint: Endpoint,
    folder: String,
    http: reqwest::Client,
}

impl Client {
    /// The client of the host with this state folder.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let endpoint = Endpoint::find(folder)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self { endpoint, folder: folder.display().to_string(), http })
    }

    /// `GET path`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// `POST path`.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        self.send(Method::POST, path, serde_json::to_vec(body)?).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<T> {
        let Endpoint { address, token } = &self.endpoint;
        let answer = self
            .http
            .request(method, format!("http://{address}{path}"))
            .bearer_auth(token.expose())
            .body(body)
            .send()
            .await
            .map_err(|error| self.explain(&error))?;
        let status = answer.status();
        let bytes = answer.bytes().await.context("the host stopped in the middle of its answer")?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).with_context(|| {
                format!("{address} does not answer as this hotpit does: is it another version?")
            });
        }
        let problem = serde_json::from_slice::<Problem>(&bytes)
            .map_or_else(|_| format!("answered {status}"), |problem| problem.error);
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "{address} does not take the token in {}/ops.token: another host has this port",
                self.folder
            );
        }
        bail!("the host says: {problem}");
    }

    /// What it means that nobody answered.
    fn explain(&self, error: &reqwest::Error) -> anyhow::Error {
        if error.is_connect() {
            let missing = EndpointError::NotRunning(self.folder.clone().into());
            return anyhow!(
                "{missing} (one listened on {} but did not end in order)",
                self.endpoint.address
            );
        }
        if error.is_timeout() {
            return anyhow!("the host on {} does not answer", self.endpoint.address);
        }
        anyhow!("cannot talk to the host on {}: {error}", self.endpoint.address)
    }
}
