//! [`Address`]: where Redis is and who we are there, and a form of it that may be shown.

use std::fmt;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// Where Redis is, with credentials. Its text form has none.
#[derive(Clone)]
pub struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) login: RedisConnectionInfo,
    shown: String,
}

/// Why an address cannot be used. Never repeats the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a Redis URL.
    #[error("not a redis address: write redis://host:port/db, or rediss:// for tls")]
    Malformed,
    /// A socket file.
    #[error("unix sockets are not supported: use redis://host:port")]
    UnixSocket,
    /// `rediss://...#insecure`.
    #[error("certificates are always checked: leave #insecure out")]
    Insecure,
}

impl Address {
    /// Reads a URL. `password` is used where the URL has none.
    ///
    /// # Errors
    /// When it is none that this host can use.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        let info = url.into_connection_info().map_err(|_| AddressError::Malformed)?;
        let (host, port, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host.clone(), *port, false),
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(AddressError::Insecure),
            ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port, true),
            ConnectionAddr::Unix(_) => return Err(AddressError::UnixSocket),
            // The enum may grow with the library.
            _ => return Err(AddressError::Malformed),
        };
        let mut login = info.redis_settings().clone();
        if let (None, Some(password)) = (login.password(), password) {
            login = login.set_password(password);
        }
        Ok(Self { host, port, tls, login, shown: Self::mask(url) })
    }

    /// A URL with everything between `//` and `@` hidden.
    #[must_use]
    pub fn mask(url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
        match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://***@{place}"),
            None => url.to_owned(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_place_and_hides_who_we_are() {
        let address = Address::parse("redis://me:hunter2@host:7000/3", None).unwrap();
        assert_eq!(format!("{address} {address:?}").matches("redis://***@host:7000/3").count(), 2);
        assert_eq!((address.host.as_str(), address.port, address.tls), ("host", 7000, false));
        assert_eq!(address.login.password(), Some("hunter2"));
    }

    #[test]
    fn the_password_from_outside_counts_where_the_url_has_none() {
        let password = |url| {
            let address = Address::parse(url, Some("outside")).unwrap();
            address.login.password().map(str::to_owned)
        };
        assert_eq!(password("rediss://me@host").as_deref(), Some("outside"));
        assert_eq!(password("rediss://me:inside@host").as_deref(), Some("inside"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_advice() {
        let cases = [
            ("http://host", AddressError::Malformed),
            ("", AddressError::Malformed),
            ("rediss://host/#insecure", AddressError::Insecure),
            ("unix:///run/redis.sock", AddressError::UnixSocket),
        ];
        for (url, expected) in cases {
            assert_eq!(Address::parse(url, None).unwrap_err(), expected, "{url}");
        }
    }
}
