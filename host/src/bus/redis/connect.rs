//! Connections to Redis: through the host's own sockets, each step with a timeout, and with a
//! bound on what is read before it is used.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{RedisConnectionInfo, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;

use super::address::{Address, Node, Target};
use super::sentinel::{self, Failure};

/// How many bytes of Pub/Sub messages may wait in this process. The library's own queue has no
/// bound; beyond this the socket is not read, so that Redis sees a slow subscriber and cuts it
/// off (`client-output-buffer-limit pubsub`), which a subscriber recovers from.
const UNREAD_BYTES_MAX: usize = 16 << 20;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{}", explained(.0))]
    Redis(#[from] RedisError),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{CLUSTER}")]
    Cluster,
    #[error("it is a sentinel: write redis-sentinel://host:port/db#name with its master's name")]
    Sentinel,
    #[error("no sentinel leads to the master `{name}`: {}", sentinel::listed(failures))]
    NoMaster { name: String, failures: Vec<(Node, Failure)> },
}

/// What a node of a cluster is, and what to do.
const CLUSTER: &str = "it is a node of a Redis Cluster, which is not supported: use a Redis that is \
                       no cluster (`cluster-enabled no`), behind Redis Sentinel if another is to \
                       stand in for it";

/// What a user of Redis needs.
const RIGHTS: &str =
    "give its user +@pubsub +@read +@write +@connection ~hotpit:* &kalshi:* &espn:*";

/// What Redis answers, in words that say what to do about it.
pub(super) fn explained(error: &RedisError) -> String {
    use ServerErrorKind::{Ask, ClusterDown, CrossSlot, Moved};
    let of_cluster = [Ask, ClusterDown, CrossSlot, Moved].map(redis::ErrorKind::from);
    let words = error.to_string();
    // There, every database but the first is refused.
    if of_cluster.contains(&error.kind()) || words.contains("in cluster mode") {
        CLUSTER.to_owned()
    } else if words.contains("NoPerm") {
        format!("{words}: {RIGHTS}")
    } else {
        words
    }
}

/// A connection for commands. Commands keep their order, and each has a timeout.
pub(super) struct Commands {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    node: Node,
}

impl Commands {
    /// A connection to the server of the address; of one behind sentinels, to the master of now.
    pub(super) async fn connect(
        address: &Address,
        timeout: Duration,
    ) -> Result<Self, ConnectError> {
        match &address.target {
            Target::Server(node) => Ok(Self::to_server(node, address, timeout).await?.0),
            Target::Master { name, sentinels } => {
                sentinel::connect(address, name, sentinels, timeout).await
            }
        }
    }

    /// A connection to this server, and its role.
    pub(super) async fn to_server(
        node: &Node,
        address: &Address,
        timeout: Duration,
    ) -> Result<(Self, String), ConnectError> {
        let (commands, standing) = Self::to(node, address.tls, &address.login, timeout).await?;
        match standing.mode.as_str() {
            "cluster" => Err(ConnectError::Cluster),
            "sentinel" => Err(ConnectError::Sentinel),
            _ => Ok((commands, standing.role)),
        }
    }

    /// A connection to this server, whatever it is, and what it is.
    pub(super) async fn to(
        node: &Node,
        tls: bool,
        login: &RedisConnectionInfo,
        timeout: Duration,
    ) -> Result<(Self, Standing), ConnectError> {
        let connect = async {
            let stream = open(node, tls).await?;
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(timeout));
            let (connection, driver) =
                MultiplexedConnection::new_with_config(login, stream, config).await?;
            let driver = tokio::spawn(driver);
            let commands = Self { connection, driver, node: node.clone() };
            let standing = standing(&mut commands.handle()).await?;
            Ok((commands, standing))
        };
        tokio::time::timeout(timeout, connect).await.map_err(|_| ConnectError::Timeout(timeout))?
    }

    /// Another handle to the same connection.
    pub(super) fn handle(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Which server it goes to.
    pub(super) const fn node(&self) -> &Node {
        &self.node
    }
}

/// What a server says of itself; empty where it does not say it, as before version 6.2.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// `standalone`, `cluster` or `sentinel`.
    pub(super) mode: String,
    /// `master` or `replica`.
    pub(super) role: String,
}

