//! Connections to a master behind Redis Sentinel.
//!
//! Every connection asks anew, so whoever connects again after a failover comes to the new master.
//! A sentinel may not know yet, or no more, who it is: what counts is that the server which it names
//! says of itself that it is a master; where it does not, the next sentinel is asked.

use std::time::Duration;

use redis::{RedisConnectionInfo, RedisError};

use super::address::{Address, Node};
use super::connect::{Commands, ConnectError};

/// Why one sentinel did not lead to the master.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Unreachable(Box<ConnectError>),
    #[error("{0}")]
    Refused(RedisError),
    #[error("it asks for a password: sentinels must be reachable without one")]
    Password,
    #[error("it is no sentinel: list sentinels, or write redis:// for a server")]
    NoSentinel,
    #[error("it knows no master of this name")]
    Unknown,
    #[error("it also says {0}")]
    Repeated(Node),
    #[error("the master it says, {0}: {1}")]
    Master(Node, Box<ConnectError>),
    #[error("it says {0}, which is no master now")]
    NotMaster(Node),
    #[error("it says {0}, which does not tell its role: version 6.2 or later is needed")]
    TooOld(Node),
}

/// The failures in one line.
pub(super) fn listed(failures: &[(Node, Failure)]) -> String {
    let words = failures.iter().map(|(sentinel, failure)| format!("{sentinel}: {failure}"));
    words.collect::<Vec<_>>().join("; ")
}

/// A connection to the master of this name. The sentinels are asked in their order; each may take as
/// long as the timeout, and each server that they name as well.
pub(super) async fn connect(
    address: &Address,
    name: &str,
    sentinels: &[Node],
    timeout: Duration,
) -> Result<Commands, ConnectError> {
    let mut failures = vec![];
    let mut named = vec![];
    for sentinel in sentinels {
        match through(sentinel, address, name, &mut named, timeout).await {
            Ok(commands) => {
                tracing::debug!(%sentinel, master = %commands.node(), name, "found the master");
                return Ok(commands);
            }
            Err(failure) => failures.push((sentinel.clone(), failure)),
        }
    }
    Err(ConnectError::NoMaster { name: name.to_owned(), failures })
}

/// A connection to the master that this sentinel names. `named` are those that others did, in vain.
async fn through(
    sentinel: &Node,
    address: &Address,
    name: &str,
    named: &mut Vec<Node>,
    timeout: Duration,
) -> Result<Commands, Failure> {
    let master = ask(sentinel, address.tls, name, timeout).await?;
    if named.contains(&master) {
        return Err(Failure::Repeated(master));
    }
    named.push(master.clone());
    let reached = Commands::to_server(&master, address, timeout).await;
    let (commands, role) =
        reached.map_err(|error| Failure::Master(master.clone(), Box::new(error)))?;
    match role.as_str() {
        "master" => Ok(commands),
        "" => Err(Failure::TooOld(master)),
        _ => Err(Failure::NotMaster(master)),
    }
}

