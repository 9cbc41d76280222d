//! Sockets. These two types and [`connect`] are the only way to the network outside of an HTTP
//! client; a simulated network takes their place here.

use std::io;

pub use tokio::net::{TcpListener, TcpStream};

/// Connects to `host:port` with Nagle's algorithm off: every frame here is small and urgent.
///
/// # Errors
/// When the name does not resolve or nobody answers. There is no timeout here: the caller knows
/// how long it can wait.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
