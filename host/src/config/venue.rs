//! [`Exchange`]: which exchange the host talks to, and at which addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::Deserialize;

/// Which exchange the host talks to.
///
/// To the rest of the host this is two addresses and no more: nothing else depends on whether
/// the exchange is Kalshi, its demo, or the practice exchange.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Exchange {
    /// Kalshi's demo environment: real protocol, play money, accounts of its own.
    #[default]
    Demo,
    /// Kalshi: real money.
    Kalshi,
    /// Whoever speaks Kalshi's protocol at this base address, `http://host:port` or
    /// `https://host`, without a path.
    At(Address),
}

/// A base address that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    /// `host` or `host:port`.
    authority: String,
    loopback: bool,
}

/// Why a text does not name an exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// It is neither of the names nor an address.
    #[error("`{0}` is not an exchange: write \"demo\", \"kalshi\", or \"http://host:port\"")]
    Unknown(String),
    /// An address has more than a host and a port.
    #[error("`{0}` has a path, a query or a login: write \"http://host:port\" alone")]
    MoreThanAnAddress(String),
    /// Kalshi under its own host name would pass for another exchange.
    #[error("`{0}` is Kalshi itself: write \"kalshi\" or \"demo\"")]
    Kalshi(String),
    /// An address without a host, or with a port that is none.
    #[error("`{0}` has no host, or a wrong port")]
    NoHost(String),
}

impl Exchange {
    /// The base of the REST API, without a slash at the end. Source: Kalshi, API environments.
    #[must_use]
    pub fn rest_url(&self) -> String {
        match self {
            Self::Demo => "https://external-api.demo.kalshi.co/trade-api/v2".into(),
            Self::Kalshi => "https://external-api.kalshi.com/trade-api/v2".into(),
            Self::At(Address { tls, authority, .. }) => {
                format!("{}://{authority}/trade-api/v2", if *tls { "https" } else { "http" })
            }
        }
    }

    /// The address of the WebSocket. Source: Kalshi, API environments.
    #[must_use]
    pub fn ws_url(&self) -> String {
        match self {
            Self::Demo => "wss://external-api-ws.demo.kalshi.co/trade-api/ws/v2".into(),
            Self::Kalshi => "wss://external-api-ws.kalshi.com/trade-api/ws/v2".into(),
            Self::At(Address { tls, authority, .. }) => {
                format!("{}://{authority}/trade-api/ws/v2", if *tls { "wss" } else { "ws" })
            }
        }
    }

    /// Whether an order could cost real money. An address is trusted not to only where it is
    /// this machine: what is behind any other is not known.
    #[must_use]
    pub fn may_cost_money(&self) -> bool {
        match self {
            Self::Demo => false,
            Self::Kalshi => true,
            Self::At(address) => !address.loopback,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demo => f.pad("demo"),
            Self::Kalshi => f.pad("kalshi"),
            Self::At(Address { tls, authority, .. }) => {
                write!(f, "{}://{authority}", if *tls { "https" } else { "http" })
            }
        }
    }
}

impl FromStr for Exchange {
    type Err = ExchangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "demo" => return Ok(Self::Demo),
            "kalshi" => return Ok(Self::Kalshi),
            _ => {}
        }
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(ExchangeError::Unknown(text.into())),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        if authority.contains(['/', '?', '#', '@', ' ']) {
            return Err(ExchangeError::MoreThanAnAddress(text.into()));
        }
        let host = host_of(&authority).ok_or_else(|| ExchangeError::NoHost(text.into()))?;
        let is_kalshi = ["kalshi.com", "kalshi.co"].iter().any(|domain| {
            host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
        });
        if is_kalshi {
            return Err(ExchangeError::Kalshi(text.into()));
        }
        let loopback = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        Ok(Self::At(Address { tls, authority, loopback }))
    }
}

/// The host of `host`, `host:port` or `[v6]:port`; none if there is no such host or port.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port_is_right = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    // A point at the end names the same host.
    let host = host.strip_suffix('.').unwrap_or(host);
    (port_is_right && !host.is_empty()).then_some(host)
}

impl TryFrom<String> for Exchange {
    type Error = ExchangeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_both_urls() {
        let exchange: Exchange = "http://127.0.0.1:7117/".parse().unwrap();
        assert_eq!(exchange.rest_url(), "http://127.0.0.1:7117/trade-api/v2");
        assert_eq!(exchange.ws_url(), "ws://127.0.0.1:7117/trade-api/ws/v2");
        assert_eq!(exchange.to_string(), "http://127.0.0.1:7117");
        let exchange: Exchange = "https://exchange.example".parse().unwrap();
        assert_eq!(exchange.ws_url(), "wss://exchange.example/trade-api/ws/v2");
    }

    #[test]
    fn kalshi_cannot_be_named_by_its_address() {
        for text in [
            "https://api.elections.kalshi.com",
            "https://KALSHI.com",
            "https://external-api.kalshi.com:443",
            "https://external-api.kalshi.com.",
            "https://demo-api.kalshi.co",
        ] {
            assert_eq!(text.parse::<Exchange>(), Err(ExchangeError::Kalshi(text.into())), "{text}");
        }
        assert!("https://notkalshi.com".parse::<Exchange>().is_ok());
    }

    #[test]
    fn what_is_not_an_exchange_is_refused() {
        for text in [
            "",
            "Kalshi",
            "prod",
            "127.0.0.1:7117",
            "ftp://host",
            "http://",
            "http://:80",
            "http://host:port",
            "http://host:0",
            "http://[::1",
            "http://[host]:1",
            "http://user@host",
            "http://host/trade-api",
            "http://host?x",
        ] {
            assert!(text.parse::<Exchange>().is_err(), "{text}");
        }
    }
}
