//! [`Settings`] of the traces, and the [`Headers`] that go with them.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

/// Where spans are posted, below the endpoint: OTLP specification, "OTLP/HTTP Request".
const PATH: &str = "v1/traces";

/// Traces. Section `[traces]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The base address of the collector; empty: there are no traces.
    pub endpoint: String,
    /// What else every span says of this host, as `key=value,key=value`.
    pub resource: String,
    /// What the collector knows us by. Comes from the environment, never from the file.
    #[serde(skip)]
    pub headers: Headers,
}

/// Why there are no traces with these settings. Says nothing of what a header holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TracesError {
    /// The endpoint is no address.
    #[error(
        "traces.endpoint: not the http or https address of a collector and nothing more, such as \"http://127.0.0.1:4318\""
    )]
    Endpoint,
    /// A secret would be readable on its way.
    #[error(
        "traces.endpoint: HOTPIT_TRACES_HEADERS would go over the network in clear: take an https \
         address, or a collector on this machine"
    )]
    InClear,
    /// The additional attributes are not in their form.
    #[error("traces.resource: {0}")]
    Resource(String),
    /// The headers are not in their form.
    #[error("HOTPIT_TRACES_HEADERS: {0}")]
    Headers(String),
    /// The HTTP client cannot start.
    #[error("no http client for traces: {0}")]
    Client(String),
}

impl Settings {
    /// Whether there are traces.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.endpoint.is_empty()
    }

    /// Adds what is wrong, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let resource = self.attributes().map(drop);
        let endpoint = if self.is_on() { self.url().map(drop) } else { Ok(()) };
        problems.extend(
            [resource, endpoint].into_iter().filter_map(Result::err).map(|e| e.to_string()),
        );
    }

    /// Where spans are posted.
    pub(super) fn url(&self) -> Result<Url, TracesError> {
        let base = format!("{}/{PATH}", self.endpoint.trim_end_matches('/'));
        let url = Url::parse(&base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .filter(|url| url.query().is_none() && url.fragment().is_none())
            // It is shown in logs: no place for a password.
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .ok_or(TracesError::Endpoint)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_here = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if url.scheme() == "http" && !is_here && !self.headers.0.is_empty() {
            return Err(TracesError::InClear);
        }
        Ok(url)
    }

    /// What else every span says of this host.
    pub(super) fn attributes(&self) -> Result<Vec<(String, String)>, TracesError> {
        pairs(&self.resource)
            .map_err(|at| TracesError::Resource(format!("entry {at} is not of the form key=value")))
    }
}

/// What a collector knows us by. Shows nothing of itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(pub(super) HeaderMap);

impl Headers {
    /// Reads `name=value,name=value`, values percent-encoded, as in `OTEL_EXPORTER_OTLP_HEADERS`
    /// (OpenTelemetry specification, "Protocol exporter").
    ///
    /// # Errors
    /// When it is not that; without what it holds.
    pub fn parse(text: &str) -> Result<Self, TracesError> {
        let wrong =
            |at: usize| TracesError::Headers(format!("entry {at} is not of the form name=value"));
        let mut headers = HeaderMap::new();
        for (index, (name, value)) in pairs(text).map_err(wrong)?.into_iter().enumerate() {
            let name: HeaderName = name.parse().map_err(|_| wrong(index + 1))?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong(index + 1))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self(headers))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({})", self.0.len())
    }
}

/// Reads `key=value,key=value`.
///
/// # Errors
/// Which entry is none, counted from 1.
fn pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    let entries = text.split(',').map(str::trim).enumerate();
    entries
        .filter(|(_, entry)| !entry.is_empty())
        .map(|(index, entry)| {
            let (key, value) = entry.split_once('=').ok_or(index + 1)?;
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| index + 1)?;
            match key.trim() {
                "" => Err(index + 1),
                key => Ok((key.to_owned(), value.into_owned())),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoint: &str, headers: &str) -> Settings {
        let headers = Headers::parse(headers).unwrap();
        Settings { endpoint: endpoint.to_owned(), headers, ..Settings::default() }
    }

    #[test]
    fn spans_go_below_the_endpoint() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318/v1/traces")),
            ("http://collector:4318/", Ok("http://collector:4318/v1/traces")),
            ("https://otel.example.com/otlp", Ok("https://otel.example.com/otlp/v1/traces")),
            ("otel.example.com", Err(TracesError::Endpoint)),
            ("grpc://otel.example.com", Err(TracesError::Endpoint)),
            ("https://otel.example.com?key=1", Err(TracesError::Endpoint)),
            ("https://me:hunter2@otel.example.com", Err(TracesError::Endpoint)),
        ] {
            let url = settings(endpoint, "").url().map(|url| url.to_string());
            assert_eq!(url, expected.map(str::to_owned), "{endpoint}");
        }
    }

    #[test]
    fn headers_never_cross_a_network_in_clear() {
        for (endpoint, is_safe) in [
            ("https://otel.example.com", true),
            ("http://localhost:4318", true),
            ("http://[::1]:4318", true),
            ("http://127.0.0.1:4318", true),
            ("http://127.0.0.1.example.com", false),
            ("http://collector:4318", false),
        ] {
            let url = settings(endpoint, "authorization=Bearer%20hunter2").url();
            assert_eq!(url.is_ok(), is_safe, "{endpoint}");
        }
    }

    #[test]
    fn headers_are_read_as_they_are_written_for_others_and_show_nothing() {
        let headers = Headers::parse("Authorization=Bearer%20a=b, x-team = hunter2 ,").unwrap();
        let value = |name: &str| headers.0.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("authorization"), Some("Bearer a=b"));
        assert_eq!(value("x-team"), Some("hunter2"));
        assert_eq!(format!("{headers:?}"), "Headers(2)");
        for wrong in ["hunter2", "=hunter2", "a=1,hunter 2=x", "a=hunter2%0d%0ab"] {
            let error = Headers::parse(wrong).unwrap_err().to_string();
            assert!(error.contains("is not of the form") && !error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let mut problems = vec![];
        let settings = Settings {
            endpoint: "nowhere".to_owned(),
            resource: "team=a,b".to_owned(),
            ..Settings::default()
        };
        settings.validate(&mut problems);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(problems[0], "traces.resource: entry 2 is not of the form key=value");
        assert!(problems[1].starts_with("traces.endpoint: not the http"), "{problems:?}");
    }
}
