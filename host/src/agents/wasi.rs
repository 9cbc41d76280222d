//! WASI for the components whose language needs it (Python, JavaScript, Go): no file, no socket,
//! no environment; a clock that stands at the time of the batch; randomness from a seed; standard
//! output and error go to the agent's log. Nothing here ever waits: the clock stands still while
//! an agent runs, so waiting for a time is over at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hotpit_rt::Entropy;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{
    DynPollable, OutputStream, Pollable, StreamResult, add_to_linker_sync, subscribe,
};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use super::host_state::HostState;
use super::log::AgentLog;

/// How many bytes of a standard stream are taken at once.
const STREAM_BYTES: usize = 4_096;

/// The most random bytes given at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// What a component's WASI imports work on.
pub(crate) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    now: BatchTime,
}

/// The time of the batch, in nanoseconds since the epoch.
#[derive(Clone, Default)]
pub(crate) struct BatchTime(Arc<AtomicU64>);

impl BatchTime {
    pub(crate) fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wasi {
    /// A world without anything in it. The same `seed` gives the same random bytes.
    pub(crate) fn new(log: &AgentLog, seed: u64, now: BatchTime) -> Self {
        let random = |purpose| Entropy::seeded(seed).rng(purpose);
        let mut table = ResourceTable::new();
        table.set_max_capacity(10_000);
        let ctx = WasiCtx::builder()
            .stdout(LogStream(log.clone()))
            .stderr(LogStream(log.clone()))
            .secure_random(random("wasi random"))
            .insecure_random(random("wasi insecure random"))
            .insecure_random_seed(seed.into())
            .max_random_size(RANDOM_BYTES_MAX)
            .wall_clock(now.clone())
            .monotonic_clock(now.clone())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self { ctx, table, now }
    }
}

/// Adds WASI 0.2 to a linker.
pub(crate) fn add_to_linker(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    monotonic_clock::add_to_linker::<HostState, StandingClock>(linker, |state| &mut state.wasi)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.ctx, table: &mut self.wasi.table }
    }
}

impl HostWallClock for BatchTime {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.get())
    }
}

impl HostMonotonicClock for BatchTime {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.get()
    }
}

struct StandingClock;

impl HasData for StandingClock {
    type Data<'a> = &'a mut Wasi;
}

impl monotonic_clock::Host for Wasi {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.now.get())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, _when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let due = self.table.push(Due)?;
        subscribe(&mut self.table, due)
    }

    fn subscribe_duration(&mut self, _after: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.subscribe_instant(0)
    }
}

/// A moment that has come.
struct Due;

#[wasmtime_wasi::async_trait]
impl Pollable for Due {
    async fn ready(&mut self) {}
}

/// A standard stream that is the agent's log.
#[derive(Clone)]
struct LogStream(AgentLog);

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Used by WASI 0.3 alone, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.0.write_stream(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(STREAM_BYTES)
    }
}
