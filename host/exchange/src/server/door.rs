//! The door of the exchange: a listener that can be closed and opened again on the same port,
//! and connections that can be cut from outside.
//!
//! Real exchanges refuse connections, drop all of them at once, and break one just after they
//! did what it asked for. All three are done here, below HTTP and WebSocket, so that a client
//! sees exactly what it would see then.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use hotpit_rt::net::{TcpListener, TcpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tracing::warn;

/// How long to wait before trying to take the port again.
const REBIND_PAUSE: Duration = Duration::from_millis(20);

/// Cuts one connection: both directions fail from then on, without a goodbye. Or freezes it:
/// nothing passes any more, and nobody is told.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    done: AtomicBool,
    frozen: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Cut {
    /// Cuts the connection.
    pub(crate) fn now(&self) {
        self.done.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.wake();
    }

    fn freeze(&self) {
        self.frozen.store(true, Ordering::Release);
    }

    /// Pending while it is frozen; the waker is registered by then.
    fn check(&self) -> Poll<io::Result<()>> {
        if self.done.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if self.frozen.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

/// What a handler knows of the connection its request came on.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Ends the connection.
    pub(crate) cut: Arc<Cut>,
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Where the door stands and who is inside. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct DoorControl {
    wanted: Arc<watch::Sender<bool>>,
    actual: watch::Receiver<bool>,
    inside: Arc<Inside>,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Inside {
    next: AtomicU64,
    connections: Mutex<BTreeMap<u64, Arc<Cut>>>,
}

impl Inside {
    fn connections(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Cut>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DoorControl {
    /// The address that clients connect to.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections from now on: the port is given up. Returns when it is.
    pub(crate) async fn close(&self) {
        self.set(false).await;
    }

    /// Listens again on the same port. Returns when it does.
    pub(crate) async fn open(&self) {
        self.set(true).await;
    }

    async fn set(&self, open: bool) {
        self.wanted.send_replace(open);
        // An error means that the door is gone with its server: closed for good.
        let _ = self.actual.clone().wait_for(|actual| *actual == open).await;
    }

    /// Freezes every connection there is.
    pub(crate) fn freeze_all(&self) {
        self.inside.connections().values().for_each(|cut| cut.freeze());
    }

    /// Cuts every connection there is; returns how many.
    pub(crate) fn cut_all(&self) -> usize {
        let connections = self.inside.connections();
        connections.values().for_each(|cut| cut.now());
        connections.len()
    }
}

/// The listener, as the HTTP server sees it.
pub(crate) struct Door {
    listener: Option<TcpListener>,
    address: SocketAddr,
    wanted: watch::Receiver<bool>,
    actual: watch::Sender<bool>,
    inside: Arc<Inside>,
}

impl Door {
    /// A door at `listener`, open.
    pub(crate) fn new(listener: TcpListener) -> io::Result<(Self, DoorControl)> {
        let address = listener.local_addr()?;
        let (wanted_sender, wanted) = watch::channel(true);
        let (actual, actual_receiver) = watch::channel(true);
        let inside = Arc::new(Inside::default());
        let control = DoorControl {
            wanted: Arc::new(wanted_sender),
            actual: actual_receiver,
            inside: Arc::clone(&inside),
            address,
        };
        Ok((Self { listener: Some(listener), address, wanted, actual, inside }, control))
    }

    fn admit(&self, stream: TcpStream) -> (Socket, Peer) {
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "cannot switch off Nagle's algorithm");
        }
        let cut = Arc::new(Cut::default());
        let id = self.inside.next.fetch_add(1, Ordering::Relaxed);
        self.inside.connections().insert(id, Arc::clone(&cut));
        let socket = Socket { stream, cut: Arc::clone(&cut), id, inside: Arc::clone(&self.inside) };
        (socket, Peer { cut })
    }
}

impl Listener for Door {
    type Io = Socket;
    type Addr = Peer;

    async fn accept(&mut self) -> (Socket, Peer) {
        loop {
            let open = *self.wanted.borrow_and_update();
            match (&self.listener, open) {
                (Some(listener), true) => tokio::select! {
                    biased;
                    _ = self.wanted.changed() => {}
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => return self.admit(stream),
                        Err(error) => {
                            warn!(%error, "cannot accept a connection");
                            tokio::time::sleep(REBIND_PAUSE).await;
                        }
                    },
                },
                (Some(_), false) => {
                    self.listener = None;
                    self.actual.send_replace(false);
                }
                (None, true) => match TcpListener::bind(self.address).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        self.actual.send_replace(true);
                    }
                    Err(error) => {
                        warn!(%error, address = %self.address, "cannot listen again");
                        tokio::time::sleep(REBIND_PAUSE).await;
                    }
                },
                (None, false) => {
                    if self.wanted.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { cut: Arc::default() })
    }
}

/// A connection that can be cut.
pub(crate) struct Socket {
    stream: TcpStream,
    cut: Arc<Cut>,
    id: u64,
    inside: Arc<Inside>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inside.connections().remove(&self.id);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.reader.register(cx.waker());
        ready!(self.cut.check())?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.writer.register(cx.waker());
        ready!(self.cut.check())?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.writer.register(cx.waker());
        ready!(self.cut.check())?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.cut.check())?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
