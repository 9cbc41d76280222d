//! [`Address`]: where Redis is and who we are there, and a form of it that may be shown.

use std::fmt;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

/// The port of a sentinel whose address has none.
const SENTINEL_PORT: u16 = 26_379;

/// Where Redis is, with credentials. Its text form has none.
#[derive(Clone)]
pub struct Address {
    pub(super) target: Target,
    pub(super) tls: bool,
    /// Who we are at the server; sentinels are not told.
    pub(super) login: RedisConnectionInfo,
    shown: String,
}

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Always the same server.
    Server(Node),
    /// Whichever server the sentinels call the master of this name.
    Master { name: String, sentinels: Vec<Node> },
}

/// A place on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Why an address cannot be used. Never repeats the address, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a Redis URL.
    #[error(
        "not a redis address: write redis://host:port/db, rediss:// for tls, or \
         redis-sentinel://host:26379/db#name for the master of this name behind sentinels"
    )]
    Malformed,
    /// A socket file.
    #[error("unix sockets are not supported: use redis://host:port")]
    UnixSocket,
    /// `rediss://...#insecure`.
    #[error("certificates are always checked: leave #insecure out")]
    Insecure,
    /// `redis-sentinel://` without the name of a master.
    #[error(
        "which master? end with the name that the sentinels have for it: \
         redis-sentinel://host:26379/db#mymaster"
    )]
    MasterName,
    /// `redis-sentinel://` with something that is no list of hosts, or no database.
    #[error(
        "not a list of sentinels: write redis-sentinel://user@host1:26379,host2:26379/db#mymaster, \
         with one user for all; in a password, @ is %40, / is %2F, # is %23 and : is %3A"
    )]
    Sentinels,
}

/// An address taken apart: what to connect to, whether with TLS, and who we are there.
type Parts<To> = (To, bool, RedisConnectionInfo);

impl Address {
    /// Reads a URL. `password` is used where the URL has none.
    ///
    /// # Errors
    /// When it is none that this host can use.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, AddressError> {
        let (target, tls, mut login) = match url.split_once("://") {
            Some(("redis-sentinel", rest)) => sentinels("redis", rest)?,
            Some(("rediss-sentinel", rest)) => sentinels("rediss", rest)?,
            Some(_) | None => {
                let (node, tls, login) = server(url)?;
                (Target::Server(node), tls, login)
            }
        };
        if let (None, Some(password)) = (login.password(), password) {
            login = login.set_password(password);
        }
        Ok(Self { target, tls, login, shown: Self::mask(url) })
    }

    /// Whether sentinels are asked where it is.
    pub(super) const fn is_behind_sentinels(&self) -> bool {
        matches!(self.target, Target::Master { .. })
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

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        // An IPv6 address.
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// One server.
fn server(url: &str) -> Result<Parts<Node>, AddressError> {
    let info = url.into_connection_info().map_err(|_| AddressError::Malformed)?;
    let (host, port, tls) = match info.addr() {
        ConnectionAddr::Tcp(host, port) => (host.clone(), *port, false),
        ConnectionAddr::TcpTls { insecure: true, .. } => return Err(AddressError::Insecure),
        ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port, true),
        ConnectionAddr::Unix(_) => return Err(AddressError::UnixSocket),
        // The enum may grow with the library.
        _ => return Err(AddressError::Malformed),
    };
    Ok((Node { host, port }, tls, info.redis_settings().clone()))
}

