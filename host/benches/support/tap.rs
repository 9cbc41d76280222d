//! [`Tap`]: a TCP relay that stamps what passes, so that the host and the exchange are measured
//! from outside, unchanged.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Instant;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the exchange to the host: stamped just before they are written to the host's socket.
    ToHost,
    /// From the host to the exchange: stamped as soon as they were read off the host's socket.
    ToExchange,
}

/// Bytes that passed.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) direction: Direction,
    pub(crate) at: Instant,
    pub(crate) bytes: Vec<u8>,
}

/// Relays between the host and `upstream`, on threads of its own.
pub(crate) struct Tap {
    address: SocketAddr,
}

impl Tap {
    /// Starts a relay to `upstream` that reports everything that passes to `seen`. A report is
    /// made after the bytes went on their way, so that it delays nothing.
    pub(crate) fn start(upstream: SocketAddr, seen: SyncSender<Passed>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for host in listener.incoming().map_while(Result::ok) {
                let Ok(exchange) = TcpStream::connect(upstream) else { continue };
                let _ = host.set_nodelay(true);
                let _ = exchange.set_nodelay(true);
                let (Ok(from_host), Ok(from_exchange)) = (host.try_clone(), exchange.try_clone())
                else {
                    continue;
                };
                let (to_host, to_exchange) = (seen.clone(), seen.clone());
                thread::spawn(move || relay(from_exchange, host, Direction::ToHost, &to_host));
                thread::spawn(move || {
                    relay(from_host, exchange, Direction::ToExchange, &to_exchange)
                });
            }
        });
        Ok(Self { address })
    }

    /// Where the host is to connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, direction: Direction, seen: &SyncSender<Passed>) {
    let mut buffer = vec![0_u8; 1 << 16];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 {
            break;
        }
        let at = Instant::now();
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
        if seen.send(Passed { direction, at, bytes: buffer[..length].to_vec() }).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
