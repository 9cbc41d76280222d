//! [`AgentEngine`]: the one wasm engine of the process, what agents are linked against, and the
//! ticker that deadlines are measured by.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, WasmBacktraceDetails};

use super::bindings::Agent;
use super::host_state::HostState;
use super::wasi;

/// How often the epoch moves. Deadlines are whole numbers of these.
const TICK: Duration = Duration::from_millis(1);

/// A guest's stack. Python's interpreter needs more than Rust; the threads that run agents have
/// four times as much.
const WASM_STACK_BYTES: usize = 512 << 10;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The runtime refuses its configuration on this machine.
    #[error("the wasm runtime does not work on this machine: {0:#}")]
    Runtime(#[from] wasmtime::Error),
    /// The machine gave no thread for the ticker.
    #[error("no thread for the epoch ticker: {0}")]
    Ticker(#[from] io::Error),
}

/// The engine and its linkers. One for each process: a component compiled for one engine must
/// never meet another.
pub struct AgentEngine {
    engine: Engine,
    /// For components that import `hotpit:agent/*` and nothing else.
    bare: Linker<HostState>,
    /// For components that also need WASI.
    with_wasi: Linker<HostState>,
    // Last: the ticker ends when the engine's other owners may still live.
    _ticker: Ticker,
}

impl AgentEngine {
    /// The engine, ticking.
    ///
    /// # Errors
    /// When the machine cannot run it.
    pub fn new() -> Result<Self, EngineError> {
        let engine = Engine::new(&config())?;
        let mut bare = Linker::new(&engine);
        Agent::add_to_linker::<_, HasSelf<HostState>>(&mut bare, |state| state)?;
        let mut with_wasi = bare.clone();
        wasi::add_to_linker(&mut with_wasi)?;
        let ticker = Ticker::start(&engine)?;
        Ok(Self { engine, bare, with_wasi, _ticker: ticker })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn linker(&self, with_wasi: bool) -> &Linker<HostState> {
        if with_wasi { &self.with_wasi } else { &self.bare }
    }
}

/// Concurrency off: it costs 340 ns on every call and is where most of the runtime's advisories
/// of 2026 are. Everything that no agent needs is off as well, so that nothing can go wrong in it.
fn config() -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .gc_support(false)
        .wasm_gc(false)
        .wasm_exceptions(false)
        .wasm_function_references(false)
        .wasm_threads(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        // The same bits of a NaN on every machine: the same events, the same actions.
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(WASM_STACK_BYTES);
    config
}

/// Moves the epoch until it is dropped.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: &Engine) -> io::Result<Self> {
        let engine = engine.weak();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let tick = move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("agent-epoch".into()).spawn(tick)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends within a tick; its panic could only be the engine's.
            let _ = thread.join();
        }
    }
}