/// A master behind sentinels, from `[user[:password]@]host[:port],…[/db]#name`. Each host is read as
/// the address of one server of this scheme would be, so that there is one reader of credentials.
fn sentinels(scheme: &str, rest: &str) -> Result<Parts<Target>, AddressError> {
    let (rest, name) = rest.split_once('#').ok_or(AddressError::MasterName)?;
    let (authority, database) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    if [name, database, user].iter().any(|part| part.contains('@')) {
        // Of a password, most likely: then the parts are not what they seem to be.
        return Err(AddressError::Sentinels);
    }
    // What sentinels take for a name.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
        return Err(AddressError::MasterName);
    }
    let at = if user.is_empty() { "" } else { "@" };
    let mut nodes = vec![];
    let mut found = None;
    for host in hosts.split(',') {
        if host.is_empty() || host.ends_with(':') {
            return Err(AddressError::Sentinels);
        }
        let has_port = host.contains(':') && !host.ends_with(']');
        let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
        let (node, tls, login) = server(&format!("{scheme}://{user}{at}{host}{port}{database}"))
            .map_err(|_| AddressError::Sentinels)?;
        nodes.push(node);
        found = Some((tls, login));
    }
    let (tls, login) = found.ok_or(AddressError::Sentinels)?;
    Ok((Target::Master { name: name.to_owned(), sentinels: nodes }, tls, login))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    #[test]
    fn an_address_shows_its_place_and_hides_who_we_are() {
        let address = Address::parse("redis://me:hunter2@host:7000/3", None).unwrap();
        assert_eq!(format!("{address} {address:?}").matches("redis://***@host:7000/3").count(), 2);
        assert_eq!((&address.target, address.tls), (&Target::Server(node("host", 7000)), false));
        assert_eq!(address.login.password(), Some("hunter2"));
        let address = Address::parse("redis-sentinel://me:hunter2@a,b:1/3#m", None).unwrap();
        let shown = format!("{address} {address:?}");
        assert_eq!(shown.matches("redis-sentinel://***@a,b:1/3#m").count(), 2, "{shown}");
    }

    #[test]
    fn the_password_from_outside_counts_where_the_url_has_none() {
        let password = |url| {
            let address = Address::parse(url, Some("outside")).unwrap();
            address.login.password().map(str::to_owned)
        };
        assert_eq!(password("rediss://me@host").as_deref(), Some("outside"));
        assert_eq!(password("rediss://me:inside@host").as_deref(), Some("inside"));
        assert_eq!(password("redis-sentinel://me@host#m").as_deref(), Some("outside"));
        assert_eq!(password("redis-sentinel://me:inside@host#m").as_deref(), Some("inside"));
    }

    #[test]
    fn sentinels_are_listed_with_one_login_for_the_master() {
        let cases = [
            ("redis-sentinel://a#m", vec![node("a", 26_379)], 0, None, None),
            (
                "redis-sentinel://a:1,b/2#m.y-M_1",
                vec![node("a", 1), node("b", 26_379)],
                2,
                None,
                None,
            ),
            (
                "redis-sentinel://[::1],[fe80::2]:7/#m",
                vec![node("::1", 26_379), node("fe80::2", 7)],
                0,
                None,
                None,
            ),
            ("redis-sentinel://me@10.0.0.1:5#m", vec![node("10.0.0.1", 5)], 0, Some("me"), None),
            (
                "redis-sentinel://me:p%40s%2Fs%23@a,b#m",
                vec![node("a", 26_379), node("b", 26_379)],
                0,
                Some("me"),
                Some("p@s/s#"),
            ),
            (
                "redis-sentinel://:secret@a/9#insecure",
                vec![node("a", 26_379)],
                9,
                None,
                Some("secret"),
            ),
        ];
        for (url, expected, db, user, password) in cases {
            for (url, tls) in [(url.to_owned(), false), (url.replacen("redis", "rediss", 1), true)]
            {
                let address = Address::parse(&url, None).unwrap();
                let Target::Master { name, sentinels } = &address.target else { panic!("{url}") };
                assert_eq!((sentinels, address.tls), (&expected, tls), "{url}");
                assert!(url.ends_with(&format!("#{name}")), "{url}");
                assert_eq!(address.login.db(), db, "{url}");
                assert_eq!((address.login.username(), address.login.password()), (user, password));
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_advice() {
        let cases = [
            ("http://host", AddressError::Malformed),
            ("", AddressError::Malformed),
            ("sentinel://host#m", AddressError::Malformed),
            ("rediss://host/#insecure", AddressError::Insecure),
            ("unix:///run/redis.sock", AddressError::UnixSocket),
            ("redis-sentinel://a,b", AddressError::MasterName),
            ("redis-sentinel://a,b/0#", AddressError::MasterName),
            ("redis-sentinel://a#my master", AddressError::MasterName),
            ("redis-sentinel://#m", AddressError::Sentinels),
            ("redis-sentinel://me@#m", AddressError::Sentinels),
            ("redis-sentinel://a,,b#m", AddressError::Sentinels),
            ("redis-sentinel://a:,b#m", AddressError::Sentinels),
            ("redis-sentinel://a, b#m", AddressError::Sentinels),
            ("redis-sentinel://a:99999#m", AddressError::Sentinels),
            ("redis-sentinel://::1#m", AddressError::Sentinels),
            ("redis-sentinel://a/first#m", AddressError::Sentinels),
            ("redis-sentinel://0.0.0.0#m", AddressError::Sentinels),
            ("redis-sentinel://me:hunter2@a,me:hunter2@b#m", AddressError::Sentinels),
            ("redis-sentinel://me:7/hunter2@a#m", AddressError::Sentinels),
            ("redis-sentinel://me:7?hunter2@a#m", AddressError::Sentinels),
            ("redis-sentinel://me:7#hunter2@a#m", AddressError::Sentinels),
            ("rediss-sentinel://me:7@hunter2@a#m", AddressError::Sentinels),
        ];
        for (url, expected) in cases {
            let error = Address::parse(url, None).unwrap_err();
            assert_eq!(error, expected, "{url}");
            assert!(
                !format!("{error} {error:?} {}", Address::mask(url)).contains("hunter2"),
                "{url}"
            );
        }
    }
}