/// Asks with `HELLO`: it needs no more rights than to connect, which `ROLE` and `INFO` do.
async fn standing(connection: &mut MultiplexedConnection) -> RedisResult<Standing> {
    let said: RedisResult<HashMap<String, Value>> =
        redis::cmd("HELLO").query_async(connection).await;
    let said = match said {
        Ok(said) => said,
        Err(error) if error.code().is_some() => return Ok(Standing::default()),
        Err(error) => return Err(error),
    };
    let word = |name: &str| {
        said.get(name).and_then(|word| redis::from_redis_value_ref(word).ok()).unwrap_or_default()
    };
    Ok(Standing { mode: word("mode"), role: word("role") })
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A connection for subscriptions.
pub(super) struct Messages {
    pub(super) stream: redis::aio::PubSubStream,
    unread: Arc<Unread>,
}

impl Messages {
    /// Subscribes on the server that the commands go to: behind sentinels it may be another by now.
    pub(super) async fn subscribe(
        address: &Address,
        commands: &Commands,
        channels: &[&str],
        timeout: Duration,
    ) -> Result<Self, ConnectError> {
        let unread = Arc::<Unread>::default();
        let connect = async {
            let stream = Gate {
                inner: open(&commands.node, address.tls).await?,
                unread: Arc::clone(&unread),
            };
            let mut pubsub = PubSub::new(&address.login, stream).await?;
            pubsub.subscribe(channels).await?;
            RedisResult::Ok(pubsub.into_on_message()).map_err(ConnectError::from)
        };
        let stream = tokio::time::timeout(timeout, connect)
            .await
            .map_err(|_| ConnectError::Timeout(timeout))??;
        Ok(Self { stream, unread })
    }

    /// Says that a message of so many bytes was used, and may be followed by others.
    pub(super) fn used(&self, bytes: usize) {
        self.unread.release(bytes);
    }

    /// Says that there is no message left.
    pub(super) fn drained(&self) {
        self.unread.release(usize::MAX);
    }
}

/// A byte stream; boxed, because TLS is chosen at run time.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

async fn open(node: &Node, tls: bool) -> io::Result<Box<dyn Duplex>> {
    let stream = hotpit_rt::net::connect(&node.host, node.port).await?;
    if !tls {
        return Ok(Box::new(stream));
    }
    let mut roots = rustls::RootCertStore::empty();
    // A machine has certificates that rustls cannot read; the others do.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(node.host.clone())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Box::new(stream))
}

/// Bytes that were read off a socket and not used yet; about, as framing is not counted back,
/// and exactly zero again whenever everything was used.
#[derive(Default)]
struct Unread {
    bytes: AtomicUsize,
    waker: AtomicWaker,
}

impl Unread {
    fn release(&self, bytes: usize) {
        let less = |unread: usize| Some(unread.saturating_sub(bytes));
        // The closure always answers.
        let _ = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.waker.wake();
    }

    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) >= UNREAD_BYTES_MAX
    }
}

/// Reads nothing while too much is unread.
struct Gate {
    inner: Box<dyn Duplex>,
    unread: Arc<Unread>,
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_full() {
            self.unread.waker.register(context.waker());
            // Looked at again, because it may have been released before the waker was there.
            if self.unread.is_full() {
                return Poll::Pending;
            }
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.unread.bytes.fetch_add(buffer.filled().len() - before, Ordering::AcqRel);
        read
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_gate_reads_no_more_than_its_bound_until_messages_are_used() {
        let (near, mut far) = tokio::io::duplex(UNREAD_BYTES_MAX * 2);
        let unread = Arc::<Unread>::default();
        let mut gate = Gate { inner: Box::new(near), unread: Arc::clone(&unread) };
        far.write_all(&vec![1; UNREAD_BYTES_MAX + 10]).await.unwrap();
        let mut first = vec![0; UNREAD_BYTES_MAX];
        gate.read_exact(&mut first).await.unwrap();

        let mut rest = [0; 10];
        let mut read = Box::pin(gate.read_exact(&mut rest));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
        unread.release(1);
        read.await.unwrap();
    }
}
