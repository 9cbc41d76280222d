//! Threads: [`dedicated`], a future with a thread to itself, and [`thread_cpu_time`].

use std::future::Future;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

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

/// How long the calling thread has been running on a processor. Unlike the time of day it stands
/// still while the machine lets the thread wait, so that a budget of it is fair on a busy machine.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.try_into().unwrap_or(0), spent.tv_nsec.try_into().unwrap_or(0))
}
