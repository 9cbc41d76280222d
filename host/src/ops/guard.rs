//! Who may ask what: the checks before a request reaches its handler.

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, Method, header};

use crate::config::Secret;

/// The paths that everybody who can reach the port may read: whether the host is well, and that it
/// is not idle. All others show what it trades.
const OPEN_TO_ALL: [&str; 5] =
    ["/health", "/_health", "/_agentuity/health", "/_idle", "/_agentuity/idle"];

/// Decides about requests.
#[derive(Debug)]
pub(super) struct Guard {
    token: Secret,
    /// Only this machine can reach the port.
    loopback: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It names another host: a web page that had its name resolve to this machine.
    WrongHost,
    /// It has no token, or a wrong one.
    NoToken,
}

impl Guard {
    pub(super) fn new(token: Secret, bound: IpAddr) -> Self {
        Self { token, loopback: bound.is_loopback() }
    }

    /// Whether a request may go on.
    pub(super) fn check(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if self.loopback && !names_this_machine(headers) {
            return Err(Refusal::WrongHost);
        }
        let reads = method == Method::GET || method == Method::HEAD;
        if reads && (OPEN_TO_ALL.contains(&path) || self.may_read(headers)) {
            return Ok(());
        }
        if self.has_token(headers) { Ok(()) } else { Err(Refusal::NoToken) }
    }

    /// Whether who asks may read what the host trades.
    pub(super) fn may_read(&self, headers: &HeaderMap) -> bool {
        self.loopback || self.has_token(headers)
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        given.is_some_and(|given| {
            verify_slices_are_equal(given.trim().as_bytes(), self.token.expose().as_bytes()).is_ok()
        })
    }
}

/// Whether the `Host` of a request is this machine, by address or as `localhost`.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    name.is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn on_loopback_reading_is_free_and_changing_needs_the_token() {
        let guard = Guard::new(Secret::new("t0ken".into()), Ipv4Addr::LOCALHOST.into());
        let host = (header::HOST, "127.0.0.1:7700");
        let right = (header::AUTHORIZATION, "Bearer t0ken");
        let wrong = (header::AUTHORIZATION, "Bearer t0ke");
        let basic = (header::AUTHORIZATION, "t0ken");
        let cases = [
            (Method::GET, vec![host.clone()], Ok(())),
            (Method::POST, vec![host.clone()], Err(Refusal::NoToken)),
            (Method::POST, vec![host.clone(), wrong], Err(Refusal::NoToken)),
            (Method::POST, vec![host.clone(), basic], Err(Refusal::NoToken)),
            (Method::POST, vec![host, right], Ok(())),
        ];
        for (method, pairs, expected) in cases {
            assert_eq!(guard.check(&method, "/orders", &headers(&pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn on_loopback_another_host_name_is_refused() {
        let guard = Guard::new(Secret::new("t".into()), Ipv6Addr::LOCALHOST.into());
        let check = |host| guard.check(&Method::GET, "/status", &headers(&[(header::HOST, host)]));
        for host in ["localhost", "LOCALHOST:7700", "127.0.0.1", "127.9.9.9:1", "[::1]:7700"] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
        for host in ["evil.example:7700", "127.0.0.1.evil.example", "10.0.0.1", "[fe80::1]:1", ""] {
            assert_eq!(check(host), Err(Refusal::WrongHost), "{host}");
        }
        let none = guard.check(&Method::GET, "/status", &HeaderMap::new());
        assert_eq!(none, Err(Refusal::WrongHost));
    }

    #[test]
    fn beyond_this_machine_only_health_is_read_without_a_token() {
        let guard = Guard::new(Secret::new("t".into()), Ipv4Addr::UNSPECIFIED.into());
        let check = |path| guard.check(&Method::GET, path, &HeaderMap::new());
        for path in OPEN_TO_ALL {
            assert_eq!(check(path), Ok(()), "{path}");
            let posted = guard.check(&Method::POST, path, &HeaderMap::new());
            assert_eq!(posted, Err(Refusal::NoToken), "{path}");
        }
        assert!(!guard.may_read(&HeaderMap::new()));
        for path in ["/metrics", "/status", "/positions", "/orders", "/agents", "/"] {
            assert_eq!(check(path), Err(Refusal::NoToken), "{path}");
        }
        let with = headers(&[(header::AUTHORIZATION, "Bearer t")]);
        assert_eq!(guard.check(&Method::GET, "/status", &with), Ok(()));
    }
}
