//! [`dedicated`]: a future with a thread to itself.

use std::future::Future;
use std::io;
use std::thread::JoinHandle;

/// Runs the future that `make` builds on a new thread with its own single-threaded runtime. The
/// future never moves, so it may hold what is not `Send`.
///
/// # Errors
/// When the machine gives no thread or no event queue.
pub fn dedicated<M, F>(name: &str, make: M) -> io::Result<JoinHandle<F::Output>>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future,
    F::Output: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, make())
    })
}