/// Asks a sentinel where the master is. It is not told who we are there.
async fn ask(sentinel: &Node, tls: bool, name: &str, timeout: Duration) -> Result<Node, Failure> {
    let nobody = RedisConnectionInfo::default();
    let reached = Commands::to(sentinel, tls, &nobody, timeout).await;
    let (commands, standing) = reached.map_err(|error| Failure::Unreachable(Box::new(error)))?;
    if !["", "sentinel"].contains(&standing.mode.as_str()) {
        return Err(Failure::NoSentinel);
    }
    let mut get = redis::cmd("SENTINEL");
    get.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    // The host is a name or an address, that of an IPv6 without brackets.
    let answer: Result<Option<(String, u16)>, RedisError> =
        get.query_async(&mut commands.handle()).await;
    match answer {
        Ok(Some((host, port))) => Ok(Node { host, port }),
        Ok(None) => Err(Failure::Unknown),
        Err(error) if error.code() == Some("NOAUTH") => Err(Failure::Password),
        Err(error) => Err(Failure::Refused(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::bus::redis::connect::explained;
    use crate::bus::redis::keys::publisher;

    const TIMEOUT: Duration = Duration::from_millis(500);

    /// A server on a free port which answers each command by its name; what it has no answer to
    /// stays without. Commands have arguments without line breaks.
    async fn server(answers: &[(&'static str, String)]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = answers.to_vec();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, answers.clone()));
            }
        });
        port
    }

    async fn talk(stream: TcpStream, answers: Vec<(&'static str, String)>) {
        let mut stream = BufReader::new(stream);
        let mut words = VecDeque::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(count) = line.strip_prefix('*') {
                words.clear();
                let lines = 2 * count.trim().parse::<usize>().unwrap();
                for _ in 0..lines {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.unwrap();
                    words.push_back(line.trim().to_owned());
                }
            }
            let answer = match words[1].as_str() {
                "CLIENT" => Some("+OK\r\n".to_owned()),
                name => {
                    answers.iter().find(|(of, _)| *of == name).map(|(_, answer)| answer.clone())
                }
            };
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    }

    fn bulk(words: &[&str]) -> String {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), words.collect::<String>())
    }

    fn hello(mode: &str, role: &str) -> (&'static str, String) {
        ("HELLO", bulk(&["server", "redis", "mode", mode, "role", role]))
    }

    async fn sentinel(host: &str, port: u16) -> u16 {
        let says = ("SENTINEL", bulk(&[host, &port.to_string()]));
        server(&[hello("sentinel", "sentinel"), says]).await
    }

    async fn connect(sentinels: &[u16]) -> Result<Commands, String> {
        let hosts = sentinels.iter().map(|port| format!("127.0.0.1:{port}"));
        let url = format!("redis-sentinel://{}#m", hosts.collect::<Vec<_>>().join(","));
        let address = Address::parse(&url, None).unwrap();
        Commands::connect(&address, TIMEOUT).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_first_sentinel_that_leads_to_a_master_is_followed() {
        let master = server(&[hello("standalone", "master")]).await;
        let replica = server(&[hello("standalone", "replica")]).await;
        let silent = server(&[]).await;
        let unknowing =
            server(&[hello("sentinel", "sentinel"), ("SENTINEL", "*-1\r\n".into())]).await;
        let sentinels = [
            silent,
            unknowing,
            sentinel("localhost", replica).await,
            sentinel("localhost", master).await,
        ];
        let commands = connect(&sentinels).await.unwrap();
        assert_eq!(*commands.node(), Node { host: "localhost".to_owned(), port: master });
    }

    #[tokio::test]
    async fn what_every_sentinel_failed_at_is_told() {
        let silent = server(&[]).await;
        let noauth = || "-NOAUTH Authentication required.\r\n".to_owned();
        let locked = server(&[("HELLO", noauth()), ("SENTINEL", noauth())]).await;
        let plain = server(&[hello("standalone", "master")]).await;
        let replica = server(&[hello("standalone", "replica")]).await;
        let cluster = server(&[hello("cluster", "master")]).await;
        let old = server(&[("HELLO", "-ERR unknown command\r\n".to_owned())]).await;
        let sentinels = [
            silent,
            locked,
            plain,
            sentinel("127.0.0.1", replica).await,
            sentinel("127.0.0.1", replica).await,
            sentinel("127.0.0.1", cluster).await,
            sentinel("127.0.0.1", old).await,
        ];
        let error = connect(&sentinels).await.err().unwrap();
        let expected = [
            // Its own timeout, or that of the answer.
            String::new(),
            "it asks for a password".to_owned(),
            "it is no sentinel".to_owned(),
            format!("it says 127.0.0.1:{replica}, which is no master now"),
            format!("it also says 127.0.0.1:{replica}"),
            format!("the master it says, 127.0.0.1:{cluster}: it is a node of a Redis Cluster"),
            format!("it says 127.0.0.1:{old}, which does not tell its role"),
        ];
        assert!(error.starts_with("no sentinel leads to the master `m`: "), "{error}");
        for (sentinel, expected) in sentinels.iter().zip(expected) {
            assert!(error.contains(&format!("127.0.0.1:{sentinel}: {expected}")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_the_bus_cannot_use_says_what_to_do() {
        let cases = [
            (vec![hello("cluster", "master")], "", "Redis Cluster, which is not supported: use"),
            (vec![hello("sentinel", "sentinel")], "", "it is a sentinel: write redis-sentinel://"),
            // What it answers to the choice of a database.
            (
                vec![("SELECT", "-ERR SELECT is not allowed in cluster mode\r\n".to_owned())],
                "/2",
                "Redis Cluster, which is not supported",
            ),
        ];
        for (answers, db, expected) in cases {
            let url = format!("redis://127.0.0.1:{}{db}", server(&answers).await);
            let address = Address::parse(&url, None).unwrap();
            let error = Commands::connect(&address, TIMEOUT).await.err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
        // One that does not say what it is.
        let unknown = ("HELLO", "-ERR unknown command\r\n".to_owned());
        let moved = ("GET", "-MOVED 3999 127.0.0.1:6381\r\n".to_owned());
        let url = format!("redis://127.0.0.1:{}", server(&[unknown, moved]).await);
        let address = Address::parse(&url, None).unwrap();
        let commands = Commands::connect(&address, TIMEOUT).await.unwrap();
        let error = publisher(&mut commands.handle()).await.unwrap_err();
        assert!(explained(&error).contains("Redis Cluster, which is not supported"), "{error}");
    }
}
